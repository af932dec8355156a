"""Serve the page on the loopback interface until the user stops it."""

import socket
import webbrowser
from collections.abc import Callable
from threading import Thread

import uvicorn

from promptbench.core.errors import EnvironmentFailure
from promptbench.project import Project
from promptbench.web.app import create_app
from promptbench.web.security import Access

PORT = 8788
_LOOPBACK = "127.0.0.1"


def serve(
    open_project: Callable[[], Project],
    *,
    port: int | None,
    read_only: bool,
    open_browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        open_project: opens the project.
        port: the port; None takes 8788, or any free one if that is in use.
        read_only: True if no route changes anything.
        open_browser: True to open the page in the user's browser.
        say: prints a line.

    Raises:
        EnvironmentFailure: the port is in use.
    """
    listening = _listen(port)
    access = Access(listening.getsockname()[1], lambda address: say(f"this browser has access with {address}"))
    app = create_app(open_project, access, read_only=read_only, say=say)
    address = access.new_address()
    say(f"{'Read-only page' if read_only else 'Page'} of {open_project().settings.root}; Ctrl-C ends it\n{address}")
    if open_browser:
        # A text browser would not return before it is closed.
        Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn has ended, and raises the signal once more.
    finally:
        listening.close()


def _listen(port: int | None) -> socket.socket:
    for number in (PORT, 0) if port is None else (port,):
        try:
            # It listens before the address is printed, so that a browser waits, and is not refused.
            return socket.create_server((_LOOPBACK, number))
        except OSError as error:
            failed = error
    raise EnvironmentFailure(
        f"port {port} cannot be used: {failed.strerror}", hint="without --port, a free port is taken"
    )
