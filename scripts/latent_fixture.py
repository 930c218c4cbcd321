"""Makes runtime/latent/testdata/numpy.json, the values that package latent must
give again, from NumPy's Philox and SciPy's ndtri.

Made with numpy 2.4.6 and scipy 1.17.1; the seeds stand in CASES.
Run from the repository's root: python3 scripts/latent_fixture.py
"""

import json

import numpy as np
import scipy
from scipy.special import ndtri

LARGEST = 2**64 - 1

# seed, stream, image, number of components
CASES = [
    (0, 0, 0, 8),
    (1, 0, 0, 100),
    (1, 0, 7, 100),
    (1, 3, 7, 5),
    (42, 0, 999_999, 3),
    (2**53 + 1, 0, 2**40 + 1, 6),
    (LARGEST, LARGEST, LARGEST, 9),
]


def bits(a):
    """The bit patterns of a float32 array: JSON then holds them exactly."""
    return a.astype(np.float32).view(np.uint32).tolist()


def case(seed, stream, image, size):
    key = np.array([seed, stream], np.uint64)
    counter = np.array([0, 0, image, 0], np.uint64)
    words = np.random.Philox(key=key, counter=counter).random_raw(size)
    u = ((words >> np.uint64(12)) + 0.5) * 2.0**-52
    return {
        "seed": seed,
        "stream": stream,
        "image": image,
        "words": words.tolist(),
        "normal": bits(ndtri(u)),
        "uniform": bits(2 * u - 1),
    }


with open("runtime/latent/testdata/numpy.json", "w") as f:
    doc = {"numpy": np.__version__, "scipy": scipy.__version__}
    doc["cases"] = [case(*c) for c in CASES]
    text = json.dumps(doc)
    f.write(text.replace("{\"seed\"", "\n{\"seed\"") + "\n")
