"""From a run that must not stop to one that may be killed: all of it saved in time.

A training run is more than its weights. To go on as if nothing had happened, it also
needs the slot variables of the update rule, its position in the data, the order of the
examples, the states of the random numbers, and the history so far.

TensorFlow writes each checkpoint under a new name, with checksums. One counts if all of
it is whole, so there is always one to go on from, whenever the program was killed.
"""

import json
import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnist_lib.checks import arguments as checks
from mnist_lib.checks.tracing import describe, seed_of
from mnist_lib.dense_layers import variables_of
from mnist_lib.saving.disk import refusing, sha256
from mnist_lib.training import Callback

__all__ = ["TrainingCheckpoint"]

PROGRESS = "progress/.ATTRIBUTES/py_state"  # a PythonState's name in a checkpoint


class TrainingCheckpoint(Callback, tf.train.experimental.PythonState):
    """Saves a training run regularly, and resumes it from the newest checkpoint.

    A callback of ``fit``. It saves after every epoch, and within an epoch after every
    100th batch, and keeps the two newest checkpoints. When training begins, it restores
    all parts of the run from the newest checkpoint that is whole, and prints where the
    run continues, even with ``verbose=0``.

    The checkpoint of a different run is refused. A run is the same if it has the same
    data in the same order, layers, activations, loss function, update rule and
    distortion, with the same numbers and seeds (including TensorFlow's), and the same
    learning rate or schedule. Functions and layers are compared by their names, their
    code, and the values that they use. The number of epochs and the weights at the
    start may differ.

    The slot variables of the rule must be attributes of it, each a ``tf.Variable`` or a
    list of them. A distortion must draw its random numbers from its attribute
    ``random``, a ``numpy.random.Generator``; a layer, from a ``tf.random.Generator``
    whose ``state`` is in the layer's list ``state``.

    Args:
        folder: Where the checkpoints are.
        settings: Arguments of ``fit`` by name; ``epochs``, ``learning_rate`` and
            ``loss`` are used. ``fit(…, checkpoint_dir=folder)`` gives its own.

    Raises:
        TypeError, ValueError: ``folder`` is not a path, or is a pattern with ``*``.
        ValueError: All checkpoints are damaged, or they are of a different run.
        OSError: The folder cannot be written to.
        tf.errors.OpError: There is no room. What was saved before is still there.

    Source: TensorFlow's guide *Training checkpoints*.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict | None = None):
        self.folder, self.settings = Path(folder).expanduser(), settings or {}
        # Windows has a backslash between folders, for which as_posix has a slash.
        plain = not set("*?[\\") & set(self.folder.as_posix())
        expected = "a path without any of *, ?, [ and \\, which stand for other names"
        checks.require(plain, "checkpoint_dir", expected, repr(str(folder)))

    def on_train_begin(self, model, generator, history, update, distort) -> None:
        """Bring the run to the state of the newest checkpoint, if there is one."""
        self.history, self.generator = history, generator
        self.distortion_random = getattr(distort, "random", None)
        self.distortion_state = state_of(self.distortion_random)
        parts = {"model": model, "update": update, "distort": distort}
        parts |= {name: self.settings.get(name) for name in ("learning_rate", "loss")}
        self.description = describe_run(generator, **parts)
        usual = tf.distribute.get_strategy()
        strategy = getattr(model.weights[0], "distribute_strategy", usual)
        self.writes = strategy.extended.should_checkpoint
        saved = {"weights": variables_of(model), "rule": slot_variables(update)}
        checkpoint = tf.train.Checkpoint(**saved, progress=self)
        if self.writes:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()  # or fails here, not later
        self.restore(checkpoint)
        if self.writes:
            for unfinished in self.folder.glob("training-[0-9]*_temp"):
                shutil.rmtree(unfinished)  # a killed program left it
            folder, name = self.folder.as_posix(), "training"
            self.manager = tf.train.CheckpointManager(checkpoint, folder, 2, None, name)

    def on_batch_end(self, batch: int, history) -> None:
        """Save after every 100th step, where steps are taken one after the other."""
        within = 0 < self.generator.index < len(self.generator.order)
        if batch % 100 == 99 and within:
            self.save()

    def on_epoch_end(self, epoch: int, history) -> None:
        """Save the run between two epochs."""
        self.distortion_state = state_of(self.distortion_random)
        self.save()

    def save(self) -> None:
        """Write a checkpoint. Of several workers, one does."""
        if self.writes:
            self.manager.save()

    def restore(self, checkpoint: tf.train.Checkpoint) -> None:
        """Bring all parts of the run to the newest state that is whole."""
        damaged = []
        for path in reversed(saved_checkpoints(self.folder)):
            try:
                progress = read_progress(path)
            except ValueError as error:
                damaged.append(error)
                continue
            self.check_same_run(path, progress)
            checkpoint.restore(path.as_posix()).assert_consumed()
            epoch, batch = divmod(len(self.history.batch_losses), len(self.generator))
            told = f"Going on from epoch {epoch}, batch {batch} of {path}"
            if epoch >= self.settings.get("epochs", math.inf):
                told = f"The training is already complete: {path} has {epoch} epochs"
            return print(*damaged, told, sep="\n")
        # TensorFlow writes this file once a checkpoint is whole; before, none is lost.
        if damaged and (self.folder / "checkpoint").exists():
            raise damaged[0]

    def check_same_run(self, path: Path, progress: dict) -> None:
        """Refuse a checkpoint whose steps are not those of this run."""
        saved, own = progress["description"], self.description
        advice = f"Use another folder, or delete {path.parent} to begin anew"
        for name in saved | own:
            value, got = saved.get(name), own.get(name)
            label = f"to go on from {path}, {name}"
            checks.require(value == got, label, value, f"{got}. {advice}")

    def serialize(self) -> str:
        """Return what is in no ``tf.Variable``, as JSON."""
        progress = {
            "description": self.description,
            "index": self.generator.index,
            "order": self.generator.order,
            "generator": state_of(self.generator.random),
            # Before this epoch: when it is continued, its images are distorted anew.
            "distortion": self.distortion_state,
            "history": vars(self.history),
        }
        return json.dumps(progress, default=np.ndarray.tolist)

    def deserialize(self, content: bytes) -> None:
        """Bring what is in no ``tf.Variable`` to the state that was saved."""
        progress = json.loads(content)
        order, state = np.array(progress["order"]), progress["generator"]
        self.generator.go_to(progress["index"], order, state)
        if self.distortion_random is not None:
            self.distortion_random.bit_generator.state = progress["distortion"]
        for name, values in vars(self.history).items():
            values[:] = progress["history"][name]


def saved_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that have an index, the newest last."""
    names = [path.stem for path in folder.glob("training-*.index")]
    numbers = [name.removeprefix("training-") for name in names]
    numbers = sorted(int(number) for number in numbers if number.isdecimal())
    return [folder / f"training-{number}" for number in numbers]


