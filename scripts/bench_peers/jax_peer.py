"""JAX: jax, the whole step in one jit that gives the state's buffers back."""

import time

began = time.perf_counter()

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import common
from common import CLASSES, LATENT, last, numbers, side

STATISTICS = ("mean", "variance")


def arrays(state):
    """A network's arrays. Both kinds of kernel become [H, W, I, O] of a
    convolution."""
    return {n: jnp.asarray(x.transpose(2, 3, 1, 0) if x.ndim == 4 else x) for n, x in state.items()}


def split(state):
    """Weights and running statistics."""
    moving = {n: x for n, x in state.items() if n.endswith(STATISTICS)}
    return {n: x for n, x in state.items() if n not in moving}, moving


def leaky(x, gan):
    return jnp.where(x >= 0, x, gan.slope * x)


def drop(x, gan, source):
    """source holds masks to take, or a key and how many draws it has had."""
    if isinstance(source, list):
        return x * (source.pop(0) / (1 - gan.drop))
    source["draws"] += 1
    keep = jax.random.bernoulli(jax.random.fold_in(source["key"], source["draws"]), 1 - gan.drop, x.shape)
    return jnp.where(keep, x / (1 - gan.drop), 0)


def normalise(x, gan, weights, moving, i, training=True):
    """Normalises, where there is a normalisation of that number: in training by a
    batch's statistics, which move the running ones."""
    name = f"batchnorm{i}"
    if f"{name}/gamma" not in weights:
        return x
    momentum, epsilon = gan.norm
    keys = [f"{name}/{statistic}" for statistic in STATISTICS]
    if training:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes)
        for key, value in zip(keys, (mean, variance)):
            moving[key] = momentum * moving[key] + (1 - momentum) * value
    else:
        mean, variance = (moving[key] for key in keys)
    return (x - mean) * (weights[f"{name}/gamma"] * lax.rsqrt(variance + epsilon)) + weights[f"{name}/beta"]


def affine(x, w, name, product=jnp.matmul):
    x = product(x, w[f"{name}/weight"])
    return x + w[f"{name}/bias"] if f"{name}/bias" in w else x


LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv(stride, x, weight):
    return lax.conv_general_dilated(x, weight, (stride, stride), "SAME", dimension_numbers=LAYOUT)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def deconv(stride, x, weight):
    return lax.conv_transpose(x, weight, (stride, stride), "SAME", dimension_numbers=LAYOUT, transpose_kernel=True)


def deconv_gradients(stride, operands, g):
    """Those of the convolution that deconv transposes. JAX' own weight gradient
    is a convolution over x with gaps, for which XLA has plain loops only: a step
    of the DCGAN takes four times as long."""
    x, weight = operands
    at_x, pull = jax.vjp(functools.partial(conv, stride, g), weight)
    return at_x, *pull(x)


deconv.defvjp(lambda stride, x, weight: (deconv(stride, x, weight), (x, weight)), deconv_gradients)


def condition(w, x, label):
    """Joins to a picture its class, as a channel, where the network wants it."""
    if "condition1/dense1/weight" not in w:
        return x
    made = affine(w["condition1/embedding1/weight"][label], w, "condition1/dense1")
    return jnp.concatenate([x, made.reshape(-1, side(made), side(made), 1)], -1)


def conv_generator(gan, w, moving, z, label=None, training=True):
    """Images, and the running statistics after them."""
    moving = dict(moving)
    norm = functools.partial(normalise, gan=gan, weights=w, moving=moving, training=training)
    active = jax.nn.relu if gan.relu else functools.partial(leaky, gan=gan)
    channels, height, width = gan.first
    picture = (-1, height, width, channels)
    h = affine(z, w, "dense1")
    if "batchnorm1/gamma" not in w or w["batchnorm1/gamma"].size == channels:  # else it normalises dense features
        h = h.reshape(picture)
    h = condition(w, active(norm(h, i=1)).reshape(picture), label)
    layers = [(f"deconv{i}", functools.partial(deconv, gan.stride if i == 1 else 2)) for i in numbers(w, "deconv")]
    layers += [(f"conv{i}", functools.partial(conv, 1)) for i in numbers(w, "conv")]
    for i, (name, product) in enumerate(layers[:-1], 2):
        h = active(norm(affine(h, w, name, product), i=i))
    name, product = layers[-1]
    return jnp.tanh(affine(h, w, name, product)), moving


def conv_discriminator(gan, w, moving, x, source=None, label=None):
    """Logits, and the running statistics after them."""
    moving = dict(moving)
    x = condition(w, x, label)
    for i in numbers(w, "conv"):
        x = affine(x, w, f"conv{i}", functools.partial(conv, 2))
        x = leaky(normalise(x, gan, w, moving, i - 1), gan)
        if i in gan.dropped:
            x = drop(x, gan, source)
    return affine(x.reshape(x.shape[0], -1), w, "dense1"), moving


