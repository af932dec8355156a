"""The model behind HTTP: `python suites/nlu/serve.py [PORT]` answers `POST /predict` with `{"text": …}`.

In the settings: `[tool.promptbench.providers.http.endpoints.nlu]`; in a suite or on the command line: `http/nlu`.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model import predict

_MOST_BYTES = 100_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        try:
            if self.path != "/predict" or length > _MOST_BYTES:
                raise ValueError("POST at most 100 KB to /predict")
            variables = json.loads(self.rfile.read(length))
            status, answer = 200, predict({"text": str(variables["text"])})
        except (ValueError, KeyError, TypeError) as error:
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
            self.close_connection = True
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing: promptbench reports what was asked."""


def serve(port: int) -> ThreadingHTTPServer:
    """A server on this machine only; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    serve(int(sys.argv[1]) if len(sys.argv) > 1 else 5005).serve_forever()
