"""Arrays in ``.npz`` files, read without trust."""

import math
import os
import zipfile
from pathlib import Path

import numpy as np

from mnist_lib.saving.disk import MAX_OVERHEAD, refusing

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes


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
    arrays = {}
    with refusing(path), zipfile.ZipFile(path) as archive:
        check_members(archive.infolist(), expected)
        for name, (shape, dtype) in expected.items():
            with archive.open(f"{name}.npy") as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
            if (array.shape, array.dtype) != (shape, dtype):
                got = f"{array.dtype} of {array.shape}"
                dtype = np.dtype(dtype)
                raise ValueError(f"{name} must be {dtype} of shape {shape}, got {got}")
            arrays[name] = array
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