def dense_network(gan, w, x, source=None):
    """Either network of the MLP GAN, the generator without dropout."""
    for i in numbers(w, "dense"):
        x = affine(x, w, f"dense{i}")
        if i < 4:
            x = leaky(x, gan)
        if source is not None and i in gan.dropped:
            x = drop(x, gan, source)
    return x


def cross_entropy(logits, label):
    return (jax.nn.softplus(logits) - label * logits).mean()


def adam(gan, t, weights, moments, gradients):
    rate, beta1, beta2, epsilon = gan.adam
    rate = rate * jnp.sqrt(1 - beta2**t) / (1 - beta1**t)
    new, new_moments = {}, {}
    for n, g in gradients.items():
        m, v = moments[n]
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        new[n], new_moments[n] = weights[n] - rate * m / (jnp.sqrt(v) + epsilon), (m, v)
    return new, new_moments


class Peer:
    def __init__(self, configuration, fixture):
        self.gan = fixture.gan
        g, g_moving = split(arrays(fixture.state("generator")))
        d, d_moving = split(arrays(fixture.state("discriminator")))
        zeros = lambda w: {n: (jnp.zeros_like(x), jnp.zeros_like(x)) for n, x in w.items()}
        self.state = {"t": jnp.float32(0), "g": g, "d": d, "g_moving": g_moving, "d_moving": d_moving}
        self.state |= {"g_moments": zeros(g), "d_moments": zeros(d)}
        self.adam = functools.partial(adam, self.gan)
        # The quickest generator: the default one takes 5% longer for the whole MLP step.
        self.key = jax.random.key(1, impl="unsafe_rbg")

    @functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
    def drawn(self, state, real, key):
        key, z_key, mask_key = jax.random.split(key, 3)
        z = self.noise(z_key)
        masks = [{"key": k, "draws": 0} for k in jax.random.split(mask_key)]
        return *self.whole(state, real, z, masks), key

    @functools.partial(jax.jit, static_argnums=0)
    def given(self, state, real, z, masks):
        return self.whole(state, real, z, masks)

    def noise(self, key):
        draw = functools.partial(jax.random.uniform, minval=-1, maxval=1) if self.gan.uniform else jax.random.normal
        return draw(key, (2, self.gan.batch, LATENT))

    def step(self, real):
        self.state, losses, self.key = self.drawn(self.state, real, self.key)
        return losses

    def repeat(self, real, z, masks):
        self.state, losses = self.given(self.state, real, z, masks)
        return losses


class DCGAN(Peer):
    def real(self, feed):
        return jnp.asarray(last(feed["real"]))

    def whole(self, state, real, z, masks):
        def forward(g, d):
            fake, moving = conv_generator(self.gan, g, state["g_moving"], z[0])
            on_real, on_fake = (conv_discriminator(self.gan, d, {}, x, m)[0] for x, m in zip((real, fake), masks))
            return (on_real, on_fake), moving

        def loss_d(on_real, on_fake):
            return cross_entropy(on_real, 1) + cross_entropy(on_fake, 0)

        (on_real, on_fake), pull, moving = jax.vjp(forward, state["g"], state["d"], has_aux=True)
        value_d, at_d = jax.value_and_grad(loss_d, (0, 1))(on_real, on_fake)
        value_g, at_g = jax.value_and_grad(cross_entropy)(on_fake, 1.0)
        gradients_d = pull(at_d)[1]
        gradients_g = pull((jnp.zeros_like(on_real), at_g))[0]
        t = state["t"] + 1
        d, d_moments = self.adam(t, state["d"], state["d_moments"], gradients_d)
        g, g_moments = self.adam(t, state["g"], state["g_moments"], gradients_g)
        new = {"t": t, "g": g, "d": d, "g_moving": moving, "g_moments": g_moments, "d_moments": d_moments}
        return state | new, (value_d, value_g)

    def replay(self, feed):
        masks = [[last(feed[f"mask/all/{x}/dropout{i}"]) for i in (1, 2)] for x in ("real", "fake")]
        return self.repeat(self.real(feed), feed["noise/0"][None], masks)


