"""Trains a GAN in Python with a step that gantrain has written:

    gantrain export --step --gan michelucci-dcgan --batch 64 -o step.onnx
    python3 train_step.py step.onnx train-images-idx3-ubyte.gz 100 [train-labels-idx1-ubyte.gz]

The pictures are an IDX file such as MNIST's, gzipped or plain, or a .npy array
of bytes [N, H, W] or [N, C, H, W]; so are the labels, [N], which only the step
of a conditional GAN wants. The step's own notes say what each of its inputs is;
step.safetensors holds the weights to start from. Needs numpy, onnxruntime and
safetensors. Prints the losses.
"""

import gzip
import json
import sys

import numpy as np
import onnxruntime
from safetensors.numpy import load_file


def read_bytes(path):
    if path.endswith(".npy"):
        return np.load(path)
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        rank = f.read(4)[3]
        shape = np.frombuffer(f.read(4 * rank), ">u4")
        return np.frombuffer(f.read(), "uint8").reshape(shape)


def fill(note, shape, step, images, labels, random):
    """An input of a step, counted from 0, that is not state; images and labels
    are those of the step."""
    if note["kind"] == "real":
        batch = images[: shape[0]].reshape(shape)
        return (note["min"] + batch * ((note["max"] - note["min"]) / 255)).astype("float32")
    if note["kind"] == "real_label":
        return labels[: shape[0]].reshape(shape).astype("int64")
    if note["kind"] == "label":
        return random.integers(note["classes"], size=shape)
    if note["kind"] == "noise" and note["distribution"] == "uniform":
        return random.uniform(-1, 1, shape).astype("float32")
    if note["kind"] == "noise":
        return random.standard_normal(shape, "float32")
    if note["kind"] == "mask":
        return (random.random(shape, "float32") < note["keep"]).astype("uint8")
    t = step * note["per_step"] + note["number"]  # Adam's bias correction
    return np.array(note["rate"] * (1 - note["beta2"] ** t) ** 0.5 / (1 - note["beta1"] ** t), "float32")


def train(model, images, steps, labels=None):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    about = {i.name: json.loads(notes["gan.input." + i.name]) for i in session.get_inputs()}
    state = load_file(model.removesuffix(".onnx") + ".safetensors")
    random, first = np.random.default_rng(1), int(notes["gan.step"])
    batch = max(i.shape[0] for i in session.get_inputs() if about[i.name]["kind"] == "real")
    for step in range(first, first + steps):
        chosen = random.integers(len(images), size=batch)
        real = images[chosen], None if labels is None else labels[chosen]
        feed = {
            i.name: state[i.name] if i.name in state else fill(about[i.name], i.shape, step, *real, random)
            for i in session.get_inputs()
        }
        results = {o.name: v for o, v in zip(session.get_outputs(), session.run(None, feed))}
        state |= {name.removesuffix(".new"): v for name, v in results.items() if name.endswith(".new")}
        print(step + 1, *(v for name, v in results.items() if name.startswith("loss/")))
    return state  # safetensors.numpy.save_file keeps it


if __name__ == "__main__":
    train(sys.argv[1], read_bytes(sys.argv[2]), int(sys.argv[3]), *map(read_bytes, sys.argv[4:]))
