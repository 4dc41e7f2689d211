import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnist_lib import (
    BatchGenerator,
    Distortion,
    NaiveDense,
    NaiveSequential,
    accuracy,
    accuracy_interval,
    average_loss,
    confusion_matrix,
    fit,
    in_float64,
    loss_and_gradients,
    misclassified,
    numerical_gradient,
    one_cycle,
    predict,
    to_vectors,
    update_weights,
)

SEEDS = st.integers(0, 2**63)


# Batches


@st.composite
def generators(draw):
    """The arguments of a generator, with examples that say their own number."""
    count, shuffle = draw(st.integers(1, 50)), draw(st.booleans())
    images = np.arange(count, dtype="float32")[:, None]
    labels = (images[:, 0] % 10).astype("uint8")
    return images, labels, draw(st.integers(1, 60)), shuffle, draw(SEEDS)


def numbers_in(batches):
    """The examples' numbers in the batches; their labels must have come along."""
    batches = list(batches)
    for images, labels in batches:
        assert np.array_equal(labels, images[:, 0] % 10)
    return [[int(number) for number in images[:, 0]] for images, _ in batches]


@given(generators())
def test_every_epoch_hands_out_each_example_once_and_only_the_last_batch_short(given):
    images, _, size, shuffle, _ = given
    generator = BatchGenerator(*given)
    for _ in range(3):
        batches = numbers_in(generator)
        sizes = [len(batch) for batch in batches]
        assert len(sizes) == len(generator) == math.ceil(len(images) / size)
        assert set(sizes[:-1]) <= {size}
        assert sizes[-1] == (len(images) - 1) % size + 1
        order = sum(batches, [])
        assert sorted(order) == list(range(len(images)))
        assert shuffle or order == sorted(order)


# Losses


@st.composite
def guesses(draw):
    """Labels, and probabilities that add up to 1; some are 0 and some are equal."""
    shape = draw(st.integers(1, 20)), draw(st.integers(1, 5))
    parts = draw(hnp.arrays("float64", shape, elements=st.sampled_from(range(9))))
    if draw(st.booleans()):
        parts += np.random.default_rng(draw(SEEDS)).random(shape) ** 9
    parts += parts.sum(axis=1, keepdims=True) == 0
    labels = draw(hnp.arrays("int64", shape[0], elements=st.integers(0, shape[1] - 1)))
    return labels, parts / parts.sum(axis=1, keepdims=True)


@given(guesses())
def test_the_loss_is_that_of_keras_and_within_its_bounds(given):
    labels, predictions = given
    loss = float(average_loss(labels, predictions))
    theirs = keras.losses.sparse_categorical_crossentropy(labels, predictions)
    assert loss == pytest.approx(float(np.mean(theirs)), abs=1e-6)
    assert -1e-12 <= loss <= 16.12
    for dtype in ("float32", "float16"):
        loss_of_fewer_digits = average_loss(labels, predictions.astype(dtype))
        assert loss_of_fewer_digits.dtype == dtype


# Gradients


