"""The chapters' maps, and the files of a new chapter.

python book/_extension/chapters.py map          # renews the maps, from _toc.yml
python book/_extension/chapters.py new dropout  # begins the chapter on dropout
"""

import keyword
import re
import sys
from pathlib import Path

GAP = "FILL IN"
LAST = "This is the last chapter."
ENTRY = re.compile(r"(?m)^ +- file: book/(\d\d_\w+)\n")
MAP = re.compile(r'(?<=")pixels → [^"\\]*')  # in a notebook's file
TEMPLATES = {
    "book/FILE.ipynb": "notebook.json",
    "mnist_lib/STEM.py": "module.txt",
    "tests/test_STEM.py": "test.txt",
}


def read(path):
    """Return a file's text."""
    return path.read_text(encoding="utf-8")


def list_chapters(root):
    """Return the chapters' names, as in 01_tensors, in the order of _toc.yml."""
    return ENTRY.findall(read(root / "_toc.yml"))


def map_line(chapters, here):
    """Return the course's steps in one line, with the present one in bold."""
    names = {name: name[3:].replace("_", " ") for name in chapters}
    names[here] = f"**{names[here]}**"
    return " → ".join(["pixels", *names.values()])


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


def begin_chapter(root, stem):
    """Make a chapter with its module and its test, from templates; return the files."""
    name = re.fullmatch(r"[a-z]+(_[a-z]+)*", stem) and len(stem) <= 25
    if not name or keyword.iskeyword(stem):
        raise ValueError(f"NAME must be letters, as in dense_layers, got {stem!r}")
    number, title = len(list_chapters(root)) + 1, stem.capitalize().replace("_", " ")
    words = {"NUMBER": str(number), "STEM": stem, "TITLE": title}
    words |= {"FILE": f"{number:02}_{stem}", "SLUG": stem.replace("_", "-")}

    def fill(text):
        return re.sub("|".join(words), lambda found: words[found[0]], text)

    files = {root / fill(file): template for file, template in TEMPLATES.items()}
    for path in [*files, root / f"mnist_lib/{stem}"]:
        if path.exists():
            raise ValueError(f"NAME={stem} is taken: there is {path.relative_to(root)}")
    for path, template in files.items():
        text = fill(read(root / "book/_templates/chapter" / template))
        path.write_text(text, encoding="utf-8")
    return [str(path.relative_to(root)) for path in files]


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    try:
        if task == "map":
            print("Changed:", *renew_maps(Path.cwd()) or ["nothing"])
        else:
            print("Made", *begin_chapter(Path.cwd(), *arguments))
            print(f"Gaps are marked with {GAP}: git grep -n '{GAP}'")
    except ValueError as error:
        sys.exit(str(error))
