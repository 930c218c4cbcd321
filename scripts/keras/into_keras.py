"""Loads exported models of this toolkit into Keras and holds what Keras makes
of them against what ONNX Runtime does.

    python into_keras.py generator.onnx discriminator.onnx

takes models of the published GANs at full width. Every weight goes into the
Keras model of networks.py, and every weight of that is set. The exit code is 1
if an output differs by more than 1e-5 (times the largest value, where that is
above 1). Packages: requirements-tf.txt beside this file.
"""

import argparse
import os

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("models", nargs="+", metavar="MODEL.onnx")
parser.add_argument("--seed", type=int, default=1, help="of the inputs")
parser.add_argument("--batch", type=int, default=8)
args = parser.parse_args()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import networks

TOLERANCE = 1e-5
KINDS = {"dense": "dense", "conv": "conv2d", "deconv": "conv2d_transpose", "batchnorm": "batch_normalization",
         "embedding": "embedding"}
PARAMS = {"weight": "kernel", "bias": "bias", "gamma": "gamma", "beta": "beta", "mean": "moving_mean",
          "variance": "moving_variance"}

# Layers whose features become a picture of so many pixels a side, or, of the
# discriminators, come from one: [channels, height, width] in our files, [height,
# width, channels] in Keras. Pictures of one channel are alike.
PICTURES = {
    ("michelucci-dcgan", "generator"): (7, ["dense", "batch_normalization"]),
    ("michelucci-dcgan", "discriminator"): (7, ["dense"]),
    ("michelucci-cgan", "generator"): (7, ["dense_1"]),
    ("michelucci-cgan", "discriminator"): (7, ["dense_1"]),
    ("silva-dcgan", "generator"): (4, ["dense"]),
    ("silva-dcgan", "discriminator"): (4, ["dense"]),
}


def keras_names(layers):
    """Keras' names of our layers. It numbers the layers of a kind as they are
    made, those that a label goes through first."""
    names = {}
    count = dict.fromkeys(KINDS, 0)
    for layer in sorted(layers, key=lambda name: not name.startswith("condition")):  # stable
        kind = layer.rpartition("/")[2].rstrip("0123456789")
        names[layer] = KINDS[kind] + (f"_{count[kind]}" if count[kind] else "")
        count[kind] += 1
    return names


def to_keras(value, layer, param, gan, network):
    """An array of ours as Keras has it."""
    if value.ndim == 4:  # [out, in, height, width], a transposed one [in, out, height, width]
        return value.transpose(2, 3, 1, 0)
    side, layers = PICTURES.get((gan, network), (0, []))
    if layer not in layers or network == "discriminator" and param != "weight":
        return value
    axis = 0 if network == "discriminator" else value.ndim - 1
    shape = value.shape
    value = value.reshape(*shape[:axis], shape[axis] // side**2, side, side, *shape[axis + 1:])
    return np.moveaxis(value, axis, axis + 2).reshape(shape)


def load(path):
    """The Keras model that a file becomes."""
    model = onnx.load(path)
    about = {p.key: p.value for p in model.metadata_props}
    gan, network = about["gan.architecture"], about["gan.network"]
    if gan not in networks.NETWORKS or network not in ("generator", "discriminator"):
        raise SystemExit(f"{path}: a {network} of {gan}, which networks.py does not have")
    values = {}
    for initializer in model.graph.initializer:
        layer, _, param = initializer.name.removeprefix(network + "/").rpartition("/")
        if param in PARAMS:  # else a shape or an axis of an operator
            values.setdefault(layer, {})[param] = numpy_helper.to_array(initializer)
    keras_model = networks.build(gan, network[0].upper())
    left = {f"{layer.name}.{weight.name}": weight for layer in keras_model.layers for weight in layer.weights}
    names = keras_names(values)
    for layer, params in values.items():
        for param, value in params.items():
            name = names[layer]
            kind = "embeddings" if name.startswith("embedding") else PARAMS[param]
            left.pop(f"{name}.{kind}").assign(to_keras(value, name, param, gan, network))
    if left:
        raise SystemExit(f"{path}: nothing for {', '.join(left)}")
    return gan, network, keras_model


def draw(port, rng):
    """An input by its name in our files."""
    shape = [args.batch, *port.shape[1:]]
    match port.name:
        case "label":
            return rng.integers(0, 10, shape)
        case "image":
            return rng.uniform(-1, 1, shape).astype("f")
        case _:
            return rng.standard_normal(shape).astype("f")


def channels_last(x):
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x


def compare(path):
    gan, network, model = load(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(args.seed)
    ports = sorted(session.get_inputs(), key=lambda port: port.name == "label")  # as Keras has them
    feed = {port.name: draw(port, rng) for port in ports}
    ours = dict(zip([port.name for port in session.get_outputs()], session.run(None, feed)))
    given = [np.reshape(channels_last(feed[port.name]), (args.batch, *want.shape[1:]))
             for port, want in zip(ports, model.inputs, strict=True)]
    made = model([x.astype("f") for x in given] if len(given) > 1 else given[0], training=False)
    if isinstance(made, (list, tuple)):
        made = dict(zip(["probability", "logit"], made, strict=True))
    else:
        (name,) = ours
        made = {name: made}
    worst = 0.0
    for name, value in made.items():
        want = np.asarray(value)
        if np.ptp(want, axis=0).max() < 1e-3:
            raise SystemExit(f"{path}: its {name} is one for all inputs, which proves nothing")
        off = np.abs(channels_last(ours[name]).reshape(want.shape) - want).max() / max(1, np.abs(want).max())
        worst = max(worst, float(off)) if off == off else np.nan
    verdict = "holds" if worst <= TOLERANCE else "DEPARTS"
    print(f"{gan} {network} {verdict}: {', '.join(made)} of {args.batch} within {worst:.1e} of Keras", flush=True)
    return worst <= TOLERANCE


raise SystemExit(0 if all([compare(path) for path in args.models]) else 1)
