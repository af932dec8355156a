from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.canonical import canonical
from promptbench.core.types import Attempt, Json
from promptbench.gate.attempt_matrix import AttemptMatrix
from promptbench.gate.drift import Drift
from promptbench.gate.evidence import SuiteProof, evidence, rejudge
from promptbench.gate.judge import GatedModel, Result, judge
from promptbench.gate.policy import Policy, TagPolicy
from promptbench.gate.trial import RULE, LookRecord
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, Cases, attempts, guards, infos, judged
from tests.gate.test_judge import SENTENCES


def part(
    cases: Cases, *, suite: str = "triage", path: str = "suites/triage/suite.yaml", **options: Json
) -> tuple[SuiteProof, list[Attempt]]:
    verdict = judged(cases, **options)
    names = {field.name for field in fields(Policy)}
    policy = Policy(**{key: value for key, value in options.items() if key in names})
    about = SuiteProof(
        suite=suite,
        path=path,
        run="r-1",
        suite_hash="sha256:suite",
        checks_hash="sha256:checks",
        policy=policy,
        models=[GatedModel(MODEL, options.get("deterministic", False))],
        cases=infos(
            cases, **{key: options[key] for key in ("critical", "tagged", "together", "apart") if key in options}
        ),
        verdict=verdict,
        returned_models={MODEL: ["small-2026", "small-2025"]},
        record=LookRecord({MODEL: options.get("looks", (1,))}, rule=options.get("rule", RULE)),
    )
    return about, list(attempts(cases))


def proof_of(*parts: tuple[SuiteProof, list[Attempt]]) -> dict[str, Json]:
    """As it comes out of a store or a file."""
    proof = evidence("triage", parts, tool="promptbench 0", made="2026-11-24T09:30:12.000Z")
    return json.loads(canonical(proof))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", [name for name in SENTENCES if name != "nothing at all"])
def test_every_kind_of_verdict_is_judged_the_same_again(name: str) -> None:
    cases, options, sentence = SENTENCES[name]
    proof = proof_of(part(cases, **options))
    assert rejudge(proof) == []
    assert proof["verdict"]["result"] == sentence.split(":")[0].removesuffix(" about the prompt")


def test_clusters_and_quarantine_are_in_it_and_nothing_without_them() -> None:
    cases = {"t": ("-", "+"), "q": ("+", "-"), **guards(4)}
    options = {"deterministic": True, "together": {"g1": "talk", "g2": "talk"}, "apart": {"q": "2026-12-31"}}
    proof = proof_of(part(cases, **options))
    [suite] = proof["suites"]
    assert suite["clusters"] == {"talk": ["g1", "g2"]}
    assert suite["quarantine"] == {"q": "2026-12-31"}
    assert rejudge(proof) == []
    del suite["quarantine"]
    assert rejudge(proof)[0] == "suite triage: recorded PASS, judged again FAIL"
    [plain] = proof_of(part(cases, deterministic=True))["suites"]
    assert not {"clusters", "quarantine"} & plain.keys()


def test_a_quarantine_that_is_over_is_over_when_it_is_judged_again() -> None:
    cases = {"t": ("-", "+"), "q": ("+", "-"), **guards(4)}
    proof = proof_of(part(cases, deterministic=True, apart={"q": "2026-11-23"}))
    assert proof["verdict"]["result"] == "INCONCLUSIVE"
    assert rejudge(proof) == []
    proof["suites"][0]["quarantine"]["q"] = "2026-11-25"
    assert rejudge(proof)[0] == "suite triage: recorded INCONCLUSIVE, judged again PASS"


def test_drift_is_in_it() -> None:
    cases = {"a": ("+", "+")}
    about, lines = part(cases, deterministic=True)
    worse = Drift("promoted on 2026-11-01", 1.0, 0.8, worse=8, better=0)
    [model] = (
        judge(
            AttemptMatrix(lines),
            champion=CANDIDATE,
            candidate=CANDIDATE,
            models=about.models,
            cases=about.cases,
            policy=about.policy,
            asked_all=True,
            drifts={MODEL: worse},
        ),
    )
    proof = proof_of((replace(about, verdict=model), lines))
    assert proof["suites"][0]["models"][0]["drift"]["worse"] == 8
    assert rejudge(proof) == []
    proof["suites"][0]["models"][0]["drift"]["worse"] = 0
    assert rejudge(proof) == ["suite triage: recorded FAIL, judged again PASS"]


