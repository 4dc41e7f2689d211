"""What pages have to be used by hand, and the data that it loads.

Named in _config.yml. Where the chapters have a link to a field, the book's pages have
the field itself.
"""

import base64
import re
from pathlib import Path

from results import digest

# The links, by the templates of what takes their places.
FIELDS = {
    "draw.html": r'<div class="output text_html">\s*<p id="draw">.*?</p>\s*</div>',
}
WEIGHTS = "draw/weights.safetensors"


def embed_fields(app, pagename, templatename, context, doctree):
    """Put the fields where the chapters have links to them."""
    for template, link in FIELDS.items():
        if re.search(link, context.get("body") or "", re.DOTALL):
            files = sorted(Path(app.srcdir, "book/_static").rglob("*.*"))
            context["version"] = digest([file.read_bytes() for file in files])
            field = app.builder.templates.render(template, context)
            parts = re.split(link, context["body"], flags=re.DOTALL)
            context["body"] = field.join(parts)


def write_script(path, name, content):
    """Write data as a script: from the disk, a page may load nothing else."""
    text = base64.b64encode(content).decode()
    path.write_text(f'var {name} = "{text}";\n', "utf-8")


def write_weights(app, error):
    """Write the weights of the network that reads drawings."""
    if not error and app.builder.name == "html":
        path = Path(app.outdir, "_static", WEIGHTS)
        write_script(path.with_suffix(".js"), "WEIGHTS", path.read_bytes())


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.connect("html-page-context", embed_fields)
    app.connect("build-finished", write_weights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
