"""What the pages show of a project, as a reader without a browser sees it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from promptbench.cli.app import run
from promptbench.project import Project
from tests.web.conftest import Viewer

pytestmark = pytest.mark.xdist_group("web")


def words(page: str) -> str:
    """The texts of a page on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2] or page)).split())


def newest(viewer: Viewer) -> str:
    with Project.open(viewer.root, {}).recorded() as runs:
        return runs.run("latest").id


def cases(page: str) -> list[str]:
    return re.findall(r'role="rowheader"><a [^>]*>([^<]*)', page)


def test_home_shows_production_and_the_last_verdict(viewer: Viewer) -> None:
    home = words(viewer.text("/"))
    assert "triage @1 since" in home
    assert "adopted without a verdict" in home
    assert "without a proof" in home
    assert re.search(r"triage ✓ [-\d: ]+PASS PASS ", home)
    assert words(viewer.text("/attention")).startswith("Nothing does")


def test_a_run_shows_its_verdict_and_the_changed_cases_first(viewer: Viewer) -> None:
    name = newest(viewer)
    page = viewer.text(f"/runs/{name}")
    shown = words(page)
    assert re.search(r"PASS .*fixed", shown)
    assert "reproduced:" in shown.lower() or "fixed " in shown
    assert cases(page) == ["charged twice", "late parcel"]
    assert "2 of 3 cases; 1 hidden by the filter. No case got worse." in shown
    assert "baseline: production triage@1 on openai/fake 33 % of 9 first attempts right" in shown
    assert cases(viewer.text(f"/runs/{name}?show=all"))[-1] == "hello"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=PARCEL", ["late parcel"]),  # in its name and its input
        ("q=I+think", ["charged twice", "late parcel"]),  # in an answer
        ("q=%25", []),
        ("show=same", ["hello"]),
        ("show=unknown", ["charged twice", "late parcel"]),
        ("show=failing&q=charged", ["charged twice"]),
        ("page=99&left=x&right=77&hide=0+5", ["charged twice", "late parcel"]),
    ],
)
def test_filters_are_in_the_address(viewer: Viewer, query: str, found: list[str]) -> None:
    page = viewer.text(f"/runs/{newest(viewer)}?{query}")
    assert cases(page) == found


def test_a_part_sets_the_address_without_what_was_cleared(viewer: Viewer) -> None:
    name = newest(viewer)
    answer = viewer.get(f"/runs/{name}?q=parcel&tag=&show=all&page=1", headers={"hx-request": "true"})
    assert answer.headers["hx-push-url"] == f"/runs/{name}?show=all&q=parcel"
    assert answer.text.lstrip().startswith('<div id="grid"')


def test_a_diff_of_two_columns_and_groups_by_cause(viewer: Viewer) -> None:
    page = viewer.text(f"/runs/{newest(viewer)}?diff=1&group=cause&show=failing")
    assert '<ins class="good">' in page
    assert len(re.findall('class="cause-row"', page)) == 1


def test_a_case_shows_everything_about_it(viewer: Viewer) -> None:
    shown = words(viewer.text(f"/runs/{newest(viewer)}/case?name=late+parcel"))
    assert 'Input message My parcel is late expected { "team": "delivery" }' in shown
    assert "2 of 2 Answers" not in shown
    assert "Previous case 2 of 2" in shown
    assert "It is for the billing team, I think." in shown
    assert "Messages of triage.better (candidate) system Answer with JSON. user My parcel is late" in shown
    assert re.search(r"failed json: \S+", shown)
    assert shown.count("triage@1 on openai/fake") > 12  # every attempt, retests included
    assert "In the newest runs" in shown
    assert viewer.get(f"/runs/{newest(viewer)}/case?name=nobody").status_code == 404


def test_the_report_charts_and_progress_of_a_run(viewer: Viewer) -> None:
    name = newest(viewer)
    report = viewer.text(f"/runs/{name}/report")
    assert f'href="/runs/{name}?show=better"' in report
    charts = viewer.get(f"/runs/{name}/charts", headers={"hx-request": "true"}).text
    assert "<title>" in charts
    assert "As a table" in charts
    done = viewer.get(f"/runs/{name}/progress")
    assert done.headers["hx-refresh"] == "true"
    assert viewer.get("/runs/latest").status_code == 200
    assert viewer.get("/runs/99999999-1").status_code == 404


