"""Trains a GAN in Python with a step that gantrain has written:

    gantrain export --step --gan michelucci-dcgan --batch 64 -o step.onnx
    python3 train_step.py step.onnx train-images-idx3-ubyte.gz 100 [train-labels-idx1-ubyte.gz]

The pictures are an IDX file such as MNIST's, gzipped or plain, or a .npy array
of bytes [N, H, W] or [N, C, H, W]; for a GAN of points, one of numbers [N, 2].
The labels, [N], are such a file too; only the step of a conditional GAN wants
them. The step's own notes say what each of its inputs is; step.safetensors
holds the weights to start from. Needs numpy, onnxruntime and safetensors.
Prints the losses.
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
    are those of the step, a batch after the other."""
    if note["kind"] == "real":
        batch = images[note["number"], : shape[0]].reshape(shape)
        if "min" not in note:  # no pictures
            return batch.astype("float32")
        return (note["min"] + batch * ((note["max"] - note["min"]) / 255)).astype("float32")
    if note["kind"] == "real_label":
        return labels[note["number"], : shape[0]].reshape(shape).astype("int64")
    if note["kind"] == "label":
        return random.integers(note["classes"], size=shape)
    if note["kind"] == "noise" and note["distribution"] == "uniform":
        return random.uniform(-1, 1, shape).astype("float32")
    if note["kind"] == "noise":
        return random.standard_normal(shape, "float32")
    if note["kind"] == "mask":
        return (random.random(shape, "float32") < note["keep"]).astype("uint8")
    t = step * note["per_step"] + note["number"]  # updates of the network, this one included
    if note["kind"] == "share":  # of new weights in their running average, which warms up
        return np.array(1 - min(note["decay"], t / (9 + t)), "float32")
    # Adam's bias correction.
    beta1, beta2 = (float(np.float32(note[beta])) for beta in ("beta1", "beta2"))
    return np.array(note["rate"] * (1 - beta2**t) ** 0.5 / (1 - beta1**t), "float32")


def train(model, images, steps, labels=None):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    about = {i.name: json.loads(notes["gan.input." + i.name]) for i in session.get_inputs()}
    state = load_file(model.removesuffix(".onnx") + ".safetensors")
    if labels is None and any(note["kind"] == "real_label" for note in about.values()):
        sys.exit(f"{model}: the step of a conditional GAN: want a file of labels as well")
    random, first = np.random.default_rng(1), int(notes["gan.step"])
    sizes = [(1 + about[i.name]["number"], i.shape[0]) for i in session.get_inputs() if about[i.name]["kind"] == "real"]
    batches = [max(n) for n in zip(*sizes)]  # of a step, of how many pictures
    for step in range(first, first + steps):
        chosen = random.integers(len(images), size=batches)
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
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    train(sys.argv[1], read_bytes(sys.argv[2]), int(sys.argv[3]), *map(read_bytes, sys.argv[4:]))
