"""An HTTP server on loopback that takes its time at each stage of a call: handshake, head, body.

`loopback.pem` is the key and the certificate of nobody but this server.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.helpers.fake_openai import completion

CERTIFICATE = Path(__file__).with_name("loopback.pem")


class StagedServer:
    """The server: a completion at every address. Times are in seconds; `head` may depend on the request's body.

    A connection's handshake is TLS's with `tls`; a plain one has none that a server could delay. `heads` are the first
    lines and headers of the requests that came.
    """

    def __init__(
        self,
        *,
        handshake: float = 0.0,
        head: float | Callable[[bytes], float] = 0.0,
        body: float = 0.0,
        tls: bool = False,
    ) -> None:
        self._handshake = handshake
        self._head = head
        self._body = body
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(CERTIFICATE)
        self.heads: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))

    @property
    def address(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="staged", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=[connection], name="staged", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            time.sleep(self._handshake)
            stream = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with stream, stream.makefile("rwb") as file:
                while lines := list(iter(lambda: file.readline().strip(), b"")):
                    self.heads.append(b"\n".join(lines).decode())
                    sizes = [line.partition(b":")[2] for line in lines if line.lower().startswith(b"content-length:")]
                    asked = file.read(int(sizes[0]) if sizes else 0)
                    time.sleep(self._head(asked) if callable(self._head) else self._head)
                    said = json.dumps(completion("hello")).encode()
                    file.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                    file.write(b"Content-Length: %d\r\n\r\n" % len(said) + said[:10])
                    file.flush()
                    time.sleep(self._body)
                    file.write(said[10:])
                    file.flush()
