"""Makes svhn.mat and svhn_plain.mat: four pictures of 2x3 with labels, as
MATLAB files written by SciPy (scipy 1.17.1, numpy 2.4.6), deflated and not.

python3 svhn.py
"""
import numpy
from scipy.io import savemat

y, x, channel, picture = numpy.indices((2, 3, 3, 4))
arrays = {
    "X": (100 * picture + 30 * channel + 10 * y + x).astype(numpy.uint8),
    "y": numpy.array([[1], [9], [10], [2]], numpy.uint8),
}
for name, compress in (("svhn", True), ("svhn_plain", False)):
    savemat(f"{name}.mat", arrays, do_compression=compress)
    # SciPy puts a clock time and the platform into the header's text.
    with open(f"{name}.mat", "r+b") as f:
        f.write(b"MATLAB 5.0 MAT-file".ljust(116))
