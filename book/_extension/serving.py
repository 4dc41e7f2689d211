"""Show the built book on this machine as GitHub Pages does on the web: `make serve`."""

import functools
import http.server
import re
import sys
from pathlib import Path


class Handler(http.server.SimpleHTTPRequestHandler):
    """Shows the book's own page at addresses that it does not have."""

    def send_error(self, code, message=None, explain=None):
        """Send 404.html, whose links begin where the book begins: here, at /."""
        page = Path(self.directory, "404.html")
        if code != 404 or not page.is_file():
            return super().send_error(code, message, explain)
        content = re.sub(rb'<base href="[^"]*"', b'<base href="/"', page.read_bytes())
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args):
        """Say nothing of each request."""


def serve(folder, port):
    """Serve the book until somebody presses Ctrl+C."""
    if not Path(folder, "index.html").is_file():
        sys.exit("There is no book yet: run `make book` first.")
    handler = functools.partial(Handler, directory=folder)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        sys.exit(f"Port {port}: {error.strerror}. Take another: make serve PORT=8001")
    print(f"The book: http://localhost:{port} (Ctrl+C ends it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
