"""Ways through the book: its map on every chapter, and the steps beside a page.

Named in _config.yml. All names of steps come from the chapters' file names, in the
order of _toc.yml: a new chapter appears in all of these places by itself.
"""

import re

from docutils import nodes

START = "pixels"  # what the course begins with, and so the name of its first page
CHAPTER = re.compile(r".*/\d+_(\w+)")
ARROW = " → "
# The spaces in 12 min and 28 × 28, at which no line may end.
INSIDE = re.compile(r"(?<=\d) (?=×|(µs|ms|s|min|kB|MB|GB|GFLOP)\b)|(?<=\d ×) (?=\d)")


def list_steps(env):
    """Return the steps of the course in their order, by the names of their pages."""
    root = env.config.root_doc
    chapters = filter(None, map(CHAPTER.fullmatch, env.toctree_includes[root]))
    return {root: START} | {page[0]: page[1].replace("_", " ") for page in chapters}


def draw_map(app, doctree, docname):
    """Turn the line of arrows at the top of a chapter into a list of links.

    Paper and the editions, which have no use for links, keep the line.
    """
    if app.builder.format != "html":
        return
    for line in doctree.findall(nodes.paragraph):
        if line.astext().startswith(START + ARROW):
            steps = [
                (name, app.builder.get_relative_uri(docname, page) or "#", page)
                for page, name in list_steps(app.env).items()
            ]
            context = {"steps": steps, "here": docname}
            html = app.builder.templates.render("map.html", context)
            line.parent.insert(
                line.parent.index(line), nodes.raw("", html, format="html")
            )
            line["classes"].append("onlyprint")
            return


def name_neighbors(app, pagename, templatename, context, doctree):
    """Tell a page's template which steps lie before and after it."""
    steps = list_steps(app.env)
    _, before, after = app.builder.relations.get(pagename, (None, None, None))
    context["step_before"], context["step_after"] = steps.get(before), steps.get(after)


def keep_numbers_together(app, doctree, docname):
    """Keep a line from ending between a number and its unit, or within a product."""
    fixed = nodes.FixedTextElement, nodes.literal, nodes.math
    for text in [*doctree.findall(nodes.Text)]:
        if not isinstance(text.parent, fixed):
            text.parent.replace(
                text, nodes.Text(INSIDE.sub("\N{NO-BREAK SPACE}", text))
            )


def mend_lists(app, pagename, templatename, context, doctree):
    """Take the role from lists that are none, so that nobody is told of a list.

    Sphinx writes the parameters of a long signature as definitions without terms.
    """
    if "body" in context:
        context["body"] = re.sub(
            r"<dl>(?=\s*<dd>)", '<dl role="none">', context["body"]
        )


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.connect("doctree-resolved", draw_map)
    app.connect("doctree-resolved", keep_numbers_together)
    app.connect("html-page-context", name_neighbors)
    app.connect("html-page-context", mend_lists)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
