"""The recipes of our GANs in Keras 3.

    python keras_gans.py GAN SEED STEPS MNIST FOLDER

trains for so many steps and writes losses.csv and samples.npy, 10,000 pictures
[n, 1, 28, 28] in [-1, 1], into the folder. It prints a line of JSON.
"""

import csv
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import mnist

SAMPLES = 10_000
SPOKEN = 500  # steps between two lines of progress


def cross_entropy(label, logits):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), label), logits))


def leaky(slope=0.2):
    return layers.LeakyReLU(negative_slope=slope)


class GAN:
    """A recipe. Discriminators give logits: TensorFlow computes the cross-entropy
    of a sigmoid's output from them too."""

    latent, batch, classes = 100, 128, 0
    rate_d, rate_g, beta1 = 2e-4, 2e-4, 0.5

    def __init__(self):
        self.generator, self.discriminator = self.make_generator(), self.make_discriminator()
        self.adam_d = keras.optimizers.Adam(self.rate_d, self.beta1)
        self.adam_g = keras.optimizers.Adam(self.rate_g, self.beta1)
        self.adam_d.build(self.discriminator.trainable_variables)
        self.adam_g.build(self.generator.trainable_variables)

    def noise(self, n):
        return tf.random.normal([n, self.latent])

    def update_d(self, tape, loss):
        weights = self.discriminator.trainable_variables
        self.adam_d.apply(tape.gradient(loss, weights), weights)

    def update_g(self, tape, loss):
        weights = self.generator.trainable_variables
        self.adam_g.apply(tape.gradient(loss, weights), weights)

    def batches(self, n, rng):
        """Numbers of the pictures of each step, drawn with replacement."""
        while True:
            yield rng.integers(0, n, self.batch)

    def samples(self, first, n):
        return self.generator(self.noise(n), training=False)


class MLP(GAN):
    """D on pictures and predicted fakes in one batch, then G on fresh noise."""

    real_label = 1.0

    @tf.function
    def step(self, real, labels):
        n = tf.shape(real)[0]
        fake = self.generator(self.noise(n), training=False)
        with tf.GradientTape() as tape:
            logits = self.discriminator(tf.concat([real, fake], 0), training=True)
            d_loss = (cross_entropy(self.real_label, logits[:n]) + cross_entropy(0.0, logits[n:])) / 2
        self.update_d(tape, d_loss)
        with tf.GradientTape() as tape:
            g_loss = cross_entropy(1.0, self.discriminator(self.generator(self.noise(n), training=True), training=True))
        self.update_g(tape, g_loss)
        return d_loss, g_loss


class GuoMLP(MLP):
    real_label = 0.9

    def make_generator(self):
        hidden = [layer for units in (256, 512, 1024) for layer in (layers.Dense(units), leaky())]
        return keras.Sequential([layers.Input((100,)), *hidden, layers.Dense(784, activation="tanh"), layers.Reshape((28, 28, 1))])

    def make_discriminator(self):
        hidden = [layer for units in (1024, 512) for layer in (layers.Dense(units), leaky(), layers.Dropout(0.3))]
        return keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), *hidden, layers.Dense(256), leaky(), layers.Dense(1)])


class IntroMLP(MLP):
    latent = 128

    def make_generator(self):
        hidden = [layer for units in (256, 512, 1024) for layer in (layers.Dense(units), leaky())]
        last = layers.BatchNormalization(), layers.Dense(784, activation="tanh"), layers.Reshape((28, 28, 1))
        return keras.Sequential([layers.Input((128,)), *hidden, *last])

    def make_discriminator(self):
        hidden = [layer for units in (512, 256) for layer in (layers.Dense(units), leaky())]
        return keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), *hidden, layers.Dense(1)])


