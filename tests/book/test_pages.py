"""The built book, looked at in a real browser that can reach no other host.

Each page is visited in light and dark, wide and on a phone's width, with all that is
folded unfolded. Pictures of what was seen are left in _build/screenshots.

Needs `make book` to have run, and Chromium or Chrome; skipped without them, except
where CI is set, which must not pass over it.
"""

import gzip
import re
from itertools import pairwise
from pathlib import Path

import pydata_sphinx_theme
import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import (
    ADDRESS,
    CHAPTERS,
    IN_BOTH_WAYS,
    NOTEBOOKS,
    PAGES,
    PICTURES,
    ROOT,
    SITE,
    TOC,
    a_few,
    opened,
)
from fontTools.ttLib import TTFont
from PIL import Image

from mnist_lib.notebook import figures

ALL_PAGES = [*PAGES, "genindex", "py-modindex", "search", "404", "index"]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# All rules of axe that are on by default, and one that is not: the size of what is to
# be hit, new in WCAG 2.2. No preload: axe would look for styles where there are none.
AXE = {
    "preload": False,
    "resultTypes": ["violations"],
    "rules": {"target-size": {"enabled": True}},
}
NOT_SCROLLED = "document.documentElement.scrollWidth <= window.innerWidth"
ICONS = """[...document.querySelectorAll("[class*='fa-']")].map(
  icon => getComputedStyle(icon, "::before").content)"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
UNFOLD = """() => {
  document.querySelectorAll("details").forEach(box => box.open = true);
  document.querySelector(".guess-head button")?.click();
}"""
HEADINGS = """[...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .filter(heading => heading.checkVisibility()).map(heading => +heading.tagName[1])"""
# Code has thousands of words, of the same colors on a phone: enough to check them once.
PLAIN_CODE = """document.querySelectorAll("pre").forEach(
  code => code.textContent = code.textContent)"""
# Axe judges no text on gradients, such as the shades at the edges of code.
FLAT = "main * { background-image: none !important; }"
# Axe starts once the browser has answered, so that two tabs are checked at a time.
START_AXE = """([part, options]) => {
  window.found = new Promise(resolve => setTimeout(resolve)).then(
    () => axe.run(part ?? document, options));
  return null;
}"""
MOVING = """[...document.querySelectorAll("*")].filter(element => {
  const {animationName, transitionDuration} = getComputedStyle(element);
  return animationName != "none" || transitionDuration != "0s";
}).map(element => element.outerHTML.slice(0, 80))"""
# What scrolls sideways, and whether it can be reached and has a name.
SCROLLING = """[...document.querySelectorAll("main *")].filter(box =>
  box.scrollWidth > box.clientWidth && box.checkVisibility()
  && ["auto", "scroll"].includes(getComputedStyle(box).overflowX)
).map(box => [box.outerHTML.slice(0, 80), box.tabIndex == 0 && !!box.ariaLabel])"""
CUT_CODE = """[...document.querySelectorAll(".cell_input pre")].filter(
  code => code.scrollWidth > code.clientWidth).map(code => code.textContent)"""
TWO_FRAMES = """new Promise(
  done => requestAnimationFrame(() => requestAnimationFrame(done)))"""
# What has the focus: its name, what is drawn around it, and what that is drawn on.
FOCUS = """() => {
  const held = document.activeElement;
  // What shows the focus of a transparent button is the picture that it lies on.
  const on = getComputedStyle(held).opacity == "0" ? held.nextElementSibling : held;
  const style = getComputedStyle(on);
  const [first, ...others] = [on, on.parentElement].map(element => {
    while (getComputedStyle(element).backgroundColor == "rgba(0, 0, 0, 0)")
      element = element.parentElement ?? document.body;
    return getComputedStyle(element).backgroundColor;
  });
  const {top, bottom} = on.getBoundingClientRect();
  return {
    what: held.outerHTML.slice(0, 120),
    name: held.ariaLabel || held.textContent.trim() || held.placeholder || held.title
      || held.labels?.[0]?.textContent.trim(),
    ring: ["solid", "dashed"].includes(style.outlineStyle)
      ? parseFloat(style.outlineWidth) : 0,
    color: style.outlineColor,
    ground: parseFloat(style.outlineOffset) < 0 ? first : others[0],
    seen: on.checkVisibility({opacityProperty: true}) && bottom > 0
      && top < window.innerHeight,
    last: held == document.body,
  };
}"""


def shown_search_boxes(tab):
    boxes = tab.locator(".search-button-field, .search-button").all()
    return [box for box in boxes if box.is_visible()]


def contrast(*colors):
    """Return the contrast of two colors, parts from 0 to 1, as WCAG has it."""

    def luminance(color):
        red, green, blue = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in color
        ]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, colors))
    return (light + 0.05) / (dark + 0.05)


def parts(color):
    """Return red, green and blue of a browser's color, such as rgb(0, 114, 178)."""
    return [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]


def barriers(tabs, part=None):
    """Return what axe finds on the pages as they are, or in a part of them."""
    flat = [tab.add_style_tag(content=FLAT) for tab in tabs]
    for tab in tabs:
        tab.evaluate(START_AXE, [part, AXE])
    found = [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for tab in tabs
        for rule in tab.evaluate("window.found")["violations"]
        for node in rule["nodes"]
    ]
    for style in flat:
        style.evaluate("style => style.remove()")
    return found


def picture(tabs, page, size):
    """Leave pictures of what the two tabs show, light and dark."""
    PICTURES.mkdir(exist_ok=True)
    for tab, theme in zip(tabs, ("light", "dark"), strict=True):
        name = f"{page.replace('/', '-')}-{size}-{theme}.png"
        # Chromium draws no more than 16,384 pixels of a page at once.
        height = min(tab.evaluate("document.documentElement.scrollHeight"), 16_000)
        clip = {"x": 0, "y": 0, "width": tab.viewport_size["width"], "height": height}
        tab.screenshot(path=PICTURES / name, full_page=True, clip=clip)


@pytest.fixture
def calm_tab(tab):
    """A tab in which nothing moves."""
    tab.emulate_media(reduced_motion="reduce")
    return tab


def stay(route):
    """Answer with a page as it is, without what leads from it to another one."""
    page = (SITE / "index.html").read_text(encoding="utf-8")
    route.fulfill(body=page.replace("http-equiv", "x"), content_type="text/html")


@pytest.fixture
def two_tabs(browser, site):
    """Open two tabs, the first of which is light and the second dark."""
    with opened(browser, site) as light, opened(browser, site) as dark:
        light.emulate_media(color_scheme="light", reduced_motion="reduce")
        dark.emulate_media(color_scheme="dark", reduced_motion="reduce")
        yield [light, dark]


def visit(tab, address):
    """Show a page with all that is folded unfolded, and with axe."""
    tab.route("**/index.html", stay)
    tab.goto(address)
    if "?q=" in address:
        tab.locator("#search-results li a").first.wait_for()
    tab.evaluate(UNFOLD)
    tab.evaluate(Axe().axe_script)


def resize(tabs, viewport):
    """Give the tabs a size, and what watches it the time to notice."""
    for tab in tabs:
        tab.set_viewport_size(viewport)
        tab.wait_for_timeout(400)


@pytest.mark.parametrize("page", a_few(ALL_PAGES))
def test_page_has_no_barriers(two_tabs, site, page):
    for tab in two_tabs:
        query = "?q=gradient" if page == "search" else ""
        visit(tab, f"{site}/{page}.html{query}")
    assert tab.evaluate(MOVING) == []
    levels = tab.evaluate(HEADINGS)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))

    assert barriers(two_tabs) == []
    picture(two_tabs, page, "wide")
    resize(two_tabs, PHONE)
    picture(two_tabs, page, "phone")
    for tab in two_tabs:
        tab.evaluate(PLAIN_CODE)
    assert barriers(two_tabs) == []

    for tab in two_tabs:
        for button in tab.locator(".primary-toggle").all():
            button.click()
    if tab.locator("dialog[open]").count():
        assert barriers(two_tabs, "dialog[open]") == []
        tab.keyboard.press("Escape")
        assert tab.locator("dialog[open]").count() == 0

    tab.add_style_tag(content="html { font-size: 200% !important; }")
    for viewport in (WIDE, {"width": 640, "height": 450}):
        tab.set_viewport_size(viewport)
        assert tab.evaluate(NOT_SCROLLED)
    assert [tab.complaints for tab in two_tabs] == [[], []]


