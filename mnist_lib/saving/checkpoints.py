"""From a run that must not stop to one that may: everything written down in time.

A training is more than its weights. To go on as if nothing had happened, it also
needs what the update rule remembers, where it is, the order of the examples, the
states of the random numbers, and the history so far.
"""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnist_lib import checks
from mnist_lib.saving import checkpoint_files
from mnist_lib.saving.archives import sha256
from mnist_lib.training import Callback

__all__ = ["TrainingCheckpoint"]


class TrainingCheckpoint(Callback, tf.train.experimental.PythonState):
    """Saves a training as it goes on, and takes it up where it was saved last.

    A callback of ``fit``. It saves after every epoch, and within an epoch after every
    100th batch, and keeps the two newest checkpoints. Where it finds one, it brings all
    parts of the training to that state at once.

    What the rule remembers must be attributes of it, each a ``tf.Variable`` or a list
    of them. What a distortion draws must come from its attribute ``random``, a
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
        self.tracked = tf.train.Checkpoint(**parts, diary=self)
        self.restore()
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
        """Write everything down. Of several workers, one does.

        Raises:
            OSError: It cannot be written. What was saved before is still there.
        """
        if self.writes:
            checkpoint_files.write_checkpoint(self.tracked, self.folder)

    def restore(self) -> None:
        """Bring all parts of the training to the state of the newest checkpoint."""
        if self.writes:
            checkpoint_files.check_folder(self.folder)
        for path in checkpoint_files.checkpoints_in(self.folder)[-1:]:
            saved = checkpoint_files.read_facts(path)
            checks.check_same_training(path, saved["kind"], self.fingerprint)
            with checkpoint_files.explained(path):
                self.tracked.read(str(path)).assert_consumed()

    def serialize(self) -> bytes:
        """Return what is in no ``tf.Variable``, as the bytes of an ``.npz`` file."""
        facts = {"kind": self.fingerprint, "index": self.generator.index}
        facts["generator"] = state_of(self.generator.random)
        # In the middle of an epoch, its images are distorted once more.
        facts["distortion"] = self.before_epoch
        arrays = {"order": self.generator.order, **vars(self.history)}
        return checkpoint_files.pack(facts, arrays)

    def deserialize(self, content: bytes) -> None:
        """Bring what is in no ``tf.Variable`` to the state that was saved."""
        facts, arrays = checkpoint_files.unpack(content)
        self.generator.go_to(facts["index"], arrays["order"], facts["generator"])
        if self.random is not None:
            self.random.bit_generator.state = facts["distortion"]
        for name, values in vars(self.history).items():
            values[:] = arrays[name].tolist()


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
