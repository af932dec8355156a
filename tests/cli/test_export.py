"""Data for fine-tuning: its lines, its split, and that a fine-tuned model is not judged on it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from tests.helpers.project import ProjectFolder

LONG = "I have been waiting for the parcel with the lamps since Monday morning and nobody at your company answers"
TUNED = "models: [openai/fake, {model: openai/fake, as: tuned, trained on: tuning.manifest.json}]"


def cases(count: int, **more: Any) -> list[dict[str, Any]]:
    """Cases without anything in common."""
    return [
        {"case": f"order {n}", "vars": {"message": f"parcel {n * 7919} of order {n}"}, "expect": {"team": "delivery"}}
        | more
        for n in range(count)
    ]


def export(project: ProjectFolder, written: list[dict[str, Any]], *options: str, to: str = "tuning") -> dict[str, Any]:
    """Write the cases, export them, and return the manifest."""
    project.write("suites/triage/cases.jsonl", "\n".join(map(json.dumps, written)))
    project.edit("suites/triage/suite.yaml", *_cases_of(project))
    options = options or ("--for", "messages")
    ended = project.run("export", "suites/triage", *options, "-o", f"suites/triage/{to}.jsonl")
    assert ended.code == 0, ended.err
    return json.loads((project.root / f"suites/triage/{to}.manifest.json").read_text(encoding="utf-8"))


def _cases_of(project: ProjectFolder) -> tuple[str, str]:
    text = (project.root / "suites/triage/suite.yaml").read_text(encoding="utf-8")
    start, end = text.index("cases:"), text.index("gate:")
    return text[start:end], "cases: cases.jsonl\n"


def lines(project: ProjectFolder, name: str) -> list[Any]:
    text = (project.root / "suites/triage" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def names(project: ProjectFolder, to: str = "tuning") -> set[str]:
    return {item["case"] for item in lines(project, f"{to}.meta.jsonl")}


MESSAGES = TypeAdapter(list[ChatCompletionMessageParam])


def test_lines_are_what_trainers_read(project: ProjectFolder) -> None:
    written = cases(4, was="It is late", cluster="one", origin={"file": "log.jsonl"})
    marks = [("order 0", "yes", "Ben"), ("order 0", "edit", "Ann"), ("order 3", "no", "Ann")]
    reviews = [{"case": case, "about": "case", "label": label, "reviewer": who} for case, label, who in marks]
    project.write("suites/triage/reviews.jsonl", "\n".join(map(json.dumps, reviews)))
    manifest = export(project, written, "--for", "messages", "--held-out", "0")
    [first, *_] = lines(project, "tuning.jsonl")
    assert first.keys() == {"messages"}
    assert [item["role"] for item in MESSAGES.validate_python(first["messages"])] == ["system", "user", "assistant"]
    assert first["messages"][-1]["content"] == '{"team":"delivery"}'
    assert lines(project, "tuning.meta.jsonl")[0] == {
        "case": "order 0",
        "cluster": "one",
        "origin": {"file": "log.jsonl"},
        "right": "expect",
        "wrong": None,
        "reviewers": ["Ann", "Ben"],
    }
    assert manifest["counts"] == {"cases": 4, "exported": 3, "lines": 3, "held_out": 0}
    assert manifest["discarded"] == {"a reviewer says no": 1}
    assert len(manifest["groups"]["train"]) == 1

    export(project, written, "--for", "preference-openai", "--held-out", "0", to="openai")
    openai = lines(project, "openai.jsonl")[0]
    assert openai.keys() == {"input", "preferred_output", "non_preferred_output"}
    assert MESSAGES.validate_python(openai["input"]["messages"] + openai["preferred_output"])
    assert openai["non_preferred_output"] == [{"role": "assistant", "content": "It is late"}]

    export(project, written, "--for", "preference-trl", "--held-out", "0", to="trl")
    trl = lines(project, "trl.jsonl")[0]
    assert trl == {
        "prompt": openai["input"]["messages"],
        "chosen": openai["preferred_output"],
        "rejected": openai["non_preferred_output"],
    }


def test_a_run_has_right_and_wrong_answers(project: ProjectFolder) -> None:
    project.adopt()
    project.edit("suites/triage/suite.yaml", "    expect: {team: billing}\n", "    checks: [contains: billing]\n")
    assert project.run("run").code == 0
    nothing = project.run("export", "suites/triage", "--for", "preference-trl", "--held-out", "0", "-o", "out.jsonl")
    assert (nothing.code, "no wrong answer is known" in nothing.err) == (7, True)
    ended = project.run(
        "export", "suites/triage", "--for", "preference-trl", "--run", "latest", "--held-out", "0", "-o", "out.jsonl"
    )
    assert ended.code == 0, ended.err
    made = {item["case"]: item for item in map(json.loads, Path("out.meta.jsonl").read_text().splitlines())}
    assert made["charged twice"]["right"] == "run"
    assert made["late parcel"]["right"] == "expect"
    assert {item["wrong"] for item in made.values()} == {"run"}
    rejected = json.loads(Path("out.jsonl").read_text().splitlines()[0])["rejected"][0]["content"]
    assert rejected == "It is for the billing team, I think."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"vars": {"message": f"{LONG} the phone"}}, {"vars": {"message": f"{LONG} the telephone"}}),
        ({"vars": {"message": "where is my parcel?"}}, {"vars": {"message": "My parcel, where is?"}}),
        ({"cluster": "conversation 7"}, {"cluster": "conversation 7"}),
        ({"origin": {"document": "faq.md", "line": 3}}, {"origin": {"document": "faq.md", "line": 9}}),
    ],
    ids=["nearly the same text", "the same words", "one cluster", "one document"],
)
def test_what_leaks_is_on_one_side_and_does_not_run(
    project: ProjectFolder, one: dict[str, Any], other: dict[str, Any]
) -> None:
    written = cases(24)
    # Whichever side the first of the two is on, the other one would be held out in half of all splits by itself.
    pairs = [
        item | extra | {"case": f"{kind} {n}"}
        for n in range(1)
        for kind, item, extra in (("first", written[0], one), ("second", written[1], other))
    ]
    for percent in ("10", "30", "50", "70"):
        export(project, [*pairs, *written[2:]], "--for", "messages", "--held-out", percent, to=f"at{percent}")
        assert len(names(project, f"at{percent}") & {"first 0", "second 0"}) in (0, 2)
    # Trained on the first alone, the model is not judged on the second either.
    export(project, [pairs[0], *written[2:]], "--for", "messages", "--held-out", "0")
    project.edit("suites/triage/suite.yaml", "models: [openai/fake]", TUNED)
    new = {"case": "new", "vars": {"message": "something else entirely, please"}, "expect": {"team": "other"}}
    project.write("suites/triage/cases.jsonl", "\n".join(map(json.dumps, [pairs[1], new])))
    found = project.run("validate", "--json").data["diagnostics"]
    assert [(item["code"], item["message"]) for item in found] == [
        ("PB410", "tuned was trained on 1 of 2 cases, which do not run on it")
    ]


def test_a_case_that_is_held_out_stays_so(project: ProjectFolder) -> None:
    written = cases(40)
    export(project, written, "--for", "messages", "--held-out", "50")
    held = {item["case"] for item in written} - names(project)
    assert 10 <= len(held) <= 30
    near = [
        {**item, "case": f"again {n}", "vars": {"message": item["vars"]["message"].upper()}}
        for n, item in enumerate(written)
    ]
    export(project, [*reversed(written), *near, *cases(60)[40:]], "--for", "messages", "--held-out", "50", to="more")
    assert not held & names(project, "more")
    assert {f"again {n}" for n in range(40)} & names(project, "more") == {
        f"again {n}" for n, item in enumerate(written) if item["case"] in names(project, "more")
    }
    # The same again is the same file, and another one is not overwritten.
    export(project, written, "--for", "messages", "--held-out", "50")
    refused = project.run("export", "suites/triage", "--for", "messages", "-o", "suites/triage/tuning.jsonl")
    assert (refused.code, "exists with other content" in refused.err) == (2, True)


def test_what_another_suite_holds_out_is_held_out(project: ProjectFolder) -> None:
    written = cases(30)
    export(project, written, "--for", "messages", "--held-out", "50")
    held = next(item for item in written if item["case"] not in names(project))
    same = {"case": "the same text", "vars": held["vars"], "cluster": "of its own", "expect": {"team": "delivery"}}
    suite = (project.root / "suites/triage/suite.yaml").read_text(encoding="utf-8")
    project.write("suites/other/suite.yaml", suite.replace("suite: triage", "suite: other"))
    project.write(
        "suites/other/triage.better.prompt", (project.root / "suites/triage/triage.better.prompt").read_text()
    )
    project.write("suites/other/cases.jsonl", json.dumps(same))
    ended = project.run("export", "suites/other", "--for", "messages", "--held-out", "50", "-o", "other.jsonl")
    assert (ended.code, "all are held out" in ended.err) == (7, True)


def test_a_tuned_model_runs_only_what_it_has_not_seen(project: ProjectFolder) -> None:
    export(project, cases(9), "--for", "messages", "--held-out", "40")
    seen = names(project)
    assert 0 < len(seen) < 9
    project.edit("suites/triage/suite.yaml", "models: [openai/fake]", TUNED)
    ended = project.run("run", "--output", "csv=run.csv")
    rows = list(csv.DictReader(Path("run.csv").read_text(encoding="utf-8").splitlines()))
    ran = {model: {row["case"] for row in rows if row["model"] == model} for model in ("openai/fake", "tuned")}
    everything = {item["case"] for item in cases(9)}
    assert ran == {"openai/fake": everything, "tuned": everything - seen}
    assert f"tuned was trained on {len(seen)} of 9 cases, which do not run on it" in ended.out


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, "'tuning.manifest.json' cannot be read as a manifest: No such file or directory"),
        ("[]", "'tuning.manifest.json' cannot be read as a manifest: `promptbench export` did not write it"),
        ('{"promptbench": "export/1", "trained": {"keys": [], "signatures": [[-1, 2]]}}', "did not write it"),
        ('{"promptbench": "export/9", "trained": {"keys": [], "signatures": []}}', "expected the format 'export/1'"),
    ],
)
def test_a_manifest_that_is_none(project: ProjectFolder, written: str | None, message: str) -> None:
    project.edit("suites/triage/suite.yaml", "models: [openai/fake]", TUNED)
    if written:
        project.write("suites/triage/tuning.manifest.json", written)
    ended = project.run("validate")
    assert ended.code == 2
    assert message in ended.err + ended.out
    assert "suite.yaml:3:" in ended.err + ended.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--run", "latest", "-o", "out.jsonl"], "`promptbench run` makes one"),
        (["-o", "no/folder/out.jsonl"], "cannot write no/folder/out.jsonl: No such file or directory"),
        (["-o", "suites"], "cannot write suites: Is a directory"),
    ],
)
def test_what_cannot_be_exported(project: ProjectFolder, options: list[str], message: str) -> None:
    ended = project.run("export", "suites/triage", "--for", "messages", "--held-out", "0", *options)
    assert (ended.code, message in ended.err) == (2, True), ended.err
