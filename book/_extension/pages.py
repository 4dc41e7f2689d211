"""What the pages have beyond Jupyter Book's settings.

Named in _config.yml: a map, folded cells that can be named, and what makes pages
light, and known to search engines.
"""

import re
from functools import partial
from html import escape
from pathlib import Path
from textwrap import shorten
from urllib.parse import unquote

from docutils import nodes
from languages import list_addresses
from myst_nb.sphinx_ import HideCodeCellNode
from results import versions
from sphinx.util import logging
from sphinx.util.images import get_image_size
from sphinxext import opengraph

logger = logging.getLogger(__name__)

CHAPTER = re.compile(r".*/\d+_\w+")
# What describe_digits says, in few words.
DIGITS = {
    "are the digits of MNIST": "MNIST",
    "are NOT the digits of MNIST": "stand-in digits, not MNIST",
}
IMAGE = re.compile(r'<img (?=[^>]*src="[^"]*_images/([^"]+)")')
RULE = re.compile(r"([^{}]+)\{[^{}]*\}")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


def draw_map(app, doctree, docname):
    """Turn the line of arrows at the top of a chapter into a list of links.

    Paper and the editions, which have no use for links, keep the line.
    """
    pages = filter(CHAPTER.fullmatch, app.env.toctree_includes[app.config.root_doc])
    pages = [app.config.root_doc, *pages]
    for line in doctree.findall(nodes.paragraph):
        names = line.astext().split(" → ")
        if app.builder.format == "html" and len(names) == len(pages):
            steps = dict(zip(pages, names, strict=True))
            context = {"steps": steps, "here": docname}
            context["address"] = partial(app.builder.get_relative_uri, docname)
            html = app.builder.templates.render("map.html", context)
            place = line.parent.index(line)
            line.parent.insert(place, nodes.raw("", html, format="html"))
            line["classes"].append("onlyprint")
            return


def open_folded(translator, node):
    """Begin a folded cell; myst-nb's is announced otherwise than it is labeled."""
    labels = translator.config.course_folded
    prompt = node["prompt_show"].removesuffix("s")  # "outputs" where there is no input
    kind = "folded solution" if prompt == "content" else "folded"
    label = escape(labels.get(prompt, node["prompt_show"]))
    translator.body.append(f'<details class="{kind}"><summary>{label}</summary>\n')


def close_folded(translator, node):
    """End a folded cell."""
    translator.body.append("</details>\n")


def note_digits(app, doctree):
    """Keep on which digits the code of a page ran."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code_output":
            for words in filter(cell.astext().__contains__, DIGITS):
                app.env.metadata[app.env.docname]["digits"] = DIGITS[words]


def list_digits(env):
    """Return all digits that the chapters ran on, in words."""
    return sorted({page.get("digits") for page in env.metadata.values()} - {None})


def fill_templates(app, pagename, templatename, context, doctree):
    """Give the templates what the book's results come from."""
    context["digits"] = ", ".join(list_digits(app.env))
    context["versions"] = ", ".join(versions())
    settings = "_static/documentation_options.js"  # layout.html has them itself
    scripts = context["script_files"]
    scripts[:] = [script for script in scripts if script.filename != settings]
    if pagename == app.config.root_doc:
        context["docstitle"] = ""  # its own title is that of the book already


def complete_page(app, pagename, templatename, context, doctree):
    """Add to a page's content the sizes of its pictures."""
    sizes = {
        name: get_image_size(Path(app.srcdir, file))
        for file, name in app.builder.images.items()
    }

    def say_size(image):
        size = sizes[unquote(image[1])]
        sized = 'width="{}" height="{}" '.format(*size) if size else ""
        return f'<img loading="lazy" decoding="async" {sized}'

    body = IMAGE.sub(say_size, context.get("body") or "")
    # Sphinx writes long signatures as lists of definitions, but without terms.
    context["body"] = re.sub(r"<dl>(?=\s*<dd>)", '<dl role="none">', body)


def describe_page(doctree, length, titles):
    """Return the words with which a page begins, for those who link it."""
    text = " ".join(each.astext() for each in doctree.findall(nodes.paragraph))
    return escape(shorten(text, length, placeholder=" …"))


def skip_alias(app, what, name, member, skip, options):
    """Leave out of the reference what Python itself says of a named tuple's fields."""
    return str(getattr(member, "__doc__", "")).startswith("Alias for field") or skip


def trim_styles(site):
    """Leave out the styles for what is on no page, most of what the theme brings.

    Nor do browsers need comments and indentation.
    """
    files = [*site.rglob("*.html"), *site.glob("_static/**/*.js")]
    text = " ".join(path.read_text("utf-8") for path in files)
    words = {*re.findall(r"[\w-]+", text), "bs-tooltip-auto"}  # a script composes that

    def trim(rule):
        selectors = re.sub(r":not\([^)]*\)", "", rule[1]).split(",")
        return rule[0] if any({*CLASS.findall(x)} <= words for x in selectors) else ""

    for path in [*site.glob("_static/*.css"), *site.glob("_static/styles/*.css")]:
        css = re.sub(r"(?s)/\*.*?\*/", "", path.read_text("utf-8"))
        path.write_text(re.sub(r"\n\s+", "\n", RULE.sub(trim, css)), "utf-8")


def write_sitemap(app):
    """List all pages for search engines."""
    places = "".join(
        f"<url><loc>{app.config.html_baseurl}{target}</loc></url>"
        for page in sorted(app.env.found_docs)
        for target in list_addresses(app, page).values()
    )
    text = f'<urlset xmlns="{SITEMAP}">{places}</urlset>'
    Path(app.outdir, "sitemap.xml").write_text(text, "utf-8")


def finish(app, error):
    """Write what is made from all pages; say if the chapters did not run on MNIST."""
    if error or app.builder.name != "html":
        return
    if app.config.language == "en":
        write_sitemap(app)  # of both languages
    trim_styles(Path(app.outdir))
    if list_digits(app.env) not in ([], ["MNIST"]):
        logger.info("Made with stand-in digits. For MNIST, try: make clean book")


def setup(app):
    """Tell Sphinx when to call the functions above."""
    opengraph.get_description = describe_page  # its own tears off Korean particles
    app.add_config_value("course_folded", {}, "html")
    app.add_node(HideCodeCellNode, override=True, html=(open_folded, close_folded))
    app.connect("autodoc-skip-member", skip_alias)
    app.connect("doctree-read", note_digits)
    app.connect("doctree-resolved", draw_map)
    app.connect("html-page-context", fill_templates)
    app.connect("html-page-context", complete_page)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
