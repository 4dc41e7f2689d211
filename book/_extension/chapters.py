"""The chapters' maps, and a new chapter with its module and its test.

python book/_extension/chapters.py map          # renews the maps, from _toc.yml
python book/_extension/chapters.py new dropout  # begins the chapter on dropout
"""

import json
import keyword
import re
import sys
from pathlib import Path

GAP = "FILL IN"
LAST = "This is the last chapter."
ENTRY = re.compile(r"(?m)^ +- file: book/(\d\d_\w+)\n")
MAP = re.compile(r'(?<=")pixels → [^"\\]*')  # in a notebook's file


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


def write_notebook(path, notebook):
    """Write a notebook as Jupyter does."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def renew_maps(root):
    """Write the line of steps into every chapter; return those that it changed."""
    chapters, changed = list_chapters(root), []
    for name in chapters:
        path = root / f"book/{name}.ipynb"
        old = read(path)
        new = MAP.sub(map_line(chapters, name), old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            changed.append(name)
    return changed


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
    imports = re.findall(r"(?m)^from mnist_lib\.(\S+) import", read(start))
    line = f"from mnist_lib.{stem} import apply_{stem}\n"
    after = min([other for other in imports if other > stem], default=None)
    place = f"from mnist_lib.{after} import" if after else "\n"
    insert(start, place, line, before=bool(after))


def name_chapter(root, stem, name, label, last):
    """Name a chapter wherever chapters are named, after the one that was the last."""
    intro, reference = root / "book/intro.md", root / "book/reference.md"
    row = re.findall(rf"(?m)^\| .*\({last}\.ipynb\).*\n", read(intro))[-1]
    insert(intro, row, f"| [{label}]({name}.ipynb) | {GAP} | {GAP} |\n")
    built = r"(?m)^Built in \[chapter .*\n(?:(?!## ).*\n)*"
    section = f"## {stem}\n\nBuilt in [chapter {int(name[:2])}]({name}.ipynb).\n\n"
    section += f"```{{eval-rst}}\n.. automodule:: mnist_lib.{stem}\n   :members:\n"
    insert(reference, re.findall(built, read(reference))[-1], section + "```\n\n")
    entry = f"- file: book/{last}\n"
    insert(root / "_toc.yml", entry, f"      - file: book/{name}\n")
    export(root / "mnist_lib/__init__.py", stem)


def begin_chapter(root, stem):
    """Make a chapter with its module and its test; return its name."""
    if problem := find_problem(root, stem):
        raise ValueError(problem)
    first, *_, last = list_chapters(root)
    number, title = int(last[:2]) + 1, stem.capitalize().replace("_", " ")
    name, label = f"{number:02}_{stem}", f"{number}. {title}"
    name_chapter(root, stem, name, label, last)

    words = {"NUMBER": str(number), "STEM": stem, "TITLE": title, "FILE": name}
    words["SLUG"] = stem.replace("_", "-")
    for template, file in [
        ("notebook.json", f"book/{name}.ipynb"),
        ("module.txt", f"mnist_lib/{stem}.py"),
        ("test.txt", f"tests/test_{stem}.py"),
    ]:
        text = read(root / "book/_templates/chapter" / template)
        text = re.sub("|".join(words), lambda found: words[found[0]], text)
        Path(root, file).write_text(text, encoding="utf-8")

    paths = [root / f"book/{page}.ipynb" for page in (first, last, name)]
    model, before, new = (json.loads(read(path)) for path in paths)
    new["cells"][2]["source"] = model["cells"][2]["source"]  # Colab's
    lines = before["cells"][-1]["source"]
    end = next(i for i, line in enumerate(lines) if line.startswith(LAST))
    new["cells"][-1]["source"][-1:] = lines[end:]
    lines[end:] = [f"Next: [{label}]({name}.ipynb), {GAP}."]
    write_notebook(paths[1], before)
    write_notebook(paths[2], new)
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
            print(f"Gaps are marked with {GAP}: git grep -n '{GAP}'")
    except ValueError as error:
        sys.exit(str(error))
