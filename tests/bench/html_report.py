"""How large the HTML report is, how long it takes to write, and how soon it opens in a browser.

    python -m tests.bench.html_report [CASES …]

Opens each report several times in this machine's browser, from the command to the first page of the list, with an empty
page beside it, so that what the browser itself takes is known.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from promptbench.report.document import Target
from tests.helpers.browser import launched
from tests.report import kit
from tests.report.explored import report

_TIMES = 5
_EMPTY = "<!DOCTYPE html><html data-ready><title>empty</title>"


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or [1_000, 20_000]
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        empty = Path(folder) / "empty.html"
        empty.write_text(_EMPTY, encoding="utf-8")
        for size in sizes:
            path = Path(folder) / f"{size}.html"
            start = time.perf_counter()
            path.write_text(kit.rendered("html", [report(size)], Target()), encoding="utf-8", newline="\n")
            written = time.perf_counter() - start
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            # In turns, so that both meet the same machine.
            pairs = [(_opened(browser, empty), _opened(browser, path)) for _ in range(_TIMES)]
            nothing, full = (statistics.median(times) for times in zip(*pairs, strict=True))
            size_mb = path.stat().st_size / 1e6
            print(
                f"{size:,} cases: {size_mb:.2f} MB, written in {written:.1f} s, peak {memory:.0f} MB; "
                f"opens in {full:.2f} s, {full / nothing:.1f} times an empty page; {_used(browser, path)}"
            )


def _opened(browser: Any, path: Path) -> float:
    """Seconds from the command until the list is there."""
    page = browser.new_page()
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    taken = time.perf_counter() - start
    page.close()
    return taken


def _used(browser: Any, path: Path) -> str:
    """How long a search takes, and the first look at a case."""
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    start = time.perf_counter()
    page.fill("[data-search]", "case 00999")
    page.wait_for_function("document.querySelectorAll('.list tbody tr').length === 2")
    searched = time.perf_counter() - start
    page.locator(".list tbody a").first.click()
    page.wait_for_selector(".detail h4")
    looked = time.perf_counter() - start - searched
    page.close()
    return f"a search {searched * 1000:.0f} ms, a case {looked * 1000:.0f} ms"


if __name__ == "__main__":
    main()
