"""The built book, looked at in a real browser that can reach no other host.

Needs `make book` to have run, and Chromium or Chrome; skipped without them, except
where CI is set, which must not pass over it.
"""

import re
from urllib.parse import urlsplit

import nbformat
import pytest
import repository
from bs4 import BeautifulSoup
from conftest import CHAPTERS, PAGES, ROOT, SITE, TOC, opened, served

ADDRESS = repository.published(repository.current(ROOT))

NOT_SCROLLED = "document.documentElement.scrollWidth <= window.innerWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
ALTERNATIVE_TEXTS = "[...document.querySelectorAll('article img')].map(i => i.alt)"
FORMULAS_DONE = "window.MathJax?.startup?.promise?.then(() => true) ?? true"


def shown_search_boxes(tab):
    boxes = tab.locator(".search-button-field, .search-button").all()
    return [box for box in boxes if box.is_visible()]


@pytest.mark.parametrize("page", [*PAGES, "genindex", "search"])
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


@pytest.mark.parametrize("page", CHAPTERS[:1])
def test_reader_can_copy_unfold_and_change_the_theme(tab, site, page):
    tab.goto(f"{site}/{page}.html")
    code = tab.locator("div.cell_input").first
    code.hover()
    code.locator(".copybtn").click()
    assert tab.evaluate("navigator.clipboard.readText()") == code.inner_text().strip()

    solution = tab.locator("details.solution").first
    assert not solution.locator("pre").first.is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").first.is_visible()

    tab.locator(".theme-switch-button:visible").first.click()
    assert tab.evaluate("document.documentElement.dataset.mode") == "light"
    assert tab.complaints == []


@pytest.mark.parametrize("page", CHAPTERS)
def test_chapter_leads_to_its_own_notebook(tab, site, page):
    badge = nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells[0].source
    tab.goto(f"{site}/{page}.html")
    colab = tab.locator("a[href*='colab.research.google.com']")
    assert [f"]({link.get_attribute('href')})" in badge for link in colab.all()] == [
        True
    ]
    source = tab.locator("a.btn-download-source-button").get_attribute("href")
    downloaded = SITE / page / "../" / source
    assert downloaded.resolve().read_bytes() == (ROOT / f"{page}.ipynb").read_bytes()
    assert re.search(r"ran in \d+ seconds", tab.locator("p.run").inner_text())


@pytest.mark.parametrize("page", [*PAGES, "index"])
def test_page_says_what_it_is(built, page):
    soup = BeautifulSoup((SITE / f"{page}.html").read_text(), "html.parser")
    said = {m.get("property", m.get("name")): m.get("content") for m in soup("meta")}
    assert "Digits from Scratch" in soup.title.text
    assert soup.html["lang"] == "en"
    target = TOC["root"] if page == "index" else page
    assert soup.find("link", rel="canonical")["href"] == f"{ADDRESS}{target}.html"
    assert said["description"] == said["og:description"]
    assert 40 < len(said["description"]) < 500
    assert said["og:title"] and said["og:site_name"] == "Digits from Scratch"
    assert (SITE / said["og:image"].removeprefix(ADDRESS)).is_file()
    if page != "index":
        foot = soup.find(class_="bd-footer-content").get_text(" ", strip=True)
        assert re.search(r"CC BY 4.0.*MIT", foot)
        assert re.search(r"Digits: .*Python 3\.\d+\.\d+, TensorFlow 2\.", foot)


def test_sitemap_lists_all_pages(built):
    listed = re.findall("<loc>(.*?)</loc>", (SITE / "sitemap.xml").read_text())
    assert listed == sorted(f"{ADDRESS}{page}.html" for page in PAGES)


def test_status_page_lists_all_run_times(tab, site):
    tab.goto(f"{site}/book/status.html")
    rows = tab.locator("article tbody tr").all_inner_texts()
    assert len(rows) == len(CHAPTERS)
    assert all(re.search(r"\d+\.\d", row) for row in rows)


def test_unknown_address_shows_a_page_with_ways_on(browser, built, tmp_path):
    path = urlsplit(ADDRESS).path.strip("/")  # none for a repository ada.github.io
    if path:
        (tmp_path / path).symlink_to(SITE)
    with served(tmp_path if path else SITE) as site, opened(browser, site) as tab:
        tab.goto(f"{site}/{path}/nowhere/at-all.html")
        assert tab.locator("article h1").inner_text() == "This page is not here"
        assert tab.title() == "This page is not here — Digits from Scratch"
        assert len(tab.complaints) == 1 and "404" in tab.complaints[0]
        tab.get_by_role("link", name="first page").click()
        tab.wait_for_url(f"{site}/{path}/{TOC['root']}.html".replace("//book", "/book"))


def test_first_address_leads_to_the_book(tab, site):
    tab.goto(f"{site}/index.html")
    tab.wait_for_url(f"{site}/{TOC['root']}.html")
    assert tab.complaints == []
