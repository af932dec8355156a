"""The pages that write, in a real browser: with the keyboard, with hostile texts in every field, and in two tabs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from promptbench.cli.app import run
from promptbench.project import Project
from tests.helpers import browser
from tests.web.test_in_browser import NARROW, TEXTS, WIDE, chromium, opened, served  # noqa: F401 - fixtures

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.executable() is None, reason="there is no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]
SUITE = "suites/support"
MAIL = "suites/mail"
_MAIL = """\
suite: mail
prompt: mail.prompt
models: [openai_compatible/local/m0]
checks: [json]
cases:
  - case: hello
    vars: {message: Hello}
    expect: {team: other}
"""
FORM = f"/cases/edit?suite={SUITE}"


def newest(folders: pytest.TempPathFactory) -> Path:
    """Return the folder of `served`, which each module has of its own."""
    return max(folders.getbasetemp().glob("browser[0-9]*"), key=lambda path: int(path.name.removeprefix("browser")))


@pytest.fixture(scope="module")
def calls(served: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:  # noqa: F811
    """The ids of imported calls by their names, with hostile texts in every field, and one that is plain."""
    root = newest(tmp_path_factory)
    texts = dict(enumerate(TEXTS)) | {99: "Where is the parcel of yesterday?"}
    folder = root / "suites" / "mail"
    folder.mkdir()
    prompt = (root / SUITE / "support.better.prompt").read_text(encoding="utf-8")
    (folder / "mail.prompt").write_text(prompt, encoding="utf-8")
    (folder / "suite.yaml").write_text(_MAIL, encoding="utf-8")
    lines = [
        {"promptbench": "call/1", "id": f"call {number}", "vars": {"message": text}, "answer": text, "failed": text}
        | {"messages": [{"role": "user", "content": text}], "model": text, "tags": [text]}
        for number, text in texts.items()
    ]
    (root / "calls.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert run(["import", "calls.jsonl"]) == 0
    with Project.open(root, {}).runs() as runs:
        return {name: runs.calls().get(name).id for name in (line["id"] for line in lines)}


def test_nothing_that_is_written_or_shown_runs(opened: Any, calls: dict[str, str]) -> None:  # noqa: F811
    window = opened()
    page = window.page
    for number, text in enumerate(TEXTS):
        window.go(f"/logs?{urlencode({'q': text, 'show': 'all', 'model': text[:9]})}")
        window.go(f"/logs/calls/{calls[f'call {number}']}?suite={MAIL}")
        page.locator("#proof p").first.wait_for()
        window.go(f"/cases?{urlencode({'suite': SUITE, 'q': text})}")
        window.go(f"{FORM}&{urlencode({'name': text})}")
        for field in page.locator("#case textarea, #case input:not([type=hidden])").all():
            field.fill(text)
        page.get_by_text("errors Each is at its field").or_(page.get_by_text("valid")).first.wait_for()
        assert page.locator("main [onerror], main [onload], main script, main iframe, main object").count() == 0
        assert page.evaluate("window.ran ?? 'nothing'") == "nothing"


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_every_page_is_accessible_and_fits(
    opened: Any,  # noqa: F811
    calls: dict[str, str],
    size: Any,
    scheme: str,
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    window = opened(size, scheme)
    call = f"/logs/calls/{calls['call 99']}?suite={MAIL}"
    for path in ("/cases", "/logs", "/logs?show=all", call, FORM, f"{FORM}&name=case+00030"):
        window.go(path)
        if path.startswith(FORM):
            window.page.select_option('[name="=check"]', "contains")
            window.page.fill('[name="value"]', "[open")
            window.page.get_by_text("is not closed").wait_for()
        window.page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
        found = axe.run(window.page)
        assert found.response["violations"] == [], f"{path}\n{found.generate_report()}"
        assert window.page.evaluate("document.documentElement.scrollWidth") == size["width"], path


def test_a_case_is_written_with_the_keyboard_as_new_case_writes_it(
    opened: Any,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    window = opened()
    page, keys = window.page, window.page.keyboard
    window.go(FORM)
    page.focus('[name="=case"]')
    for text in ("written here", "My parcel is wet: who pays?", "delivery", "", "not contains", "sorry"):
        keys.type(text)
        keys.press("Tab")
    page.get_by_text("valid").wait_for()
    command = page.locator("#preview .command").inner_text()
    assert command.startswith(f"promptbench new case {SUITE} --name 'written here' --var 'message=My parcel")
    page.focus('[name="=case"]')
    keys.press("Enter")
    page.get_by_text("written here is in").wait_for()
    [root] = newest(tmp_path_factory).glob("promptbench.toml")
    file = root.parent / SUITE / "cases.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    assert json.loads(lines[-1]) == {
        "case": "written here",
        "vars": {"message": "My parcel is wet: who pays?"},
        "expect": {"team": "delivery"},
        "checks": [{"not contains": "sorry"}],
    }


def test_the_second_of_two_tabs_is_shown_what_the_first_wrote(opened: Any) -> None:  # noqa: F811
    first, second = opened(), opened()
    for window, team in ((first, "billing"), (second, "other")):
        window.go(f"{FORM}&name=case+00031")
        window.page.fill('[name="=expect.team"]', team)
    first.page.locator("button.main").click()
    first.page.get_by_text("case 00031 is in").wait_for()
    second.page.locator("button.main").click()
    second.page.get_by_text("has changed since this form was opened").wait_for()
    second.complaints.clear()  # The browser reports the status 409.
    assert "billing" in second.page.locator("section", has_text="In the file now").first.inner_text()
    second.page.locator("button.main").click()
    second.page.get_by_text("case 00031 is in").wait_for()
