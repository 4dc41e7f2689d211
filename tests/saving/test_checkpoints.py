import contextlib
import functools
import multiprocessing
import os
import random as dice
import re
import resource
import signal
import time
from pathlib import PureWindowsPath

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
    fit,
    fit_compiled,
    one_cycle,
    one_training_step,
    update_weights,
)
from mnist_lib.saving.checkpoints import (
    check_no_pattern,
    describe,
    read_progress,
    saved_checkpoints,
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


class NoEpoch:
    """A distortion that must not be called: no epoch should begin."""

    def __call__(self, images):
        raise AssertionError("an epoch began")


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


def train(folder=None, last=float("inf"), rule=None, distort=None, **settings):
    """Train a new model, for at most so many steps; return its weights and history."""
    tf.random.set_seed(settings.pop("tensorflow_seed", 7))
    inputs = settings.pop("inputs", 6)
    model = make_model(inputs, settings.pop("activation", tf.nn.tanh))
    data = make_data(settings.pop("count", 130), inputs)
    given = {"epochs": 3, "batch_size": 1, "learning_rate": 0.05, "verbose": 0}
    given["update"] = rule(model.weights) if rule else update_weights
    given["distort"] = distort and distort()
    given["step"] = StepsUntil(last)
    try:
        history = fit(model, *data, **{**given, **settings}, checkpoint_dir=folder)
    except Stopped:
        return None
    return [weight.numpy() for weight in model.weights], history


def compiled(folder=None, rule=None, distort=None, count=50, **settings):
    model, data = make_model(), make_data(count)
    given = {"epochs": 3, "batch_size": 20, "learning_rate": 0.05, "verbose": 0}
    given["update"] = rule(model.weights) if rule else update_weights
    given["distort"] = distort and distort()
    given = {**given, "jit_compile": False, **settings}
    history = fit_compiled(model, *data, **given, checkpoint_dir=folder)
    return [weight.numpy() for weight in model.weights], history


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


def is_tidy(folder):
    """Whether there are two checkpoints, the file that names them, and no more."""
    numbers = [int(path.name.rpartition("-")[2]) for path in saved_checkpoints(folder)]
    return len(numbers) == 2 and names(folder) == files_of(*numbers)


ALL_SETTINGS = {
    "rule": Adam, "distort": lambda: Distortion(seed=5), "inputs": 36,
    "shuffle": True, "seed": 1, "learning_rate": one_cycle(0.01, 390),
    "validation_data": make_data(20, 36), "metric": accuracy,
}  # fmt: skip


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
    assert is_tidy(tmp_path)


@pytest.mark.parametrize("run", [train, compiled])
def test_more_epochs_go_on_from_where_fewer_ended(tmp_path, run):
    settings = {"count": 30, "shuffle": True, "seed": 1, "rule": Momentum}
    for epochs in (1, 2, 4):
        model = run(tmp_path, epochs=epochs, **settings)
        assert len(model[1].epoch_losses) == epochs
    assert same(model, run(epochs=4, **settings))


@pytest.mark.parametrize("run", [train, compiled])
def test_a_finished_run_returns_at_once(tmp_path, run, capsys):
    model, before = run(tmp_path, count=30), names(tmp_path)
    again = run(tmp_path, count=30, verbose=1)
    assert same(again, model) and names(tmp_path) == before
    told = f"The training is already complete: {tmp_path}/training-3 has 3 epochs\n"
    assert capsys.readouterr().out == told
    assert len(run(tmp_path, count=30, epochs=1)[1].epoch_losses) == 3


def test_without_a_seed_the_saved_order_goes_on(tmp_path):
    handed_out = []

    def noted(model, images, labels, rate, update, loss):
        if len(handed_out) == 170:
            handed_out.append(None)  # once only
            raise Stopped
        handed_out.append(images[0].tobytes())
        return tf.constant(0.0)

    settings = {"shuffle": True, "seed": None, "epochs": 2, "step": noted}
    assert train(tmp_path, **settings) is None
    train(tmp_path, **settings)
    # Steps 130 to 169 of the second epoch were lost, and come once more.
    assert handed_out[130:170] == handed_out[171:211]
    epochs = handed_out[:130], handed_out[171:]
    assert [len(set(epoch)) for epoch in epochs] == [130, 130]
    assert epochs[0] != epochs[1]


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


def test_what_a_distortion_draws_from_matters_only_to_checkpoints(tmp_path):
    class Plain:
        random = dice.Random(3)

        def __call__(self, images):
            return images * np.float32(self.random.random())

    train(distort=Plain, count=5)
    words = "the distortion's random must be a numpy.random.Generator, to be saved, got"
    with pytest.raises(TypeError, match=words):
        train(tmp_path, distort=Plain, count=5)


def longer_schedule(step):
    return 0.05 if step < 20 else 0.01


CHANGES = [
    ({"inputs": 7}, r"the weights' shapes must be \[\[6, 5\].*got \[\[7, 5\]"),
    ({"activation": tf.nn.relu}, "layer 0 must be .*=tanh.*, got .*=relu"),
    ({"activation": lambda x: tf.nn.tanh(2 * x)}, "layer 0 must be .*, got .*tanh 2"),
    ({"rule": Adam}, r"the rule must be Momentum\(momentum=0.9.*, got Adam\("),
    (
        {"rule": lambda weights: Momentum(weights, 0.5)},
        "the rule must be .*momentum=0.9.*, got .*momentum=0.5",
    ),
    ({"distort": Noise}, "the distortion must be NoneType, got Noise"),
    ({"batch_size": 2}, "batch_size must be 1, got 2"),
    ({"shuffle": True}, "shuffle must be False, got True"),
    ({"seed": 3}, "seed must be None, got 3"),
    ({"tensorflow_seed": 8}, "TensorFlow's seed must be 7, got 8"),
    ({"count": 19}, "the data's digest must be [0-9a-f]{64}, got [0-9a-f]{64}"),
    ({"learning_rate": 0.5}, "the learning rate of step 0 must be 0.05, got 0.5"),
    (
        {"learning_rate": lambda step: 0.05 - step / 1000},
        "the learning rate of step 1 must be 0.05, got 0.049",
    ),
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


def test_a_longer_schedule_may_begin_as_the_shorter_one(tmp_path):
    settings = {"count": 20, "epochs": 2, "learning_rate": longer_schedule}
    train(tmp_path, count=20, epochs=1)
    assert same(train(tmp_path, **settings), train(**settings))


def loss_with(share):
    return lambda labels, predictions: share * np.e


def test_a_part_is_described_by_what_it_does():
    parts = [tf.nn.relu, tf.nn.tanh, functools.partial(tf.nn.leaky_relu, alpha=0.1)]
    parts += [lambda x: x + 1, lambda x: x + 2, lambda x: tf.nn.relu(x)]
    parts += [loss_with(0.1), loss_with(0.2), Distortion(), Distortion(shift=2)]
    assert len({*map(describe, parts)}) == len(parts)
    assert describe(loss_with(0.1)) == describe(loss_with(0.1))
    assert describe(Distortion(seed=1)) == describe(Distortion())


def test_a_rule_of_the_same_name_that_remembers_more_is_refused(tmp_path):
    def rule(size):
        class Rule:
            def __init__(self, weights):
                self.memory = [tf.Variable(0.0) for _ in range(size)]

            def __call__(self, gradients, weights, rate):
                self.memory[0].assign_add(1.0)

        return Rule

    train(tmp_path, count=20, epochs=1, rule=rule(2))
    with pytest.raises(ValueError, match="training-1 is not usable: .*Delete"):
        train(tmp_path, count=20, rule=rule(1))


SHORT = {"count": 20, "batch_size": 20, "epochs": 2}  # two checkpoints


def test_the_two_newest_are_kept(tmp_path):
    for epochs in (1, 2, 11):  # 10 is newer than 9, other than in the alphabet
        train(tmp_path, **{**SHORT, "epochs": epochs})
        assert names(tmp_path) == files_of(*{max(epochs - 1, 1), epochs})


def test_other_files_stay_and_do_not_disturb(tmp_path):
    others = ["training-best.index", "training-1.index.old", "training-notes.txt",
              "mytraining-7.index", "training-.index", "checkpoint.txt"]  # fmt: skip
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "training-8").mkdir()
    for epochs in (2, 3):
        train(tmp_path, **{**SHORT, "epochs": epochs})
    assert names(tmp_path) == sorted([*others, "training-8", *files_of(2, 3)])


@pytest.mark.parametrize("name", ["größer ]", "deep/training-1", "./here"])
def test_a_folder_may_have_any_name(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for epochs in (2, 3):
        model = train(name, **{**SHORT, "epochs": epochs})
    assert same(model, train(**{**SHORT, "epochs": 3}))
    assert names(name) == files_of(2, 3)


def test_a_folder_may_be_moved(tmp_path):
    train(tmp_path / "here", **SHORT)
    (tmp_path / "here").rename(tmp_path / "there")
    train(tmp_path / "there", **{**SHORT, "epochs": 3})
    assert names(tmp_path / "there") == files_of(2, 3)


def test_a_name_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path):
    # It would write there, but find nothing to go on from.
    for name in ("run[1]", "what?", "*", "back\\slash"):
        with pytest.raises(ValueError, match="must be a path without any"):
            train(tmp_path / name, distort=NoEpoch)
    assert names(tmp_path) == []
    check_no_pattern(PureWindowsPath(r"C:\Users\ada\saves"))


def test_what_a_killed_write_left_is_removed_by_the_next_run(tmp_path):
    train(tmp_path, **SHORT)
    part = tmp_path / "training-3_temp/part-00000-of-00001.index.tempstate12345"
    part.parent.mkdir()
    left = [part, *(tmp_path / f"training-{i}{DATA}" for i in (1, 3))]
    left += [tmp_path / f"training-3{INDEX}", tmp_path / f"checkpoint.tmp{'0f' * 16}"]
    for path in left[:1] + left[2:]:
        path.write_bytes(b"half")
    train(tmp_path, **SHORT)
    assert names(tmp_path) == files_of(1, 2)


def test_a_first_checkpoint_that_was_not_finished_does_not_count(tmp_path):
    (tmp_path / f"training-1{INDEX}").write_bytes(b"half")
    assert same(train(tmp_path, **SHORT), train(**SHORT))
    assert names(tmp_path) == files_of(1, 2)


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
def test_a_failed_write_is_explained_and_leaves_the_old_ones(tmp_path, size, capsys):
    # 100 bytes are too few for the state file, 1000 for the checkpoint. Capsys keeps
    # what is printed in memory.
    train(tmp_path, **SHORT)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with files_of_at_most(size), pytest.raises(OSError) as caught:
        train(tmp_path, **{**SHORT, "epochs": 3})
    start, end = f"no checkpoint could be written to {tmp_path}: ", "goes on from it"
    text = str(caught.value)
    assert text.startswith(start) and text.endswith(end) and "File too large" in text
    assert "{{" not in text and "[Op:" not in text and "\n" not in text
    assert {path: path.read_bytes() for path in before} == before
    longer = {**SHORT, "epochs": 3}
    assert same(train(tmp_path, **longer), train(**longer))
    assert names(tmp_path) == files_of(2, 3)


@pytest.mark.parametrize("ending", [INDEX, DATA])
def test_after_a_damaged_checkpoint_it_goes_on_from_the_one_before(tmp_path, ending):
    settings = {**ALL_SETTINGS, "epochs": 2}
    assert train(tmp_path, 235, **settings) is None
    path = tmp_path / f"training-3{ending}"
    content = bytearray(path.read_bytes())
    flipped = content.copy()
    flipped[len(content) // 2] ^= 1
    parts = [content[: int(part * len(content))] for part in (0, 0.01, 0.5, 0.99)]
    for damaged in (flipped, *parts):
        path.write_bytes(damaged)
        words = f"^the checkpoint {tmp_path}/training-3 is not usable: .*"
        words += f"Delete {tmp_path}/training-3.* to go on from training-2$"
        with pytest.raises(ValueError, match=words) as caught:
            train(tmp_path, **settings)
        assert not re.search(r"\{\{|\[Op:|\[\[|\n", str(caught.value))
    for file in tmp_path.glob("training-3.*"):  # as the error says
        file.unlink()
    assert same(train(tmp_path, **settings), train(**settings))
    assert is_tidy(tmp_path) and names(tmp_path) == files_of(3, 4)


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "every"), [(DATA, 11), (INDEX, 1)])
def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path, ending, every):
    train(tmp_path, **SHORT)
    checkpoint = tmp_path / "training-2"
    path, harmless = tmp_path / f"training-2{ending}", 0
    content, expected = path.read_bytes(), read_progress(checkpoint)
    for i in range(0, len(content), every):
        path.write_bytes(content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :])
        try:
            assert read_progress(checkpoint) == expected
            harmless += 1  # the index is filled up with zeros that nobody reads
        except ValueError as error:
            assert str(error).endswith(f"{checkpoint}.* to go on from training-1")
    assert harmless == 0 if ending == DATA else harmless < len(content) / 3


