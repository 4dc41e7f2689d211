"""Thousands of damaged and malicious files for the two loaders of ``.npz`` files.

A child process makes and loads them, for it may crash, hang or fill the memory. It
says what it is about to load, so that the last line names the culprit. Each file
follows from its number: ``python tests/test_fuzzing.py mnist 123`` tries one again.
"""

import collections
import functools
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


def zipped(members, method=zipfile.ZIP_DEFLATED, comment=b"", **settings):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in members:
            with archive.open(name, "w", **settings) as file:
                file.write(content)
    return buffer.getvalue()


def any_method(random):
    return METHODS[random.integers(2)]


def good_file(random, arrays):
    return bytearray(zipped(members_of(arrays), any_method(random)))


def good_file_without_changes(random, arrays):
    return good_file(random, arrays)


def flipped_bit(random, arrays):
    content = good_file(random, arrays)
    content[random.integers(len(content))] ^= 1 << random.integers(8)
    return content


def flipped_bytes(random, arrays):
    content = good_file(random, arrays)
    for place in random.integers(len(content), size=random.integers(1, 20)):
        content[place] = random.integers(256)
    return content


def truncated(random, arrays):
    content = good_file(random, arrays)
    return content[: random.integers(len(content))]


def without_a_range(random, arrays):
    content = good_file(random, arrays)
    start = random.integers(len(content))
    del content[start : start + random.integers(1, 200)]
    return content


def with_a_range_more(random, arrays):
    content = good_file(random, arrays)
    place = random.integers(len(content) + 1)
    content[place:place] = random.bytes(random.integers(1, 200))
    return content


def with_a_range_twice(random, arrays):
    content = good_file(random, arrays)
    place, other = random.integers(len(content), size=2)
    content[place:place] = content[other : other + random.integers(1, 400)]
    return content


def with_noise_before_or_after(random, arrays):
    noise, content = random.bytes(random.integers(1, 300)), good_file(random, arrays)
    return noise + content if random.integers(2) else content + noise


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


def in_the_directory(content, offset, form, value, which):
    """Change one number of one entry in the central directory."""
    entries = [found.start() for found in re.finditer(b"PK\1\2", content)]
    struct.pack_into(form, content, entries[which % len(entries)] + offset, value)
    return content


def lying_sizes(random, arrays):
    content, which = good_file(random, arrays), random.integers(9)
    values = [0, 1, 2**31, 2**32 - 2, 2**32 - 1, random.integers(4000)]
    offset = [20, 24][random.integers(2)]
    value = int(random.choice(values))
    return in_the_directory(content, offset, "<I", value, which)


def unusual_flags(random, arrays):
    """Also 1, for encrypted, 32, for patched data, and 64, for strong encryption."""
    content, which = good_file(random, arrays), random.integers(9)
    value = 1 << random.integers(16)
    return in_the_directory(content, 8, "<H", value, which)


def encrypted(random, arrays):
    content, which = good_file(random, arrays), random.integers(9)
    return in_the_directory(content, 8, "<H", 1, which)


def unknown_method(random, arrays):
    content, which = good_file(random, arrays), random.integers(9)
    return in_the_directory(content, 10, "<H", int(random.integers(1, 8)), which)


def with_a_comment(random, arrays):
    comment = random.bytes(random.integers(1, 2**16))
    return zipped(members_of(arrays), any_method(random), comment)


def with_a_comment_like_a_file(random, arrays):
    comment = zipped(members_of(arrays))[: random.integers(2**12)]
    return zipped(members_of(arrays), any_method(random), comment)


def in_zip64(random, arrays):
    return zipped(members_of(arrays), any_method(random), force_zip64=True)


def in_another_order(random, arrays):
    members = members_of(arrays)
    random.shuffle(members)
    return zipped(members, any_method(random))


def other_methods(random, arrays):
    method = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][random.integers(2)]
    return zipped(members_of(arrays), method)


def swapped_names(random, arrays):
    """Two members with each other's names; some of them have the same shape."""
    members = members_of(arrays)
    one, other = random.choice(len(members), 2, replace=False)
    (first, a), (second, b) = members[one], members[other]
    members[one], members[other] = (second, a), (first, b)
    return zipped(members, any_method(random))


