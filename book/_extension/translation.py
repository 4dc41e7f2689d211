"""The Korean pages, kept in step with the English ones.

A Korean notebook has the cells of the English one: the code as it is, the prose in
Korean. What is translated names the digest of the English text that it translates, in a
cell's metadata or, on Markdown pages, in a comment before each block. A digest that no
longer fits says that the English has changed since: the translation is stale.

    python book/_extension/translation.py              # follow, and list what is left
    python book/_extension/translation.py PAGE ...     # what is Korean there is done
    python book/_extension/translation.py PAGE#CELL    # this cell is done, as it is
    python book/_extension/translation.py stage        # lay out the Korean book

A cell is named by its id, a block of a Markdown page by its number, from 1.

The docstrings that the reference shows are translated in reference.po, the catalog from
which Sphinx takes them.
"""

import copy
import datetime
import hashlib
import json
import re
import shutil
import subprocess
import sys
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = "_config.yml", "_toc.yml"
CATALOG = ROOT / "book/ko/reference.po"
MISSING = "missing"
HANGUL = re.compile("[가-힣]")
# The texts of a code cell, in its metadata.
TEXTS = ["image.alt", "figure.caption", "code_prompt_show", "code_prompt_hide"]
# Blocks of a Markdown page begin at headings and at the terms of the glossary.
TERM = r"(?=[^\s:].*\n(?:\S.*\n)*    )"
BLOCK = re.compile(rf"(?m)^#+ |(?<=\n\n){TERM}|(?<=\{{glossary\}}\n){TERM}")
FENCED = re.compile(r"(?ms)^```.*?^```$")
# Finds the texts of docstrings; in Korean, Sphinx translates its own headings itself.
EXTRACT = """-m sphinx -C -q -W -b gettext -D language=ko -D gettext_location=0
    -D extensions=sphinx.ext.autodoc,sphinx.ext.napoleon -D napoleon_use_ivar=1
    -D autodoc_member_order=bysource""".split()
NOTE = re.compile(r"(?m)^(?:%|\.\.) translation: (\w+)(?: until ([\d-]+))?\n")


def digest(text):
    """Return what stands for an English text in its translation."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def find(metadata, text):
    """Return the place of a text in a code cell's metadata: what holds it, its key."""
    *rooms, name = text.split(".")
    place = metadata.get("mystnb", {})
    for room in rooms:
        place = place.get(room, {})
    return place, name


def read_texts(cell):
    """Return what there is to translate in a cell: its prose, or texts of its code."""
    if "badge" in cell["metadata"].get("tags", []):
        return ""
    if cell["cell_type"] == "markdown":
        return "".join(cell["source"])
    places = [find(cell["metadata"], text) for text in TEXTS]
    return "\n".join(place[name] for place, name in places if name in place)


def translate_cell(cell, old):
    """Return an English cell with what its translation has of it."""
    new = copy.deepcopy(cell)
    if "badge" in cell["metadata"].get("tags", []):
        new["source"] = [re.sub("(/blob/[^/]+/book/)", r"\1ko/", *cell["source"])]
    if not read_texts(cell):
        return new
    notes = {"translation": MISSING} | (old or new)["metadata"]
    if old and (notes["translation"] != MISSING or HANGUL.search(read_texts(old))):
        if cell["cell_type"] == "markdown":
            new["source"] = old["source"]
        for text in TEXTS:
            (place, name), (before, _) = (find(c["metadata"], text) for c in (new, old))
            if name in place and name in before:
                place[name] = before[name]
    kept = ("translation", "stale_until")
    new["metadata"] |= {name: notes[name] for name in kept if name in notes}
    return new


class Notebook:
    """A Korean notebook beside the English one."""

    def __init__(self, english, korean):
        """Read both; what the Korean one lacks is taken from the English one."""
        self.english = json.loads(english)["cells"]
        self.korean = json.loads(korean or english)
        before = {cell["id"]: cell for cell in self.korean["cells"] if korean}
        cells = [translate_cell(cell, before.get(cell["id"])) for cell in self.english]
        self.korean["cells"] = cells

    def list_cells(self):
        """Return the cells with texts: name, English, Korean, digest, end of grace."""
        for cell, new in zip(self.english, self.korean["cells"], strict=True):
            if english := read_texts(cell):
                notes = new["metadata"]
                until = notes.get("stale_until", "")
                yield new["id"], english, read_texts(new), notes["translation"], until

    def mark(self, name, value):
        """Write the digest of the English into a cell."""
        for cell in self.korean["cells"]:
            if cell["id"] == name:
                cell["metadata"]["translation"] = value
                cell["metadata"].pop("stale_until", None)

    def __str__(self):
        """Return the file's text."""
        return json.dumps(self.korean, indent=1, ensure_ascii=False) + "\n"


def split(text):
    """Return the blocks of an English page."""
    fenced = {n for code in FENCED.finditer(text) for n in range(*code.span())}
    starts = [found.start() for found in BLOCK.finditer(text)]
    starts = [0, *(n for n in starts if n and n not in fenced)]
    return [text[i:j].strip() for i, j in zip(starts, [*starts[1:], None], strict=True)]


