"""The built pages are light, and nothing that a reader needs was saved.

Needs what test_pages.py needs. `make lighthouse` measures what is only bounded
here.
"""

import base64
import hashlib
import io
import json
import re
from datetime import datetime, timedelta

import lean
import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import CHAPTERS, PAGES, ROOT, SITE, a_few, opened
from fontTools.ttLib import TTFont
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from PIL import Image, ImageChops

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

# One element of each kind, with what stands before and after it, and all that is
# computed for it.
COMPUTED = """() => {
  const kind = element => element.tagName + "." + element.classList;
  const found = {};
  for (const element of document.querySelectorAll("body, body *")) {
    if (element.closest("math, svg, script, style, noscript")) continue;
    for (const part of ["", "::before", "::after"]) {
      const name = `${kind(element.parentElement)} > ${kind(element)}${part}`;
      if (name in found) continue;
      const style = getComputedStyle(element, part);
      if (part && ["none", "normal"].includes(style.content)) continue;
      found[name] = Object.fromEntries([...style].map(key => [key, style[key]]));
    }
  }
  return JSON.stringify(found);
}"""
# To lay a page out is what asks for fonts, with which its height is another.
HEIGHT = """article => {
  article.offsetHeight;
  return document.fonts.ready.then(() => article.offsetHeight);
}"""
HEIGHTS = "images => images.map(image => image.getBoundingClientRect().height)"
ICONS = """[...document.querySelectorAll("[class*='fa-']")].map(
  icon => getComputedStyle(icon, "::before").content)"""


@pytest.fixture(scope="module")
def articles(built):
    """What the pages say, by their names."""
    return {
        page: BeautifulSoup((SITE / f"{page}.html").read_text(), "html.parser").article
        for page in PAGES
    }


@pytest.mark.parametrize("page", a_few(PAGES))
def test_first_load_is_light(browser, site, page):
    with opened(browser, site) as tab:
        responses = []
        tab.on("response", lambda response: responses.append(response))
        tab.goto(f"{site}/{page}.html", wait_until="networkidle")
        asked = [each for each in responses if each.url.startswith("http")]
        sizes = {each.url: len(each.body()) for each in asked}
    assert len(asked) <= 15
    assert sum(sizes.values()) <= 700_000, sizes
    assert all(each.ok for each in asked)


def test_every_picture_says_its_size_and_waits_until_it_is_near(articles):
    pictures = 0
    for page, article in articles.items():
        for place, picture in enumerate(article.find_all("img")):
            file = (SITE / page).parent / picture["src"]
            with Image.open(file) as image:
                size = int(picture["width"]), int(picture["height"])
                assert size == image.size, picture
            at_the_top = not place and "<h2" not in str(article).partition("<img")[0]
            expected = (None, None) if at_the_top else ("lazy", "async")
            assert (picture.get("loading"), picture.get("decoding")) == expected
            pictures += 1
    assert pictures >= 4 * len(CHAPTERS)


