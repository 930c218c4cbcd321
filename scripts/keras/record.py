"""Records training steps of the published GANs in Keras, for 'gantrain parity'.

    python record.py FOLDER --divisor 24

writes FOLDER/training/GAN.npz (where the steps start, what they are fed, their
losses, where they end) and FOLDER/training.json (settings, tolerances). README.md
beside the recordings, in train/keras/testdata, says what the arrays are.

    python record.py FOLDER --start OTHER

takes starts and batches from the recordings of OTHER instead of drawing them.
Packages: requirements-tf.txt beside this file.
"""

import argparse
import json
import os
import pathlib

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--gan", action="append", help="record this GAN alone; may be repeated")
parser.add_argument("--divisor", type=int, default=4, help="narrow the hidden layers (default: %(default)s)")
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--start", type=pathlib.Path, metavar="OTHER")
args = parser.parse_args()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras.ops import binary_crossentropy, concatenate

import networks


class Masked(keras.layers.Layer):
    """Dropout by the masks of Masked.of, one layer after the other."""

    of = iter(())

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def call(self, x, training=False):
        if not training:
            return x
        mask = tf.reshape(tf.cast(next(Masked.of), x.dtype), tf.shape(x))
        return x * mask / (1 - self.rate)


class Kept(keras.layers.Layer):
    """Dropout that drops nothing."""

    def __init__(self, _):
        super().__init__()

    def call(self, x):
        return x


class Run:
    """A GAN under training, in the floats that Keras is set to."""

    def __init__(self, gan, start, batch, settings, adam):
        options = {"drop": Kept if settings.get("dropout") == "none" else Masked} if RATES.get(gan) else {}
        norm = {"norm": settings["bn"]} if "bn" in settings else {}
        self.g = networks.build(gan, "G", args.divisor, **norm)
        self.d = networks.build(gan, "D", args.divisor, **options)
        for name, weight in self.weights():
            weight.assign(start[name])
        self.batch, self.step = batch, 0
        # Gradients of an embedding are made dense, and Adam adds up the rows of a
        # label that repeats, unless the variant is about just that.
        self.dense = not settings.get("sparse")
        self.optimiser = {}
        for net in "GD":
            rate, beta, epsilon = adam[net]
            self.optimiser[net] = keras.optimizers.Adam(rate, beta_1=beta, beta_2=0.999, epsilon=epsilon)

    def weights(self):
        for net, model in ("G", self.g), ("D", self.d):
            for layer in model.layers:
                for weight in layer.weights:
                    yield f"{net}.{layer.name}.{weight.name}", weight

    def fed(self, name, rows=None):
        value = self.batch[name][self.step][:rows]
        return tf.constant(value.astype(keras.config.floatx()))

    def judge(self, passes, x, *labels, rows=None):
        """What D makes of x in training; passes name its dropout masks, which are
        joined if there are several."""
        masks = []
        for j in range(1, 3):
            of = [self.batch[f"mask{j}_{p}"][self.step][:rows] for p in passes if f"mask{j}_{p}" in self.batch]
            if of:
                masks.append(np.concatenate(of))
        Masked.of = iter(masks)
        out = self.d([x, *labels] if labels else x, training=True)
        return out[1] if isinstance(out, (list, tuple)) else out  # the logit, where there are two

    def gradient(self, tape, net, loss):
        """A tape's gradient of a loss by a network's weights, to be applied."""
        weights = (self.g if net == "G" else self.d).trainable_variables
        gradients = tape.gradient(loss, weights)
        if self.dense:
            gradients = [tf.convert_to_tensor(g) for g in gradients]
        return lambda: self.optimiser[net].apply(gradients, weights)

    def update(self, net, loss):
        """Trains a network by what loss() returns, which is that before the update."""
        with tf.GradientTape() as tape:
            value = loss()
        self.gradient(tape, net, value)()
        return float(value)


def cost(target, out, logits=False):
    target = tf.fill(tf.shape(out), tf.constant(target, out.dtype)) if np.isscalar(target) else target
    return tf.reduce_mean(binary_crossentropy(target, out, from_logits=logits))


def michelucci_dcgan(r):
    z, real = r.fed("z"), r.fed("real")
    with tf.GradientTape(persistent=True) as tape:
        fake = r.g(z, training=True)
        of_real, of_fake = r.judge(["real"], real), r.judge(["fake"], fake)
        g_loss = cost(1, of_fake, logits=True)
        d_loss = cost(1, of_real, logits=True) + cost(0, of_fake, logits=True)
    updates = r.gradient(tape, "G", g_loss), r.gradient(tape, "D", d_loss)
    for apply in updates:
        apply()
    return float(d_loss), float(g_loss)


def michelucci_cgan_half(r):
    n = args.batch // 2
    real, of_real = r.fed("real", n), r.fed("labels_real", n)
    d_real = r.update("D", lambda: cost(1, r.judge(["real"], real, of_real, rows=n)))
    label = r.fed("labels_d", n)
    fake = r.g([r.fed("z_d", n), label], training=False)
    d_fake = r.update("D", lambda: cost(0, r.judge(["fake"], fake, label, rows=n)))
    return [d_real, d_fake], michelucci_cgan_generator(r)


