"""Exports the networks of the published GANs from Keras as ONNX, each with
inputs and with what Keras itself makes of them.

    python export.py FOLDER

writes FOLDER/models/GAN/G.onnx and D.onnx, G.in.*.npy, G.out.*.npy and
G.weights.npz beside them, and FOLDER/models.json, which says in which order. Weights, biases and
statistics of batch normalisation are moved away from their starts: what is left
at zero or one would hide a mistake (--fresh leaves it there). The same seed makes the same numbers.
Packages: requirements-tf.txt, or requirements-jax.txt with --backend jax, beside
this file.
"""

import argparse
import json
import os
import pathlib

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--gan", action="append", help="export this GAN alone; may be repeated")
parser.add_argument("--backend", choices=["tensorflow", "jax"], default="tensorflow")
parser.add_argument("--divisor", type=int, default=1, help="narrow the hidden layers (default: full width)")
parser.add_argument("--opset", type=int, help="ask Keras for this opset (default: Keras' own)")
parser.add_argument("--fresh", action="store_true", help="leave everything at its start, of which Keras exports only what is not zero")
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--batch", type=int, default=5)
args = parser.parse_args()
os.environ["KERAS_BACKEND"] = args.backend
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import onnx

import networks


def inputs(model, rng):
    """Pictures, latent vectors, points or labels, by the shape of an input."""
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        match shape:
            case (1,):
                yield "labels", rng.integers(0, 10, (args.batch, 1)).astype("f")
            case (_, _, _) | (784,):
                yield "images", rng.uniform(-1, 1, (args.batch, *shape)).astype("f")
            case _:
                yield "z", rng.standard_normal((args.batch, *shape)).astype("f")


def export(gan, net, model, rng):
    folder = args.folder / "models" / gan
    folder.mkdir(parents=True, exist_ok=True)
    if not args.fresh:
        networks.perturb(model, rng)
    given = list(inputs(model, rng))
    made = model([value for _, value in given] if len(given) > 1 else given[0][1], training=False)
    made = [np.asarray(x) for x in (made if isinstance(made, (list, tuple)) else [made])]
    outputs = list(zip(["probability", "logit"] if len(made) == 2 else ["out"], made))
    np.savez(folder / f"{net}.weights.npz", **{f"{layer.name}.{weight.name}": np.asarray(weight)
                                               for layer in model.layers for weight in layer.weights})
    options = {"opset_version": args.opset} if args.opset else {}
    model.export(folder / f"{net}.onnx", format="onnx", verbose=False, **options)
    graph = onnx.load(folder / f"{net}.onnx", load_external_data=False).graph
    entry = {"dir": f"models/{gan}", "net": net, "params": model.count_params()}
    for kind, arrays, names in ("inputs", given, graph.input), ("outputs", outputs, graph.output):
        entry[kind] = []
        for (name, value), port in zip(arrays, names, strict=True):
            file = f"{net}.{'in' if kind == 'inputs' else 'out'}.{name}.npy"
            np.save(folder / file, value)
            entry[kind].append({"onnx": port.name, "file": file, "shape": value.shape})
    return entry


rng = np.random.default_rng(args.seed)
keras.utils.set_random_seed(args.seed)
files = []
for gan in args.gan or networks.NETWORKS:
    for net in "GD":
        files.append(export(gan, net, networks.build(gan, net, args.divisor), rng))
        print(f"{gan} {net}: {files[-1]['params']} parameters", flush=True)
about = {"backend": args.backend, "keras": keras.__version__, "seed": args.seed, "width_divisor": args.divisor,
         "batch": args.batch, "files": files}
(args.folder / "models.json").write_text(json.dumps(about, indent=1) + "\n")
