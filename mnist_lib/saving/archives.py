"""Arrays in ``.npz`` files: read without trust, written in one go.

A file may be damaged, or made by a stranger to do harm. So nothing is taken from it
but the arrays that are expected: their names, shapes and dtypes are compared before
any of their bytes are read, and never more bytes than these take.
"""

import contextlib
import hashlib
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

LONGEST_HEADER = 1024  # bytes; NumPy's own headers take 128
MAX_OVERHEAD = 2**18  # bytes of all that is in an archive besides its arrays
COMPRESSION_TYPES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes


def read_arrays(path: str | os.PathLike, expected: dict) -> dict[str, np.ndarray]:
    """Read the expected arrays from an archive that holds just these.

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
    try:
        check_size(os.path.getsize(path), expected)
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if sorted(names) != sorted(expected):
                told = ", ".join(sorted(names)[:9])[:200]
                raise ValueError(f"it must hold {', '.join(expected)}, got {told}")
            return {
                name: read_array(archive, name, tuple(shape), np.dtype(dtype))
                for name, (shape, dtype) in expected.items()
            }
    except Exception as error:  # a damaged archive fails in a dozen ways
        reason = str(error)[:400] or type(error).__name__  # it may quote the file
        raise ValueError(f"{path} is not usable: {reason}") from error


def check_size(size: int, expected: dict) -> None:
    """Make sure that a file is not too large, as one of a million names would be."""
    kinds = {name: (shape, np.dtype(kind)) for name, (shape, kind) in expected.items()}
    needed = sum(math.prod(shape) * kind.itemsize for shape, kind in kinds.values())
    if size > 1.01 * needed + MAX_OVERHEAD:  # what is random does not shrink
        told = ", ".join(f"{name} {tuple(shape)}" for name, (shape, _) in kinds.items())
        raise ValueError(f"it has {size} bytes, too many for {told}")


def read_array(archive, name: str, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """Read one array from an open archive, if it is of this shape and dtype."""
    member, size = archive.getinfo(f"{name}.npy"), math.prod(shape) * dtype.itemsize
    known = member.compress_type in COMPRESSION_TYPES
    if not known or member.file_size > size + LONGEST_HEADER:
        raise ValueError(f"{name} takes {member.file_size} bytes, not about {size}")
    with archive.open(member) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{name} has a header that np.save does not write for it")
        header = np.lib.format.read_array_header_1_0(file)
        if header != (shape, False, dtype):
            got = f"{header[2]} of {header[0]}"
            raise ValueError(f"{name} must be {dtype} of shape {shape}, got {got}")
        content = file.read(size + 1)  # one more, to reach the end and its checksum
    if len(content) != size:
        raise ValueError(f"{name} has {len(content)} bytes or more, not {size}")
    return np.frombuffer(content, dtype).reshape(shape).copy()


def write_arrays(path: str | os.PathLike, arrays: dict) -> None:
    """Write an archive that is there whole or, if something goes wrong, not at all.

    Args:
        path: The file. One that is there is replaced at the very end.
        arrays: For each name an array.

    Raises:
        OSError: There is no room, or no permission. What was there before stays.
    """
    in_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_whole(path, lambda file: np.savez_compressed(file, **in_order))


def write_whole(path: str | os.PathLike, write: Callable) -> None:
    """Write a file that is there whole or not at all, as ``write_arrays`` does.

    Args:
        path: The file. One that is there is replaced at the very end.
        write: Function that writes the content into the open file it is given.

    Raises:
        OSError: There is no room, or no permission. What was there before stays.
    """
    path = Path(path).expanduser()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            write(file)
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
