import contextlib
import functools
import multiprocessing
import os
import random as dice
import resource
import shutil
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Adam,
    Distortion,
    Momentum,
    NaiveDense,
    NaiveSequential,
    accuracy,
    average_loss,
    fit,
    fit_compiled,
    one_cycle,
    one_training_step,
    update_weights,
)

DATA, INDEX = ".data-00000-of-00001", ".index"


def make_model(inputs=6, activation=tf.nn.tanh):
    start = keras.initializers.HeNormal
    layers = [NaiveDense(inputs, 5, activation, start(1))]
    return NaiveSequential([*layers, NaiveDense(5, 3, tf.nn.softmax, start(2))])


def make_data(count, inputs=6):
    random = np.random.default_rng(7)
    labels = random.integers(0, 3, count).astype("uint8")
    images = random.random((count, inputs), dtype="float32") + labels[:, None]
    return images / 4, labels


class Noise:
    """A distortion that costs nothing, and draws other noise for every epoch."""

    def __init__(self):
        self.random = np.random.default_rng(3)

    def __call__(self, images):
        return images + self.random.normal(0, 0.1, images.shape).astype("float32")


class Stopped(Exception):
    """Stands for whatever stops a training: it could be anywhere."""


class StepsUntil:
    """Steps of a graph, which are faster, until the last one and no further."""

    def __init__(self, last=float("inf")):
        self.step, self.left = tf.function(one_training_step), last

    def __call__(self, model, images, labels, rate, update, loss):
        if self.left == 0:
            raise Stopped
        self.left -= 1
        return self.step(model, images, labels, tf.constant(rate), update, loss)


def train(folder=None, last=float("inf"), rule=None, distort=None, run=fit, **settings):
    """Train a new model, for at most so many steps; return its weights and history."""
    tf.random.set_seed(settings.pop("tensorflow_seed", 7))
    inputs = settings.pop("inputs", 6)
    model = make_model(inputs, settings.pop("activation", tf.nn.tanh))
    data = make_data(settings.pop("count", 130), inputs)
    given = {"epochs": 3, "batch_size": 1, "learning_rate": 0.05, "verbose": 0}
    given["update"] = rule(model.weights) if rule else update_weights
    given["distort"] = distort and distort()
    if run is fit:
        given["step"] = StepsUntil(last)
    try:
        history = run(model, *data, **{**given, **settings}, checkpoint_dir=folder)
    except Stopped:
        return None
    return [weight.numpy() for weight in model.weights], history


compiled = functools.partial(train, run=fit_compiled, batch_size=20, jit_compile=False)


def same(one, other):
    """Whether two trainings are the same, bit for bit."""
    (weights, history), (others, other_history) = one, other
    pairs = zip(weights, others, strict=True)
    return history == other_history and all(
        a.tobytes() == b.tobytes() for a, b in pairs
    )


def names(folder):
    return sorted(os.listdir(folder))


def files_of(*numbers):
    """The names of these checkpoints' files, and of the file that names them."""
    endings = DATA, INDEX
    files = [f"training-{number}{ending}" for number in numbers for ending in endings]
    return sorted([*files, "checkpoint"])


ALL_SETTINGS = {
    "rule": Adam,
    "distort": lambda: Distortion(seed=5),
    "inputs": 36,
    "shuffle": True,
    "seed": 1,
    "learning_rate": one_cycle(0.01, 390),
    "validation_data": make_data(20, 36),
    "metric": accuracy,
}


def test_a_run_that_is_stopped_often_ends_like_one_that_is_not(tmp_path, capsys):
    # Before the first save, right after one, in mid-epoch, at an epoch's end, twice.
    for last in (50, 99, 117, 29, 131):
        assert train(tmp_path, last, **ALL_SETTINGS) is None
    capsys.readouterr()
    model = train(tmp_path, **ALL_SETTINGS)
    told = f"Going on from epoch 1, batch 100 of {tmp_path}/training-3\n"
    assert capsys.readouterr().out == told
    assert same(model, train(**ALL_SETTINGS))
    assert len(model[1].batch_losses) == 390 and len(model[1].epoch_losses) == 3
    assert names(tmp_path) == files_of(5, 6)


