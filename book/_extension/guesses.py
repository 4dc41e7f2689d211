"""Predictions and questions that wait for an answer, hints, and words that explain.

Named in _config.yml. A notebook holds all of it in plain Markdown (CONTRIBUTING.md says
how). In the built page this module marks what is what; guesses.js makes buttons and
fields of it and folds the answers. Whatever is marked reads well without the script,
too: on paper, in the editions, and in a browser without JavaScript it is simply there.

The marks:

- `.guess`: a prompt with its options. `data-kind` says what the reader does (choice,
  number, show, question), `data-right` which option is right, `data-number` the number.
- `.guess-hand`: the place of the page's own controls in it.
- `.guess-answer`: what the notebook folds with `<details>`.
- `.guess-part`: what is folded until the reader has answered the prompt above it: the
  answer, the outputs of the cells that follow, and the text below them, up to the next
  heading, code cell or prompt.
- `.guess-head`, `.guess-score`: the places for what concerns all of a page.
- `a.term`: a use of a word of the glossary, whose definition is its title.
"""

import re
from functools import cache
from itertools import takewhile

from docutils import nodes

# How the notebooks of each language call things, and what ends a word there.
PREDICTION = {"en": "Predict:", "ko": "예상해 보세요:"}
QUESTION = {"en": r"Question \d+:", "ko": r"질문 \d+:"}
HINT = {"en": "Hint", "ko": "힌트"}
WORD_END = {"en": r"(?![\w-])", "ko": ""}

NUMBER = re.compile(r"[-−]?[\d,]*\.?\d+(\s*%)?")
SHORT = 16  # characters, of options that stand side by side
LEVEL = re.compile("[●○]{3}")
CHAPTER_OF_TERM = re.compile(r" ?\((?:chapters? [^)]*|[^)]*장)\)")
# Where no word becomes a link: above all in cells, which are containers.
UNLINKED = nodes.title | nodes.literal | nodes.reference | nodes.raw | nodes.container
UNLINKED |= nodes.math | nodes.math_block


def html(text):
    """Return a node of HTML."""
    return nodes.raw("", text, format="html")


def change(node, pattern, text):
    """Change what a node of HTML says."""
    node[:] = [nodes.Text(re.sub(pattern, text, node.astext()))]


def starts(node, tag):
    """Tell whether a node is raw HTML that begins with a tag."""
    return isinstance(node, nodes.raw) and node.astext().lstrip().startswith(tag)


def is_cell(node):
    """Tell whether a node is a code cell."""
    return isinstance(node, nodes.Element) and node.get("nb_element") == "cell_code"


def is_list(node):
    """Tell whether a node is a numbered list."""
    return isinstance(node, nodes.enumerated_list)


def bold_start(node):
    """Return the bold words with which a paragraph begins."""
    parts = node.children if isinstance(node, nodes.paragraph) else []
    first = next((part for part in parts if part.astext()), None)
    return first.astext() if isinstance(first, nodes.strong) else ""


def take(rest, wanted):
    """Take off from the front of a list what is wanted, and return it."""
    taken = [*takewhile(wanted, rest)]
    del rest[: len(taken)]
    return taken


def wrap(parent, inner, opening):
    """Put tags around neighbors."""
    if inner:
        parent.insert(parent.index(inner[0]), html(opening))
        parent.insert(parent.index(inner[-1]) + 1, html("</div>"))


def unfold(answer):
    """Turn details into what paper, too, shows: its summary is a label."""
    begin, *_, end = answer
    change(begin, "<details>", '<div class="guess-answer">')
    change(begin, "<summary>(.*?)</summary>", r'<p class="label">\1</p>')
    change(end, "</details>", "</div>")


def describe(options, answer, is_question):
    """Return the kind of a prompt, with what is right, as attributes."""
    reasons = [*filter(is_list, answer)]
    if options and reasons:
        is_short = max(len(item.astext()) for item in options[0]) <= SHORT
        options[0]["classes"] += ["guess-options"] + ["short"] * is_short
        reasons[0]["classes"].append("guess-reasons")
        bold = [bool(bold_start(item[0])) for item in reasons[0]]
        kind = "question" if is_question else "choice"
        return f'data-kind="{kind}" data-right="{bold.index(True)}"'
    number = NUMBER.match(bold_start(answer[1])) if answer else None
    kind = f'number" data-number="{number[0]}' if number else "show"
    return f'data-kind="{kind}"'