class MichelucciDCGAN(GAN):
    """Both networks from one forward pass, over shuffled epochs."""

    batch = 256
    rate_d, rate_g, beta1 = 1e-4, 1e-4, 0.9

    def make_generator(self):
        def deconv(filters, stride, **more):
            return layers.Conv2DTranspose(filters, 5, stride, "same", use_bias=False, **more)

        hidden = [layer for d in (deconv(128, 1), deconv(64, 2)) for layer in (d, layers.BatchNormalization(), leaky(0.3))]
        first = layers.Dense(7 * 7 * 256, use_bias=False), layers.BatchNormalization(), leaky(0.3), layers.Reshape((7, 7, 256))
        return keras.Sequential([layers.Input((100,)), *first, *hidden, deconv(1, 2, activation="tanh")])

    def make_discriminator(self):
        hidden = [layer for n in (64, 128) for layer in (layers.Conv2D(n, 5, 2, "same"), leaky(0.3), layers.Dropout(0.3))]
        return keras.Sequential([layers.Input((28, 28, 1)), *hidden, layers.Flatten(), layers.Dense(1)])

    def batches(self, n, rng):
        while True:
            order = rng.permutation(n)
            yield from (order[i : i + self.batch] for i in range(0, n, self.batch))

    @tf.function(reduce_retracing=True)
    def step(self, real, labels):
        with tf.GradientTape() as tape_d, tf.GradientTape() as tape_g:
            fake = self.generator(self.noise(self.batch), training=True)
            on_real, on_fake = self.discriminator(real, training=True), self.discriminator(fake, training=True)
            d_loss = cross_entropy(1.0, on_real) + cross_entropy(0.0, on_fake)
            g_loss = cross_entropy(1.0, on_fake)
        self.update_d(tape_d, d_loss)
        self.update_g(tape_g, g_loss)
        return d_loss, g_loss


class MichelucciCGAN(GAN):
    """D on whole batches with the summed loss, then G on fresh noise and classes."""

    classes = 10

    def condition(self, label, side):
        x = layers.Dense(side * side)(layers.Embedding(10, 50)(label))
        return layers.Reshape((side, side, 1))(x)

    def make_generator(self):
        z, label = layers.Input((100,)), layers.Input((1,), dtype="int32")
        x = layers.Reshape((7, 7, 128))(leaky()(layers.Dense(7 * 7 * 128)(z)))
        x = layers.Concatenate()([x, self.condition(label, 7)])
        for _ in range(2):
            x = leaky()(layers.Conv2DTranspose(128, 4, 2, "same")(x))
        return keras.Model([z, label], layers.Conv2D(1, 7, padding="same", activation="tanh")(x))

    def make_discriminator(self):
        image, label = layers.Input((28, 28, 1)), layers.Input((1,), dtype="int32")
        x = layers.Concatenate()([image, self.condition(label, 28)])
        for _ in range(2):
            x = leaky()(layers.Conv2D(128, 3, 2, "same")(x))
        return keras.Model([image, label], layers.Dense(1)(layers.Dropout(0.4)(layers.Flatten()(x))))

    def asked(self, n):
        return tf.random.uniform([n, 1], 0, 10, tf.int32)

    @tf.function
    def step(self, real, labels):
        n = tf.shape(real)[0]
        classes = self.asked(n)
        fake = self.generator([self.noise(n), classes], training=True)
        with tf.GradientTape() as tape:
            on_real = self.discriminator([real, labels], training=True)
            on_fake = self.discriminator([fake, classes], training=True)
            d_loss = cross_entropy(0.9, on_real) + cross_entropy(0.0, on_fake)
        self.update_d(tape, d_loss)
        classes = self.asked(n)
        with tf.GradientTape() as tape:
            fake = self.generator([self.noise(n), classes], training=True)
            g_loss = cross_entropy(1.0, self.discriminator([fake, classes], training=True))
        self.update_g(tape, g_loss)
        return d_loss, g_loss

    def samples(self, first, n):
        return self.generator([self.noise(n), tf.reshape(tf.range(first, first + n) % 10, (n, 1))], training=False)


GANS = {"guo-mlp": GuoMLP, "intro-mlp": IntroMLP, "michelucci-dcgan": MichelucciDCGAN, "michelucci-cgan": MichelucciCGAN}


def main(name, seed, steps, folder, out):
    keras.utils.set_random_seed(seed)
    x, labels = mnist.load(folder, "train")
    gan = GANS[name]()
    batches = gan.batches(len(x), np.random.default_rng(seed))
    began = time.monotonic()
    with open(out / "losses.csv", "w", newline="") as f:
        table = csv.writer(f)
        table.writerow(("step", "d_loss", "g_loss"))
        for step in range(1, steps + 1):
            index = next(batches)
            losses = gan.step(tf.constant(x[index]), tf.constant(labels[index].reshape(-1, 1).astype(np.int32)))
            table.writerow((step, *(float(v) for v in losses)))
            if step % SPOKEN == 0 or step == steps:
                print(f"{step} of {steps} steps", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    made = [np.asarray(gan.samples(i, 500)) for i in range(0, SAMPLES, 500)]
    np.save(out / "samples.npy", np.concatenate(made).reshape(-1, 1, 28, 28))
    return {"seconds": seconds}


if __name__ == "__main__":
    name, seed, steps, folder, out = sys.argv[1:]
    print(json.dumps(main(name, int(seed), int(steps), folder, Path(out))))
