"""Hundreds of damaged and malicious files for the two loaders of files.

A child process makes and loads them, for it may crash, hang or fill the memory. It
says what it is about to load, so that the last line names the culprit. Each file
follows from its number: ``python test_fuzzing.py mnist 123`` tries one again.
"""

import functools
import hashlib
import io
import json
import os
import pickle
import re
import resource
import signal
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SEED = 28
SECONDS = 10  # for one file, after which the child is killed
LARGEST_GROWTH = 2**16  # kB of memory; the arrays themselves take less than 30
OF_THE_REAL_FILE = 2**18  # the arrays take 55,000, and are copied once
ROOM = 2**30  # bytes that the child gets above what it has at the start
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
STRUCTURES = {b"PK\3\4": 30, b"PK\1\2": 46, b"PK\5\6": 22}  # and their lengths


# The files: each function makes one from random numbers and good arrays.


def as_npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def members_of(arrays):
    return [(f"{name}.npy", as_npy(array)) for name, array in arrays.items()]


def zipped(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def any_method(random):
    return METHODS[random.integers(2)]


def good_file(random, arrays):
    return bytearray(zipped(members_of(arrays), any_method(random)))


def flipped_bytes(random, arrays):
    content = good_file(random, arrays)
    for place in random.integers(len(content), size=random.integers(1, 20)):
        content[place] = random.integers(256)
    return content


def truncated(random, arrays):
    content = good_file(random, arrays)
    return content[: random.integers(len(content))]


def another_field_of_a_structure(random, arrays):
    """A number of the zip format changed: flags, methods, sizes, offsets, counts."""
    content = good_file(random, arrays)
    kinds = b"|".join(re.escape(kind) for kind in STRUCTURES)
    starts = [found.start() for found in re.finditer(kinds, content)]
    for start in random.choice(starts, random.integers(1, 3)):
        size = STRUCTURES[bytes(content[start : start + 4])]
        place, width = start + random.integers(4, size), random.choice([1, 2, 4])
        top = 256**width
        value = random.choice([0, 1, 8, 127, top // 2, top - 1, random.integers(top)])
        content[place : place + width] = int(value % top).to_bytes(width, "little")
    return content


def made_up_header(random, arrays):
    """What ``np.save`` would not write: other shapes, versions, words and lengths."""
    members = members_of(arrays)
    which = random.integers(len(members))
    name, array = list(arrays.items())[which]
    shapes = ["(1000000000000,)", "(-6, -28, -28)", "(2147483648, 2147483648)", "[6]"]
    headers = [
        f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
        for shape in [*shapes, str(array.shape)]
    ]
    good = headers[-1]
    descriptions = ["|O", "<f4,<f4", "U99999999", "f4,(9999,9999)f4"]
    headers += [good.replace(array.dtype.str, other) for other in descriptions]
    headers += [good.replace("False", "True"), good[:-1], good + good]
    headers += ["", "{}", "(" * 5000, "1+" * 4000 + "1", "1" + "**9" * 99, "\ud800"]
    headers += ["__import__('os').mkdir('ran')", "open('ran', 'w')"]
    text = headers[random.integers(len(headers))].encode("utf8", "surrogatepass")
    if random.integers(2):
        text = text.ljust(118) + b"\n"
    length = struct.pack("<H", len(text) % 2**16)
    content = b"\x93NUMPY\1\0" + length + text + array.tobytes()
    members[which] = members[which][0], content
    return zipped(members, any_method(random))


class Trap:
    """Makes a folder where its pickle is loaded."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def pickled(random, arrays):
    traps = np.array([Trap()], dtype=object)
    members = members_of(arrays)
    which = random.integers(len(members))
    name, shape = members[which][0], list(arrays.values())[which].shape
    good = as_npy(list(arrays.values())[which])
    contents = [
        as_npy(traps),
        as_npy(np.resize(traps, shape)),
        pickle.dumps(Trap()),
        good[:128] + pickle.dumps(Trap()),  # an honest header before it
        as_npy(traps)[:128].replace(b"(1,)", str(shape).encode()) + good[128:],
    ]
    choice = random.integers(len(contents) + 1)
    if choice == len(contents):
        return pickle.dumps(Trap())  # no archive at all; np.load would try it
    members[which] = name, contents[choice]
    return zipped(members, any_method(random))


@functools.cache
def zeros_compressed(count):
    """So many times 16 MiB of zeros in the raw deflate format, without the memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(2**24)
    packer.compress(zeros)
    packer.flush(zlib.Z_FULL_FLUSH)  # from here on the blocks repeat
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * count + packer.flush()


def bomb(random, arrays):
    """Zeros behind an honest header or not, and of any said size.

    240 MiB, in a file small enough to be opened, or 5 GiB.
    """
    which, buffer = random.integers(len(arrays)), io.BytesIO()
    count = int(random.choice([15, 15, 320]))
    with zipfile.ZipFile(buffer, "w") as archive:
        for i, (name, content) in enumerate(members_of(arrays)):
            if i != which:
                archive.writestr(name, content)
                continue
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            header = packer.compress(content[: random.choice([0, 128])])
            header += packer.flush(zlib.Z_FULL_FLUSH)
            archive.writestr(name, header + zeros_compressed(count))
            info = archive.getinfo(name)  # the directory is written at the end
            info.compress_type = zipfile.ZIP_DEFLATED
            sizes = [count * 2**24 + 128, len(content), len(content) + 900, 2**62, 0]
            info.file_size = int(random.choice(sizes))
    return buffer.getvalue()


def another_header(random, arrays):
    """Of a safetensors file: a length, shapes and places that are not its own."""
    digest = hashlib.sha256(b"".join(map(bytes, arrays.values()))).hexdigest()
    content = save(arrays, {"sha256": digest})
    size = int.from_bytes(content[:8], "little")
    header, numbers = content[8 : 8 + size].decode(), content[8 + size :]
    numbers_in_it = list(re.finditer(r"(?<=[\[,])\d+(?=[\],])", header))
    found = numbers_in_it[random.integers(len(numbers_in_it))]
    value = random.choice(["0", "-1", "9" * 30, "1e9", "[[", "2147483648", "5"])
    changed = header[: found.start()] + value + header[found.end() :]
    headers = [changed, "[" * 90_000, header + " " * 200_000, "{}", "\0" * 90, ""]
    text = headers[random.choice(6, p=[0.5] + 5 * [0.1])].encode()
    lengths = [len(text), len(text), 2**63, 10**8, 2**27, len(text) + 1]
    return lengths[random.integers(6)].to_bytes(8, "little") + text + numbers


def other_kinds_of_file(random, arrays):
    name = list(arrays)[random.integers(len(arrays))]
    contents = [b"", b"<html>", b"PK", b"PK\5\6" + bytes(18), b"PK\5\6" + b"\xff" * 18]
    contents += [as_npy(arrays[name]), random.bytes(3000), b"PK\1\2" * 99, b"\x93NUMPY"]
    contents += [zipped([]), bytes(2**20)]
    return contents[random.integers(len(contents))]


REFUSED, EITHER = {"refused"}, {"refused", "equal"}

# How many files of each kind there are, and their ends.
KINDS = {
    flipped_bytes: (120, EITHER),
    truncated: (100, REFUSED),
    another_field_of_a_structure: (150, EITHER),
    made_up_header: (150, EITHER),
    pickled: (25, REFUSED),
    bomb: (24, REFUSED),
    other_kinds_of_file: (20, REFUSED),
    another_header: (60, EITHER),
}


def files_of(kinds):
    """Return each kind as often as there are files of it."""
    return [kind for kind in kinds for _ in range(KINDS[kind][0])]


# What is done to the real file, too large to be written anew in no time.
OF_BYTES = [flipped_bytes, truncated, another_field_of_a_structure]


# The child, which tries them.


def loader_of_mnist(folder, random):
    """Small arrays that count as MNIST, and what loads a file of them."""
    from mnist_lib import load_mnist
    from mnist_lib.digits import files

    shapes = {"x_train": (5, 28, 28), "y_train": (5,), "x_test": (5, 28, 28)}
    shapes["y_test"] = (5,)
    arrays = {n: random.integers(0, 255, s).astype("uint8") for n, s in shapes.items()}
    digests = {name: files.sha256(array) for name, array in arrays.items()}
    files.ARRAYS = {name: (shapes[name], digests[name]) for name in arrays}

    def load(path):
        return [array for pair in load_mnist(path=path) for array in pair]

    return arrays, load


def loader_of_weights(folder, random):
    """The weights of two layers of the same shape, and what loads a file of them."""
    import tensorflow as tf

    from mnist_lib import NaiveDense, NaiveSequential, load_weights

    layers = [NaiveDense(20, 20, tf.nn.relu) for _ in range(2)]
    model = NaiveSequential(layers)
    for weight in model.weights:
        weight.assign(random.standard_normal(weight.shape))
    arrays = {f"weight_{i}": weight.numpy() for i, weight in enumerate(model.weights)}

    def load(path):
        for weight in model.weights:
            weight.assign(tf.ones_like(weight))
        try:
            load_weights(model, path)
        except ValueError:  # the model must have kept what it had
            assert all(np.all(weight == 1) for weight in model.weights)
            raise
        return [weight.numpy() for weight in model.weights]

    return arrays, load


def loader_of_the_real_mnist(folder, random):
    from mnist_lib import load_mnist

    content = Path(os.environ["MNIST_NPZ"]).read_bytes()
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)

    def load(path):
        return [array for pair in load_mnist(path=path) for array in pair]

    globals()["good_file"] = lambda *_: bytearray(content)
    return arrays, load


LOADERS = {
    "mnist": (
        loader_of_mnist,
        files_of([kind for kind in KINDS if kind is not another_header]),
    ),
    "weights": (loader_of_weights, files_of([another_header, other_kinds_of_file])),
    "the real mnist": (loader_of_the_real_mnist, OF_BYTES * 5),
}


def end_of_loading(load, path, arrays):
    """How it went: "refused", "equal", or else a sentence about what is wrong."""
    try:
        loaded = load(path)
    except ValueError as error:
        proper = type(error) is ValueError and str(error).startswith(str(path))
        short = len(str(error)) < 800
        return "refused" if proper and short else f"{type(error)}: {error}"
    except BaseException as error:  # whatever it is, it is not the library's own
        return f"{type(error)}: {error}"
    pairs = list(zip(arrays.values(), loaded, strict=True))
    same = all(a.dtype == b.dtype and a.shape == b.shape for a, b in pairs)
    same = same and all(a.tobytes() == b.tobytes() for a, b in pairs)
    return "equal" if same else "other arrays"


def try_files(name, only=None):
    """Load all files of a loader, in an empty folder, and print how each went."""
    import warnings

    warnings.simplefilter("ignore")  # zipfile's, of names that are there twice
    make_loader, kinds = LOADERS[name]
    arrays, load = make_loader(Path.cwd(), np.random.default_rng(SEED))
    path = Path.cwd() / "a file"
    in_use = int(re.search(r"VmSize:\s+(\d+)", open("/proc/self/status").read())[1])
    limit = (
        in_use * 1024 + ROOM
    )  # a net below that of LARGEST_GROWTH, for the machine's sake
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    for number, kind in enumerate(kinds):
        if only is not None and number != only:
            continue
        random = np.random.default_rng([SEED, number])
        path.write_bytes(kind(random, arrays))
        print(json.dumps([number, kind.__name__]), flush=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        signal.alarm(SECONDS)  # no handler: disk.py would take it for damage
        end = end_of_loading(load, path, arrays)
        signal.alarm(0)
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        others = sorted({*os.listdir()} - {path.name})
        print(json.dumps([number, kind.__name__, end, growth, others]), flush=True)


# The tests, on what it printed.


def ends_of(name, folder):
    """Have a child try all files; its lines: number, kind, end, growth, other files."""
    child = subprocess.run(
        [sys.executable, __file__, name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    at = lines[-1] if lines else "the start"
    assert child.returncode == 0, f"it ended at {at}: {child.stderr[-2000:]}"
    ends = [line for line in lines if len(line) > 2]
    assert len(ends) == len(LOADERS[name][1]) == len(lines) / 2
    return ends


@pytest.fixture(scope="module", params=["mnist", "weights"])
def ends(request, tmp_path_factory):
    return ends_of(request.param, tmp_path_factory.mktemp("files"))


def assert_harmless(ends, largest_growth=LARGEST_GROWTH):
    wrong = [end for end in ends if end[2] not in EITHER]
    assert not wrong, f"neither refused by name nor equal: {wrong[:5]}"
    large = [end for end in ends if end[3] > largest_growth]
    assert not large, f"so many kB of memory: {large[:5]}"
    ran = [end for end in ends if end[4]]
    assert not ran, f"another file appeared: {ran[:1]}"


def test_no_file_crashes_hangs_fills_the_memory_runs_or_gives_other_arrays(ends):
    assert_harmless(ends)
    for number, kind, end, *_ in ends:
        assert end in KINDS[globals()[kind]][1], f"{kind} {number}: {end}"


@pytest.mark.mnist
def test_the_real_file_changed_is_refused_or_gives_mnist(tmp_path):
    ends = ends_of("the real mnist", tmp_path)
    assert_harmless(ends, OF_THE_REAL_FILE)
    assert sum(end[2] == "refused" for end in ends) >= 10


if __name__ == "__main__":
    try_files(sys.argv[1], *map(int, sys.argv[2:]))
