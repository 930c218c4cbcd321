"""Runs a model in one of the runtimes for Python:

    adapters.py RUNTIME model.onnx (IN OUT)...

IN is a folder with a batch: a file for each input, called POSITION.NAME.TYPE.DIMxDIM, of
raw values. OUT is the file for the outputs, raw float32, one behind the other. A
runtime is a function here: it loads the model and returns a function from inputs
by name to the list of outputs.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np


def onnx_checker(path):
    """No runtime: the checker and strict shape inference."""
    import onnx

    onnx.checker.check_model(path, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True, data_prop=True)
    shapes = {v.name: v.type.tensor_type for v in (*inferred.graph.value_info, *inferred.graph.output)}
    for node in inferred.graph.node:
        for name in node.output:
            assert name in shapes and shapes[name].HasField("shape"), f"no shape for {name}"
    return lambda feed: []


def onnx_reference(path):
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(path)
    return lambda feed: session.run(None, feed)


def onnxruntime(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(None, feed)


def openvino(path):
    import openvino

    # The default on some CPUs is bfloat16.
    model = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda feed: model(feed).to_tuple()


def opencv(path):
    import cv2

    def run(feed):
        net = cv2.dnn.readNetFromONNX(path)  # anew, since OpenCV 4 answers wrongly at a second batch size
        for name, value in feed.items():
            net.setInput(value, name)
        return net.forward(net.getUnconnectedOutLayersNames())

    return run


def mnn(path):
    import MNN
    import onnx

    graph = onnx.load(path).graph
    converted = Path(path).with_suffix(".mnn")
    subprocess.run([Path(sys.executable).with_name("mnnconvert"), "-f", "ONNX", "--modelFile", path, "--MNNModel", converted, "--bizCode", "x"], check=True)
    names = [i.name for i in graph.input]
    net = MNN.nn.load_module_from_file(str(converted), names, [o.name for o in graph.output])

    def run(feed):
        values = []
        for name in names:
            x = feed[name].astype("int32") if feed[name].dtype == "int64" else feed[name]  # MNN has no int64
            values.append(MNN.expr.const(x, list(x.shape), MNN.expr.NCHW, MNN.numpy.int32 if x.dtype == "int32" else MNN.numpy.float32))
        return [MNN.expr.convert(y, MNN.expr.NCHW).read() for y in net.forward(values)]

    return run


def tvm(path):
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    machine = relax.VirtualMachine(relax.build(from_onnx(onnx.load(path)), "llvm"), tvm.cpu())

    def run(feed):
        return [y.numpy() for y in several(machine["main"](*(tvm.runtime.tensor(x) for x in feed.values())))]

    return run


def iree(path):
    import iree.compiler.tools as compiler
    import iree.runtime
    import onnx

    work = Path(path).with_suffix(".mlir")
    subprocess.run([Path(sys.executable).with_name("iree-import-onnx"), path, "-o", work], check=True)
    code = compiler.compile_file(str(work), target_backends=["llvm-cpu"], input_type="onnx", extra_args=["--iree-llvmcpu-target-cpu=host"])
    module = iree.runtime.load_vm_flatbuffer(code, driver="local-task")
    main = module[onnx.load(path).graph.name]
    return lambda feed: [y.to_host() for y in several(main(*feed.values()))]


def tinygrad(path):
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    def run(feed):
        session = OnnxRunner(path)  # anew, since it keeps the first batch size
        return [y.numpy() for y in session({k: Tensor(v) for k, v in feed.items()}).values()]

    return run


def onnx2torch(path):
    import onnx2torch
    import torch

    module = onnx2torch.convert(path).eval()

    def run(feed):
        with torch.no_grad():
            return [y.numpy() for y in several(module(*map(torch.from_numpy, feed.values())))]

    return run


def jaxonnxruntime(path):
    import onnx
    from jaxonnxruntime import call_onnx

    model = onnx.load(path)

    def run(feed):
        call, weights = call_onnx.call_onnx_model(model, feed)  # for these shapes
        return call(weights, feed)

    return run


def several(outputs):
    """A list, where a runtime returns a single output as it is."""
    return [outputs] if hasattr(outputs, "shape") else list(outputs)


def read(folder):
    """The inputs of a batch in the order of the model's, which is that of the files' names."""
    feed = {}
    for f in sorted(Path(folder).iterdir()):
        _, name, kind, shape = f.name.split(".")
        feed[name] = np.fromfile(f, kind).reshape([int(n) for n in shape.split("x")])
    return feed


if __name__ == "__main__":
    runtime, model, *files = sys.argv[1:]
    session = globals()[runtime](model)
    for folder, out in zip(files[::2], files[1::2]):
        Path(out).write_bytes(b"".join(np.ascontiguousarray(y, "float32").tobytes() for y in session(read(folder))))
