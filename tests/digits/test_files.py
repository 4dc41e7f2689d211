import functools
import http.server
import io
import threading
import zipfile

import numpy as np
import pytest

from mnist_lib.digits import files, stand_in


@pytest.fixture
def arrays(monkeypatch, random):
    """Small arrays that count as MNIST for the length of a test."""
    shapes = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (4, 28, 28)}
    shapes["y_test"] = (4,)
    made = {n: random.integers(0, 255, s).astype("uint8") for n, s in shapes.items()}
    known = {n: (shapes[n], files.sha256(made[n])) for n in shapes}
    monkeypatch.setattr(files, "ARRAYS", known)
    return made


@pytest.fixture
def good_file(arrays, tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, **arrays)
    return path


def test_a_good_file_is_read(good_file, arrays):
    (train_images, train_labels), (test_images, test_labels) = files.read_mnist(
        good_file
    )
    read = (train_images, train_labels, test_images, test_labels)
    for array, expected in zip(read, arrays.values(), strict=True):
        assert np.array_equal(array, expected)
    assert files.is_mnist(train_images)
    assert not files.is_mnist(test_images)


def test_a_missing_file_and_a_directory_are_explained(tmp_path):
    for path in (tmp_path / "missing.npz", tmp_path):
        with pytest.raises(ValueError, match=f"{path} is not a file"):
            files.read_mnist(path)


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_explained(good_file, part):
    content = good_file.read_bytes()
    good_file.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match="mnist.npz is not usable: .*delete the file"):
        files.read_mnist(good_file)


def test_one_changed_byte_is_found(good_file, arrays):
    arrays["x_test"][2, 14, 14] ^= 1
    np.savez(good_file, **arrays)
    with pytest.raises(ValueError, match="mnist.npz: x_test is not MNIST's"):
        files.read_mnist(good_file)


def test_a_byte_changed_on_disk_is_found(good_file):
    content = bytearray(good_file.read_bytes())
    content[len(content) // 2] ^= 255
    good_file.write_bytes(content)
    with pytest.raises(ValueError, match=str(good_file)):
        files.read_mnist(good_file)


def test_a_missing_array_is_explained(good_file, arrays):
    del arrays["y_test"]
    np.savez(good_file, **arrays)
    with pytest.raises(ValueError, match="y_test"):
        files.read_mnist(good_file)


def test_wrong_shapes_and_dtypes_are_explained(good_file, arrays):
    np.savez(good_file, **{**arrays, "x_train": arrays["x_train"].reshape(6, 784)})
    with pytest.raises(ValueError, match=r"x_train must be uint8 of .*\(6, 784\)"):
        files.read_mnist(good_file)
    np.savez(good_file, **{**arrays, "y_test": arrays["y_test"].astype("int64")})
    with pytest.raises(ValueError, match="y_test must be uint8.*got int64"):
        files.read_mnist(good_file)


def test_a_pickled_array_is_refused_and_not_run(good_file, arrays, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    arrays["x_train"] = np.array([Trap()], dtype=object)
    np.savez(good_file, **arrays)
    with pytest.raises(ValueError, match="cannot be loaded when allow_pickle=False"):
        files.read_mnist(good_file)
    assert not (tmp_path / "ran").exists()


def test_files_of_another_kind_are_explained(good_file):
    good_file.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match="mnist.npz is not usable: "):
        files.read_mnist(good_file)
    with good_file.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="mnist.npz is not usable: "):
        files.read_mnist(good_file)
    with zipfile.ZipFile(good_file, "w") as archive:
        archive.writestr("x_train.npy", b"no array")
    with pytest.raises(ValueError, match="mnist.npz is not usable: "):
        files.read_mnist(good_file)


def test_a_download_is_kept_and_silent(good_file, monkeypatch, capsys, tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    address = f"http://127.0.0.1:{server.server_port}/mnist.npz"
    monkeypatch.setattr(files, "ADDRESSES", ("http://127.0.0.1:9/gone", address))
    path = files.download_mnist()
    assert [*path.parent.iterdir()] == [path]  # and nothing unfinished
    assert path.is_relative_to(tmp_path / "keras")
    server.shutdown()
    server.server_close()
    assert path == files.download_mnist()  # the second time from the cache
    files.read_mnist(path)
    assert capsys.readouterr().out == ""


def test_no_network_is_an_os_error(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(files, "ADDRESSES", ["http://127.0.0.1:9/mnist.npz"])
    with pytest.raises(OSError, match="refused"):
        files.download_mnist()


@pytest.fixture
def drawings(monkeypatch, tmp_path):
    """Count how often the stand-in is drawn; an empty cache."""
    count = []

    def draw():
        count.append(1)
        return original(train_size=30, test_size=20)

    original = stand_in.make_stand_in
    known = zip(files.ARRAYS, sum(original(30, 20), ()), strict=True)
    known = {name: (array.shape, "") for name, array in known}
    monkeypatch.setattr(files, "ARRAYS", known)
    monkeypatch.setattr(stand_in, "make_stand_in", draw)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return count


def same(one, other):
    pairs = zip(sum(one, ()), sum(other, ()), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_the_stand_in_is_drawn_once_and_then_read(drawings, tmp_path):
    first, second = files.load_stand_in(), files.load_stand_in()
    assert len(drawings) == 1 and same(first, second)
    assert len(list((tmp_path / "datasets").iterdir())) == 1  # nothing unfinished


def test_a_damaged_cache_is_drawn_anew(drawings, tmp_path):
    first = files.load_stand_in()
    (cache,) = (tmp_path / "datasets").iterdir()
    cache.write_bytes(cache.read_bytes()[:500])
    assert same(first, files.load_stand_in()) and len(drawings) == 2
    files.load_stand_in()
    assert len(drawings) == 2


def test_without_a_writable_cache_it_is_drawn_every_time(drawings, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "/dev/null")
    assert same(files.load_stand_in(), files.load_stand_in())
    assert len(drawings) == 2


def test_bytes_decide_and_not_the_archive(good_file, arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    assert buffer.getvalue() != good_file.read_bytes()
    good_file.write_bytes(buffer.getvalue())
    files.read_mnist(good_file)
