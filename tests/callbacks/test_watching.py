import os
import re
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Callback,
    History,
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
        train(model, images, labels, 3, 50, 1000.0, verbose=verbose)
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


EXPLAINED = {
    "the library's own sentence": (
        {"update": short_rule},
        "gradients and weights must be of the same length",
    ),
    "an operation that XLA has not": (
        {"update": talking_rule},
        r"XLA can compile, got others \(PrintV2\). With jit_compile=False",
    ),
}


@pytest.mark.parametrize(("change", "words"), EXPLAINED.values(), ids=EXPLAINED)
def test_the_library_s_sentence_comes_first(small_model, small_data, change, words):
    with pytest.raises(ValueError) as caught:
        fit_compiled(small_model, *small_data, 1, verbose=0, **change)
    assert re.match(f".*{words}", str(caught.value))


def test_an_error_of_the_reader_s_code_keeps_its_place(small_model, small_data):
    def rule(gradients, weights, learning_rate):
        weights[0].assign_sub(gradients[0] + "a text")

    with pytest.raises(Exception, match="in user code"):
        fit_compiled(small_model, *small_data, 1, verbose=0, update=rule)


def test_an_optimizer_of_keras_is_a_rule(small_data):
    def trained(train, **settings):
        tf.random.set_seed(7)
        model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)])
        return train(model, *small_data, 2, 20, verbose=0, **settings).batch_losses

    plain = pytest.approx(trained(fit, learning_rate=0.3), abs=1e-6)
    assert trained(fit, update=keras.optimizers.SGD(), learning_rate=0.3) == plain
    for train in (fit, fit_compiled):
        assert trained(train, update=keras.optimizers.SGD(0.3)) == plain


@pytest.mark.parametrize(
    ("callbacks", "words"),
    [
        (Callback(), "callbacks must be a list"),
        ([Callback], "callbacks must be objects of subclasses of mnist_lib.Callback"),
        ([print], "callbacks must be objects of subclasses"),
        ([keras.callbacks.EarlyStopping()], "callbacks must be objects of subclasses"),
    ],
)
def test_what_is_no_callback_is_explained(small_model, small_data, callbacks, words):
    with pytest.raises(TypeError, match=words):
        fit(small_model, *small_data, 1, callbacks=callbacks)
