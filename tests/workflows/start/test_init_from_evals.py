"""`init --from`: what exports of evals become, and that each row, grader and key of them is carried over or listed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptbench.cli.app import run
from tests.helpers.subjects import score

Import = Callable[..., tuple[dict[str, Any], dict[str, Any]]]
JUDGE = "openai/gpt-5.4-2026-03-05"


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Import:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")

    def run_import(files: dict[str, str], *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        code = run(["init", "--from", str(tmp_path / next(iter(files))), "--json", *arguments])
        output = capsys.readouterr()
        assert code == 0, output.err
        data = json.loads(output.out)
        items = data["items"].values()
        assert sum(row["listed"] for row in items) == len(data["listed"])
        assert all(item["line"] and item["hint"] for item in data["listed"])
        assert run(["validate"]) == 0
        capsys.readouterr()
        return data, yaml.safe_load(Path(f"suites/{data['suite']}/suite.yaml").read_text(encoding="utf-8"))

    return run_import


def prompt_of(suite: dict[str, Any]) -> str:
    return Path(f"suites/{suite['suite']}/{suite['prompt'][0]}").read_text(encoding="utf-8")


ITEMS = [
    {"ticket": "My screen is black", "label": "Hardware", "must": "hard"},
    {"ticket": "{{Excel}} crashes", "label": "Software", "must": "soft"},
]
ANSWER = "{{ sample.output_text }}"
ASKED = [{"role": "developer", "content": "Rate it."}, {"role": "user", "content": f"{{{{item.must}}}}: {ANSWER}"}]
EVAL = {
    "object": "eval",
    "id": "eval_1",
    "name": "Ticket topics",
    "created_at": 1739314509,
    "data_source_config": {"type": "custom", "schema": {"properties": {"item": {"type": "object"}}}},
    "testing_criteria": [
        {"type": "string_check", "name": "A", "input": ANSWER, "reference": "{{item.label}}", "operation": "eq"},
        {"type": "string_check", "name": "B", "input": "{{item.label}}", "reference": ANSWER, "operation": "ne"},
        {"type": "string_check", "name": "C", "input": ANSWER, "reference": "{{item.must}}", "operation": "like"},
        {"type": "string_check", "name": "D", "input": ANSWER, "reference": "{{item.must}}", "operation": "ilike"},
        {"type": "string_check", "name": "E", "input": "{{item.label}}", "reference": "x", "operation": "eq"},
        {"type": "text_similarity", "name": "F", "input": ANSWER, "reference": "x", "evaluation_metric": "bleu"},
        {"type": "label_model", "name": "G", "model": "o3", "input": ASKED, "labels": ["a"], "passing_labels": ["a"]},
        {"type": "score_model", "name": "H", "input": ASKED, "range": [1, 7], "pass_threshold": 5},
        {"type": "score_model", "name": "I", "input": ASKED},
        {"type": "python", "name": "J", "source": "raise SystemExit('run')"},
    ],
}


def make_run(name: str, source: dict[str, Any]) -> dict[str, Any]:
    content = [{"type": "input_text", "text": "{{ item.ticket }}"}]
    template = [{"role": "developer", "content": "Sort tickets."}, {"role": "user", "content": content}]
    sampling = {"temperature": 0.2, "max_completion_tokens": 100, "response_format": {"type": "text"}, "tools": []}
    sent = {"type": "template", "template": template}
    data = {"type": "responses", "model": "gpt-4.1", "input_messages": sent, "sampling_params": sampling}
    return {"object": "eval.run", "id": name, "eval_id": "eval_1", "data_source": {**data, "source": source}}


def test_an_eval_of_openai_with_its_runs(imported: Import) -> None:
    content = {"type": "file_content", "content": [{"item": ITEMS[0]}]}
    output = {"object": "eval.run.output_item", "eval_id": "eval_1", "datasource_item": ITEMS[0], "sample": {}}
    runs = [
        {"run": make_run("evalrun_1", content), "output_items": [output]},
        {"run": make_run("evalrun_2", {"type": "file_id", "id": "file-1"})},
        {"run": make_run("evalrun_3", {"type": "file_id", "id": "file-2"})},
    ]
    files = {
        "export/eval.json": json.dumps({"eval": EVAL, "runs": runs}, indent=1),
        "export/files/file-1.jsonl": "".join(json.dumps({"item": item}) + "\n" for item in ITEMS),
    }
    data, suite = imported(files, "--judge", JUDGE)
    # Two graders without an equivalent, one that does not compare the answer, one without a threshold.
    assert data["items"]["assertion"] == {"carried": 6, "listed": 4}
    assert data["items"]["row"] == {"carried": 4, "listed": 0}
    assert data["items"]["file"] == {"carried": 1, "listed": 1}
    assert data["items"]["run"] == {"carried": 0, "listed": 3}
    assert [data["items"][kind] for kind in ("provider", "prompt")] == [{"carried": 1, "listed": 0}] * 2
    listed = {item["message"].partition(":")[0] for item in data["listed"]}
    assert listed == {
        "created_at", "schema", "string_check", "text_similarity", "model", "score_model", "python", "a run",
        "response_format", "file-2.jsonl",
    }  # fmt: skip
    assert suite["about"] == "Ticket topics, A, B, C, D, E, F, G, H, I, J"
    assert suite["models"] == [
        {"model": "openai/gpt-4.1", "as": "gpt-4.1", "config": {"maxOutputTokens": 100, "temperature": 0.2}}
    ]
    assert prompt_of(suite) == '{{role "system"}}\nSort tickets.\n{{role "user"}}\n{{ticket}}\n'
    # Runs on the same rows have them once, and texts in them are no templates.
    assert [case["vars"] for case in suite["cases"]] == ITEMS
    *checks, labelled, scored = suite["cases"][0]["checks"]
    like = {"contains": {"all of": "hard", "ignore": "nothing"}}
    assert checks == [{"expect": "Hardware"}, {"not": {"expect": "Hardware"}}, like, {"contains": "hard"}]
    assert labelled["rubric"]["judge"] == scored["rubric"]["judge"] == JUDGE
    assert labelled["rubric"]["passes if"].startswith("Rate it.\n\nhard: (the answer)\n\n")
    assert "at least 5, in the range [1, 7]" in scored["rubric"]["passes if"]


def test_an_eval_of_openai_without_runs_or_a_judge(imported: Import) -> None:
    page = {"object": "list", "data": [EVAL], "has_more": True}
    rows = [{"eval_id": "eval_1", "datasource_item": item, "sample": {"input": []}} for item in ITEMS]
    data, suite = imported({"export/evals.json": json.dumps([page, *rows])})
    assert data["items"]["assertion"] == {"carried": 4, "listed": 6}
    assert data["items"]["prompt"] == {"carried": 0, "listed": 1}
    assert "has_more" in {item["message"].partition(":")[0] for item in data["listed"]}
    # What the graders compare with is not shown to the model.
    assert prompt_of(suite) == "{{ticket}}\n"


def make_registry(kind: str, samples: list[dict[str, Any]], **args: Any) -> dict[str, str]:
    registry = {
        "capitals": {"id": "capitals.dev.v0", "description": "Capitals", "metrics": ["accuracy"]},
        "capitals.dev.v0": {
            "class": f"evals.elsuite.basic.{kind.lower()}:{kind}",
            "args": {"samples_jsonl": "capitals/samples.jsonl", **args},
        },
        "other.dev.v0": {"class": "evals.elsuite.custom:Custom", "args": {}},
    }
    judged = {
        "good": {
            "prompt": "Is {completion} right for {ideal}? {criteria}",
            "choice_strings": ["Yes", "No"],
            "choice_scores": {"Yes": 1.0, "No": 0.0},
            "input_outputs": {"input": "completion"},
        }
    }
    return {
        "registry/evals/capitals.yaml": yaml.safe_dump(registry, sort_keys=False),
        "registry/data/capitals/samples.jsonl": "".join(json.dumps(sample) + "\n" for sample in samples),
        "registry/modelgraded/bad.yaml": "bad: [\n",
        "registry/modelgraded/good.yaml": yaml.safe_dump(judged),
    }


def ask(*texts: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "Name the {capital}."},
        *({"role": "user", "content": text} for text in texts),
    ]


@pytest.mark.parametrize(
    ("kind", "args", "ideal", "good", "bad"),
    [
        ("Match", {}, "Paris (F)", "Paris (F)rance", "It is Paris (F)"),
        ("Match", {}, ["B", "b.c"], "b.c", "bxc"),
        ("Includes", {}, ["Paris", "Lutetia"], "In Lutetia.", "in paris"),
        ("Includes", {"ignore_case": True}, "Paris", "in PARIS", "in Rome"),
        ("FuzzyMatch", {}, "Paris", "In paris!", "Rome"),
        ("JsonMatch", {}, '{"a": [1]}', '{"a": [1]}', '{"a": [1], "b": 2}'),
    ],
)
def test_an_eval_of_openai_evals(
    imported: Import, kind: str, args: dict[str, Any], ideal: Any, good: str, bad: str
) -> None:
    samples = [{"input": ask("France?"), "ideal": ideal, "id_string": "fr"}, {"input": ask("A", "B"), "ideal": []}]
    data, suite = imported(make_registry(kind, [*samples, {"ideal": "x"}], max_tokens=5, **args), "capitals")
    assert data["items"]["row"] == {"carried": 2, "listed": 1}
    assert data["items"]["assertion"] == {"carried": 1, "listed": 1}
    listed = {item["message"].partition(":")[0] for item in data["listed"]}
    assert listed == {kind, "max_tokens", "row 3"}
    assert (suite["suite"], suite["about"]) == ("capitals", "Capitals")
    assert prompt_of(suite) == '{{role "system"}}\nName the {capital}.\n{{history}}\n'
    [first, second] = suite["cases"]
    assert first["messages"] == [{"role": "user", "content": "France?"}]
    assert (first["origin"], "skip" in first, "skip" in second) == ({"id_string": "fr"}, False, True)
    [(name, argument)] = first["checks"][0].items()
    assert score(name, argument, good).passed
    assert not score(name, argument, bad).passed


@pytest.mark.parametrize(
    ("args", "judge", "carried"),
    [
        ({"modelgraded_spec": "good"}, [], 0),
        ({"modelgraded_spec": "good"}, ["--judge", JUDGE], 1),
        ({"modelgraded_spec": "good", "metaeval": True}, ["--judge", JUDGE], 0),
        ({"modelgraded_spec": "missing"}, ["--judge", JUDGE], 0),
    ],
)
def test_a_judged_eval_of_openai_evals(imported: Import, args: dict[str, Any], judge: list[str], carried: int) -> None:
    samples = [{"input": "France?", "ideal": "Paris"}, {"input": "Italy?", "ideal": "Rome"}]
    args = {"modelgraded_spec_args": {"criteria": "Be strict."}, **args}
    data, suite = imported(make_registry("ModelBasedClassify", samples, **args), "capitals.dev.v0"[:8], *judge)
    # It is listed once, and not for each sample.
    assert data["items"]["assertion"] == {"carried": carried, "listed": 1 - carried}
    assert prompt_of(suite) == "{{input}}\n"
    if carried:
        criterion = suite["cases"][1]["checks"][0]["rubric"]["passes if"]
        assert criterion == 'Is (the answer) right for Rome? Be strict.\n\nIt passes if the choice is one of ["Yes"].'


DATASET: list[dict[str, Any]] = [
    {
        "id": "i1",
        "datasetName": "My terms",
        "status": "ACTIVE",
        "input": {"question": "What is ML?", "user lang": "{{en}}"},
        "expectedOutput": {"answer": "Machine learning"},
        "metadata": {"category": "tech"},
        "sourceTraceId": None,
    },
    {"id": "i2", "status": "ARCHIVED", "input": {"question": "15"}, "expectedOutput": "Fifteen"},
    {"id": "i3", "status": "ACTIVE", "input": {"question": "Why?"}, "expectedOutput": None},
    {"id": "i4", "status": "ACTIVE", "input": None, "expectedOutput": "x"},
]


def to_csv(items: list[dict[str, Any]]) -> str:
    # As Langfuse exports it: each cell is JSON.
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerow(items[0])
    rows.writerows([json.dumps(item.get(key) or "") for key in items[0]] for item in items)
    return text.getvalue()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.json", json.dumps(DATASET)),
        ("page.json", json.dumps({"data": DATASET, "meta": {}})),
        ("items.jsonl", "\n".join(map(json.dumps, DATASET)).replace("expectedOutput", "expected_output")),
        ("items.csv", to_csv(DATASET)),
    ],
)
def test_a_dataset_of_langfuse(imported: Import, name: str, text: str) -> None:
    data, suite = imported({f"export/{name}": text})
    assert data["items"]["row"] == {"carried": 3, "listed": 1}
    assert data["items"]["assertion"] == {"carried": 2, "listed": 0}
    assert (suite["suite"], prompt_of(suite)) == (
        "my-terms",
        "---\ninput:\n  default: {user_lang: null}\n---\n{{question}}\n{{user_lang}}\n",
    )
    first, second, third = suite["cases"]
    assert first["vars"] == {"question": "What is ML?", "user_lang": "{{en}}"}
    assert first["checks"] == [{"expect": {"is": {"answer": "Machine learning"}, "fields": "all"}}]
    assert first["origin"] == {"id": "i1", "datasetName": "My terms", "metadata": {"category": "tech"}}
    assert (second["checks"], second["skip"]) == ([{"expect": "Fifteen"}], "archived in Langfuse")
    assert "skip" not in third


def test_chats_of_langfuse_and_many_items(imported: Import) -> None:
    chat = {"messages": [{"role": "user", "content": "Hi", "name": "ann"}]}
    right = {"role": "assistant", "content": "Hello"}
    items = [{"input": chat, "expectedOutput": right}, {"input": [{"role": "tool", "content": "x"}], "datasetId": "d"}]
    data, suite = imported({"export/items.json": json.dumps(items + [{"input": "Bye", "datasetId": "d"}] * 500)})
    assert data["cases"] == 501
    assert suite["cases"] == "cases.jsonl"
    first, *_ = Path("suites/export/cases.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(first)["messages"] == [{"role": "user", "content": "Hi"}]
    assert json.loads(first)["checks"] == [{"expect": "Hello"}]
    assert {item["message"].partition(":")[0] for item in data["listed"]} == {"name", "row 2"}


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        (None, make_registry("Match", []), "the file has 2 evals"),
        ("other.dev.v0", make_registry("Match", []), "other.dev.v0 has no tests or rows of data"),
        ("capitals", make_registry("Match", [], samples_jsonl="../../secret.jsonl"), "has no tests or rows of data"),
        ("capitals", make_registry("Match", [], samples_jsonl="missing.jsonl"), "data/missing.jsonl cannot be read"),
        ("capitals", make_registry("Match", []) | {
            "registry/data/capitals/samples.jsonl": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
        }, "git lfs pull"),
        (None, {"export/e.json": json.dumps([EVAL, {**EVAL, "name": "b"}, {"item": {"a": "b"}}])}, "has 2 evals"),
        (None, {"export/e.json": json.dumps(EVAL)}, "Ticket topics has no tests or rows of data"),
        (None, {"export/e.json": "[1, 2]"}, "e.json has no tests or rows of data"),
    ],
)  # fmt: skip
def test_what_is_refused(
    name: str | None, files: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret.jsonl").write_text('{"input": "secret", "ideal": "x"}\n', encoding="utf-8")
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    folder = tmp_path / "new"
    folder.mkdir()
    arguments = ["--from", str(tmp_path / next(iter(files))), "--dir", str(folder)]
    assert run(["init", *([name] if name else []), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.iterdir())
