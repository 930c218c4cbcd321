"""Holds an exported training step against Python.

usage: check_step.py STEP.onnx FEED SCRIPTS

FEED is a folder with the bytes of each input that is not state, / written as _.
Prints, as JSON, the losses of three steps on that feed from the state beside
STEP.onnx, and the learning rates that train_step.py in the folder SCRIPTS gives
steps 0 and 9. A model that the checker or the strict shape inference refuses is
an error.
"""

import json
import sys

import numpy
import onnx
import onnxruntime
from safetensors.numpy import load_file

path, feed, scripts = sys.argv[1:]
sys.path.append(scripts)
sys.dont_write_bytecode = True
import train_step  # noqa: E402

model = onnx.load(path)
onnx.checker.check_model(model, full_check=True)
inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
assert list(inferred.graph.output) == list(model.graph.output)

session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
notes = session.get_modelmeta().custom_metadata_map
about = {i.name: json.loads(notes["gan.input." + i.name]) for i in session.get_inputs()}
inputs = load_file(path.replace(".onnx", ".safetensors"))
state = {name for name, note in about.items() if note["kind"] == "state"}
assert state == inputs.keys(), state ^ inputs.keys()
for i in session.get_inputs():
    if i.name not in state:
        dtype = i.type.removeprefix("tensor(").removesuffix(")").replace("float", "float32")
        inputs[i.name] = numpy.fromfile(f"{feed}/{i.name.replace('/', '_')}", dtype).reshape(i.shape)

outputs = [o.name for o in session.get_outputs()]
losses = []
for _ in range(3):
    results = dict(zip(outputs, session.run(None, inputs)))
    inputs |= {name.removesuffix(".new"): v for name, v in results.items() if name.endswith(".new")}
    losses.append([float(results[name]) for name in outputs if name.startswith("loss/")])
rates = {
    name: [float(train_step.fill(note, (), step, None, None, None)) for step in (0, 9)]
    for name, note in about.items()
    if note["kind"] == "rate"
}
print(json.dumps({"losses": losses, "rates": rates}))
