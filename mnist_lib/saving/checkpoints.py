"""From a run that must not stop to one that may: everything written down in time.

A training is more than its weights. To go on as if nothing had happened, it also
needs what the update rule remembers, where it is, the order of the examples, the
states of the random numbers, and the history so far.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnist_lib import checks
from mnist_lib.saving import checkpoint_files
from mnist_lib.saving.archives import sha256

__all__ = ["TrainingCheckpoint"]


class TrainingCheckpoint(tf.train.experimental.PythonState):
    """Saves a training as it goes on, and takes it up where it was saved last.

    It saves after every epoch, and within an epoch after every 100th batch, and
    keeps the two newest checkpoints. Where it finds one, it brings all parts of the
    training to that state at once.

    Args:
        folder: Where the checkpoints are, or None: then nothing is saved.
        model: Callable with a list ``weights``.
        history: The ``History`` of this training.
        generator: The ``BatchGenerator`` of this training.
        update: Its rule. What the rule remembers must be attributes of it, each a
            ``tf.Variable`` or a list of them.
        distort: Its distortion or None. What it draws must come from its attribute
            ``random``, a ``numpy.random.Generator``.

    Raises:
        ValueError: The newest checkpoint is damaged, or of another training.
        OSError: The folder cannot be written to.

    Source: TensorFlow's guide *Training checkpoints*.
    """

    def __init__(self, folder, model, history, generator, update=None, distort=None):
        self.history, self.generator = history, generator
        self.random = None if folder is None else random_of(distort)
        self.folder = None if folder is None else Path(folder).expanduser()
        strategy = getattr(model.weights[0], "distribute_strategy", None)
        self.writes = strategy is None or strategy.extended.should_checkpoint
        if self.folder is not None:
            self.kind = describe(model, generator, update, distort)
            parts = {"weights": list(model.weights), "rule": remembered(update)}
            self.tracked = tf.train.Checkpoint(**parts, diary=self)
            self.restore()

    def epochs(self, count: int) -> Iterator[int]:
        """Count the epochs like ``range(count)``, from where the training is.

        After each of them the order of the next is drawn, and everything is saved.
        """
        while len(self.history.epoch_losses) < count:
            self.before_epoch = state_of(self.random)
            yield len(self.history.epoch_losses)
            if self.generator.index > 0:
                self.generator.restart()
            self.save()

    def batches(self) -> Iterator[tuple]:
        """Count and hand out the batches like ``enumerate``, from where it is."""
        first = self.generator.index // self.generator.batch_size
        for batch in range(first, self.generator.num_batches):
            yield batch, self.generator.next()
            if batch % 100 == 99 and batch + 1 < self.generator.num_batches:
                self.save()

    def save(self) -> None:
        """Write everything down. Of several workers, one does.

        Raises:
            OSError: It cannot be written. What was saved before is still there.
        """
        if self.folder is not None and self.writes:
            checkpoint_files.write_checkpoint(self.tracked, self.folder)

    def restore(self) -> None:
        """Bring all parts of the training to the state of the newest checkpoint."""
        if self.writes:
            checkpoint_files.check_folder(self.folder)
        for path in checkpoint_files.checkpoints_in(self.folder)[-1:]:
            saved = checkpoint_files.read_facts(path)
            checks.check_same_training(path, saved["kind"], self.kind)
            with checkpoint_files.explained(path):
                self.tracked.read(str(path)).assert_consumed()

    def serialize(self) -> bytes:
        """Return what is in no ``tf.Variable``, as the bytes of an ``.npz`` file."""
        facts = {"kind": self.kind, "index": self.generator.index}
        facts["generator"] = state_of(self.generator.random)
        within = self.generator.index > 0  # an epoch, which is distorted once more
        facts["distortion"] = self.before_epoch if within else state_of(self.random)
        arrays = {"order": self.generator.order, **vars(self.history)}
        return checkpoint_files.pack(facts, arrays)

    def deserialize(self, content: bytes) -> None:
        """Bring what is in no ``tf.Variable`` to the state that was saved."""
        facts, arrays = checkpoint_files.unpack(content)
        self.generator.index, self.generator.order = facts["index"], arrays["order"]
        self.generator.random.bit_generator.state = facts["generator"]
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


def remembered(rule) -> dict:
    """Return a rule's attributes that are variables, but not the model's weights."""
    attributes = dict(getattr(rule, "__dict__", {}), weights=None)
    lists = {k: v if isinstance(v, list) else [v] for k, v in attributes.items()}
    variables = [k for k, v in lists.items() if all(hasattr(x, "assign") for x in v)]
    return {name: attributes[name] for name in variables}


def describe(model, generator, rule, distort) -> dict:
    """Return what has to be the same for a training to go on, ready for JSON."""
    kind = {"the weights' shapes": [list(weight.shape) for weight in model.weights]}
    for name, part in {"the rule": rule, "the distortion": distort}.items():
        attributes = getattr(part, "__dict__", {}).items()
        numbers = {k: v for k, v in attributes if isinstance(v, int | float)}
        kind[name] = [getattr(part, "__name__", type(part).__name__), numbers]
    kind["batch_size"], kind["shuffle"] = generator.batch_size, bool(generator.shuffle)
    kind["the data's digest"] = sha256(generator.images, generator.labels)
    return kind
