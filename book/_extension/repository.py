"""Where the repository and its published book are: `make repository URL=...`.

The address stands in _config.yml. Notebooks and pages have to repeat it, because they
are also read without the book; this program changes it in all of them at once. It
needs nothing but Python.
"""

import os
import re
import sys
from pathlib import Path

ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9_-]+)/([\w.-]+)")
LEFT_OUT = re.compile(r"\.venv.*|\.git|_build|\..*_cache|__pycache__|.*\.egg-info")


def parts(url):
    """Return the owner and the name in the address of a GitHub repository.

    Raises:
        ValueError: It is no such address.
    """
    found = ADDRESS.fullmatch(url.strip().removesuffix("/").removesuffix(".git"))
    if found is None:
        raise ValueError(f"URL must be https://github.com/OWNER/NAME, got {url!r}")
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


def texts(root):
    """Yield the path and the contents of every text file of the project."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not LEFT_OUT.fullmatch(name))
        for path in [Path(folder, name) for name in sorted(names)]:
            try:
                yield path, path.read_bytes().decode()
            except UnicodeDecodeError:
                continue  # a picture


def change(root, url):
    """Put another address everywhere; return the files that it stood in."""
    old, changed = current(root), []
    slugs = ["/".join(parts(address)) for address in (old, url)]
    for path, text in texts(root):
        new = text.replace(published(old), published(url))
        new = re.sub(rf"(?<![\w.-]){re.escape(slugs[0])}(?![\w-])", slugs[1], new)
        if new != text:
            path.write_bytes(new.encode())
            changed.append(path.relative_to(root))
    return changed


if __name__ == "__main__":
    try:
        files = change(Path.cwd(), " ".join(sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
    print(f"Changed {len(files)} files.", *files, sep="\n  ")