def michelucci_cgan_sum(r):
    label = r.fed("labels_d")
    fake = r.g([r.fed("z_d"), label], training=False)
    d_loss = r.update("D", lambda: cost(1, r.judge(["real"], r.fed("real"), r.fed("labels_real")))
                      + cost(0, r.judge(["fake"], fake, label)))
    return d_loss, michelucci_cgan_generator(r)


def michelucci_cgan_generator(r):
    z, label = r.fed("z_g"), r.fed("labels_g")
    return r.update("G", lambda: cost(1, r.judge(["g"], r.g([z, label], training=True), label)))


def joined(real_label):
    """D on real and predicted images in one batch, then G on noise of its own."""
    def step(r):
        real = r.fed("real")
        both = concatenate([real, r.g(r.fed("z_d"), training=False)])
        target = tf.constant(np.repeat([real_label, 0], len(real))[:, None].astype(keras.config.floatx()))
        d_loss = r.update("D", lambda: cost(target, r.judge(["real", "fake"], both)))
        return d_loss, r.update("G", lambda: cost(1, r.judge(["g"], r.g(r.fed("z_g"), training=True))))
    return step


def silva_dcgan(r):
    z = r.fed("z")

    def d_loss():
        fake = r.g(z, training=True)
        of_real = cost(0.9, r.judge([], r.fed("real")), logits=True)
        return of_real + cost(0, r.judge([], fake), logits=True)

    def g_loss():
        return cost(1, r.judge([], r.g(z, training=True)), logits=True)

    return r.update("D", d_loss), [r.update("G", g_loss), r.update("G", g_loss)]


def fredriksson_2d(r):
    z, epsilon = r.fed("z"), 1e-12

    def d_loss():
        p, q = r.judge([], r.fed("real")), r.judge([], r.g(z, training=True))
        return tf.reduce_mean(-(tf.math.log(p + epsilon) + tf.math.log(1 - q + epsilon)))

    def g_loss():
        return tf.reduce_mean(-tf.math.log(r.judge([], r.g(z, training=True)) + epsilon))

    return r.update("D", d_loss), r.update("G", g_loss)


SLOW, USUAL, DEFAULT = (1e-4, 0.9, 1e-7), (2e-4, 0.5, 1e-7), (1e-3, 0.9, 1e-7)
RATES = {"michelucci-dcgan": [0.3, 0.3], "michelucci-cgan": [0.4], "guo-mlp": [0.3, 0.3]}  # of dropout
MASKS = {"michelucci-dcgan": ["real", "fake"], "michelucci-cgan": ["real", "fake", "g"], "guo-mlp": ["real", "fake", "g"]}

# For each GAN and variant: its settings, its step, Adam of G and of D.
VARIANTS = {
    "michelucci-dcgan": {
        "main": ({"dropout": "mask"}, michelucci_dcgan, SLOW, SLOW),
        "nodrop": ({"dropout": "none"}, michelucci_dcgan, SLOW, SLOW),
    },
    "michelucci-cgan": {
        "main": ({"dropout": "mask", "recipe": "half"}, michelucci_cgan_half, USUAL, USUAL),
        "nodrop": ({"dropout": "none", "recipe": "half"}, michelucci_cgan_half, USUAL, USUAL),
        "sum": ({"dropout": "mask", "recipe": "sum"}, michelucci_cgan_sum, USUAL, USUAL),
        "tfsparse": ({"dropout": "none", "recipe": "half", "sparse": True}, michelucci_cgan_half, USUAL, USUAL),
    },
    "guo-mlp": {
        "main": ({"dropout": "mask", "g_lr": 1e-3, "g_b1": 0.9}, joined(0.9), DEFAULT, USUAL),
        "nodrop": ({"dropout": "none", "g_lr": 1e-3, "g_b1": 0.9}, joined(0.9), DEFAULT, USUAL),
        "both2e4": ({"dropout": "mask", "g_lr": 2e-4, "g_b1": 0.5}, joined(0.9), USUAL, USUAL),
    },
    "silva-dcgan": {"main": ({}, silva_dcgan, (2e-4, 0.5, 1e-8), (2e-4, 0.5, 1e-8))},
    "fredriksson-2d": {"main": ({}, fredriksson_2d, (1e-3, 0.9, 1e-8), (1e-3, 0.9, 1e-8))},
    "intro-mlp": {
        "main": ({"bn": True}, joined(1), USUAL, USUAL),
        "nobn": ({"bn": False}, joined(1), USUAL, USUAL),
    },
}


