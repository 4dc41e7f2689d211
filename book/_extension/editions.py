"""The whole book as one PDF and as one ePub, made from its built pages.

Use it after `make book`, with the folder of the built pages:

    python book/_extension/editions.py pdf _build/html
    python book/_extension/editions.py epub _build/html

Both begin with the same assembled document. Chromium prints it, pandoc packs it.
"""

import contextlib
import io
import posixpath
import re
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import jinja2
import pypandoc
import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).parents[2]
STYLES = ROOT / "book/_static"
NAME = "digits-from-scratch"
BROWSERS = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
]
ADDRESS = "http://book.invalid/"  # nobody's; what is asked for there comes from us

SCREEN_ONLY = (
    "script, style, noscript, dialog, button, form, iframe, .headerlink, "
    ".toctree-wrapper, .d-print-none, .pst-js-only, "
    ".tag_check .cell_output"  # that the reader has not filled in the answer yet
)
LANGUAGES = {"ipython3": "python", "python": "python", "sh": "bash"}
COLAB_TITLE = re.compile("^# @title ")
PANDOC = ["--mathml", "--split-level=2", "--toc-depth=3", "--fail-if-warnings"]

READY = "document.fonts.ready.then(() => 0)"
NUMBER_CONTENTS = """pages => document.querySelectorAll("nav a").forEach(
  link => link.dataset.page = pages[link.hash.slice(1)])"""


class EditionError(Exception):
    """The edition cannot be made; the message says why."""


def parse(html):
    """Return a piece of HTML as a tree."""
    return BeautifulSoup(html, "html.parser")


def read_yaml(name):
    """Return what a YAML file of the course says."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def read_page(site, page):
    """Return a built page as a tree."""
    file = site / f"{page}.html"
    if not file.is_file():
        raise EditionError(f"{file} is not there: run `make book` first")
    return parse(file.read_text(encoding="utf-8"))


def read_metadata(site):
    """Return the book's title, author and so on, as its settings and pages say."""
    config, citation = read_yaml("_config.yml"), read_yaml("CITATION.cff")
    root = read_yaml("_toc.yml")["root"]
    page, subtitle = read_page(site, root), citation["title"].partition(": ")[2]
    imprint = [" ".join(item.stripped_strings) for item in page.select(".footer-item")]
    imprint.insert(0, f"Version {citation['version']}, {citation['date-released']}")
    address = page.select_one("link[rel=canonical]")["href"].removesuffix(
        f"{root}.html"
    )
    return {
        "title": config["title"],
        "subtitle": subtitle[:1].upper() + subtitle[1:],
        "author": config["author"],
        "date": citation["date-released"],
        "lang": config["sphinx"]["config"]["language"],
        "rights": " ".join(page.select_one(".extra_footer").stripped_strings),
        # With an underscore, which GitHub forbids, it is nobody's yet.
        "imprint": [*filter(None, imprint), *([] if "_" in address else [address])],
        "address": address,
    }


def anchor(page, fragment):
    """Return the id that a place on a page has in the whole document."""
    return f"{page.replace('/', '-')}-{fragment}"


def resolve(page, address):
    """Return where a page's relative address leads, seen from the site's top."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(address)))


def relocate(article, page, tops, site):
    """Make a page's ids, links and images right for the whole document.

    Args:
        article: The page's content; it is changed.
        page: The page's name.
        tops: The id of each page's first section, by the names of the book's pages.
        site: The folder of the built pages.
    """
    for tag in article.find_all(id=True):
        tag["id"] = anchor(page, tag["id"])
    for image in article.find_all("img"):
        image["src"] = resolve(page, image["src"])
        image.attrs.pop("loading", None)  # none may come late
        if not (site / image["src"]).is_file():
            raise EditionError(f"{page}: no picture {image['src']} in {site}")
    for link in article.find_all("a", href=True):
        path, fragment = urldefrag(link["href"])
        target = resolve(page, path).removesuffix(".html") if path else page
        if target in tops:
            link["href"] = "#" + anchor(target, fragment or tops[target])
        elif not urlsplit(path).scheme:
            link.unwrap()  # such as the index, which is not in the book


def unfold(article):
    """Open folded cells, and set Colab's title of a solution above it."""
    for details in article.find_all("details"):
        details.name = details.summary.name = "div"
        details.div["class"] = "label"
    for comment in article.find_all(class_="c1", string=COLAB_TITLE):
        label = comment.find_parent(class_="solution").find(class_="label")
        label.string = COLAB_TITLE.sub("", comment.string)
        comment.next_sibling.replace_with(comment.next_sibling.lstrip("\n"))
        comment.decompose()


def simplify(article):
    """Leave only what pandoc understands, and what a PDF should carry."""
    for block in article.find_all("pre"):
        around = block.find_parent(class_="notranslate")
        kinds = [kind.removeprefix("highlight-") for kind in around["class"]]
        block["class"] = [LANGUAGES[kind] for kind in kinds if kind in LANGUAGES]
    for colorless in article.select(".highlight :is(.n, .p, .w), .pre"):
        colorless.unwrap()
    for signature in article.select("dt.sig"):
        text = " ".join(signature.get_text().split())
        signature.string = text.replace("( ", "(").replace(", )", ")")
        signature.name = "code"
        signature.wrap(parse('<dt class="sig"></dt>').dt)


