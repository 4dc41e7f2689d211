"""The chapters' maps, and a new chapter with its module and its test.

python book/_extension/chapters.py map          # renews the maps, from _toc.yml
python book/_extension/chapters.py new dropout  # begins the chapter on dropout
"""

import json
import keyword
import re
import sys
from functools import partial
from pathlib import Path

GAP = "FILL IN"
LAST = "This is the last chapter."
ENTRY = re.compile(r"(?m)^ +- file: book/(\d\d_\w+)\n")
MAP = re.compile(r"(?m)^pixels → .*$")

MODULE = f'''"""Chapter NUMBER. {GAP} what this module is about."""

import numpy as np

__all__ = ["apply_STEM"]


def apply_STEM(values: np.ndarray) -> np.ndarray:
    """{GAP} what it does, and its formula.

    Args:
        values: Numbers, in any shape.

    Returns:
        As many numbers, float32.
    """
    return 2 * np.asarray(values, dtype="float32")
'''
TEST = f'''"""{GAP} what is tested: a value worked by hand, a law, every error."""

import numpy as np
import pytest

from mnist_lib import apply_STEM


def test_result_is_that_of_the_arithmetic_by_hand():
    result = apply_STEM([[-1, 0.5]])
    assert result.dtype == "float32"
    np.testing.assert_array_equal(result, [[-2, 1]])


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="could not convert"):
        apply_STEM("seven")
'''


def read(path):
    """Return a file's text."""
    return path.read_text(encoding="utf-8")


def insert(path, place, text, before=False):
    """Put text behind the last place of its kind in a file, or before it."""
    old = read(path)
    if place not in old:
        raise ValueError(f"{path.name} has nothing like {place!r} to go on from")
    start, _, end = old.rpartition(place)
    new = text + place if before else place + text
    path.write_text(start + new + end, encoding="utf-8")


def list_chapters(root):
    """Return the chapters' names, as in 01_tensors, in the order of _toc.yml."""
    return ENTRY.findall(read(root / "_toc.yml"))


def map_line(chapters, here):
    """Return the course's steps in one line, with the present one in bold."""
    names = {name: name[3:].replace("_", " ") for name in chapters}
    names[here] = f"**{names[here]}**"
    return " → ".join(["pixels", *names.values()])


def change_prose(root, chapter, change):
    """Change the text of a chapter's cells; say whether that made a difference."""
    path = root / f"book/{chapter}.ipynb"
    notebook = json.loads(read(path))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = change("".join(cell["source"]))
            cell["source"] = text.splitlines(keepends=True)
    before = read(path)
    write_notebook(path, notebook)
    return read(path) != before


def write_notebook(path, notebook):
    """Write a notebook as Jupyter does."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def renew_maps(root):
    """Write the line of steps into every chapter; return those that it changed."""
    chapters = list_chapters(root)
    lines = {name: partial(MAP.sub, map_line(chapters, name)) for name in chapters}
    return [name for name, renew in lines.items() if change_prose(root, name, renew)]


def make_cell(number, block, fixed):
    """Return the cell that a block of the template describes."""
    head, _, source = block.partition("\n")
    head, _, figure = head.partition(" figure: ")
    tags, metadata = head.split(), {}
    is_code = "code" in tags
    tags = [tag for tag in tags if tag != "code"]
    if figure:
        name, alt, caption = figure.split(" | ")
        named = {"caption": caption, "name": name.replace("_", "-")}
        metadata["mystnb"] = {"image": {"alt": alt}, "figure": named}
    if "check" in tags:
        metadata["mystnb"] = {"code_prompt_show": "The check"}
    if "solution" in tags:
        metadata["cellView"] = "form"
    if tags:
        metadata["tags"] = tags
    source = fixed.get(tags[0] if tags else "", source.rstrip("\n"))
    cell = {"cell_type": "code" if is_code else "markdown", "id": f"cell-{number}"}
    cell |= {"metadata": metadata, "source": source.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if is_code else {})


def find_problem(root, stem):
    """Say why a name cannot be a chapter's, or nothing if it can."""
    words = re.fullmatch(r"[a-z]+(_[a-z]+)*", stem) and len(stem) <= 25
    if not words or keyword.iskeyword(stem):
        return f"NAME must be a few small letters, as in dense_layers, got {stem!r}"
    places = [f"mnist_lib/{stem}.py", f"mnist_lib/{stem}", f"tests/test_{stem}.py"]
    taken = [place for place in places if Path(root, place).exists()]
    return f"NAME={stem} is taken: there is {taken[0]}" if taken else ""


