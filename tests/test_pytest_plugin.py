"""The cases of suites as tests of pytest, and the fixture for tests in Python."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# In-process runs forget the modules that they were the first to import; these stay.
import promptbench.cli.run
import promptbench.report.diagnostics
from promptbench.cli.app import run
from promptbench.pytest_plugin import _read_spending
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.judge.suite_session import SuiteSession
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import V2, better

pytest_plugins = ["pytester"]

SUITE = """\
suite: triage
prompt: triage.better.prompt
models: [openai/fake]
checks: [json]
cases:
  - case: charged twice
    vars: {message: I was charged twice}
    expect: {team: billing}
    tags: [money]
  - case: late parcel
    vars: {message: My parcel is late}
    expect: {team: delivery, urgent: true}
  - case: "a::b [c]"
    vars: {message: Hello}
    expect: {team: other}
gate: {repeats: 1}
"""
RECORDED = SUITE.replace("openai/fake", "recorded/openai/fake")
CASES = ("charged twice", "late parcel", "a:b [c]")
NAMES = [f"suites/triage/suite.yaml::{name}[recorded/openai/fake]" for name in CASES]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def asked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose suite was run once, so that the answers are kept; from then on it takes the kept ones."""
    root = tmp_path_factory.mktemp("project")
    files = {"suites/triage/suite.yaml": SUITE, "suites/triage/triage.better.prompt": V2}
    with FakeOpenAI(better) as server, contextlib.chdir(root):
        write(root, {**files, "promptbench.toml": f'[providers.openai]\nbase_url = "{server.base_url}"\n'})
        assert run(["run", "suites/triage", "--quiet"]) == 1
    write(root, {"suites/triage/suite.yaml": RECORDED, "promptbench.toml": "", "pytest.ini": "[pytest]\n"})
    return root


@pytest.fixture
def project(asked_once: Path, pytester: pytest.Pytester) -> pytest.Pytester:
    shutil.copytree(asked_once, pytester.path, dirs_exist_ok=True)
    return pytester


