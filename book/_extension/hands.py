"""What pages have to be used by hand, and the data that it loads.

Named in _config.yml. Where the chapters have a link to a field, the book's pages have
the field itself; and the figures to which the chapters pass numbers can move.
"""

import base64
import io
import re
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from results import digest, surroundings

# The links, by the templates of what takes their places.
FIELDS = {
    "draw.html": r'<div class="output text_html">\s*<p id="draw">.*?</p>\s*</div>',
    "train.html": r'<p><a [^>]*href="[^"]*#train-it-here".*?</p>',
}
NUMBERS = re.compile(
    r'<script type="application/json" id="([a-z-]+)-numbers">(.*?)</script>'
)
WEIGHTS = "draw/weights.safetensors"
# Training digits, from the first and from the last, how many of them are in a row of
# their picture, and its grays.
TRAINED, HELD_BACK, COLUMNS, GRAYS = 10_000, 2_000, 100, 16


def version(app):
    """Return a name for the files as they are, so that no browser keeps older ones."""
    files = sorted(Path(app.srcdir, "book/_static").rglob("*.*"))
    return digest([file.read_bytes() for file in files])


def embed_fields(app, pagename, templatename, context, doctree):
    """Put the fields where the chapters have links to them."""
    for template, link in FIELDS.items():
        if re.search(link, context.get("body") or "", re.DOTALL):
            context["version"] = version(app)
            context["digits_name"] = app.env.metadata[pagename].get("digits")
            context["digits_file"] = partial(write_digits, app, pagename)
            field = app.builder.templates.render(template, context)
            parts = re.split(link, context["body"], flags=re.DOTALL)
            context["body"] = field.join(parts)


def set_in_motion(app, pagename, templatename, context, doctree):
    """Put what moves into a figure, below its picture; its numbers into a script."""
    for figure, numbers in NUMBERS.findall(context.get("body") or ""):
        path = Path(app.outdir, f"_static/moving/{figure}-numbers.js")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"var NUMBERS = {numbers};\n", "utf-8")
        context |= {"figure": figure, "version": digest(version(app), numbers)}
        moving = app.builder.templates.render(f"moving/{figure}.html", context)
        body = NUMBERS.sub("", context["body"], 1)
        start = re.search(f'<figure [^>]*id="{figure}"', body).end()
        place = body.index("<figcaption>", start)
        context["body"] = body[:place] + moving + body[place:]


def write_script(path, name, content):
    """Write data as a script: from the disk, a page may load nothing else."""
    text = base64.b64encode(content).decode()
    path.write_text(f'var {name} = "{text}";\n', "utf-8")


def write_weights(app, error):
    """Write the weights of the network that reads drawings."""
    if not error and app.builder.name == "html":
        path = Path(app.outdir, "_static", WEIGHTS)
        write_script(path.with_suffix(".js"), "WEIGHTS", path.read_bytes())


def draw_digits(images, labels):
    """Return digits as one picture: rows of them, each above a row of their labels."""
    rows = images.reshape(-1, COLUMNS, 28, 28).transpose(0, 2, 1, 3)
    pixels = np.rint(rows / 255 * (GRAYS - 1)).reshape(-1, 28, COLUMNS * 28)
    below = labels.reshape(-1, 1, COLUMNS).repeat(28, axis=2)
    levels = np.concatenate([pixels, below], axis=1).astype("uint8")
    picture = Image.fromarray(levels.reshape(-1, COLUMNS * 28))
    picture.putpalette([gray * 17 for gray in range(GRAYS) for _ in "RGB"])
    return picture


def write_digits(app, page):
    """Write digits to train on, of those that a page ran on, and return the file."""
    name = digest(surroundings(), app.env.metadata[page].get("digits"))
    path = Path(app.outdir, "_static/train", f"digits-{name}.js")
    if not path.is_file():
        from mnist_lib import load_mnist  # takes seconds

        images, labels = load_mnist()[0]
        chosen = np.r_[:TRAINED, -HELD_BACK:0]
        content = io.BytesIO()
        draw_digits(images[chosen], labels[chosen]).save(content, "PNG", optimize=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob("digits-*.js"):
            old.unlink()
        write_script(path, "DIGITS", content.getvalue())
    return path


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.connect("html-page-context", embed_fields)
    app.connect("html-page-context", set_in_motion)
    app.connect("build-finished", write_weights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