class Silva(DCGAN):
    def whole(self, state, real, z, masks=None):
        judge = functools.partial(conv_discriminator, self.gan)

        def loss_d(d, g, g_moving, moving):
            fake, g_moving = conv_generator(self.gan, g, g_moving, z[0])
            on_real, moving = judge(d, moving, real)
            on_fake, moving = judge(d, moving, fake)
            return cross_entropy(on_real, 0.9) + cross_entropy(on_fake, 0), (g_moving, moving)

        def loss_g(g, d, g_moving, moving):
            fake, g_moving = conv_generator(self.gan, g, g_moving, z[0])
            on_fake, moving = judge(d, moving, fake)
            return cross_entropy(on_fake, 1), (g_moving, moving)

        t = state["t"] + 1
        g, g_moments, moving = state["g"], state["g_moments"], (state["g_moving"], state["d_moving"])
        (value_d, moving), gradients = jax.value_and_grad(loss_d, has_aux=True)(state["d"], g, *moving)
        d, d_moments = self.adam(t, state["d"], state["d_moments"], gradients)
        losses = [value_d]
        for turn in (2 * t - 1, 2 * t):
            (value_g, moving), gradients = jax.value_and_grad(loss_g, has_aux=True)(g, d, *moving)
            g, g_moments = self.adam(turn, g, g_moments, gradients)
            losses.append(value_g)
        new = {"t": t, "g": g, "d": d, "g_moving": moving[0], "d_moving": moving[1]}
        return new | {"g_moments": g_moments, "d_moments": d_moments}, losses

    def replay(self, feed):
        return self.repeat(self.real(feed), feed["noise/0"][None], None)


class MLP(Peer):
    """The discriminator on real and generated images joined, then the generator
    with noise of its own. There may be classes beside images and noise."""

    share = 0.5  # of each of the discriminator's two losses

    def generate(self, g, z):
        return jnp.tanh(dense_network(self.gan, g, z))

    def judge(self, d, x, masks):
        return dense_network(self.gan, d, x, masks)

    def whole(self, state, real, z, masks):
        def loss_d(d):
            fake = self.generate(state["g"], *z[0]), *z[0][1:]
            logits = self.judge(d, *map(jnp.concatenate, zip(real, fake)), masks=masks[0])
            n = self.gan.batch
            return self.share * (cross_entropy(logits[:n], 0.9) + cross_entropy(logits[n:], 0))

        def loss_g(g, d):
            return cross_entropy(self.judge(d, self.generate(g, *z[1]), *z[1][1:], masks=masks[1]), 1)

        t = state["t"] + 1
        value_d, gradients = jax.value_and_grad(loss_d)(state["d"])
        d, d_moments = self.adam(t, state["d"], state["d_moments"], gradients)
        value_g, gradients = jax.value_and_grad(loss_g)(state["g"], d)
        g, g_moments = self.adam(t, state["g"], state["g_moments"], gradients)
        new = {"t": t, "g": g, "d": d, "g_moments": g_moments, "d_moments": d_moments}
        return state | new, (value_d, value_g)

    def noise(self, key):
        return [(z,) for z in super().noise(key)]

    def real(self, feed):
        return (jnp.asarray(feed["real"].reshape(-1, 784)),)

    def replay(self, feed):
        z = [(feed[f"noise/{i}"],) for i in range(2)]
        return self.repeat(self.real(feed), z, common.dense_masks(feed))


class CGAN(MLP):
    share = 1

    def generate(self, g, z, label):
        return conv_generator(self.gan, g, {}, z, label)[0]

    def judge(self, d, x, label, masks):
        return conv_discriminator(self.gan, d, {}, x, masks, label)[0]

    def noise(self, key):
        key, label_key = jax.random.split(key)
        labels = jax.random.randint(label_key, (2, self.gan.batch), 0, CLASSES)
        return [(*z, label) for z, label in zip(super().noise(key), labels)]

    def real(self, feed):
        return jnp.asarray(last(feed["real"])), jnp.asarray(feed["label/real"])

    def replay(self, feed):
        z = [(feed[f"noise/{i}"], feed[f"label/{i}"]) for i in range(2)]
        masks = [[last(m) for m in masks] for masks in common.conv_masks(self.gan, feed)]
        return self.repeat(self.real(feed), z, masks)


class Pictures:
    def __init__(self, configuration, fixture):
        self.gan = fixture.gan
        self.generator = split(arrays(fixture.state("generator")))

    def draw(self, n):
        return np.asarray(jax.random.normal(jax.random.key(1), (n, LATENT)))

    @functools.partial(jax.jit, static_argnums=0)
    def generate(self, generator, z):
        return conv_generator(self.gan, *generator, z, training=False)[0]

    def pictures(self, z):
        return np.asarray(self.generate(self.generator, z)).reshape(-1, 1, 28, 28)


if __name__ == "__main__":
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP, "silva-dcgan": Silva, "michelucci-cgan": CGAN}, Pictures, began, {"jax": jax.__version__})