def mark(prompt, words, is_question):
    """Mark a prompt, and what is folded until it is answered."""
    parent = prompt.parent
    rest = parent[parent.index(prompt) + 1 :]

    def is_text(node):
        ends = is_cell(node) or isinstance(node, nodes.section)
        return not ends and not re.fullmatch(words, bold_start(node))

    options, answer = take(rest, is_list), []
    if rest and starts(rest[0], "<details"):
        answer = take(rest, lambda node: not starts(node, "</details"))
        answer.append(rest.pop(0))
        unfold(answer)
    text, cells, more = take(rest, is_text), take(rest, is_cell), take(rest, is_text)
    kind = describe(options, answer, is_question)
    inner, folded = (answer, []) if "data-right" in kind else ([], answer)
    if not is_question:
        wrap(parent, folded + text, '<div class="guess-part">')
        wrap(parent, more, '<div class="guess-part">')
        for part in [part for cell in cells for part in cell.findall(nodes.container)]:
            if part.get("nb_element") == "cell_code_output":
                part["classes"].append("guess-part")
    wrap(parent, [prompt, *options, *inner], f'<div class="guess" {kind}>')
    hand = parent.index((options or [prompt])[-1]) + 1
    parent.insert(hand, html('<div class="guess-hand"></div>'))


def mark_prompts(doctree, language):
    """Mark all predictions and questions of a page, and the places for their sum."""
    question = QUESTION[language]
    words = f"{re.escape(PREDICTION[language])}|{question}"
    paragraphs = [*doctree.findall(nodes.paragraph)]
    prompts = [each for each in paragraphs if re.fullmatch(words, bold_start(each))]
    for prompt in prompts:
        mark(prompt, words, re.fullmatch(question, bold_start(prompt)))
    if prompts:
        doctree[0].insert(1, html('<div class="guess-head"></div>'))
        if re.fullmatch(question, bold_start(prompts[-1])):
            prompts[-1].parent.append(html('<div class="guess-score"></div>'))


def mark_exercises(doctree, language):
    """Mark hints, and keep the dots of a level, which words follow, from being read."""
    for node in doctree.findall(nodes.raw):
        if re.search(rf"<summary>{HINT[language]} \d</summary>", node.astext()):
            change(node, "<details>", '<details class="hint">')
    for paragraph in [*doctree.findall(nodes.paragraph)]:
        if dots := LEVEL.match(paragraph.astext()):
            words = nodes.Text(paragraph.astext()[dots.end() :])
            paragraph[:] = [html(f'<span aria-hidden="true">{dots[0]}</span>'), words]
            paragraph["classes"].append("level")


@cache
def read_glossary(env):
    """Return for each term, in small letters, where its definition is, and that."""
    terms = {}
    for (kind, term), (page, place) in env.domaindata["std"]["objects"].items():
        if kind == "term":
            item = env.get_doctree(page).ids[place].parent
            if place not in item[0]["ids"]:
                continue  # the English name of a Korean term
            meaning = CHAPTER_OF_TERM.sub("", " ".join(item[-1].astext().split()))
            terms[term.lower()] = page, place, meaning.partition(". ")[0].rstrip(".")
    return terms


def is_plain(text):
    """Tell whether a word in a text may become a link."""
    node = text
    while node := node.parent:
        marks = {"onlyprint", "guess-options"}.intersection(node.get("classes", []))
        if marks or isinstance(node, UNLINKED):
            return False
    return True


def link_terms(doctree, terms, link, end):
    """Make one use of each term a link: where it is bold, or else the first one.

    A single word that is not bold may mean something else: a class of Python, the
    interval between two checkpoints, a ring of ink.
    """
    # Regular plurals are in the pattern; an axis has axes.
    forms = {re.sub("is$", "es", term): term for term in terms} | {t: t for t in terms}
    longest_first = sorted(map(re.escape, forms), key=len, reverse=True)
    word = re.compile(rf"(?i)(?<![\w-])({'|'.join(longest_first)})(?:e?s)?{end}")
    texts, used = [*filter(is_plain, doctree.findall(nodes.Text))], set()
    texts.sort(key=lambda text: isinstance(text.parent, nodes.strong), reverse=True)
    for text in texts:
        parts, start, is_bold = [], 0, isinstance(text.parent, nodes.strong)
        for match in word.finditer(text):
            term = forms[match[1].lower()]
            if term not in used and (is_bold or not term.isalpha()):
                parts += [nodes.Text(text[start : match.start()]), link(term, match[0])]
                start = match.end()
                used.add(term)
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[start:])])


def mark_page(app, doctree, page):
    """Mark a notebook's page; other formats have it as it is."""
    if app.builder.format == "html" and app.env.doc2path(page).endswith(".ipynb"):
        mark_prompts(doctree, app.config.language)
        mark_exercises(doctree, app.config.language)
        terms, address = read_glossary(app.env), app.builder.get_relative_uri

        def link(term, word):
            target, place, meaning = terms[term]
            options = {"internal": True, "reftitle": meaning, "classes": ["term"]}
            place = f"{address(page, target)}#{place}"
            return nodes.reference("", word, refuri=place, **options)

        link_terms(doctree, terms, link, WORD_END[app.config.language])


def setup(app):
    """Tell Sphinx when to call the functions above: after others."""
    app.connect("doctree-resolved", mark_page, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
