import json
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Trains in every way, from every choice of seeds, and prints digests of the weights.
# The matrices are large enough for TensorFlow to share them out among its threads.
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

def train(way, start, order, distortion):
    tf.random.set_seed(start)
    model = NaiveSequential([
        NaiveDense(784, 64, tf.nn.relu, he_start),
        NaiveDense(64, 10, tf.nn.softmax, he_start),
    ])
    before = sha256(*[weight.numpy() for weight in model.weights])
    history = WAYS[way](
        model, images, labels, epochs=2, batch_size=128, verbose=0,
        shuffle=True, seed=order, update=Adam(model.weights),
        distort=Distortion(seed=distortion),
    )
    after = sha256(*[weight.numpy() for weight in model.weights])
    return [before, after, sha256(np.array(history.batch_losses))]

digests = {case: train(*json.loads(case)) for case in sys.argv[1:]}
print(json.dumps(digests))
"""
WAYS = ["fit", "XLA", "graph"]
SEEDS = {
    "the same": (1, 1, 1),
    "another start": (2, 1, 1),
    "another order": (1, 2, 1),
    "another distortion": (1, 1, 2),
}
# XLA compiles for seconds, and all that the seeds decide it shares with the graph.
LEFT_OUT = {("XLA", "another start"), ("XLA", "another distortion")}
CASES = {
    (way, seeds): json.dumps([way, *SEEDS[seeds]])
    for way in WAYS
    for seeds in SEEDS
    if (way, seeds) not in LEFT_OUT
}


@pytest.fixture(scope="module")
def processes():
    """The digests of the weights at the start, at the end, and of the losses."""
    # In the other order, so that nothing hangs on what was trained before.
    orders = list(CASES.values()), list(CASES.values())[::-1]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TRAINING, *order],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for order in orders
    ]
    outputs = [child.communicate() for child in children]
    for child, (_, errors) in zip(children, outputs, strict=True):
        assert child.returncode == 0, errors
    found = [json.loads(output) for output, _ in outputs]
    return [{case: part[name] for case, name in CASES.items()} for part in found]


def digests_of(way, digests):
    """For each choice of seeds the digests: start, end, losses."""
    return {case[1]: digests[case] for case in CASES if case[0] == way}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seeds_give_the_same_bits_in_another_process(processes, way):
    one, other = (digests_of(way, digests) for digests in processes)
    assert one == other
    assert all(before != after for before, after, _ in one.values())  # it was trained


@pytest.mark.parametrize("way", WAYS)
def test_any_other_seed_gives_other_weights_and_losses(processes, way):
    for digests in processes:
        found = digests_of(way, digests)
        _, weights, losses = zip(*found.values(), strict=True)
        assert len(set(weights)) == len(set(losses)) == len(found) > 1


def test_only_the_seed_of_the_start_changes_the_start(processes):
    for digests in processes:
        starts = {
            seeds: found[0] for seeds, found in digests_of("fit", digests).items()
        }
        assert starts.pop("another start") not in starts.values()
        assert len(set(starts.values())) == 1
