"""The page in a real browser: what it looks for, how it is used, and that everybody can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from promptbench.report.document import Target
from tests.helpers import browser
from tests.report import kit
from tests.report.explored import HOSTILE, MODEL, OWN, explored, report

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.skipif(browser.executable() is None, reason="there is no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.launched() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two suites, the first with 240 cases: two models, several packs, many pages, hostile texts."""
    path = tmp_path_factory.mktemp("html") / "report.html"
    both = [report(240), kit.passed(suite="utterances", explored=explored(30))]
    path.write_text(kit.rendered("html", both, Target()), encoding="utf-8", newline="\n")
    return path


class Opened:
    """A page, with what it asked for and what it complained about."""

    def __init__(self, chromium: Any, file: Path, hash: str = "", size: Any = WIDE, scheme: str = "light") -> None:
        self.page = chromium.new_page(viewport=size, color_scheme=scheme)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri() + hash)
        self.page.wait_for_selector("html[data-ready]")

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(f".run:not([hidden]) {selector}").all_inner_texts()

    def choose(self, label: str, value: str) -> None:
        self.page.locator(f".run:not([hidden]) .filters label:has-text('{label}') select").select_option(value)

    def press(self, name: str) -> None:
        self.page.locator(".run:not([hidden])").get_by_role("button", name=name, exact=True).click()

    def names(self) -> list[str]:
        return self.texts(".list tbody a")

    def count(self) -> str:
        return self.texts("[role=status]")[0]

    def shows(self, case: str) -> None:
        """Waits until this case is open."""
        heading = "document.querySelector('.run:not([hidden]) .detail:not([hidden]) h4')"
        self.page.wait_for_function(f"(name) => {heading}?.textContent === oneLine(name)", arg=case)

    def go(self, hash: str) -> None:
        self.page.evaluate("(hash) => { location.hash = hash; }", hash)


@pytest.fixture
def opened(chromium: Any, file: Path) -> Iterator[Any]:
    pages: list[Opened] = []

    def open_(hash: str = "", **words: Any) -> Opened:
        pages.append(Opened(chromium, file, hash, **words))
        return pages[-1]

    yield open_
    for item in pages:
        assert [url for url in item.asked if not url.startswith(("file:", "blob:"))] == []
        assert item.complaints == []
        assert item.page.title() == "triage: FAIL · utterances: PASS"
        item.page.close()


@pytest.mark.slow
def test_filters_and_search_and_pages(opened: Any) -> None:
    page = opened()
    assert page.count() == "1–25 of 480"
    page.choose("Model", MODEL)
    page.choose("State", "broken")
    assert page.count() == "1–25 of 40"
    assert set(page.texts(".list .tag")) == {"broken"}
    page.press("Next")
    assert page.count() == "26–40 of 40"
    page.choose("Tag", "german")
    assert page.count() == "no case is like that"
    page.choose("State", "")
    page.choose("Tag", "")
    page.choose("Worst format", "extracted")
    assert page.count() == "1–25 of 120"
    page.page.locator(".run:not([hidden]) [data-search]").fill("00239")
    assert page.names() == ["case 00239"]


@pytest.mark.slow
def test_a_case_shows_both_answers_with_their_difference_every_attempt_and_the_messages(opened: Any) -> None:
    page = opened(f"#case=case+00009&on={MODEL}")
    page.shows("case 00009")
    heads = page.texts(".answers > div:not([hidden]) h6")
    assert heads == [f"triage@7 on {MODEL} (production)", f"triage.few-shot on {MODEL} (candidate)"]
    assert len(page.texts(".attempts tbody tr:not([hidden])")) == 6
    page.page.locator(".attempts tr:not([hidden]) summary").nth(2).click()
    assert "message 9 speaks of" in page.texts(".attempts details[open] pre")[0]
    page.page.locator(".attempts details[open] summary").click()
    page.page.get_by_text("Messages of triage.few-shot (candidate)").click()
    assert page.texts(".detail details[open] h6") == ["system", "user"]
    assert "customer 9." in page.texts(".detail details[open] pre")[1]
    page.go(f"#case=case+00008&on={MODEL}")
    page.shows("case 00008")
    assert "extracted" in page.texts(".answers .small")[0]
    assert "```" in "".join(page.texts(".answers .bad"))
    page.press("Next case")
    page.shows("case 00014")
    page.press("Back to the list")
    assert page.page.locator(".run:not([hidden]) .detail").is_hidden()


