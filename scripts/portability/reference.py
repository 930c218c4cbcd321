"""Draws inputs for a model, at batches of 1 and 5, and keeps what onnxruntime says:

    reference.py model.onnx FOLDER

writes FOLDER/1/in/POSITION.NAME.TYPE.DIMxDIM and FOLDER/1/out, raw values, as
adapters.py says, and the same of 5.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime

model, folder = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
classes = int(session.get_modelmeta().custom_metadata_map.get("gan.classes", 0))
random = np.random.default_rng(1)
for batch in (1, 5):
    place = Path(folder, str(batch))
    shutil.rmtree(place / "in", ignore_errors=True)
    (place / "in").mkdir(parents=True)
    feed = {}
    for i, x in enumerate(session.get_inputs()):
        shape = [batch, *x.shape[1:]]
        if x.type == "tensor(int64)":
            value = random.integers(classes, size=shape)
        elif x.name == "z":
            value = random.standard_normal(shape, "float32")
        else:
            value = random.uniform(-1, 1, shape).astype("float32")
        value.tofile(place / "in" / f"{i}.{x.name}.{value.dtype}.{'x'.join(map(str, shape))}")
        feed[x.name] = value
    (place / "out").write_bytes(b"".join(y.tobytes() for y in session.run(None, feed)))
