"""An application reads prompts: from a real store, while other processes change it, and when it is not to be read."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from promptbench.client import PromptClient, ServedPrompt, StoreUnreadable, UnknownPrompt
from promptbench.core.canonical import digest
from promptbench.core.files import Pinned, PinnedFile
from promptbench.project import stored_prompt, version_of
from promptbench.prompts.chain import Chain, ChainStep
from promptbench.store.prompts import Store
from tests.store import kit

V1 = "Which team is this for? {{message}}\n"
V2 = """---
config: {temperature: 0}
input: {default: {tone: short}}
output: {schema: {team: string}}
---
{{role "system"}}
Answer {{tone}}.
{{history}}
{{role "user"}}
{{message}}
"""
CI = {"actor": "ci", "reason": "why"}


def open_store(folder: Path) -> Store:
    return Store.open(folder, hash_of=version_of, rejudge=lambda evidence: [])


def proof(source: str, champion: str | None) -> dict[str, Any]:
    """Evidence of two suites over two models."""
    models = [{"model": "openai/one", "returned": ["one-2026-10"]}, {"model": "gguf/two", "returned": []}]
    return {
        "schema_version": 1,
        "prompt": "triage",
        "candidate": version_of(source)[0],
        "champion": champion,
        "verdict": {"result": "PASS", "sentence": "PASS"},
        "suites": [{"models": models}, {"models": models[:1]}],
    }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`triage`: 1 was adopted, 2 is proven and in production, 1 is `staging`."""
    folder = tmp_path_factory.mktemp("client") / "prompt_store"
    with open_store(folder) as store:
        first = store.adopt("triage", V1, **CI)
        store.promote("triage", V2, evidence=proof(V2, first.to_hash), actor="ci")
        store.label("triage@1", "staging", **CI)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "prompt_store"))


def test_a_prompt_by_label_number_and_hash(folder: Path) -> None:
    client = PromptClient(folder)
    prompt = client.get("triage")
    assert (prompt.name, prompt.number, prompt.label) == ("triage", 2, "production")
    assert prompt.hash == version_of(V2)[0] == digest(json.loads(prompt.content))
    assert prompt.config == {"temperature": 0}
    assert prompt.output_schema is not None
    assert prompt.output_schema["required"] == ["team"]
    assert prompt.messages[1] == {"history": True}
    assert (prompt.is_fallback, prompt.stale, prompt.note) == (False, False, None)
    for reference in ("triage@2", f"triage@{prompt.hash}", f"triage@{prompt.hash[7:15]}"):
        other = client.get(reference)
        assert (other.hash, other.label) == (prompt.hash, None)
    assert client.get("triage@staging").number == 1


def test_it_names_the_models_that_the_evidence_proves(folder: Path) -> None:
    client = PromptClient(folder, ttl=0)
    assert [(item.model, item.returned) for item in client.get("triage").models] == [
        ("openai/one", ("one-2026-10",)),
        ("gguf/two", ()),
    ]
    assert client.get("triage@staging").models == ()
    with open_store(folder) as store:
        store.rollback("triage", **CI)
        assert client.get("triage").models == ()
        store.promote("triage", V2, evidence=None, force=True, **CI)
    assert client.get("triage").models == ()
    assert len(client.get("triage@2").models) == 2


def test_values_are_put_in_place(folder: Path) -> None:
    prompt = PromptClient(folder).get("triage")
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert prompt.render(message="{{tone}} <b>", history=turns) == [
        {"role": "system", "content": "Answer short."},
        *turns,
        {"role": "user", "content": "{{tone}} <b>"},
    ]
    assert prompt.render({"message": "x", "tone": "long"})[0]["content"] == "Answer long."
    with pytest.raises(
        ValueError, match=r"no value for 'message'; no placeholder for 'mesage'; it takes 'message', 'tone'"
    ):
        prompt.render(mesage="x")
    with pytest.raises(ValueError, match="no placeholder for 'history'"):
        PromptClient(folder).get("triage@1").render(message="x", history=turns)


def test_what_a_caller_changes_stays_his(folder: Path) -> None:
    client = PromptClient(folder)
    client.get("triage").config["temperature"] = 2
    client.get("triage").messages.clear()
    assert client.get("triage").config == {"temperature": 0}
    assert client.get("triage").messages


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("triagge", "did you mean 'triage'"),
        ("triage@prod", "has no label 'prod'"),
        ("triage@7", "has no version '7'"),
        ("triage@sha256:" + "0" * 64, "has no version"),
        ("", "prompt '' not found"),
        ("../triage", "not found"),
    ],
)
def test_an_unknown_name_is_an_error_whatever_the_fallback(folder: Path, reference: str, said: str) -> None:
    client = PromptClient(folder)
    for _ in range(2):
        with pytest.raises(LookupError, match=said) as error:
            client.get(reference, fallback="Hello")
        assert isinstance(error.value, UnknownPrompt)