@st.composite
def networks(draw):
    """A network of one to three layers, with images and labels for it."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    activations = [tf.nn.tanh, tf.nn.sigmoid, tf.nn.elu]
    chosen = [draw(st.sampled_from(activations)) for _ in sizes[2:]] + [tf.nn.softmax]
    random = np.random.default_rng(draw(SEEDS))

    def start(shape):
        return random.standard_normal(shape)

    pairs = zip(sizes, sizes[1:], chosen, strict=False)
    model = NaiveSequential([NaiveDense(*pair, start) for pair in pairs])
    for layer in model.layers:
        layer.b.assign(start(layer.b.shape))
    images = random.standard_normal((draw(st.integers(1, 12)), sizes[0]))
    return model, images, random.integers(0, sizes[-1], len(images)), random


@given(networks())
def test_the_tape_and_finite_differences_agree_in_any_network(given):
    model, images, labels, random = given
    _, gradients = loss_and_gradients(in_float64(model), images, labels)
    which = int(random.integers(len(gradients)))
    exact = gradients[which].numpy()
    positions = [tuple(random.integers(exact.shape)) for _ in range(2)]
    slopes = numerical_gradient(model, images, labels, which, positions)
    at_positions = [exact[position] for position in positions]
    assert at_positions == pytest.approx(slopes, rel=1e-4, abs=1e-7)


@given(networks(), st.lists(st.integers(1, 11), max_size=2))
def test_the_gradient_of_all_is_the_mean_of_the_parts_by_their_sizes(given, cuts):
    # What training on several machines rests on.
    model, images, labels, _ = given
    twin = in_float64(model)
    loss, gradients = loss_and_gradients(twin, images, labels)
    edges = sorted({0, len(images), *(cut for cut in cuts if cut < len(images))})
    parts = [slice(*edge) for edge in zip(edges, edges[1:], strict=False)]
    results = [loss_and_gradients(twin, images[part], labels[part]) for part in parts]
    shares = [len(labels[part]) / len(labels) for part in parts]
    mean_loss = sum(s * float(own) for s, (own, _) in zip(shares, results, strict=True))
    assert mean_loss == pytest.approx(float(loss), abs=1e-10)
    for i, gradient in enumerate(gradients):
        mean = sum(s * own[i] for s, (_, own) in zip(shares, results, strict=True))
        assert np.allclose(mean, gradient, rtol=1e-9, atol=1e-12)


# Metrics


@given(guesses())
def test_the_metrics_agree_with_each_other_and_with_plain_loops(given):
    labels, predictions = given
    rows = predictions.tolist()
    taken_for = [row.index(max(row)) for row in rows]
    wrong = [i for i, guess in enumerate(taken_for) if guess != labels[i]]
    pairs = [*zip(labels, taken_for, strict=True)]
    counts = confusion_matrix(labels, predictions)
    assert all(counts[pair] == pairs.count(pair) for pair in np.ndindex(counts.shape))
    assert accuracy(labels, predictions) == pytest.approx(1 - len(wrong) / len(rows))
    if len(rows[0]) == 1:  # there is no second guess, and no mistake
        return
    mistakes = misclassified(labels, predictions)
    assert sorted(mistakes.indices) == wrong
    assert np.all(np.diff(mistakes.confidences[:, 0]) <= 0)
    for i, guess, confidence in zip(*mistakes, strict=True):
        assert guess[0] == taken_for[i] != labels[i]
        assert [rows[i][guess[0]], rows[i][guess[1]]] == list(confidence)
        assert list(confidence) == sorted(rows[i])[:-3:-1]


# Bad input

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=3) | st.just("bar"),
    st.lists(st.floats() | st.integers(-3, 3), max_size=3),
)
IMAGES = np.linspace(0, 1, 8, dtype="float32").reshape(2, 4)
LABELS = np.array([0, 2])
PREDICTIONS = np.full((2, 3), 1 / 3, "float32")


def fit_a_model(**arguments):
    fit(NaiveSequential([NaiveDense(4, 3, tf.nn.softmax)]), **arguments)


def predict_with_a_model(batch_size):
    predict(NaiveSequential([NaiveDense(4, 3, tf.nn.softmax)]), IMAGES, batch_size)


def rate_of(step, **arguments):
    return one_cycle(**arguments)(step)


def distort(images, **arguments):
    return Distortion(**arguments)(images)


DATA = {"images": IMAGES, "labels": LABELS}
GUESSES = {"labels": LABELS, "predictions": PREDICTIONS}
DISTORTION = {name: 0.1 for name in ("rotation", "scale", "shear", "shift", "elastic")}
FUNCTIONS = {
    fit_a_model: {
        **{**DATA, "epochs": 1, "batch_size": 2, "learning_rate": 0.1, "seed": None},
        **{"validation_data": None, "metric": None, "verbose": 0},
        **{"update": update_weights, "distort": None},
    },
    BatchGenerator: {**DATA, "batch_size": 2, "seed": None},
    NaiveDense: {"input_size": 2, "output_size": 2, "activation": tf.nn.relu},
    predict_with_a_model: {"batch_size": 2},
    accuracy: GUESSES,
    accuracy_interval: {**GUESSES, "confidence": 0.9},
    confusion_matrix: GUESSES,
    misclassified: GUESSES,
    average_loss: GUESSES,
    to_vectors: {"images": None},
    rate_of: {"step": 0, "peak": 0.1, "num_steps": 5, "warm_up": 0.2},
    distort: {"images": IMAGES, **DISTORTION, "smoothness": 1.0, "seed": 1},
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@given(data=st.data(), value=VALUES)
def test_what_is_wrong_is_explained_in_the_words_of_the_library(function, data, value):
    argument = data.draw(st.sampled_from(sorted(FUNCTIONS[function])))
    arguments = {**FUNCTIONS[function], argument: value}
    try:
        function(**arguments)
    except (ValueError, TypeError) as error:
        assert re.fullmatch(".+ must be .+, got .*", str(error), re.DOTALL), error
    except FloatingPointError as error:  # a rate that is far too large
        assert function is fit_a_model and argument == "learning_rate", error
