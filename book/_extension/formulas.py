"""Formulas as MathML, which a browser draws and a screen reader speaks by itself.

Named in _config.yml. pandoc translates the formulas when the book is built, as it does
for the EPUB, so that no page has to load a program that draws them.
"""

import re
from html import escape

import pypandoc
from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

# A function before what is no parenthesis, as in ln x, where TeX leaves a space.
APPLIED = re.compile(
    r"(?<!<msub>)<mrow>(<mi[^>]*>\w+</mi>)<mo>(&#8289;)(?=</mo></mrow><m[^o])"
)
SPACED = r'<mrow>\1<mo rspace="0.17em">\2'


def convert(formulas):
    """Return formulas as MathML, or otherwise where pandoc cannot read one.

    Args:
        formulas: Pairs of a formula in TeX, and whether it has a line of its own.
    """
    signs = {True: r"<p>\[{}\]</p>", False: r"<p>\({}\)</p>"}
    source = [signs[is_block].format(escape(tex)) for tex, is_block in formulas]
    text = pypandoc.convert_text(
        "".join(source),
        "html",
        "html+tex_math_single_backslash",
        extra_args=["--mathml", "--wrap=none"],
    )
    return re.findall("(?s)<p>(.*?)</p>", APPLIED.sub(SPACED, text))


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
        if not formula.startswith("<math"):
            logger.warning("pandoc cannot read this formula", location=node)
        node["mathml"] = formula
        if isinstance(node, nodes.math):
            keep_together(node)


def write_formula(translator, node):
    """Write a formula, in a line of text or, unnumbered, in a line of its own."""
    tag = "span" if isinstance(node, nodes.math) else "div"
    begin = translator.starttag(node, tag, "", CLASS="math notranslate")
    translator.body.append(f"{begin}{node['mathml']}{node.get('after', '')}</{tag}>")
    raise nodes.SkipNode


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("doctree-resolved", translate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
