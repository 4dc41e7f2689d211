"""The whole book as one PDF and as one EPUB, made from its built pages.

Use it after `make book`, with the folder of the built pages:

    python book/_extension/editions.py pdf _build/html
    python book/_extension/editions.py epub _build/html

Both begin with the same assembled document. Chromium prints it, pandoc packs it.
"""

import contextlib
import io
import posixpath
import shutil
import subprocess
import sys
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
BROWSERS = "chromium chromium-browser google-chrome google-chrome-stable".split()
BROWSERS += ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"]
SCREEN_ONLY = (
    "script, style, link, noscript, dialog, button, form, iframe, .headerlink, "
    ".toctree-wrapper, .d-print-none, .pst-js-only, "
    ".tag_check .cell_output"  # that the reader has not filled in the answer yet
)
NUMBER_CONTENTS = """pages => document.querySelectorAll("nav a").forEach(
  link => link.dataset.page = pages[link.hash.slice(1)])"""


def parse(html):
    """Return a piece of HTML as a tree."""
    return BeautifulSoup(html, "html.parser")


def read_yaml(name, site=None):
    """Return what a YAML file of the course says, or of the book built in a folder."""
    root = site.absolute().parents[1] if site else ROOT
    file = root / name if (root / name).is_file() else ROOT / name
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def translator(site):
    """Return a function that says a text in the language of the built book."""
    settings = read_yaml("_config.yml", site)["sphinx"]["config"]
    words = settings.get("course_words", {})
    return lambda text: words.get(text, text)


def list_pages(site=None):
    """Return the pages of the book in their order, each with the part it opens."""
    toc = read_yaml("_toc.yml", site)
    pages = {toc["root"]: ""}
    for part in toc["parts"]:
        pages |= {chapter["file"]: "" for chapter in part["chapters"]}
        pages[part["chapters"][0]["file"]] = part["caption"]
    return pages


def read_page(site, page):
    """Return a built page as a tree."""
    file = site / f"{page}.html"
    if not file.is_file():
        raise SystemExit(f"{file} is not there: run `make book` first")
    return parse(file.read_text(encoding="utf-8"))


def read_metadata(site):
    """Return the book's title, author and so on, as its settings and pages say."""
    config, citation = read_yaml("_config.yml", site), read_yaml("CITATION.cff")
    page, say = read_page(site, next(iter(list_pages(site)))), translator(site)
    imprint = [" ".join(item.stripped_strings) for item in page.select(".footer-item")]
    version = f"{say('Version')} {citation['version']}, {citation['date-released']}"
    return {
        "title": config["title"],
        "subtitle": say(citation["title"].partition(": ")[2].capitalize()),
        "author": config["author"],
        "date": citation["date-released"],
        "lang": config["sphinx"]["config"]["language"],
        "rights": " ".join(page.select_one(".extra_footer").stripped_strings),
        "imprint": [version, *filter(None, imprint)],
        "address": config["html"]["baseurl"],
        "contents": say("Contents"),
    }


def anchor(page, fragment):
    """Return the id that a place on a page has in the whole document."""
    return f"{page.replace('/', '-')}-{fragment}"


