"""Where the repository and its published book are: `make repository URL=OWNER/NAME`.

The address stands in _config.yml. Notebooks and pages have to repeat it, because they
are also read without the book; this program changes it in all of them at once. It
needs nothing but Python.
"""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

# Stands in _config.yml until somebody owns the book; GitHub forbids the underscore.
PLACEHOLDER = "YOUR_NAME"
NAME = r"(?!\.+/?$)[A-Za-z0-9._-]+"
ADDRESS = re.compile(
    r"(?:(?:https?://)?(?:www\.)?github\.com/|(?:ssh://)?git@github\.com[:/])?"
    rf"({PLACEHOLDER}|[A-Za-z0-9](?:-?[A-Za-z0-9])*)/({NAME}?)(?:\.git)?/?",
    re.IGNORECASE,
)
# What may stand before OWNER/NAME: it opens, installs or clones something.
HOSTS = r"github\.com/|colab\.research\.google\.com/github/|mybinder\.org/v2/gh/"
LEFT_OUT = re.compile(r"\.?venv.*|\.git|_build|\..*(_cache|checkpoints)|__pycache__")


def parts(url):
    """Return the owner and the name in the address of a GitHub repository, or alone.

    Raises:
        ValueError: It is no such address.
    """
    found = ADDRESS.fullmatch(url.strip())
    if found is None:
        raise ValueError(
            f"URL must be OWNER/NAME or https://github.com/OWNER/NAME, got {url!r}"
        )
    return found.groups()


def published(url):
    """Return the address at which GitHub Pages publishes a repository's book."""
    owner, name = parts(url)
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def current(root):
    """Return the repository's address, as _config.yml has it."""
    text = Path(root, "_config.yml").read_text(encoding="utf-8")
    return re.search(r"(?m)^repository:\n(?:  .*\n)*?  url: (\S+)$", text)[1]


def files(root):
    """Return the project's files: what git knows of, or without git all there is."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        if Path(root, ".git").exists():  # else git may find another one further up
            listing = subprocess.run(command, cwd=root, capture_output=True, check=True)
            names = sorted(filter(None, listing.stdout.decode().split("\0")))
            return [Path(root, name) for name in names]
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not LEFT_OUT.fullmatch(name))
        found += [Path(folder, name) for name in sorted(names)]
    return found


def texts(root):
    """Return the contents of the project's text files by their paths."""
    found = {}
    for path in filter(Path.is_file, files(root)):
        try:
            found[path] = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue  # a picture
    return found


def change(root, url):
    """Put another address everywhere; return the files that it stood in."""
    old, new = current(root), "https://github.com/" + "/".join(parts(url))
    old_slug, new_slug = ["/".join(parts(address)) for address in (old, new)]
    place = re.compile(rf"({HOSTS}){re.escape(old_slug)}(?![\w-]|\.(?!git\b)\w)")
    changed = {}
    for path, text in texts(root).items():
        other = text.replace(published(old), published(new))
        other = place.sub(lambda found: found[1] + new_slug, other)
        if other != text:
            changed[path] = other
    # The settings come last: if this is broken off, it can be done again.
    for path in sorted(changed, key=lambda path: path.name == "_config.yml"):
        path.write_bytes(changed[path].encode())
    return [path.relative_to(root) for path in changed]


if __name__ == "__main__":
    try:
        done = change(Path.cwd(), " ".join(sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
    print(f"Changed {len(done)} files.", *done, sep="\n  ")