@pytest.mark.parametrize("page", a_few([*PAGES, "genindex", "search"]))
def test_page_is_in_order(tab, site, page):
    tab.set_viewport_size({"width": 320, "height": 450})
    tab.goto(f"{site}/{page}.html")
    assert tab.evaluate(NOT_SCROLLED)  # before the styles of its fields come
    tab.set_viewport_size(WIDE)
    assert len(shown_search_boxes(tab)) == 1
    tab.evaluate(UNFOLD)
    assert tab.evaluate(CUT_CODE) == []
    for width in (640, 390, 360, 320):  # 640 is a window of 1280, zoomed to 200%
        tab.set_viewport_size({"width": width, "height": 450})
        assert tab.evaluate(NOT_SCROLLED), width
        assert len(shown_search_boxes(tab)) == 1
    assert tab.evaluate(CUT_CODE) == []  # its lines break
    tab.evaluate(TWO_FRAMES)  # after which what scrolls has been named
    assert [box for box, reached in tab.evaluate(SCROLLING) if not reached] == []
    assert tab.complaints == []


@IN_BOTH_WAYS
def test_search_leads_to_a_page_with_what_was_sought(tab, site):
    tab.goto(f"{site}/search.html?q=backpropagation")
    result = tab.locator("#search-results li a").first
    result.wait_for(timeout=10_000)
    result.click()
    tab.wait_for_url("**/book/**")
    assert "backpropagation" in tab.locator("article").inner_text().lower()
    assert tab.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_focus_is_seen_wherever_it_goes(calm_tab, site, theme):
    tab = calm_tab
    tab.emulate_media(color_scheme=theme)
    tab.goto(f"{site}/{CHAPTERS[1]}.html")
    figure = tab.locator("#templates-by-hand")  # which loads while people press Tab
    figure.locator("> img").scroll_into_view_if_needed()
    figure.locator("canvas").first.wait_for()
    tab.evaluate("scrollTo(0, 0)")
    places = []
    for _ in range(300):
        tab.keyboard.press("Tab")
        place = tab.evaluate(FOCUS)
        if place["last"]:
            break
        places.append(place)
        assert place["seen"] and place["name"], place
        assert place["ring"] >= 2, place
        assert contrast(parts(place["color"]), parts(place["ground"])) >= 3, place
    reached = " ".join(place["what"] for place in places)
    stops = "#main-content brand search-button theme-switch aria-current copybtn"
    for part in [*stops.split(), "<summary", "way-next"]:
        assert part in reached


