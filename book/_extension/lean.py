"""Pages that load fast: one style sheet, one script, small pictures.

Named in _config.yml. The themes and extensions bring styles for whatever a book might
hold, half a megabyte of them. The built pages say what this one holds: the rest is left
out, and what remains is put into two files, `lean.css` and `lean.js`.
"""

import hashlib
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import tinycss2
from formulas import cut
from PIL import Image, ImageChops
from sphinx.util.images import get_image_size

# In the order in which the pages would load them, which decides between rules.
STYLES = [
    "basic.css",
    "styles/pydata-sphinx-theme.css",
    "pygments.css",
    "styles/sphinx-book-theme.css",
    "copybutton.css",
    "mystnb.*.css",
    "sphinx-design.min.css",
    "math.css",  # the font of the formulas (formulas.py)
    "book.css",
]
SCRIPTS = [
    "documentation_options.js",
    "doctools.js",
    "sphinx_highlight.js",
    "clipboard.min.js",
    "copybutton.js",
    "scripts/sphinx-book-theme.js",
    "book.js",
    "scripts/bootstrap.js",
    "scripts/pydata-sphinx-theme.js",
]
# What Sphinx would load besides: tabs that remember which one was chosen.
UNUSED = ["design-tabs.js"]
# Bootstrap has a dozen parts, of which the theme uses tooltips and menus. Words of its
# script that stand for these, and for the states of anything:
BOOTSTRAP = (
    "tooltip|dropdown|collaps|popper|placement|^(bs-|fade|show|active|disabled)$"
)
# The fonts of the icons, each with the classes that ask for it.
ICONS = {
    "fa-solid-900": {"fas", "fa-solid"},
    "fa-regular-400": {"far", "fa-regular"},
    "fa-brands-400": {"fab", "fa-brands"},
}
ASKED = re.compile(r"var\(\s*(--[\w-]+)")  # the variables that styles ask for
VISIBLE = 8  # of 255: a smaller change of a color is seen by nobody


# Which names there are


def read(site, names):
    """Return the texts of files in the site's _static, by their paths."""
    files = [file for name in names for file in Path(site, "_static").glob(name)]
    return {file: file.read_text(encoding="utf-8") for file in files}


def names_in_pages(site):
    """Return the tags, classes, ids and attributes in the built pages."""
    found = set()
    for file in site.rglob("*.html"):
        for tag in re.findall("<[a-z][^>]*>", file.read_text(encoding="utf-8")):
            found.update(re.split(r"[\s\"'<>=/]+", tag), ASKED.findall(tag))
    return found


def names_in_scripts(site):
    """Return all words in the scripts: what they add to a page is among them."""
    searching = ["searchtools.js"]  # only the page of the search loads it
    found = set()
    for file, text in read(site, SCRIPTS + searching).items():
        words = set(re.findall(r"[\w-]+", text))
        if file.name == "bootstrap.js":
            words = {word for word in words if re.search(BOOTSTRAP, word)}
        found |= words
    return found


class Names:
    """The names that a page can have, at first or once its scripts have run."""

    def __init__(self, site):
        self.in_pages = names_in_pages(site)
        self.all = self.in_pages | names_in_scripts(site)
        for text in read(site, ["draw/*.css"]).values():
            self.all.update(ASKED.findall(text))
        self.variables = set()  # that some style asks for
        # Scripts put some names together: bs-, tooltip and -auto.
        self.beginnings = tuple(
            name for name in self.all if re.fullmatch(r"[a-z][\w-]+-", name)
        )

    def __contains__(self, name):
        known = name in self.all or name in self.variables
        return known or name.startswith(self.beginnings)


# Styles


def named(selector):
    """Yield the tags, classes, ids and attributes that a selector asks for."""
    before = ""
    for token in selector:
        if token.type == "[] block":
            yield next(part.value for part in token.content if part.type == "ident")
        elif token.type in ("ident", "hash") and before != ":":  # else it is a state
            yield token.value
        before = token.value if token.type == "literal" else ""


def split(tokens):
    """Return the parts of a list between its commas."""
    parts = [[]]
    for token in tokens:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def declare(content, names):
    """Return what a rule says, without variables that nothing asks for, as text."""
    said = tinycss2.parse_blocks_contents(content, True, True)
    wanted = [part for part in said if part.name[:2] != "--" or part.name in names]
    return ";".join(part.serialize().rstrip(";").strip() for part in wanted)


def trim_rule(rule, names):
    """Return what of a rule can apply to a page with these names, as text."""
    if rule.type == "qualified-rule":
        selectors = [
            tinycss2.serialize(selector).strip()
            for selector in split(rule.prelude)
            if all(name in names for name in named(selector))
        ]
        start, body = ",".join(selectors), declare(rule.content, names)
    elif rule.lower_at_keyword in ("media", "supports"):
        start = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}".rstrip()
        body = trim(tinycss2.parse_rule_list(rule.content, True, True), names)
    else:  # charset and import are of no use in the middle of a style sheet
        unwanted = rule.lower_at_keyword in ("charset", "import")
        return "" if unwanted else rule.serialize()
    return f"{start}{{{body}}}" if start and body else ""


