from __future__ import annotations

from hypothesis import given, settings, strategies as st

from promptbench.core.errors import Diagnostics
from promptbench.core.files import Pinned, PinnedFile
from promptbench.prompts.chain import Chain, ChainStep, is_chain, parse_version
from promptbench.yaml.source import Source
from tests.prompts.kit import prompt

CHOOSE = "---\noutput: {schema: {intent: string}}\n---\nOne of {{steps.find.intents}} for {{text}}?\n"
_LF = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))
_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


def routing(code: str = "def top5(v): ...\n", text: str = CHOOSE, name: str = "choose.v1.prompt") -> Chain:
    find = ChainStep("find", None, "python/find.py:top5", Pinned({"find.py": PinnedFile.of(code)}))
    return Chain.of("routing", [find, ChainStep("choose", prompt(text, name))])


def _pinned(files: dict[str, str]) -> Pinned:
    weights = {"weights": PinnedFile("ab" * 32)}
    return Pinned({path: PinnedFile.of(text) for path, text in files.items()} | weights, "2.1")


def read_back(source: str) -> tuple[Chain | None, list[str]]:
    found = Diagnostics()
    parsed = parse_version(Source("routing@1", source), found)
    assert parsed is None or isinstance(parsed, Chain)
    return parsed, [f"{item.location}: {item.message}" for item in found]


@settings(max_examples=30)
@given(st.lists(st.tuples(_NAMES, st.dictionaries(_NAMES, _LF), st.booleans(), _LF), min_size=1, max_size=4), _NAMES)
def test_a_chain_is_read_back_from_its_source(steps: list[tuple[str, dict[str, str], bool, str]], name: str) -> None:
    chain = Chain.of(
        name,
        [
            ChainStep(step, prompt("Say " + text.replace("{", "(").replace("<<<", "").replace("---", "") + "."))
            if sends
            else ChainStep(step, None, f"python/{step}.py:f", _pinned(files))
            for step, files, sends, text in steps
        ],
    )
    assert is_chain(chain.source)
    again, problems = read_back(chain.source)
    assert again is not None, problems
    assert (again.hash, again.source, again.name) == (chain.hash, chain.source, name)
    assert [step.pinned.files for step in again.steps] == [step.pinned.files for step in chain.steps]


def test_the_hash_is_of_content_and_not_of_layout() -> None:
    plain = routing()
    assert plain.hash == routing(text=CHOOSE.replace("output: ", "# a comment\noutput: ")).hash
    assert plain.hash == routing(code="def top5(v): ...\r\n").hash
    assert plain.hash == routing(name="choose.short.prompt").hash
    others = [
        routing(code="def top5(v): return 1\n"),
        routing(text=CHOOSE.replace("One", "Which")),
        Chain.of("routing", plain.steps[::-1]),
    ]
    assert len({plain.hash, *(other.hash for other in others)}) == 4


def test_a_chain_stands_where_a_prompt_does() -> None:
    chain = routing()
    assert (chain.name, sorted(chain.variables), chain.missing({})) == ("routing", ["text"], ["text"])
    assert chain.unused({"other": 1}) == []  # The function gets all variables.
    assert Chain.of("routing", chain.steps[1:]).unused({"other": 1}) == ["other"]
    assert (chain.output_schema or {})["properties"] == {"intent": {"type": "string"}}
    assert parse_version(Source("triage@1.prompt", "chain: a mail"), Diagnostics()) is not None


def test_a_changed_text_is_refused() -> None:
    source = routing().source
    assert read_back(source.replace("def top5", "def top6")) == (
        None,
        ["routing@1:7:17: find.py was changed: its text has another hash"],
    )
    assert read_back(source.replace("file: find.py", "file: ../find.py"))[1] == [
        "routing@1:6:15: '../find.py' is not a path below the suite's folder"
    ]
    assert read_back(source.replace("- step: choose", "- name: choose"))[1] == [
        "routing@1:1:1: this is not the text of a chain"
    ]
    assert read_back(source.replace("{{text}}", "{{#text}}"))[0] is None
