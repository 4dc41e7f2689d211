"""The built book, looked at in a real browser that can reach no other host.

Needs `make book` to have run, and Chromium or Chrome; skipped without them, except
where CI is set, which must not pass over it.
"""

import functools
import http.server
import os
import re
import shutil
import threading
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build/html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
ENTRIES = [entry for part in TOC["parts"] for entry in part["chapters"]]
PAGES = [TOC["root"], *(entry["file"] for entry in ENTRIES)]
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

NOT_SCROLLED = "document.documentElement.scrollWidth <= window.innerWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
ALTERNATIVE_TEXTS = "[...document.querySelectorAll('article img')].map(i => i.alt)"
FORMULAS_DONE = "window.MathJax?.startup?.promise?.then(() => true) ?? true"


def give_up(reason):
    """Skip on a desk; fail where the machine should have what is missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module", params=["http", "file"])
def site(request):
    """The address of the book: on a server, or opened from the disk."""
    if not (SITE / "index.html").is_file():
        give_up("the book has not been built: run `make book` first")
    if request.param == "file":
        yield SITE.as_uri()
        return
    handler = functools.partial(QuietHandler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        give_up("no Chromium or Chrome on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser, site):
    """A browser tab that notes what goes wrong and is kept from other hosts."""
    wide = {"width": 1280, "height": 900}
    tab = browser.new_page(viewport=wide, color_scheme="dark")
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


def shown_search_boxes(tab):
    boxes = tab.locator(".search-button-field, .search-button").all()
    return [box for box in boxes if box.is_visible()]


@pytest.mark.parametrize("page", PAGES)
def test_page_is_in_order(tab, site, page):
    tab.goto(f"{site}/{page}.html")
    tab.evaluate(FORMULAS_DONE)
    formulas = tab.locator("article .math").count()
    assert tab.locator("article mjx-container").count() == formulas
    assert tab.locator("mjx-merror").count() == 0
    for text in tab.evaluate(ALTERNATIVE_TEXTS):
        assert text and not text.endswith((".png", ".svg"))
    red, green, blue = map(int, re.findall(r"\d+", tab.evaluate(BACKGROUND)))
    assert max(red, green, blue) < 64  # the tab asked for the dark theme

    assert len(shown_search_boxes(tab)) == 1
    tab.set_viewport_size({"width": 390, "height": 844})
    assert tab.evaluate(NOT_SCROLLED)
    assert len(shown_search_boxes(tab)) == 1
    assert tab.complaints == []


def test_chapters_have_formulas(tab, site):
    tab.goto(f"{site}/book/02_dense_layers.html")
    tab.evaluate(FORMULAS_DONE)
    assert tab.locator("article mjx-container").count() > 0


def test_search_finds_pages(tab, site):
    tab.goto(f"{site}/search.html?q=gradient")
    tab.locator("#search-results li a").first.wait_for(timeout=10_000)
    assert tab.complaints == []


def test_first_address_leads_to_the_book(tab, site):
    tab.goto(f"{site}/index.html")
    tab.wait_for_url(f"{site}/{TOC['root']}.html")
    assert tab.complaints == []