def test_keyboard_is_enough(calm_tab, site):
    tab = calm_tab
    tab.goto(f"{site}/{CHAPTERS[0]}.html")
    tab.keyboard.press("Tab")
    assert tab.evaluate(FOCUS)["name"] == "Skip to main content"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('main') != null")

    for width, name in [(1280, "primary"), (390, "primary"), (390, "secondary")]:
        tab.set_viewport_size({"width": width, "height": 844})
        tab.locator(f".{name}-toggle:visible").focus()
        tab.keyboard.press("Enter")
        if width == 390:
            tab.locator(f"#pst-{name}-sidebar-modal").wait_for()
            tab.keyboard.press("Escape")
        tab.wait_for_function(f"document.activeElement.matches('.{name}-toggle')")
    tab.set_viewport_size(WIDE)

    modes = []
    tab.locator(".theme-switch-button:visible").focus()
    for _ in range(3):
        tab.wait_for_function("document.activeElement.matches('.theme-switch-button')")
        tab.keyboard.press("Enter")
        modes.append(tab.evaluate("document.documentElement.dataset.mode"))
    assert set(modes) == {"light", "dark", "auto"}

    tab.keyboard.press("Control+k")
    tab.keyboard.type("gradient")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=gradient")
    assert tab.complaints == []


def test_figures_keep_their_contrast_by_day_and_by_night():
    css = (ROOT / "book/_static/book.css").read_text(encoding="utf-8")
    named = dict(re.findall(r"--book-(\w+): #(\w{6})", css))
    colors = [named[name] for name in ("blue", "vermillion", "green", "purple")]
    drawn = [figures.BLUE, figures.VERMILLION, figures.GREEN, figures.PURPLE]
    assert [f"#{color}".upper() for color in colors] == drawn
    (night,) = re.findall(r"--book-dim: brightness\((.+?)\) contrast\((.+?)\)", css)
    for brightness, contrasted in [(1, 1), map(float, night)]:
        shown = [
            [(part * brightness / 255 - 0.5) * contrasted + 0.5 for part in color]
            for color in map(bytes.fromhex, [*colors, "ffffff"])
        ]
        *shown, paper = [[min(max(part, 0), 1) for part in color] for color in shown]
        assert all(contrast(color, paper) >= 3 for color in shown)


