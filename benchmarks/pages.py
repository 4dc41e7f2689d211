"""How much each page of the built book loads, and what Lighthouse says of it.

Requests and bytes are those of the first load on a phone: pictures further down come
later. The second column is what the files hold. The third is what is sent, since the
server packs text, as GitHub Pages does.

    python benchmarks/pages.py --pages book/intro --json pages.json

For the page to draw on it also says how long the answer takes: from a move of the mouse
until all that shows the answer has been written, and laid out anew.

Lighthouse is the one that the environment variable LIGHTHOUSE names, or is fetched by
npx; without either, or with LIGHTHOUSE= (nothing), its columns stay empty. Of several
runs the median counts.
"""

import contextlib
import functools
import gzip
import http.server
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import threading
from pathlib import Path

import measuring
import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build/html"
sys.path.append(str(ROOT / "book/_extension"))
import editions  # noqa: E402

PHONE = {"width": 390, "height": 844}
CATEGORIES = ["performance", "accessibility", "best-practices", "seo"]
DRAWING = "book/10_drawing"
MOVES = 500
# Notes in the page, for each answer, the milliseconds since the last move.
NOTE_TIMES = """() => {
  const [pad, answer] = [document.getElementById("draw-pad"), show];
  window.times = [];
  let moved = 0;
  pad.addEventListener("pointermove", () => { moved = performance.now(); }, true);
  window.show = () => {
    answer();
    document.body.getBoundingClientRect();
    window.times.push(performance.now() - moved);
  };
}"""
PACKED = ("text/", "javascript", "json", "svg", "xml")


def is_packed(kind) -> bool:
    """Tell whether a server packs files of a kind; others are packed already."""
    return any(word in kind for word in PACKED)


@contextlib.contextmanager
def served():
    """Serve the book, packed; yield its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            file = Path(self.translate_path(self.path))
            kind = self.guess_type(self.path)
            if not (file.is_file() and is_packed(kind)):
                return super().do_GET()
            content = gzip.compress(file.read_bytes())
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    handler = functools.partial(Handler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def load(browser, address) -> dict:
    """Load a page as a phone does; return how much it asked for."""
    tab, responses = browser.new_page(viewport=PHONE), []
    tab.on("response", lambda response: responses.append(response))
    tab.goto(address, wait_until="networkidle")
    # What stands in the page itself, as data:, is no request.
    responses = [response for response in responses if response.url.startswith("http")]
    sizes, packed = [], []
    for response in responses:
        body, kind = response.body(), response.headers.get("content-type", "")
        sizes.append(len(body))
        packed.append(len(gzip.compress(body)) if is_packed(kind) else len(body))
    tab.close()
    return {"requests": len(sizes), "bytes": sum(sizes), "gzip": sum(packed)}


def draw(browser, address) -> list[float]:
    """Draw a long line with the mouse; return how long each answer took, in ms."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.goto(address)
    tab.locator("#draw-pad").scroll_into_view_if_needed()
    tab.wait_for_function("layers")
    tab.evaluate(NOTE_TIMES)
    field = tab.locator("#draw-pad").bounding_box()
    for step in range(MOVES):
        angle, radius = step / 15, (0.1 + 0.3 * step / MOVES) * field["width"]
        x = field["x"] + field["width"] / 2 + radius * math.cos(angle)
        tab.mouse.move(x, field["y"] + field["height"] / 2 + radius * math.sin(angle))
        if step == 0:
            tab.mouse.down()
    times = tab.evaluate("window.times.slice(1)")
    tab.close()
    return times


def find_lighthouse() -> list[str] | None:
    """Return the command that starts Lighthouse, None where there is none."""
    if (named := os.environ.get("LIGHTHOUSE")) is not None:
        return [named] if named else None
    return [npx, "--yes", "lighthouse@12"] if (npx := shutil.which("npx")) else None


def judge(command, address, runs) -> dict:
    """Return Lighthouse's scores of a page, 0 to 100, on a phone with a slow line."""
    flags = "--headless --no-sandbox"
    options = ["--quiet", "--output=json", f"--chrome-flags={flags}"]
    world = {"CHROME_PATH": editions.find_browser()} | os.environ
    scores = {category: [] for category in CATEGORIES}
    for _ in range(runs):
        done = subprocess.run(
            [*command, address, *options], env=world, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"Lighthouse failed: {done.stderr.strip()[-500:]}")
        found = json.loads(done.stdout)["categories"]
        for category in CATEGORIES:
            scores[category].append(round(100 * (found[category]["score"] or 0)))
    return {category: statistics.median(values) for category, values in scores.items()}


def print_table(rows) -> None:
    """Print what was measured; a dash is what was not."""
    heads = ["requests", "kB", "gzip kB", "fast", "access", "practice", "SEO"]
    print(f"{'first load':22}", *(f"{head:>8}" for head in heads))
    for name, row in rows.items():
        kilobytes = [f"{row[kind] / 1000:.0f}" for kind in ("bytes", "gzip")]
        scores = [row.get(category) for category in CATEGORIES]
        cells = [row["requests"], *kilobytes]
        cells += ["-" if score is None else f"{score:.0f}" for score in scores]
        print(f"{name:22}", *(f"{cell:>8}" for cell in cells))


def main() -> None:
    """Measure, print, and write what was asked for."""
    pages = [*editions.list_pages()]
    some = {"nargs": "+", "choices": pages, "default": pages, "metavar": "PAGE"}
    settings = measuring.parse(__doc__, ("--pages", some), runs=1)
    if not all((SITE / f"{page}.html").exists() for page in pages):
        raise SystemExit(f"pages are missing in {SITE}: run `make book` first")
    command, rows = find_lighthouse(), {}
    if command is None:
        print("left out: Lighthouse, since npx is not installed")
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=editions.find_browser())
        for page in settings.pages:
            rows[page] = load(browser, f"{address}/{page}.html")
        if DRAWING in rows:
            rows[DRAWING]["answers"] = draw(browser, f"{address}/{DRAWING}.html")
        browser.close()
        for page in settings.pages if command else []:
            rows[page] |= judge(command, f"{address}/{page}.html", settings.runs)
    print_table(rows)
    if DRAWING in rows:
        times = rows[DRAWING]["answers"]
        middle, slowest = np.percentile(times, [50, 99])
        print(
            f"an answer while drawing: {middle:.1f} ms, 99 of 100 in {slowest:.1f} ms"
        )
    measuring.write_json(settings.json, {"pages": rows})


if __name__ == "__main__":
    main()
