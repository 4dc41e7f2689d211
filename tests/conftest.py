"""Settings and made-up data that the tests share."""

import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
import yaml
from hypothesis.configuration import set_hypothesis_home_dir

from mnist_lib import NaiveDense, NaiveSequential, load_mnist, to_vectors

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build/html"
PICTURES = ROOT / "_build/screenshots"  # of what the tests of the pages see
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
ENTRIES = [entry for part in TOC["parts"] for entry in part["chapters"]]
PAGES = [TOC["root"], *(entry["file"] for entry in ENTRIES)]
NOTEBOOKS = [page for page in PAGES if (ROOT / f"{page}.ipynb").is_file()]
CHAPTERS = [page for page in NOTEBOOKS if re.match(r"book/\d", page)]

sys.path.append(str(ROOT / "book/_extension"))  # the tests import its modules

SETTINGS = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
REPOSITORY = SETTINGS["repository"]["url"]
OWNER, NAME = REPOSITORY.split("/")[-2:]
ADDRESS = f"https://{OWNER.lower()}.github.io/{NAME}/"  # of the published book

# The same examples every time, on every machine, and no folder left behind.
hypothesis.settings.register_profile(
    "quick",
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "thorough", hypothesis.settings.get_profile("quick"), max_examples=200
)
hypothesis.settings.load_profile("quick")
set_hypothesis_home_dir(tempfile.gettempdir())


def pytest_collection_modifyitems(items):
    for item in items:
        if "built" in getattr(item, "fixturenames", ()):
            item.add_marker("integration")


def pytest_runtest_setup(item):
    if item.get_closest_marker("mnist") and not os.environ.get("MNIST_NPZ"):
        pytest.skip("needs the real MNIST: set MNIST_NPZ to a copy of mnist.npz")


def a_few(pages):
    """Mark all pages as slow but a chapter, the reference and the search."""
    few = CHAPTERS[1], "book/reference", "search"
    slow = pytest.mark.slow
    return [page if page in few else pytest.param(page, marks=slow) for page in pages]


def tf_config(index=0, kind="worker", **jobs):
    """What TF_CONFIG says: by default, this is the first of two workers."""
    jobs = jobs or {"worker": ["one:1", "two:2"]}
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


def copy_project(folder):
    """Copy the project without what was installed or built."""
    left_out = [".git", ".venv*", "_build", "__pycache__", ".*_cache", "*.egg-info"]
    shutil.copytree(
        ROOT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*left_out)
    )


def give_up(reason):
    """Skip on a desk; fail in CI, whose machine should have what is missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def built():
    """The folder of the book's pages."""
    if not all((SITE / f"{page}.html").is_file() for page in PAGES):
        give_up("the book has not been built: run `make book` first")
    return SITE


@pytest.fixture(scope="session")
def chromium(built):
    """The path of a browser to look at the built pages with."""
    import editions  # what it needs is not in every environment of the tests

    try:
        return editions.find_browser()
    except SystemExit as error:
        give_up(f"{error}: `make test-browser` installs one")


@contextlib.contextmanager
def served(folder):
    """Serve a folder; unknown addresses show its 404.html, as on GitHub Pages."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def send_error(self, code, *args):
            self.send_response(code)
            self.end_headers()
            self.wfile.write((SITE / "404.html").read_bytes())

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def site(request, built, tmp_path_factory):
    """The address of the book on a server, in the folder that it has on GitHub Pages.

    ``@IN_BOTH_WAYS`` has a test also look at the book as it is opened from the disk.
    """
    if getattr(request, "param", "http") == "file":
        yield SITE.as_uri()
        return
    folder, path = tmp_path_factory.mktemp("site"), urlsplit(ADDRESS).path.strip("/")
    if path:  # none for a repository ada.github.io
        (folder / path).symlink_to(SITE)
    with served(folder if path else SITE) as address:
        yield f"{address}/{path}".rstrip("/")


IN_BOTH_WAYS = pytest.mark.parametrize("site", ["http", "file"], indirect=True)


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright  # as editions, above

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser, site, **settings):
    """Open a tab that notes what goes wrong and is kept from other hosts."""
    wide = {"width": 1280, "height": 900}
    rights = ["clipboard-read", "clipboard-write"]
    usual = {"viewport": wide, "color_scheme": "dark", "permissions": rights}
    tab = browser.new_page(**(usual | settings))
    tab.complaints = []

    def only_this_site(route):
        if route.request.url.startswith((site, "data:")):
            route.continue_()
        else:
            tab.complaints.append("asked for " + route.request.url)
            route.abort()

    def note(message):
        if message.type in ("warning", "error"):
            tab.complaints.append(f"{message.type}: {message.text}")

    tab.route("**/*", only_this_site)
    tab.on("console", note)
    tab.on("pageerror", lambda error: tab.complaints.append(f"error: {error}"))
    yield tab
    tab.close()


@pytest.fixture
def tab(browser, site):
    with opened(browser, site) as tab:
        yield tab


@pytest.fixture
def interruptible():
    """SIGINT interrupts, also where this process has to ignore it, as in cron."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def seed():
    tf.random.set_seed(7)


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def small_data(random):
    """50 examples of 6 numbers, in 3 classes that differ in their mean."""
    labels = random.integers(0, 3, 50).astype("uint8")
    images = random.random((50, 6), dtype="float32") + labels[:, None]
    return images / 4, labels


@pytest.fixture
def small_model():
    """6 numbers in, 5 hidden neurons, 3 classes; a smooth activation."""
    return NaiveSequential(
        [NaiveDense(6, 5, tf.nn.tanh), NaiveDense(5, 3, tf.nn.softmax)]
    )


@pytest.fixture
def source_model():
    """The network of the course: 784-512-10, all weights positive at first."""
    return NaiveSequential(
        [NaiveDense(784, 512, tf.nn.relu), NaiveDense(512, 10, tf.nn.softmax)]
    )


@pytest.fixture(scope="session")
def mnist():
    """The real MNIST as vectors: train images, labels, test images, labels."""
    (train_images, train_labels), (test_images, test_labels) = load_mnist()
    return (
        to_vectors(train_images),
        train_labels,
        to_vectors(test_images),
        test_labels,
    )