PASS, FAIL = "+" * 15, "-" * 15
PASSED = {"t1": (FAIL, PASS), "t2": (FAIL, PASS), "u": (PASS, "-" + "+" * 14), **guards(3, "+++")}
FAILED = {"t1": ("-", "+"), "b": ("+", "-"), "c": ("+", "-"), **guards(3)}


def test_what_it_says() -> None:
    proof = proof_of(part(PASSED, critical="t1"))
    assert {key: value for key, value in proof.items() if key not in ("suites", "attempts", "verdict")} == {
        "schema_version": 1,
        "prompt": "triage",
        "candidate": CANDIDATE,
        "champion": CHAMPION,
        "tool": "promptbench 0",
        "made": "2026-11-24T09:30:12.000Z",
    }
    assert proof["verdict"]["result"] == "PASS"
    assert proof["verdict"]["initial"] is False
    [suite] = proof["suites"]
    assert suite["critical"] == ["t1"]
    assert suite["cases"] == list(PASSED)
    assert suite["policy"] == Policy().as_dict()
    [model] = suite["models"]
    assert model["returned"] == ["small-2025", "small-2026"]
    assert model["flips"] == {"fixed": 2, "flaky": 1, "still passing": 3}
    assert len(proof["attempts"]) == 2 * (15 + 15 + 15 + 3 * 3)
    assert proof["attempts"][0]["prompt"] in ("champion", "candidate")
    assert proof["attempts"][0]["answer"].startswith("sha256:")


def test_the_figures_behind_the_words_are_in_it() -> None:
    [model] = proof_of(part(PASSED))["suites"][0]["models"]
    assert model["attempts"]["candidate"] == {"answered": 54, "errored": 0}
    assert model["bounds"] == [
        {"tag": "", "margin": None, "clusters": 4, "loss": None, "breaks": pytest.approx(0.5271292)}
    ]
    held = {**guards(93, "+++"), "t": (FAIL, PASS)}
    proof = proof_of(part(held, margin=0.05, tags={"t": TagPolicy(margin=0.4)}, tagged="g1 g2"))
    everybody, tagged = proof["suites"][0]["models"][0]["bounds"]
    assert (everybody["tag"], everybody["margin"], everybody["clusters"]) == ("", 0.05, 93)
    assert 0.03 < everybody["breaks"] < 0.05
    assert 0 < everybody["loss"] < 0.05
    assert (tagged["tag"], tagged["margin"], tagged["clusters"]) == ("t", 0.4, 2)
    assert rejudge(proof) == []
    everybody["breaks"] = 0.001
    assert "bounds on local/small" in rejudge(proof)[0]


def test_ladder_and_prices_are_in_it() -> None:
    about, lines = part(PASSED)
    [suite] = proof_of((replace(about, ladder="sha256:l", prices={"file_hash": "sha256:p"}), lines))["suites"]
    assert (suite["ladder"], suite["prices"]) == ("sha256:l", {"file_hash": "sha256:p"})


def test_attempts_of_other_candidates_and_baselines_are_no_part() -> None:
    about, mine = part(FAILED, deterministic=True)
    others = list(attempts(FAILED, variants=("", "sha256:other")))
    proof = evidence("triage", [(about, mine + others)], tool="", made="")
    assert len(proof["attempts"]) == len(mine)


def test_champion_against_itself() -> None:
    cases = dict.fromkeys(("a", "b"), ("", "+"))
    proof = proof_of(part(cases, champion=CANDIDATE, deterministic=True))
    assert proof["champion"] == proof["candidate"]
    assert {line["prompt"] for line in proof["attempts"]} == {"champion"}
    assert proof["verdict"]["initial"] is False
    assert rejudge(proof) == []
    proof["attempts"][0]["outcome"] = "failed"
    assert rejudge(proof) != []


