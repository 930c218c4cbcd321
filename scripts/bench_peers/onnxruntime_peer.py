"""Python with onnxruntime, on the generator that we export: pictures only."""

import time

began = time.perf_counter()

import numpy as np
import onnxruntime

import common
from common import LATENT


class Pictures:
    def __init__(self, configuration, fixture):
        self.session = onnxruntime.InferenceSession(fixture.model, providers=["CPUExecutionProvider"])
        self.random = np.random.default_rng(1)

    def draw(self, n):
        return self.random.standard_normal((n, LATENT), np.float32)

    def pictures(self, z):
        return self.session.run(["image"], {"z": z})[0]


if __name__ == "__main__":
    common.main({}, Pictures, began, {"onnxruntime": onnxruntime.__version__})
