import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.optimizers.schedules import ExponentialDecay

from mnist_lib import (
    Adam,
    Distortion,
    NaiveDense,
    NaiveSequential,
    accuracy,
    fit,
    fit_compiled,
    in_float64,
    one_cycle,
)


def make_model(inputs=6, classes=3):
    tf.random.set_seed(7)
    return NaiveSequential(
        [
            NaiveDense(inputs, 5, tf.nn.relu, keras.initializers.HeNormal(1)),
            NaiveDense(5, classes, tf.nn.softmax, keras.initializers.HeNormal(2)),
        ]
    )


fit_as_graph = functools.partial(fit_compiled, jit_compile=False)  # without XLA, sooner


def difference(one, other):
    pairs = zip(one.weights, other.weights, strict=True)
    return max(np.abs(a.numpy() - b.numpy()).max() for a, b in pairs)


def trained(train, data, rule=None, **settings):
    model = make_model(data[0].shape[1])
    if rule is not None:
        settings["update"] = rule(model.weights)
    return model, train(model, *data, **{"verbose": 0, "epochs": 3, **settings})


SHUFFLED = {"shuffle": True, "seed": 3}
SETTINGS = {
    "one example to a batch": {"batch_size": 1, "epochs": 1},
    "a short last batch": {"batch_size": 20, "learning_rate": one_cycle(0.3, 9)},
    "Adam": {"rule": Adam, "learning_rate": 0.01, "batch_size": 20, **SHUFFLED},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_it_gives_the_weights_and_the_history_of_fit(small_data, settings):
    expected, history = trained(fit, small_data, **settings)
    assert difference(expected, make_model()) > 1e-4  # something was learned
    for compile_how in ({"jit_compile": True}, {"jit_compile": False}):
        model, own = trained(fit_compiled, small_data, **settings, **compile_how)
        assert difference(model, expected) <= 1e-5
        assert own.batch_sizes == history.batch_sizes
        assert own.batch_losses == pytest.approx(history.batch_losses, abs=1e-5)
        assert own.epoch_losses == pytest.approx(history.epoch_losses, abs=1e-5)


def test_distorted_pictures_are_the_same_for_both(random):
    data = random.random((50, 36), dtype="float32"), random.integers(0, 3, 50)
    settings = {"batch_size": 20, "learning_rate": 0.1, "shuffle": True, "seed": 1}
    expected, _ = trained(fit, data, distort=Distortion(seed=5), **settings)
    plain, _ = trained(fit, data, **settings)
    model, _ = trained(fit_as_graph, data, distort=Distortion(seed=5), **settings)
    assert difference(model, expected) <= 1e-5 < difference(model, plain)


@pytest.mark.mnist
def test_an_epoch_of_mnist_gives_the_weights_of_fit(mnist, source_model):
    images, labels = mnist[:2]
    start = [weight.numpy() for weight in source_model.weights]
    settings = {"epochs": 1, "shuffle": True, "seed": 1, "verbose": 0}
    fit(source_model, images, labels, **settings)
    expected = [weight.numpy() for weight in source_model.weights]
    for weight, value in zip(source_model.weights, start, strict=True):
        weight.assign(value)
    fit_compiled(source_model, images, labels, **settings)
    for weight, value in zip(source_model.weights, expected, strict=True):
        assert np.abs(weight - value).max() <= 1e-5


def test_it_prints_the_lines_of_fit(small_data, capsys):
    images, labels = (np.concatenate([part] * 3)[:101] for part in small_data)
    settings = {"batch_size": 1, "epochs": 2, "metric": accuracy, "verbose": 1}
    settings |= {"validation_data": small_data}
    printed = []
    for train in (fit, fit_as_graph):
        trained(train, (images, labels), **settings)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].count("loss at batch") == 4


class Reads:
    count = 0


def counted_relu(sums):
    """Count how often Python reads this; in a class, where nobody looks for it."""
    Reads.count += 1
    return tf.nn.relu(sums)


def traced(model, data, jit_compile=False, **settings):
    """Train an epoch, and return whether that traced anything."""
    before, settings["jit_compile"] = Reads.count, jit_compile
    fit_compiled(model, *data, 1, 50, verbose=0, **settings)
    return Reads.count - before > 1  # once to try a few examples


def test_a_program_is_used_again_until_something_changes(small_data):
    layers = [NaiveDense(6, 5, counted_relu), NaiveDense(5, 3, tf.nn.softmax)]
    model, rules = NaiveSequential(layers), []
    assert traced(model, small_data)
    assert not any(traced(model, small_data) for _ in range(3))
    rules += [Adam(model.weights), Adam(model.weights)]
    for rule in rules:
        assert traced(model, small_data, update=rule)
        assert not traced(model, small_data, update=rule)
    assert traced(model, [part[:40] for part in small_data])
    assert traced(model, small_data, jit_compile=True)
    layers[1].activation = lambda sums: tf.nn.softmax(2 * sums)
    before = model.weights[0].numpy()
    assert traced(model, small_data)
    assert not np.array_equal(before, model.weights[0])
    layers[0].W = tf.Variable(layers[0].W)
    assert traced(model, small_data)
    assert not np.array_equal(before, layers[0].W)


def test_its_signature_is_that_of_fit_and_jit_compile():
    names = {*inspect.signature(fit).parameters} - {"step", "run_epoch"}
    assert {*inspect.signature(fit_compiled).parameters} == names | {"jit_compile"}


def test_float64_weights_stay_float64(small_data):
    models = []
    for train in (fit, fit_as_graph):
        model = in_float64(make_model())
        images, labels = small_data[0].astype("float64"), small_data[1]
        rule = Adam(model.weights)
        train(model, images, labels, 2, 20, verbose=0, update=rule)
        models.append(model)
    assert {weight.dtype for weight in model.weights} == {tf.float64}
    assert difference(*models) <= 1e-12 < difference(model, make_model())


def mirrored(images):
    return tf.reverse(images, [1])


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": np.int64(20), "learning_rate": ExponentialDecay(0.1, 3, 0.5)},
        {"learning_rate": lambda step: tf.constant(0.1), "distort": mirrored},
    ],
)
def test_it_takes_numbers_schedules_and_distortions_of_any_kind(small_data, change):
    expected, _ = trained(fit, small_data, **change)
    model, _ = trained(fit_as_graph, small_data, **change)
    assert difference(model, expected) <= 1e-5


@pytest.mark.slow
def test_training_many_models_gives_no_warning(small_data, caplog):
    for _ in range(8):
        trained(fit_compiled, small_data, epochs=1)
    assert "retracing" not in caplog.text
