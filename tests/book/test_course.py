"""What a build says in words, and how the built book is served."""

import functools
import http.server
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
import serving

# Not in the environments of other versions, which build no book.
nodes = pytest.importorskip("docutils.nodes")
course = pytest.importorskip("course")

pytestmark = pytest.mark.integration  # of the book's own program


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("book/11_a.ipynb:110010", "book/11_a.ipynb, cell 11"),
        ("book/11_a.ipynb:1", "book/11_a.ipynb:1"),
        ("book/intro.md:110010", "book/intro.md:110010"),
        (None, None),
    ],
)
def test_warnings_name_the_cell(location, place):
    record = SimpleNamespace(location=location)
    assert course.name_cell(record)
    assert record.location == place


@pytest.fixture
def warn(tmp_path, monkeypatch):
    """Check a page's one output, in a build that ran as told; return the warnings."""

    def warn(text, classes=(), traceback=None):
        said = []
        logger = SimpleNamespace(
            warning=lambda words, *values, **_: said.append(words % values)
        )
        monkeypatch.setattr(course, "logger", logger)
        block = nodes.literal_block(text, text, classes=[*classes])
        output = nodes.container("", block, nb_element="cell_code_output")
        (tmp_path / "reports").mkdir(exist_ok=True)
        run = {"exec_data": {"traceback": traceback}}
        env = SimpleNamespace(docname="a", nb_metadata={"a": run})
        app = SimpleNamespace(env=env, outdir=tmp_path)
        course.check_outputs(app, nodes.container("", output))
        return said

    return warn


def test_a_page_of_numbers_is_found(warn):
    assert warn("1\n" * 40) == []
    assert warn("1\n" * 41) == ["the output has 41 lines, over 40"]


def test_what_a_failing_cell_said_is_shown_without_colors(warn):
    said = "File a\nnbclient.exceptions.CellExecutionError: x\n\x1b[31mNameError\x1b[0m"
    shown = "the cell failed: CellExecutionError: x\nNameError"
    assert warn("NameError", ["traceback"], said) == [shown]


def test_unknown_addresses_show_the_books_own_page(tmp_path):
    (tmp_path / "404.html").write_text('<base href="/elsewhere/"><h1>Not here</h1>')
    handler = functools.partial(serving.Handler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/a/b/c")
        server.shutdown()
    assert error.value.code == 404
    assert error.value.read() == b'<base href="/"><h1>Not here</h1>'


def test_without_a_book_one_is_told_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match="run `make book` first"):
        serving.serve(tmp_path, 8000)
