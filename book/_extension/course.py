"""What this book needs beyond Jupyter Book's settings; each with its reason.

Named in _config.yml, so that it also works with a plain `jupyter-book build .`.
"""

import base64
import hashlib
import os
import re
import shutil
from html import escape
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from publishing import versions
from sphinx.util import logging

logger = logging.getLogger(__name__)

WEIGHTS = "book/_static/draw/weights.bin"  # of the page to draw on
# The link to it that a cell of chapter 10 shows.
DRAWING = re.compile(
    r'<div class="output text_html">\s*<p id="draw">.*?</p>\s*</div>', re.DOTALL
)


def digest(files, *others):
    """Return a short name for the contents of files and for other values."""
    total = hashlib.sha256(repr(others).encode())
    for file in sorted(files):
        if file.is_file() and file.suffix != ".pyc":
            total.update(file.name.encode() + file.read_bytes())
    return total.hexdigest()[:16]


def choose_cache(app, config):
    """Give the results a new cache when something they depend on has changed.

    jupyter-cache looks at the code cells only: it would show the results of
    yesterday's mnist_lib. The digests are also settings of the book ("env", below), so
    that a change makes Sphinx read all pages again.
    """
    root = Path(app.srcdir)
    config.course_results = digest(
        [
            *root.glob("mnist_lib/**/*.py"),
            root / "requirements.txt",
            root / "book/matplotlibrc",
            root / WEIGHTS,
            Path(os.environ.get("MNIST_NPZ", "")),
        ],
        os.environ.get("MNIST_SOURCE"),
        versions(),  # what is installed may differ from requirements.txt
    )
    config.course_look = digest([*root.glob("book/_*/**/*"), root / "_toc.yml"])
    caches = root / "_build/.jupyter_cache"
    cache = caches / config.course_results
    if not cache.is_dir():
        shutil.rmtree(caches, ignore_errors=True)
    config.nb_execution_cache_path = str(cache)


def start_clean(app):
    """Remove the last build's error reports."""
    shutil.rmtree(Path(app.outdir, "reports"), ignore_errors=True)


def embed_drawing(app, pagename, templatename, context, doctree):
    """Put the page to draw on where chapter 10 has a link to it."""
    if DRAWING.search(context.get("body", "")):
        page = app.builder.templates.render("draw.html", context)
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


def ancestors(node):
    """Yield the nodes around a node, from the inside out."""
    while (node := node.parent) is not None:
        yield node


def check_images(app, doctree):
    """Warn where an image has no text for those who cannot see it, or no caption.

    Without alternative text Sphinx puts the file's path there, which no checker of web
    pages notices.
    """
    for image in doctree.findall(nodes.image):
        above = list(ancestors(image))
        cells = [node for node in above if node.get("nb_element") == "cell_code"]
        place = app.env.docname
        if cells:
            place += f", code cell [{cells[0].get('exec_count')}]"
        alt = image.get("alt", "").strip()
        if not alt or alt.endswith((".png", ".svg", ".jpeg")):
            logger.warning("%s: image without alternative text", place)
        figures = [node for node in above if isinstance(node, nodes.figure)]
        if cells and not any(list(node.findall(nodes.caption)) for node in figures):
            logger.warning("%s: figure without a caption", place)


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
    app.add_config_value("course_results", "", "env")
    app.add_config_value("course_look", "", "env")
    app.add_config_value("course_folded", {}, "html")
    app.add_node(HideCodeCellNode, override=True, html=(open_folded, close_folded))
    app.connect("config-inited", choose_cache)
    app.connect("builder-inited", start_clean)
    app.connect("doctree-read", check_images)
    app.connect("autodoc-skip-member", skip_alias)
    app.connect("html-page-context", embed_drawing)
    app.connect("build-finished", write_weights)
    app.connect("build-finished", forget_failure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