@pytest.mark.slow
def test_an_address_leads_to_what_was_seen(opened: Any) -> None:
    page = opened("#tag=critical&state=fixed&case=case+00014&model=" + MODEL)
    page.shows("case 00014")
    assert page.texts(".list [aria-current] a") == []
    page.go("#tag=german&state=fixed&case=case+00014&model=" + MODEL)
    page.page.wait_for_selector(".list [aria-current] a")
    assert page.texts(".list [aria-current] a") == ["case 00014"]
    assert page.count().endswith(" of 40")
    page.page.get_by_role("link", name="case 00020").first.click()
    page.shows("case 00020")
    page.page.go_back()
    page.shows("case 00014")
    page.go("#case=nobody")
    page.page.get_by_text("There is no such case in this run.").wait_for()


@pytest.mark.slow
def test_it_is_used_with_the_keyboard(opened: Any) -> None:
    page = opened("#q=case+001&model=" + OWN)
    first, second, *_ = page.names()
    for _ in range(2):
        page.page.keyboard.press("j")
    page.shows(second)
    page.page.keyboard.press("k")
    page.shows(first)
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.className") == "detail"
    page.page.keyboard.press("Escape")
    assert page.page.locator(".detail").first.is_hidden()
    assert page.page.evaluate("document.activeElement.textContent") == first
    page.page.keyboard.press("/")
    page.page.keyboard.type("j/")
    assert page.page.locator("[data-search]").first.input_value() == "case 001j/"
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("?")
    assert page.page.locator("dialog").is_visible()


@pytest.mark.slow
def test_hostile_texts_are_shown_and_do_nothing(opened: Any) -> None:
    page = opened()
    for text in HOSTILE:
        # Half a pair has no place in an address.
        address = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        page.go("#" + urlencode({"case": address, "on": MODEL}))
        page.shows(address)
        [name] = page.texts(".detail h4")
        shown = page.texts(".detail")[0]
        for part in re.findall(r"[\w<>/=]{3,}", text):
            assert part in name
            assert part in shown.replace(name, "", 1)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert page.page.locator("img, iframe, object, main script:not([type])").count() == 0


@pytest.mark.slow
def test_the_policy_lets_nothing_in(chromium: Any, file: Path) -> None:
    """Even if something got into the page as markup, it would neither run nor load."""
    page = chromium.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    ran = page.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.ran = 'inline'";
            document.body.append(script);
            const box = document.createElement("div");
            box.innerHTML = `<img src="data:," onerror="window.ran = 'handler'"><b style="color: red">b</b>`;
            document.body.append(box);
            const loaded = await fetch("http://127.0.0.1:9/").then(() => "loaded", () => "refused");
            await new Promise((done) => setTimeout(done, 50));
            return [window.ran ?? "nothing", loaded, getComputedStyle(box.querySelector("b")).color];
        }"""
    )
    assert ran[:2] == ["nothing", "refused"]
    assert ran[2] != "rgb(255, 0, 0)"
    violations = "\n".join(refused)
    for directive in ("script-src", "style-src", "default-src"):
        assert directive in violations
    page.close()


@pytest.mark.slow
def test_another_suite_is_a_link_away(opened: Any) -> None:
    page = opened()
    page.page.get_by_role("link", name="PASS utterances").click()
    page.page.wait_for_selector("#run-0", state="hidden")
    page.page.wait_for_selector("#run-1 .list tbody a")
    assert page.count() == "1–25 of 60"
    page.page.keyboard.press("j")
    page.page.wait_for_selector("#run-1 .detail h4")


@pytest.mark.slow
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_it_is_accessible_and_fits(opened: Any, size: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(f"#case=case+00008&on={MODEL}", size=size, scheme=scheme)
    page.shows("case 00008")
    page.page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    found = axe.run(page.page)
    assert found.response["violations"] == [], found.generate_report()
    assert page.page.evaluate("document.documentElement.scrollWidth") == size["width"]


@pytest.mark.slow
def test_on_paper_it_is_light_and_has_no_buttons(opened: Any) -> None:
    page = opened()
    page.page.get_by_role("button", name="Dark").click()
    page.page.emulate_media(media="print")
    assert not page.page.locator("button:visible, input:visible, select:visible").count()
    assert page.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 39)"
    assert page.page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.slow
def test_the_theme_can_be_changed(opened: Any) -> None:
    page = opened(scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.page.evaluate(colour)
    page.page.get_by_role("button", name="Light").click()
    assert page.page.evaluate(colour) != dark
    assert page.page.get_by_role("button", name="Dark").is_visible()


@pytest.mark.slow
def test_without_scripts_the_overview_is_there(chromium: Any, file: Path) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(file.as_uri())
    assert page.get_by_role("heading", name="2 cases broken").first.is_visible()
    assert page.locator("svg").first.is_visible()
    assert page.get_by_text("The list of cases needs JavaScript.").first.is_visible()
    page.close()
