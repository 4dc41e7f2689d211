"""What this book needs beyond Jupyter Book's settings; each with its reason.

Named in _config.yml, so that it also works with a plain `jupyter-book build .`.
"""

import base64
import os
import re
import shutil
from html import escape
from logging import getLogger
from pathlib import Path

import chapters
import results
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, NbMetadataCollector
from sphinx.util import console, logging

logger = logging.getLogger(__name__)

WEIGHTS = "book/_static/draw/weights.safetensors"  # of the page to draw on
LONGEST = 40  # lines of output
COLORS = re.compile(r"\x1b\[[\d;]*m")  # as terminals show them
# The link to it that a cell of chapter 10 shows.
DRAWING = re.compile(
    r'<div class="output text_html">\s*<p id="draw">.*?</p>\s*</div>', re.DOTALL
)


def choose_look(app, config):
    """Have all pages read again when something changed that shows on all of them.

    Digests are settings of the book ("env", below), which Sphinx compares with those of
    the last build. What a chapter's own results depend on: results.py.
    """
    root = Path(app.srcdir)
    files = sorted([*root.glob("book/_*/**/*.*"), root / "_toc.yml"])
    files = [file for file in files if file.suffix != ".pyc"]
    contents = [(file.name, results.content(file)) for file in files]
    config.course_look = results.digest(contents, results.surroundings())


def start_clean(app):
    """Remove the last build's error reports."""
    shutil.rmtree(Path(app.outdir, "reports"), ignore_errors=True)


def embed_drawing(app, pagename, templatename, context, doctree):
    """Put the page to draw on where chapter 10 has a link to it."""
    if DRAWING.search(context.get("body", "")):
        files = sorted(Path(app.srcdir, WEIGHTS).parent.iterdir())
        version = results.digest(*map(results.content, files))
        page = app.builder.templates.render("draw.html", context | {"drawn": version})
        context["body"] = DRAWING.sub(lambda link: page, context["body"])


def write_weights(app, error):
    """Write the weights as a script: from the disk, a page may load nothing else."""
    folder = Path(app.outdir, "_static/draw")
    if not error and folder.is_dir():
        text = base64.b64encode(Path(app.srcdir, WEIGHTS).read_bytes()).decode()
        Path(folder, "weights.js").write_text(f'var WEIGHTS = "{text}";\n')


def forget_failure(app, error):
    """Let a build with warnings be read afresh, so that it is red again next time.

    Sphinx reads only pages that changed since the last build: a chapter that failed
    would not be read, hence not fail, the second time.
    """
    if app._warncount:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


def check_images(app, doctree):
    """Warn where an image has no text for those who cannot see it, or no caption.

    Without alternative text Sphinx puts the file's path there, which no checker of web
    pages notices.
    """
    for image in doctree.findall(nodes.image):
        around, node = [], image
        while (node := node.parent) is not None:
            around.append(node)
        cells = [node for node in around if node.get("nb_element") == "cell_code"]
        place = (cells or [image])[0]
        alt = image.get("alt", "").strip()
        if not alt or alt.endswith((".png", ".svg", ".jpeg")):
            logger.warning("image without alternative text", location=place)
        figures = [node for node in around if isinstance(node, nodes.figure)]
        if cells and not any([*node.findall(nodes.caption)] for node in figures):
            logger.warning("figure without a caption", location=place)


def check_outputs(app, doctree):
    """Warn where a cell prints more than anyone reads; say what a cell failed with."""
    page = app.env.docname
    run = NbMetadataCollector.get_exec_data(app.env, page) or {}
    error, place = run.get("traceback"), page
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code_output":
            texts = [*cell.findall(nodes.literal_block)]
            lines = sum(len(text.astext().splitlines()) for text in texts)
            if any("traceback" in text["classes"] for text in texts):
                place = cell
            elif lines > LONGEST:
                words = "the output has %d lines, over %d"
                logger.warning(words, lines, LONGEST, location=cell)
    if error:
        said = COLORS.sub("", error)
        said = (
            said.partition("\nnbclient.exceptions.")[2] or said
        )  # else where Jupyter was
        Path(app.outdir, "reports", f"{page}.err.log").write_text(
            said, encoding="utf-8"
        )
        logger.warning("the cell failed: %s", said, location=place)


def check_gaps(app, doctree):
    """Warn where a chapter that was begun with `make chapter` is not finished."""
    for text in doctree.findall(nodes.Text):
        if chapters.GAP in text:
            logger.warning("a gap is left: %.50s …", text, location=text.parent)


def name_cell(record):
    """Say in a warning which cell it is about; myst-nb counts 10,000 lines to each."""
    found = re.fullmatch(r"(.*\.ipynb):(\d+)", getattr(record, "location", None) or "")
    if found and int(found[2]) >= 10_000:
        record.location = f"{os.path.relpath(found[1])}, cell {int(found[2]) // 10_000}"
    return True


def open_folded(translator, node):
    """Write a folded cell's opening: myst-nb's names it one thing and shows another."""
    labels = translator.config.course_folded
    prompt = node["prompt_show"].removesuffix("s")  # "outputs" where there is no input
    kind = "folded solution" if prompt == "content" else "folded"
    label = escape(labels.get(prompt, node["prompt_show"]))
    translator.body.append(f'<details class="{kind}"><summary>{label}</summary>\n')


def close_folded(translator, node):
    """Write a folded cell's end."""
    translator.body.append("</details>\n")


def skip_alias(app, what, name, member, skip, options):
    """Leave out of the reference what Python itself says of a named tuple's fields."""
    return str(getattr(member, "__doc__", "")).startswith("Alias for field") or skip


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.add_config_value("course_look", "", "env")
    app.add_config_value("course_folded", {}, "html")
    app.add_node(HideCodeCellNode, override=True, html=(open_folded, close_folded))
    for handler in getLogger("sphinx").handlers:
        handler.addFilter(name_cell)
    if not console.color_terminal():
        console.nocolor()
    app.connect("config-inited", choose_look)
    app.connect("env-get-outdated", results.find_changed)
    app.connect("source-read", results.choose_results)
    app.connect("builder-inited", start_clean)
    app.connect("doctree-read", check_images)
    app.connect("doctree-read", check_outputs)
    app.connect("doctree-read", check_gaps)
    app.connect("autodoc-skip-member", skip_alias)
    app.connect("html-page-context", embed_drawing)
    app.connect("build-finished", write_weights)
    app.connect("build-finished", forget_failure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
