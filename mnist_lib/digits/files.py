"""Where the digits come from: a file of MNIST, a download, or the stand-ins' cache.

No file is trusted: arrays are read without pickle, which could run a stranger's
code, and compared with the known digests of MNIST.
"""

import contextlib
import hashlib
import io
import os
import socket
from pathlib import Path

import keras
import numpy as np

from mnist_lib.digits import stand_in
from mnist_lib.saving.archives import read_arrays, sha256, write_arrays

KERAS_HOME = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"

# Name, shape and SHA-256 of each array. Copies of the archive differ, arrays do not.
ARRAYS = {
    "x_train": (
        (60000, 28, 28),
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    ),
    "y_train": (
        (60000,),
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    ),
    "x_test": (
        (10000, 28, 28),
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    ),
    "y_test": (
        (10000,),
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
}


def download_mnist() -> str:
    """Return the path of Keras's copy of MNIST, downloading it if need be.

    Raises:
        OSError: There is no copy and no network.
    """
    with contextlib.suppress(OSError):  # or Keras would use a shared folder instead
        Path(KERAS_HOME).mkdir(parents=True, exist_ok=True)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(8)  # seconds; a silent network must not hang a chapter
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # no progress bar in a page
            return keras.utils.get_file("mnist.npz", ADDRESS, cache_dir=KERAS_HOME)
    except Exception as error:  # get_file raises bare Exception
        raise OSError(error) from error
    finally:
        socket.setdefaulttimeout(patience)


def read_mnist(path: str | os.PathLike) -> tuple[tuple, tuple]:
    """Read an ``mnist.npz`` and make sure that every byte of it is MNIST's.

    Args:
        path: The file.

    Returns:
        What ``load_mnist`` returns.

    Raises:
        ValueError: The file is missing, damaged or not MNIST.
    """
    advice = f"Check MNIST_NPZ, delete the file to download it anew, or see {ADDRESS}"
    try:
        arrays = read_arrays(path, expected_arrays())
        for name, (_, digest) in ARRAYS.items():
            if sha256(arrays[name]) != digest:
                raise ValueError(f"{path}: {name} is not MNIST's: bytes differ")
    except ValueError as error:
        raise ValueError(f"{error}. {advice}") from error
    x_train, y_train, x_test, y_test = arrays.values()
    return (x_train, y_train), (x_test, y_test)


def expected_arrays() -> dict:
    """Return for each of MNIST's arrays its shape and dtype."""
    return {name: (shape, np.uint8) for name, (shape, _) in ARRAYS.items()}


def is_mnist(train_images: np.ndarray) -> bool:
    """Tell whether these are MNIST's 60,000 training images, in their order."""
    return sha256(train_images) == ARRAYS["x_train"][1]


def load_stand_in() -> tuple[tuple, tuple]:
    """Return ``make_stand_in()`` from the cache beside Keras's data sets.

    The file's name holds a digest of the code that drew the digits, so another
    version of the code never reads this one's file.

    Returns:
        What ``make_stand_in`` returns.
    """
    version = hashlib.sha256(Path(stand_in.__file__).read_bytes()).hexdigest()[:12]
    cache = Path(KERAS_HOME) / "datasets" / f"stand-in-{version}.npz"
    with contextlib.suppress(ValueError):  # no cache, or a damaged one: draw anew
        arrays = read_arrays(cache, expected_arrays())
        x_train, y_train, x_test, y_test = arrays.values()
        return (x_train, y_train), (x_test, y_test)
    digits = stand_in.make_stand_in()
    arrays = [array for pair in digits for array in pair]
    with contextlib.suppress(OSError):  # a read-only home: draw them every time
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(cache, dict(zip(ARRAYS, arrays, strict=True)))
    return digits
