"""A classifier of digits, and what it makes of samples.

    python classifier.py train MNIST CLASSIFIER
    python classifier.py judge MNIST CLASSIFIER SAMPLES.npy CLASSES

Both print a line of JSON. SAMPLES.npy are pictures [n, 1, 28, 28] in [-1, 1]. Of
a conditional GAN picture i was asked to have class i modulo CLASSES; CLASSES is 0
for the others.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import mnist

TRAINED = 50_000  # of the training set; the others are the floor of the distance
EPOCHS = 4
SURE = 0.9
FEATURES = 64
SEEN = 1000  # samples in which classes are counted


def network():
    layers = keras.layers
    return keras.Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(FEATURES, activation="relu", name="features"),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip


def train(folder, path):
    keras.utils.set_random_seed(1)
    x, labels = mnist.load(folder, "train")
    model = network()
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:TRAINED], labels[:TRAINED], 128, EPOCHS, verbose=0)
    test, answers = mnist.load(folder, "t10k")
    _, accuracy = model.evaluate(test, answers, 500, verbose=0)
    model.save(path)
    real = Look(model, test)
    floor = frechet(real.features, Look(model, x[TRAINED:]).features)
    return {"accuracy": accuracy, "floor": floor, "sure_of_real": float((real.sure >= SURE).mean())}


class Look:
    """What the classifier makes of pictures: for each its class, how sure it is of
    it, and the features it goes by."""

    def __init__(self, model, pictures):
        both = keras.Model(model.inputs, [model.get_layer("features").output, model.outputs[0]])
        self.features, probabilities = both.predict(pictures, 500, verbose=0)
        self.classes = probabilities.argmax(1)
        self.sure = probabilities.max(1)


def judge(folder, path, samples, classes):
    model = keras.models.load_model(path)
    pictures = np.load(samples).reshape(-1, 28, 28, 1)
    got = Look(model, pictures)
    real = Look(model, mnist.load(folder, "t10k")[0])
    first = got.classes[:SEEN][got.sure[:SEEN] >= SURE]
    out = {
        "samples": len(pictures),
        "sure": float((got.sure >= SURE).mean()),
        "classes": len(set(first.tolist())),
        "shares": np.bincount(got.classes, minlength=10).tolist(),
        "frechet": frechet(got.features, real.features),
    }
    if classes:
        out["asked"] = float((got.classes == np.arange(len(pictures)) % classes).mean())
    return out


def frechet(a, b):
    """The Frechet distance of two normal distributions with the means and the
    covariances of features [n, d]: |m - n|^2 + tr(A + B - 2 (A B)^(1/2))."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    # The eigenvalues of A B are those of the symmetric A^(1/2) B A^(1/2).
    mixed = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * mixed)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "train":
        print(json.dumps(train(*arguments)))
    else:
        *paths, classes = arguments
        print(json.dumps(judge(*paths, int(classes))))
