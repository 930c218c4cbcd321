"""JAX: jax, the whole step in one jit that gives the state's buffers back."""

import time

began = time.perf_counter()

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import common
from common import ADAM, BATCH, BETA2, DROP, EPSILON, LATENT, SLOPE

STATISTICS = ("mean", "variance")


def last(x):
    """[N, C, H, W] as [N, H, W, C]."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def arrays(state, convolutional):
    """A network's arrays in JAX's layout: channels last."""
    out = {}
    for name, x in state.items():
        if x.ndim == 4:  # both kinds of kernel become [H, W, I, O] of a convolution
            x = x.transpose(2, 3, 1, 0)
        elif convolutional and x.shape[-1] == 7 * 7 * 256:
            x = x.reshape(-1, 256, 49).swapaxes(1, 2).reshape(x.shape)
        elif convolutional and x.shape[0] == 7 * 7 * 128:
            x = x.reshape(128, 49, 1).swapaxes(0, 1).reshape(x.shape)
        out[name] = jnp.asarray(x)
    return out


def split(state):
    """Weights and running statistics."""
    moving = {n: x for n, x in state.items() if n.endswith(STATISTICS)}
    return {n: x for n, x in state.items() if n not in moving}, moving


def leaky(x, gan):
    return jnp.where(x >= 0, x, SLOPE[gan] * x)


def drop(x, source):
    """source holds masks to take, or a key and how many draws it has had."""
    if isinstance(source, list):
        return x * (source.pop(0) / (1 - DROP))
    source["draws"] += 1
    keep = jax.random.bernoulli(jax.random.fold_in(source["key"], source["draws"]), 1 - DROP, x.shape)
    return jnp.where(keep, x / (1 - DROP), 0)


def normalise(x, weights, moving, name, training, new):
    axes = tuple(range(x.ndim - 1))
    mean, variance = moving[f"{name}/mean"], moving[f"{name}/variance"]
    if training:
        mean, variance = x.mean(axes), x.var(axes)
        for statistic, value in zip(STATISTICS, (mean, variance)):
            key = f"{name}/{statistic}"
            new[key] = 0.99 * moving[key] + 0.01 * value
    scale = weights[f"{name}/gamma"] * lax.rsqrt(variance + 1e-3)
    return (x - mean) * scale + weights[f"{name}/beta"]


def conv_generator(w, moving, z, training):
    gan, new = "michelucci-dcgan", {}
    norm = functools.partial(normalise, weights=w, moving=moving, training=training, new=new)

    def deconv(x, name, stride):
        dims = ("NHWC", "HWIO", "NHWC")
        return lax.conv_transpose(x, w[f"{name}/weight"], (stride, stride), "SAME", dimension_numbers=dims, transpose_kernel=True)

    h = leaky(norm(z @ w["dense1/weight"], name="batchnorm1"), gan).reshape(-1, 7, 7, 256)
    h = leaky(norm(deconv(h, "deconv1", 1), name="batchnorm2"), gan)
    h = leaky(norm(deconv(h, "deconv2", 2), name="batchnorm3"), gan)
    return jnp.tanh(deconv(h, "deconv3", 2)), new


def conv_discriminator(w, x, source):
    gan = "michelucci-dcgan"
    for i in (1, 2):
        dims = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, w[f"conv{i}/weight"], (2, 2), "SAME", dimension_numbers=dims)
        x = drop(leaky(x + w[f"conv{i}/bias"], gan), source)
    return x.reshape(x.shape[0], -1) @ w["dense1/weight"] + w["dense1/bias"]


def dense_network(w, x, source=None):
    """Either network of the MLP GAN, the generator without dropout."""
    for i in range(1, 5):
        x = x @ w[f"dense{i}/weight"] + w[f"dense{i}/bias"]
        if i < 4:
            x = leaky(x, "guo-mlp")
        if source is not None and i < 3:
            x = drop(x, source)
    return x


def cross_entropy(logits, label):
    return (jax.nn.softplus(logits) - label * logits).mean()


def adam(gan, t, weights, moments, gradients):
    rate, beta1 = ADAM[gan]
    rate = rate * jnp.sqrt(1 - BETA2**t) / (1 - beta1**t)
    new, new_moments = {}, {}
    for n, g in gradients.items():
        m, v = moments[n]
        m, v = beta1 * m + (1 - beta1) * g, BETA2 * v + (1 - BETA2) * g * g
        new[n], new_moments[n] = weights[n] - rate * m / (jnp.sqrt(v) + EPSILON), (m, v)
    return new, new_moments


class Peer:
    def __init__(self, configuration, fixture):
        self.gan = fixture.gan
        convolutional = self.gan == "michelucci-dcgan"
        g, moving = split(arrays(fixture.state("generator"), convolutional))
        d = arrays(fixture.state("discriminator"), convolutional)
        zeros = lambda w: {n: (jnp.zeros_like(x), jnp.zeros_like(x)) for n, x in w.items()}
        self.state = {"t": jnp.float32(0), "g": g, "d": d, "moving": moving, "g_moments": zeros(g), "d_moments": zeros(d)}
        # The quickest generator: the default one takes 5% longer for the whole MLP step.
        self.key = jax.random.key(1, impl="unsafe_rbg")

    @functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
    def drawn(self, state, real, key):
        key, z_key, mask_key = jax.random.split(key, 3)
        z = jax.random.normal(z_key, (2, BATCH[self.gan], LATENT))
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
            fake, moving = conv_generator(g, state["moving"], z[0], True)
            return conv_discriminator(d, real, masks[0]), conv_discriminator(d, fake, masks[1]), moving

        def loss_d(on_real, on_fake):
            return cross_entropy(on_real, 1) + cross_entropy(on_fake, 0)

        (on_real, on_fake, moving), pull = jax.vjp(forward, state["g"], state["d"])
        still = jax.tree.map(jnp.zeros_like, moving)
        value_d, at_d = jax.value_and_grad(loss_d, (0, 1))(on_real, on_fake)
        value_g, at_g = jax.value_and_grad(cross_entropy)(on_fake, 1.0)
        gradients_d = pull((*at_d, still))[1]
        gradients_g = pull((jnp.zeros_like(on_real), at_g, still))[0]
        t = state["t"] + 1
        d, d_moments = adam(self.gan, t, state["d"], state["d_moments"], gradients_d)
        g, g_moments = adam(self.gan, t, state["g"], state["g_moments"], gradients_g)
        new = {"t": t, "g": g, "d": d, "moving": moving, "g_moments": g_moments, "d_moments": d_moments}
        return new, (value_d, value_g)

    def replay(self, feed):
        masks = [[last(feed[f"mask/all/{x}/dropout{i}"]) for i in (1, 2)] for x in ("real", "fake")]
        return self.repeat(feed["real"], feed["noise/0"][None], masks)


class MLP(Peer):
    def images(self, x):
        return jnp.asarray(x.reshape(-1, 784))

    def whole(self, state, real, z, masks):
        def loss_d(d):
            fake = jnp.tanh(dense_network(state["g"], z[0]))
            logits = dense_network(d, jnp.concatenate([real, fake]), masks[0])
            n = len(real)
            return (cross_entropy(logits[:n], 0.9) + cross_entropy(logits[n:], 0)) / 2

        def loss_g(g, d):
            return cross_entropy(dense_network(d, jnp.tanh(dense_network(g, z[1])), masks[1]), 1)

        t = state["t"] + 1
        value_d, gradients = jax.value_and_grad(loss_d)(state["d"])
        d, d_moments = adam(self.gan, t, state["d"], state["d_moments"], gradients)
        value_g, gradients = jax.value_and_grad(loss_g)(state["g"], d)
        g, g_moments = adam(self.gan, t, state["g"], state["g_moments"], gradients)
        new = {"t": t, "g": g, "d": d, "moving": {}, "g_moments": g_moments, "d_moments": d_moments}
        return new, (value_d, value_g)

    def replay(self, feed):
        masks = [[feed[f"mask/{x}/dropout{i}"] for i in (1, 2)] for x in ("0/joined", "1/fake")]
        return self.repeat(feed["real"], [feed["noise/0"], feed["noise/1"]], masks)


if __name__ == "__main__":
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP}, None, began, {"jax": jax.__version__})