class Markdown:
    """A Korean Markdown page beside the English one.

    Its blocks follow the English ones by their digests: what stands between two that
    still fit is paired in order.
    """

    def __init__(self, english, korean):
        """Read both; what the Korean one lacks is taken from the English one."""
        self.english = split(english)
        _, *parts = NOTE.split(korean)
        parts = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        old = [(value, until or "", text.strip()) for value, until, text in parts]
        old = [block for block in old if block[0] != MISSING or HANGUL.search(block[2])]
        before, after = [block[0] for block in old], [*map(digest, self.english)]
        self.korean = []
        for _, i, j, k, n in SequenceMatcher(None, before, after, False).get_opcodes():
            for block, text in zip_longest(old[i:j], self.english[k:n]):
                if text is not None:
                    self.korean.append(block or (MISSING, "", text))

    def list_cells(self):
        """Return the blocks: number, English, Korean, digest, end of grace."""
        pairs = zip(self.english, self.korean, strict=True)
        for number, (english, (value, until, text)) in enumerate(pairs, 1):
            yield str(number), english, text, value, until

    def mark(self, name, value):
        """Write the digest of the English before a block."""
        self.korean[int(name) - 1] = value, "", self.korean[int(name) - 1][2]

    def __str__(self):
        """Return the file's text."""
        text = ""
        for value, until, block in self.korean:
            sign = "%" if block.startswith("#") else ".."  # in a glossary
            note = f"{sign} translation: {value}{f' until {until}' if until else ''}"
            text += f"{note}\n{block}\n\n"
        return text.strip() + "\n"


def list_pages(root=ROOT):
    """Return the names of the book's pages, such as 01_tensors.ipynb."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    entries = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    stems = [Path(name).name for name in [toc["root"], *entries]]
    return [path.name for stem in stems for path in root.glob(f"book/{stem}.*")]


def read_page(name, root=ROOT):
    """Return a Korean page as it follows the English one."""
    english, korean = root / "book" / name, root / "book/ko" / name
    before = korean.read_text("utf-8") if korean.is_file() else ""
    kind = Notebook if english.suffix == ".ipynb" else Markdown
    return kind(english.read_text("utf-8"), before)


def list_gaps(page):
    """Return what is missing or stale on a page, by cell, unless that is allowed."""
    today, gaps = datetime.date.today().isoformat(), {}
    for name, english, _, value, until in page.list_cells():
        if value == MISSING:
            gaps[name] = MISSING
        elif value != digest(english) and until < today:
            gaps[name] = "stale"
    return gaps


def mark_done(page, only):
    """Say that a page's cells translate the English as it is now.

    Without a name, that is all that are in Korean.
    """
    for name, english, korean, *_ in page.list_cells():
        if name == only or not only and HANGUL.search(korean):
            page.mark(name, digest(english))


def read_docstrings():
    """Return the catalog that Sphinx makes of the reference's docstrings."""
    page = (ROOT / "book/reference.md").read_text("utf-8")
    directives = re.findall(r"(?ms)^```\{eval-rst\}\n(.*?)^```$", page)
    with TemporaryDirectory() as folder:
        Path(folder, "index.rst").write_text("\n".join(directives), "utf-8")
        subprocess.run([sys.executable, *EXTRACT, folder, f"{folder}/out"], check=True)
        catalog = read_po(Path(folder, "out/index.pot").open("rb"))
    for message in [*catalog]:
        if re.match("Alias for|[가-힣]", message.id):  # not shown, or Sphinx's own
            catalog.delete(message.id)
    return catalog


def follow_docstrings():
    """Let the catalog follow the docstrings, and list what is left."""
    catalog = read_po(CATALOG.open("rb"), "ko")
    catalog.update(read_docstrings(), update_creation_date=False)
    with CATALOG.open("wb") as file:
        write_po(file, catalog, 88, ignore_obsolete=True, include_previous=True)
    for message in catalog:
        if message.id and (message.fuzzy or not message.string):
            print(f"{CATALOG.relative_to(ROOT)}: {message.id}")


def main(*done):
    """Let all pages follow the English ones, mark what is done, list what is left."""
    done = [place.partition("#")[::2] for place in done]
    for name in list_pages():
        path, page = ROOT / "book/ko" / name, read_page(name)
        for place, cell in done:
            if Path(place).name == name:
                mark_done(page, cell)
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(page), "utf-8")
        for cell, gap in list_gaps(page).items():
            print(f"book/ko/{name}#{cell}: {gap}")
    follow_docstrings()


def translate(value, words):
    """Return settings with all texts that have a translation translated."""
    if isinstance(value, dict):
        return {key: translate(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [translate(each, words) for each in value]
    return words.get(value, value) if isinstance(value, str) else value


def stage():
    """Lay out a book of the Korean pages, under the names of the English ones."""
    target, pages = ROOT / "_build/ko", sorted(ROOT.glob("book/ko/*.[im]*"))
    if not pages:
        sys.exit("There are no Korean pages: `make translation` begins them.")
    shutil.rmtree(target / "book", ignore_errors=True)
    shared = [*ROOT.glob("book/_*"), ROOT / "book/matplotlibrc"]
    links = {f"book/{path.name}": path for path in [*pages, *shared]}
    links |= {name: ROOT / name for name in ["mnist_lib", "_build/.jupyter_cache"]}
    links["locales/ko/LC_MESSAGES/book/reference.po"] = CATALOG  # where Sphinx looks
    for name, path in links.items():
        link = target / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    words = json.loads((ROOT / "book/ko/words.json").read_text("utf-8"))
    config, toc = (
        yaml.safe_load((ROOT / name).read_text("utf-8")) for name in SETTINGS
    )
    address = config["html"]["baseurl"]
    config = translate(config, words | {address: f"{address}ko/"})
    config["sphinx"]["config"] |= {"language": "ko", "course_words": words}
    for name, settings in zip(SETTINGS, [config, translate(toc, words)], strict=True):
        text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)
        if not (target / name).is_file() or (target / name).read_text("utf-8") != text:
            (target / name).write_text(text, "utf-8")


if __name__ == "__main__":
    stage() if sys.argv[1:] == ["stage"] else main(*sys.argv[1:])
