"""`--output html=FILE`: what the page holds of a real run."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

from markupsafe import escape

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder, better, right

_DATA = r'<script type="application/octet-stream" id="data-0-(\w+)">([^<]*)</script>'


def _page(project: ProjectFolder, server: FakeOpenAI) -> str:
    """The candidate mends two cases and breaks one; the suite has run before."""
    project.adopt()
    assert project.run("run", "-q").code == 0
    server.script = lambda body: "no" if "Hello" in str(body) and "JSON" in str(body) else better(body)
    project.edit("suites/triage/suite.yaml", "expect: {team: other}", "expect: {team: other}\n    tags: [greeting]")
    assert project.run("run", "-q", "--output", "html=out/report.html").code == 1
    return (project.root / "out" / "report.html").read_text(encoding="utf-8")


def test_it_holds_all_of_a_real_run(project: ProjectFolder, server: FakeOpenAI) -> None:
    page = _page(project, server)
    _holds_every_case_attempt_and_message(page)
    assert "<h2>1 case broken: &#39;hello&#39;" in page
    assert re.search(r'<th scope="row">candidate</th>.*<td class="n">2</td><td class="n">1</td>', page)
    for title in ("Latency", "Format ladder", "History"):
        assert f"<h4>{title}</h4>" in page
    assert page.count("<svg") == 3
    assert "<ins>+{{role &#34;system&#34;}}\n</ins>" in page  # The line break is within the block: no empty line.


def _holds_every_case_attempt_and_message(page: str) -> None:
    data: dict[str, Any] = {
        name: json.loads(gzip.decompress(base64.b64decode(text))) for name, text in re.findall(_DATA, page)
    }
    index, pack = data["index"], data["0"]
    states = {
        index["names"][case]: index["states"][state] for case, state in zip(index["case"], index["state"], strict=True)
    }
    assert states == {"charged twice": "fixed", "late parcel": "fixed", "hello": "broken"}
    assert index["tags"] == ["greeting"]
    [hello] = [case for case in pack if "<pre" in case and ">Hello<" in case]
    rows = re.findall(r"<tr data-model.*?</tr>", hello, re.DOTALL)
    said = {side: [row for row in rows if f"({side})" in row] for side in ("production", "candidate")}
    # Three tries, and eight more of both because a case looks broken.
    assert [len(found) for found in said.values()] == [39, 39]
    assert all(escape(right("Hello")) in row for row in said["production"])
    assert all('<span class="mono">no</span>' in row for row in said["candidate"])
    shown = " ".join(re.sub("<[^>]+>", " ", hello).split())
    assert "Messages of triage.better (candidate) system Answer with JSON. user Hello" in shown
    assert "expected { &#34;team&#34;: &#34;other&#34; }" in shown
