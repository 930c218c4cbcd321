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
from common import ADAM, BATCH, BETA2, DROP, EPSILON, LATENT, SLOPE

tf.config.threading.set_inter_op_parallelism_threads(2)


def set_precision(configuration):
    if configuration == "tensorflow-bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")


def hwio(weight):
    """Keras' layout of both Conv2D's [O, I, H, W] and Conv2DTranspose's
    [I, O, H, W]."""
    return weight.transpose(2, 3, 1, 0)


def last(x):
    """[N, C, H, W] as [N, H, W, C]."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def built(layer, shape, *weights):
    layer.build((None, *shape))
    layer.set_weights(weights)
    return layer


class Network:
    """Layers, called one after the other."""

    def __init__(self, layers):
        self.layers = layers
        self.weights = [w for layer in layers for w in layer.trainable_variables]

    def __call__(self, x, training, masks=None):
        for layer in self.layers:
            if masks and isinstance(layer, keras.layers.Dropout):
                x = x * tf.cast(next(masks) / (1 - DROP), x.dtype)
            elif isinstance(layer, (keras.layers.Dropout, keras.layers.BatchNormalization)):
                x = layer(x, training=training)
            else:
                x = layer(x)
        return x


def conv_generator(state):
    leaky = lambda: keras.layers.LeakyReLU(SLOPE["michelucci-dcgan"])
    to_last = lambda x: x.reshape(-1, 256, 7, 7).transpose(0, 2, 3, 1).reshape(-1, 7 * 7 * 256)

    def norm(i, shape, order=lambda x: x):
        names = ("gamma", "beta", "mean", "variance")
        return built(keras.layers.BatchNormalization(), shape, *(order(state[f"batchnorm{i}/{n}"]) for n in names))

    def deconv(i, filters, stride, shape):
        layer = keras.layers.Conv2DTranspose(filters, 5, stride, "same", use_bias=False)
        return built(layer, shape, hwio(state[f"deconv{i}/weight"]))

    return Network([
        built(keras.layers.Dense(7 * 7 * 256, use_bias=False), (LATENT,), to_last(state["dense1/weight"])),
        norm(1, (7 * 7 * 256,), lambda x: to_last(x)[0]),
        leaky(),
        keras.layers.Reshape((7, 7, 256)),
        deconv(1, 128, 1, (7, 7, 256)),
        norm(2, (7, 7, 128)),
        leaky(),
        deconv(2, 64, 2, (7, 7, 128)),
        norm(3, (14, 14, 64)),
        leaky(),
        deconv(3, 1, 2, (14, 14, 64)),
        keras.layers.Activation("tanh"),
    ])


def conv_discriminator(state):
    leaky = lambda: keras.layers.LeakyReLU(SLOPE["michelucci-dcgan"])

    def conv(i, filters, shape):
        layer = keras.layers.Conv2D(filters, 5, 2, "same")
        return built(layer, shape, hwio(state[f"conv{i}/weight"]), state[f"conv{i}/bias"])

    weight = state["dense1/weight"].reshape(128, 7, 7).transpose(1, 2, 0).reshape(-1, 1)
    return Network([
        conv(1, 64, (28, 28, 1)),
        leaky(),
        keras.layers.Dropout(DROP),
        conv(2, 128, (14, 14, 64)),
        leaky(),
        keras.layers.Dropout(DROP),
        keras.layers.Flatten(),
        built(keras.layers.Dense(1), (7 * 7 * 128,), weight, state["dense1/bias"]),
    ])


def dense_network(state, sizes, dropped=()):
    layers = []
    for i, (inputs, units) in enumerate(zip(sizes, sizes[1:]), 1):
        layer = keras.layers.Dense(units)
        layers.append(built(layer, (inputs,), state[f"dense{i}/weight"], state[f"dense{i}/bias"]))
        if i < len(sizes) - 1:
            layers.append(keras.layers.LeakyReLU(SLOPE["guo-mlp"]))
        if i in dropped:
            layers.append(keras.layers.Dropout(DROP))
    return Network(layers)


def cross_entropy(logits, label):
    logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), label), logits))


class Peer:
    def __init__(self, configuration, fixture, generator, discriminator):
        self.gan = fixture.gan
        self.generator, self.discriminator = generator, discriminator
        rate, beta1 = ADAM[self.gan]
        self.adam_d, self.adam_g = (keras.optimizers.Adam(rate, beta1, BETA2, EPSILON) for _ in range(2))
        self.adam_d.build(discriminator.weights)
        self.adam_g.build(generator.weights)


class DCGAN(Peer):
    def __init__(self, configuration, fixture):
        set_precision(configuration)
        g, d = conv_generator(fixture.state("generator")), conv_discriminator(fixture.state("discriminator"))
        super().__init__(configuration, fixture, g, d)

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
        return self.whole(real, tf.random.normal([BATCH[self.gan], LATENT]))

    def images(self, x):
        return tf.constant(last(x))

    def step(self, real):
        return self.drawn(real)

    def replay(self, feed):
        masks = [tf.constant(last(feed[f"mask/all/{x}/dropout{i}"])) for x in ("real", "fake") for i in (1, 2)]
        return self.whole(self.images(feed["real"]), tf.constant(feed["noise/0"]), masks)


class MLP(Peer):
    def __init__(self, configuration, fixture):
        set_precision(configuration)
        g = dense_network(fixture.state("generator"), [LATENT, 256, 512, 1024, 784])
        d = dense_network(fixture.state("discriminator"), [784, 1024, 512, 256, 1], (1, 2))
        super().__init__(configuration, fixture, g, d)

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
        return self.whole(real, [tf.random.normal([BATCH[self.gan], LATENT]) for _ in range(2)])

    def images(self, x):
        return tf.constant(x.reshape(-1, 784))

    def step(self, real):
        return self.drawn(real)

    def replay(self, feed):
        masks = [[tf.constant(feed[f"mask/{x}/dropout{i}"]) for i in (1, 2)] for x in ("0/joined", "1/fake")]
        z = [tf.constant(feed[f"noise/{i}"]) for i in range(2)]
        return self.whole(self.images(feed["real"]), z, masks)


class Pictures:
    def __init__(self, configuration, fixture):
        self.generator = conv_generator(fixture.state("generator"))

    def draw(self, n):
        return tf.random.normal([n, LATENT]).numpy()

    @tf.function
    def generate(self, z):
        return self.generator(z, False)

    def pictures(self, z):
        return self.generate(tf.constant(z)).numpy().reshape(-1, 1, 28, 28)


if __name__ == "__main__":
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    common.main({"michelucci-dcgan": DCGAN, "guo-mlp": MLP}, Pictures, began, versions)
