"""What holds for every report format there is, and for each that will be added."""

from __future__ import annotations

import re

import pytest

from promptbench.cli import options
from promptbench.report.renderers import plugins
from promptbench.report.words import Target
from tests.report import kit

FORMATS = plugins.names()


def test_there_are_formats() -> None:
    assert {"terminal", "plain", "json", "log", "evidence"} <= set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("target", [Target(), Target(60), Target(200, colour=True)])
def test_everything_can_be_rendered_and_written(name: str, target: Target) -> None:
    for report in (kit.report(), kit.passed(), kit.unasked()):
        text = kit.rendered(name, [report], target)
        assert text.encode("utf-8").decode() == text
        assert text.endswith("\n")
        assert "\r" not in text
        assert kit.rendered(name, [report], target) == text


@pytest.mark.parametrize("name", FORMATS)
def test_colour_only_where_it_is_wanted(name: str) -> None:
    assert "\x1b" not in kit.rendered(name, [kit.report()], Target(80, colour=False))


def test_help_names_all_that_come_with_promptbench() -> None:
    assert set(re.split(", | or ", options.FORMATS)) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_it_says_what_it_is_for(name: str) -> None:
    assert plugins.load(name).__doc__
