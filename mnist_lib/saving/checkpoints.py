"""From a run that must not stop to one that may: everything written down in time.

A training is more than its weights. To go on as if nothing had happened, it also
needs the slot variables of the update rule, its position in the data, the order of the
examples, the states of the random numbers, and the history so far.

TensorFlow writes each checkpoint under a new name, and the name into the state file
``checkpoint`` last. So what that file names is whole, whenever the program was killed.
"""

import contextlib
import functools
import inspect
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from numbers import Number
from pathlib import Path, PurePath

import numpy as np
import tensorflow as tf

from mnist_lib import checks
from mnist_lib.dense_layers import variables_of
from mnist_lib.saving.disk import sha256
from mnist_lib.training import Callback, rate_at

__all__ = ["TrainingCheckpoint"]

PROGRESS = "progress/.ATTRIBUTES/py_state"  # a PythonState's name in a checkpoint
CHECKPOINT_FILE = re.compile(
    r"(training-\d+)(\.index|\.data-\d+-of-\d+|_temp)|checkpoint\.tmp[0-9a-f]{32}"
)
OPERATION_NAME = re.compile(r"\{\{.*?\}\} ?|\[\[.*?\]\] ?| ?\[Op:\w+\]")
NOT_WRITTEN = (
    "no checkpoint could be written to {}: {}. What was saved there before is whole: "
    "once there is room and permission, the same call goes on from it"
)
DAMAGED = "the checkpoint {0} is not usable: {1}. Delete {0}.* to go on from {2}"
NO_STATE = "the file {}, which names the newest checkpoint, is missing or damaged. {}"


