"""The conventions of the book: what holds for every chapter, module and file.

Each check returns a list of problems in words, which should be empty.
"""

import ast
import copy
import difflib
import functools
import json
import re
import statistics
import subprocess

import pytest
import yaml
from chapters import GAP, LAST, map_line
from conftest import PAGES, ROOT

BRANCH = yaml.safe_load((ROOT / "_config.yml").read_bytes())["repository"]["branch"]
CHAPTERS = [page[5:] for page in PAGES if re.fullmatch(r"book/\d\d_\w+", page)]
STEMS = [name[3:] for name in CHAPTERS]
NOTEBOOKS = sorted(path.stem for path in ROOT.glob("book/*.ipynb"))
LIBRARY = ROOT / "mnist_lib"
MODULES = {
    ".".join(path.relative_to(LIBRARY).with_suffix("").parts): path
    for path in sorted(LIBRARY.rglob("*.py"))
}

# What chapter 1 uses without building it.
READY_MADE = {"load_mnist", "describe_digits", "StandInWarning"}

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
HTML = {"details", "summary", "br", "sub", "sup", "img"}
PROMPT = re.compile(r"(?m)^\*\*(Predict|Question (\d)):\*\*(?:.+\n?)+")
FOLD = re.compile(r"(?s)<details>\n<summary>(.*?)</summary>\n(.*?)\n</details>")
ITEM = re.compile(r"(?m)^\d+\. (\*\*)?")
LEVEL = re.compile("(●○○ easy|●●○ medium|●●● hard) · [0-9]+ minutes")
STEPS = ["exercise", "check", "solution"]  # the tags of an exercise's cells
FOLDED = {"hide-input", "hide-cell", "remove-cell"}  # code that few unfold
DRAWING = {"subplots", "figure", "plot", "imshow", "hist", "bar"}
DRAWING_MODULES = ["notebook.figures", "notebook.plots"]
DEFINITION = ast.FunctionDef | ast.ClassDef
IMPORT = ast.Import | ast.ImportFrom


class Cell:
    def __init__(self, place, content):
        self.place, self.content = place, content
        self.source, self.metadata = "".join(content["source"]), content["metadata"]
        self.is_code = content["cell_type"] == "code"
        self.tags = set(self.metadata.get("tags", []))
        self.tree = parsed(self.source if self.is_code else "")
        texts = self.metadata.get("mystnb", {})
        image, figure = texts.get("image", {}), texts.get("figure", {})
        self.alt, self.caption = image.get("alt", ""), figure.get("caption", "")
        self.figure_name = figure.get("name", "")

    def __str__(self):
        return f"{self.place} ({self.source.partition(chr(10))[0]!r})"


class Notebook:
    def __init__(self, name, notebook):
        self.name, self.stem = name, name[3:]  # of a chapter
        self.notebook, numbered = notebook, enumerate(notebook["cells"], 1)
        # The first cell is for readers outside of the book only.
        self.badge, *self.cells = [
            Cell(f"{name}, cell {i}", content) for i, content in numbered
        ]
        self.code = [cell for cell in self.cells if cell.is_code]
        self.prose = [cell for cell in self.cells if not cell.is_code]

    def __str__(self):
        return self.name


@functools.cache
def read_notebook(name):
    return Notebook(name, json.loads((ROOT / f"book/{name}.ipynb").read_bytes()))


@functools.cache
def module_source(stem):
    return MODULES[stem].read_text(encoding="utf-8")


@functools.cache
def parsed(source):
    return ast.parse(source)


def listed(check):
    """Turn (place, what should hold, what is wrong if not) into a list of problems."""

    @functools.wraps(check)
    def problems(*arguments):
        return [
            f"{place}: {text}" for place, holds, text in check(*arguments) if not holds
        ]

    return problems


def nodes(tree, kind):
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


def called(*trees):
    """Return names of functions: both ``f()`` and ``module.f()`` give f."""
    functions = [node.func for tree in trees for node in nodes(tree, ast.Call)]
    return {getattr(f, "attr", getattr(f, "id", "")) for f in functions}


def outside_definitions(tree):
    return [part for part in tree.body if not isinstance(part, DEFINITION)]