@pytest.mark.parametrize("screen", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("page", a_few(["book/intro", *CHAPTERS]))
def test_no_picture_is_distorted_or_moves_the_page(browser, site, page, screen):
    with opened(browser, site) as tab:
        tab.set_viewport_size(screen)
        held = []  # a picture that fails would show its alternative text instead
        tab.route("**/_images/*", lambda route: held.append(route))
        tab.goto(f"{site}/{page}.html", wait_until="domcontentloaded")
        pictures = tab.locator("article img")
        pictures.evaluate_all("images => images.forEach(i => { i.loading = 'eager'; })")
        article = tab.locator("article").first
        before = article.evaluate(HEIGHT), pictures.evaluate_all(HEIGHTS)
        tab.unroute("**/_images/*")
        for route in held:
            route.continue_()
        for picture in pictures.all():
            picture.evaluate("image => image.decode()")
        assert (article.evaluate(HEIGHT), pictures.evaluate_all(HEIGHTS)) == before
        ratio = """image => [image.naturalWidth / image.naturalHeight,
          (image.clientWidth - 2 * parseFloat(getComputedStyle(image).padding))
          / (image.clientHeight - 2 * parseFloat(getComputedStyle(image).padding))]"""
        for picture in pictures.all():
            natural, shown = picture.evaluate(ratio)
            assert shown == pytest.approx(natural, rel=0.02)


def test_compressed_pictures_look_the_same(built):
    rng = Image.effect_noise((200, 100), 60).convert("RGB")
    assert lean.compress(rng).mode == "P"  # 256 grays, and none is lost
    assert (
        ImageChops.difference(rng, lean.compress(rng).convert("RGB")).getbbox() is None
    )
    colorful = Image.merge("RGB", [Image.effect_noise((200, 100), 90) for _ in "RGB"])
    assert lean.compress(colorful).mode == "RGB"  # 256 colors would be too few
    modes = [Image.open(file).mode for file in (SITE / "_images").glob("*.png")]
    assert modes.count("P") > 0.9 * len(modes)


# Code and formulas


def formulas_of(cells):
    """Yield the formulas in a notebook's text, without white space."""
    parser = MarkdownIt().use(dollarmath_plugin)
    for cell in cells:
        for block in parser.parse(cell.source) if cell.cell_type == "markdown" else []:
            for token in [block, *(block.children or [])]:
                if token.type.startswith("math"):
                    yield "".join(token.content.split())


@pytest.mark.parametrize("page", CHAPTERS)
def test_no_code_and_no_formula_is_lost(articles, page):
    cells = nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
    sources = [
        cell.source.strip()
        for cell in cells
        if cell.cell_type == "code"
        and not {"remove-cell", "remove-input"} & {*cell.metadata.get("tags", [])}
    ]
    shown = articles[page].select(".cell_input pre")
    assert [code.text.strip() for code in shown] == sources
    assert articles[page].select("pre .k") and not articles[page].select("pre .n")
    drawn = [
        "".join(formula.find("annotation").text.split())
        for formula in articles[page].select(".math > math")
    ]
    assert drawn == list(formulas_of(cells))


def fonts(name):
    """Yield the fonts that stand in the pages' style sheet under a name."""
    css = (SITE / "_static/lean.css").read_text(encoding="utf-8")
    for face in re.findall("@font-face ?{.*?}", css, re.DOTALL):
        if name in face:
            data = re.search("base64,([^)]*)", face)[1]
            yield TTFont(io.BytesIO(base64.b64decode(data)))


def test_font_of_formulas_has_all_they_need(articles):
    (font,) = fonts("Book Math")
    used = set()
    for article in articles.values():
        for formula in article.find_all("math"):
            formula.find("annotation").decompose()
            used.update(formula.get_text())
    assert used > {"x", "∂", "√"} - {"√"}
    assert {
        ord(x) for x in used | {"√"} if not x.isspace()
    } <= font.getBestCmap().keys()
    assert "MATH" in font  # how to stack fractions and stretch parentheses


# Styles and scripts


def untrimmed():
    """Return all the styles that the pages would load if none had been left out."""
    texts = lean.read(SITE, lean.STYLES).values()
    return "\n".join(texts).replace("url(../vendor", "url(vendor")


def answer_with_all_styles(route):
    route.fulfill(body=untrimmed(), content_type="text/css")


def act_on_chapter(tab):
    """Yield what a reader can come to see on a chapter's page."""
    yield "at first"
    for _ in range(3):
        tab.keyboard.press("Tab")
        yield "with the keyboard"
    tab.locator(".theme-switch-button:visible").hover()
    tab.locator(".tooltip").wait_for()
    yield "a tooltip"
    tab.locator(".dropdown-download-buttons > button").click()
    yield "a menu"
    tab.locator("div.cell_input").first.hover()
    tab.clock.pause_at(datetime.now() + timedelta(hours=1))  # or the praise soon goes
    tab.locator("div.cell_input .copybtn").first.click()
    yield "copied"
    tab.locator("details.solution summary").first.click()
    yield "a solution"
    tab.locator("details.solution a, article a.reference").first.hover()
    yield "a link"
    tab.emulate_media(media="print")
    yield "in print"


def act_on_phone(tab):
    """Yield what a reader can come to see on a phone."""
    tab.set_viewport_size(PHONE)
    yield "at first"
    for opener, dialog in {
        ".primary-toggle": "#pst-primary-sidebar-modal",
        ".secondary-toggle": "#pst-secondary-sidebar-modal",
        ".search-button": "#pst-search-dialog",
    }.items():
        tab.locator(f"{opener}:visible").first.click()
        tab.locator(dialog).wait_for()
        yield dialog
        tab.keyboard.press("Escape")


def act_on_results(tab):
    """Yield the results of a search."""
    tab.locator("#search-results li a").first.wait_for()
    tab.locator("#search-results .context").first.wait_for()
    yield "results"


def act_on_nothing(tab):
    """Yield a page as it is."""
    yield "at first"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "act", "theme"),
    [
        (f"{CHAPTERS[0]}.html", act_on_chapter, "light"),
        (f"{CHAPTERS[0]}.html", act_on_chapter, "dark"),
        (f"{CHAPTERS[1]}.html", act_on_phone, "light"),
        (f"{CHAPTERS[-1]}.html", act_on_nothing, "dark"),
        ("book/intro.html", act_on_nothing, "light"),
        ("book/reference.html", act_on_nothing, "dark"),
        ("book/glossary.html", act_on_nothing, "light"),
        ("search.html?q=gradient", act_on_results, "light"),
        ("genindex.html", act_on_nothing, "light"),
    ],
)
def test_no_style_is_missed(browser, site, page, act, theme):
    styles = []
    for is_trimmed in (True, False):
        with opened(browser, site) as tab:
            if not is_trimmed:
                tab.route("**/lean.css?*", answer_with_all_styles)
            tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
            tab.clock.install()
            tab.goto(f"{site}/{page}", wait_until="networkidle")
            styles.append({})
            for state in act(tab):
                tab.locator("body").evaluate(HEIGHT)
                tab.wait_for_timeout(300)  # until all has faded in
                for kind, style in json.loads(tab.evaluate(COMPUTED)).items():
                    styles[-1][state, kind] = style
    trimmed, full = styles
    assert trimmed.keys() == full.keys()
    assert len(full) > 50
    for place, style in full.items():
        other = trimmed[place]
        assert {key: style[key] for key in style if style[key] != other[key]} == {}, (
            place
        )


