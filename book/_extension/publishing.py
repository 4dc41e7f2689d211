"""What the pages say of themselves: addresses, versions, digits and run times.

Named in _config.yml. Everything here goes into the built pages; what is checked and
kept while they are made is in course.py and results.py.
"""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from results import versions
from sphinx.util import logging

logger = logging.getLogger(__name__)

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
STATUS = "book/status"
# What describe_digits says, in few words.
DIGITS = {
    "are the digits of MNIST": "MNIST",
    "are NOT the digits of MNIST": "stand-in digits, not MNIST",
}


def set_addresses(app, config):
    """Derive the book's own address from the repository's."""
    owner, name = config.html_theme_options["repository_url"].split("/")[-2:]
    config.html_baseurl = f"https://{owner.lower()}.github.io/{name}/"
    config.ogp_site_url = config.html_baseurl


def note_page(app, doctree):
    """Keep a page's first paragraph, and which digits its code ran on."""
    page = app.env.metadata[app.env.docname]
    for paragraph in [*doctree.findall(nodes.paragraph)][:1]:
        page["og:description"] = text = " ".join(paragraph.astext().split())
        doctree += nodes.meta(name="description", content=text)
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code_output":
            for words in filter(cell.astext().__contains__, DIGITS):
                page["digits"] = DIGITS[words]


def runs(app):
    """Return how the code of each page was executed, in the pages' order."""
    return [
        {
            "page": page,
            "title": app.env.titles[page].astext(),
            "digits": app.env.metadata[page].get("digits", ""),
            "seconds": run["runtime"],
            "time": datetime.fromtimestamp(run["mtime"], UTC),
        }
        for page, data in sorted(NbMetadataCollector.get_doc_data(app.env).items())
        if (run := data.get("exec_data"))
    ]


def add_runs(app, pagename, templatename, context, doctree):
    """Give a page's template how and on what the code was executed."""
    context["runs"] = runs(app)
    digits = {run["digits"] for run in context["runs"]} - {""}
    context["digits"] = " and ".join(sorted(digits))
    context["versions"] = ", ".join(versions())
    context["base_url"] = app.config.html_baseurl
    context["base_path"] = urlsplit(app.config.html_baseurl).path
    context["picture"] = app.config.ogp_image_alt
    if pagename == app.config.root_doc:
        context["docstitle"] = ""  # its own title is that of the book already
    if pagename == STATUS:
        context["body"] += app.builder.templates.render("runs.html", context)


def renew_status(app, env):
    """Write the page of run times again: a chapter may have run."""
    return [STATUS] if STATUS in env.found_docs else []


def write_sitemap(app, error):
    """List all pages for search engines."""
    if error or app.builder.name != "html":
        return
    listing = ElementTree.Element("urlset", xmlns=SITEMAP)
    for page in sorted(app.env.found_docs):
        entry = ElementTree.SubElement(ElementTree.SubElement(listing, "url"), "loc")
        entry.text = app.config.html_baseurl + app.builder.get_target_uri(page)
    target = Path(app.outdir, "sitemap.xml")
    ElementTree.ElementTree(listing).write(target, "utf-8", xml_declaration=True)


def name_stand_ins(app, error):
    """Say it on the screen too when the chapters did not run on MNIST."""
    if not error and any(run["digits"] not in ("", "MNIST") for run in runs(app)):
        logger.info("Made with stand-in digits. For MNIST, try: make clean book")


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.connect("config-inited", set_addresses)
    app.connect("doctree-read", note_page)
    app.connect("html-page-context", add_runs)
    app.connect("env-updated", renew_status)
    app.connect("build-finished", write_sitemap)
    app.connect("build-finished", name_stand_ins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
