//! What the runtimes for Rust share. Each is a program:
//!
//!     RUNTIME model.onnx (IN OUT)...
//!
//! with IN and OUT as in adapters.py.

use std::{env, error::Error, fs};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// An input of a batch.
pub struct Input {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Values,
}

pub enum Values {
    Float(Vec<f32>),
    Int(Vec<i64>),
}

/// Calls run with the model's path and each batch's inputs, in the model's order, and writes what it returns, one output behind the other.
pub fn serve(run: impl Fn(&str, Vec<Input>) -> Result<Vec<f32>>) -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    for pair in args[1..].chunks(2) {
        let output = run(&args[0], read(&pair[0])?)?;
        fs::write(&pair[1], output.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    Ok(())
}

fn read(folder: &str) -> Result<Vec<Input>> {
    let mut files = fs::read_dir(folder)?.map(|f| Ok(f?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let mut inputs = vec![];
    for file in files {
        let bytes = fs::read(&file)?;
        let [_, name, kind, shape] = file.file_name().unwrap().to_str().unwrap().splitn(4, '.').collect::<Vec<_>>()[..]
        else {
            return Err(format!("{file:?}: want a name such as 0.z.float32.1x100").into());
        };
        let values = match kind {
            "int64" => Values::Int(bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()),
            _ => Values::Float(bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()),
        };
        let shape = shape.split('x').map(str::parse).collect::<std::result::Result<_, _>>()?;
        inputs.push(Input { name: name.into(), shape, values });
    }
    Ok(inputs)
}