def definitions(*trees):
    """Return functions and classes by name; the last one of a name counts.

    A chapter may write a long class in parts: ``class A(A)`` goes on with A.
    """
    found = {}
    for part in [part for tree in trees for part in tree.body]:
        if isinstance(part, ast.ClassDef) and part.name in found:
            before = found[part.name]
            if [ast.unparse(base) for base in part.bases] == [part.name]:
                part = copy.copy(part)
                part.bases, part.decorator_list = before.bases, before.decorator_list
                part.body = before.body + part.body
        if isinstance(part, DEFINITION):
            found[part.name] = part
    return found


def assigned(*trees):
    """Return by name what is assigned at the top level, as source."""
    values = {}
    for part in [part for tree in trees for part in tree.body]:
        if isinstance(part, ast.Assign | ast.AnnAssign) and part.value:
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            names = [name.id for target in targets for name in nodes(target, ast.Name)]
            values |= dict.fromkeys(names, ast.unparse(part.value))
    return values


def is_constant(name):
    """Tell whether a name is in capitals; a single one, as in W, is a matrix."""
    return name.isupper() and sum(map(str.isalpha, name)) > 1


def public_names(tree):
    return set(ast.literal_eval(assigned(tree).get("__all__", "[]")))


def is_border_check(part):
    """Tell whether a statement is ``checks.something(...)``."""
    owner = getattr(getattr(getattr(part, "value", None), "func", None), "value", None)
    return isinstance(part, ast.Expr) and getattr(owner, "id", None) == "checks"


