"""The book in two languages: what its pages say, and the ways between them.

Named in _config.yml. The Korean pages are a book of their own, which `make book-ko`
lays out in _build/ko (translation.py) and puts into the folder ko of the English one.
"""

import json
import pickle
import re
from gettext import NullTranslations
from pathlib import Path

import sphinx.locale
import sphinx.search
from docutils import nodes
from sphinx.search.en import SearchEnglish
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from translation import ROOT, digest, read_page

logger = logging.getLogger(__name__)

NAMES = {"en": "English", "ko": "한국어"}
LOCALES = {"en": "en_US", "ko": "ko_KR"}
# Where Chromium tears Korean words: behind formulas and marks.
TORN = {
    r'<span class="math(?:(?!</span>).)*</span>[가-힣]+': (
        r'<span class="text-nowrap">\g<0></span>'
    ),
    r"(?<=[)\]%”’_])((?:</\w+>)*)(?=[가-힣])": r"\1&#8288;",  # a word joiner
}
# What is glued to a noun. Two syllables are left, since 평가 and 결과 are words.
PARTICLES = "은|는|을|를|이|가|의|에|에서|에게|로|으로|와|과|처럼|부터|까지|마다|보다"


class Words(NullTranslations):
    """The words of the course's own templates, before those of Sphinx."""

    def __init__(self, words, others):
        """Take a table from English texts to their translations."""
        super().__init__()
        self.words, self.others = words, others

    def gettext(self, message):
        """Return a text in the language of the book."""
        return self.words.get(message) or self.others.gettext(message)


class SearchKorean(SearchEnglish):
    """Finds Korean words whatever follows them, and English ones as before."""

    lang, language_name = "ko", "Korean"
    js_splitter_code = r"""
function splitQuery(query) {
  const words = query.match(/[가-힣]+|((?![가-힣])[\p{Letter}\p{Number}_])+/gu) ?? [];
  return words.map((word) => word.replace(/^([가-힣]{2,}?)(PARTICLES)$/u, "$1"));
}
""".replace("PARTICLES", PARTICLES)

    def split(self, text):
        """Return the words of a text, and the parts of Korean ones."""
        words = re.findall(r"[가-힣]+|(?:(?![가-힣])\w)+", text)
        return [part for word in words for part in self.list_parts(word)]

    def list_parts(self, word):
        """Return a word and, if it is Korean, its beginnings from two syllables on."""
        if not re.match("[가-힣]", word):
            return [word]
        bare = re.sub(rf"(?<=.)({PARTICLES})$", "", word)
        return {word, bare, *(word[:n] for n in range(2, len(word)))}


class EnglishIds(SphinxTransform):
    """Gives the sections of a Korean page the ids of the English ones, in order."""

    default_priority = 1

    def apply(self):
        """Change the ids before anything refers to them."""
        file = f"_build/.doctrees/{self.env.docname}.doctree"
        if self.config.language == "en" or not (ROOT / file).is_file():
            return
        english = pickle.loads((ROOT / file).read_bytes())
        pairs = [[*page.findall(nodes.section)] for page in (english, self.document)]
        if len({*map(len, pairs)}) > 1:
            logger.warning("not the headings of the English page", location=pairs[1][0])
        for section, korean in zip(*pairs, strict=False):
            for old in korean["ids"]:
                del self.document.ids[old]
            korean["ids"] = section["ids"][:]
            for name in korean["names"]:
                self.document.nameids[name] = section["ids"][0]
        for section in pairs[1]:
            self.document.ids |= dict.fromkeys(section["ids"], section)


def list_addresses(app, page):
    """Return where a page is in each language, from the top of the English book."""
    target = app.builder.get_target_uri(page)
    return {"en": target, "ko": f"ko/{target}"}


def is_stale(name):
    """Tell whether English text of a page is not translated as it is now."""
    if not (ROOT / "book/ko" / name).is_file():
        return False
    cells = read_page(name).list_cells()
    return any(value != digest(english) for _, english, _, value, _ in cells)


def lead_to_notebook(buttons):
    """Have the buttons of a Korean page open the Korean notebook."""
    for button in buttons:
        lead_to_notebook(button.get("buttons", []))
        if "/blob/" in button.get("url", ""):
            button["url"] = button["url"].replace("/book/", "/book/ko/")


def finish_page(app, pagename, templatename, context, doctree):
    """Complete what the theme and other extensions have put on a Korean page."""
    if app.config.language == "ko":
        lead_to_notebook(context.get("header_buttons", []))
        if is_stale(Path(app.env.doc2path(pagename)).name):
            notice = app.builder.templates.render("stale.html", context)
            context["body"] = notice + context["body"]
        say = app.builder.templates.environment.globals["gettext"]
        heads = re.compile("(?<=<p>)[^<]+(?=</p></th>)")  # of the table of run times
        body = context.get("body", "")
        body = heads.sub(lambda found: say(found[0]), body)
        for torn, whole in TORN.items():
            body = re.sub(torn, whole, body)
        context["body"] = body


def complete_page(app, pagename, templatename, context, doctree):
    """Give a page the ways to the other language, also for search engines."""
    language = app.config.language
    site = app.config.html_baseurl.removesuffix("ko/" if language == "ko" else "")
    addresses = list_addresses(app, pagename)
    tags = [f'<meta property="og:locale" content="{LOCALES[language]}">']
    for code, target in (addresses | {"x-default": addresses["en"]}).items():
        if pagename != "404":
            address = f'hreflang="{code}" href="{site}{target}"'
            tags.append(f'<link rel="alternate" {address}>')
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)
    top = "../" * (pagename.count("/") + (language == "ko"))
    context["languages"] = {
        code: (NAMES[code], top + target)
        for code, target in addresses.items()
        if code != language
    }


def speak(app):
    """Give templates and scripts the words of the book's language."""
    words = app.config.course_words
    environment = app.builder.templates.environment
    translator = Words(words, app.translator)
    environment.install_gettext_translations(translator)
    sphinx.locale.translators["general", "sphinx"] = translator  # of what Sphinx writes
    if words:
        path = Path(app.outdir, "_static/words.js")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(words, ensure_ascii=False)
        path.write_text(f"window.words = {text};\n", "utf-8")
        app.add_js_file("words.js", priority=700)  # before what says them


def setup(app):
    """Tell Sphinx when to call the functions above."""
    sphinx.search.languages["ko"] = SearchKorean
    app.add_config_value("course_words", {}, "html", dict)
    app.add_transform(EnglishIds)
    app.connect("builder-inited", speak)
    app.connect("html-page-context", complete_page, priority=100)  # before the theme
    app.connect("html-page-context", finish_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
