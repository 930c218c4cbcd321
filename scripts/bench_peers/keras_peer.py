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
from common import LATENT, last, numbers

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

    def __call__(self, x, training, masks=None):
        for layer in self.layers:
            if masks and isinstance(layer, keras.layers.Dropout):
                x = x * tf.cast(next(masks) / (1 - self.gan.drop), x.dtype)
            elif isinstance(layer, (keras.layers.Dropout, keras.layers.BatchNormalization)):
                x = layer(x, training=training)
            else:
                x = layer(x)
        return x


def dense(state, i):
    weight, bias = state[f"dense{i}/weight"], state.get(f"dense{i}/bias")
    layer = keras.layers.Dense(weight.shape[1], use_bias=bias is not None)
    return built(layer, weight.shape[:1], weight, bias)


def conv(kind, state, name, stride):
    # Keras' layout of both Conv2D's [O, I, H, W] and Conv2DTranspose's [I, O, H, W].
    weight, bias = state[f"{name}/weight"].transpose(2, 3, 1, 0), state.get(f"{name}/bias")
    inputs, filters = weight.shape[2:] if kind is keras.layers.Conv2D else weight.shape[:1:-1]
    layer = kind(filters, weight.shape[0], stride, "same", use_bias=bias is not None)
    return built(layer, (None, None, inputs), weight, bias)


def norm(gan, state, i, sides=(None, None)):
    weights = [state[f"batchnorm{i}/{n}"] for n in ("gamma", "beta", "mean", "variance")]
    return built(keras.layers.BatchNormalization(-1, *gan.norm), (*sides, weights[0].size), *weights)


def conv_generator(gan, state):
    activation = keras.layers.ReLU if gan.relu else lambda: keras.layers.LeakyReLU(gan.slope)
    channels, *sides = gan.first
    layers = [dense(state, 1), keras.layers.Reshape((*sides, channels)), norm(gan, state, 1), activation()]
    if state["batchnorm1/gamma"].size > channels:  # of dense features
        layers[1:3] = norm(gan, state, 1, sides=()), layers[1]
    for i in numbers(state, "deconv"):
        layers.append(conv(keras.layers.Conv2DTranspose, state, f"deconv{i}", gan.stride if i == 1 else 2))
        if f"batchnorm{i + 1}/gamma" in state:
            layers += [norm(gan, state, i + 1), activation()]
    return Network(gan, [*layers, keras.layers.Activation("tanh")])


def conv_discriminator(gan, state):
    layers = []
    for i in numbers(state, "conv"):
        layers.append(conv(keras.layers.Conv2D, state, f"conv{i}", 2))
        if f"batchnorm{i - 1}/gamma" in state:
            layers.append(norm(gan, state, i - 1))
        layers.append(keras.layers.LeakyReLU(gan.slope))
        if gan.drop:
            layers.append(keras.layers.Dropout(gan.drop))
    return Network(gan, [*layers, keras.layers.Flatten(), dense(state, 1)])


def dense_network(gan, state, dropped=()):
    layers = []
    for i in numbers(state, "dense"):
        layers.append(dense(state, i))
        if i < 4:
            layers.append(keras.layers.LeakyReLU(gan.slope))
        if i in dropped:
            layers.append(keras.layers.Dropout(gan.drop))
    return Network(gan, layers)


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
            fake = self.generator(z, True)
            on_real = self.discriminator(real, True, masks)
            on_fake = self.discriminator(fake, True, masks)
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

    def images(self, x):
        return tf.constant(last(x))

    def replay(self, feed):
        masks = [tf.constant(last(feed[f"mask/all/{x}/dropout{i}"])) for x in ("real", "fake") for i in (1, 2)]
        return self.whole(self.images(feed["real"]), tf.constant(feed["noise/0"]), masks)


class Silva(DCGAN):
    @tf.function
    def whole(self, real, z):
        tape_g, fake = self.made(z)
        with tf.GradientTape() as tape_d:
            on_real, on_fake = self.discriminator(real, True), self.discriminator(fake, True)
            loss_d = cross_entropy(on_real, 0.9) + cross_entropy(on_fake, 0.0)
        self.adam_d.apply(tape_d.gradient(loss_d, self.discriminator.weights))
        # The generator is as it was, and so are its pictures.
        return loss_d, self.improved(tape_g, fake), self.improved(*self.made(z))

    def made(self, z):
        with tf.GradientTape() as tape:
            fake = self.generator(z, True)
        return tape, fake

    def improved(self, tape, fake):
        with tape:
            loss = cross_entropy(self.discriminator(fake, True), 1.0)
        self.adam_g.apply(tape.gradient(loss, self.generator.weights))
        return loss

    def replay(self, feed):
        return self.whole(self.images(feed["real"]), tf.constant(feed["noise/0"]))


class MLP(Peer):
    def networks(self, gan, g, d):
        return dense_network(gan, g), dense_network(gan, d, (1, 2))

    @tf.function
    def whole(self, real, z, masks=(None, None)):
        masks = [m and iter(m) for m in masks]
        fake = tf.tanh(self.generator(z[0], False))
        with tf.GradientTape() as tape:
            logits = self.discriminator(tf.concat([real, tf.cast(fake, real.dtype)], 0), True, masks[0])
            n = real.shape[0]
            loss_d = (cross_entropy(logits[:n], 0.9) + cross_entropy(logits[n:], 0.0)) / 2
        self.adam_d.apply(tape.gradient(loss_d, self.discriminator.weights))
        with tf.GradientTape() as tape:
            fake = tf.tanh(self.generator(z[1], True))
            loss_g = cross_entropy(self.discriminator(fake, True, masks[1]), 1.0)
        self.adam_g.apply(tape.gradient(loss_g, self.generator.weights))
        return loss_d, loss_g

    @tf.function
    def drawn(self, real):
        return self.whole(real, [noise(self.gan) for _ in range(2)])

    def images(self, x):
        return tf.constant(x.reshape(-1, 784))

    def replay(self, feed):
        masks = [[tf.constant(feed[f"mask/{x}/dropout{i}"]) for i in (1, 2)] for x in ("0/joined", "1/fake")]
        z = [tf.constant(feed[f"noise/{i}"]) for i in range(2)]
        return self.whole(self.images(feed["real"]), z, masks)


class Pictures:
    def __init__(self, configuration, fixture):
        self.generator = conv_generator(fixture.gan, fixture.state("generator"))

    def draw(self, n):
        return tf.random.normal([n, LATENT]).numpy()

    @tf.function
    def generate(self, z):
        return self.generator(z, False)

    def pictures(self, z):
        return self.generate(tf.constant(z)).numpy().reshape(-1, 1, 28, 28)


if __name__ == "__main__":
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP, "silva-dcgan": Silva}, Pictures, began, versions)