def other_names(random, arrays):
    members = members_of(arrays)
    which = random.integers(len(members))
    name, content = members[which]
    names = ["", "../" + name, "/" + name, "./" + name, name.upper(), name[:-4], "x"]
    names += [name + "/", name + " ", "é", "x" * 60000]
    members[which] = names[random.integers(len(names))], content
    return zipped(members, any_method(random))


def a_member_twice(random, arrays):
    members = members_of(arrays)
    members.insert(
        random.integers(len(members) + 1), members[random.integers(len(members))]
    )
    return zipped(members, any_method(random))


def a_member_less(random, arrays):
    members = members_of(arrays)
    del members[random.integers(len(members))]
    return zipped(members, any_method(random))


def a_member_more(random, arrays):
    more = [("more.npy", as_npy(np.zeros(3))), ("readme.txt", b"hello"), ("more/", b"")]
    return zipped([*members_of(arrays), more[random.integers(3)]], any_method(random))


def with_one_array(random, arrays, change):
    name = list(arrays)[random.integers(len(arrays))]
    return zipped(
        members_of({**arrays, name: change(arrays[name])}), any_method(random)
    )


def other_content(random, arrays):
    """Written anew, so that all checksums of the archive are right."""

    def change(array):
        content = bytearray(array.tobytes())
        content[random.integers(len(content))] ^= 1 << random.integers(8)
        return np.frombuffer(content, array.dtype).reshape(array.shape)

    return with_one_array(random, arrays, change)


def other_dtype(random, arrays):
    dtypes = ["int8", ">f4", "<f4", "f8", "i8", "?", "c8", "U3", "S1", "M8[s]", "V2"]

    def change(array):
        dtype = np.dtype(dtypes[random.integers(len(dtypes))])
        dtype = np.dtype("f2") if dtype == array.dtype else dtype
        if dtype.itemsize == array.itemsize:
            return array.view(dtype)
        return np.zeros(array.shape, dtype)

    return with_one_array(random, arrays, change)


def other_shape(random, arrays):
    def change(array):
        size = array.size
        shapes = [(size, 1), (1, size), size + 1, size - 1, (0, 4), (), (2,) * 9]
        return np.resize(array, shapes[random.integers(len(shapes))])

    return with_one_array(random, arrays, change)


def columns_first(random, arrays):
    name = ["x_train", "weight_0"]["weight_0" in arrays]
    changed = {**arrays, name: np.asfortranarray(arrays[name])}
    return zipped(members_of(changed), any_method(random))