def results(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-W", "error", "-p", "no:timeout", "-p", "no:hypothesispytest", *arguments)


def collected(project: pytest.Pytester, *arguments: str) -> list[str]:
    done = results(project, "--collect-only", "-q", *arguments)
    return [line for line in done.outlines if "::" in line]


def test_a_suite_is_collected_where_it_is_named(project: pytest.Pytester) -> None:
    write(project.path, {"tests/test_own.py": "def test_own():\n    pass\n"})
    assert collected(project) == ["tests/test_own.py::test_own"]
    assert collected(project, ".") == collected(project, "tests") == ["tests/test_own.py::test_own"]
    for path in ("suites", "suites/triage", "suites/triage/suite.yaml", str(project.path / "suites")):
        assert collected(project, path) == NAMES
    assert collected(project, "suites", "-p", "no:promptbench") == []
    assert collected(project, "suites/triage/suite.yaml::late parcel") == NAMES[1:2]
    assert collected(project, *NAMES[1:]) == NAMES[1:]


def test_a_suite_is_collected_where_the_settings_say_so(project: pytest.Pytester) -> None:
    shutil.move(project.path / "suites", project.path / "prompts")
    assert collected(project) == collected(project, "prompts") == []
    write(project.path, {"pytest.ini": "[pytest]\npromptbench_suites = prompts/triage other\n"})
    assert collected(project) == [name.replace("suites", "prompts") for name in NAMES]


def test_inside_the_folder_it_is_asked_for(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.path / "pytest.ini").unlink()
    monkeypatch.chdir(project.path / "suites" / "triage")
    assert [name.rpartition("::")[2] for name in collected(project, "suite.yaml")] == [
        name.rpartition("::")[2] for name in NAMES
    ]


def test_a_failure_shows_what_was_expected_and_how_to_see_it_again(project: pytest.Pytester) -> None:
    done = results(project, "suites", "-rA")
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(
        [
            "promptbench: calling models for suites/triage/suite.yaml: recorded/openai/fake 3",
            "expect: urgent is missing",
            "case    late parcel (suites/triage/suite.yaml:10:11)",
            "model   recorded/openai/fake",
            "prompt  triage.better",
            "[-] expected",
            "[+] answer",
            '  team: "delivery"',
            "[-] urgent: true",
            "again: promptbench run suites/triage --case 'late parcel' --model recorded/openai/fake",
            f"   or: pytest '{NAMES[1]}'",
            "FAILED suites/triage/suite.yaml::late parcel?recorded/openai/fake?*",
        ]
    )
    assert "Traceback" not in done.stdout.str()
    assert "pytest_plugin.py" not in done.stdout.str()


def test_no_answer_is_an_error_and_no_failure(project: pytest.Pytester) -> None:
    new = "  - case: new\n    vars: {message: never asked}\n    expect: x\n"
    write(project.path, {"suites/triage/suite.yaml": RECORDED.replace("gate:", f"{new}gate:")})
    done = results(project, "suites", "-k", "new")
    done.assert_outcomes(errors=1, deselected=3)
    done.stdout.fnmatch_lines(["no answer of recorded/openai/fake: no recording of openai/fake for this request*"])


def test_tags_markers_and_the_last_failures(project: pytest.Pytester) -> None:
    assert collected(project, "suites", "-k", "money") == NAMES[:1]
    assert collected(project, "suites", "-m", "not promptbench", "--strict-markers") == []
    results(project, "suites")
    again = results(project, "suites", "--lf")
    again.assert_outcomes(failed=1)


def test_a_case_in_quarantine_is_expected_to_fail_and_another_is_skipped(project: pytest.Pytester) -> None:
    apart = "quarantine: {owner: Support, reason: moody, review by: 2999-12-31}"
    suite = RECORDED.replace("urgent: true}", "urgent: true}\n    " + apart)
    write(
        project.path, {"suites/triage/suite.yaml": suite.replace("{team: other}", "{team: other}\n    skip: renamed")}
    )
    done = results(project, "suites", "-rxs")
    done.assert_outcomes(passed=1, xfailed=1, skipped=1)
    done.stdout.fnmatch_lines(["XFAIL *late parcel* in quarantine: moody (Support)*", "SKIPPED *suite.yaml: renamed"])


def test_a_suite_with_mistakes_is_an_error_with_their_places(project: pytest.Pytester) -> None:
    write(project.path, {"suites/triage/suite.yaml": RECORDED.replace("expect: {team: other}", "expects: x")})
    done = results(project, "suites")
    done.assert_outcomes(errors=1)
    place = "suites/triage/suite.yaml:15:5"
    done.stdout.fnmatch_lines([f"{place}: error*unknown key 'expects'", "1 error"])
    assert "Traceback" not in done.stdout.str()


def test_several_prompts_and_models_have_items_of_their_own(project: pytest.Pytester) -> None:
    write(
        project.path,
        {
            "suites/triage/triage.plain.prompt": "{{message}}\n",
            "suites/triage/suite.yaml": RECORDED.replace("prompt: triage.better.prompt", "prompt: triage.*.prompt")
            .replace("models: [recorded/openai/fake]", "models: [recorded/openai/fake, python/own.py:answer]")
            .replace("  - case: late", "  - case: charged  twice\n    vars: {message: x}\n  - case: late"),
            "suites/triage/own.py": "def answer(variables):\n    return '{}'\n",
            "promptbench.toml": 'python = ["suites/*/*.py"]\n',
        },
    )
    found = [name.rpartition("::")[2] for name in collected(project, "suites", "-k", "charged")]
    models = ["recorded/openai/fake-triage.better", "recorded/openai/fake-triage.plain", "python/own.py:answer"]
    assert found == [f"{name}[{model}]" for name in ("charged twice", "charged  twice") for model in models]


@pytest.fixture
def live(project: pytest.Pytester) -> Iterator[FakeOpenAI]:
    """The project's model itself, behind HTTP."""
    with FakeOpenAI(better) as server:
        settings = f'[providers.openai]\nbase_url = "{server.base_url}"\n'
        write(project.path, {"promptbench.toml": settings, "suites/triage/suite.yaml": SUITE})
        yield server


def test_with_x_nothing_is_asked_that_may_not_be_wanted(project: pytest.Pytester, live: FakeOpenAI) -> None:
    done = results(project, "suites", "-x")
    done.assert_outcomes(passed=1, failed=1)
    assert len(live.received) == 2


@pytest.mark.parametrize("where", ["argument", "setting"])
def test_the_budget_of_all_suites_together_is_kept(project: pytest.Pytester, live: FakeOpenAI, where: str) -> None:
    bound: tuple[str, ...] = ("--promptbench-max-calls=2",)
    if where == "setting":
        write(project.path, {"pytest.ini": "[pytest]\npromptbench_max_calls = 2\n"})
        bound = ()
    done = results(project, "suites", *bound)
    assert len(live.received) == 2
    done.assert_outcomes(passed=1, failed=1, errors=1)
    done.stdout.fnmatch_lines(["no answer of openai/fake: the budget is used up: 2 of 2 calls are made"])


def test_a_bound_on_an_unknown_price_is_refused_before_any_call(project: pytest.Pytester, live: FakeOpenAI) -> None:
    done = results(project, "suites", "--promptbench-max-cost", "$1")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["the price of openai/fake is unknown*", "hint: *--promptbench-max-calls"])
    assert live.received == []


