"""Load a team's own repair rules, check them against their examples, and decide whether they count."""

import ast
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptbench.core import allowed_code
from promptbench.core.canonical import canonical, digest
from promptbench.core.errors import Code, Diagnostics, Location, Severity
from promptbench.core.plugins import installed_entry_points
from promptbench.core.python_process import FunctionFailure, PythonProcess, process_for
from promptbench.core.types import Json
from promptbench.parsing.ladder import BUILT_IN, BUILT_IN_NAMES, LADDER, RUNGS, Ladder, Rule

ENTRY_POINTS = "promptbench.repairs"
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RepairRule:
    """A repair rule that passes its own examples.

    Args:
        file: where the rule is written, from the project's root.
        record: where its back-test is recorded.
        hash: over name, trust and source file.
        advisory: why it does not count; None if it does.
    """

    name: str
    trust: str
    file: str
    record: Path
    hash: str
    advisory: str | None
    spec: str
    process: PythonProcess = field(compare=False)

    def apply(self, text: str) -> str | None:
        """Return the repaired text, or None if the rule does not apply.

        Raises:
            FunctionFailure: if the rule raised, took longer than a second, or ended its process.
        """
        repaired = self.process.call(f"{self.spec}.apply", text, seconds=_SECONDS)
        return repaired if isinstance(repaired, str) else None

    def as_rule(self) -> Rule:
        """Return the rule for a ladder; there, a failure leaves the text as it is."""

        def apply(text: str) -> str | None:
            try:
                return self.apply(text)
            except FunctionFailure:
                return None

        return Rule(self.name, self.trust, apply, self.hash)

    def warn_if_advisory(self, found: Diagnostics) -> None:
        if self.advisory is not None:
            found.add(
                Code.SETTINGS,
                f"the repair rule '{self.name}' is advisory and does not count: {self.advisory}",
                Location(self.file),
                hint=f"promptbench repairs test {self.name} --log FILE",
                severity=Severity.WARNING,
            )


@dataclass(frozen=True, slots=True)
class _Source:
    """A file with a rule. `spec` is the attribute that holds its RepairSpec."""

    file: str
    path: Path
    record: Path
    text: str
    spec: str = "SPEC"

    def location(self, example: str | None = None) -> Location:
        """Return the location of an example's text, or of the spec."""
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, ast.Constant if example is not None else ast.Name):
                written = node.value if isinstance(node, ast.Constant) else node.id
                if written == (self.spec if example is None else example):
                    line = self.text.split("\n")[node.lineno - 1]
                    # The parser counts bytes, a location counts characters.
                    column = len(line.encode()[: node.col_offset].decode(errors="replace")) + 1
                    return Location(self.file, node.lineno, column, len(ast.unparse(node)), line)
        return Location(self.file)


def load_rules(root: Path, globs: Sequence[str], listed: Location, found: Diagnostics) -> tuple[RepairRule, ...]:
    """Return all rules, safe ones first, by name. What is wrong goes to `found`.

    Args:
        root: the project's root. Globs start there, and files outside of it are refused.
        globs: the files with rules. Those of installed packages come from entry points.
        listed: where the settings list the files.
    """
    rules: dict[str, RepairRule] = {}
    for source in (*_listed(root, globs, listed, found), *_installed(root, found)):
        rule = _load(source, found)
        if rule is None:
            continue
        if rule.name in rules:
            found.add(
                Code.SETTINGS,
                f"two repair rules are named '{rule.name}': {rules[rule.name].file} and {rule.file}",
                source.location(),
                hint="give each its own name",
            )
        rules.setdefault(rule.name, rule)
    return tuple(sorted(rules.values(), key=lambda rule: (RUNGS[rule.trust].depth, rule.name)))


def _listed(root: Path, globs: Sequence[str], listed: Location, found: Diagnostics) -> Iterator[_Source]:
    files: set[Path] = set()
    for pattern in globs:
        try:
            matches = {path for path in root.glob(pattern) if path.suffix == ".py" and path.is_file()}
        except (ValueError, NotImplementedError) as error:
            found.add(Code.SETTINGS, f"'repairs': '{pattern}' is not a valid glob: {error}", listed)
            continue
        if not matches:
            found.add(
                Code.SETTINGS,
                f"'repairs': no Python file matches '{pattern}'",
                listed,
                hint='name Python files from the project\'s root, as in repairs = ["repairs/*.py"]',
            )
        files |= matches
    for path in sorted(files):
        real = allowed_code.locate(str(path), root, root)
        if real is None:
            found.add(Code.CODE_NOT_ALLOWED, f"the repair rule {path.name} is outside the project", listed)
            continue
        yield from _read(real, allowed_code.relative(real, root), real.with_suffix(".backtest.json"), "SPEC", found)