def made_up_header(random, arrays):
    """What ``np.save`` would not write: other shapes, versions, words and lengths."""
    members = members_of(arrays)
    which = random.integers(len(members))
    name, array = list(arrays.items())[which]
    shapes = ["(1000000000000,)", "(-6, -28, -28)", "(-1,)", "(1e3,)", "(0,)", "None"]
    shapes += ["(2147483648, 2147483648)", f"({10**40},)", "(True,)", "()", "[6]", "6L"]
    headers = [
        f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
        for shape in [*shapes, str(array.shape)]
    ]
    good = headers[-1]
    headers += [good.replace("False", word) for word in ("True", "0", "None", "'no'")]
    descriptions = ["|O", "<f4,<f4", "", "V0", "U99999999", "f4,(9999,9999)f4", "\0"]
    headers += [good.replace(array.dtype.str, other) for other in descriptions]
    headers += ["", "{}", "(" * 5000, "-" * 5000 + "1", "1+" * 4000 + "1", "{" * 190]
    headers += ["not " * 2000 + "1", "[" * 99 + "]" * 99, "9" * 8000, "1" + "**9" * 99]
    headers += ["__import__('os').mkdir('ran')", "open('ran', 'w')", "\ud800"]
    headers += [good[:-1], good + good, good.replace("}", "'more': 1}"), good * 200]
    text = headers[random.integers(len(headers))].encode("utf8", "surrogatepass")
    if random.integers(2):
        text = text.ljust(118) + b"\n"
    version = [(1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (0, 9), (255, 255)]
    version = version[random.integers(len(version))]
    length = struct.pack(
        "<I" if version in [(2, 0), (3, 0)] else "<H", len(text) % 2**16
    )
    magic = [b"\x93NUMPY", b"\x93NUMPY", b"\x93numpy"][random.integers(3)]
    content = magic + bytes(version) + length + text + array.tobytes()
    members[which] = members[which][0], content
    return zipped(members, any_method(random))


def flipped_byte_of_a_header(random, arrays):
    """In the header of an array, with the archive's checksums right."""
    members = members_of(arrays)
    which = random.integers(len(members))
    name, content = members[which]
    content = bytearray(content)
    content[random.integers(80)] = random.integers(256)
    members[which] = name, bytes(content)
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


def nested(random, arrays):
    inner = zipped(members_of(arrays))
    name = f"{list(arrays)[random.integers(len(arrays))]}.npy"
    members = [
        (n, inner if n == name else content) for n, content in members_of(arrays)
    ]
    return zipped(
        [members, [("mnist.npz", inner)], [(name, inner)]][random.integers(3)]
    )


def many_members(random, arrays):
    members = members_of(arrays)
    names = [members[0][0]] if random.integers(2) else [f"{i}" for i in range(3000)]
    return zipped([*members, *((names[i % len(names)], b"") for i in range(3000))])


def endless_directory(random, arrays):
    """One entry of the central directory again and again, in 15 to 100 MB."""
    content = good_file(random, arrays)
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entry = content[start : content.index(b"PK\1\2", start + 4)]
    directory = entry * int(random.choice([300_000, 2_000_000]))
    struct.pack_into("<I", content, end + 12, len(directory))
    return content[:start] + directory + content[end:]


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


def bomb_of_a_header(random, arrays):
    """Headers that would take long to read, in members that are not too large."""
    members = members_of(arrays)
    name, content = members[0]
    texts = [b" " * 65000, b"(" * 900, b"-" * 900, b"\n" * 900, b"#" * 900, b"{" * 900]
    text = texts[random.integers(len(texts))]
    header = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text
    members[0] = name, header + content[128:]
    return zipped(members, any_method(random))


def other_kinds_of_file(random, arrays):
    name = list(arrays)[random.integers(len(arrays))]
    contents = [b"", b"<html>", b"PK", b"PK\5\6" + bytes(18), b"PK\5\6" + b"\xff" * 18]
    contents += [as_npy(arrays[name]), random.bytes(3000), b"PK\1\2" * 99, b"\x93NUMPY"]
    contents += [zipped([]), bytes(2**20)]
    return contents[random.integers(len(contents))]


REFUSED, EQUAL, EITHER = {"refused"}, {"equal"}, {"refused", "equal"}

# How many files of each kind there are for each of the two loaders, and their ends.
KINDS = {
    good_file_without_changes: (5, EQUAL),
    flipped_bit: (200, EITHER),
    flipped_bytes: (120, EITHER),
    truncated: (100, REFUSED),
    without_a_range: (60, EITHER),
    with_a_range_more: (50, EITHER),
    with_a_range_twice: (50, EITHER),
    with_noise_before_or_after: (30, EITHER),
    another_field_of_a_structure: (150, EITHER),
    lying_sizes: (60, EITHER),
    unusual_flags: (30, EITHER),
    encrypted: (6, REFUSED),
    unknown_method: (10, REFUSED),
    with_a_comment: (10, EQUAL),
    with_a_comment_like_a_file: (10, EITHER),
    in_zip64: (6, EQUAL),
    in_another_order: (6, EQUAL),
    other_methods: (6, REFUSED),
    swapped_names: (20, REFUSED),
    other_names: (20, REFUSED),
    a_member_twice: (10, REFUSED),
    a_member_less: (6, REFUSED),
    a_member_more: (6, REFUSED),
    other_content: (50, REFUSED),
    other_dtype: (30, REFUSED),
    other_shape: (20, REFUSED),
    columns_first: (4, REFUSED),
    made_up_header: (150, EITHER),
    flipped_byte_of_a_header: (60, EITHER),
    pickled: (25, REFUSED),
    nested: (9, REFUSED),
    many_members: (3, REFUSED),
    endless_directory: (4, REFUSED),
    bomb: (24, REFUSED),
    bomb_of_a_header: (12, REFUSED),
    other_kinds_of_file: (20, REFUSED),
}
ALL = [kind for kind, (count, _) in KINDS.items() for _ in range(count)]

# What is done to the real file, too large to be written anew in no time.
OF_BYTES = [flipped_bit, flipped_bytes, truncated, without_a_range, with_a_range_more]
OF_BYTES += [with_a_range_twice, with_noise_before_or_after, lying_sizes]
OF_BYTES += [another_field_of_a_structure, unusual_flags]


# The child, which tries them.


def loader_of_mnist(folder, random):
    """Small arrays that count as MNIST, and what loads a file of them."""
    from mnist_lib import digit_files, load_mnist

    shapes = {"x_train": (5, 28, 28), "y_train": (5,), "x_test": (5, 28, 28)}
    shapes["y_test"] = (5,)
    arrays = {n: random.integers(0, 255, s).astype("uint8") for n, s in shapes.items()}
    digests = {name: digit_files.sha256(array) for name, array in arrays.items()}
    digit_files.ARRAYS = {name: (shapes[name], digests[name]) for name in arrays}

    def load(path):
        return [array for pair in load_mnist(path=path) for array in pair]

    return arrays, load


def loader_of_weights(folder, random):
    """The weights of two layers of the same shape, and what loads a file of them."""
    import tensorflow as tf

    from mnist_lib import NaiveDense, NaiveSequential, load_weights, save_weights

    layers = [NaiveDense(20, 20, tf.nn.relu) for _ in range(2)]
    model = NaiveSequential(layers)
    for weight in model.weights:
        weight.assign(random.standard_normal(weight.shape))
    save_weights(model, folder / "good.npz")
    with np.load(folder / "good.npz") as archive:
        arrays = dict(archive)

    def load(path):
        for weight in model.weights:
            weight.assign(tf.ones_like(weight))
        try:
            load_weights(model, path)
        except ValueError:  # the model must have kept what it had
            assert all(np.all(weight == 1) for weight in model.weights)
            raise
        return [*(weight.numpy() for weight in model.weights), arrays["sha256"]]

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
    "mnist": (loader_of_mnist, ALL),
    "weights": (loader_of_weights, ALL),
    "the real mnist": (loader_of_the_real_mnist, OF_BYTES * 2),
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
    path = Path.cwd() / "a file.npz"
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
        signal.alarm(SECONDS)  # no handler: archives.py would take it for damage
        end = end_of_loading(load, path, arrays)
        signal.alarm(0)
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        others = sorted({*os.listdir()} - {path.name, "good.npz"})
        print(json.dumps([number, kind.__name__, end, growth, others]), flush=True)


# The tests, on what it printed.


def ends_of(name, folder):
    """Have a child try all files; its lines: number, kind, end, growth, other files."""
    child = subprocess.run(
        [sys.executable, __file__, name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
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
    assert len(ends) >= 1000  # of each loader


def test_what_must_be_refused_is_refused_and_what_is_whole_is_read(ends):
    for number, kind, end, *_ in ends:
        assert end in KINDS[globals()[kind]][1], f"{kind} {number}: {end}"


def test_the_files_are_neither_all_refused_nor_all_harmless(ends):
    found = collections.Counter(end for _, _, end, *_ in ends)
    assert found["refused"] > 500 and found["equal"] > 100


@pytest.mark.mnist
def test_the_real_file_changed_is_refused_or_gives_mnist(tmp_path):
    ends = ends_of("the real mnist", tmp_path)
    assert_harmless(ends, OF_THE_REAL_FILE)
    assert len(ends) >= 20 and sum(end[2] == "refused" for end in ends) >= 10


if __name__ == "__main__":
    try_files(sys.argv[1], *map(int, sys.argv[2:]))
