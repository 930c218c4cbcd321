"""What the scripts of all peers have in common.

A peer's script is run as

    python PEER.py GAN CONFIGURATION FOLDER check
    python PEER.py GAN CONFIGURATION FOLDER train SECONDS
    python PEER.py GAN CONFIGURATION FOLDER pictures BATCH SECONDS

where FOLDER is what the command fixture wrote, and prints one line of JSON.
`check` repeats the fixture's steps with the fixture's noise and masks, and
tells its losses. `train` times whole steps with noise and masks that the
framework draws itself. `pictures` times the generator, after holding it
against the fixture's pictures.

The script defines a class for each GAN that it trains. Its constructor takes
the configuration and the fixture, and it has

    images(x)    -> real     a batch [N, C, H, W] in the framework's own form
    replay(feed) -> losses   a step on what the fixture feeds
    step(real)   -> losses   a step with its own noise and masks

and, where it makes pictures, a class Pictures for the DCGAN's generator with

    draw(n)      -> z        latent vectors [n, latent], as NumPy
    pictures(z)  -> images   [n, 1, 28, 28], as NumPy
"""

import dataclasses
import json
import math
import os
import platform
import statistics
import sys
import time

import numpy as np
from safetensors import safe_open

STEPS = 3  # in the fixture
WARM = 1.0  # seconds of steps after the first one that are not timed

LATENT = 100


@dataclasses.dataclass(frozen=True)
class GAN:
    """What a GAN is beside the weights in its fixture and the order of its
    updates. Pictures are [C, H, W]."""

    batch: int
    adam: tuple[float, float, float, float]  # rate, beta1, beta2, epsilon
    slope: float = 0.2  # of the LeakyReLUs
    relu: bool = False  # in the generator, instead of LeakyReLU
    drop: float = 0.3
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
    "silva-dcgan": GAN(128, (2e-4, 0.5, 0.999, 1e-8), relu=True, drop=0, uniform=True,
                       norm=(0.9, 1e-5), first=(512, 4, 4), last=(256, 4, 4)),
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

    def __getitem__(self, name):
        return self.file.get_tensor(name)

    def feed(self, step):
        """What a step is fed, by name: real, noise/0, mask/..."""
        prefix = f"step/{step}/"
        return {n.removeprefix(prefix): self[n] for n in self.file.keys() if n.startswith(prefix)}

    def state(self, network, turned=lambda x: x):
        """A network's weights and statistics by layer and name, such as
        dense1/weight. Where dense features are those of a picture, which may be
        turned, its channels come last."""
        prefix = network + "/"
        names = [n for n in self.file.keys() if n.startswith(prefix) and n[-2:] not in ("/m", "/v")]
        state = {n.removeprefix(prefix): self[n] for n in names}
        picture = self.gan.first if network == "generator" else self.gan.last
        order = lambda x: last(turned(x.reshape(-1, *picture))).reshape(x.shape)
        for name, x in state.items():
            if x.shape[-1] == math.prod(picture):
                state[name] = order(x)
            elif x.shape[0] == math.prod(picture):
                state[name] = order(x.T).T
        return state


def numbers(state, layer):
    """The numbers of a network's layers of a kind: 1, 2 and so on."""
    count = sum(n.startswith(layer) and n.endswith("/weight") for n in state)
    return range(1, count + 1)


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
    gan, configuration, folder, mode = sys.argv[1:5]
    numbers = [float(x) for x in sys.argv[5:]]
    fixture = Fixture(folder, gan, "-pictures" if mode == "pictures" else "")
    start = time.perf_counter()
    peer = (pictures if mode == "pictures" else gans[gan])(configuration, fixture)
    build_s = time.perf_counter() - start
    out = {"gan": gan, "name": configuration, "provider": "cpu", "python": platform.python_version()} | versions
    if mode == "check":
        out["losses"] = [[float(x) for x in peer.replay(fixture.feed(t))] for t in range(STEPS)]
        out["want"], out["noise"] = fixture["losses"].tolist(), fixture["noise"].tolist()
        print(json.dumps(out))
        return

    if mode == "train":
        batch = fixture.gan.batch
        real = [peer.images(fixture[f"step/{t}/real"]) for t in range(STEPS)]
        turn = iter(range(sys.maxsize))
        work = lambda: [float(x) for x in peer.step(real[next(turn) % STEPS])]
    else:
        batch = int(numbers.pop(0))
        got = peer.pictures(fixture["pictures/z"])
        out["difference"] = float(np.abs(got - fixture["pictures/image"]).max())
        work = lambda: peer.pictures(peer.draw(batch))
    start = time.perf_counter()
    work()
    first_step_s = time.perf_counter() - start
    times = timed(work, numbers[0])
    step_ms = 1000 * statistics.median(times)
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