def _installed(root: Path, found: Diagnostics) -> Iterator[_Source]:
    for entry in installed_entry_points(ENTRY_POINTS):
        try:
            origin = getattr(importlib.util.find_spec(entry.module), "origin", None)
        except (ImportError, ValueError):
            origin = None
        if origin is None:
            found.add(
                Code.SETTINGS,
                f"the entry point '{entry.name}' in {ENTRY_POINTS} names a module that is not found",
                Location(entry.value),
                hint="update or uninstall that package",
            )
            continue
        yield from _read(
            Path(origin), entry.module, root / "repairs" / f"{entry.name}.backtest.json", entry.attr or "SPEC", found
        )


def _read(path: Path, shown: str, record: Path, spec: str, found: Diagnostics) -> Iterator[_Source]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        ast.parse(text)
    except SyntaxError as error:
        found.add(
            Code.SETTINGS,
            f"the repair rule is not valid Python: {error.msg}",
            Location(shown, error.lineno or 0, error.offset or 1, 1, (error.text or "").rstrip("\n")),
        )
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        found.add(Code.SETTINGS, f"the repair rule cannot be read: {error}", Location(shown))
    else:
        yield _Source(shown, path, record, text, spec)


def _load(source: _Source, found: Diagnostics) -> RepairRule | None:
    process = process_for(source.path, source.file, source.text)
    try:
        spec = process.call(f"{source.spec}.as_dict", seconds=_SECONDS)
    except FunctionFailure as failure:
        found.add(
            Code.SETTINGS,
            f"the repair rule does not load: {failure}",
            source.location(),
            hint="a rule file ends with SPEC = RepairSpec(...) of promptbench.plugins",
        )
        return None
    name, trust = spec["name"], spec["trust"]
    if name in BUILT_IN_NAMES:
        found.add(Code.SETTINGS, f"'{name}' is the name of a built-in repair", source.location())
        return None
    identity = digest([name, trust, source.text])
    rule = RepairRule(
        name, trust, source.file, source.record, identity, _why_advisory(source.record, identity), source.spec, process
    )
    changed = [(text, _problem(_example_problem, rule, text, value)) for text, value in spec["examples"].items()]
    unchanged = [(text, _problem(_unchanged_problem, rule, text)) for text in spec["unchanged"]]
    wrong = [(text, problem) for text, problem in (*changed, *unchanged) if problem]
    for text, problem in wrong:
        found.add(Code.SETTINGS, f"the repair rule '{name}' fails its own example: {problem}", source.location(text))
    return None if wrong else rule


def _problem(find: Callable[..., str | None], *arguments: Any) -> str | None:
    try:
        return find(*arguments)
    except FunctionFailure as failure:
        return str(failure)


def _example_problem(rule: RepairRule, text: str, value: Json) -> str | None:
    known = BUILT_IN.read(text).rung
    if known.depth <= RUNGS[rule.trust].depth:
        return f"this text is already {known.value.replace('_', ' ')} without the rule, so the rule is never tried"
    repaired = rule.apply(text)
    if repaired is None:
        return "the text is unchanged"
    if (problem := stability_problem(rule, text, repaired)) is not None:
        return problem
    reading = Ladder((rule.as_rule(),)).read(text)
    if rule.name not in {repair.name for repair in reading.repairs}:
        return f"the repaired text is not more readable: {reading.error or repaired[:80]}"
    if canonical(reading.value) != canonical(value):
        return f"expected {canonical(value)[:200]}, got {canonical(reading.value)[:200]}"
    return None


def _unchanged_problem(rule: RepairRule, text: str) -> str | None:
    repaired = rule.apply(text)
    return None if repaired is None else f"expected no change, got {repaired[:200]!r}"


def stability_problem(rule: RepairRule, text: str, repaired: str) -> str | None:
    """Return what shows that a rule is not a pure function whose result it leaves as it is. Raises FunctionFailure."""
    if rule.apply(text) != repaired:
        return "it returned two different results for the same text"
    if (again := rule.apply(repaired)) is not None:
        return f"it changes its own result again, to {again[:200]!r}"
    return None


def _why_advisory(record: Path, identity: str) -> str | None:
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
        rule, ladder = kept["rule"], kept["ladder"]
        rescued, wrong, failed = (int(kept[key]) for key in ("rescued", "wrong", "failed"))
    except FileNotFoundError:
        return "it has never been back-tested"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return f"its back-test record {record.name} is not readable"
    if rule != identity:
        return "it has changed since its back-test"
    if ladder != LADDER:
        return "the built-in repairs have changed since its back-test"
    return verdict_of(rescued, wrong, failed)


def verdict_of(rescued: int, wrong: int, failed: int) -> str | None:
    """Return why a back-test with these counts does not let a rule count; None if it does."""
    if wrong:
        return f"{wrong} wrong in its back-test"
    if failed:
        return f"it failed on {failed} in its back-test"
    return None if rescued else "it rescued nothing in its back-test"


def record_of(rule: RepairRule, counts: Mapping[str, int], sources: Sequence[str]) -> str:
    """Return the text of a back-test record: counts and hashes, and no answer."""
    return (
        json.dumps(
            {"rule": rule.hash, "ladder": LADDER, **counts, "sources": sorted(sources)}, indent=2, ensure_ascii=False
        )
        + "\n"
    )
