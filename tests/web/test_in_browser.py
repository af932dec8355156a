"""The pages in a real browser: nothing that models wrote runs, everybody can use them, with the keyboard too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from promptbench.web.security import Access
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
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.launched() as found:
        yield found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Access, str, list[str]]]:
    """A project with hostile texts in every field, two runs of it, and its server: access, address, names of runs."""
    root = write(tmp_path_factory.mktemp("browser"), 60, repeats=2, texts=TEXTS)
    runs = [record(root, seed) for seed in (1, 2)]
    with browser.serving(root) as access:
        yield access, access.origins[0], runs


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
        self.page.wait_for_load_state("networkidle")

    def paths(self) -> list[str]:
        first, last = self.runs
        return [
            "/",
            "/runs",
            f"/runs/{last}?show=all&diff=1&group=cause",
            f"/runs/{last}/charts",
            f"/compare?a={first}&b={last}&show=all",
            "/prompts",
            "/prompts/support",
            "/prompts/support/proof",
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


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_nothing_that_is_shown_runs(opened: Any, number: int) -> None:
    window = opened()
    page, text, run = window.page, TEXTS[number], window.runs[-1]
    for query in ({"show": "all", "q": text}, {"show": "all", "tag": text, "diff": "1"}, {"left": text, "hide": text}):
        window.go(f"/runs/{run}?{urlencode(query)}")
        page.fill("[type=search]", text)
        page.wait_for_load_state("networkidle")
    window.go(f"/runs/{run}/case?{urlencode({'name': text})}")
    page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    assert page.locator("h1").inner_text().count("\u202e") == 0
    assert page.locator("main [onerror], main [onload], main script, main iframe, main object, main base").count() == 0
    assert page.evaluate("window.ran ?? 'nothing'") == "nothing"
    assert page.url.startswith(window.origin)


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_every_page_is_accessible_and_fits(opened: Any, size: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    window = opened(size, scheme)
    for path in [*window.paths(), f"/runs/{window.runs[-1]}/case?name=case+00030"]:
        window.go(path)
        window.page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
        window.page.wait_for_load_state("networkidle")
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
    page.go_back()
    page.wait_for_url("**/*show=all*")
    window.go(f"/runs/{run}?show=all&q=case+0003")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case?**")
    heading = page.locator("h1").inner_text()
    page.keyboard.press("j")
    page.locator("h1").filter(has_not_text=heading).wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: f"/runs/{run}?" in url and "q=case+0003" in url)
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    assert "".join(page.locator("dialog kbd").all_inner_texts()) == "jkhlEnterEscapedog123cun/?"


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