def test_a_label_is_looked_up_again_after_its_time_and_a_hash_never(folder: Path) -> None:
    patient, eager = PromptClient(folder, ttl=1000), PromptClient(folder, ttl=0)
    tagged = f"triage@{version_of(V2)[0]}"
    for client in (patient, eager):
        assert client.get("triage").number == 2
        client.get(tagged)
    with open_store(folder) as store:
        store.rollback("triage", **CI)
    assert patient.get("triage").number == 2
    assert eager.get("triage").number == 1
    shutil.rmtree(folder)
    assert not eager.get(tagged).stale
    assert not patient.get("triage").stale


def test_a_retired_label_is_no_longer_answered(folder: Path) -> None:
    client = PromptClient(folder, ttl=0)
    client.get("triage")
    with open_store(folder) as store:
        store.retire("triage", label="production", **CI)
    with pytest.raises(UnknownPrompt):
        client.get("triage")
    shutil.rmtree(folder)
    with pytest.raises(StoreUnreadable):
        client.get("triage")


def test_a_fallback_is_for_a_store_that_cannot_be_read_and_says_so(tmp_path: Path) -> None:
    client = PromptClient(tmp_path / "nowhere")
    with pytest.raises(StoreUnreadable, match="not found; run `promptbench store verify`"):
        client.get("triage")
    prompt = client.get("triage", fallback="Which team? {{message}}")
    assert (prompt.is_fallback, prompt.stale, prompt.hash, prompt.models) == (True, False, None, ())
    assert prompt.note is not None
    assert "not found" in prompt.note
    assert prompt.render(message="Hi") == [{"role": "user", "content": "Which team? Hi"}]
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "{{message}}"}]
    assert client.get("triage", fallback=turns).render(message="Hi")[1]["content"] == "Hi"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "fallback", ["{{#if x}}", '{{role "system"}} Hi', "{{history}}", [], [{"role": "tool", "content": "x"}], [{}]]
)
def test_a_broken_fallback_is_found_while_all_is_well(folder: Path, fallback: Any) -> None:
    with pytest.raises(ValueError, match=r"fallback|not supported|not closed"):
        PromptClient(folder).get("triage", fallback=fallback)


@pytest.mark.parametrize("broken", ["gone", "torn", "locked", "edited", "newer"])
def test_the_last_answer_is_kept_and_flagged_while_the_store_cannot_be_read(folder: Path, broken: str) -> None:
    client = PromptClient(folder, ttl=0, timeout=0.01)
    good = client.get("triage")
    file = folder / "prompts.sqlite"
    whole = file.read_bytes()
    with open_store(folder) as store:
        connection = store._database.connection
        if broken == "gone":
            file.unlink()
        elif broken == "torn":
            file.write_bytes(b"not a database" * 1000)
        elif broken == "locked":
            connection.execute("BEGIN EXCLUSIVE")
        elif broken == "newer":
            connection.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('prompt_store', '9', '')"
            )
        else:
            connection.execute("DROP TRIGGER blob_no_update")
            connection.execute("UPDATE blob SET text = text || ' '")
        stale = client.get("triage", fallback="Hello")
        assert (stale.hash, stale.stale, stale.is_fallback) == (good.hash, True, False)
        assert stale.note
        with pytest.raises(StoreUnreadable):
            client.get("triage@staging")
    # Another file under the same name, as a checkout leaves it.
    file.unlink(missing_ok=True)
    file.write_bytes(whole)
    assert client.get("triage") == good


def test_a_text_mirror_alone_is_not_read_and_the_error_says_what_builds_the_database(folder: Path) -> None:
    (folder / "prompts.sqlite").unlink()
    client = PromptClient(folder, ttl=0)
    with pytest.raises(StoreUnreadable, match="has a text mirror but no database; run `promptbench store verify`"):
        client.get("triage")
    with open_store(folder):
        pass
    assert client.get("triage").number == 2


def test_a_mirror_that_is_ahead_is_told(folder: Path, tmp_path: Path) -> None:
    """As after a `git pull`: what the database says is no longer what the team decided."""
    there = tmp_path / "there"
    shutil.copytree(folder, there)
    with open_store(there) as store:
        store.rollback("triage", **CI)
        store.label("triage@2", "canary", **CI)
        store.adopt("entities", V1, **CI)
    shutil.copytree(there / "text", folder / "text", dirs_exist_ok=True)
    client = PromptClient(folder, ttl=0)
    prompt = client.get("triage")
    assert (prompt.number, prompt.stale) == (2, True)
    assert prompt.note is not None
    assert "`promptbench store verify`" in prompt.note
    assert not client.get(f"triage@{prompt.hash}").stale
    for unknown in ("triage@canary", "entities"):
        with pytest.raises(StoreUnreadable, match="has events that the database does not have"):
            client.get(unknown)
    with open_store(folder) as store:
        store.get("triage")
    assert (client.get("triage").number, client.get("triage").stale) == (1, False)