class Plain(ast.NodeTransformer):
    """Leaves out what the library has more of: docstrings, annotations, checks."""

    def visit_ClassDef(self, node):
        node.body = node.body[ast.get_docstring(node) is not None :]
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.visit_ClassDef(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        # A named tuple's field has no value, but its name and place must agree.
        plain = ast.Assign([node.target], node.value) if node.value else None
        return ast.copy_location(plain or ast.Expr(node.target), node)

    def visit_Expr(self, node):
        return None if is_border_check(node) else node


def plain_source(definition):
    return ast.unparse(Plain().visit(copy.deepcopy(definition))).splitlines()


def without_code(text):
    """Return Markdown without code, which may quote what is forbidden outside."""
    text = re.sub(r"(?ms)^ *(```+|~~~+).*?^ *\1 *$", "", text)
    return re.sub(r"`[^`]+`", "``", text)


# Checks of the whole


def files_of(folder, start=""):
    """Return the stems of a folder's Python files, without what Python itself wants."""
    stems = {path.stem for path in folder.glob(f"{start}*.py")}
    return {stem.removeprefix(start) for stem in stems if stem[:2] != "__"}


@listed
def problems_of_mirror(chapters, notebooks, library, tests):
    """Chapters, modules and tests are the same, and so are those of each room."""
    for number, name in enumerate(chapters, 1):
        yield "_toc.yml", int(name[:2]) == number, f"{name} is not number {number}"
    stems = {name[3:] for name in chapters}
    same = chapters == [name for name in notebooks if name[0].isdigit()]
    yield "book/", same, f"{notebooks} are not the chapters of _toc.yml"
    pairs = {"": (stems, files_of(library)), "tests": (stems, files_of(tests, "test_"))}
    rooms = [path for path in library.iterdir() if (path / "__init__.py").exists()]
    for room in rooms:
        pairs[room.name] = files_of(room), files_of(tests / room.name, "test_")
    for place, (one, other) in pairs.items():
        yield f"{place}/", one == other, f"{sorted(one ^ other)} have no counterpart"


@listed
def problems_of_places(chapters, introduction, reference):
    for name in chapters:
        for page, text in [("intro", introduction), ("reference", reference)]:
            linked = f"({name}.ipynb)" in text
            yield f"book/{page}.md", linked, f"no link to {name}.ipynb"
        shown = f"automodule:: mnist_lib.{name[3:]}\n" in reference
        yield "book/reference.md", shown, f"no automodule:: mnist_lib.{name[3:]}"
        start = f'"""Chapter {int(name[:2])}. '
        opened = module_source(name[3:]).startswith(start)
        yield f"{name[3:]}.py", opened, f"does not open with {start}"


def imported(stem):
    """Return the modules of the library that a module imports."""
    found = set()
    for node in nodes(parsed(module_source(stem)), IMPORT):
        package = getattr(node, "module", "")
        names = [f"{package}.{alias.name}".strip(".") for alias in node.names]
        for name in [name.removeprefix("mnist_lib.") for name in [*names, package]]:
            found |= {name} & MODULES.keys()
    return found


@listed
def problems_of_imports(stems):
    """A chapter imports no later one, and nothing comes back to where it began."""
    reached = {stem: imported(stem) for stem in MODULES if not stem.endswith("__")}
    for _ in reached:  # follow the imports as far as they lead
        for stem, names in reached.items():
            reached[stem] = names.union(*(reached.get(name, ()) for name in names))
    for stem, names in reached.items():
        yield f"{stem}.py", stem not in names, "imports itself, in a circle"
    for number, stem in enumerate(stems):
        later = reached[stem] & {*stems[number:]}
        yield f"{stem}.py", not later, f"imports {sorted(later)}, no chapters before it"


@listed
def problems_of_file(name, content):
    # The brackets keep the pattern from finding itself.
    pattern = r"(?<![\w.])/(?:[r]oot|[h]ome/\w+)/|\b(?:TO[D]O|FIX[M]E)\b"
    found = re.findall(pattern, content.decode("utf-8", errors="ignore"))
    yield name, not found, f"contains {found}"
    yield name, len(content) <= 1_000_000, "over 1 MB"
    yield name, not name.endswith((".npz", ".gz")), "data do not belong here"


def code_lines(function, lines):
    """Count a body's lines without docstring, comments and border checks."""
    numbers = set()
    for part in function.body[ast.get_docstring(function) is not None :]:
        numbers |= {*range(part.lineno, part.end_lineno + 1)}
    for part in filter(is_border_check, ast.walk(function)):
        numbers -= {*range(part.lineno, part.end_lineno + 1)}
    texts = [lines[number - 1].strip() for number in numbers]
    return sum(bool(text) and not text.startswith("#") for text in texts)


@listed
def problems_of_module(place, source):
    tree, lines = ast.parse(source), source.splitlines()
    for part in nodes(tree, ast.FunctionDef):
        count = code_lines(part, lines)
        yield f"{place}, {part.name}", count <= 20, f"{count} code lines, over 20"
    for name, part in definitions(tree).items():
        if name in public_names(tree) and isinstance(part, ast.FunctionDef):
            told = not nodes(part.args, ast.arg) or "Args:\n" in ast.get_docstring(part)
            yield f"{place}, {name}", told, "no Args in the docstring"
            yield f"{place}, {name}", part.returns, "no return annotation"


# Checks of a chapter


@listed
def problems_of_source(chapter):
    """Nothing that running or an editor left behind."""
    ids = [cell.content.get("id") for cell in chapter.cells]
    yield chapter, len({*ids}) == len(ids), "cell ids repeat"
    same = chapter.notebook["metadata"] == METADATA
    yield chapter, same, f"metadata other than {METADATA}"
    for cell in chapter.cells:
        yield cell, GAP not in cell.source, "a gap is left"
        yield cell, not cell.content.get("outputs"), "has outputs"
        machine = re.search(r"(?<![\w.])/(?:home|root|work|tmp)/", cell.source)
        yield cell, not machine, "a path of one machine"
        skipped = cell.tags & {"raises-exception", "skip-execution"}
        yield cell, not skipped, f"tagged {skipped}, so its errors are not seen"


@listed
def problems_of_markdown(chapter):
    """Only what Jupyter Book, GitHub and Colab all show."""
    for cell in chapter.prose:
        text = without_code(cell.source)
        directive = "```{" in cell.source or ":::" in text
        yield cell, not directive, "a directive: write a table, a list or a sentence"
        role = re.search(r"\{[\w:.-]+\}``", text)
        yield cell, not role, "a role: write [words](page.ipynb) or [words](#name)"
        text = re.sub(r"(?s)\$\$.*?\$\$|\$[^$\n]+\$", "", text)  # < is no tag there
        yield cell, "[^" not in text, "a footnote: write a sentence, or (words)"
        tags = {*re.findall(r"<(?:!--|/?([a-zA-Z][\w-]*)(?:\s[^<>]*)?/?>)", text)}
        other = f"raw HTML {tags - HTML}: write Markdown, or {sorted(HTML)}"
        yield cell, tags <= HTML, other
        silent = re.search(r"!\[\s*\]|<img(?![^>]*\balt=[\"'][^\"'])", text)
        yield cell, not silent, "an image without alternative text"


@listed
def problems_of_bootstrap(chapter):
    """A badge, and the same bootstrap cell everywhere."""
    badge, page = chapter.badge, f"/blob/{BRANCH}/book/{chapter}.ipynb)"
    opens = badge.source.startswith(
        "[![Open in Colab](https://colab.research.google.com"
    )
    yield badge, opens and badge.source.endswith(page), f"no Colab badge to {page}"
    yield badge, badge.tags == {"badge", "remove-cell"}, "not badge and remove-cell"
    bootstrap, *others = chapter.code
    tagged = {"bootstrap", "remove-cell"} <= bootstrap.tags
    yield bootstrap, tagged, "first code cell not tagged bootstrap and remove-cell"
    same = bootstrap.source == read_notebook(CHAPTERS[0]).code[0].source
    yield bootstrap, same, f"bootstrap cell other than {CHAPTERS[0]}'s"
    for cell in others:
        yield cell, "bootstrap" not in cell.tags, "a second bootstrap cell"


@listed
def problems_of_first_cells(chapter):
    """All imports and constants are in one cell."""
    _, start, *others = chapter.code
    module_constants = assigned(parsed(module_source(chapter.stem))).keys()
    yield start, nodes(start.tree, IMPORT), "second code cell without imports"
    yield start, "SEED" in assigned(start.tree), "second code cell without SEED"
    for cell in others:
        yield cell, not nodes(cell.tree, IMPORT), "imports outside of the second cell"
        constants = [*filter(is_constant, assigned(cell.tree))]
        free = cell.tags & {"exercise", "solution"} or {*constants} <= module_constants
        yield cell, free or not constants, f"{constants} outside of the second cell"


@listed
def problems_of_skeleton(chapter):
    item = re.compile(r"(?m)^ *(?:[-*+]|\d+\.) +\S")
    first, last = chapter.prose[0].source, chapter.prose[-1].source
    title = f"# {int(chapter.name[:2])}. "
    yield chapter, first.startswith(title), f"does not start with {title!r}"
    yield chapter, "minutes" in first, "does not say at first how long it takes"
    yield chapter, len(item.findall(first)) >= 3, "does not say at first what for"
    lines = [line for cell in chapter.cells[:3] for line in cell.source.split("\n")]
    steps = map_line(CHAPTERS, chapter.name)
    yield chapter, steps in lines, f"no map as `make map` renews it: {steps}"
    errors = "show_error" in called(*[cell.tree for cell in chapter.code])
    yield chapter, errors, "no mistake made on purpose (show_error)"
    points = item.findall(last.partition("## Takeaways")[2])
    yield chapter, len(points) >= 3, "does not end with '## Takeaways' and three items"
    following = CHAPTERS[CHAPTERS.index(chapter.name) + 1 :]
    for name in following[:1]:
        yield chapter, f"]({name}.ipynb" in last, f"no link to {name} at last"
    ends = (LAST in last) != bool(following)
    yield chapter, ends, f"{'says' if following else 'does not say'} {LAST!r}"


def count_lines(source):
    """Count lines that are not blank; a signature, however long, is one."""
    functions = [
        n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)
    ]
    more = sum(n.body[0].lineno - n.lineno - 1 for n in functions if n.args.args)
    return len(re.findall(r"(?m)^.*\S", source)) - max(more, 0)


