"""What the scripts of all peers have in common.

A peer's script is run as

    python PEER.py GAN CONFIGURATION FOLDER check
    python PEER.py GAN CONFIGURATION FOLDER train SECONDS
    python PEER.py GAN CONFIGURATION FOLDER pictures BATCH SECONDS
    python PEER.py GAN CONFIGURATION FOLDER digits COUNT OUT

where FOLDER is what the command fixture wrote, and prints one line of JSON.
`check` repeats the fixture's steps with the fixture's noise, classes and masks,
and tells its losses. `train` times whole steps with those that the framework
draws itself. `pictures` times the generator, after holding it against the
fixture's pictures. `digits` draws a batch, writes it into the folder OUT as PNG
files, and prints nothing.

The script defines a class for each GAN that it trains. Its constructor takes
the configuration and the fixture, and it has

    real(feed)   -> real     a batch in the framework's own form
    replay(feed) -> losses   a step on what the fixture feeds
    step(real)   -> losses   a step with its own noise, classes and masks

and, where it makes pictures, a class Pictures for the DCGAN's generator with

    draw(n)      -> z        latent vectors [n, latent], as NumPy
    pictures(z)  -> images   [n, 1, 28, 28], as NumPy
"""

import copy
import dataclasses
import json
import math
import os
import platform
import struct
import sys
import time
import zlib

import numpy as np
from safetensors import safe_open

STEPS = 3  # in the fixture
WARM = 1.0  # seconds of steps after the first one that are not timed

LATENT = 100
CLASSES = 10


@dataclasses.dataclass(frozen=True)
class GAN:
    """What a GAN is beside the weights in its fixture and the order of its
    updates. Pictures are [C, H, W]."""

    batch: int
    adam: tuple[float, float, float, float]  # of both networks: rate, beta1, beta2, epsilon
    slope: float = 0.2  # of the LeakyReLUs
    relu: bool = False  # in the generator, instead of LeakyReLU
    drop: float = 0.3
    dropped: tuple[int, ...] = (1, 2)  # layers of the discriminator before dropout
    uniform: bool = False  # latent values in [-1, 1], else normal ones
    # Of convolutional networks: momentum and epsilon of their normalisation, the
    # stride of the first transposed convolution (that of all others is 2), the
    # generator's first picture, and the discriminator's last.
    norm: tuple[float, float] = (0.99, 1e-3)
    stride: int = 2
    first: tuple[int, int, int] = (0, 0, 0)
    last: tuple[int, int, int] = (0, 0, 0)


GANS = {
    "michelucci-dcgan": GAN(256, (1e-4, 0.9, 0.999, 1e-7), slope=0.3, stride=1, first=(256, 7, 7), last=(128, 7, 7)),
    "guo-mlp": GAN(128, (2e-4, 0.5, 0.999, 1e-7)),
    "silva-dcgan": GAN(128, (2e-4, 0.5, 0.999, 1e-8), relu=True, dropped=(), uniform=True,
                       norm=(0.9, 1e-5), first=(512, 4, 4), last=(256, 4, 4)),
    "michelucci-cgan": GAN(128, (2e-4, 0.5, 0.999, 1e-7), drop=0.4, dropped=(2,), first=(128, 7, 7), last=(128, 7, 7)),
}  # fmt: skip


def last(x):
    """[..., C, H, W] as [..., H, W, C]."""
    return np.ascontiguousarray(np.moveaxis(x, -3, -1))


class Fixture:
    """The arrays of one of a GAN's files, read when they are asked for, so that
    a timed process holds no more than it needs. Pictures are [N, C, H, W]."""

    def __init__(self, folder, name, suffix=""):
        self.gan = GANS[name]
        self.model = os.path.join(folder, name + ".onnx")
        self.file = safe_open(os.path.join(folder, name + suffix + ".safetensors"), "numpy")
        self.prefix = ""

    def __getitem__(self, name):
        x = self.file.get_tensor(self.prefix + name)
        return x.ravel().astype(np.int32) if name.startswith("label/") else x

    def feed(self, step):
        """What a step is fed, by name: real, noise/0, label/0, mask/..."""
        feed = copy.copy(self)
        feed.prefix = f"step/{step}/"
        return feed

    def state(self, network, turned=lambda x: x):
        """A network's weights and statistics by layer and name, such as
        dense1/weight. Where dense features are those of a picture, which may be
        turned, its channels come last; a class' picture has one."""
        prefix = network + "/"
        names = [n for n in self.file.keys() if n.startswith(prefix) and n[-2:] not in ("/m", "/v")]
        state = {n.removeprefix(prefix): self[n] for n in names}
        picture = self.gan.first if network == "generator" else self.gan.last
        order = lambda x, picture: last(turned(x.reshape(-1, *picture))).reshape(x.shape)
        for name, x in state.items():
            if name.startswith("condition1/dense1"):
                state[name] = order(x, (1, side(x), side(x)))
            elif x.shape[-1] == math.prod(picture):
                state[name] = order(x, picture)
            elif x.shape[0] == math.prod(picture):
                state[name] = order(x.T, picture).T
        return state


