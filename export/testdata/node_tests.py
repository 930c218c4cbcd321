"""Prints ONNX's own tests of operators as JSON, for a test of ours.

    python export/testdata/node_tests.py Conv Gemm ...

Of each: its name, the operator, its attributes, and its inputs and expected
outputs with their bytes in base64. Only tests of a single node are taken.
"""

import base64
import importlib
import json
import re
import sys
import warnings
from pathlib import Path

import numpy
import onnx
import onnx.backend.test.case.node as cases
from onnx import numpy_helper

warnings.filterwarnings("ignore")


def collect(operators):
    """The tests in those modules that define the operators: importing makes them,
    and making all takes half a minute."""
    for path in sorted(Path(cases.__file__).parent.glob("*.py")):
        if set(re.findall(r"class (\w+)\(Base\)", path.read_text())) & set(operators):
            importlib.import_module(f"{cases.__name__}.{path.stem}")
    return [case for operator in operators for case in cases._NodeTestCases if case.model.graph.node[0].op_type == operator]


def array(v):
    if isinstance(v, onnx.TensorProto):
        v = numpy_helper.to_array(v)
    if not isinstance(v, (numpy.ndarray, numpy.generic)):
        return {"type": type(v).__name__}
    v = numpy.asarray(v)
    if v.dtype.kind not in "fiub" or v.dtype.name not in ("float32", "int64", "bool"):
        return {"type": v.dtype.name}
    raw = numpy.ascontiguousarray(v).tobytes()
    return {"type": v.dtype.name, "shape": list(v.shape), "data": base64.b64encode(raw).decode()}


def attribute(a):
    v = onnx.helper.get_attribute_value(a)
    if isinstance(v, bytes):
        return v.decode()
    return v if isinstance(v, (int, float)) else [x for x in v] if a.type == onnx.AttributeProto.INTS else repr(v)


def main(operators):
    tests = []
    for case in collect(operators):
        nodes = case.model.graph.node
        if len(nodes) != 1:
            continue
        inputs, outputs = case.data_sets[0]
        given = {v.name: array(x) for v, x in zip(case.model.graph.input, inputs)}
        tests.append(
            {
                "name": case.name.removeprefix("test_"),
                "operator": nodes[0].op_type,
                "attributes": {a.name: attribute(a) for a in nodes[0].attribute},
                "inputs": [given.get(name) for name in nodes[0].input],
                "outputs": [array(x) for x in outputs],
            }
        )
    json.dump(tests, sys.stdout)


main(sys.argv[1:])