def pictures(rng, *shape):
    """Smooth spots on the grid of 256 values, in [-1, 1]."""
    count, (height, width, channels) = int(np.prod(shape[:-3])), shape[-3:]
    y, x = np.mgrid[:height, :width]
    out = np.empty((count, height, width, channels))
    for picture in out:
        for c in range(channels):
            at, size = rng.uniform(0.2, 0.8, 2) * (height, width), rng.uniform(2, 6)
            picture[..., c] = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * size**2))
    return (np.rint(out * 255) / 127.5 - 1).reshape(shape).astype("f")


def draw(gan, g, d, rng):
    """What the steps of a GAN are fed."""
    n = args.steps, args.batch
    latent, image = g.inputs[0].shape[1], tuple(d.inputs[0].shape[1:])
    batch = {}
    if gan == "fredriksson-2d":
        x = rng.uniform(-5, 5, n)
        batch["real"] = np.stack([x, x**2 + 5], axis=-1).astype("f")
    elif len(image) == 1:
        batch["real"] = pictures(rng, *n, 28, 28, 1).reshape(*n, -1)
    else:
        batch["real"] = pictures(rng, *n, *image)
    own = gan in ("guo-mlp", "intro-mlp", "michelucci-cgan")  # noise for either network
    for name in ["z_d", "z_g"] if own else ["z"]:
        uniform = gan == "silva-dcgan"
        batch[name] = (rng.uniform(-1, 1, (*n, latent)) if uniform else rng.standard_normal((*n, latent))).astype("f")
    if gan == "michelucci-cgan":
        for name in "labels_real", "labels_d", "labels_g":
            batch[name] = rng.integers(0, 10, (*n, 1)).astype("f")
    shapes = [layer.output.shape[1:] for layer in d.layers if isinstance(layer, keras.layers.Dropout)]
    for j, (rate, shape) in enumerate(zip(RATES.get(gan, []), shapes, strict=True), start=1):
        for name in MASKS[gan]:
            batch[f"mask{j}_{name}"] = (rng.random((*n, *shape)) >= rate).astype("u1")
    return batch


def first(gan, rng):
    """Where the steps start, and what they are fed."""
    if args.start:
        with np.load(args.start / "training" / f"{gan}.npz") as file:
            cut = {part: {k.removeprefix(part): file[k] for k in file if k.startswith(part)} for part in ("init.", "batch.")}
        return cut["init."], cut["batch."]
    keras.config.set_floatx("float32")
    start, nets = {}, {}
    for net in "GD":
        nets[net] = networks.build(gan, net, args.divisor)
        networks.perturb(nets[net], rng)
        start |= {f"{net}.{layer.name}.{w.name}": w.numpy() for layer in nets[net].layers for w in layer.weights}
    return start, draw(gan, nets["G"], nets["D"], rng)


def record(gan):
    keras.utils.set_random_seed(args.seed)
    start, batch = first(gan, np.random.default_rng(args.seed))
    arrays = {f"init.{k}": v for k, v in start.items()} | {f"batch.{k}": v for k, v in batch.items()}
    about = {}
    for variant, (settings, step, g_adam, d_adam) in VARIANTS[gan].items():
        losses, ends = {}, {}
        for floats in "float32", "float64":
            keras.config.set_floatx(floats)
            run = Run(gan, start, batch, settings, {"G": g_adam, "D": d_adam})
            losses[floats] = []
            for run.step in range(args.steps):
                losses[floats].append(step(run))
            ends[floats] = {name: weight.numpy() for name, weight in run.weights()}
        for i, name in enumerate(["d_loss", "g_loss"]):
            for floats, suffix in ("float32", ""), ("float64", "64"):
                arrays[f"{variant}.{name}{suffix}"] = np.array([pair[i] for pair in losses[floats]])
        noise = {name: float(np.abs(end - ends["float32"][name]).max()) for name, end in ends["float64"].items()}
        for name, end in ends["float64"].items():
            if not settings.get("sparse") or name.endswith(".embeddings"):
                arrays[f"{variant}.final64.{name}"] = end.astype("f")
        about[variant] = {
            "settings": settings,
            "loss_noise32": max(float(np.abs(arrays[f"{variant}.{n}64"] - arrays[f"{variant}.{n}"]).max())
                                for n in ("d_loss", "g_loss")),
            "suggested_weight_tol": {name: max(5e-6, 20 * value) for name, value in noise.items()},
        }
        print(f"{gan} {variant}: losses end at {losses['float64'][-1]}", flush=True)
    np.savez_compressed(args.folder / "training" / f"{gan}.npz", **arrays)
    return about


if args.start:
    about = json.loads((args.start / "training.json").read_text())
    args.divisor, args.steps, args.batch = about["width_divisor"], about["steps"], about["batch"]
(args.folder / "training").mkdir(parents=True, exist_ok=True)
archs = {gan: record(gan) for gan in args.gan or networks.NETWORKS}
about = {"keras": keras.__version__, "tensorflow": tf.__version__, "seed": args.seed, "width_divisor": args.divisor,
         "steps": args.steps, "batch": args.batch, "archs": archs}
(args.folder / "training.json").write_text(json.dumps(about, indent=1) + "\n")
