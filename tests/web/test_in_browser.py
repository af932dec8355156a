"""The pages in a real browser: nothing that others wrote runs, everybody can use them, with the keyboard too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from promptbench.cli.app import run
from promptbench.core.errors import InputError
from promptbench.project import Project
from promptbench.web.security import Access
from promptbench.workflows.store.labels import Who, adopt, force, set_label
from promptbench.workflows.trust.reviews import mark_item, review_items
from tests.helpers import browser
from tests.helpers.recorded_run import record, write

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.executable() is None, reason="there is no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]
RUN = "window.ran = 1"
TEXTS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</pre></template><script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'>",
    f'"><img src=x onerror="{RUN}">',
    f"' onmouseover='{RUN}' x='",
    f'" autofocus onfocus="{RUN}" x="',
    f"<svg onload='{RUN}'>",
    f"<svg><title></title><script>{RUN}</script></svg>",
    "<iframe srcdoc='<script>parent.ran = 1</script>'>",
    f"<a href='javascript:{RUN}'>click</a>",
    f"javascript:{RUN}",
    f"<details open ontoggle='{RUN}'>",
    f"<div hx-get='/' hx-trigger='load' hx-on::load='{RUN}'>",
    "<style>@import 'http://127.0.0.1:9/'</style><base href='//evil.example/'>",
    "<meta http-equiv='refresh' content='0;url=//evil.example'>",
    f"{{{{ 7 * 7 }}}}{{% if 1 %}}<b>{RUN}</b>{{% endif %}}",
    "<form action='//evil.example'><button>Send</button></form>",
    f"<!--<script>{RUN}//-->]]><![CDATA[<script>{RUN}</script>",
    f"\u202e<object data='data:text/html,<script>{RUN}</script>'>\u2066",
)
# In any context, the first that is not escaped would break out of it.
ALL = " ".join(TEXTS)
WRITTEN = (
    "script, iframe, object, base, style, meta, [onerror], [onload], [onfocus], [ontoggle], [onmouseover], [srcdoc]"
)
SUITE, MAIL = "suites/support", "suites/mail"
FORM = f"/cases/edit?suite={SUITE}"
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
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 800}


# The event of a `details` that opens comes before the second frame.
_SETTLED = """() => new Promise((done) => {
    const look = () => document.querySelector(".htmx-request") ? setTimeout(look, 10) : done();
    requestAnimationFrame(() => requestAnimationFrame(look));
})"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.launched() as found:
        yield found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with hostile texts in every field, and two runs of it."""
    root = write(tmp_path_factory.mktemp("browser"), 60, repeats=2, texts=TEXTS)
    suite, better = root / SUITE / "suite.yaml", root / SUITE / "support.better.prompt"
    prompt = better.read_text(encoding="utf-8")
    better.write_text(prompt.replace("Say why", ALL.replace("{{", "{")), encoding="utf-8")
    named = suite.read_text(encoding="utf-8").replace(
        "suite: support", f"suite: {json.dumps(ALL)}\nabout: {json.dumps(ALL)}"
    )
    suite.write_text(named.replace("openai_compatible/local/m0", json.dumps(f"openai_compatible/local/m0 {ALL}")))
    for seed in (1, 2):
        record(root, seed)
    project, who = Project.open(root, {}), Who(ALL, ALL)
    force(project, "support", better, label="production", who=who)
    for item in review_items(project, suite)[:3]:
        for reviewer in (ALL, "Ada"):
            mark_item(suite.parent, item, "fail", reviewer, note=ALL, should_be=ALL)
    (root / "sheet.csv").write_text(
        f"case,review,vars.message,note\n{','.join([_cell(ALL), '', _cell(ALL), _cell(ALL)])}\n"
    )
    started = root / ".promptbench" / "started" / "1.txt"
    started.parent.mkdir()
    started.write_text(ALL, encoding="utf-8")
    facts = {"id": "1", "command": ALL, "words": ["run", ALL, "--prompt", ALL], "at": "2026-11-20T08:00:00Z", "pid": 1}
    started.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
    folder = root / MAIL
    folder.mkdir()
    (folder / "mail.prompt").write_text(prompt, encoding="utf-8")
    (folder / "suite.yaml").write_text(_MAIL, encoding="utf-8")
    return root


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def calls(root: Path) -> dict[str, str]:
    """The ids of imported calls by their names, with hostile texts in every field, and one that is plain."""
    texts = dict(enumerate(TEXTS)) | {99: "Where is the parcel of yesterday?"}
    lines = [
        {"promptbench": "call/1", "id": f"call {number} {text}", "vars": {"message": text, text: text}, "answer": text}
        | {"failed": text, "messages": [{"role": "user", "content": text}], "model": text, "tags": [text]}
        | {"prompt": text, "finish_reason": text, "expected": text, "extra": {text: text}}
        for number, text in texts.items()
    ]
    log = root / f"{TEXTS[3]}.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert run(["import", log.name]) == 0
    with Project.open(root, {}).runs() as runs:
        return {name.split()[1]: runs.calls().get(name).id for name in (line["id"] for line in lines)}


@pytest.fixture(scope="module")
def served(root: Path, calls: dict[str, str]) -> Iterator[tuple[Access, str, list[str]]]:
    """The server of the project: access, address, names of runs."""
    with Project.open(root, {}).recorded() as runs, browser.serving(root) as access:
        yield access, access.origins[0], [item.run for item in reversed(runs.grid().verdicts())]


class Opened:
    """A window, with what it asked for and what it complained about."""

    def __init__(self, chromium: Any, served: tuple[Access, str, list[str]], size: Any, scheme: str) -> None:
        access, self.origin, self.runs = served
        self.page = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce").new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.text} {message.location['url']}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(access.new_address())
        self.page.wait_for_selector("main h1")

    def go(self, path: str) -> None:
        self.page.goto(self.origin + path)
        self.settle()

    def settle(self, delay: int = 0) -> None:
        """Wait until no request of htmx is open, nor begins after as many milliseconds."""
        self.page.wait_for_timeout(delay)
        self.page.evaluate(_SETTLED)

    def open_details(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
        self.settle()

    def paths(self) -> list[str]:
        first, last = self.runs
        return [
            "/",
            "/runs",
            f"/runs/{last}?show=all&diff=1&group=cause&sort=-latency+0",
            f"/runs/{last}/charts",
            f"/compare?a={first}&b={last}&show=all",
            "/prompts",
            "/prompts/support",
            "/prompts/support/proof",
        ]

    def other_paths(self) -> list[str]:
        return [
            "/cases",
            "/logs",
            "/logs?show=all",
            "/prompts/support?from=1&to=2",
            "/prompts/support/change",
            f"/review?{urlencode({'suite': SUITE, 'reviewer': ALL, 'n': 0})}",
            f"/review?suite={SUITE}&sheet=sheet.csv",
            f"/start?suite={SUITE}",
            "/started/1",
        ]

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.textContent.trim()"))


@pytest.fixture
def opened(chromium: Any, served: tuple[Access, str, list[str]]) -> Iterator[Any]:
    windows: list[Opened] = []

    def open_(size: Any = WIDE, scheme: str = "light") -> Opened:
        windows.append(Opened(chromium, served, size, scheme))
        return windows[-1]

    yield open_
    for item in windows:
        assert [url for url in item.asked if not url.startswith((item.origin, "data:", "chrome"))] == []
        assert item.complaints == []
        item.page.close()


def test_nothing_that_is_shown_or_written_runs(opened: Any, calls: dict[str, str]) -> None:
    window = opened()
    page, newest = window.page, window.runs[-1]

    def harmless(path: str, heading: bool = True) -> None:
        window.go(path)
        window.open_details()
        assert page.locator(WRITTEN).and_(page.locator("main *")).count() == 0, path
        assert page.evaluate("window.ran ?? 'nothing'") == "nothing", path
        assert page.url.startswith(window.origin)

    for path in [*window.paths(), *window.other_paths()]:
        harmless(path)
    for words in ({"show": "all", "q": ALL, "tag": ALL}, {"suite": ALL}, {"saved": ALL, "reviewer": ALL, "sheet": ALL}):
        for area in ("/runs", f"/runs/{newest}", "/cases", "/logs", "/review", "/start"):
            harmless(f"{area}?{urlencode(words)}")
    for path in ("/prompts/{}", "/prompts/support?from={}", "/prompts/support/proof?version={}", "/runs/{}", "/{}"):
        harmless(path.format(quote(ALL, safe="")))
    for number, text in enumerate(TEXTS):
        harmless(f"/runs/{newest}?{urlencode({'show': 'all', 'q': text, 'tag': text, 'diff': '1'})}")
        page.fill("[type=search]", text)
        harmless(f"/runs/{newest}/case?{urlencode({'name': text})}")
        assert page.locator("h1").inner_text().count("\u202e") == 0
        harmless(f"/logs/calls/{calls[str(number)]}?suite={MAIL}")
        page.fill("[name=check]", text)
        window.settle(500)
        assert page.locator("#proof > *").count()
        assert page.locator(WRITTEN).and_(page.locator("main *")).count() == 0
        harmless(f"{FORM}&{urlencode({'name': text})}")
        for field in page.locator("#case textarea, #case input:not([type=hidden])").all():
            field.fill(text)
        page.get_by_text("errors Each is at its field").or_(page.get_by_text("valid")).first.wait_for()
        assert page.locator(WRITTEN).and_(page.locator("main *")).count() == 0
        assert page.evaluate("window.ran ?? 'nothing'") == "nothing"
    # The browser reports the status of what is not found.
    window.complaints[:] = [item for item in window.complaints if "Failed to load resource" not in item]


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_names_are_refused_where_names_are_paths(root: Path, text: str) -> None:
    project, who = Project.open(root, {}), Who("Ada", "in use")
    file = root / MAIL / f"{text.replace('/', '')}.prompt"
    file.write_text("{{message}}", encoding="utf-8")
    try:
        with pytest.raises(InputError, match="invalid prompt name"):
            adopt(project, file, label="production", who=who)
        with pytest.raises(InputError, match="invalid label"):
            set_label(project, "support@1", text, who=who)
    finally:
        file.unlink()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_every_page_is_accessible_and_fits(opened: Any, calls: dict[str, str], size: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    window = opened(size, scheme)
    one = [f"/runs/{window.runs[-1]}/case?name=case+00030", f"/logs/calls/{calls['99']}?suite={MAIL}"]
    for path in [*window.paths(), *window.other_paths(), *one, FORM, f"{FORM}&name=case+00030"]:
        window.go(path)
        if path.startswith(FORM):
            window.page.select_option('[name="=check"]', "contains")
            window.page.fill('[name="value"]', "[open")
            window.page.get_by_text("is not closed").wait_for()
        window.open_details()
        found = axe.run(window.page)
        assert found.response["violations"] == [], f"{path}\n{found.generate_report()}"
        assert window.page.evaluate("document.documentElement.scrollWidth") == size["width"], path


def test_it_is_used_with_the_keyboard(opened: Any) -> None:
    window = opened()
    page, run = window.page, window.runs[-1]
    window.go(f"/runs/{run}?show=all")
    names = page.locator("[role=rowheader] a").all_inner_texts()
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert window.focused() == names[1].strip()
    page.keyboard.press("ArrowUp")
    assert window.focused() == names[0].strip()
    page.keyboard.press("/")
    page.keyboard.type("jo?")
    assert page.input_value("[type=search]") == "jo?"
    page.keyboard.press("Escape")
    page.wait_for_url("**/*q=jo%3F*")
    window.go(f"/runs/{run}?show=all&q=case+0003")
    page.keyboard.press("d")
    page.wait_for_selector("ins, del")
    assert "diff=1" in page.url
    page.keyboard.press("o")
    page.wait_for_url("**/*show=changed*")
    with page.expect_event("load"):  # Back loads the page anew.
        page.go_back()
    page.wait_for_url("**/*show=all*")
    window.go(f"/runs/{run}?show=all&q=case+0003")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case?**")
    heading = page.locator("h1").inner_text()
    page.get_by_role("button", name="time").press("Enter")
    page.get_by_role("button", name="time").press("Enter")
    assert page.get_by_role("columnheader", name="time").get_attribute("aria-sort") == "descending"
    times = page.locator("td[data-head=time]").evaluate_all("(cells) => cells.map((cell) => +cell.dataset.value)")
    assert times == sorted(times, reverse=True)
    page.keyboard.press("j")
    page.locator("h1").filter(has_not_text=heading).wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: f"/runs/{run}?" in url and "q=case+0003" in url)
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    assert "".join(page.locator("dialog kbd").all_inner_texts()) == "jkhlEnterEscapedog123cun/?"


def test_answers_are_reviewed_with_the_keyboard_by_two(opened: Any) -> None:
    window = opened()
    page, keys = window.page, window.page.keyboard
    pressed = {"Ann": ("1", "2", "3", "1", "1"), "Bob": ("1", "2", "1", "1", "2")}
    for reviewer, marks in pressed.items():
        window.go(f"/review?suite={SUITE}&reviewer={reviewer}")
        for number, key in enumerate(marks, start=2):
            keys.press("c")
            keys.type("2 words")
            keys.press("Enter")  # It says nothing about the answer, so it is no mark.
            keys.press("Escape")
            keys.press(key)
            if key == "3":
                keys.type('{"team": "billing"}')
                keys.press("Tab")
                keys.press("Enter")
            page.get_by_text(f"{number} of 101 answers").wait_for()
    # By hand: 3 of 5 are the same; by chance 3/5 · 3/5 + 2/5 · 2/5 = 13/25; so kappa is (3/5 − 13/25) / (1 − 13/25).
    page.get_by_role("row", name="Ann and Bob 5 0.17").wait_for()
    window.go(f"/review?suite={SUITE}&reviewer=Ann&n=2")
    assert page.input_value("[name='should be']") == '{"team": "billing"}'
    assert page.input_value("[name=note]") == "2 words"
    keys.press("n")
    page.get_by_text("6 of 101 answers").wait_for()


def test_a_server_that_is_gone_is_reported(opened: Any) -> None:
    window = opened()
    window.go(f"/runs/{window.runs[-1]}?show=all")
    window.page.route("**/runs/**", lambda route: route.abort())
    window.page.fill("[type=search]", "case 00031")
    window.page.get_by_role("alert").get_by_text("The server does not answer").wait_for()
    assert window.page.input_value("[type=search]") == "case 00031"
    window.complaints.clear()  # The failed request itself.
    window.page.unroute("**/runs/**")
    window.page.fill("[type=search]", "case 00032")
    window.page.get_by_text("1 of 60 cases").wait_for()
    assert window.page.get_by_role("alert").count() == 0


def test_a_filter_keeps_the_focus_and_what_is_typed(opened: Any) -> None:
    window = opened()
    window.go(f"/runs/{window.runs[-1]}?show=all")
    window.page.locator("[type=search]").press_sequentially("case 00031", delay=60)
    window.page.get_by_text("1 of 60 cases").wait_for()
    assert window.page.input_value("[type=search]") == "case 00031"
    assert window.page.evaluate("document.activeElement.type") == "search"
    window.page.reload()
    assert window.page.input_value("[type=search]") == "case 00031"


def test_a_case_is_written_with_the_keyboard_as_new_case_writes_it(opened: Any, root: Path) -> None:
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
    file = root / SUITE / "cases.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    assert json.loads(lines[-1]) == {
        "case": "written here",
        "vars": {"message": "My parcel is wet: who pays?"},
        "expect": {"team": "delivery"},
        "checks": [{"not contains": "sorry"}],
    }


def test_the_second_of_two_tabs_is_shown_what_the_first_wrote(opened: Any) -> None:
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