@pytest.mark.parametrize("run", [train, compiled])
def test_more_epochs_go_on_and_as_many_return_at_once(tmp_path, run, capsys):
    settings = {"count": 30, "shuffle": True, "seed": 1, "rule": Momentum}
    for epochs in (1, 3, 4):
        model = run(tmp_path, epochs=epochs, **settings)
        assert len(model[1].epoch_losses) == epochs
    assert same(model, run(epochs=4, **settings))
    capsys.readouterr()
    before = names(tmp_path)
    assert same(run(tmp_path, epochs=3, **settings), model)
    assert names(tmp_path) == before
    told = f"The training is already complete: {tmp_path}/training-4 has 4 epochs\n"
    assert capsys.readouterr().out == told


def test_fit_and_fit_compiled_take_over_from_each_other(tmp_path):
    settings = {"rule": Momentum, "distort": Noise, "shuffle": True, "seed": 3}
    settings |= {"count": 50, "batch_size": 20, "validation_data": make_data(20)}
    expected, history = train(epochs=4, **settings)
    for epochs, run in enumerate([train, compiled] * 2, 1):
        weights, own = run(tmp_path, epochs=epochs, **settings)
    for weight, value in zip(weights, expected, strict=True):
        assert np.abs(weight - value).max() <= 1e-5
    assert own.batch_losses == pytest.approx(history.batch_losses, abs=1e-5)
    assert own.batch_sizes == history.batch_sizes


def test_a_checkpoint_from_mid_epoch_is_none_for_fit_compiled(tmp_path):
    assert train(tmp_path, 120) is None
    words = "go on with fit first.*got one after 100 examples"
    with pytest.raises(ValueError, match=words):
        compiled(tmp_path, count=130, batch_size=1)
    train(tmp_path, epochs=1)
    compiled(tmp_path, count=130, batch_size=1, epochs=2)


CHANGES = [
    ({"inputs": 7}, r"model.layers.0.input_size must be 6, got 7"),
    ({"activation": tf.nn.relu}, "model.layers.0.activation must be tanh, got relu"),
    ({"rule": Adam}, "update must be Momentum, got Adam"),
    (
        {"rule": lambda weights: Momentum(weights, 0.5)},
        "update.momentum must be 0.9, got 0.5",
    ),
    ({"distort": Noise}, "distort must be None, got Noise"),
    ({"loss": lambda *pair: average_loss(*pair)}, "loss must be average_loss, got <la"),
    ({"batch_size": 2}, "batch_size must be 1, got 2"),
    ({"shuffle": True}, "shuffle must be False, got True"),
    ({"seed": 3}, "seed must be None, got 3"),
    ({"tensorflow_seed": 8}, "TensorFlow's seed must be 7, got 8"),
    ({"count": 19}, "the data's digest must be [0-9a-f]{64}, got [0-9a-f]{64}"),
    ({"learning_rate": 0.5}, "learning_rate must be 0.05, got 0.5"),
    ({"learning_rate": lambda step: 0.05}, "learning_rate must be 0.05, got <lambda>"),
]


def test_the_checkpoint_of_another_training_is_refused(tmp_path):
    settings = {"count": 20, "epochs": 1, "rule": Momentum}
    train(tmp_path, **settings)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for change, words in CHANGES:
        words = f"to go on from {tmp_path}/training-1, {words}.*. Use another folder"
        with pytest.raises(ValueError, match=words):
            train(tmp_path, **{**settings, **change})
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


SHORT = {"count": 20, "batch_size": 20, "epochs": 2}  # two checkpoints


def test_the_two_newest_are_kept_and_other_files_left_alone(tmp_path):
    others = ["training-best.index", "training-1.index.old", "training-notes.txt"]
    for name in others:
        (tmp_path / name).write_text("mine")
    for epochs in (1, 2, 11):  # 10 is newer than 9, other than in the alphabet
        train(tmp_path, **{**SHORT, "epochs": epochs})
        kept = files_of(*{max(epochs - 1, 1), epochs})
        assert names(tmp_path) == sorted([*others, *kept])


@pytest.mark.parametrize("name", ["größer ]", "deep/training-1", "./here"])
def test_a_folder_may_have_any_name_and_be_moved(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(name, **SHORT)
    (tmp_path / name).rename("there")
    longer = {**SHORT, "epochs": 3}
    assert same(train("there", **longer), train(**longer))
    assert names("there") == files_of(2, 3)


def test_a_name_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path):
    # It would remove what others have saved in folders that fit.
    for name in ("run[1]", "what?", "*", "back\\slash"):
        with pytest.raises(ValueError, match="must be a path without any"):
            train(tmp_path / name)
    assert names(tmp_path) == []


