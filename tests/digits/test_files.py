import gzip
import http.server
import subprocess
import sys
import threading

import numpy as np
import pytest

from mnist_lib.digits import files

SHAPES = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (4, 28, 28)}
SHAPES["y_test"] = (4,)


@pytest.fixture
def arrays(monkeypatch, random):
    """Small arrays that count as MNIST for the length of a test."""
    made = {n: random.integers(0, 255, s).astype("uint8") for n, s in SHAPES.items()}
    monkeypatch.setattr(files, "SHAPES", SHAPES)
    digests = {name: files.sha256(array) for name, array in made.items()}
    monkeypatch.setattr(files, "DIGESTS", digests)
    return made


def same(read, arrays):
    return all(map(np.array_equal, sum(read, ()), arrays.values()))


def write_idx(folder, arrays, spell=str, ending=""):
    """Write arrays as MNIST was published."""
    opened = gzip.open if ending else open
    for name, array in zip(files.IDX_FILES, arrays.values(), strict=True):
        head = np.array([2048 + array.ndim, *array.shape], ">i4")
        with opened(folder / (spell(name) + ending), "wb") as file:
            file.write(head.tobytes() + array.tobytes())


def refused(path, words):
    """Whether a file is refused in a line that names it and ends with advice."""
    with pytest.raises(ValueError, match=f"(?s){words}.*Ask a friend$") as caught:
        files.read_mnist(path, "Ask a friend")
    return str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("save", "order"), [(np.savez, "C"), (np.savez_compressed, "F")]
)
def test_bytes_decide_and_neither_compression_nor_order(arrays, tmp_path, save, order):
    copies = {name: np.array(a, order=order) for name, a in arrays.items()}
    save(tmp_path / "a.npz", **copies)
    read = files.read_mnist(tmp_path / "a.npz", "")
    assert same(read, arrays)
    assert files.is_mnist(read[0][0]) and not files.is_mnist(read[1][0])


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("spell", [str, lambda name: name.replace("-idx", ".idx")])
def test_a_folder_of_idx_files_is_read(arrays, tmp_path, spell, ending):
    write_idx(tmp_path, arrays, spell, ending)
    if spell is not str:
        (tmp_path / files.IDX_FILES[0]).mkdir()  # as Kaggle packs them
    read = files.read_mnist(tmp_path, "")
    assert same(read, arrays)
    read[0][0][:] = 0  # what was read can be written to


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_that_are_not_mnist_are_refused(arrays, tmp_path, ending):
    assert refused(tmp_path, "a folder with train-images-idx3-ubyte .*, got none")
    write_idx(tmp_path, arrays, ending=ending)
    path = tmp_path / (files.IDX_FILES[2] + ending)
    content = path.read_bytes()
    assert refused(path, "is not usable")
    path.write_bytes(content[:-40])
    assert refused(path.parent, f"{path.name} is not usable: ")
    path.write_bytes(content + content)
    assert refused(tmp_path, "is not usable: cannot reshape")
    arrays["x_test"][2, 14, 14] ^= 1
    write_idx(tmp_path, arrays, ending=ending)
    assert refused(tmp_path, "is not MNIST: its x_test differs")


class Trap:
    """Opens a file where somebody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_other_files_are_refused_with_advice(arrays, tmp_path):
    path = tmp_path / "a.npz"
    assert refused(path, "a.npz is not usable: No such file or directory. ")
    wrong = {
        "is not MNIST: its x_train differs": {"x_train": arrays["x_train"] + 1},
        "its x_test differs": {"x_test": arrays["x_test"].reshape(4, 784)},
        "its y_test differs": {"y_test": arrays["y_test"].astype("int8")},
        "allow_pickle": {"y_test": np.array([Trap(tmp_path / "ran")])},
    }
    for words, change in wrong.items():
        np.savez(path, **{**arrays, **change})
        assert refused(path, f"({words}).*For other data use np.load.'{path}'")
    assert not (tmp_path / "ran").exists()
    np.savez(path, digits=arrays["x_train"])
    words = r"it must be one with x_train, y_train, x_test, y_test, got \['digits'\]"
    assert refused(path, words)
    np.savez_compressed(path, **{**arrays, "x_train": np.zeros(2**26, "uint8")})
    assert refused(path, "it must be below .* bytes, unpacked, got")
    for content in (b"", b"<html>not found</html>", path.read_bytes()[:500]):
        path.write_bytes(content)
        assert refused(path, "a.npz is not usable: ")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server that sends half of a file at once, and the rest when it may."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "12")
            self.end_headers()
            self.wfile.write(b"first ")
            server.asked.release()
            server.goes_on.wait(60)
            self.wfile.write(b"second")

        def log_message(self, *arguments):
            pass

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.goes_on = threading.Semaphore(0), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/mnist.npz"
        monkeypatch.setattr(files, "ADDRESSES", ["http://127.0.0.1:9/gone", address])
        yield server
        server.shutdown()


def test_a_download_from_the_second_address_is_kept_and_silent(server, capsys):
    server.goes_on.set()
    path = files.fetch_mnist()
    assert path.read_bytes() == b"first second"
    assert [*path.parent.iterdir()] == [path]  # and nothing unfinished
    files.ADDRESSES.clear()
    assert path == files.fetch_mnist()  # the second time from the cache
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.integration
def test_nobody_sees_half_a_download_also_of_a_killed_process(server, tmp_path):
    code = (
        "import sys; from mnist_lib.digits import files\n"
        "files.ADDRESSES = sys.argv[1:]; print(files.fetch_mnist().read_text())"
    )
    command = [sys.executable, "-c", code, *files.ADDRESSES]
    killed, other = (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)
    )
    assert server.asked.acquire(timeout=60) and server.asked.acquire(timeout=60)
    assert not [*tmp_path.rglob("*.npz")]
    killed.kill()
    server.goes_on.set()
    assert killed.communicate()[0] == "" and other.communicate()[0] == "first second\n"
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["mnist.npz"]
