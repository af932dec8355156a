"""`promptbench view` as a process: its address, its end, and a port that is taken."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys

import pytest

from tests.helpers.project import ProjectFolder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_the_printed_address_opens_at_once_and_ctrl_c_ends_it(project: ProjectFolder) -> None:
    with project.start("view", "--no-open", "--read-only", "--port", "0") as server:
        _opens_and_ends(server)


def _opens_and_ends(server: subprocess.Popen[str]) -> None:
    assert server.stderr is not None
    assert server.stderr.readline().startswith("Read-only page of ")
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/open\?token=\w+)\n", server.stderr.readline())
    assert found is not None
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]))
    connection.request("GET", found[2])
    answer = connection.getresponse()
    assert (answer.status, answer.headers["server"]) == (200, None)
    connection.close()
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    assert server.stderr.read() == ""


def test_a_port_in_use_is_an_error_with_a_hint(project: ProjectFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = project.run("view", "--no-open", "--port", str(taken.getsockname()[1]))
    assert ended.code == 4
    assert "cannot be used" in ended.err
    assert "hint: without --port, a free port is taken" in ended.err