def trim(rules, names):
    """Return what of some rules can apply to a page with these names, as text."""
    return "\n".join(filter(None, (trim_rule(rule, names) for rule in rules)))


def embed(face, site, css):
    """Put a font's few icons into the style sheet, in place of its file's address."""
    name = face["name"]
    used = set(re.findall("[\ue000-\uf8ff]", css))
    used.update(chr(int(code, 16)) for code in re.findall(r"\\(f[0-9a-f]{3})\b", css))
    file = Path(site, f"_static/vendor/fontawesome/webfonts/{name}.ttf")
    source = f"src:url(data:font/woff;base64,{cut(str(file), ''.join(sorted(used)))})"
    return re.sub("src:[^;}]*", source, face[0])


def bundle_styles(site):
    """Return one style sheet for all pages."""
    names = Names(site)
    css = "\n".join(read(site, STYLES).values())
    before = None
    while css != before:  # a variable that is left out may have asked for another
        names.variables = set(ASKED.findall(css))
        before, css = css, trim(tinycss2.parse_stylesheet(css, True, True), names)

    def icons(face):
        asked = ICONS.get(face["name"], set()) & names.in_pages
        return embed(face, site, css) if asked else ""

    css = re.sub(r"@font-face\{[^}]*?/(?P<name>fa-[\w-]+)\.woff2[^}]*\}", icons, css)
    return f'@charset "utf-8";\n{css}'


def bundle_scripts(site):
    """Return one script for all pages."""
    texts = read(site, SCRIPTS).values()
    return "\n;".join(re.sub(r"(?m)^//# sourceMapping.*$", "", text) for text in texts)


def leave_to_bundles(app, pagename, templatename, context, doctree):
    """Have a page load what is in no bundle only; the template names these."""
    bundled = [*STYLES, *SCRIPTS, *UNUSED]

    def is_bundled(file):
        path = str(file.filename or "").removeprefix("_static/")
        settings = file.attributes.get("body") or ""  # of a script that comes later
        return any(
            PurePosixPath(path).match(name) for name in bundled
        ) or settings.startswith("DOCUMENTATION_OPTIONS.")

    for kind in ("css_files", "script_files"):
        context[kind] = [file for file in context[kind] if not is_bundled(file)]


def name_versions(site):
    """Add a digest to the addresses of our files, lest a browser show an older one."""

    def named(address):
        content = Path(site, "_static", address[1]).read_bytes()
        return f'_static/{address[1]}?v={hashlib.sha256(content).hexdigest()[:8]}"'

    ours = re.compile(r'_static/((?:lean|draw/\w+)\.(?:css|js))(?:\?v=\w+)?"')
    for page in site.rglob("*.html"):
        page.write_text(ours.sub(named, page.read_text("utf-8")), "utf-8")


# Code

CODE = re.compile("<pre>.*?</pre>", re.DOTALL)
# Names, brackets and spaces have the color of text: two thirds of all marks.
PLAIN = re.compile('<span class="(?:n|nn|p|w)">([^<]*)</span>')


def leave_plain(app, pagename, templatename, context, doctree):
    """Take the marks off the parts of code that have no color of their own."""
    if body := context.get("body"):
        context["body"] = CODE.sub(lambda code: PLAIN.sub(r"\1", code[0]), body)


# Pictures


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


def compress(picture):
    """Return a picture with at most 256 colors, if none of its dots changes visibly."""
    picture = picture.convert("RGB")
    ways = Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE
    found = []
    for way in ways:
        fewer = picture.quantize(256, way, dither=Image.Dither.NONE)
        change = ImageChops.difference(picture, fewer.convert("RGB"))
        found.append((max(high for _, high in change.getextrema()), fewer))
    change, fewer = min(found, key=lambda pair: pair[0])
    return fewer if change <= VISIBLE else picture


def compress_pictures(site):
    """Write the pictures of the pages anew, each as small as it can be."""
    for file in Path(site, "_images").glob("*.png"):
        with Image.open(file) as picture:
            if picture.mode == "P" or picture.convert("RGBA").getextrema()[3][0] < 255:
                continue  # done before, or transparent
            smaller = compress(picture)
        smaller.save(file, optimize=True)


def write(app, error):
    """Write what the pages ask for."""
    if error or app.builder.format != "html":
        return
    site = Path(app.outdir)
    Path(site, "_static/lean.css").write_text(bundle_styles(site), encoding="utf-8")
    Path(site, "_static/lean.js").write_text(bundle_scripts(site), encoding="utf-8")
    compress_pictures(site)
    name_versions(site)


def setup(app):
    """Tell Sphinx when to call the functions above."""
    app.connect("html-page-context", leave_plain)
    app.connect("html-page-context", describe_pictures)
    app.connect("html-page-context", leave_to_bundles, priority=900)
    app.connect("build-finished", write, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