@listed
def problems_of_rhythm(chapter):
    lengths = [count_lines(cell.source) for cell in chapter.code]
    for cell, length in zip(chapter.code, lengths, strict=True):
        yield cell, length <= 20, f"{length} lines, over 20"
    seen = [count_lines(cell.source) for cell in chapter.code if not FOLDED & cell.tags]
    cells, median = len(chapter.cells), statistics.median(seen)
    yield chapter, 20 <= cells <= 60, f"{cells} cells, not 20 to 60"
    yield chapter, median <= 6, f"{median} lines in a visible cell (median), over 6"
    words = sum(len(cell.source.split()) for cell in chapter.prose) // len(lengths)
    yield chapter, 40 <= words <= 160, f"{words} words to a code cell, not 40 to 160"


@listed
def problems_of_figures(chapter):
    functions, count = set(DRAWING), 0
    for stem in DRAWING_MODULES:
        functions |= public_names(parsed(module_source(stem)))
    for cell in chapter.code:
        draws = called(cell.tree) & functions and outside_definitions(cell.tree)
        required = bool(draws) and not cell.tags & {"exercise", "solution"}
        count += required
        if not (required or cell.alt or cell.caption or cell.figure_name):
            continue
        yield cell, draws, "metadata of a figure, but none is made"
        yield cell, cell.alt.strip(), "no alternative text (mystnb.image.alt)"
        yield cell, len(cell.alt) <= 160, f"alternative text of {len(cell.alt)} > 160"
        other = cell.alt != cell.caption or not cell.alt
        yield cell, other, "alternative text that is just the caption"
        yield cell, cell.caption.strip(), "no caption (mystnb.figure.caption)"
        named = re.fullmatch("[a-z0-9-]+", cell.figure_name)
        yield cell, named, "no name of a-z, 0-9, - (mystnb.figure.name)"
    few = 2 if chapter.name in CHAPTERS else 0
    yield chapter, few <= count <= 12, f"{count} figures, not {few} to 12"