def test_runs_are_sorted(viewer: Viewer) -> None:
    page = viewer.text("/runs?sort=-result")
    assert 'aria-sort="descending"><a href="/runs?sort=result"' in page
    assert words(page).count("triage PASS") == words(viewer.text("/runs")).count("triage PASS") > 0


@pytest.mark.parametrize(("figure", "column"), [("latency", "provider_ms"), ("cost", "cost")])
def test_the_matrix_is_sorted_by_the_figures_of_a_column(judged_copy: Viewer, figure: str, column: str) -> None:
    name = newest(judged_copy)
    with Project.open(judged_copy.root, {}).runs() as runs, runs.transaction() as connection:
        for value, case in ((None, "hello"), (1, "late parcel"), (2, "charged twice")):
            connection.execute(f"UPDATE attempt_row SET {column} = ? WHERE case_name = ?", [value, case])
    up = ["late parcel", "charged twice", "hello"]  # What is unknown is last both ways.
    down = ["charged twice", "late parcel", "hello"]
    for sort, order, direction in ((figure, up, "ascending"), (f"-{figure}", down, "descending")):
        query = f"show=all&sort={sort}+1"
        page = judged_copy.text(f"/runs/{name}?{query}")
        assert (cases(page), page.count(f'aria-sort="{direction}"')) == (order, 1)
        assert f'href="/runs/{name}/case?name=late+parcel&amp;{query.replace("&", "&amp;")}"' in page
        assert f"name={order[1].replace(' ', '+')}&amp;" in judged_copy.text(
            f"/runs/{name}/case?name={order[0].replace(' ', '+')}&{query}"
        )
    assert cases(judged_copy.text(f"/runs/{name}?show=all&sort=latency+7")) == ["charged twice", "late parcel", "hello"]


def test_two_runs_are_compared(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    name = newest(viewer)
    assert "compared with itself" in viewer.get(f"/compare/report?a={name}&b={name}").text
    page = words(viewer.text(f"/compare?a={name}&b={name}&show=all"))
    assert "A: triage@1 on openai/fake" in page
    # The command takes paths of files too; the page takes runs only.
    assert viewer.get("/compare/report?a=suites/triage/triage.better.prompt&b=triage@1").status_code == 404
    assert viewer.get("/compare?a=x").status_code == 404


def test_prompts_have_versions_differences_events_and_proof(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "triage @1 1 triage@1 is now production" in words(viewer.text("/prompts"))
    page = viewer.text("/prompts/triage")
    assert "Which team is this for? {{message}}" in page
    assert "adopted production: @1 by" in words(page)
    assert "has no evidence" in viewer.text("/prompts/triage/proof?version=1")
    for path in ("/prompts/nobody", "/prompts/triage?from=9", "/prompts/triage/proof?version=../x"):
        assert viewer.get(path).status_code == 404


def test_a_promoted_version_has_its_proof_judged_again(judged_copy: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(judged_copy.root)
    assert run(["promote", "triage"]) == 0
    proof = words(judged_copy.text("/prompts/triage/proof"))
    assert "Proof of triage@2 PASS" in proof
    assert "the same verdict" in proof
    page = judged_copy.text("/prompts/triage?from=1&to=2")
    assert '<ins class="good">{{role &#34;system&#34;}}</ins>' in page
    assert "Which team" in page
    assert "The proof" in judged_copy.text("/")


def test_an_empty_project_has_pages(tmp_path: object) -> None:
    from pathlib import Path

    with Viewer(Path(str(tmp_path))) as page:
        for path in ("/", "/attention", "/runs", "/prompts"):
            page.text(path)
        assert page.get("/runs/latest").status_code == 404
        for path in ("/start", "/review"):
            assert "<h1>no suite yet; <code>promptbench init</code> writes one</h1>" in page.get(path).text
        assert not (page.root / ".promptbench").exists()
        assert not (page.root / "prompt_store").exists()


def test_a_suite_that_changed_or_is_gone_leaves_the_run_readable(judged_copy: Viewer) -> None:
    name, suite = newest(judged_copy), judged_copy.root / "suites" / "triage" / "suite.yaml"
    suite.write_text(suite.read_text().replace("I was charged twice", "I was charged three times"))
    assert "have changed since this run" in judged_copy.text(f"/runs/{name}/case?name=charged+twice")
    suite.write_text("suite: [")
    page = judged_copy.text(f"/runs/{name}")
    assert "The inputs cannot be shown: " in page
    assert cases(page) == ["charged twice", "late parcel"]
    suite.unlink()
    assert "Its input cannot be shown" in judged_copy.text(f"/runs/{name}/case?name=charged+twice")
