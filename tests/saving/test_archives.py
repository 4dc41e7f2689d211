import io
import re
import resource
import struct
import zipfile

import numpy as np
import pytest

from mnist_lib.saving import archives

EXPECTED = {"pixels": ((4, 3), np.float32), "labels": ((5,), np.uint8)}


@pytest.fixture
def arrays(random):
    pixels = random.random((4, 3), dtype="float32")
    return {"pixels": pixels, "labels": np.arange(5, dtype="uint8")}


@pytest.fixture
def path(tmp_path, arrays):
    path = tmp_path / "some arrays.npz"
    np.savez_compressed(path, **arrays)
    return path


def as_npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_members(path, members):
    """Write an archive of any bytes, as a stranger could."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)


def refused(path, words="is not usable: "):
    """Whether the file is refused in a line that names it."""
    with pytest.raises(ValueError, match=words) as caught:
        archives.read_arrays(path, EXPECTED)
    return str(path) in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, arrays, save):
    save(tmp_path / "arrays.npz", **arrays)
    read = archives.read_arrays(tmp_path / "arrays.npz", EXPECTED)
    assert list(read) == list(EXPECTED)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and np.array_equal(read[name], array)
        read[name][:] = 0  # it can be written to, and belongs to the reader


def test_what_is_not_a_file_is_refused(tmp_path):
    for other in (tmp_path / "missing.npz", tmp_path):
        assert refused(other, "is not a file$")


def test_a_changed_byte_is_refused_or_changes_nothing(path, arrays):
    content, found = path.read_bytes(), 0
    for i in range(len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ 255]) + content[i + 1 :])
        try:
            read = archives.read_arrays(path, EXPECTED)
        except ValueError as error:
            assert str(path) in str(error)
            found += 1
        else:  # a date, say
            assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert found > len(content) / 2


def test_other_names_are_refused(path, arrays):
    members = [(f"{name}.npy", as_npy(array)) for name, array in arrays.items()]
    wrong = {
        "one too few": members[:1],
        "no array": [*members, ("readme.txt", b"hello")],
        "in a folder": [members[0], ("../labels.npy", members[1][1])],
    }
    for problem, contents in wrong.items():
        write_members(path, contents)
        assert refused(path, "it must hold pixels, labels, got"), problem


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        (
            (3, 4),
            "float32",
            r"must be float32 of shape \(4, 3\), got float32 of \(3, 4",
        ),
        ((4, 3), "int32", "must be float32 of .*, got int32"),
        ((4, 3), ">f4", "must be float32 of .*, got >f4"),
    ],
)
def test_another_shape_or_dtype_is_refused(path, arrays, shape, dtype, words):
    np.savez(path, **{**arrays, "pixels": np.zeros(shape, dtype)})
    assert refused(path, words)


def test_a_pickled_object_is_refused_and_never_run(path, arrays, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    trap = np.array([Trap()], dtype=object)
    np.savez(path, **{**arrays, "pixels": trap})
    assert refused(path, "cannot be loaded when allow_pickle=False")
    assert not (tmp_path / "ran").exists()


def header(text):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


def described(shape):
    return f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"


GOOD = described((4, 3))
STRANGE = {
    "too short": header(GOOD) + bytes(47),
    "huge": header(described((10**6, 10**6))) + bytes(48),
    "a giant header": header(GOOD + " " * 60000) + bytes(48),
    "a header that is code": header("open('ran', 'w')") + bytes(48),
    "a header that is deep": header("(" * 500) + bytes(48),
    "no header": b"no array",
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_what_np_save_does_not_write_is_refused(path, arrays, content):
    members = [("pixels.npy", content), ("labels.npy", as_npy(arrays["labels"]))]
    write_members(path, members)
    assert refused(path)


def test_a_bomb_is_refused_before_it_unfolds(path, arrays):
    zeros = np.zeros((2**14, 2**13), "uint8")  # 128 MiB from 130 kB
    np.savez_compressed(path, **{**arrays, "pixels": zeros})
    assert path.stat().st_size < 2**18
    limits = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(re.search(r"VmSize:\s+(\d+)", open("/proc/self/status").read())[1])
    resource.setrlimit(resource.RLIMIT_AS, ((in_use + 2**16) * 1024, limits[1]))
    try:  # with 64 MiB to go it would be a MemoryError
        assert refused(path, "pixels takes 134217856 bytes")
        lie = path.read_bytes().replace(
            struct.pack("<I", zeros.size + 128), b"\x80\0\0\0"
        )
        path.write_bytes(lie)  # it says that it has 128 bytes
        assert refused(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
