// Runs a model in onnxruntime-node, or in onnxruntime-web's WASM:
//
//	node onnxruntime.mjs FOLDER model.onnx (IN OUT)...
//
// FOLDER is that of the installed package. IN and OUT are as in adapters.py.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [name, model, ...files] = process.argv.slice(2);
const ort = createRequire(import.meta.url)(name);
const session = await ort.InferenceSession.create(readFileSync(model));
for (let i = 0; i < files.length; i += 2) {
  const feed = {};
  for (const file of readdirSync(files[i])) {
    const [, input, type, shape] = file.split(".");
    const bytes = new Uint8Array(readFileSync(join(files[i], file))).buffer;
    const data = type === "int64" ? new BigInt64Array(bytes) : new Float32Array(bytes);
    feed[input] = new ort.Tensor(type, data, shape.split("x").map(Number));
  }
  const outputs = await session.run(feed);
  const bytes = session.outputNames.map((n) => outputs[n].data).map((d) => Buffer.from(d.buffer, d.byteOffset, d.byteLength));
  writeFileSync(files[i + 1], Buffer.concat(bytes));
}
