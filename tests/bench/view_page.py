"""How soon the page opens and filters a run of many cases, and what the server needs.

    python -m tests.bench.view_page [CASES]

Starts `promptbench view` on a project with a run of as many cases (20,000 by default) in two columns, and opens it in
this machine's browser: the seconds from the command to the first page; from a click to the first paint and the first
rows of the run, at once after the start and then again; of a filter and of a search; from a key in the form of a case
to what it changes, and in the search of cases to what is found, each with the 0.4 and 0.3 s that the page waits for
more keys; and the server's memory before and after 30 pages.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.project import start
from tests.helpers.browser import launched
from tests.helpers.recorded_run import record, write

_PAGES = 30
# The second frame after the rows are there.
_PAINTED = """() => new Promise((done) => {
    const look = () => document.querySelector("[data-row]")
        ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))) : setTimeout(look, 5);
    look();
})"""
# From the click to the second frame after the filter is the current one.
_FILTER = """(selector) => new Promise((done) => {
    const begun = performance.now();
    const look = () => document.querySelector(selector + "[aria-current]")
        ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)))
        : setTimeout(look, 2);
    document.querySelector(selector).click();
    look();
})"""


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        root = write(Path(folder), cases)
        run = record(root)
        begun = time.perf_counter()
        server = start(root, "view", "--no-open", "--port", "0")
        try:
            address = _address(server)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address)
            page.wait_for_selector("h1")
            print(f"from the command to the first page: {time.perf_counter() - begun:.2f} s")
            _measure(page, address.partition("/open")[0], run, server)
        finally:
            server.terminate()
            server.wait(10)


def _measure(page: Any, origin: str, run: str, server: subprocess.Popen[str]) -> None:
    before = _memory(server)
    page.wait_for_timeout(500)
    for when in ("at once", "again"):
        page.goto(f"{origin}/runs/{run}")
        rows = page.evaluate(_PAINTED) / 1000
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
        print(f"{when}: first paint {first:.2f} s, rows {rows:.2f} s after the click")
        page.wait_for_timeout(8000 if when == "at once" else 500)
    link = "a[href*='show={}']"
    shows = ["all", "failing", "same", "worse"]
    taken = [page.evaluate(_FILTER, link.format(show)) for show in shows]
    print(f"filters: {', '.join(f'{show} {ms:.0f} ms' for show, ms in zip(shows, taken, strict=True))}")
    page.goto(f"{origin}/cases/edit?suite=suites/support&name=case+00005")
    page.get_by_text("nothing changes").wait_for()
    typed = [_typed(page, "[name='=vars.message']", f"text {number} of 3", "#preview") for number in (1, 2, 3)]
    page.goto(f"{origin}/cases?suite=suites/support")
    found = [_typed(page, "[name=q]", f"case 0000{number}", "#found tr:only-child a") for number in (1, 2, 3)]
    print(f"a key in a case: {', '.join(typed)}; in the search of cases: {', '.join(found)}")
    first, second = _memory(server), 0.0
    seconds = []
    for number in range(_PAGES):
        begun = time.perf_counter()
        page.goto(f"{origin}/runs/{run}?show=all&page={number + 1}&q=case+{number % 10}")
        seconds.append(time.perf_counter() - begun)
    second = _memory(server)
    print(f"{_PAGES} pages with a search: median {statistics.median(seconds):.2f} s each")
    print(
        f"memory of the server: {before:.0f} MiB, {first:.0f} after the first pages, {second:.0f} after {_PAGES} more"
    )


def _typed(page: Any, field: str, text: str, shown: str) -> str:
    begun = time.perf_counter()
    page.fill(field, text)
    page.locator(shown, has_text=text).first.wait_for()
    return f"{time.perf_counter() - begun:.2f} s"


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"http://\S+", line):
            return found.group()
    raise AssertionError("the server has ended")


def _memory(server: subprocess.Popen[str]) -> float:
    """MiB that the process has in memory; on Linux only."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
