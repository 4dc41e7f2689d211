"""Files of any kind: written whole or not at all, read without trust.

A file may be damaged, or made by a stranger to do harm. So nothing in it is run, and
whatever is wrong with it becomes one error that names it.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors.numpy


@contextlib.contextmanager
def refusing(path: str | os.PathLike) -> Iterator[None]:
    """Make of whatever a file fails with one error that names it.

    Raises:
        ValueError: The file is not usable.
    """
    try:
        yield
    except Exception as error:  # a file of a stranger fails in a dozen ways
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"it has no {error}"
        raise ValueError(f"{path} is not usable: {reason[:400]}") from error


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write a file that is there whole or, if something goes wrong, not at all.

    Args:
        path: The file. One that is there is replaced at the very end.
        content: Its bytes.

    Raises:
        OSError: There is no room, or no permission. What was there before stays.
    """
    path = Path(path).expanduser()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it gets its name
        unfinished.replace(path)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):  # it is gone, or never was
            unfinished.unlink()


def sha256(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of the arrays' bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def read_tensors(path: str | os.PathLike) -> tuple[dict, dict, bytes]:
    """Read a safetensors file.

    Returns:
        ``(tensors, metadata, numbers)``: the arrays by their names, the texts that go
        with them, and the bytes of all arrays as they are in the file.
    """
    content = Path(path).expanduser().read_bytes()
    tensors = safetensors.numpy.load(content)  # refuses a malformed header
    header, numbers = header_and_numbers(content)
    return tensors, header.get("__metadata__", {}), numbers


def header_and_numbers(content: bytes) -> tuple[dict, bytes]:
    """Return the two parts of a safetensors file, which begins with a length."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]
