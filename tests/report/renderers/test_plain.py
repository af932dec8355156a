from __future__ import annotations

from promptbench.report.document import Target
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    check("plain.txt", kit.rendered("plain", [kit.report()], Target(80)))


def test_it_is_the_same_whatever_it_is_written_to() -> None:
    assert kit.rendered("plain", [kit.report()], Target(200, colour=True)) == kit.rendered(
        "plain", [kit.report()], Target(60)
    )
    assert "\x1b" not in kit.rendered("plain", [kit.report()], Target(80, colour=True))