@IN_BOTH_WAYS
def test_reader_can_copy_code(tab, site):
    tab.goto(f"{site}/{CHAPTERS[0]}.html")
    code = tab.locator("div.cell_input:visible").first
    code.hover()
    code.locator(".copybtn").click()
    assert tab.evaluate("navigator.clipboard.readText()") == code.inner_text().strip()
    assert tab.complaints == []


def test_page_is_never_white_at_night(tab, site):
    tab.route("**/*.js?*", lambda route: route.abort())  # as long as it is not there
    for mode, theme in [("auto", "dark"), ("light", "light"), ("dark", "dark")]:
        tab.goto(f"{site}/{CHAPTERS[0]}.html")
        store = f"localStorage.mode = '{mode}'; localStorage.theme = '{theme}'"
        tab.evaluate(store if mode != "auto" else "localStorage.theme = 'light'")
        tab.reload()
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        assert (max(parts(tab.evaluate(BACKGROUND))) < 0.25) == (theme == "dark")


@pytest.fixture(scope="module")
def articles(built):
    """What the pages say, by their names."""
    return {
        page: BeautifulSoup((SITE / f"{page}.html").read_text(), "html.parser").article
        for page in PAGES
    }


@pytest.mark.parametrize("page", CHAPTERS)
def test_chapter_shows_its_place_on_the_map(articles, page):
    stems = [chapter.partition("_")[2].replace("_", " ") for chapter in CHAPTERS]
    names = dict(zip([TOC["root"], *CHAPTERS], ["pixels", *stems], strict=True))
    steps = articles[page].select("nav.course-map li a")
    assert [step.text for step in steps] == [*names.values()]
    for step, target in zip(steps, names, strict=True):
        here = target == page
        assert step.get("aria-current") == ("page" if here else None)
        assert step["href"] == ("#" if here else f"{target[5:]}.html")


@pytest.mark.parametrize("page", CHAPTERS)
def test_chapter_leads_to_its_own_notebook(built, page):
    soup = BeautifulSoup((SITE / f"{page}.html").read_text(), "html.parser")
    notebook = (ROOT / f"{page}.ipynb").read_bytes()
    colab = soup.select_one("a[href*='colab.research.google.com']")["href"]
    assert f"]({colab})".encode() in notebook
    source = soup.select_one("a.btn-download-source-button")["href"]
    assert (SITE / page / "../" / source).resolve().read_bytes() == notebook


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
    both = [*PAGES, *(f"ko/{page}" for page in PAGES)]
    assert sorted(listed) == sorted(f"{ADDRESS}{page}.html" for page in both)


def test_unknown_address_shows_a_page_with_ways_on(calm_tab, site):
    tab = calm_tab
    tab.goto(f"{site}/nowhere/at-all.html")
    assert tab.locator("article h1").inner_text() == "Page not found"
    assert tab.title() == "Page not found — Digits from Scratch"
    assert len(tab.complaints) == 1 and "404" in tab.complaints[0]
    tab.get_by_role("link", name="first page").click()
    tab.wait_for_url(f"{site}/{TOC['root']}.html")


@IN_BOTH_WAYS
def test_first_address_leads_to_the_book(tab, site):
    tab.goto(f"{site}/index.html")
    tab.wait_for_url(f"{site}/{TOC['root']}.html")


# What the pages load


@pytest.mark.parametrize("page", a_few(PAGES))
def test_first_load_is_light(browser, site, page):
    with opened(browser, site, viewport=PHONE) as tab:
        responses = []
        tab.on("response", lambda response: responses.append(response))
        tab.goto(f"{site}/{page}.html", wait_until="networkidle")
        asked = [each for each in responses if each.url.startswith("http")]
        bodies = [each.body() for each in asked]
    assert len(asked) <= 26
    assert sum(map(len, bodies)) <= 600_000
    assert sum(min(len(x), len(gzip.compress(x))) for x in bodies) <= 300_000
    assert tab.complaints == []  # such as another host