def test_what_a_killed_write_left_does_not_count(tmp_path):
    def leave(number):
        part = tmp_path / f"training-{number}_temp/part-00000-of-00001.index.tempstate1"
        part.parent.mkdir()
        for path in (part, tmp_path / f"training-{number}{INDEX}"):
            path.write_bytes(b"half")

    for number in (1, 3):
        leave(number)
        settings = {**SHORT, "epochs": number + 1}
        assert same(train(tmp_path, **settings), train(**settings))
        assert names(tmp_path) == files_of(number, number + 1)


@contextlib.contextmanager
def files_of_at_most(size):
    """Let files grow to a size only: a real error of the disk, without its end."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [100, 1000])
def test_a_failed_write_leaves_the_old_checkpoints(tmp_path, size, capsys):
    # 100 bytes are too few for the state file, 1000 for the checkpoint. Capsys keeps
    # what is printed in memory.
    train(tmp_path, **SHORT)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    longer = {**SHORT, "epochs": 3}
    with files_of_at_most(size):
        with pytest.raises(tf.errors.OpError, match=f"{tmp_path}.* File too large"):
            train(tmp_path, **longer)
    assert {path: path.read_bytes() for path in before} == before
    assert same(train(tmp_path, **longer), train(**longer))
    assert names(tmp_path) == files_of(2, 3)


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(tmp_path, capsys):
    settings = {"rule": Momentum, "shuffle": True, "seed": 1, "epochs": 2}
    expected = train(**settings)
    assert train(tmp_path / "whole", 235, **settings) is None
    for ending in (INDEX, DATA):
        content = (tmp_path / f"whole/training-3{ending}").read_bytes()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        for damaged in (flipped, content[:-1]):
            folder = shutil.copytree(tmp_path / "whole", tmp_path / "damaged")
            (folder / f"training-3{ending}").write_bytes(damaged)
            capsys.readouterr()
            assert same(train(folder, **settings), expected)
            told = capsys.readouterr().out.splitlines()
            assert told[0].startswith(f"{folder}/training-3 is not usable: ")
            assert told[1] == f"Going on from epoch 1, batch 0 of {folder}/training-2"
            assert names(folder) == files_of(3, 4)
            shutil.rmtree(folder)


def test_where_all_checkpoints_are_damaged_no_training_begins_anew(tmp_path):
    train(tmp_path, **SHORT)
    for path in tmp_path.glob("*.index"):
        path.write_bytes(b"half")
    with pytest.raises(ValueError, match=f"^{tmp_path}/training-2 is not usable: "):
        train(tmp_path, **SHORT)


def test_a_file_in_the_place_of_the_folder_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    for run in (train, compiled):
        with pytest.raises(FileExistsError, match="file"):
            run(tmp_path / "file", distort=lambda: pytest.fail)


# Processes are started from one that has imported all and done nothing, to be fast.
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["mnist_lib", "pytest", "yaml"])

KILLED = {
    "rule": Momentum,
    "distort": Noise,
    "shuffle": True,
    "seed": 3,
    "epochs": 10**6,
    "validation_data": make_data(20),
    "metric": accuracy,
}


def files_in(folder):
    return {f"{at}/{name}" for at, _, found in os.walk(folder) for name in found}


@pytest.mark.integration
@pytest.mark.slow
def test_a_run_that_is_killed_often_ends_like_one_that_is_not(tmp_path):
    # To trace a graph would take longer than all its steps.
    settings = {**KILLED, "batch_size": 2, "count": 12, "step": one_training_step}
    for number in range(20):
        before = files_in(tmp_path)
        process = forks.Process(target=train, args=(tmp_path,), kwargs=settings)
        process.start()
        while number % 2 and files_in(tmp_path) == before:  # until it saves
            assert process.is_alive()
        time.sleep(dice.uniform(0, [0.5, 0.01][number % 2]))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert len(files_in(tmp_path)) <= 20  # nothing large piles up
    reached = train(tmp_path, **{**settings, "epochs": 1})[1].epoch_losses
    settings["epochs"] = len(reached) + 1
    assert same(train(tmp_path, **settings), train(**settings))
