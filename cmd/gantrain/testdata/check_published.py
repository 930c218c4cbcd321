"""Reads a published folder as those would who get it: the server's own schema,
safetensors, and onnx and onnxruntime for each model.

    python check_published.py FOLDER
"""

import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
from google.protobuf import text_format
from safetensors.numpy import load_file
from tritonclient.grpc import model_config_pb2

folder = Path(sys.argv[1])
(served,) = (folder / "triton").iterdir()
config = text_format.Parse((served / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
assert config.name == served.name and config.platform == "onnxruntime_onnx", config
model = onnxruntime.InferenceSession(served / "1/model.onnx")
kinds = {"tensor(float)": model_config_pb2.TYPE_FP32, "tensor(int64)": model_config_pb2.TYPE_INT64}
for declared, ports in ((config.input, model.get_inputs()), (config.output, model.get_outputs())):
    assert [(p.name, p.data_type, list(p.dims)) for p in declared] == [(p.name, kinds[p.type], p.shape[1:]) for p in ports], declared

weights = load_file(folder / "model.safetensors")
stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(folder / "onnx/model.onnx").graph.initializer}
for name, w in weights.items():
    assert numpy.array_equal(w, stored[name]), name

made = {}
for path in sorted((folder / "onnx").glob("*.onnx")):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    r = numpy.random.default_rng(1)
    feed = {"z": r.standard_normal((5, *session.get_inputs()[0].shape[1:])).astype("float32")}
    if len(session.get_inputs()) > 1:
        feed["label"] = numpy.arange(5).reshape(5, 1)
    made[path.stem] = session.run(None, feed)[0]
plain = made["model"]
assert set(made) == {"model", "model_fp16", "model_int8"}, made.keys()
for name, allowed in (("model_fp16", 0.01), ("model_int8", 0.1)):
    assert abs(made[name] - plain).mean() < allowed and not numpy.array_equal(made[name], plain), name
print("read")
