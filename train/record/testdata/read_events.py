"""Prints what TensorBoard's own reader finds in a file of events, as JSON.

Written for tensorboard 2.21.0.
"""

import hashlib
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0}).Reload()
tags = events.Tags()
json.dump(
    {
        "scalars": {t: [[e.step, e.wall_time, repr(e.value)] for e in events.Scalars(t)] for t in tags["scalars"]},
        "images": {
            t: [[e.step, e.width, e.height, hashlib.sha256(e.encoded_image_string).hexdigest()] for e in events.Images(t)]
            for t in tags["images"]
        },
    },
    sys.stdout,
)
