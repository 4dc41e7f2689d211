"""The Korean edition is in step with the English pages, and in good Korean form.

What the built pages show is looked at after `make book-ko`.
"""

import gettext
import json
import re
from pathlib import Path
from urllib.parse import urljoin

import languages
import pydata_sphinx_theme
import pytest
import sphinx.locale
import sphinx.writers.html5
import sphinx_book_theme
import sphinx_copybutton
import translation
import yaml
from babel.messages.pofile import read_po
from bs4 import BeautifulSoup
from conftest import ROOT, SITE, give_up
from markdown_it import MarkdownIt
from myst_nb.ext import execution_tables

KOREAN = ROOT / "book/ko"
PAGES = translation.list_pages()
TERMS = yaml.safe_load((KOREAN / "terms.yml").read_text("utf-8"))
WORDS = json.loads((KOREAN / "words.json").read_text("utf-8"))
SAID = re.compile(r"""(?:\bsay|\b_)\(\s*"((?:[^"\\]|\\.)*)\"""")

each_page = pytest.mark.parametrize("name", PAGES)


def links(text):
    """Return the targets of a Markdown text's links, without those in code."""
    tokens = MarkdownIt().parse(text)
    children = [child for token in tokens for child in token.children or []]
    return {str(t.attrs["href"]) for t in children if t.type == "link_open"}


def in_korean(target):
    """Return where a link of an English page leads on the Korean one."""
    return re.sub(r"(github\.io/[^/]+/|/(?:blob|tree)/[^/]+/book/)", r"\1ko/", target)


def plain(text):
    """Return a text without what may hold anything: code, addresses, quotations."""
    text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`|\]\([^)]*\)|“[^”]*”", " ", text)
    return re.sub(r"\$[^$]*\$", " ", text)


def list_wrong_terms(place, text):
    """Return where a text has another word than the terms' table."""
    return [
        f"{place}: {found[0]!r}, where the term is {term['ko']!r}"
        for term in TERMS
        for wrong in term.get("not", [])
        for found in re.finditer(wrong, plain(text))
    ]


def simple(text):
    """Return a text in small letters, whatever separates its words."""
    return " ".join(text.replace("_", " ").lower().split())


@each_page
def test_page_follows_the_english_one(name):
    page = translation.read_page(name)
    gaps = [
        f"book/ko/{name}#{cell}: {gap}"
        for cell, gap in translation.list_gaps(page).items()
    ]
    assert gaps == []
    file = KOREAN / name
    assert file.read_text("utf-8") == str(page), "run `make translation`"


@each_page
def test_page_is_in_korean_and_uses_the_terms(name):
    cells = [*translation.read_page(name).list_cells()]
    assert translation.HANGUL.search(cells[0][2])
    for cell, _, korean, *_ in cells:
        assert list_wrong_terms(f"{name}#{cell}", korean) == []


@each_page
def test_bold_text_is_bold_and_links_lead_to_korean_pages(name):
    for cell, english, korean, *_ in translation.read_page(name).list_cells():
        markdown = MarkdownIt().enable("table")
        shown = markdown.render(re.sub(r"(?ms)^```.*?^```$", "", korean))
        text = BeautifulSoup(re.sub("(?s)<code>.*?</code>", "", shown), "html.parser")
        assert "**" not in text.get_text(), f"{name}#{cell} shows asterisks"
        for block in text.select("p, li, td"):  # from one ~ to the next is struck out
            several = block.text.count("~") > 1 and not block.select("p, li")
            assert not several, f"{name}#{cell}: {block.text}"
        wanted = {in_korean(target) for target in links(english)}
        english_only = {
            target for target in links(english) if in_korean(target) != target
        }
        assert wanted <= links(korean), f"{name}#{cell}"
        assert not english_only & links(korean), f"{name}#{cell}"


@pytest.mark.integration
def test_reference_explains_every_docstring_in_korean():
    catalog = read_po(translation.CATALOG.open("rb"), "ko")
    docstrings = [message.id for message in translation.read_docstrings()]
    assert [message.id for message in catalog] == docstrings, "run `make translation`"
    for message in [*catalog][1:]:  # after the head
        english, korean = message.id, message.string
        assert translation.HANGUL.search(korean) and not message.fuzzy, english
        code = [sorted(re.findall("``.+?``", text)) for text in (english, korean)]
        assert code[0] == code[1], english
        assert list_wrong_terms(english, korean) == [] and "**" not in korean


@each_page
def test_blocks_of_code_are_those_of_the_english_page(name):
    for cell, *texts, _, _ in translation.read_page(name).list_cells():
        blocks = map(translation.FENCED.findall, texts)
        for english, korean in zip(*blocks, strict=True):
            same = english == korean or english.startswith("```{figure}")
            assert same, f"{name}#{cell}"


