"""From a run that must not stop to one that may: everything written down in time.

A training is more than its weights. To go on as if nothing had happened, it also
needs the slot variables of the update rule, its position in the data, the order of the
examples, the states of the random numbers, and the history so far.

TensorFlow writes each checkpoint under a new name, and the name into the state file
``checkpoint`` last. So what that file names is whole, whenever the program was killed.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import tensorflow as tf

from mnist_lib import checks
from mnist_lib.saving.archives import sha256
from mnist_lib.training import Callback

__all__ = ["TrainingCheckpoint"]

PROGRESS = "progress/.ATTRIBUTES/py_state"  # a PythonState's name in a checkpoint
WRITTEN = re.compile(
    r"(training-\d+)(\.index|\.data-\d+-of-\d+|_temp)|checkpoint\.tmp[0-9a-f]{32}"
)
NODES = re.compile(r"\{\{.*?\}\} ?|\[\[.*?\]\] ?| ?\[Op:\w+\]")
NOT_WRITTEN = (
    "no checkpoint could be written to {}: {}. What was saved there before is whole: "
    "once there is room and permission, the same call goes on from it"
)
NOT_USABLE = "the checkpoint {0} is not usable: {1}. Delete {0}.* to go on from {2}"
NO_STATE = (
    "the file {0}, which names the newest checkpoint, is missing or damaged. To go on "
    'from {1}, let it hold this line: model_checkpoint_path: "{1}"'
)
NOT_A_STATE = "the file {} names no checkpoint. Delete it to begin a new training"


class TrainingCheckpoint(Callback, tf.train.experimental.PythonState):
    """Saves a training as it goes on, and takes it up where it was saved last.

    A callback of ``fit``. It saves after every epoch, and within an epoch after every
    100th batch, and keeps the two newest checkpoints. Where it finds one, it brings all
    parts of the training to that state at once.

    The slot variables of the rule must be attributes of it, each a ``tf.Variable`` or a
    list of them. What a distortion draws must come from its attribute ``random``, a
    ``numpy.random.Generator``.

    Args:
        folder: Where the checkpoints are.

    Raises:
        ValueError: The newest checkpoint is damaged, or of another training.
        OSError: The folder cannot be written to.

    Source: TensorFlow's guide *Training checkpoints*.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder).expanduser()

    def on_train_begin(self, model, generator, history, update, distort) -> None:
        """Bring the training to the state of the newest checkpoint, if there is one."""
        self.history, self.generator = history, generator
        self.random = random_of(distort)
        strategy = getattr(model.weights[0], "distribute_strategy", None)
        self.writes = strategy is None or strategy.extended.should_checkpoint
        self.fingerprint = fingerprint(model, generator, update, distort)
        parts = {"weights": list(model.weights), "rule": slot_variables(update)}
        checkpoint = tf.train.Checkpoint(**parts, progress=self)
        check_folder_name(self.folder)
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
        errors = OSError, tf.errors.OpError
        try:
            self.manager.save()
        except errors as error:
            with contextlib.suppress(*errors, ValueError):  # the disk is at fault
                remove_unfinished(self.folder)
            told = NOT_WRITTEN.format(self.folder, reason_of(error))
            raise OSError(told) from error

    def restore(self, checkpoint: tf.train.Checkpoint) -> None:
        """Bring all parts of the training to the state of the newest checkpoint."""
        for path in saved_checkpoints(self.folder)[-1:]:
            progress = read_progress(path)
            checks.check_same_training(path, progress["fingerprint"], self.fingerprint)
            with translate_errors(path):
                checkpoint.restore(path.as_posix()).assert_consumed()

    def serialize(self) -> str:
        """Return what is in no ``tf.Variable``, as JSON."""
        progress = {
            "fingerprint": self.fingerprint,
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
        for name, values in vars(self.history).items():
            values[:] = progress["history"][name]


def check_folder_name(folder: PurePath) -> None:
    """Refuse a name that TensorFlow would take for a pattern, and find nothing."""
    expected = "a path without any of *, ?, [ and \\, which stand for other names"
    # Windows has a backslash between folders, for which as_posix has a slash.
    plain = not set("*?[\\") & set(folder.as_posix())
    checks.require(plain, "checkpoint_dir", expected, str(folder))


def make_writable(folder: Path) -> None:
    """Make sure that the folder is there and can be written to.

    Raises:
        OSError: It cannot.
    """
    try:
        with contextlib.suppress(FileExistsError):  # a file, which the next line tells
            folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(NOT_WRITTEN.format(folder, error.strerror)) from error


def saved_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that the folder's state file names, the newest last.

    A checkpoint whose index has been deleted does not count.

    Raises:
        ValueError: There are checkpoints, but the state file does not name them.
    """
    state_file, state = folder / "checkpoint", None
    with contextlib.suppress(ValueError):  # it holds something else
        state = tf.train.get_checkpoint_state(folder.as_posix())
    named = state and [*state.all_model_checkpoint_paths, state.model_checkpoint_path]
    names = dict.fromkeys(PurePath(path).name for path in named or [])
    written = written_checkpoints(folder)
    saved = [folder / name for name in names if name in written]
    if state_file.exists() and state is None and not written:
        raise ValueError(NOT_A_STATE.format(state_file))
    # The first one may have been killed before there was a state file.
    if not saved and written and (state_file.exists() or written != ["training-1"]):
        raise ValueError(NO_STATE.format(state_file, written[-1]))
    return saved


def written_checkpoints(folder: Path) -> list[str]:
    """Return the names of all checkpoints that have an index, by their numbers."""
    files = map(WRITTEN.fullmatch, os.listdir(folder) if folder.is_dir() else [])
    names = [file[1] for file in files if file and file[2] == ".index"]
    return sorted(names, key=lambda name: int(name.rpartition("-")[2]))


def remove_unfinished(folder: Path) -> None:
    """Remove what killed programs have left of checkpoints that are not saved."""
    saved = [path.name for path in saved_checkpoints(folder)]
    for path in list(folder.iterdir()):
        parts = WRITTEN.fullmatch(path.name)
        if not parts or (parts[1] in saved and parts[2] != "_temp"):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def reason_of(error: Exception) -> str:
    """Return an error's first line, without TensorFlow's names for its nodes."""
    return NODES.sub("", str(error).partition("\n")[0])


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
        raise ValueError(NOT_USABLE.format(path, reason_of(error), before)) from error


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


def slot_variables(rule) -> dict:
    """Return a rule's attributes that are variables, but not the model's weights."""
    attributes = dict(getattr(rule, "__dict__", {}), weights=None)
    lists = {k: v if isinstance(v, list) else [v] for k, v in attributes.items()}
    variables = [k for k, v in lists.items() if all(hasattr(x, "assign") for x in v)]
    return {name: attributes[name] for name in variables}


def fingerprint(model, generator, rule, distort) -> dict:
    """Return what has to be the same for a training to go on, ready for JSON."""
    kind = {"the weights' shapes": [list(weight.shape) for weight in model.weights]}
    for name, part in {"the rule": rule, "the distortion": distort}.items():
        attributes = getattr(part, "__dict__", {}).items()
        numbers = {k: v for k, v in attributes if isinstance(v, int | float)}
        kind[name] = [getattr(part, "__name__", type(part).__name__), numbers]
    kind["batch_size"], kind["shuffle"] = generator.batch_size, bool(generator.shuffle)
    kind["the data's digest"] = sha256(generator.images, generator.labels)
    return kind
