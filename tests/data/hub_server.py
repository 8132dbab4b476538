"""A small dataset hub on loopback, with the faults that real ones have."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0" * 40


class Hub:
    """Files by path, and what goes wrong with them.

    Attributes:
        files: content by path.
        announced: content that the list of files announces, where it is another one (a wrong checksum).
        gone: paths that the list names and nobody has.
        cut: how often the connection breaks half way, by path.
        slow: seconds before the first byte, by path, once.
        gets: bytes that were asked for: (path, first byte).
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.announced: dict[str, bytes] = {}
        self.gone: set[str] = set()
        self.cut: Counter[str] = Counter()
        self.slow: dict[str, float] = {}
        self.gets: list[tuple[str, int]] = []
        self.address = ""


def _handler(hub: Hub, repo: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            if path.startswith(f"/api/datasets/{repo}/tree/"):
                return self.tree()
            match = re.fullmatch(rf"/datasets/{repo}/resolve/[^/]+/(.+)", path)
            if match is None or match[1] not in hub.files or match[1] in hub.gone:
                return self.fail(404, "EntryNotFound" if match else "RepoNotFound")
            self.file(match[1], body)

        def tree(self) -> None:
            listed = [
                {
                    "type": "file",
                    "path": path,
                    "size": len(content),
                    "oid": "1" * 40,
                    "lfs": {"oid": digest(content), "size": len(content), "pointerSize": 100},
                }
                for path, content in ((p, hub.announced.get(p, c)) for p, c in sorted(hub.files.items()))
            ]
            self.send(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})

        def file(self, path: str, body: bool) -> None:
            content = hub.files[path]
            first = int(m[1]) if (m := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
            head = {"ETag": f'"{digest(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if not body:
                return self.send(200, b"", head | {"Content-Length": str(len(content))})
            hub.gets.append((path, first))
            if path in hub.slow:
                time.sleep(hub.slow.pop(path))
            if first:
                head["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            rest = content[first:]
            if hub.cut[path] > 0:
                hub.cut[path] -= 1
                self.send(206 if first else 200, rest[: len(rest) // 2], head | {"Content-Length": str(len(rest))})
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.send(206 if first else 200, rest, head | {"Content-Length": str(len(rest))})

        def fail(self, code: int, kind: str) -> None:
            self.send(code, b"{}", {"X-Error-Code": kind, "Content-Length": "2"})

        def send(self, code: int, content: bytes, head: dict[str, str]) -> None:
            self.send_response(code)
            for name, value in ({"Content-Length": str(len(content))} | head).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return Handler


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def serving(files: dict[str, bytes], repo: str) -> Iterator[Hub]:
    """Serve files as that dataset repository on a free port of 127.0.0.1."""
    hub = Hub(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, repo))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