def test_variables_of_the_page_to_draw_on_are_kept(built):
    asked = set(lean.ASKED.findall((SITE / "_static/draw/draw.css").read_text()))
    css = (SITE / "_static/lean.css").read_text(encoding="utf-8")
    kept, defined = [set(re.findall(r"(--[\w-]+)\s*:", x)) for x in (css, untrimmed())]
    assert kept >= asked & defined > {"--book-paper"}
    assert "--bs-orange" in defined - kept


@pytest.mark.slow
def test_every_icon_is_in_a_font(browser, site):
    drawn = set().union(*(font.getBestCmap() for font in fonts("Font Awesome")))
    with opened(browser, site) as tab:
        for page in [*PAGES, "search", "genindex"]:
            tab.goto(f"{site}/{page}.html")
            icons = [ord(content.strip('"')) for content in tab.evaluate(ICONS)]
            assert icons
            assert set(icons) <= drawn


def test_pages_load_the_common_files_only(built):
    for page in [*PAGES, "genindex", "404"]:
        soup = BeautifulSoup((SITE / f"{page}.html").read_text(), "html.parser")
        links = [link["href"] for link in soup.select("link[rel=stylesheet]")]
        links += [script["src"] for script in soup.select("script[src]")]
        files = [link.partition("_static/")[2].partition("?v=") for link in links]
        for file, _, version in files:  # which tells a browser what it has already
            content = (SITE / "_static" / file).read_bytes()
            assert version == hashlib.sha256(content).hexdigest()[:8]
        own = "draw/"  # of the page to draw on
        common = [file for file, *_ in files if not file.startswith(own)]
        assert common == ["lean.css", "lean.js"]
        assert len(common) == len(links) or page == "book/10_drawing"
    css = (SITE / "_static/lean.css").read_text(encoding="utf-8")
    for address in re.findall(r"url\([\"']?([^\"')]*)", css):
        assert address.startswith("data:") or (SITE / "_static" / address).is_file()


def test_what_is_bundled_is_there(built):
    for name in [*lean.STYLES, *lean.SCRIPTS]:
        assert len(list((SITE / "_static").glob(name))) == 1, name
