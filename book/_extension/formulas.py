"""Formulas as MathML, which a browser draws by itself.

Named in _config.yml. pandoc translates the formulas when the book is built, as it does
for the EPUB, so that no page has to load a program that draws them.
"""

import re
from html import escape

import pypandoc
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

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
    """Write a formula that has a line of its own; the book numbers none."""
    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate"))
    translator.body.append(node["mathml"] + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_block, None))
    app.connect("doctree-resolved", translate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