def test_reading_leaves_nothing_behind(folder: Path) -> None:
    before = kit.tree(folder)
    shutil.rmtree(folder / "text")
    client = PromptClient(folder, ttl=0)
    client.get("triage")
    assert kit.tree(folder) == {"prompts.sqlite": before["prompts.sqlite"]}


@pytest.mark.slow
def test_threads_read_while_another_process_promotes(tmp_path: Path) -> None:
    """Every promote succeeds, and no reader sees anything but a whole, later version."""
    folder = tmp_path / "prompt_store"
    # The other process has a parser of its own, so what it writes is not rendered here.
    with kit.open_store(folder) as store:
        kit.adopt(store, "triage", "one\n")
        kit.adopt(store, "entities", "one\n")
    client = PromptClient(folder, ttl=0)
    seen: list[list[ServedPrompt]] = [[] for _ in range(4)]
    stop = threading.Event()

    def read(mine: list[ServedPrompt]) -> None:
        while not stop.is_set():
            mine.append(client.get("triage"))
            time.sleep(0.001)

    threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    writer = kit.child("promote", str(folder), "1", "other")
    counts = json.loads(writer.communicate(timeout=60)[0])
    stop.set()
    for thread in threads:
        thread.join()
    assert counts["stale"] == 0
    assert counts["won"] >= 4
    with kit.open_store(folder) as store:
        final = store.get("triage")
    assert client.get("triage").hash == final.hash
    for mine in seen:
        numbers = [prompt.number or 0 for prompt in mine]
        assert numbers == sorted(numbers)
        assert not any(prompt.stale for prompt in mine)
    assert max(prompt.number or 0 for mine in seen for prompt in mine) > 1


def test_a_child_reads_although_a_thread_of_the_parent_was_reading(folder: Path) -> None:
    client = PromptClient(folder, ttl=0)
    with client._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
        if pid == 0:
            os._exit(client.get("triage").number or 0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2


def test_a_ttl_is_a_number_of_seconds(folder: Path) -> None:
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            PromptClient(folder, ttl=wrong)


CODE = "def top5(v): ...\n"
FIRST = "One of {{steps.find.teams}}: {{message}}"


def chain(text: str, code: str = CODE) -> Chain:
    prompt = stored_prompt(text)
    files = Pinned({"top5.py": PinnedFile.of(code)})
    return Chain.of("routing", [ChainStep("find", None, "python/top5.py:top5", files), ChainStep("choose", prompt)])


def test_a_chain_is_read_whole_and_in_one_version(folder: Path) -> None:
    old, new = chain(FIRST), chain("Which of {{steps.find}}? {{message}}", "…")
    with open_store(folder) as store:
        store.adopt("routing", old.source, **CI)
    client = PromptClient(folder, ttl=60)
    served = client.get_chain("routing")
    with open_store(folder) as store:
        store.promote("routing", new.source, evidence=None, force=True, **CI)
    assert client.get_chain("routing").number == 1  # Cached as a whole: never the steps of two versions.
    assert (served.name, served.number, served.hash, served.label) == ("routing", 1, old.hash, "production")
    find, choose = served.steps
    assert (find.model, find.prompt) == ("python/top5.py:top5", None)
    assert find.files == {"top5.py": f"sha256:{PinnedFile.of(CODE).sha256}"}
    assert choose is served["choose"]
    assert choose.prompt is not None
    assert choose.prompt.hash == digest(json.loads(choose.prompt.content)) == stored_prompt(FIRST).hash
    [message] = choose.prompt.render(message="hi", steps={"find": {"teams": ["a", "b"]}})
    assert message["content"] == 'One of ["a", "b"]: hi'
    fresh = PromptClient(folder).get_chain("routing@production")
    assert (fresh.number, fresh.hash) == (2, new.hash)
    with pytest.raises(ValueError, match=r"routing is a chain of several steps: read it with `get_chain`"):
        client.get("routing")
    with pytest.raises(ValueError, match="triage is a single prompt"):
        client.get_chain("triage")
    with pytest.raises(UnknownPrompt):
        client.get_chain("routing@canary", fallback={"choose": "x"})


def test_a_chain_has_a_fallback_too(tmp_path: Path) -> None:
    client = PromptClient(tmp_path)
    with pytest.raises(StoreUnreadable):
        client.get_chain("routing")
    served = client.get_chain("routing", fallback={"choose": "Which? {{message}}"})
    prompt = served["choose"].prompt
    assert prompt is not None
    assert (served.is_fallback, served.hash, prompt.is_fallback, prompt.hash) == (True, None, True, None)
    assert served.note
    assert prompt.render(message="hi")[0]["content"] == "Which? hi"
    with pytest.raises(KeyError):
        served["find"]
    with pytest.raises(ValueError, match="not supported"):
        client.get_chain("routing", fallback={"choose": '{{role "system"}} x'})
