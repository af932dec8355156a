"""Bad suite files as people write them, and exactly what they are told: `golden/diagnostics/NAME.yaml` and `.txt`.

PROMPTBENCH_UPDATE_GOLDEN=1 writes the texts anew; look at the difference before committing it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from promptbench.cli.app import run

GOLDEN = Path(__file__).parent / "golden" / "diagnostics"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
WARNINGS = sorted(path.stem for path in GOLDEN.glob("warnings/*.yaml"))
FINE = sorted(path.stem for path in GOLDEN.glob("fine/*.yaml"))
PROMPT = """\
---
output: {schema: {team: string, "(*)": any}}
---
Which team is this for? {{message}}
"""
EXAMPLE = """\
---
output: {schema: {team: string}}
---
{{role "system"}}
Which team is this for: billing, shipping or other?
{{role "user"}}
I was charged twice for March
{{role "model"}}
{"team": "billing"}
{{role "user"}}
{{message}}
"""
CHOICE = """\
---
config: {maxOutputTokens: 400}
output: {schema: {"team(enum)": [Billing, shipping]}}
---
Which team is this for? {{message}}
"""
SETTINGS = """\
[providers.openai]
base_url = "http://127.0.0.1:9/v1"
[providers.openai_compatible.servers.small]
base_url = "http://127.0.0.1:9/v1"
context_window = 512
"""
GOOD = """\
suite: triage
prompt: triage.prompt
models: [openai/gpt-5-mini]
cases:
  - case: charged twice
    vars: {message: I was charged twice}
    expect: {team: billing}
    checks: [json]
