"""python3 check.py OURS THEIRS: reads OURS with Python's safetensors, writes
its arrays and metadata to THEIRS, and prints a digest of what it read."""
import hashlib
import json
import sys

from safetensors import safe_open
from safetensors.numpy import save_file

ours, theirs = sys.argv[1:]
with safe_open(ours, framework="numpy") as f:
    metadata = f.metadata()
    arrays = {name: f.get_tensor(name) for name in f.keys()}

# The checksum as the Go package describes it.
raw = open(ours, "rb").read()
blank = raw.replace(metadata["sha256"].encode(), b"0" * 64, 1)
sum_holds = hashlib.sha256(blank).hexdigest() == metadata.pop("sha256")

save_file(arrays, theirs, metadata)
print(json.dumps({
    "sum_holds": sum_holds,
    "metadata": metadata,
    "arrays": {
        name: {"type": str(a.dtype), "shape": list(a.shape), "hex": a.tobytes().hex()}
        for name, a in arrays.items()
    },
}))