def export(start, stem):
    """Have the package offer the new module's name."""
    text, name = read(start), f"apply_{stem}"
    imports = re.findall(r"(?m)^from mnist_lib\.(\w+) import", text)
    after = min(other for other in [*imports, "~"] if other > stem)
    place = "\n__all__ =" if after == "~" else f"from mnist_lib.{after} import"
    insert(start, place, f"from mnist_lib.{stem} import {name}\n", before=True)
    public = re.findall(r'(?m)^    "(\w+)",\n', text)
    above = max(other for other in public if other < name)
    insert(start, f'    "{above}",\n', f'    "{name}",\n')


def begin_chapter(root, stem):
    """Make a chapter with its module and test, and name it wherever chapters are."""
    if problem := find_problem(root, stem):
        raise ValueError(problem)
    first, *_, last = list_chapters(root)
    number, title = int(last[:2]) + 1, stem.capitalize().replace("_", " ")
    name, label = f"{number:02}_{stem}", f"{number}. {title}"

    intro, reference = root / "book/intro.md", root / "book/reference.md"
    row = re.findall(rf"(?m)^\| .*\({last}\.ipynb\).*\n", read(intro))[-1]
    insert(intro, row, f"| [{label}]({name}.ipynb) | {GAP} | {GAP} |\n")
    built = r"(?m)^Built in \[chapter .*\n(?:(?!## ).*\n)*"
    section = f"## {stem}\n\nBuilt in [chapter {number}]({name}.ipynb).\n\n"
    section += (
        f"```{{eval-rst}}\n.. automodule:: mnist_lib.{stem}\n   :members:\n```\n\n"
    )
    insert(reference, re.findall(built, read(reference))[-1], section)
    entry = f"- file: book/{last}\n"
    insert(root / "_toc.yml", entry, f"      - file: book/{name}\n")
    export(root / "mnist_lib/__init__.py", stem)

    ends = []  # of the chapter that was the last one

    def go_on(text):
        before, found, _ = text.partition(LAST)
        ends.extend([text[len(before) :]] * bool(found))
        return before + f"Next: [{label}]({name}.ipynb), {GAP}." if found else text

    change_prose(root, last, go_on)
    words = {"NUMBER": str(number), "STEM": stem, "TITLE": title, "MAP": "pixels → "}
    words["END"] = "".join(ends) or LAST
    pattern = re.compile("|".join(words))
    fill = partial(pattern.sub, lambda found: words[found[0]])
    notebook = json.loads(read(root / f"book/{first}.ipynb"))
    badge, _, bootstrap = ("".join(cell["source"]) for cell in notebook["cells"][:3])
    fixed = {"badge": badge.replace(f"{first}.ipynb", f"{name}.ipynb")}
    fixed["bootstrap"] = bootstrap
    template = fill(read(root / "book/_templates/chapter.txt"))
    blocks = enumerate(template.removeprefix("%%").split("\n%%"), 1)
    notebook["cells"] = [make_cell(*block, fixed) for block in blocks]
    write_notebook(root / f"book/{name}.ipynb", notebook)
    for file, text in {f"mnist_lib/{stem}": MODULE, f"tests/test_{stem}": TEST}.items():
        Path(root, f"{file}.py").write_text(fill(text), encoding="utf-8")
    renew_maps(root)
    return name


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    try:
        if task == "map":
            changed = renew_maps(Path.cwd())
            print("Changed:", *changed or ["nothing"])
        else:
            chapter = begin_chapter(Path.cwd(), *arguments)
            print(f"Made book/{chapter}.ipynb, its module and its test.")
            print(f"Gaps are marked with {GAP}; `make book` names those that are left.")
    except ValueError as error:
        sys.exit(str(error))