def resolve(page, address):
    """Return where a page's relative address leads, seen from the site's top."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(address)))


def relocate(article, page, tops):
    """Make a page's ids, links and images right for the whole document.

    Args:
        article: The page's content; it is changed.
        page: The page's name.
        tops: The id of each page's first section, by the names of the book's pages.
    """
    for tag in article.find_all(id=True):
        tag["id"] = anchor(page, tag["id"])
    for image in article.find_all("img"):
        image["src"] = resolve(page, image["src"])
        image.attrs.pop("loading", None)  # none may come late
    for link in article.find_all("a", href=True):
        path, fragment = urldefrag(link["href"])
        target = resolve(page, path).removesuffix(".html") if path else page
        if target in tops:
            link["href"] = "#" + anchor(target, fragment or tops[target])
        elif not urlsplit(path).scheme:
            link.unwrap()  # such as the index, which is not in the book


def simplify(article):
    """Leave only what pandoc understands; open what is folded."""
    for tag in article.select(SCREEN_ONLY):
        tag.decompose()
    for details in article.find_all("details"):
        details.name = details.summary.name = "div"
        details.div["class"] = "label"
    for code in article.select(".cell_input pre"):
        code["class"] = "python"
    for term in article.select(".glossary dt[id]"):  # pandoc would drop its id
        term.insert(0, parse(f'<span id="{term.attrs.pop("id")}"></span>').span)
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


def assemble(site):
    """Return the whole book as one tree whose images lie in the site's folder."""
    pages = list_pages(site)
    articles = {page: read_page(site, page).article for page in pages}
    tops = {page: article.section["id"] for page, article in articles.items()}
    first, *_ = articles.values()
    first.h1.string = translator(site)("Introduction")  # after a title page
    book = parse("")
    for number, (page, article) in enumerate(articles.items()):
        simplify(article)
        relocate(article, page, tops)
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


def find_browser():
    """Return the path of the Chromium or Chrome that is installed."""
    if found := next(filter(None, map(shutil.which, BROWSERS)), None):
        return found
    raise SystemExit("no Chromium or Chrome on this machine")


def find_font(language):
    """See that there is a font for Korean, where the system can tell."""
    if language == "ko" and (fonts := shutil.which("fc-list")):
        if not subprocess.check_output([fonts, ":lang=ko"]):
            raise SystemExit("no Korean font on this machine; Debian: fonts-noto-cjk")


@contextlib.contextmanager
def shown(site, document):
    """Show a document, laid into the site's folder, in a browser without a network."""
    file, missed = site / "print.html", []
    file.write_text(document, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        tab = browser.new_page(offline=True)
        tab.on("requestfailed", lambda request: missed.append(request.url))
        tab.goto(file.absolute().as_uri())
        tab.evaluate("document.fonts.ready.then(() => 0)")
        yield tab
        browser.close()
    file.unlink()
    if missed:
        raise SystemExit(f"the book asks for what it does not have: {missed[0]}")


def print_pages(tab):
    """Return what a tab shows, printed and read."""
    options = {"prefer_css_page_size": True, "print_background": True}
    return PdfReader(io.BytesIO(tab.pdf(**options, outline=True, tagged=True)))


def make_pdf(site, target):
    """Print the book, twice: the first print says on which pages the headings are."""
    find_font(read_metadata(site)["lang"])
    style = (STYLES / "print.css").read_text(encoding="utf-8")
    with shown(site, render(site, assemble(site), style)) as tab:
        first = print_pages(tab)
        numbers = {
            name.removeprefix("/"): first.get_destination_page_number(place) + 1
            for name, place in first.named_destinations.items()
        }
        tab.evaluate(NUMBER_CONTENTS, numbers)
        writer = PdfWriter(print_pages(tab), incremental=True)
    metadata = read_metadata(site)
    about = {"/Author": metadata["author"], "/Subject": metadata["subtitle"]}
    writer.add_metadata(about)
    writer.write(target)


def make_epub(site, target):
    """Pack the book with pandoc."""
    options = [
        *("--mathml", "--split-level=2", "--toc-depth=3", "--fail-if-warnings"),
        f"--resource-path={site}",
        f"--css={STYLES / 'epub.css'}",
        f"--epub-cover-image={ROOT / 'book' / translator(site)('_static/card.png')}",
    ]
    source = "html+tex_math_single_backslash"
    text = render(site, assemble(site)).replace("\u2060", "")  # old readers draw it
    pypandoc.convert_text(text, "epub3", source, options, outputfile=target)


def main(edition, site):
    """Make one edition from a folder of built pages."""
    target = Path(site, f"{NAME}.{edition}")
    {"pdf": make_pdf, "epub": make_epub}[edition](Path(site), target)
    print(f"The book as one file: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
