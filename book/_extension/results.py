"""Which results of the chapters are still true, and where they are kept.

The results of a chapter depend on its code cells, on the modules of mnist_lib that
these use, on what is installed, on the digits, and on the files that it reads. Each
state of all that has a folder of its own: what was run before a change is there again
once the change is taken back. Prose is no part of it, nor are docstrings and comments.

    python book/_extension/results.py  # names the chapters that have to run
"""

import ast
import hashlib
import json
import os
import platform
import re
import shutil
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

CACHES = "_build/.jupyter_cache"
KEPT = 5  # states of each chapter
PACKAGES = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "numpy": "NumPy",
    "matplotlib": "Matplotlib",
}
USED = re.compile(
    r"from (?:mnist_lib|\.)[\w.]* import (?:\([^)]*\)|.*)|\bmnist_lib\.[\w.]+"
)
# Another name for it, a program in a string, and a command of IPython.
HIDDEN = re.compile(
    r"(?m)\bmnist_lib as\b|[\"'][^\"'\n]*(?:from|import) mnist_lib|^%.*\bmnist_lib\b"
)
DEFINED = re.compile(r"(?m)^(?:def |class )?(\w+)(?=\(|:| =)")
HAS_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef


class Module(NamedTuple):
    """A module of mnist_lib: its code, and the words that lead to it and out of it."""

    file: str
    text: str
    code: str  # without docstrings and comments
    names: set
    uses: set


def versions():
    """Return what the chapters run on, each with its version."""
    packages = [f"{name} {version(package)}" for package, name in PACKAGES.items()]
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
    digits = content(Path(os.environ.get("MNIST_NPZ", "")))
    return *versions(), version("ipython"), digits, os.environ.get("MNIST_SOURCE")


def used_words(code):
    """Return the words in code that may name parts of mnist_lib, or all if hidden."""
    parts = [*USED.findall(code), *(code for _ in HIDDEN.findall(code)[:1])]
    if re.search(r"-m\W+mnist_lib\b", code):
        parts.append("__main__")
    return {*re.findall(r"\w+", " ".join(parts))}


def read_module(path):
    """Return a module, with the names that are defined at its top level."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, path)
    for node in ast.walk(tree):
        if isinstance(node, HAS_DOCSTRING) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    code = ast.unparse(tree)
    name = path.parent.name if path.stem == "__init__" else path.stem
    names = {name, *DEFINED.findall(code)}
    return Module(path.name, text, code, names, used_words(code))


@cache
def library(root):
    """Return the modules of mnist_lib, and its own code but for imports and names."""
    start = root / "mnist_lib/__init__.py"
    body = ast.parse(read_module(start).code).body if start.exists() else []
    left_out = ast.Import | ast.ImportFrom | ast.Assign
    code = [ast.unparse(part) for part in body if not isinstance(part, left_out)]
    paths = sorted({*root.glob("mnist_lib/**/*.py")} - {start})
    return [read_module(path) for path in paths], code


def find_state(root, notebook):
    """Return the folder for the results of a chapter as it is now."""
    data = json.loads(notebook.read_bytes())
    cells = [cell for cell in data["cells"] if cell["cell_type"] == "code"]
    # Colab's cell only names mnist_lib: it has to be installed.
    own = [c for c in cells if "bootstrap" not in c["metadata"].get("tags", [])]
    cells, own = (["".join(cell["source"]) for cell in some] for some in (cells, own))
    code = "\n".join(cells)
    modules, start = library(root)
    words, used = set().union(*map(used_words, own)), []
    while found := [one for one in modules if one not in used and one.names & words]:
        used += found
        words = set().union(*(module.uses for module in found))
    shown = re.search(r"\binspect\b|\b__doc__\b|\bhelp\(", code)
    sources = sorted((one.file, one.text if shown else one.code) for one in used)
    files = ["matplotlibrc", *re.findall(r"_static/[\w./-]+", code)]
    files = [content(notebook.parent / file) for file in files]
    kernel = data["metadata"].get("kernelspec")
    state = digest(cells, kernel, sources, start, files, surroundings())
    return root / CACHES / notebook.stem / state


def has_results(folder):
    """Tell whether jupyter-cache has put a notebook that ran without error there."""
    return any(folder.glob("executed/*/base.ipynb"))


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
    """Tell myst-nb where a chapter's results are, and remove the oldest."""
    if state := page_state(app.env, page):
        state.mkdir(parents=True, exist_ok=True)
        os.utime(state)
        states = sorted(state.parent.iterdir(), key=os.path.getmtime)
        for old in states[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        app.env.metadata[page]["results"] = state.name
        settings = app.env.mystnb_config.copy(execution_cache_path=str(state))
        app.env.mystnb_config = settings


if __name__ == "__main__":
    ROOT = Path(__file__).parents[2]
    for chapter in sorted(ROOT.glob("book/[0-9]*.ipynb")):
        if not has_results(find_state(ROOT, chapter)):
            print(chapter.relative_to(ROOT))
