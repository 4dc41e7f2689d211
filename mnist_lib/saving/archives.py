"""Arrays in files: read without trust, written whole or not at all.

A file may be damaged, or made by a stranger to do harm. So no file is read that is
larger than what is expected of it, nothing in it is run, and whatever is wrong with it
becomes one error that names it.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors.numpy

MAX_OVERHEAD = 2**18  # bytes of all that is in a file besides its numbers
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes


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


def read_arrays(path: str | os.PathLike, expected: dict) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file that holds just those expected.

    Args:
        path: The file.
        expected: For each name a pair (shape, dtype).

    Returns:
        The arrays, in the order of ``expected``.

    Raises:
        ValueError: The file is missing, damaged, or holds something else.
    """
    path = Path(path).expanduser()
    if not os.path.isfile(path):  # also where the folder may not be looked into
        raise ValueError(f"{path} is not a file")
    with refusing(path):
        with zipfile.ZipFile(path) as archive:
            check_members(archive.infolist(), expected)
            arrays = {name: read_array(archive, name) for name in expected}
        for name, (shape, dtype) in expected.items():
            array, dtype = arrays[name], np.dtype(dtype)
            if (array.shape, array.dtype) != (shape, dtype):
                got = f"{array.dtype} of {array.shape}"
                raise ValueError(f"{name} must be {dtype} of shape {shape}, got {got}")
        return arrays


def check_members(members: list, expected: dict) -> None:
    """Make sure that an archive unfolds to what is expected and to no more bytes."""
    names = [member.filename.removesuffix(".npy") for member in members]
    if sorted(names) != sorted(expected):
        told = ", ".join(sorted(names)[:9])[:200]
        raise ValueError(f"it must hold {', '.join(expected)}, got {told}")
    for name, member in zip(names, members, strict=True):
        shape, dtype = expected[name]
        largest = math.prod(shape) * np.dtype(dtype).itemsize + MAX_OVERHEAD
        if member.file_size > largest or member.compress_type not in METHODS:
            raise ValueError(f"{name} takes {member.file_size} bytes, or is no array")


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read an array from an open archive."""
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def write_arrays(path: str | os.PathLike, arrays: dict) -> None:
    """Write an ``.npz`` file, as ``write_whole`` does.

    Args:
        path: The file.
        arrays: For each name an array.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def read_tensors(path: str | os.PathLike, size: int) -> tuple[dict, dict, bytes]:
    """Read a safetensors file.

    Args:
        path: The file.
        size: The most bytes that its numbers may take.

    Returns:
        ``(tensors, metadata, numbers)``: the arrays by their names, the texts that go
        with them, and the bytes of all arrays as they are in the file.
    """
    with Path(path).expanduser().open("rb") as file:
        content = file.read(size + MAX_OVERHEAD)
        if file.read(1):
            raise ValueError(f"it has more than the {size} bytes of its numbers")
    tensors = safetensors.numpy.load(content)  # finds a header that is none
    header, numbers = header_and_numbers(content)
    return tensors, header.get("__metadata__", {}), numbers


def kinds(arrays: dict) -> str:
    """Return the names, dtypes and shapes of arrays, to be compared and read."""
    named = sorted(arrays.items())
    return ", ".join(f"{name} {array.dtype}{array.shape}" for name, array in named)


def header_and_numbers(content: bytes) -> tuple[dict, bytes]:
    """Return the two parts of a safetensors file, which begins with a length."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def write_tensors(path: str | os.PathLike, arrays: dict, metadata: dict) -> None:
    """Write a safetensors file, as ``write_whole`` does.

    Args:
        path: The file.
        arrays: For each name an array.
        metadata: Texts that go with them.
    """
    in_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_whole(path, safetensors.numpy.save(in_order, metadata))


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
