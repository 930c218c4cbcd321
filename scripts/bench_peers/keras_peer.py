"""Keras on TensorFlow: tensorflow and tensorflow-bf16, the whole step in one
tf.function."""

import os
import time

began = time.perf_counter()

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import common
from common import CLASSES, LATENT, last, numbers, side

tf.config.threading.set_inter_op_parallelism_threads(2)


def built(layer, shape, *weights):
    layer.build((None, *shape))
    layer.set_weights([w for w in weights if w is not None])
    return layer


class Network:
    """Layers, called one after the other."""

    def __init__(self, gan, layers):
        self.gan = gan
        self.layers = layers
        self.weights = [w for layer in layers for w in layer.trainable_variables]

    def __call__(self, x, label=None, training=True, masks=None):
        for layer in self.layers:
            if isinstance(layer, Condition):
                made = layer(label)
                x = tf.concat([tf.cast(x, made.dtype), made], -1)
            elif masks and isinstance(layer, keras.layers.Dropout):
                x = x * tf.cast(next(masks) / (1 - self.gan.drop), x.dtype)
            elif isinstance(layer, (keras.layers.Dropout, keras.layers.BatchNormalization)):
                x = layer(x, training=training)
            else:
                x = layer(x)
        return x


class Condition(keras.Sequential):
    """A class as a channel of the picture."""

    def __init__(self, state):
        table = state["condition1/embedding1/weight"]
        layers = [built(keras.layers.Embedding(*table.shape), (), table), dense(state, "condition1/dense1")]
        sides = [side(layers[1].bias)] * 2
        super().__init__([*layers, keras.layers.Reshape((*sides, 1))])


def dense(state, name):
    weight, bias = state[f"{name}/weight"], state.get(f"{name}/bias")
    layer = keras.layers.Dense(weight.shape[1], use_bias=bias is not None)
    return built(layer, weight.shape[:1], weight, bias)


def conv(kind, state, name, stride):
    # Keras' layout of both Conv2D's [O, I, H, W] and Conv2DTranspose's [I, O, H, W].
    weight, bias = state[f"{name}/weight"].transpose(2, 3, 1, 0), state.get(f"{name}/bias")
    inputs, filters = weight.shape[2:] if kind is keras.layers.Conv2D else weight.shape[:1:-1]
    layer = kind(filters, weight.shape[0], stride, "same", use_bias=bias is not None)
    return built(layer, (None, None, inputs), weight, bias)


def norm(gan, state, i, sides=(None, None)):
    """The normalisation of that number, or none."""
    if f"batchnorm{i}/gamma" not in state:
        return []
    weights = [state[f"batchnorm{i}/{n}"] for n in ("gamma", "beta", "mean", "variance")]
    return [built(keras.layers.BatchNormalization(-1, *gan.norm), (*sides, weights[0].size), *weights)]


def conv_generator(gan, state):
    activation = keras.layers.ReLU if gan.relu else lambda: keras.layers.LeakyReLU(gan.slope)
    channels, *sides = gan.first
    layers = [dense(state, "dense1"), keras.layers.Reshape((*sides, channels)), *norm(gan, state, 1), activation()]
    if state.get("batchnorm1/gamma", np.empty(0)).size > channels:  # of dense features
        layers[1:3] = *norm(gan, state, 1, sides=()), layers[1]
    if "condition1/dense1/weight" in state:
        layers.append(Condition(state))
    for i in numbers(state, "deconv"):
        layers.append(conv(keras.layers.Conv2DTranspose, state, f"deconv{i}", gan.stride if i == 1 else 2))
        layers += [*norm(gan, state, i + 1), activation()]
    if "conv1/weight" in state:
        layers.append(conv(keras.layers.Conv2D, state, "conv1", 1))
    else:
        layers.pop()
    return Network(gan, [*layers, keras.layers.Activation("tanh")])


def conv_discriminator(gan, state):
    layers = [Condition(state)] if "condition1/dense1/weight" in state else []
    for i in numbers(state, "conv"):
        layers += [conv(keras.layers.Conv2D, state, f"conv{i}", 2), *norm(gan, state, i - 1)]
        layers.append(keras.layers.LeakyReLU(gan.slope))
        if i in gan.dropped:
            layers.append(keras.layers.Dropout(gan.drop))
    return Network(gan, [*layers, keras.layers.Flatten(), dense(state, "dense1")])


def dense_network(gan, state, dropped=(), end=()):
    layers = []
    for i in numbers(state, "dense"):
        layers.append(dense(state, f"dense{i}"))
        if i < 4:
            layers.append(keras.layers.LeakyReLU(gan.slope))
        if i in dropped:
            layers.append(keras.layers.Dropout(gan.drop))
    return Network(gan, [*layers, *end])


def noise(gan):
    if gan.uniform:
        return tf.random.uniform([gan.batch, LATENT], -1, 1)
    return tf.random.normal([gan.batch, LATENT])


def cross_entropy(logits, label):
    logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), label), logits))


class Peer:
    def __init__(self, configuration, fixture):
        if configuration == "tensorflow-bf16":
            keras.config.set_dtype_policy("mixed_bfloat16")
        self.gan = fixture.gan
        self.generator, self.discriminator = self.networks(self.gan, fixture.state("generator"), fixture.state("discriminator"))
        self.adam_d, self.adam_g = (keras.optimizers.Adam(*self.gan.adam) for _ in range(2))
        self.adam_d.build(self.discriminator.weights)
        self.adam_g.build(self.generator.weights)

    def step(self, real):
        return self.drawn(real)


