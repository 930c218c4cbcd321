//! Draws 64 digits: cargo run --release -- generator.onnx digits.png [SEED]

use rten::{Dimension, Model};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use std::{env, error::Error, f64::consts::SQRT_2, fs::File};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let seed = args.get(3).map_or(Ok(1), |s| s.parse())?;
    let model = Model::load_file(&args[1])?;
    let shape = model.input_shape(0);
    let Some(&[_, Dimension::Fixed(size)]) = shape.as_deref() else {
        return Err("want an input [batch, latent size]".into());
    };
    let z: Vec<f32> = (0..64).flat_map(|image| noise(seed, image, size)).collect();
    let z = Tensor::from_data(&[64, size], z);
    let images: NdTensor<f32, 4> = model.run_one((&z).into(), None)?.try_into()?; // [64, 1, 28, 28] in [-1, 1]

    // Each pixel is a square of four, with lines of two between pictures.
    let [_, _, h, w] = images.shape().map(|n| 2 * n);
    let (height, width) = (8 * (h + 2) + 2, 8 * (w + 2) + 2);
    let mut grid = vec![128; height * width];
    for (i, image) in images.axis_iter(0).enumerate() {
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            let at = (2 + i / 8 * (h + 2) + y) * width + 2 + i % 8 * (w + 2) + x;
            grid[at] = ((image[[0, y / 2, x / 2]] + 1.0) * 127.5).round() as u8;
        }
    }
    let mut png = png::Encoder::new(File::create(&args[2])?, width as u32, height as u32);
    png.set_color(png::ColorType::Grayscale);
    Ok(png.write_header()?.write_image_data(&grid)?)
}

/// The latent vector of a picture, as `ganinfer generate` draws it.
fn noise(seed: u64, image: u64, size: usize) -> Vec<f32> {
    let words = (1..).flat_map(|block| philox(seed, image, block));
    words.take(size).map(|word| normal(((word >> 12) as f64 + 0.5) / (1u64 << 52) as f64) as f32).collect()
}

/// Four random words: a block of a picture's noise.
fn philox(seed: u64, image: u64, block: u64) -> [u64; 4] {
    let multiply = |a: u64, b: u64| (((a as u128 * b as u128) >> 64) as u64, a.wrapping_mul(b));
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = ([block, 0, image, 0], [seed, 0u64]);
    for _ in 0..10 {
        let (p_high, p) = multiply(0xD2E7470EE14C6C93, c0);
        let (q_high, q) = multiply(0xCA5A826395121157, c2);
        [c0, c1, c2, c3] = [q_high ^ c1 ^ k0, q, p_high ^ c3 ^ k1, p];
        k0 = k0.wrapping_add(0x9E3779B97F4A7C15);
        k1 = k1.wrapping_add(0xBB67AE8584CAA73B);
    }
    [c0, c1, c2, c3]
}

/// Maps u in (0, 1) to a standard normal value (Giles 2012, "Approximating the erfinv function").
#[rustfmt::skip]
fn normal(u: f64) -> f64 {
    const MIDDLE: [f64; 9] = [
        2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4,
        -1.25372503e-3, -4.17768164e-3, 0.246640727, 1.50140941,
    ];
    const TAIL: [f64; 9] = [
        -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3,
        -7.6224613e-3, 9.43887047e-3, 1.00167406, 2.83297682,
    ];
    let w = -(4.0 * u * (1.0 - u)).ln();
    let (x, coefficients) = if w < 5.0 { (w - 2.5, MIDDLE) } else { (w.sqrt() - 3.0, TAIL) };
    SQRT_2 * (2.0 * u - 1.0) * coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}
