import multiprocessing
import os
import random as dice
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, run_on_a_small_disk

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
from mnist_lib.checkpoint_files import checkpoints_in


def make_model(inputs=6, hidden=5):
    start = tf.keras.initializers.HeNormal
    layers = [NaiveDense(inputs, hidden, tf.nn.tanh, start(1))]
    return NaiveSequential([*layers, NaiveDense(hidden, 3, tf.nn.softmax, start(2))])


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

    def __call__(self, model, images, labels, rate, update):
        if self.left == 0:
            raise Stopped
        self.left -= 1
        return self.step(model, images, labels, tf.constant(rate), update)


def train(folder=None, last=float("inf"), rule=None, distort=None, **settings):
    """Train a new model, for at most so many steps; return its weights and history."""
    inputs = settings.pop("inputs", 6)
    model, data = make_model(inputs), make_data(settings.pop("count", 130), inputs)
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


def is_tidy(folder):
    """Whether there are two whole checkpoints and nothing else."""
    pattern = r"training-\d+(\.index|\.data-00000-of-00001)"
    whole = len(checkpoints_in(folder)) == 2 and len(names(folder)) == 4
    return whole and all(re.fullmatch(pattern, name) for name in names(folder))


SETTINGS = {
    "in order": {},
    "shuffled, with momentum and noise": {
        "rule": Momentum, "distort": Noise, "shuffle": True, "seed": 3,
        "validation_data": make_data(20), "metric": accuracy,
        "learning_rate": one_cycle(0.1, 390),
    },
    "shuffled, with Adam and distorted pictures": {
        "rule": Adam, "distort": lambda: Distortion(seed=5), "inputs": 36,
        "shuffle": True, "seed": 1, "learning_rate": 0.01,
        "validation_data": make_data(20, 36),
    },
}  # fmt: skip


# Before the first save, right after one, in mid-epoch, at an epoch's end, twice there.
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_run_that_is_stopped_often_ends_like_one_that_is_not(tmp_path, settings):
    for last in (50, 99, 117, 29, 131):
        assert train(tmp_path, last, **settings) is None
    model = train(tmp_path, **settings)
    assert same(model, train(**settings))
    assert len(model[1].batch_losses) == 390 and len(model[1].epoch_losses) == 3
    assert is_tidy(tmp_path)


def test_a_run_with_checkpoints_is_like_one_without(tmp_path):
    settings = {**SETTINGS["shuffled, with momentum and noise"], "count": 30}
    settings["learning_rate"] = 0.1
    assert same(train(tmp_path, **settings), train(**settings))
    assert is_tidy(tmp_path)


def test_ordinary_steps_go_on_bit_for_bit_too(tmp_path):
    settings = {"step": one_training_step, "count": 20, "rule": Adam, "distort": Noise}
    settings |= {"shuffle": True, "seed": 2, "batch_size": 3}
    train(tmp_path, epochs=1, **settings)
    assert same(train(tmp_path, **settings), train(**settings))


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
    assert capsys.readouterr().out == ""
    assert len(run(tmp_path, count=30, epochs=1)[1].epoch_losses) == 3


@pytest.mark.parametrize(
    "settings", [{"rule": Adam}, {"rule": Momentum, "jit_compile": True}]
)
def test_a_compiled_run_goes_on_bit_for_bit(tmp_path, settings):
    settings |= {"distort": Noise, "shuffle": True, "seed": 3, "metric": accuracy}
    settings["validation_data"] = make_data(20)
    model, expected = make_model(), compiled(epochs=4, **settings)
    for epochs in (1, 2):
        compiled(tmp_path, epochs=epochs, **settings)
    model = compiled(tmp_path, epochs=4, **settings)
    assert same(model, expected) and is_tidy(tmp_path)


def test_without_a_seed_the_saved_order_goes_on(tmp_path):
    handed_out = []

    def noted(model, images, labels, rate, update):
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
    for order in ([train, compiled] * 2, [compiled, train] * 2):
        folder = tmp_path / order[0].__name__
        for epochs, run in enumerate(order, 1):
            weights, own = run(folder, epochs=epochs, **settings)
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


CHANGES = {
    "layers": (
        {"inputs": 7},
        r"the weights' shapes must be \[\[6, 5\].*got \[\[7, 5\]",
    ),
    "rule": ({"rule": Adam}, "the rule must be .'update_weights', {}., got .'Adam', "),
    "momentum": (
        {"rule": lambda w: Momentum(w, 0.5)},
        "the rule must be .'update_weig",
    ),
    "distortion": ({"distort": Noise}, "the distortion must be .'NoneType', {}., got"),
    "batch size": ({"batch_size": 2}, "batch_size must be 1, got 2"),
    "order": ({"shuffle": True}, "shuffle must be False, got True"),
    "data": ({"count": 19}, "the data's digest must be [0-9a-f]{64}, got [0-9a-f]{64}"),
}


@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=CHANGES)
def test_the_checkpoint_of_another_training_is_refused(tmp_path, change, words):
    settings = {"count": 20, "epochs": 1}
    train(tmp_path, **settings)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(
        ValueError, match=f"to go on from {tmp_path}/training-1, {words}"
    ):
        train(tmp_path, **{**settings, **change})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_number_in_the_rule_is_another_rule(tmp_path):
    train(tmp_path, count=20, epochs=1, rule=Momentum)
    words = "the rule must be .*'momentum': 0.9.*, got .*'momentum': 0.5"
    with pytest.raises(ValueError, match=words):
        train(tmp_path, count=20, rule=lambda weights: Momentum(weights, 0.5))


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


