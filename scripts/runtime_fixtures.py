"""Makes the models of runtime/testdata, by another writer than our own.

generator.onnx  z [batch, 4] -> image [batch, 1, 2, 2] = tanh(z W + b), with
                notes in its metadata
slow.onnx       x [16, 16] -> y: a loop of matrix products with 2**62 rounds

Made with onnx 1.23.2 and numpy 2.4.6; nothing in them is random.
Run from the repository's root: python3 scripts/runtime_fixtures.py
"""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def weight(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.array(values, dtype), name)


def write(name, graph, **notes):
    model = helper.make_model(
        graph,
        producer_name="runtime_fixtures.py",
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 15)],
    )
    helper.set_model_props(model, notes)
    checker.check_model(model, full_check=True)
    save(model, f"runtime/testdata/{name}.onnx")


def generator():
    w = (np.arange(16).reshape(4, 4) - 7.5) / 8
    return helper.make_graph(
        [
            helper.make_node("Gemm", ["z", "weight", "bias"], ["logits"]),
            helper.make_node("Tanh", ["logits"], ["flat"]),
            helper.make_node("Reshape", ["flat", "shape"], ["image"]),
        ],
        "generator",
        [helper.make_tensor_value_info("z", FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("image", FLOAT, ["batch", 1, 2, 2])],
        [
            weight("weight", w),
            weight("bias", [0.5, -0.5, 0.25, -0.25]),
            weight("shape", [0, 1, 2, 2], np.int64),
        ],
    )


def slow():
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "matrix"], ["next"]),
            helper.make_node("Identity", ["go_on"], ["still"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", INT64, []),
            helper.make_tensor_value_info("go_on", BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, [16, 16]),
        ],
        [
            helper.make_tensor_value_info("still", BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, [16, 16]),
        ],
    )
    return helper.make_graph(
        [helper.make_node("Loop", ["rounds", "", "x"], ["y"], body=body)],
        "slow",
        [helper.make_tensor_value_info("x", FLOAT, [16, 16])],
        [helper.make_tensor_value_info("y", FLOAT, [16, 16])],
        [weight("rounds", 2**62, np.int64), weight("matrix", np.eye(16))],
    )


write("generator", generator(), architecture="fixture", latent_size="4", value_range="-1 1")
write("slow", slow())