@pytest.mark.slow
def test_a_worker_asks_only_what_it_is_given(project: pytest.Pytester, live: FakeOpenAI) -> None:
    done = results(project, "suites", "-n", "1", "--promptbench-max-calls", "2")
    assert (len(live.received), live.most_at_once) == (2, 1)
    assert sum(done.parseoutcomes().values()) == 3
    assert "2 of 2 calls are made" in done.stdout.str()


def test_workers_share_the_budget(project: pytest.Pytester) -> None:
    config = project.parseconfig("--promptbench-max-calls", "9", "--promptbench-max-cost", "$1")
    assert _read_spending(config) == Spending(1.0, 9)
    config.workerinput = {"workercount": 4}  # type: ignore[attr-defined]
    assert _read_spending(config) == Spending(0.25, 2)


OWN = """
import pytest

def test_check(promptbench):
    found = promptbench.check('{"team": "billing"}', expect={"team": "billing"})
    assert found.rung == "raw"
    promptbench.check("a refund", [{"contains": "refund"}, {"not contains": "sorry"}])

def test_wrong(promptbench):
    promptbench.check('{"team": "billing"}', ["json"], expect={"team": "sales"})

def test_cases(promptbench):
    cases = promptbench.suite("suites/triage")
    assert list(cases) == ["charged twice", "late parcel", "a::b [c]"]
    case = cases["charged twice"]
    assert case.vars["message"] == "I was charged twice"
    assert case.tags == ("money",)
    case.check(case.ask())
    with pytest.raises(AssertionError, match="charged twice fails: expect: team: expected 'billing', got 'sales'"):
        case.check('{"team": "sales"}')

def test_mistake(promptbench):
    promptbench.check("x", [{"contians": "y"}])

def test_nothing(promptbench):
    promptbench.check("x")
"""


def test_tests_in_python_have_a_fixture(project: pytest.Pytester) -> None:
    write(project.path, {"tests/test_own.py": OWN})
    done = results(project, "tests")
    done.assert_outcomes(passed=2, failed=3)
    done.stdout.fnmatch_lines(
        [
            "E *the answer fails: expect: team: expected 'sales', got 'billing'",
            "E *unknown check 'contians'*",
            "E *there is nothing to check*",
        ]
    )
    # The traceback ends in the author's test.
    assert "_held" not in done.stdout.str()


GUIDE = Path(__file__).parents[1] / "promptbench" / "docs" / "guides" / "pytest.md"
SHOP = """
def answer_mail(text):
    return "It will be there tomorrow, we hope that you like it."

def route(text):
    return '{"team": "billing"}'
"""


def test_what_the_guide_shows(project: pytest.Pytester) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    [shown] = re.findall(r"^```text\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert shown in "\n".join(results(project, "suites").outlines)
    [example] = re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    write(project.path, {"tests/test_shop.py": example, "tests/shop.py": SHOP})
    done = results(project, "tests")
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(
        ["E *late parcel fails: expect: team: expected 'delivery', got 'billing'; urgent is missing"]
    )


def test_it_costs_other_projects_nothing(tmp_path: Path) -> None:
    """Loaded in every run of pytest in an environment, it must not import what it may not need."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_other(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('promptbench')\n"
        "    own = sorted(name for name in sys.modules if name.startswith('promptbench'))\n"
        "    assert own == ['promptbench', 'promptbench.pytest_plugin']\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_stays_imported_is_what_the_plugin_uses() -> None:
    assert promptbench.cli.run.run
    assert promptbench.report.diagnostics.render
    assert SuiteSession
