import inspect
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Callback,
    History,
    Momentum,
    NaiveDense,
    NaiveSequential,
    fit,
    fit_compiled,
    update_weights,
)
from mnist_lib.callbacks.watching import Watcher


class Interrupt(Callback):
    """Presses Ctrl-C after so many steps."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, batch, history):
        if len(history.batch_losses) == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("train", [fit, fit_compiled])
def test_an_interrupt_keeps_the_history(
    small_model, small_data, train, interruptible, capsys
):
    settings = {"batch_size": 20, "verbose": 0, "callbacks": [Interrupt(4)]}
    history = train(small_model, *small_data, 5, **settings)
    assert len(history.batch_losses) == 4  # of 3 to an epoch
    assert "the history of 4 steps is returned" in capsys.readouterr().out


def test_an_interrupted_training_goes_on_from_its_checkpoint(
    small_data, tmp_path, interruptible
):
    settings = {"epochs": 3, "batch_size": 20, "verbose": 0, "checkpoint_dir": tmp_path}

    def train(callbacks=(), **more):
        tf.random.set_seed(7)
        model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)])
        history = fit(model, *small_data, callbacks=callbacks, **(settings | more))
        return history.batch_losses

    expected = train(checkpoint_dir=None)
    assert train([Interrupt(5)]) == expected[:5]
    assert train() == expected


def stuck_line(out):
    return [line for line in out.splitlines() if line.startswith("The loss jumped")]


@pytest.mark.parametrize("train", [fit, fit_compiled])
def test_a_loss_that_jumped_and_stays_is_said_once(random, train, capsys):
    images = random.random((1000, 6), dtype="float32")
    labels = random.integers(0, 10, 1000)
    layers = [NaiveDense(6, 50, tf.nn.relu), NaiveDense(50, 10, tf.nn.softmax)]
    for verbose, count in ((1, 1), (0, 0)):
        model = NaiveSequential(layers)
        train(model, images, labels, 3, 50, 1000.0, False, 1, None, None, verbose)
        assert len(stuck_line(capsys.readouterr().out)) == count


def falling(steps, noise):
    return 2.3 * np.exp(-np.arange(steps) / 100) + noise


HEALTHY = {
    "falls": lambda noise: falling(400, 0.1 + noise),
    "stays at the start": lambda noise: 2.3 + noise,
    "sorted by class: one class after the other": lambda noise: (
        np.abs(3 * np.sin(np.arange(400) / 20)) + 0.1
    ),
    "grows": lambda noise: 1 + np.arange(400) / 20 + noise,
    "scatters": lambda noise: np.where(noise > 0, 16.1, 0.5),
    "goes on from a good network": lambda noise: np.abs(0.1 + 3 * noise),
}


@pytest.mark.parametrize("losses", HEALTHY.values(), ids=HEALTHY)
def test_nothing_is_said_of_a_loss_that_moves(losses, random, capsys):
    losses = losses(0.01 * random.standard_normal(400))
    for steps in (50, 100, 200, 400):
        Watcher().on_epoch_end(0, History([*losses[:steps]]))
    assert capsys.readouterr().out == ""


def short_rule(gradients, weights, learning_rate):
    update_weights(gradients[:1], weights, learning_rate)


def talking_rule(gradients, weights, learning_rate):
    tf.print("a step")
    update_weights(gradients, weights, learning_rate)


def test_the_library_s_sentence_comes_first(small_model, small_data):
    with pytest.raises(ValueError, match="^gradients and weights must be of the same"):
        fit_compiled(small_model, *small_data, 1, verbose=0, update=short_rule)


def test_what_xla_cannot_compile_runs_as_a_graph(small_model, small_data):
    settings = {"epochs": 1, "verbose": 0, "update": talking_rule}
    words = r"XLA can compile, got others \(PrintV2\). With jit_compile=False"
    with pytest.raises(ValueError, match=words):
        fit_compiled(small_model, *small_data, **settings)
    fit_compiled(small_model, *small_data, **settings, jit_compile=False)


def test_an_error_of_the_reader_s_code_keeps_its_place(small_model, small_data):
    def rule(gradients, weights, learning_rate):
        weights[0].assign_sub(gradients[0] + "a text")

    with pytest.raises(Exception, match="in user code"):
        fit_compiled(small_model, *small_data, 1, verbose=0, update=rule)


def test_an_optimizer_of_keras_is_a_rule(small_data):
    def trained(train, make, *rate):
        tf.random.set_seed(7)
        model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)])
        settings = {"verbose": 0, "update": make(model.weights)}
        return train(model, *small_data, 2, 20, *rate, **settings).batch_losses

    def optimizer(weights):
        return keras.optimizers.SGD(0.3, momentum=0.9)

    expected = pytest.approx(trained(fit, Momentum, 0.3), abs=1e-5)
    for train in (fit, fit_compiled):
        assert trained(train, optimizer) == expected
    slower = pytest.approx(trained(fit, Momentum, 0.1), abs=1e-5)
    assert trained(fit, optimizer, 0.1) == slower != expected


def test_an_optimizer_of_keras_goes_on_from_a_checkpoint(small_data, tmp_path):
    def trained(epochs, **settings):
        tf.random.set_seed(7)
        model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)])
        settings |= {"update": keras.optimizers.Adam(0.1), "verbose": 0}
        return fit(model, *small_data, epochs, 20, **settings).batch_losses

    trained(1, checkpoint_dir=tmp_path)
    assert trained(3, checkpoint_dir=tmp_path) == trained(3)


def test_an_optimizer_of_keras_serves_one_model_and_one_rate(small_data):
    models = [NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)]) for _ in "ab"]
    optimizer = keras.optimizers.Adam()
    for _ in range(2):
        fit(models[0], *small_data, 1, verbose=0, update=optimizer)
    with pytest.raises(ValueError, match="only be called for the variables it was ori"):
        fit(models[1], *small_data, 1, verbose=0, update=optimizer)
    plan = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    with pytest.raises(TypeError, match="learning rate is not settable"):
        fit(models[1], *small_data, 1, update=keras.optimizers.Adam(plan))


@pytest.mark.parametrize("train", [fit, fit_compiled])
def test_help_shows_all_that_fit_takes(train):
    assert [*inspect.signature(train).parameters][-1] == "checkpoint_dir"


@pytest.mark.parametrize(
    ("callbacks", "words"),
    [
        (Callback(), "callbacks must be a list"),
        ([Callback], "callbacks must be objects of subclasses of mnist_lib.Callback"),
        ([keras.callbacks.EarlyStopping()], "callbacks must be objects of subclasses"),
    ],
)
def test_what_is_no_callback_is_explained(small_model, small_data, callbacks, words):
    with pytest.raises(TypeError, match=words):
        fit(small_model, *small_data, 1, callbacks=callbacks)
