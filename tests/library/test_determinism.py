import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Trains in every way, and prints digests of the weights and the losses. The matrices
# are large enough for TensorFlow to share them out among its threads.
TRAINING = """
import functools, json, sys
import numpy as np
import tensorflow as tf
from mnist_lib import (
    Adam, Distortion, NaiveDense, NaiveSequential, fit, fit_compiled, he_start
)
from mnist_lib.saving.disk import sha256

WAYS = {
    "fit": fit,
    "XLA": fit_compiled,
    "graph": functools.partial(fit_compiled, jit_compile=False),
}
random = np.random.default_rng(1)
images = random.random((256, 784), dtype="float32")
labels = random.integers(0, 10, 256).astype("uint8")

def train(way):
    tf.random.set_seed(1)
    model = NaiveSequential([
        NaiveDense(784, 64, tf.nn.relu, he_start),
        NaiveDense(64, 10, tf.nn.softmax, he_start),
    ])
    before = sha256(*[weight.numpy() for weight in model.weights])
    history = WAYS[way](
        model, images, labels, epochs=2, batch_size=128, verbose=0,
        shuffle=True, seed=1, update=Adam(model.weights), distort=Distortion(seed=1),
    )
    after = sha256(*[weight.numpy() for weight in model.weights])
    return [before, after, sha256(np.array(history.batch_losses))]

print(json.dumps({way: train(way) for way in sys.argv[1:]}))
"""
WAYS = ["fit", "XLA", "graph"]


def test_the_same_seeds_give_the_same_bits_in_another_process():
    one, other = (
        json.loads(subprocess.check_output([sys.executable, "-c", TRAINING, *ways]))
        for ways in (WAYS, WAYS[::-1])  # so that nothing hangs on what ran before
    )
    assert one == other
    assert all(before != after for before, after, _ in one.values())  # it was trained
