"""The run record in the Datasette that is installed: as it is, with the metadata that `schema datasette` prints."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import ProjectFolder, better


@pytest.fixture
def two_runs(project: ProjectFolder, server: FakeOpenAI) -> list[str]:
    """Two runs of which the second one is worse, and the record in its file."""
    project.adopt()
    project.run("run", "-q")
    server.script = lambda body: "no idea" if "parcel" in str(body) else better(body)
    project.edit("suites/triage/suite.yaml", "repeats: 3", "repeats: 2")
    project.run("run", "-q")
    return [item["run"] for item in reversed(project.run("runs", "list", "--json").data["runs"])]


def served(project: ProjectFolder, paths: Sequence[str]) -> list[Any]:
    """What Datasette answers: JSON where that was asked for, else the page."""
    from datasette.app import Datasette

    metadata = project.run("schema", "datasette").data

    async def ask() -> list[Any]:
        datasette = Datasette([str(project.root / ".promptbench" / "runs.sqlite")], metadata=metadata)
        await datasette.invoke_startup()
        answers = [await datasette.client.get(path) for path in paths]
        assert [answer.status_code for answer in answers] == [200] * len(paths)
        return [answer.json() if ".json" in path else answer.text for path, answer in zip(paths, answers, strict=True)]

    return asyncio.run(ask())


@pytest.mark.slow
def test_tables_views_and_queries_are_there_and_explained(project: ProjectFolder, two_runs: list[str]) -> None:
    start, database = served(project, ["/", "/runs.json"])
    assert "Start at run_summary" in start
    tables = [table["name"] for table in database["tables"] if not table["hidden"]]
    views = [view["name"] for view in database["views"]]
    described = project.run("schema", "datasette").data["databases"]["runs"]["tables"]
    assert {name for name in (*tables, *views) if not described.get(name, {}).get("description")} == set()
    assert {name for name in described if name != "_sqlite_migrations"} == {*tables, *views}
    for name, page in zip(
        (*tables, *views), served(project, [f"/runs/{name}" for name in (*tables, *views)]), strict=True
    ):
        assert described[name]["description"] in page
    queries = [query["name"] for query in database["queries"]]
    found = served(project, [f"/runs/{name}.json?run=&run_before=" for name in queries])
    assert {name: not data["rows"] for name, data in zip(queries, found, strict=True)} == {
        "broken_since": True,
        "slowest_calls": False,
        "spent_by_day": False,
    }


def test_a_query_says_what_has_become_worse(project: ProjectFolder, two_runs: list[str]) -> None:
    before, now = two_runs
    [rows, newest] = served(
        project,
        [
            f"/runs/broken_since.json?run={now}&run_before={before}&_shape=array",
            "/runs/run_summary.json?_shape=array",
        ],
    )
    assert [(row["case_name"], row["passed"], row["passed_before"]) for row in rows] == [("late parcel", 0, 15)]
    assert [row["run"] for row in newest] == [now, before]
