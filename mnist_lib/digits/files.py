"""Where the digits come from: a file of MNIST, a download, or the stand-ins' cache.

No file is trusted: arrays are read without pickle, which could run a stranger's
code, and compared with the known digests of MNIST.
"""

import contextlib
import hashlib
import http.client
import os
import urllib.request
from pathlib import Path

import numpy as np

from mnist_lib.digits import stand_in
from mnist_lib.saving.archives import read_arrays, sha256, write_arrays, write_whole

# Keras's own address, and the one that it had before.
ADDRESSES = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "https://s3.amazonaws.com/img-datasets/mnist.npz",
)

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


def keras_datasets() -> Path:
    """Return the folder where Keras keeps data sets."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "datasets"


def download_mnist() -> Path:
    """Return the path of Keras's copy of MNIST, downloading it if need be.

    A download gets its name when it is complete, so that neither a second process nor
    a run after a killed one finds half of it.

    Raises:
        OSError: There is no copy, and none could be downloaded or kept.
    """
    path, problems = keras_datasets() / "mnist.npz", []
    if path.is_file():
        return path
    for address in ADDRESSES:
        try:
            with urllib.request.urlopen(address, timeout=8) as answer:
                content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            problems.append(f"{address}: {error}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
        return path
    raise OSError("; ".join(problems))


def read_mnist(path: str | os.PathLike) -> tuple[tuple, tuple]:
    """Read an ``mnist.npz`` and make sure that every byte of it is MNIST's.

    Args:
        path: The file.

    Returns:
        What ``load_mnist`` returns.

    Raises:
        ValueError: The file is missing, damaged or not MNIST.
    """
    advice = (
        f"Check MNIST_NPZ, delete the file to download it anew, or see {ADDRESSES[0]}"
    )
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
    cache = keras_datasets() / f"stand-in-{version}.npz"
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