STATES = {
    "empty": lambda text: "",
    "cut off": lambda text: text[: len(text) // 2],
    "no text": lambda text: "\0\xff",
    "other names": lambda text: text.replace("training-", "draining-"),
    "missing": lambda text: None,
}


@pytest.mark.parametrize("damage", STATES.values(), ids=STATES)
def test_without_the_state_file_no_training_begins_anew(tmp_path, damage):
    train(tmp_path, **SHORT)
    state_file, longer = tmp_path / "checkpoint", {**SHORT, "epochs": 3}
    damaged = damage(state_file.read_text())
    state_file.unlink()
    if damaged is not None:
        state_file.write_text(damaged, encoding="latin-1")
    words = f"^the file {state_file}, which names the newest checkpoint, is missing or "
    with pytest.raises(ValueError, match=words) as caught:
        train(tmp_path, distort=NoEpoch, **SHORT)
    line = str(caught.value).partition("this line: ")[2]
    assert line == 'model_checkpoint_path: "training-2"'
    state_file.write_text(line)  # as the error says
    model = train(tmp_path, **longer)
    assert same(model, train(**longer)) and (tmp_path / "training-3.index").exists()


def test_a_file_that_is_no_state_file_is_not_overwritten(tmp_path):
    (tmp_path / "checkpoint").write_text("mine")
    with pytest.raises(ValueError, match="missing or damaged. Delete it to begin"):
        train(tmp_path, distort=NoEpoch)
    assert (tmp_path / "checkpoint").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    for run in (train, compiled):
        with pytest.raises(OSError, match="written to, got .*file: Not a dir"):
            run(tmp_path / "file", distort=NoEpoch)


# Processes are started from one that has imported all and done nothing, to be fast.
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["mnist_lib", "pytest", "yaml"])

KILLED = {
    "rule": Momentum, "distort": Noise, "shuffle": True, "seed": 3, "epochs": 10**6,
    "validation_data": make_data(20), "metric": accuracy,
}  # fmt: skip


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
        assert len(saved_checkpoints(tmp_path)) <= 3  # the third may not be removed yet
        assert len(files_in(tmp_path)) <= 10  # nothing piles up
    reached = train(tmp_path, **{**settings, "epochs": 1})[1].epoch_losses
    settings["epochs"] = len(reached) + 1
    assert same(train(tmp_path, **settings), train(**settings))
    assert is_tidy(tmp_path)