def test_several_suites() -> None:
    good = part(PASSED)
    bad = part(FAILED, suite="triage", path="suites/other/suite.yaml", deterministic=True)
    open_ = part({"t1": (FAIL, FAIL), **guards(3, "+++")}, suite="third", path="suites/third/suite.yaml")
    assert [rejudge(proof_of(*parts)) for parts in ([good], [good, bad], [bad, good, open_])] == [[], [], []]
    assert proof_of(good, open_)["verdict"]["result"] == "INCONCLUSIVE"
    assert proof_of(open_, bad, good)["verdict"]["result"] == "FAIL"
    assert proof_of(open_, bad)["verdict"]["sentence"].startswith("FAIL")


def test_suites_about_different_prompts_prove_nothing_together() -> None:
    with pytest.raises(ValueError, match="different prompts"):
        proof_of(part(PASSED), part(FAILED, deterministic=True, champion=None))


def line(proof: Json, case: str, k: int = 0, prompt: str = "candidate") -> dict[str, Json]:
    [found] = [line for line in proof["attempts"] if (line["case"], line["k"], line["prompt"]) == (case, k, prompt)]
    return found  # type: ignore[no-any-return]


def drop(proof: Json, case: str, *prompts: str) -> None:
    proof["attempts"] = [line for line in proof["attempts"] if line["case"] != case or line["prompt"] not in prompts]


def claim_pass(proof: Json) -> None:
    proof["verdict"]["result"] = "PASS"
    for suite in proof["suites"]:
        suite["result"] = "PASS"
        suite["models"][0]["flips"] = {"fixed": 1, "still passing": 3}