class DCGAN(Peer):
    def networks(self, gan, g, d):
        return conv_generator(gan, g), conv_discriminator(gan, d)

    @tf.function
    def whole(self, real, z, masks=None):
        masks = masks and iter(masks)
        with tf.GradientTape() as tape_d, tf.GradientTape() as tape_g:
            fake = self.generator(z)
            on_real = self.discriminator(real, masks=masks)
            on_fake = self.discriminator(fake, masks=masks)
            loss_d = cross_entropy(on_real, 1.0) + cross_entropy(on_fake, 0.0)
            loss_g = cross_entropy(on_fake, 1.0)
        gradients_d = tape_d.gradient(loss_d, self.discriminator.weights)
        gradients_g = tape_g.gradient(loss_g, self.generator.weights)
        self.adam_d.apply(gradients_d)
        self.adam_g.apply(gradients_g)
        return loss_d, loss_g

    @tf.function
    def drawn(self, real):
        return self.whole(real, noise(self.gan))

    def real(self, feed):
        return tf.constant(last(feed["real"]))

    def replay(self, feed):
        masks = [tf.constant(last(feed[f"mask/all/{x}/dropout{i}"])) for x in ("real", "fake") for i in (1, 2)]
        return self.whole(self.real(feed), tf.constant(feed["noise/0"]), masks)


class Silva(DCGAN):
    @tf.function
    def whole(self, real, z):
        tape_g, fake = self.made(z)
        with tf.GradientTape() as tape_d:
            on_real, on_fake = self.discriminator(real), self.discriminator(fake)
            loss_d = cross_entropy(on_real, 0.9) + cross_entropy(on_fake, 0.0)
        self.adam_d.apply(tape_d.gradient(loss_d, self.discriminator.weights))
        # The generator is as it was, and so are its pictures.
        return loss_d, self.improved(tape_g, fake), self.improved(*self.made(z))

    def made(self, z):
        with tf.GradientTape() as tape:
            fake = self.generator(z)
        return tape, fake

    def improved(self, tape, fake):
        with tape:
            loss = cross_entropy(self.discriminator(fake), 1.0)
        self.adam_g.apply(tape.gradient(loss, self.generator.weights))
        return loss

    def replay(self, feed):
        return self.whole(self.real(feed), tf.constant(feed["noise/0"]))


class MLP(Peer):
    """The discriminator on real and generated images joined, then the generator
    with noise of its own. What a network takes is a tuple: there may be classes."""

    share = 0.5  # of each of the discriminator's two losses

    def networks(self, gan, g, d):
        tanh = keras.layers.Activation("tanh")
        return dense_network(gan, g, end=[tanh]), dense_network(gan, d, gan.dropped)

    @tf.function
    def whole(self, real, z, masks=(None, None)):
        masks = [m and iter(m) for m in masks]
        fake = self.generator(*z[0]), *z[0][1:]
        joined = [tf.concat([r, tf.cast(f, r.dtype)], 0) for r, f in zip(real, fake)]
        with tf.GradientTape() as tape:
            logits = self.discriminator(*joined, masks=masks[0])
            n = self.gan.batch
            loss_d = self.share * (cross_entropy(logits[:n], 0.9) + cross_entropy(logits[n:], 0.0))
        self.update(self.adam_d, tape, loss_d, self.discriminator)
        with tf.GradientTape() as tape:
            fake = self.generator(*z[1])
            loss_g = cross_entropy(self.discriminator(fake, *z[1][1:], masks=masks[1]), 1.0)
        self.update(self.adam_g, tape, loss_g, self.generator)
        return loss_d, loss_g

    def update(self, adam, tape, loss, network):
        # Adam would take the gradient of a table's row once for each of its uses.
        adam.apply([tf.convert_to_tensor(g) for g in tape.gradient(loss, network.weights)])

    def noise(self):
        return (noise(self.gan),)

    @tf.function
    def drawn(self, real):
        return self.whole(real, [self.noise() for _ in range(2)])

    def real(self, feed):
        return (tf.constant(feed["real"].reshape(-1, 784)),)

    def replay(self, feed):
        z = [(tf.constant(feed[f"noise/{i}"]),) for i in range(2)]
        return self.whole(self.real(feed), z, common.dense_masks(feed))


class CGAN(MLP):
    share = 1.0

    def networks(self, gan, g, d):
        return conv_generator(gan, g), conv_discriminator(gan, d)

    def noise(self):
        return noise(self.gan), tf.random.uniform([self.gan.batch], 0, CLASSES, tf.int32)

    def real(self, feed):
        return tf.constant(last(feed["real"])), tf.constant(feed["label/real"])

    def replay(self, feed):
        z = [(tf.constant(feed[f"noise/{i}"]), tf.constant(feed[f"label/{i}"])) for i in range(2)]
        masks = [[tf.constant(last(m)) for m in masks] for masks in common.conv_masks(self.gan, feed)]
        return self.whole(self.real(feed), z, masks)


class Pictures:
    def __init__(self, configuration, fixture):
        self.generator = conv_generator(fixture.gan, fixture.state("generator"))

    def draw(self, n):
        return tf.random.normal([n, LATENT]).numpy()

    @tf.function
    def generate(self, z):
        return self.generator(z, training=False)

    def pictures(self, z):
        return self.generate(tf.constant(z)).numpy().reshape(-1, 1, 28, 28)


if __name__ == "__main__":
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP, "silva-dcgan": Silva, "michelucci-cgan": CGAN}, Pictures, began, versions)