def flatten(article, depth):
    """Put the headings at their depth in the book, with the ids of their sections."""
    for section in article.find_all("section"):
        heading = section.find(["h1", "h2", "h3", "h4", "h5"], recursive=False)
        level = int(heading.name[1])
        heading.name = f"h{level + depth}"
        heading["id"], heading["class"] = section.attrs.pop("id"), f"level-{level}"
        if level == 1:
            section.insert_before(heading)
        if level == 2 and not section.find_next_sibling("section"):
            section.name, section["class"] = "div", "ending"  # not torn by a page's end
        elif depth or level > 1:  # else a box: its sections are no chapters to pandoc
            section.unwrap()


def list_pages():
    """Return the pages of the book in their order, each with the part it opens."""
    toc = read_yaml("_toc.yml")
    pages = {toc["root"]: ""}
    for part in toc["parts"]:
        pages |= {chapter["file"]: "" for chapter in part["chapters"]}
        pages[part["chapters"][0]["file"]] = part["caption"]
    return pages


def assemble(site):
    """Return the whole book as one tree whose images lie in the site's folder."""
    pages, title = list_pages(), read_yaml("_config.yml")["title"]
    articles = {page: read_page(site, page).article for page in pages}
    tops = {page: article.section["id"] for page, article in articles.items()}
    book = parse("")
    for number, (page, article) in enumerate(articles.items()):
        for tag in article.select(SCREEN_ONLY):
            tag.decompose()
        if article.h1.get_text() == title:
            article.h1.string = "Introduction"  # the title has a page of its own
        relocate(article, page, tops, site)
        unfold(article)
        simplify(article)
        flatten(article, depth=1 if number else 0)
        if pages[page]:
            part = {"class": "part", "id": f"part-{number}"}
            book.append(book.new_tag("h1", attrs=part, string=pages[page]))
        book.extend(list(article.children))
    return book


def render(site, body, style=""):
    """Return the assembled book as a document; with a style, it is to be printed."""
    source = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    template = jinja2.Template(source, autoescape=True)
    return template.render(read_metadata(site), body=body, style=style)


def render_print(site, body):
    """Return the assembled book as it is to be printed."""
    style = (STYLES / "print.css").read_text(encoding="utf-8")
    return render(site, body, style)


def find_browser():
    """Return the path of the Chromium or Chrome that is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise EditionError("no Chromium or Chrome on this machine")
    return found


@contextlib.contextmanager
def shown(site, document):
    """Show a document in a browser that gets all it asks for from the site's folder."""
    refused = []

    def answer(route):
        address = route.request.url
        file = site / unquote(urlsplit(address).path).lstrip("/")
        if address == ADDRESS:
            route.fulfill(body=document, content_type="text/html; charset=utf-8")
        elif address.startswith(ADDRESS) and file.is_file():
            route.fulfill(path=file)
        else:
            refused.append(address)
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        paper = {"width": 794, "height": 1123}  # A4 at 96 dpi
        tab = browser.new_page(viewport=paper, device_scale_factor=2)
        tab.emulate_media(media="print", color_scheme="light")
        tab.route("**/*", answer)
        tab.goto(ADDRESS)
        tab.evaluate(READY)
        yield tab
        browser.close()
    if refused:
        raise EditionError("the book asks for what it does not have: " + refused[0])


def print_pages(tab):
    """Return what a tab shows, printed and read."""
    options = {"prefer_css_page_size": True, "print_background": True}
    return PdfReader(io.BytesIO(tab.pdf(**options, outline=True, tagged=True)))


def make_pdf(site, target):
    """Print the book, twice: the first print says on which pages the headings are."""
    metadata = read_metadata(site)
    with shown(site, render_print(site, assemble(site))) as tab:
        first = print_pages(tab)
        numbers = {
            name.removeprefix("/"): first.get_destination_page_number(place) + 1
            for name, place in first.named_destinations.items()
        }
        tab.evaluate(NUMBER_CONTENTS, numbers)
        writer = PdfWriter(print_pages(tab), incremental=True)
    writer.add_metadata(
        {
            "/Author": metadata["author"],
            "/Subject": metadata["subtitle"],
            "/Creator": "Jupyter Book, Chromium",
        }
    )
    writer.write(target)


def make_epub(site, target):
    """Pack the book with pandoc; its cover is the title page of the PDF."""
    body, address = assemble(site), read_metadata(site)["address"]
    with tempfile.TemporaryDirectory() as folder:
        cover = Path(folder, "cover.png")
        with shown(site, render_print(site, body)) as tab:
            tab.locator(".cover").screenshot(path=cover)
        options = [
            *PANDOC,
            f"--resource-path={site}",
            f"--css={STYLES / 'epub.css'}",
            f"--epub-cover-image={cover}",
            f"--metadata=identifier:urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, address)}",
        ]
        source, text = "html+tex_math_single_backslash", render(site, body)
        try:
            pypandoc.convert_text(text, "epub3", source, options, outputfile=target)
        except RuntimeError as error:
            raise EditionError(f"pandoc refuses: {error}") from None


def main(edition, site):
    """Make one edition from a folder of built pages."""
    make = {"pdf": make_pdf, "epub": make_epub}[edition]
    target = Path(site, f"{NAME}.{edition}")
    try:
        make(Path(site), target)
    except EditionError as error:
        sys.exit(f"editions.py: {error}")
    print(f"The book as one file: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