class TrainingCheckpoint(Callback, tf.train.experimental.PythonState):
    """Saves a training as it goes on, and takes it up where it was saved last.

    A callback of ``fit``. It saves after every epoch, and within an epoch after every
    100th batch, and keeps the two newest checkpoints. Where it finds one, it brings all
    parts of the training to that state at once, and prints from where it goes on, also
    with ``verbose=0``.

    The checkpoint of another training is refused. It is the same training if it has the
    same data in the same order, layers, activations, loss function, update rule and
    distortion, with the same numbers and seeds (TensorFlow's is one), and the same
    learning rates in the steps taken. A function counts by its name. More epochs are
    no other training, nor are other weights at the start: without a seed, they are
    others in each run.

    The slot variables of the rule must be attributes of it, each a ``tf.Variable`` or a
    list of them. What a distortion draws must come from its attribute ``random``, a
    ``numpy.random.Generator``.

    Args:
        folder: Where the checkpoints are.
        settings: Arguments of ``fit`` by name; ``epochs``, ``learning_rate`` and
            ``loss`` are used. ``fit(…, checkpoint_dir=folder)`` gives its own.

    Raises:
        TypeError, ValueError: ``folder`` is not a path, or one of a pattern.
        ValueError: The newest checkpoint is damaged, or of another training.
        OSError: The folder cannot be written to.

    Source: TensorFlow's guide *Training checkpoints*.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict | None = None):
        self.folder, self.settings = checkpoint_folder(folder), settings or {}
        self.rates = []

    def on_train_begin(self, model, generator, history, update, distort) -> None:
        """Bring the training to the state of the newest checkpoint, if there is one."""
        self.history, self.generator = history, generator
        self.random = random_of(distort)
        strategy = getattr(model.weights[0], "distribute_strategy", None)
        self.writes = strategy is None or strategy.extended.should_checkpoint
        parts = model, update, distort, self.settings.get("loss")
        self.description = describe_training(generator, *parts)
        parts = {"weights": variables_of(model), "rule": slot_variables(update)}
        checkpoint = tf.train.Checkpoint(**parts, progress=self)
        if self.writes:
            make_writable(self.folder)
        self.restore(checkpoint)
        if self.writes:
            remove_unfinished(self.folder)
        folder, name = self.folder.as_posix(), "training"
        self.manager = tf.train.CheckpointManager(checkpoint, folder, 2, None, name)
        self.before_epoch = state_of(self.random)

    def on_batch_end(self, batch: int, history) -> None:
        """Save after every 100th step, where steps are taken one after the other."""
        within = 0 < self.generator.index < len(self.generator.order)
        if batch % 100 == 99 and within:
            self.save()

    def on_epoch_end(self, epoch: int, history) -> None:
        """Save the training between two epochs."""
        self.before_epoch = state_of(self.random)
        self.save()

    def save(self) -> None:
        """Write a checkpoint. Of several workers, one does.

        Raises:
            OSError: It cannot be written. What was saved before is still there.
        """
        if not self.writes:
            return
        try:
            self.manager.save()
        except (OSError, tf.errors.OpError) as error:
            told = NOT_WRITTEN.format(self.folder, reason_of(error))
            raise OSError(told) from error

    def restore(self, checkpoint: tf.train.Checkpoint) -> None:
        """Bring all parts of the training to the state of the newest checkpoint."""
        for path in saved_checkpoints(self.folder)[-1:]:
            progress = read_progress(path)
            self.check_same_training(path, progress)
            with translate_errors(path):
                checkpoint.restore(path.as_posix()).assert_consumed()
            epoch, batch = divmod(len(self.history.batch_losses), len(self.generator))
            if epoch < self.settings.get("epochs", math.inf):
                print(f"Going on from epoch {epoch}, batch {batch} of {path}")
            else:
                print(f"The training is already complete: {path} has {epoch} epochs")

    def check_same_training(self, path: Path, progress: dict) -> None:
        """Refuse a checkpoint whose steps are not those of this training."""
        saved, own = dict(progress["description"]), dict(self.description)
        rate = self.settings.get("learning_rate")
        for step, saved_rate in enumerate([] if rate is None else progress["rates"]):
            if not math.isclose(saved_rate, rate_at(rate, step), rel_tol=1e-6):
                name = f"the learning rate of step {step}"
                saved[name], own[name] = saved_rate, rate_at(rate, step)
                break
        advice = f"Use another folder, or delete {path.parent} to begin anew"
        for name in {**saved, **own}:
            value, got = saved.get(name), own.get(name)
            label, got_and_advice = f"to go on from {path}, {name}", f"{got}. {advice}"
            checks.require(value == got, label, value, got_and_advice)

    def serialize(self) -> str:
        """Return what is in no ``tf.Variable``, as JSON."""
        rate, steps = self.settings.get("learning_rate"), len(self.history.batch_losses)
        if rate is not None:
            self.rates += [rate_at(rate, i) for i in range(len(self.rates), steps)]
        progress = {
            "description": self.description,
            "rates": self.rates,
            "index": self.generator.index,
            "order": self.generator.order,
            "generator": state_of(self.generator.random),
            # In the middle of an epoch, its images are distorted once more.
            "distortion": self.before_epoch,
            "history": vars(self.history),
        }
        return json.dumps(progress, default=np.ndarray.tolist)

    def deserialize(self, content: bytes) -> None:
        """Bring what is in no ``tf.Variable`` to the state that was saved."""
        progress = json.loads(content)
        order, state = np.array(progress["order"]), progress["generator"]
        self.generator.go_to(progress["index"], order, state)
        if self.random is not None:
            self.random.bit_generator.state = progress["distortion"]
        self.rates = progress["rates"]
        for name, values in vars(self.history).items():
            values[:] = progress["history"][name]


# Folders and files


def checkpoint_folder(folder: str | os.PathLike) -> Path:
    """Return ``checkpoint_dir`` as a path that TensorFlow can use."""
    is_path = isinstance(folder, str | os.PathLike)
    checks.require(is_path, "checkpoint_dir", "a path", repr(folder), TypeError)
    path = Path(folder).expanduser()
    check_no_pattern(path)
    return path


def check_no_pattern(folder: PurePath) -> None:
    """Refuse a name that TensorFlow would take for a pattern, and find nothing."""
    expected = "a path without any of *, ?, [ and \\, which stand for other names"
    # Windows has a backslash between folders, for which as_posix has a slash.
    plain = not set("*?[\\\0") & set(folder.as_posix())
    checks.require(plain, "checkpoint_dir", expected, repr(str(folder)))


def make_writable(folder: Path) -> None:
    """Make sure that the folder is there and can be used.

    Raises:
        OSError: It cannot.
    """
    try:
        with contextlib.suppress(FileExistsError):  # a file, which the next line tells
            folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        os.listdir(folder)
    except OSError as error:
        got = f"{folder}: {error.strerror}"
        expected = "a folder that can be read and written to"
        checks.require(False, "checkpoint_dir", expected, got, OSError)


def saved_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that the folder's state file names, the newest last.

    A checkpoint whose index has been deleted does not count.

    Raises:
        ValueError: The state file is damaged, or does not name what is there.
    """
    state_file, state = folder / "checkpoint", None
    with contextlib.suppress(ValueError):  # it holds something else
        state = tf.train.get_checkpoint_state(folder.as_posix())
    named = state and [*state.all_model_checkpoint_paths, state.model_checkpoint_path]
    names = dict.fromkeys(PurePath(path).name for path in named or [])
    written = written_checkpoints(folder)
    saved = [folder / name for name in names if name in written]
    # The first one may have been killed before there was a state file.
    unnamed = [] if state_file.exists() else ["training-1"]
    damaged = state is None and state_file.exists()
    if not saved and (damaged or written not in ([], unnamed)):
        way_on = "Delete it to begin anew"
        if written:
            line = f'model_checkpoint_path: "{written[-1]}"'
            way_on = f"To go on from {written[-1]}, let it hold this line: {line}"
        raise ValueError(NO_STATE.format(state_file, way_on))
    return saved


def written_checkpoints(folder: Path) -> list[str]:
    """Return the names of all checkpoints that have an index, by their numbers."""
    found = os.listdir(folder) if folder.is_dir() else []
    files = map(CHECKPOINT_FILE.fullmatch, found)
    names = [file[1] for file in files if file and file[2] == ".index"]
    return sorted(names, key=lambda name: int(name.rpartition("-")[2]))


