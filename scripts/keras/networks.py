"""The published GANs as a user of Keras writes them, from the documents that
train/arch names. build("guo-mlp", "G") makes a generator, "D" a discriminator.
"""

from keras import Input, Model, Sequential
from keras.initializers import RandomNormal
from keras.layers import (Activation, BatchNormalization, Concatenate, Conv2D, Conv2DTranspose, Dense, Dropout,
                          Embedding, Flatten, LeakyReLU, ReLU, Reshape)
from keras.utils import clear_session


def build(gan, net, divisor=1, **options):
    """A network whose layers are named as if it were the first. A divisor above
    1 narrows hidden layers, filters and embeddings."""
    clear_session()
    return NETWORKS[gan]["GD".index(net)](lambda width: width // divisor, **options)


def perturb(model, rng):
    """Moves what starts at zero or one, and would hide a mistake there."""
    for layer in model.layers:
        for weight in layer.weights:
            shape = tuple(weight.shape)
            match weight.name:
                case "bias" | "beta" | "moving_mean":
                    weight.assign(rng.normal(0, 0.1, shape).astype("f"))
                case "gamma" | "moving_variance":
                    weight.assign(rng.uniform(0.5, 1.5, shape).astype("f"))


def leaky(slope):
    return LeakyReLU(negative_slope=slope)


def michelucci_dcgan_generator(w):
    return Sequential([
        Input((100,)),
        Dense(7 * 7 * w(256), use_bias=False), BatchNormalization(), leaky(0.3),
        Reshape((7, 7, w(256))),
        Conv2DTranspose(w(128), 5, strides=1, padding="same", use_bias=False), BatchNormalization(), leaky(0.3),
        Conv2DTranspose(w(64), 5, strides=2, padding="same", use_bias=False), BatchNormalization(), leaky(0.3),
        Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh"),
    ])


def michelucci_dcgan_discriminator(w, drop=Dropout):
    return Sequential([
        Input((28, 28, 1)),
        Conv2D(w(64), 5, strides=2, padding="same"), leaky(0.3), drop(0.3),
        Conv2D(w(128), 5, strides=2, padding="same"), leaky(0.3), drop(0.3),
        Flatten(),
        Dense(1),
    ])


def plane(w, label, side):
    """The label as a picture of one channel."""
    x = Embedding(10, w(50))(label)
    return Reshape((side, side, 1))(Dense(side * side)(x))


def michelucci_cgan_generator(w):
    label = Input((1,))
    asked = plane(w, label, 7)
    z = Input((100,))
    x = leaky(0.2)(Dense(7 * 7 * w(128))(z))
    x = Concatenate()([Reshape((7, 7, w(128)))(x), asked])
    for _ in range(2):
        x = leaky(0.2)(Conv2DTranspose(w(128), 4, strides=2, padding="same")(x))
    return Model([z, label], Conv2D(1, 7, padding="same", activation="tanh")(x))


def michelucci_cgan_discriminator(w, drop=Dropout):
    label = Input((1,))
    asked = plane(w, label, 28)
    image = Input((28, 28, 1))
    x = Concatenate()([image, asked])
    for _ in range(2):
        x = leaky(0.2)(Conv2D(w(128), 3, strides=2, padding="same")(x))
    x = drop(0.4)(Flatten()(x))
    return Model([image, label], Dense(1, activation="sigmoid")(x))


def guo_generator(w):
    return Sequential([
        Input((100,)),
        Dense(w(256)), leaky(0.2),
        Dense(w(512)), leaky(0.2),
        Dense(w(1024)), leaky(0.2),
        Dense(784, activation="tanh"),
    ])


def guo_discriminator(w, drop=Dropout):
    return Sequential([
        Input((784,)),
        Dense(w(1024)), leaky(0.2), drop(0.3),
        Dense(w(512)), leaky(0.2), drop(0.3),
        Dense(w(256)), leaky(0.2),
        Dense(1, activation="sigmoid"),
    ])


def silva_start():
    return {"kernel_initializer": RandomNormal(stddev=0.02)}


def silva_norm():
    return BatchNormalization(momentum=0.9, epsilon=1e-5)


def silva_generator(w):
    def up(filters):
        return Conv2DTranspose(filters, 5, strides=2, padding="same", **silva_start())

    return Sequential([
        Input((100,)),
        Dense(4 * 4 * w(512), **silva_start()),
        Reshape((4, 4, w(512))), silva_norm(), ReLU(),
        up(w(256)), silva_norm(), ReLU(),
        up(w(128)), silva_norm(), ReLU(),
        up(3), Activation("tanh"),
    ])


def silva_discriminator(w):
    def down(filters):
        return Conv2D(filters, 5, strides=2, padding="same", **silva_start())

    image = Input((32, 32, 3))
    x = leaky(0.2)(down(w(64))(image))
    x = leaky(0.2)(silva_norm()(down(w(128))(x)))
    x = leaky(0.2)(silva_norm()(down(w(256))(x)))
    logit = Dense(1, **silva_start())(Flatten()(x))
    return Model(image, [Activation("sigmoid")(logit), logit])


def fredriksson_generator(_):
    return Sequential([
        Input((2,)),
        Dense(10), leaky(0.2),
        Dense(10), leaky(0.2),
        Dense(2),
    ])


def fredriksson_discriminator(_):
    return Sequential([
        Input((2,)),
        Dense(10), leaky(0.2),
        Dense(10), leaky(0.2),
        Dense(1, activation="sigmoid"),
    ])


def intro_generator(w, norm=True):
    return Sequential([
        Input((128,)),
        Dense(w(256), activation=leaky(0.2)),
        Dense(w(512), activation=leaky(0.2)),
        Dense(w(1024), activation=leaky(0.2)),
        *([BatchNormalization()] if norm else []),
        Dense(784, activation="tanh"),
        Reshape((28, 28, 1)),
    ])


def intro_discriminator(w):
    return Sequential([
        Input((28, 28, 1)),
        Flatten(),
        Dense(w(512), activation=leaky(0.2)),
        Dense(w(256), activation=leaky(0.2)),
        Dense(1, activation="sigmoid"),
    ])


NETWORKS = {
    "michelucci-dcgan": (michelucci_dcgan_generator, michelucci_dcgan_discriminator),
    "michelucci-cgan": (michelucci_cgan_generator, michelucci_cgan_discriminator),
    "guo-mlp": (guo_generator, guo_discriminator),
    "silva-dcgan": (silva_generator, silva_discriminator),
    "fredriksson-2d": (fredriksson_generator, fredriksson_discriminator),
    "intro-mlp": (intro_generator, intro_discriminator),
}