FORGERIES: dict[str, Callable[[Json], object]] = {
    "the verdict only": lambda proof: proof["verdict"].update(result="PASS"),
    "the suite only": lambda proof: proof["suites"][0].update(result="PASS"),
    "verdict and suite": claim_pass,
    "broken lines dropped": lambda proof: (
        claim_pass(proof), drop(proof, "b", "candidate"), drop(proof, "c", "candidate")
    ),
    "broken cases dropped": lambda proof: (
        claim_pass(proof), drop(proof, "b", "candidate", "champion"), drop(proof, "c", "candidate", "champion")
    ),
    "a better answer added": lambda proof: (
        claim_pass(proof),
        proof["attempts"].extend({**line(proof, case), "outcome": "passed"} for case in "bc"),
    ),
    "broken lines of another suite": lambda proof: (
        claim_pass(proof), line(proof, "b").update(suite="x"), line(proof, "c").update(suite="x")
    ),
    "broken lines of the champion": lambda proof: (
        claim_pass(proof), line(proof, "b").update(prompt="champion"), line(proof, "c").update(prompt="champion")
    ),
    "broken lines errored": lambda proof: (
        claim_pass(proof), line(proof, "b").update(outcome="errored"), line(proof, "c").update(outcome="errored")
    ),
    "one broken line mended": lambda proof: line(proof, "b").update(outcome="passed"),
    "a fix lost": lambda proof: line(proof, "t1").update(outcome="failed"),
    "champion that fails": lambda proof: line(proof, "g1", prompt="champion").update(outcome="failed"),
    "first version": lambda proof: proof.update(champion=None),
    "claimed to be the first": lambda proof: proof["verdict"].update(initial=True),
    "no suites": lambda proof: (claim_pass(proof), proof.update(suites=[])),
    "no models": lambda proof: (claim_pass(proof), proof["suites"][0].update(models=[])),
    "another model": lambda proof: (claim_pass(proof), proof["suites"][0]["models"][0].update(model="local/large")),
    "not deterministic": lambda proof: (claim_pass(proof), proof["suites"][0]["models"][0].update(deterministic=False)),
    "other figures": lambda proof: proof["suites"][0]["models"][0].update(answers=1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found(name: str) -> None:
    proof = proof_of(part(FAILED, deterministic=True))
    assert rejudge(proof) == []
    FORGERIES[name](proof)
    assert rejudge(proof) != []


def test_a_dropped_extra_try_is_found() -> None:
    proof = proof_of(part(PASSED))
    proof["attempts"].remove(line(proof, "u", 14))
    verdict, flips, attempts, bounds = rejudge(proof)
    assert verdict == "suite triage: recorded PASS, judged again NO VERDICT"
    assert flips.endswith("recorded {'fixed': 2, 'flaky': 1, 'still passing': 3}, judged again {}")
    assert attempts.startswith("suite triage: attempts on local/small recorded {'candidate': {'answered': 54")
    assert bounds.endswith("judged again []")


@pytest.mark.parametrize("cases", [PASSED, FAILED])
def test_every_line_whose_outcome_matters_is_bound(cases: Cases) -> None:
    """Turning any outcome in the first round around changes the figures or the verdict."""
    proof = proof_of(part(cases, deterministic=cases is FAILED))
    for n, item in enumerate(proof["attempts"]):
        if item["prompt"] == "champion" or item["k"] >= 3:
            continue
        forged = copy.deepcopy(proof)
        forged["attempts"][n]["outcome"] = "failed" if item["outcome"] == "passed" else "passed"
        assert rejudge(forged) != [], item


@pytest.mark.parametrize(
    "proof",
    [{}, [], None, 3, "x", {"schema_version": 1}, {"schema_version": 2, "suites": [], "attempts": []}],
)
def test_what_is_no_evidence(proof: Json) -> None:
    with pytest.raises(ValueError, match="cannot be judged again"):
        rejudge(proof)


_junk = st.none() | st.booleans() | st.integers(-2, 10**6) | st.floats() | st.sampled_from(["", "x", "PASS", "auto"])
_junk = (
    _junk | st.lists(_junk, max_size=2) | st.dictionaries(st.sampled_from(["suite", "case", "x"]), _junk, max_size=2)
)


@settings(deadline=None)
@given(st.data())
def test_whatever_is_in_it_nothing_but_a_value_error(data: st.DataObject) -> None:
    proof = proof_of(part(FAILED, deterministic=True))
    for _ in range(data.draw(st.integers(1, 3))):
        place = proof
        while True:
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.integers(0, 3)) == 0:
                break
            place = place[key]
        place[key] = data.draw(_junk)
        if not isinstance(proof, dict) or not proof:
            return
    try:
        differences = rejudge(proof)
    except ValueError:
        return
    assert all(isinstance(item, str) for item in differences)


def test_the_words_of_results_are_fixed() -> None:
    # They are in every evidence file there is.
    assert [result.value for result in Result] == ["PASS", "FAIL", "INCONCLUSIVE", "NO VERDICT"]


def from_cache() -> dict[str, Json]:
    """The proof over a run that would pass, had one of its answers not come from the cache."""
    about, made = part(PASSED)
    made[0] = replace(made[0], tries=0)
    verdict = judge(
        AttemptMatrix(made),
        champion=CHAMPION,
        candidate=CANDIDATE,
        models=about.models,
        cases=about.cases,
        policy=about.policy,
        asked_all=True,
    )
    return proof_of((replace(about, verdict=verdict), made))


def test_answers_from_the_cache_are_told_and_judged_so_again() -> None:
    proof = from_cache()
    assert proof["verdict"]["result"] == "INCONCLUSIVE"
    assert [item["k"] for item in proof["attempts"] if "cached" in item] == [0]
    assert rejudge(proof) == []
    assert not any("cached" in item for item in proof_of(part(PASSED))["attempts"])


@pytest.mark.parametrize("claims", [True, False])
def test_an_answer_from_the_cache_cannot_be_claimed_to_prove_something(claims: bool) -> None:
    proof = from_cache()
    if claims:
        for said in (proof["verdict"], *proof["suites"]):
            said["result"] = "PASS"
    else:
        for item in proof["attempts"]:
            item.pop("cached", None)
    assert rejudge(proof) != []
