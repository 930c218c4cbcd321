"""Draws 64 digits: python3 digits.py generator.onnx digits.png [SEED]"""

import sys
from statistics import NormalDist

import numpy as np
import onnxruntime
from PIL import Image


def noise(seed, image, size):
    """The latent vector of a picture, as `ganinfer generate` draws it."""
    words = np.random.Philox(key=[seed, 0], counter=[0, 0, image, 0]).random_raw(size)
    return [NormalDist().inv_cdf(u) for u in ((words >> np.uint64(12)) + 0.5) * 2.0**-52]


model, out, seed = sys.argv[1], sys.argv[2], int((sys.argv + ["1"])[3])
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
size = session.get_inputs()[0].shape[1]
z = np.array([noise(seed, i, size) for i in range(64)], "float32")
images = session.run(["image"], {"z": z})[0]  # [64, 1, 28, 28] in [-1, 1]

levels = np.floor((images[:, 0] + 1) * 127.5 + 0.5).astype("uint8")
large = levels.repeat(2, 1).repeat(2, 2)  # each pixel a square of four
framed = np.pad(large, ((0, 0), (2, 0), (2, 0)), constant_values=128)
grid = np.block([list(framed[row : row + 8]) for row in range(0, 64, 8)])
Image.fromarray(np.pad(grid, ((0, 2), (0, 2)), constant_values=128)).save(out)
