"""A server that answers as the Hugging Face Hub does to whoever pushes a data set."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import yaml


class Hub(ThreadingHTTPServer):
    """Takes everything in one commit, from those with the right token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.made: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Bearer hf_right":
            return self.answer(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            self.server.made.append(asked)
            return self.answer(200, {"url": f"{self.server.address}/datasets/me/{asked['name']}"})
        if self.path == "/api/validate-yaml":
            facts = yaml.safe_load(json.loads(body)["content"].split("---")[1])
            return self.answer(200, {"errors": [] if facts["tags"] else ["none"], "warnings": []})
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            kinds = [{"path": f["path"], "uploadMode": "regular"} for f in asked]
            return self.answer(200, {"files": [k | {"shouldIgnore": False} for k in kinds]})
        if "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = b64decode(line["value"]["content"])
            address = f"{self.server.address}/datasets/me/run/commit/1"
            return self.answer(200, {"commitUrl": address, "commitOid": "1"})
        return self.answer(404, {"error": self.path})

    def do_GET(self) -> None:
        self.answer(404, {"error": self.path})

    def answer(self, status: int, data: object) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Hub]:
    """One of them, while it is needed."""
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
