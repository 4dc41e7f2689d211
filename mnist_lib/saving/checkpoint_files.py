"""A folder of checkpoints: written whole, read only if whole, the two newest kept.

A checkpoint gets its name when TensorFlow has written all of it, and its index gets
it last. So where there is an index, there is all, whenever the program was killed.
"""

import contextlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnist_lib import checks

DIARY = "diary/.ATTRIBUTES/py_state"  # TensorFlow's name for a PythonState "diary"
UNFINISHED = "unfinished"  # a checkpoint's name while TensorFlow writes it
FILES = re.compile(r"(training-\d+)\.(index|data-\d+-of-\d+)|unfinished(_temp|\..*)")
NODES = re.compile(r"\{\{.*?\}\} ?|\[\[.*?\]\] ?| ?\[Op:\w+\]")
NOT_WRITTEN = (
    "no checkpoint could be written to {}: {}. What was saved there before is whole: "
    "once there is room and permission, the same call goes on from it"
)
NOT_USABLE = "the checkpoint {0} is not usable: {1}. Delete {0}.* to go on from {2}"


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the whole checkpoints, the newest last, as TensorFlow names them."""
    indexes = [
        path for path in folder.glob("training-*.index") if FILES.fullmatch(path.name)
    ]
    return sorted((path.with_suffix("") for path in indexes), key=number_of)


def number_of(path: Path) -> int:
    """Return a checkpoint's number, which its name ends in."""
    return int(path.name.rpartition("-")[2])


def keep_only(folder: Path, kept: list[Path]) -> None:
    """Remove all other checkpoints, and what killed programs left of theirs.

    Each index goes before its data, so that no half of a checkpoint counts as whole.
    """
    found = [(path, FILES.fullmatch(path.name)) for path in folder.iterdir()]
    others = [
        path for path, name in found if name and folder / str(name[1]) not in kept
    ]
    for path in sorted(others, key=lambda path: path.suffix != ".index"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """Make sure that the folder is there and can be written to.

    Raises:
        OSError: It cannot.
        ValueError: TensorFlow would take its name for a pattern, and find nothing.
    """
    expected = "a path without any of *, ?, [ and \\, which stand for other names"
    plain = not set("*?[\\") & set(str(folder))
    checks.require(plain, "checkpoint_dir", expected, str(folder))
    try:
        with contextlib.suppress(FileExistsError):  # a file, which the next line tells
            folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(NOT_WRITTEN.format(folder, error.strerror)) from error


def reason_of(error: Exception) -> str:
    """Return an error's first line, without TensorFlow's names for its nodes."""
    return NODES.sub("", str(error).partition("\n")[0])


def write_checkpoint(tracked: tf.train.Checkpoint, folder: Path) -> None:
    """Write a checkpoint, then remove all but this one and the one before it.

    Args:
        tracked: What is to be saved.
        folder: The checkpoints' folder.

    Raises:
        OSError: The disk is full, or cannot be written to.
    """
    before = checkpoints_in(folder)
    path = folder / f"training-{number_of(before[-1]) + 1 if before else 1}"
    try:
        keep_only(folder, before)  # makes room, too
        tracked.write(str(folder / UNFINISHED))
        for file in sorted(folder.glob(f"{UNFINISHED}.*")):  # data, then index
            file.replace(folder / file.name.replace(UNFINISHED, path.name, 1))
        keep_only(folder, [*before[-1:], path])
    except (OSError, tf.errors.OpError) as error:
        with contextlib.suppress(OSError):  # a disk may have become read-only
            keep_only(folder, before)
        raise OSError(NOT_WRITTEN.format(folder, reason_of(error))) from error


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Make of whatever a checkpoint fails with an error that says how to go on.

    Raises:
        ValueError: It is damaged, or is none of a training.
    """
    try:
        yield
    except Exception as error:  # a damaged one fails in a dozen ways
        before = [other.name for other in checkpoints_in(path.parent) if other != path]
        rest = (before or ["the start"])[-1]
        raise ValueError(NOT_USABLE.format(path, reason_of(error), rest)) from error


def read_facts(path: Path) -> dict:
    """Return the facts in a checkpoint's diary, if all of the checkpoint is whole.

    It is read from beginning to end: its checksums tell.

    Raises:
        ValueError: It is damaged.
    """
    with explained(path):
        reader = tf.train.load_checkpoint(str(path))
        names = reader.get_variable_to_shape_map()
        return unpack({name: reader.get_tensor(name) for name in names}[DIARY])[0]


def pack(facts: dict, arrays: dict) -> bytes:
    """Return facts and arrays as the bytes of an ``.npz`` file."""
    buffer, text = io.BytesIO(), json.dumps(facts, default=np.ndarray.tolist)
    np.savez(buffer, facts=text, **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> tuple[dict, dict]:
    """Return the facts and the arrays that were packed."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    return json.loads(str(arrays.pop("facts"))), arrays
