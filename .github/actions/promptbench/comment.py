"""Write a report as a comment on a pull request, or update the comment that this job wrote before.

Needs the standard library only. GitHub's runner sets the variables GITHUB_…; the action sets TOKEN, PULL_REQUEST and
ARTIFACT. Never fails: a comment that cannot be written is a warning, because the verdict is the job's result.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

_SECONDS = 30
_PER_PAGE = 100


def comment_on(report: Path) -> str:
    """Write the comment, and return what was done."""
    issues = f"/repos/{os.environ['GITHUB_REPOSITORY']}/issues"
    # A job has a comment of its own. GitHub does not show what is between these marks.
    marker = f"<!-- promptbench: {os.environ['GITHUB_WORKFLOW']} / {os.environ['GITHUB_JOB']} -->"
    mine = (
        item["id"]
        for item in _comments(f"{issues}/{os.environ['PULL_REQUEST']}/comments")
        # Not a comment of a person, who may have copied the mark.
        if item["user"]["type"] == "Bot" and item["body"].startswith(marker)
    )
    known = next(mine, None)
    if report.is_file():
        text = report.read_text(encoding="utf-8")
    elif known is None:
        return "there is nothing to report, so no comment was written"
    else:
        text = "promptbench had nothing to judge in the last commit, or could not judge it.\n"
    runs = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}/actions/runs"
    where = f"[run {os.environ['GITHUB_RUN_ID']}]({runs}/{os.environ['GITHUB_RUN_ID']})"
    artifact = f", artifact `{os.environ['ARTIFACT']}`" if os.environ["ARTIFACT"] else ""
    body = {"body": f"{marker}\n{text}\nThe whole report: {where}{artifact}\n"}
    if known is None:
        _call("POST", f"{issues}/{os.environ['PULL_REQUEST']}/comments", body)
        return "wrote the comment"
    _call("PATCH", f"{issues}/comments/{known}", body)
    return "updated the comment"


def _comments(path: str) -> Iterator[dict[str, Any]]:
    page = 1
    while found := _call("GET", f"{path}?per_page={_PER_PAGE}&page={page}"):
        yield from found
        page += 1
        if len(found) < _PER_PAGE:
            return


def _call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Accept": "application/vnd.github+json"}
    data = json.dumps(body).encode() if body else None
    request = Request(os.environ["GITHUB_API_URL"] + path, data, headers, method=method)
    with urlopen(request, timeout=_SECONDS) as response:
        return json.load(response)


if __name__ == "__main__":
    try:
        print(comment_on(Path(sys.argv[1])))
    except (URLError, OSError, ValueError) as error:
        hint = "the job needs `permissions: {pull-requests: write}`, which pull requests of forks never get"
        print(f"::warning title=promptbench::the comment could not be written ({error}); {hint}")