"""
PASSING = '{"promptbench": "call/1", "id": "c1", "vars": {"message": "hi"}, "answer": "{}"}\n'
BROKEN = PASSING + '{"promptbench": "call/1", "id": "c2", "vars": {"mess\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose suite is still to be written; returns the suite's folder."""
    folder = tmp_path / "suites" / "triage"
    folder.mkdir(parents=True)
    (tmp_path / "promptbench.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "triage.prompt").write_text(PROMPT, encoding="utf-8")
    (folder / "triage.example.prompt").write_text(EXAMPLE, encoding="utf-8")
    (folder / "triage.choice.prompt").write_text(CHOICE, encoding="utf-8")
    (folder / "passing.jsonl").write_text(PASSING, encoding="utf-8")
    (folder / "broken.jsonl").write_text(BROKEN, encoding="utf-8")
    (folder / "notes.txt").write_text("call the customer back\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


def validated(capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """Return what `promptbench validate` prints above the count; it must end with `code` and without a traceback."""
    ended = run(["validate"])
    text = capsys.readouterr()
    assert ended == code, text.err
    assert "Traceback" not in text.err
    return "".join(text.out.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize("name", NAMES)
def test_says_what_is_wrong_and_what_to_write(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "suite.yaml").write_bytes((GOLDEN / f"{name}.yaml").read_bytes())
    compare(validated(capsys), GOLDEN / f"{name}.txt")


@pytest.mark.parametrize("name", WARNINGS)
def test_warns_of_what_is_likely_meant_otherwise(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "suite.yaml").write_bytes((GOLDEN / "warnings" / f"{name}.yaml").read_bytes())
    compare(validated(capsys, code=0), GOLDEN / "warnings" / f"{name}.txt")


@pytest.mark.parametrize("name", FINE)
def test_what_other_readers_of_yaml_get_wrong_is_read_as_it_is_meant(
    name: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file proves it by itself: what 'should be' passes, and what 'was' fails."""
    (project / "suite.yaml").write_bytes((GOLDEN / "fine" / f"{name}.yaml").read_bytes())
    assert validated(capsys, code=0) == ""


def compare(said: str, golden: Path) -> None:
    if os.environ.get("PROMPTBENCH_UPDATE_GOLDEN"):
        golden.write_text(said, encoding="utf-8", newline="\n")
    assert said == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "this is not a text file"),
        ("suite: café\n".encode("latin-1"), "the file is not UTF-8 text"),
        (b" \n\t\n", "the file is empty"),
        (b"cases:\n" + b"  - case: x\n" * 900_000, "the file is larger than 8 MB"),
        (b"\xff\xfes", "the file is not UTF-8 text"),
        (b"a: " + b"[" * 100_000, "nested too deeply"),
    ],
    ids=["binary", "latin-1", "blank", "10 MB", "half of UTF-16", "deep"],
)
def test_a_file_that_is_no_text_for_people_gets_one_message(
    content: bytes, said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "suite.yaml").write_bytes(content)
    text = validated(capsys)
    assert said in text
    assert text.count("error[") == 1
    assert len(text) < 400


def test_a_folder_called_suite(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "suite.yaml").mkdir()
    assert "this is a folder, not a file" in validated(capsys)


def test_a_missing_key_is_told_with_the_line_that_sets_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project.parents[1] / "promptbench.toml").write_text("", encoding="utf-8")
    (project / "suite.yaml").write_text(GOOD, encoding="utf-8")
    said = validated(capsys)
    assert "the environment variable OPENAI_API_KEY is not set" in said
    assert "export OPENAI_API_KEY=" in said


def test_what_cannot_fit_into_the_window_is_not_asked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("openai/gpt-5-mini", "openai_compatible/small/m")
    (project / "suite.yaml").write_text(text.replace("charged twice}", f"charged {'again ' * 510}}}"), encoding="utf-8")
    said = validated(capsys)
    assert "suite.yaml:6:5: error[PB307] triage.prompt with the case 'charged twice' has 518 words" in said


def test_a_good_suite_has_nothing_to_say(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "suite.yaml").write_text(GOOD, encoding="utf-8")
    assert validated(capsys, code=0) == ""


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_editors_do_to_a_file_is_no_mistake(
    encoding: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "suite.yaml").write_bytes(GOOD.replace("\n", "\r\n").encode(encoding))
    assert validated(capsys, code=0) == ""


def test_json_tells_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "suite.yaml").write_text(GOOD.replace("expect:", "expct:"), encoding="utf-8")
    assert run(["validate", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["valid"] is False
    assert [(item["line"], item["column"], item["length"], item["code"]) for item in said["diagnostics"]] == [
        (7, 5, 5, "PB201")
    ]


@pytest.mark.parametrize(
    "name", ["x" * 5000 + ".prompt", "a\0b.prompt", "/etc/passwd", "../../../etc/passwd", "\\\\host\\x"]
)
@pytest.mark.parametrize("key", ["prompt", "log"])
def test_no_name_of_a_file_gets_out_or_breaks_anything(
    name: str, key: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"{key}: {json.dumps(name)}\n"
    (project / "suite.yaml").write_text(
        GOOD.replace("prompt: triage.prompt\n", line) if key == "prompt" else GOOD + line, encoding="utf-8"
    )
    said = validated(capsys)
    assert "PB207" in said or "PB206" in said


def test_a_link_that_leads_out_of_the_folder_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = project.parents[1] / "secret.prompt"
    secret.write_text("{{message}}", encoding="utf-8")
    (project / "link.prompt").symlink_to(secret)
    for written in ("link.prompt", "'l*.prompt'"):
        (project / "suite.yaml").write_text(GOOD.replace("triage.prompt", written), encoding="utf-8")
        assert "is outside the suite's folder" in validated(capsys)


def test_a_link_that_leads_to_itself_is_no_bug(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "loop.prompt").symlink_to(project / "loop.prompt")
    (project / "suite.yaml").write_text(GOOD.replace("triage.prompt", "loop.prompt"), encoding="utf-8")
    assert "is not a valid file name" in validated(capsys)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_damage_to_a_suite_ends_in_a_bug(
    data: st.DataObject, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD + "gate: {format floor: 98%}\n"
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(DAMAGE)) + text[at + cut :]
    (project / "suite.yaml").write_text(text, encoding="utf-8")
    assert run(["validate"]) in (0, 2)
    capsys.readouterr()


DAMAGE = [
    "",
    "\t",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "#",
    "\n",
    "\n  ",
    "&a ",
    "*a",
    "<<: ",
    "null",
    "1e400",
    "é",
    "~",
    "!!x ",
    "? ",
    "|\n",
    "0",
]