@listed
def problems_of_exercises(chapter):
    """Heading N.1, N.2, ..., each with a cell to fill, a check and a solution."""
    grouped, count = [], 0
    for i, cell in enumerate(chapter.cells):
        heading = re.search(r"(?m)^### Exercise (\d+\.\d+)?", cell.source)
        if cell.is_code or not heading:
            continue
        count += 1
        label = f"{int(chapter.name[:2])}.{count}"
        yield cell, heading[1] == label, f"numbered {heading[1]}, not {label}"
        group = chapter.cells[i + 1 : i + 4]
        kinds = [[step for step in STEPS if step in c.tags] for c in group]
        yield cell, kinds == [[step] for step in STEPS], f"{STEPS} do not follow"
        if len(group) == 3:
            grouped += group
            yield from parts_of_exercise(label, *group)
    yield chapter, count >= 3, f"{count} exercises, fewer than 3"
    for cell in chapter.cells:
        alone = cell.tags.intersection(STEPS) and cell not in grouped
        yield cell, not alone, "belongs to no exercise"


def prompts_of(cell):
    """Return a cell's prompts: what each is, its options, and what is folded below."""
    for start in PROMPT.finditer(cell.source):
        text = re.split(r"(?m)^(?:#|\*\*[PQ])", cell.source[start.end() :])[0]
        fold = FOLD.match(text[text.find("<details") :])
        label, answer = fold.groups() if fold else ("", "")
        options = ITEM.findall(text.partition("<details")[0])
        yield start[1], options, text, label, answer


@listed
def problems_of_prompts(chapter):
    """A reader can guess, and learns what a wrong guess overlooks."""
    for cell, after in zip(chapter.cells, [*chapter.cells[1:], None], strict=True):
        for kind, options, text, label, answer in (
            [] if cell.is_code else prompts_of(cell)
        ):
            place, question = f"{cell}, {kind}", kind != "Predict"
            answered = answer or text.strip() or (after and after.is_code)
            yield place, answered, "no answer below"
            right = "Answer" if question else "Compare your guess"
            yield place, label in ("", right), f"the summary is not {right!r}"
            least, most = (3, 4) if question else (2, 5)
            some = least <= len(options) <= most or not (options or question)
            yield place, some, f"{len(options)} options, not {least} to {most}"
            reasons = ITEM.findall(answer) if options else []
            same = len(reasons) == len(options)
            yield place, same, f"{len(reasons)} reasons for {len(options)} options"
            bold = sum(map(bool, reasons))
            yield place, bold == 1 or not options, f"{bold} right answers, not one"


@listed
def problems_of_practice(chapter):
    """Levels and hints of exercises, an open task, and five questions at the end."""
    texts = [cell.source for cell in chapter.prose]
    tasks = [part for text in texts for part in re.split("(?m)^(?=##)", text)]
    for task in filter(re.compile("### (Exercise|Your own)").match, tasks):
        title, _, rest = task.partition("\n")
        place = f"{chapter}, {title}"
        yield (
            place,
            LEVEL.match(rest.strip()),
            "no line as '●○○ easy · 5 minutes' below",
        )
        hints = [int(hint) for hint in re.findall("<summary>Hint (.)</summary>", task)]
        few = len(hints) <= 3 and ("Exercise" not in title or hints)
        counted = hints == [*range(1, len(hints) + 1)]
        yield place, few and counted, f"hints {hints}, not Hint 1 to at most Hint 3"
    own = sum(task.startswith("### Your own: ") for task in tasks)
    yield chapter, own == 1, f"{own} open tasks ('### Your own: ...'), not one"
    cells = [cell for cell in chapter.prose if "## Five questions\n" in cell.source]
    asked = [kind[9:] for cell in cells for kind, *_ in prompts_of(cell)]
    five = [number for number in asked if number] == [*"12345"]
    yield chapter, five, f"questions {asked} below '## Five questions', not 1 to 5"


