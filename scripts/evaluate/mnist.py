"""The digits of MNIST, from the files that the Go module has."""

import gzip
from pathlib import Path

import numpy as np


def load(folder, name):
    """The set `train` or `t10k`: pictures [n, 28, 28, 1] in [-1, 1], and labels."""
    pixels = values(folder, f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    return (pixels / 127.5 - 1).astype(np.float32), values(folder, f"{name}-labels-idx1-ubyte.gz", 8)


def values(folder, file, header):
    with gzip.open(Path(folder) / file) as f:
        return np.frombuffer(f.read(), np.uint8, offset=header)
