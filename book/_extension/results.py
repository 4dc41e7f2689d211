"""Which results of the chapters are still true, and where they are kept.

The results of a chapter depend on its code cells, on mnist_lib, on what is installed,
on the digits, and on the files that it reads. Each state of all that has a folder of
its own: what was run before a change is there again once the change is taken back.
Prose is no part of it, nor are docstrings and comments.

    python book/_extension/results.py  # names the chapters that have to run
"""

import ast
import hashlib
import json
import os
import platform
import re
from functools import cache, partialmethod
from importlib.metadata import version
from pathlib import Path

from jupyter_cache.cache.main import JupyterCacheBase

CACHES = "_build/.jupyter_cache"
PACKAGES = ["TensorFlow", "Keras", "NumPy", "Matplotlib"]
SHOWS_SOURCE = re.compile(r"\binspect\b|\b__doc__\b|\bhelp\(")
HAS_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef


def versions():
    """Return what the chapters run on, each with its version."""
    packages = [f"{name} {version(name.lower())}" for name in PACKAGES]
    return [f"Python {platform.python_version()}", *packages]


def digest(*values):
    """Return a short name for values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def content(path):
    """Return what stands for a file's bytes, or None where there is no such file."""
    return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None


@cache
def surroundings():
    """Return what all chapters depend on: the versions and the digits."""
    given = os.environ.get("MNIST_NPZ")  # a file, or a folder with MNIST's four
    files = [Path(given), *sorted(Path(given).glob("*ubyte*"))] if given else []
    digits = [*map(content, files), os.environ.get("MNIST_SOURCE")]
    return *versions(), version("ipython"), *digits


def without_prose(source):
    """Return code without docstrings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, HAS_DOCSTRING) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


@cache
def library(root):
    """Return the sources of mnist_lib, as they are and without prose."""
    paths = sorted(root.glob("mnist_lib/**/*.py"))
    sources = [path.read_text(encoding="utf-8") for path in paths]
    return sources, [*map(without_prose, sources)]


def find_state(root, notebook):
    """Return the folder for the results of a chapter as it is now."""
    data = json.loads(notebook.read_bytes())
    cells = [c["source"] for c in data["cells"] if c["cell_type"] == "code"]
    code = "\n".join(map("".join, cells))
    sources, plain = library(root)
    files = ["matplotlibrc", *re.findall(r"_static/[\w./-]+", code)]
    files = [content(notebook.parent / file) for file in files]
    used = sources if SHOWS_SOURCE.search(code) else plain
    kernel = data["metadata"].get("kernelspec")
    state = digest(code, kernel, used, files, surroundings())
    return root / CACHES / notebook.stem / state


def page_state(env, page):
    """Return the folder for a page's results, or None if it is no notebook."""
    path = Path(env.doc2path(page))
    return find_state(Path(env.srcdir), path) if path.suffix == ".ipynb" else None


def find_changed(app, env, added, changed, removed):
    """Have the chapters read again whose results are out of date."""
    states = {page: page_state(env, page) for page in env.found_docs}
    return [
        page
        for page, state in states.items()
        if state and env.metadata[page].get("results") != state.name
    ]


def choose_results(app, page, source):
    """Tell myst-nb where a chapter's results are."""
    if state := page_state(app.env, page):
        app.env.metadata[page]["results"] = state.name
        settings = app.env.mystnb_config.copy(execution_cache_path=str(state))
        app.env.mystnb_config = settings


def look_at_code_only():
    """Have jupyter-cache ignore captions, and leave a page its own.

    So they can change, and be in another language, without a new run.
    """
    for name, what in [
        ("create_hashed_notebook", {"cell_metadata": ("tags",)}),
        ("merge_match_into_notebook", {"cell_meta": ()}),
    ]:
        method = getattr(JupyterCacheBase, name)
        setattr(JupyterCacheBase, name, partialmethod(method, **what))


def setup(app):
    """Tell Sphinx when to call the functions above."""
    look_at_code_only()
    app.connect("env-get-outdated", find_changed)
    app.connect("source-read", choose_results)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    ROOT = Path(__file__).parents[2]
    for chapter in sorted(ROOT.glob("book/*.ipynb")):
        # jupyter-cache keeps what ran without an error.
        if not any(find_state(ROOT, chapter).glob("executed/*/base.ipynb")):
            print(chapter.relative_to(ROOT))