def parts_of_exercise(label, exercise, check, solution):
    constants = nodes(exercise.tree, ast.Constant)
    yield exercise, any(node.value is ... for node in constants), "no ... to fill in"
    yield check, "check_answer" in called(check.tree), "does not call check_answer"
    title = f"# @title Solution {label}"
    titled = solution.source.split("\n")[0] == title
    yield solution, titled, f"does not start with {title!r}"
    yield solution, "hide-cell" in solution.tags, "not tagged hide-cell"
    folded = solution.metadata.get("cellView") == "form"
    yield solution, folded, 'not folded in Colab (cellView is not "form")'
    runs = [called(*outside_definitions(cell.tree)) for cell in (check, solution)]
    checked = [name for name in runs[0] & runs[1] if name.startswith("check")]
    yield solution, checked, "does not call the check function of the cell before"


@functools.cache
def library_definitions():
    """Return all that the library defines at the top of a module, by name."""
    return {
        name: (stem, definition)
        for stem in MODULES
        for name, definition in definitions(parsed(module_source(stem))).items()
    }


@listed
def problems_of_drift(chapter):
    """The code the reader writes is the code the library ships."""
    own = [cell.tree for cell in chapter.code if not cell.tags.intersection(STEPS)]
    written, values, used = definitions(*own), assigned(*own), set()
    library = parsed(module_source(chapter.stem))
    missing = public_names(library) & {*definitions(library)} - {*written} - READY_MADE
    yield chapter, not missing, f"does not define {sorted(missing)}"
    for name in written.keys() & library_definitions().keys():
        stem, definition = library_definitions()[name]
        used |= {node.id for node in nodes(definition, ast.Name)}
        texts = plain_source(definition), plain_source(written[name])
        labels = f"mnist_lib/{stem.replace('.', '/')}.py", f"book/{chapter}.ipynb"
        diff = "\n".join(difflib.unified_diff(*texts, *labels, lineterm=""))
        yield chapter, not diff, f"{name} is not the library's\n{diff}"
    for name, value in assigned(library).items():
        same = values.get(name) == value or name not in used or not is_constant(name)
        yield chapter, same, f"{name} is {values.get(name)}, in the library {value}"


# The tests

NOTEBOOK_CHECKS = [
    problems_of_source,
    problems_of_markdown,
    problems_of_bootstrap,
    problems_of_figures,
    problems_of_prompts,
]
CHAPTER_CHECKS = [
    problems_of_first_cells,
    problems_of_skeleton,
    problems_of_rhythm,
    problems_of_exercises,
    problems_of_practice,
    problems_of_drift,
]


def assert_none(problems):
    """Fail with the problems, once: pytest repeats only the first line at its end."""
    if problems:
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}:"
        pytest.fail("\n".join([count, *problems]), pytrace=False)


def test_chapters_modules_and_tests_mirror_each_other():
    assert_none(problems_of_mirror(CHAPTERS, NOTEBOOKS, LIBRARY, ROOT / "tests"))


def test_introduction_reference_and_module_name_each_chapter():
    pages = [ROOT / "book/intro.md", ROOT / "book/reference.md"]
    assert_none(problems_of_places(CHAPTERS, *[page.read_text() for page in pages]))


def test_modules_follow_the_style():
    sources = {stem: module_source(stem) for stem in MODULES}
    styles = [problems_of_module(f"{stem}.py", text) for stem, text in sources.items()]
    assert_none(sum(styles, []))
    assert_none(problems_of_imports(STEMS))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_keeps_the_conventions(name):
    checks = NOTEBOOK_CHECKS + CHAPTER_CHECKS * (name in CHAPTERS)
    assert_none(sum([check(read_notebook(name)) for check in checks], []))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):  # make book sees to those of the pages
    text = without_code((ROOT / name).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        assert re.match("https?:", target) or (ROOT / target).exists(), target


@pytest.mark.integration
def test_repository_holds_nothing_that_does_not_belong_there():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository")
    names = [name for name in listing.stdout.decode().split("\0") if name]
    files = {name: ROOT / name for name in names if (ROOT / name).is_file()}
    found = [problems_of_file(name, path.read_bytes()) for name, path in files.items()]
    assert_none(sum(found, []))
