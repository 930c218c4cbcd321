// Draws 64 digits: node digits.mjs generator.onnx digits.png [SEED]
import { writeFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { PNG } from "pngjs";

// philox returns four random 64-bit words: block number `block` of a picture's noise.
function philox(seed, image, block) {
  const low = (v) => BigInt.asUintN(64, v);
  let [c0, c1, c2, c3, k0, k1] = [block, 0n, image, 0n, seed, 0n];
  for (let round = 0; round < 10; round++) {
    const p = c0 * 0xd2e7470ee14c6c93n;
    const q = c2 * 0xca5a826395121157n;
    [c0, c1, c2, c3] = [(q >> 64n) ^ c1 ^ k0, low(q), (p >> 64n) ^ c3 ^ k1, low(p)];
    [k0, k1] = [low(k0 + 0x9e3779b97f4a7c15n), low(k1 + 0xbb67ae8584caa73bn)];
  }
  return [c0, c1, c2, c3];
}

// normal maps u in (0, 1) to a standard normal value (Giles 2012, "Approximating the erfinv function").
function normal(u) {
  const w = -Math.log(4 * u * (1 - u));
  const [x, coefficients] =
    w < 5
      ? [w - 2.5, [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3, 0.246640727, 1.50140941]]
      : [Math.sqrt(w) - 3, [-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3, 1.00167406, 2.83297682]];
  return Math.SQRT2 * (2 * u - 1) * coefficients.reduce((sum, c) => sum * x + c);
}

// noise fills z with the latent vector of a picture, as `ganinfer generate` draws it.
function noise(z, seed, image) {
  for (let i = 0; i < z.length; i += 4) {
    const words = philox(BigInt(seed), BigInt(image), BigInt(i / 4 + 1));
    z.set(words.slice(0, z.length - i).map((w) => normal((Number(w >> 12n) + 0.5) * 2 ** -52)), i);
  }
}

const [model, out, seed = 1] = process.argv.slice(2);
const session = await InferenceSession.create(model);
const size = session.inputMetadata[0].shape[1];
const z = new Float32Array(64 * size);
for (let i = 0; i < 64; i++) noise(z.subarray(i * size, (i + 1) * size), seed, i);
const { image } = await session.run({ z: new Tensor("float32", z, [64, size]) }); // [64, 1, 28, 28] in [-1, 1]

const [, , h, w] = image.dims;
const [cellW, cellH] = [2 * w + 2, 2 * h + 2]; // each pixel a square of four, lines of two between pictures
const png = new PNG({ width: 8 * cellW + 2, height: 8 * cellH + 2, colorType: 0, inputColorType: 0 });
png.data = Buffer.alloc(png.width * png.height, 128);
for (let i = 0; i < 64; i++)
  for (let y = 0; y < 2 * h; y++)
    for (let x = 0; x < 2 * w; x++) {
      const v = image.data[(i * h + (y >> 1)) * w + (x >> 1)];
      png.data[(2 + (i >> 3) * cellH + y) * png.width + 2 + (i & 7) * cellW + x] = Math.floor((v + 1) * 127.5 + 0.5);
    }
writeFileSync(out, PNG.sync.write(png, { colorType: 0, inputColorType: 0 }));