def remove_unfinished(folder: Path) -> None:
    """Remove what killed programs have left of checkpoints that are not saved."""
    saved = [path.name for path in saved_checkpoints(folder)]
    for path in list(folder.iterdir()):
        parts = CHECKPOINT_FILE.fullmatch(path.name)
        if not parts or (parts[1] in saved and parts[2] != "_temp"):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def reason_of(error: Exception) -> str:
    """Return an error's first line, without TensorFlow's names of operations."""
    return OPERATION_NAME.sub("", str(error).partition("\n")[0])


@contextlib.contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Make of whatever a checkpoint fails with an error that says how to go on.

    Raises:
        ValueError: It is damaged, or is none of a training.
    """
    try:
        yield
    except Exception as error:  # a damaged one fails in a dozen ways
        others = [saved for saved in saved_checkpoints(path.parent) if saved != path]
        before = others[-1].name if others else "the start"
        raise ValueError(DAMAGED.format(path, reason_of(error), before)) from error


def read_progress(path: Path) -> dict:
    """Return a checkpoint's progress, if all of the checkpoint is whole.

    It is read from beginning to end: its checksums tell.

    Raises:
        ValueError: It is damaged.
    """
    with translate_errors(path):
        reader = tf.train.load_checkpoint(path.as_posix())
        names = reader.get_variable_to_shape_map()
        return json.loads({name: reader.get_tensor(name) for name in names}[PROGRESS])


# What makes a training


def random_of(distort) -> np.random.Generator | None:
    """Return what a distortion draws its random numbers from, if it draws any."""
    random = getattr(distort, "random", None)
    known = random is None or isinstance(random, np.random.Generator)
    name, expected = "the distortion's random", "a numpy.random.Generator, to be saved"
    checks.require(known, name, expected, repr(random), TypeError)
    return random


def state_of(random) -> dict | None:
    """Return the state of a ``numpy.random.Generator``, or None where there is none."""
    return random and random.bit_generator.state


def seed_of(random) -> int | None:
    """Return the seed of a ``numpy.random.Generator``, or None if it has none."""
    # Without a seed, NumPy makes one of 128 bits.
    entropy = random and random.bit_generator.seed_seq.entropy
    return int(entropy) if isinstance(entropy, Number) and entropy < 2**64 else None


def seed_of_tensorflow() -> int | None:
    """Return the number given to ``tf.random.set_seed``, or None without one."""
    seed, _ = tf.compat.v1.get_seed(0)
    return None if seed == 87654321 else seed  # what it takes without one


def slot_variables(rule) -> dict:
    """Return a rule's attributes that are variables, but not the model's weights."""
    attributes = dict(getattr(rule, "__dict__", {}), weights=None)
    lists = {k: v if isinstance(v, list) else [v] for k, v in attributes.items()}
    variables = [k for k, v in lists.items() if all(hasattr(x, "assign") for x in v)]
    return {name: attributes[name] for name in variables}


def describe(part) -> str:
    """Return a part's name with the numbers, functions and layers that it holds."""
    if isinstance(part, functools.partial):
        return f"{describe(part.func)}{part.args}{part.keywords}"
    if isinstance(part, list):
        return f"[{', '.join(map(describe, part))}]"
    name = getattr(part, "__name__", type(part).__name__).removesuffix("_v2")
    held = getattr(part, "__dict__", {})
    if inspect.isfunction(part):
        own = not hasattr(part, "__wrapped__")  # TensorFlow's are wrapped
        held = inspect.getclosurevars(part).nonlocals if own else {}
    if name == "<lambda>":  # what it calls has to do for a name
        constants = filter(is_number, part.__code__.co_consts)
        name = " ".join(["lambda", *part.__code__.co_names, *map(str, constants)])
    held = {k: v for k, v in held.items() if not k.startswith("_")}
    told = [f"{k}={v}" for k, v in held.items() if is_number(v)]
    told += [f"{k}={describe(v)}" for k, v in held.items() if does_something(v)]
    return f"{name}({', '.join(told)})" if told else name


def is_number(value) -> bool:
    """Tell whether it is a number, or True or False."""
    return isinstance(value, Number)


def does_something(value) -> bool:
    """Tell whether it is a function, a layer, or a list of them."""
    if isinstance(value, list):
        return len(value) > 0 and all(map(does_something, value))
    layer = callable(value) and hasattr(value, "weights")
    return layer or inspect.isroutine(value) or isinstance(value, functools.partial)


def describe_training(generator, model, rule, distort, loss) -> dict:
    """Return what has to be the same for a training to go on, ready for JSON."""
    layers = getattr(model, "layers", [model])
    return {
        "the weights' shapes": [list(weight.shape) for weight in model.weights],
        **{f"layer {i}": describe(layer) for i, layer in enumerate(layers)},
        "the loss function": describe(loss),
        "the rule": describe(rule),
        "the distortion": describe(distort),
        "the distortion's seed": seed_of(random_of(distort)),
        "batch_size": generator.batch_size,
        "shuffle": bool(generator.shuffle),
        "seed": seed_of(generator.random),
        "TensorFlow's seed": seed_of_tensorflow(),
        "the data's digest": sha256(generator.images, generator.labels),
    }