def side(x):
    """Of a square picture of one channel, the last axis of x."""
    return math.isqrt(x.shape[-1])


def dense_masks(feed):
    """What the two updates of the MLP GAN drop."""
    return [[feed[f"mask/{x}/dropout{i}"] for i in (1, 2)] for x in ("0/joined", "1/fake")]


def conv_masks(gan, feed):
    """What those of the conditional GAN drop, [N, C, H, W]."""
    masks = [feed[f"mask/{x}/dropout1"].reshape(-1, *gan.last) for x in ("0/real", "0/fake", "1/fake")]
    return [np.concatenate(masks[:2])], masks[2:]


def numbers(state, layer):
    """The numbers of a network's layers of a kind: 1, 2 and so on."""
    count = sum(n.startswith(layer) and n.endswith("/weight") for n in state)
    return range(1, count + 1)


def png(picture):
    """A PNG file of [H, W] in [-1, 1], in grey and, as ours are, not compressed."""
    grey = np.rint(127.5 * (picture + 1)).astype(np.uint8)
    lines = np.pad(grey, ((0, 0), (1, 0)))  # each begins with its filter, none
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">2I5B", *grey.shape[::-1], 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 0)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


def peak_mb():
    with open("/proc/self/status") as f:
        kb = next(line for line in f if line.startswith("VmHWM")).split()[1]
    return int(kb) / 1024


def timed(work, seconds):
    """Seconds of each call of work, after a warm-up, for about `seconds`."""
    end = time.perf_counter() + WARM
    while time.perf_counter() < end:
        work()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def main(gans, pictures, began, versions):
    """Runs a peer's script; began is when it began to import."""
    import_s = time.perf_counter() - began
    gan, configuration, folder, mode, *rest = sys.argv[1:]
    trains = mode in ("check", "train")
    fixture = Fixture(folder, gan, "" if trains else "-pictures")
    start = time.perf_counter()
    peer = (gans[gan] if trains else pictures)(configuration, fixture)
    build_s = time.perf_counter() - start
    if mode == "digits":
        for i, picture in enumerate(peer.pictures(peer.draw(int(rest[0])))):
            with open(os.path.join(rest[1], f"{i:06}.png"), "wb") as f:
                f.write(png(picture[0]))
        return

    out = {"gan": gan, "name": configuration, "provider": "cpu", "python": platform.python_version()} | versions
    if mode == "check":
        out["losses"] = [[float(x) for x in peer.replay(fixture.feed(t))] for t in range(STEPS)]
        out["want"], out["noise"] = fixture["losses"].tolist(), fixture["noise"].tolist()
        print(json.dumps(out))
        return

    if mode == "train":
        batch = fixture.gan.batch
        real = [peer.real(fixture.feed(t)) for t in range(STEPS)]
        turn = iter(range(sys.maxsize))
        work = lambda: [float(x) for x in peer.step(real[next(turn) % STEPS])]
    else:
        batch = int(rest.pop(0))
        got = peer.pictures(fixture["pictures/z"])
        out["difference"] = float(np.abs(got - fixture["pictures/image"]).max())
        work = lambda: peer.pictures(peer.draw(batch))
    start = time.perf_counter()
    work()
    first_step_s = time.perf_counter() - start
    times = timed(work, float(rest[0]))
    step_ms = 1000 * float(np.median(times))
    out |= {
        "batch": batch,
        "steps": len(times),
        "step_ms": step_ms,
        "images_per_s": 1000 * batch / step_ms,
        "peak_mb": peak_mb(),
        "import_s": import_s,
        "build_s": build_s,
        "first_step_s": first_step_s,
    }
    print(json.dumps(out))
