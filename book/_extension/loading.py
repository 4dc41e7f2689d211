"""What a page loads: pictures that say their size, and the styles that it needs.

Named in _config.yml. The theme brings styles for whatever a book might hold, and 2,000
icons: more than all the rest of a page.
"""

import re
from pathlib import Path
from urllib.parse import unquote

from results import digest
from sphinx.util.images import get_image_size

TRIMMED = ["basic.css", "styles/pydata-sphinx-theme.css", "mystnb.*.css"]
SETTING = re.compile(r"<script>DOCUMENTATION_OPTIONS\..*?</script>")  # of the search
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
RULE = re.compile(r"([^{}]+)\{[^{}]*\}")
NEGATION = re.compile(r":not\([^)]*\)")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")


def describe_pictures(app, pagename, templatename, context, doctree):
    """Say how large each picture is, and have it loaded when it comes into view.

    The page then keeps room for it, and nothing jumps when it arrives. A picture before
    the first section may be in view at once.
    """
    body = context.get("body") or ""
    files = {name: uri for uri, name in app.builder.images.items()}
    first = re.search("<h2|<img", body)

    def describe(picture):
        tag, wanted = picture[0], {}
        name = unquote(re.search(r'src="([^"]*)"', tag)[1]).rpartition("/")[2]
        size = get_image_size(Path(app.srcdir, files[name])) if name in files else None
        if size and not re.search(r"\s(width|height)=", tag):
            wanted = dict(zip(["width", "height"], size, strict=True))
        if picture.start() != first.start():
            wanted |= {"loading": "lazy", "decoding": "async"}
        return "<img" + "".join(f' {k}="{v}"' for k, v in wanted.items()) + tag[4:]

    if body:
        context["body"] = re.sub(r"<img\b[^>]*>", describe, body)


def lighten(app, error):
    """Leave out styles for what is on no page; have scripts wait for the page."""
    site = Path(app.outdir)
    if error or app.builder.name != "html":
        return
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    scripts = [path.read_text("utf-8") for path in site.glob("_static/**/*.js")]
    words = {*re.findall(r"[\w-]+", " ".join([*pages.values(), *scripts]))}
    words.add("bs-tooltip-auto")  # a script puts it together

    def trim(rule):
        selectors = NEGATION.sub("", rule[1]).split(",")
        return rule[0] if any({*CLASS.findall(x)} <= words for x in selectors) else ""

    for path in [path for name in TRIMMED for path in site.glob(f"_static/{name}")]:
        css = RULE.sub(trim, COMMENT.sub("", path.read_text("utf-8")))
        path.write_text(css, "utf-8")
        # The version tells a browser that it has another one.
        address = re.compile(rf'({re.escape(path.name)})(\?v=\w+)?"')
        for page, text in pages.items():
            pages[page] = address.sub(rf'\1?v={digest(css)}"', text)
    for page, text in pages.items():
        if page.name != "search.html":  # its own scripts run before
            text = SETTING.sub("", text).replace("<script src=", "<script defer src=")
        page.write_text(text, "utf-8")


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.connect("html-page-context", describe_pictures)
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
