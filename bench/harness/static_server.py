"""A server of files for machines without nginx: the kernel copies them, Python does the rest.

usage: static_server.py DIRECTORY PORT
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers GET with a file below `root`."""

    root: Path
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = (self.root / self.path.lstrip("/")).resolve()
        if not (path.is_file() and path.is_relative_to(self.root)):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with path.open("rb") as file:
            self.connection.sendfile(file)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


if __name__ == "__main__":
    Handler.root = Path(sys.argv[1]).resolve()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