def read_progress(path: Path) -> dict:
    """Return a checkpoint's progress, if all of the checkpoint is whole.

    Every part is read, so that TensorFlow compares all checksums.

    Raises:
        ValueError: It is damaged.
    """
    with refusing(path):
        reader = tf.train.load_checkpoint(path.as_posix())
        names = reader.get_variable_to_shape_map()
        return json.loads({name: reader.get_tensor(name) for name in names}[PROGRESS])


def slot_variables(rule) -> list[tf.Variable]:
    """Return the variables in a rule's attributes, but not the model's weights."""
    held = {**getattr(rule, "__dict__", {}), "weights": None}
    return [part for part in tf.nest.flatten(held) if hasattr(part, "assign")]


# What makes a run


def state_of(random) -> dict | None:
    """Return the state of a ``numpy.random.Generator``, or None where there is none."""
    return random and random.bit_generator.state


def describe_run(generator, **parts) -> dict[str, str]:
    """Return by name what makes a run: its parts, and the data in their order."""
    seed, _ = tf.compat.v1.get_seed(0)
    settings = {
        "batch_size": generator.batch_size,
        "shuffle": bool(generator.shuffle),
        "seed": seed_of(generator.random),
        "TensorFlow's seed": None if seed == 87654321 else seed,  # where none is set
        "the data's digest": sha256(generator.images, generator.labels),
    }
    return describe(**parts) | describe(**settings)
