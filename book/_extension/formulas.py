"""Formulas as MathML, which a browser draws by itself, and the font it needs for that.

Named in _config.yml. pandoc translates the formulas when the book is built, as it does
for the EPUB, so that no page has to load a program that draws them.
"""

import io
import re
import unicodedata
from base64 import b64encode
from html import escape, unescape
from importlib.metadata import distribution
from pathlib import Path

import pypandoc
from bs4 import BeautifulSoup
from docutils import nodes
from fontTools import subset
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

FONT = "ziamath/fonts/STIXTwoMath-Regular.ttf"
STYLE = '@font-face{{font-family:"Book Math";src:url(data:font/woff;base64,{})}}\n'
# MathML writes x and means italic x, which is another character of the font.
ITALIC = [0x210E, *range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C)]
INVISIBLE = "\u2061"  # stands between a function and what it is applied to


def join_letters(formula):
    """Make one word of letters that stand by themselves, as pandoc leaves relu."""
    for row in formula("mrow"):
        letters = row.find_all(recursive=False)
        if len(letters) > 1 and all(x.get("mathvariant") == "normal" for x in letters):
            row.name, row.string = "mi", row.get_text()


def space_functions(formula):
    """Set a function apart from what follows it without a parenthesis, as TeX does."""
    for sign in formula("mo", string=INVISIBLE):
        following = sign.parent.find_next_sibling()
        if following and not following.get_text().startswith("("):
            sign["rspace"] = "0.17em"


def lower_primes(formula):
    """Put a prime beside its letter: the sign itself stands high enough."""
    for prime in formula("mo", string="′"):
        if prime.parent.name == "msup":
            prime.parent.name = "mrow"
            prime["lspace"] = prime["rspace"] = "0"


def convert(formulas):
    """Return formulas as MathML, None where pandoc cannot read one.

    Args:
        formulas: Pairs of a formula in TeX, and whether it has a line of its own.
    """
    signs = {True: r"\[{}\]", False: r"\({}\)"}
    source = [signs[is_block].format(escape(tex)) for tex, is_block in formulas]
    text = pypandoc.convert_text(
        "".join(f"<p>{formula}</p>" for formula in source),
        "html",
        "html+tex_math_single_backslash",
        extra_args=["--mathml", "--wrap=none"],
    )
    found = [part.math for part in BeautifulSoup(text, "html.parser")("p")]
    for formula in filter(None, found):
        join_letters(formula)
        space_functions(formula)
        lower_primes(formula)
    return [formula and str(formula) for formula in found]


def keep_together(formula):
    """Take the comma after a formula to it: a line must not begin with that."""
    place = formula.parent.index(formula) + 1
    for text in formula.parent[place : place + 1]:
        if isinstance(text, nodes.Text):
            formula["after"] = re.match("[.,;:!?)]*", text)[0]
            rest = text.removeprefix(formula["after"])
            formula.parent[place] = nodes.Text(rest)


def translate(app, doctree, page):
    """Give the formulas of a page their MathML."""
    if app.builder.format != "html":
        return
    kinds = nodes.math, nodes.math_block
    found = [node for node in doctree.findall() if isinstance(node, kinds)]
    pairs = [(node.astext(), isinstance(node, nodes.math_block)) for node in found]
    for node, formula in zip(found, convert(pairs) if pairs else [], strict=True):
        if formula is None:
            logger.warning("pandoc cannot read this formula", location=node)
        node["mathml"] = formula or escape(node.astext())
        if isinstance(node, nodes.math):
            keep_together(node)


def write_formula(translator, node):
    """Write a formula that stands in a line of text."""
    begin = translator.starttag(node, "span", "", CLASS="math notranslate")
    translator.body.append(f"{begin}{node['mathml']}{node.get('after', '')}</span>")
    raise nodes.SkipNode


def write_block(translator, node):
    """Write a formula that has a line of its own, and its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate"))
    if node.get("number"):
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append(node["mathml"] + "</div>\n")
    raise nodes.SkipNode


def characters(site):
    """Return the characters that the formulas of the built pages consist of."""
    found = {"√"}  # a root is an element, not a character
    for file in site.rglob("*.html"):
        for formula in re.findall(
            "<math.*?</math>", file.read_text(encoding="utf-8"), re.S
        ):
            shown = re.sub("<annotation.*?</annotation>|<.*?>", "", formula)
            found.update(unescape(shown))
    italic = map(chr, ITALIC)
    return found.union(x for x in italic if unicodedata.normalize("NFKC", x) in found)


def keep_one_root(font):
    """Take the larger root signs out of a font: Chromium leaves room for the widest.

    So a root of more than one line would be drawn too small; the book has none.
    """
    variants = font["MATH"].table.MathVariants
    place = variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[ord("√")])
    root = variants.VertGlyphConstruction[place]
    root.MathGlyphVariantRecord, root.VariantCount = root.MathGlyphVariantRecord[:1], 1
    root.GlyphAssembly = None


def cut(file, text, **choices):
    """Return a font with nothing but the characters of a text, as a data address."""
    names = [0, 13, 14]  # whose font it is, and its license
    options = subset.Options(flavor="woff", hinting=False, name_IDs=names, **choices)
    with subset.load_font(file, options) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=text)
        subsetter.subset(font)
        if "MATH" in font:
            keep_one_root(font)
        target = io.BytesIO()
        subset.save_font(font, target, options)
    return b64encode(target.getvalue()).decode()


def write_font(app, error):
    """Write the font of the formulas as a style sheet, for the pages and for print."""
    if error or app.builder.format != "html":
        return
    file = distribution("ziamath").locate_file(FONT)
    text = "".join(sorted(characters(Path(app.outdir))))
    style = STYLE.format(cut(str(file), text, layout_features=[]))
    Path(app.outdir, "_static/math.css").write_text(style, encoding="utf-8")


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_block, None))
    app.connect("doctree-resolved", translate)
    app.connect("build-finished", write_font, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