# What the styles do to each element.
LOOK = """() => [...document.querySelectorAll("body *")].map(element => {
  const {x, y, width, height} = element.getBoundingClientRect();
  const {color, backgroundColor, borderTopColor, display, fontFamily, fontWeight}
    = getComputedStyle(element);
  const before = getComputedStyle(element, "::before").content;
  return [element.tagName, element.className, x, y, width, height, color,
    backgroundColor, borderTopColor, display, fontFamily, fontWeight, before].join();
})"""


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("page", [CHAPTERS[0], "book/reference", "genindex"])
def test_no_style_is_missed(browser, site, page, viewport):
    themes = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme"
    whole = themes / "static/styles/pydata-sphinx-theme.css"
    looks = []
    for is_whole in (False, True):
        with opened(browser, site, viewport=viewport) as tab:
            if is_whole:
                tab.route(f"**/{whole.name}?*", lambda route: route.fulfill(path=whole))
            tab.goto(f"{site}/{page}.html", wait_until="networkidle")
            tab.locator(".theme-switch-button:visible").hover()
            tab.locator(".tooltip.show").wait_for()
            for menu in tab.locator(".dropdown-download-buttons > button").all():
                menu.click()
            tab.wait_for_timeout(500)  # until all has faded in
            looks.append(tab.evaluate(LOOK))
    assert looks[0] == looks[1]


def test_every_picture_says_what_it_is_and_its_size_and_waits(articles):
    pictures = 0
    for page, article in articles.items():
        for shown in article.find_all("img"):
            assert shown["alt"] and not shown["alt"].endswith((".png", ".svg"))
            with Image.open((SITE / page).parent / shown["src"]) as image:
                size = int(shown["width"]), int(shown["height"])
                assert size == image.size, shown
            assert (shown["loading"], shown["decoding"]) == ("lazy", "async")
            pictures += 1
    assert pictures >= 4 * len(CHAPTERS)


RATIOS = """image => image.decode().then(() => [
  image.naturalWidth / image.naturalHeight,
  (image.clientWidth - 2 * parseFloat(getComputedStyle(image).padding))
  / (image.clientHeight - 2 * parseFloat(getComputedStyle(image).padding))])"""


@pytest.mark.parametrize("page", a_few(["book/intro", *CHAPTERS]))
def test_no_picture_is_distorted(browser, site, page):
    # Without JavaScript, or what can be moved would take the place of some pictures.
    with opened(browser, site, viewport=PHONE, java_script_enabled=False) as tab:
        tab.goto(f"{site}/{page}.html")
        for shown in tab.locator("article figure img:visible").all():
            shown.scroll_into_view_if_needed()
            natural, drawn = shown.evaluate(RATIOS)
            assert drawn == pytest.approx(natural, rel=0.02)


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_no_output_is_longer_than_anyone_reads(articles, page):
    for output in articles[page].select(".cell_output"):
        lines = [pre.text.splitlines() for pre in output.select("pre")]
        assert len(sum(lines, [])) <= 40, output


def test_fonts_have_all_that_the_pages_show(articles, browser, site):
    used = {"√"}  # a root is an element, not a character
    for article in articles.values():
        for formula in article.find_all("math"):
            used.update("".join(formula.find_all(string=True)))
    with TTFont(SITE / "_static/math.woff") as font:
        assert {ord(x) for x in used if not x.isspace()} <= font.getBestCmap().keys()
        assert "MATH" in font  # how to stack fractions and stretch parentheses
    with opened(browser, site) as tab, TTFont(SITE / "_static/icons.woff") as font:
        tab.goto(f"{site}/{CHAPTERS[0]}.html")
        icons = [ord(content.strip('"')) for content in tab.evaluate(ICONS)]
        assert icons and {*icons} <= font.getBestCmap().keys()


# The look of single things, on a phone


@pytest.fixture
def phone(calm_tab):
    calm_tab.set_viewport_size(PHONE)
    return calm_tab


def test_search_says_what_it_found(phone, site):
    phone.goto(f"{site}/search.html?q=gradient")
    excerpts, status = phone.locator(".context"), phone.locator(".search-summary")
    status.get_by_text("Results").wait_for()
    excerpts.nth(5).wait_for()
    assert status.inner_text() == f"Results: {phone.locator('.search li').count()}"
    texts = excerpts.all_inner_texts()
    assert "gradient" in " ".join(texts) and "gradient tape" not in texts
    assert not any(part in " ".join(texts) for part in (".pdf", "Contents", "→"))
    phone.goto(f"{site}/search.html?q=xyzzy")
    phone.get_by_text("Nothing found").wait_for()
