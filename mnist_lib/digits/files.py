"""Files of MNIST: found, downloaded, read.

No file is trusted: arrays are read without pickle, which could run a stranger's
code, and compared with the known digests of MNIST.
"""

import gzip
import http.client
import os
import urllib.request
import zipfile
from pathlib import Path

import numpy as np

from mnist_lib.checks.arguments import require
from mnist_lib.saving.disk import refusing, sha256, write_whole

# Keras's own address, and the one that it had before.
ADDRESSES = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "https://s3.amazonaws.com/img-datasets/mnist.npz",
)

LARGEST = 2**26  # bytes of MNIST, unpacked, and some more: no bomb is read

SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}

# SHA-256 of each array's bytes. Copies of the archive differ, arrays do not.
DIGESTS = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}

# Files of the same arrays in MNIST's own format, also with .gz, or .idx for -idx.
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def fetch_mnist() -> Path:
    """Return the path of Keras's copy of MNIST, downloading it if need be.

    A download gets its name when it is complete, so that neither a second process nor
    a run after a killed one finds half of it.

    Raises:
        OSError: There is no copy, and none could be downloaded or kept.
    """
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    path, problems = Path(home) / "datasets/mnist.npz", []
    if path.is_file():
        return path
    for address in ADDRESSES:
        try:
            with urllib.request.urlopen(address, timeout=8) as answer:
                content = answer.read()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
            return path
        except (OSError, http.client.HTTPException) as error:
            problems.append(f"{address}: {error}")
    raise OSError("; ".join(problems))


def read_mnist(path: str | os.PathLike, advice: str) -> tuple[tuple, tuple]:
    """Read MNIST and make sure that every byte of it is right.

    Args:
        path: An ``mnist.npz``, or a folder of idx files.
        advice: What else the reader can do, for errors.

    Returns:
        What ``load_mnist`` returns.

    Raises:
        ValueError: The file is missing, damaged or not MNIST.
    """
    path = Path(path).expanduser()
    try:
        arrays = read_folder(path) if os.path.isdir(path) else read_npz(path)
        for array, (name, shape) in zip(arrays, SHAPES.items(), strict=True):
            alike = (array.dtype, array.shape) == (np.uint8, shape)
            if not alike or sha256(array) != DIGESTS[name]:
                raise ValueError(f"{path} is not MNIST: its {name} differs")
    except ValueError as error:
        if zipfile.is_zipfile(path):
            advice = f"For other data use np.load({str(path)!r}). {advice}"
        raise ValueError(f"{error}. {advice}") from error
    return tuple(arrays[:2]), tuple(arrays[2:])


def read_npz(path: Path) -> list[np.ndarray]:
    """Read the arrays that have MNIST's names from an ``.npz`` file."""
    with refusing(path), zipfile.ZipFile(path) as packed, np.load(path) as archive:
        size = sum(member.file_size for member in packed.infolist())
        require(size < LARGEST, "it", f"below {LARGEST:,} bytes, unpacked", f"{size:,}")
        names, expected = archive.files, f"one with {', '.join(SHAPES)}"
        require({*SHAPES} <= {*names}, "it", expected, names[:9])
        return [archive[name] for name in SHAPES]


def read_folder(folder: Path) -> list[np.ndarray]:
    """Read four arrays of MNIST's shapes from the idx files in a folder."""
    arrays = []
    for name, shape in zip(IDX_FILES, SHAPES.values(), strict=True):
        paths = sorted(folder.glob(name.replace("-idx", "?idx") + "*"))
        path = next(filter(os.path.isfile, paths), None)
        require(path, str(folder), f"a folder with {name} (or .gz)", "none in it")
        arrays.append(read_idx(path, shape))
    return arrays


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read an idx file: four bytes, the length of each axis in four, the numbers."""
    open_file = gzip.open if path.suffix == ".gz" else open
    with refusing(path), open_file(path, "rb") as file:
        content = bytearray(file.read(LARGEST))
        numbers = np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape))
        return numbers.reshape(shape)


def is_mnist(train_images: np.ndarray) -> bool:
    """Tell whether these are MNIST's 60,000 training images, in their order."""
    return sha256(train_images) == DIGESTS["x_train"]