@pytest.mark.parametrize("ending", [".index", ".data-00000-of-00001"])
def test_after_a_damaged_checkpoint_it_goes_on_from_the_one_before(tmp_path, ending):
    settings = {**SETTINGS["shuffled, with momentum and noise"], "epochs": 2}
    assert train(tmp_path, 235, **settings) is None
    path = tmp_path / f"training-3{ending}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (content, content[:200]):
        path.write_bytes(damaged)
        words = f"{tmp_path}/training-3 is not usable: .*"
        words += f"Delete {tmp_path}/training-3.* to go on from training-2$"
        with pytest.raises(ValueError, match=words):
            train(tmp_path, **settings)
    for file in tmp_path.glob("training-3.*"):
        file.unlink()
    assert same(train(tmp_path, **settings), train(**settings))
    assert is_tidy(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    for run in (train, compiled):
        with pytest.raises(OSError, match=f"{tmp_path}/file: Not a directory"):
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


def unfinished_in(folder):
    """What a killed write leaves: all files but those of whole checkpoints."""
    whole = tuple(f"{path}." for path in checkpoints_in(folder))
    return {name for name in files_in(folder) if not name.startswith(whole or "-")}


def kill_while_it_saves(process, folder):
    """Wait for a new file of one kind, temporary or an index, and kill at once."""
    before, kind = files_in(folder), dice.choice([".tempstate", ".index"])
    while not any(kind in name for name in files_in(folder) - before):
        assert process.is_alive()
        time.sleep(0.0003)
    process.kill()


def kill_at_random(process, folder):
    """Wait for no save, or for one, and kill some time after that."""
    before, wait_for_one = files_in(folder), dice.random() < 0.6
    while wait_for_one and files_in(folder) == before:
        assert process.is_alive()
        time.sleep(0.001)
    time.sleep(dice.uniform(0, 0.06 if wait_for_one else 0.5))
    process.kill()


def kill_often(run, folder, settings, kills):
    """Kill runs, each second one during a save; return how many, and how many were."""
    number = during_a_save = 0
    while number < kills or during_a_save < kills // 4:
        assert number < 5 * kills  # else something is wrong with the killing
        before = unfinished_in(folder)
        process = forks.Process(target=run, args=(folder,), kwargs=settings)
        process.start()
        try:
            (kill_at_random if number % 2 else kill_while_it_saves)(process, folder)
        finally:
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        number += 1
        during_a_save += bool(unfinished_in(folder) - before)
        assert len(checkpoints_in(folder)) <= 3  # the third may not be removed yet
        assert len(files_in(folder)) <= 10  # nothing piles up
    return number, during_a_save


@pytest.mark.parametrize(
    ("run", "kills", "settings"),
    [
        (train, 26, {**KILLED, "batch_size": 2, "count": 12}),
        (train, 4, {**KILLED, "batch_size": 1, "count": 110}),  # saves in mid-epoch
        (compiled, 5, {**KILLED, "batch_size": 10, "count": 50}),
    ],
    ids=["many short epochs", "in mid-epoch", "compiled"],
)
def test_a_run_that_is_killed_often_ends_like_one_that_is_not(
    tmp_path, run, kills, settings
):
    if run is train:  # to trace a graph would take longer than all its steps
        settings = {**settings, "step": one_training_step}
    kills, during_a_save = kill_often(run, tmp_path, settings, kills)
    reached = run(tmp_path, **{**settings, "epochs": 1})[1].epoch_losses
    settings = {**settings, "epochs": len(reached) + 1}
    print(f"{during_a_save} of {kills} hit a save; {settings['epochs']} epochs")
    assert same(run(tmp_path, **settings), run(**settings))
    assert is_tidy(tmp_path)


def fails(words, folder, run, **settings):
    """Make sure that a run fails in a line that names the folder."""
    with pytest.raises(OSError, match=words) as caught:
        run(folder, **settings)
    assert str(caught.value).startswith(f"no checkpoint could be written to {folder}: ")
    assert not re.search(r"\{\{|\[Op:|\[\[|\n|Error", str(caught.value))


def fill_up_a_small_disk(disk):
    """Fill it up, make it read-only: in a process that sees a disk of 1 MB there."""
    folder, fill, settings = disk / "runs", disk / "fill", {"count": 10, "rule": Adam}
    steps = {"step": one_training_step}
    train(folder, epochs=1, **settings, **steps)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for run, pages in ((train, 0), (train, 1), (train, 2), (compiled, 1)):
        free = os.statvfs(disk).f_bavail * 4096
        fill.write_bytes(bytes(free - pages * 4096))
        given = {**settings, "batch_size": 1, **(steps if run is train else {})}
        fails("No space left on device", folder, run, **given)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        fill.unlink()
    # What a killed write left makes room for the next one.
    left = folder / "unfinished.data-00000-of-00001"
    left.write_bytes(bytes(os.statvfs(disk).f_bavail * 4096))
    settings |= {"epochs": 2, **steps}
    assert same(train(folder, **settings), train(**settings))
    assert is_tidy(folder)

    def remount_and_step(*arguments):
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        return one_training_step(*arguments)

    settings["epochs"], before = 3, names(folder)
    given = {**settings, "step": remount_and_step}
    fails("Read-only file system", folder, train, **given)
    for place in (folder, disk / "new"):  # now it is found before the first step
        fails("Read-only file system", place, train, **settings, distort=NoEpoch)
    assert names(folder) == before
    print("all is well")


def test_a_full_and_a_read_only_disk_leave_the_old_checkpoints_alone(tmp_path):
    code = "import sys, pathlib, test_checkpoints as tests\n"
    code += "tests.fill_up_a_small_disk(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", code, tmp_path]
    done = run_on_a_small_disk(tmp_path, command, env=environment)
    assert done.stdout == "all is well\n", done.stderr