def test_every_text_of_the_pages_is_translated_and_none_is_left_over():
    sources = [
        *ROOT.glob("book/_templates/**/*.html"),
        *ROOT.glob("book/_static/**/*.js"),
    ]
    texts = {path: path.read_text("utf-8") for path in sources}
    catalog = Path(sphinx.locale.__file__).parent
    known = gettext.translation("sphinx", catalog, ["ko"])
    missing = {
        text
        for source in texts.values()
        for text in SAID.findall(source)
        if text not in WORDS and known.gettext(text) == text
    }
    assert missing == set()
    settings = [ROOT / name for name in ["_config.yml", "_toc.yml", "CITATION.cff"]]
    settings += ROOT.glob("book/_extension/*.*")
    settings += [Path(sphinx.writers.html5.__file__), Path(execution_tables.__file__)]
    for package in (pydata_sphinx_theme, sphinx_book_theme, sphinx_copybutton):
        for ending in ("html", "py", "js_t"):
            settings += Path(package.__file__).parent.rglob(f"*.{ending}")
    all_texts = [*texts.values(), *(path.read_text("utf-8") for path in settings)]
    composed = ["Launch on Colab", "Colab logo", "Search this book..."]  # by the theme
    composed += ["© Copyright %(copyright)s."]
    all_text = simple(" ".join([*all_texts, *PAGES, *composed]))
    assert [key for key in WORDS if simple(key) not in all_text] == []


@pytest.fixture(scope="module")
def korean_site():
    if not (SITE / "ko/book/intro.html").is_file():
        give_up("the Korean pages have not been built: run `make book-ko` first")
    return SITE / "ko"


@each_page
@pytest.mark.integration
def test_built_page_is_korean_and_stays_so(name, korean_site):
    file = Path("book", name).with_suffix(".html")
    page = BeautifulSoup((korean_site / file).read_bytes(), "html.parser")
    english = BeautifulSoup((SITE / file).read_bytes(), "html.parser")
    ids = [
        [each["id"] for each in p.select("article section")] for p in (page, english)
    ]
    assert ids[0] == ids[1]
    assert page.html["lang"] == "ko"
    other = page.select_one("a.language")
    assert urljoin(f"ko/{file}", other["href"]) == str(file)
    assert urljoin(str(file), english.select_one("a.language")["href"]) == f"ko/{file}"
    for link in page.select("a[hreflang]"):  # also that of the notice
        link.extract()
    addresses = [urljoin(f"/ko/{file}", a["href"]) for a in page.select("a[href]")]
    assert [
        a for a in addresses if a.startswith("/") and not a.startswith("/ko/")
    ] == []
    assert not re.search(r"[)%”](</\w+>)*[가-힣]", str(page.article))  # or it is torn
    described = page.find("meta", property="og:description")["content"].split()
    texts = [part.get_text().replace("\u2060", "") for part in page.article("p")]
    said = {word for text in texts for word in text.split()}
    assert {*described} - {"…"} <= said  # no particle is parted from its word
    for code in page.select("pre, code, script, dl.py"):
        code.decompose()
    assert "**" not in page.article.get_text()
    assert {link["hreflang"] for link in english.select("link[hreflang]")} == {
        "en",
        "ko",
        "x-default",
    }


@pytest.mark.parametrize("noun", ["텐서", "배치", "손실", "기울기", "밀집층", "축"])
def test_search_index_has_nouns_without_what_follows_them(noun):
    language = languages.SearchKorean({})
    for particle in ["", "는", "을", "에서", "처럼", "으로"]:
        assert noun in language.split(f"NaiveDense의 {noun}{particle} 그립니다.")
    assert {"NaiveDense", "to_vectors"} <= {
        *language.split("NaiveDense는 to_vectors를")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "query, page",
    [
        ("텐서", "01_tensors"),
        ("밀집층은", "02_dense_layers"),
        ("배치에서", "03_batching"),
        ("기울기", "04_gradient_tape"),
        ("손실 함수를", "05_training"),
        ("NaiveDense", "reference"),
    ],
)
def test_search_finds_korean_words(query, page, korean_site, site, tab):
    tab.goto(f"{site}/ko/search.html?q={query}")
    result = tab.locator(f"#search-results a[href*='book/{page}.html']").first
    result.click(timeout=20_000)
    tab.get_by_role("link", name="검색 표시 지우기").wait_for()
    assert not tab.complaints


