"""JAX: jax, the whole step in one jit that gives the state's buffers back."""

import time

began = time.perf_counter()

import functools

import jax
import jax.numpy as jnp
from jax import lax

import common
from common import LATENT, last, numbers

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
    if not gan.drop:
        return x
    if isinstance(source, list):
        return x * (source.pop(0) / (1 - gan.drop))
    source["draws"] += 1
    keep = jax.random.bernoulli(jax.random.fold_in(source["key"], source["draws"]), 1 - gan.drop, x.shape)
    return jnp.where(keep, x / (1 - gan.drop), 0)


def normalise(x, gan, weights, moving, name):
    """Normalises by a batch's statistics and moves the running ones."""
    momentum, epsilon = gan.norm
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    for statistic, value in zip(STATISTICS, (mean, variance)):
        key = f"{name}/{statistic}"
        moving[key] = momentum * moving[key] + (1 - momentum) * value
    return (x - mean) * (weights[f"{name}/gamma"] * lax.rsqrt(variance + epsilon)) + weights[f"{name}/beta"]


def affine(x, w, name, product=jnp.matmul):
    x = product(x, w[f"{name}/weight"])
    return x + w[f"{name}/bias"] if f"{name}/bias" in w else x


LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv(x, weight):
    return lax.conv_general_dilated(x, weight, (2, 2), "SAME", dimension_numbers=LAYOUT)


def deconv(stride, x, weight):
    return lax.conv_transpose(x, weight, (stride, stride), "SAME", dimension_numbers=LAYOUT, transpose_kernel=True)


def conv_generator(gan, w, moving, z):
    """Images, and the running statistics after them."""
    moving = dict(moving)
    active = jax.nn.relu if gan.relu else functools.partial(leaky, gan=gan)
    channels, height, width = gan.first
    picture = (-1, height, width, channels)
    h = affine(z, w, "dense1")
    if w["batchnorm1/gamma"].size == channels:  # else it normalises dense features
        h = h.reshape(picture)
    h = active(normalise(h, gan, w, moving, "batchnorm1")).reshape(picture)
    for i in numbers(w, "deconv"):
        h = affine(h, w, f"deconv{i}", functools.partial(deconv, gan.stride if i == 1 else 2))
        if f"batchnorm{i + 1}/gamma" in w:
            h = active(normalise(h, gan, w, moving, f"batchnorm{i + 1}"))
    return jnp.tanh(h), moving


def conv_discriminator(gan, w, moving, x, source=None):
    """Logits, and the running statistics after them."""
    moving = dict(moving)
    for i in numbers(w, "conv"):
        x = affine(x, w, f"conv{i}", conv)
        if f"batchnorm{i - 1}/gamma" in w:
            x = normalise(x, gan, w, moving, f"batchnorm{i - 1}")
        x = drop(leaky(x, gan), gan, source)
    return affine(x.reshape(x.shape[0], -1), w, "dense1"), moving


def dense_network(gan, w, x, source=None):
    """Either network of the MLP GAN, the generator without dropout."""
    for i in numbers(w, "dense"):
        x = affine(x, w, f"dense{i}")
        if i < 4:
            x = leaky(x, gan)
        if source is not None and i < 3:
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
        # The quickest generator: the default one takes 5% longer for the whole MLP step.
        self.key = jax.random.key(1, impl="unsafe_rbg")

    @functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
    def drawn(self, state, real, key):
        key, z_key, mask_key = jax.random.split(key, 3)
        draw = functools.partial(jax.random.uniform, minval=-1, maxval=1) if self.gan.uniform else jax.random.normal
        z = draw(z_key, (2, self.gan.batch, LATENT))
        masks = [{"key": k, "draws": 0} for k in jax.random.split(mask_key)]
        return *self.whole(state, real, z, masks), key

    @functools.partial(jax.jit, static_argnums=0)
    def given(self, state, real, z, masks):
        return self.whole(state, real, z, masks)

    def step(self, real):
        self.state, losses, self.key = self.drawn(self.state, real, self.key)
        return losses

    def repeat(self, real, z, masks):
        self.state, losses = self.given(self.state, self.images(real), z, masks)
        return losses


class DCGAN(Peer):
    def images(self, x):
        return jnp.asarray(last(x))

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
        d, d_moments = adam(self.gan, t, state["d"], state["d_moments"], gradients_d)
        g, g_moments = adam(self.gan, t, state["g"], state["g_moments"], gradients_g)
        new = {"t": t, "g": g, "d": d, "g_moving": moving, "g_moments": g_moments, "d_moments": d_moments}
        return state | new, (value_d, value_g)

    def replay(self, feed):
        masks = [[last(feed[f"mask/all/{x}/dropout{i}"]) for i in (1, 2)] for x in ("real", "fake")]
        return self.repeat(feed["real"], feed["noise/0"][None], masks)


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
        d, d_moments = adam(self.gan, t, state["d"], state["d_moments"], gradients)
        losses = [value_d]
        for turn in (2 * t - 1, 2 * t):
            (value_g, moving), gradients = jax.value_and_grad(loss_g, has_aux=True)(g, d, *moving)
            g, g_moments = adam(self.gan, turn, g, g_moments, gradients)
            losses.append(value_g)
        new = {"t": t, "g": g, "d": d, "g_moving": moving[0], "d_moving": moving[1]}
        return new | {"g_moments": g_moments, "d_moments": d_moments}, losses

    def replay(self, feed):
        return self.repeat(feed["real"], feed["noise/0"][None], None)


class MLP(Peer):
    def images(self, x):
        return jnp.asarray(x.reshape(-1, 784))

    def whole(self, state, real, z, masks):
        def loss_d(d):
            fake = jnp.tanh(dense_network(self.gan, state["g"], z[0]))
            logits = dense_network(self.gan, d, jnp.concatenate([real, fake]), masks[0])
            n = len(real)
            return (cross_entropy(logits[:n], 0.9) + cross_entropy(logits[n:], 0)) / 2

        def loss_g(g, d):
            return cross_entropy(dense_network(self.gan, d, jnp.tanh(dense_network(self.gan, g, z[1])), masks[1]), 1)

        t = state["t"] + 1
        value_d, gradients = jax.value_and_grad(loss_d)(state["d"])
        d, d_moments = adam(self.gan, t, state["d"], state["d_moments"], gradients)
        value_g, gradients = jax.value_and_grad(loss_g)(state["g"], d)
        g, g_moments = adam(self.gan, t, state["g"], state["g_moments"], gradients)
        new = {"t": t, "g": g, "d": d, "g_moments": g_moments, "d_moments": d_moments}
        return state | new, (value_d, value_g)

    def replay(self, feed):
        masks = [[feed[f"mask/{x}/dropout{i}"] for i in (1, 2)] for x in ("0/joined", "1/fake")]
        return self.repeat(feed["real"], [feed["noise/0"], feed["noise/1"]], masks)


if __name__ == "__main__":
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP, "silva-dcgan": Silva}, None, began, {"jax": jax.__version__})