@pytest.mark.slow
def test_switch_leads_to_the_section_that_is_read(korean_site, site, tab):
    page = "book/02_dense_layers.html"
    press = "document.querySelector('a.language').click()"
    place = "softmax-from-sums-to-probabilities"
    tab.goto(f"{site}/{page}#{place}")
    tab.wait_for_function(
        "document.querySelector(':target').getBoundingClientRect().y < 99"
    )
    tab.evaluate(press)  # a click of Playwright scrolls first
    tab.wait_for_url(f"**/ko/{page}#{place}")
    assert tab.evaluate("document.documentElement.lang") == "ko"
    tab.evaluate(press)
    tab.wait_for_url(f"{site}/{page}#{place}")


@pytest.mark.slow
def test_drawing_page_speaks_korean(korean_site, site, tab):
    tab.goto(f"{site}/ko/book/10_drawing.html")
    tab.locator("#draw-pad").scroll_into_view_if_needed()
    tab.locator("#draw-answer", has_text="숫자를 그려 보세요.").wait_for()


def notebook(*cells):
    """Return a notebook as text, of ids, kinds and sources."""
    cells = [
        {"cell_type": kind, "id": name, "metadata": {}, "source": [source]}
        for name, kind, source in cells
    ]
    return json.dumps({"cells": cells, "metadata": {}})


def test_notebook_follows_the_english_one_and_says_what_is_stale():
    old = notebook(("a", "markdown", "One"), ("b", "code", "1"))
    page = translation.Notebook(old, "")
    assert translation.list_gaps(page) == {"a": "missing"}
    page.korean["cells"][0]["source"] = ["하나"]
    translation.mark_done(page, "")
    assert translation.list_gaps(page) == {}

    new = notebook(
        ("b", "code", "2"), ("c", "markdown", "Two"), ("a", "markdown", "Not one")
    )
    page = translation.Notebook(new, str(page))
    assert translation.list_gaps(page) == {"c": "missing", "a": "stale"}
    sources = [cell["source"] for cell in page.korean["cells"]]
    assert sources == [["2"], ["Two"], ["하나"]]

    page.korean["cells"][2]["metadata"]["stale_until"] = "2999-01-31"
    assert translation.list_gaps(page) == {"c": "missing"}
    page.korean["cells"][2]["metadata"]["stale_until"] = "2020-01-31"
    assert translation.list_gaps(page)["a"] == "stale"


def test_markdown_page_follows_the_english_one_and_says_what_is_stale():
    page = translation.Markdown("# A\n\nOne.\n\n## B\n\nTwo.\n", "")
    assert translation.list_gaps(page) == {"1": "missing", "2": "missing"}
    done = str(page).replace("One", "하나").replace("Two", "둘")
    page = translation.Markdown("# A\n\nOne.\n\n## B\n\nTwo.\n", done)
    translation.mark_done(page, "")
    assert translation.list_gaps(page) == {}

    english = "# A\n\nOne.\n\n## New\n\n## B\n\nTwo and more.\n"
    page = translation.Markdown(english, str(page))
    assert translation.list_gaps(page) == {"2": "stale", "3": "missing"}
    english = "# A\n\nOne.\n\n## New\n\n## B\n\nTwo.\n"
    page = translation.Markdown(english, str(page))
    assert translation.list_gaps(page) == {"2": "missing"}
    allowed = str(page).replace("missing", "0123456789ab until 2999-01-31")
    assert translation.list_gaps(translation.Markdown(english, allowed)) == {}


def test_glossary_is_split_at_its_terms():
    text = "# G\n\n:::{glossary}\na\n    One.\n\nb\nc\n    Two.\n:::\n"
    blocks = ["# G\n\n:::{glossary}", "a\n    One.", "b\nc\n    Two.\n:::"]
    assert translation.split(text) == blocks
