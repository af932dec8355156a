"""What to add to a suite so that its checks notice a mutant: written as YAML, and read back as a check to try."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from promptbench.checks._options import comparison
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import Json
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.formats.yaml_text import mapping_lines
from promptbench.project import checks
from promptbench.project.bench import Bench
from promptbench.project.mutants import Original, facts, is_free_text
from promptbench.project.mutation import CaseOnTrial, Trial
from promptbench.suite.cases import read_checks
from promptbench.suite.file import field_name
from promptbench.suite.models import CheckSpec, Where

_MOST_FIELDS = 6
_LONGEST_VALUE = 200
_COLUMN = 30
"""Where the lines are laid out to start, so that they fit a terminal of 80 columns with what stands before them."""
_INVENTED = ("invent a number", "invent a name")


@dataclass(frozen=True, slots=True)
class Remedy:
    """Checks to add, as YAML, to the suite or to one case. `replaces` is the number of the check that it stands for."""

    yaml: str
    checks: tuple[Check, ...]
    replaces: int | None = None

    def beside(self, others: Sequence[Check]) -> tuple[Check, ...]:
        """All checks of a case with these added."""
        return (*(check for i, check in enumerate(others) if i != self.replaces), *self.checks)


class Remedies:
    """Proposes what to add to one suite."""

    def __init__(self, bench: Bench) -> None:
        schema = bench.candidates[0].prompt.output_schema
        self._context = CheckContext(bench.suite.folder, schema)
        self._names = {field_name(spec.name).lower() for spec in bench.suite.checks}

    def for_all(self, originals: Sequence[Original]) -> list[tuple[Remedy, frozenset[str] | None]]:
        """Checks for every case, each with the operators that it is against, or None for all.

        `originals` are some good answers: a schema is made of what they have in common.
        """
        prose = any(is_free_text(place.value) for original in originals for place in original.places)
        wanted: list[tuple[Json, frozenset[str] | None]] = []
        if originals and all(original.is_data for original in originals):
            if "json_schema" not in self._names:
                shape = "output" if self._context.output_schema is not None else _shape(originals)
                wanted.append(({"json schema": shape}, None))
            if not self._names & {"json", "json_schema"}:
                wanted.append(("json", None))
            if filled := _filled([original.value for original in originals]):
                wanted.append(({"json schema": filled}, frozenset(("empty value",))))
        elif "refusal" not in self._names:
            wanted.append(({"refusal": "no"}, frozenset(("refusal",))))
        if prose and "grounded" not in self._names:
            wanted.append(({"grounded": None}, frozenset(_INVENTED)))
        if prose and "language" not in self._names:
            wanted.append(({"language": "English"}, frozenset(("wrong language",))))
        built = ((self._built({"checks": [check]}), against) for check, against in wanted)
        return [(remedy, against) for remedy, against in built if remedy]

    def for_case(self, case: CaseOnTrial, trial: Trial) -> Iterator[Remedy]:
        """Lines for the case of a mutant that lived, the plainest first."""
        expect = _expect(case, trial)
        if expect is not None:
            last = len(case.checks) - 1 if case.written and case.written.has_expect else None
            remedy = self._built({"expect": expect}, replaces=last)
            if remedy:
                yield remedy
        missing = [fact for fact in facts(trial.original.text) if fact.lower() not in trial.mutant.text.lower()]
        for wanted in missing[:2]:
            remedy = self._built({"checks": [{"contains": wanted}]})
            if remedy:
                yield remedy

    def _built(self, content: dict[str, Json], replaces: int | None = None) -> Remedy | None:
        """None where it cannot be built here: a package is not installed, or YAML has no such text."""
        found = Diagnostics()
        try:
            text = "".join(f"{line[_COLUMN:]}\n" for line in mapping_lines(content, _COLUMN))
        except ValueError:
            return None
        document = parse(Source("the case to add", text), found)
        if document is None:
            return None
        if "expect" in content:
            specs: Iterable[CheckSpec] = (CheckSpec("expect", document.value["expect"], Where(document)),)
        else:
            specs = read_checks(document.value["checks"], Where(document), found)
        built = [checks.build(spec, self._context, found) for spec in specs]
        if found.errors or not built:
            return None
        return Remedy(text, tuple(check for check in built if check), replaces)


def _expect(case: CaseOnTrial, trial: Trial) -> Json:
    """What `expect` should say, with what it says already; None where it cannot say it."""
    said, ignored = None, None
    if case.written and case.written.has_expect:
        said, ignored = comparison(case.written.expect)
    value = trial.original.value
    if not isinstance(value, dict):
        items = value if isinstance(value, list) else ()
        fixed = not (_is_long(value) or is_free_text(value) or any(" " in str(item) for item in items))
        return value if fixed and said is None else None
    if said is not None and not isinstance(said, dict):
        return None
    fields = [trial.mutant.path[0]] if trial.mutant.path else list(value)[:_MOST_FIELDS]
    more = {key: value[key] for key in fields if not (is_free_text(value[key]) or _is_long(value[key]))}
    if not more:
        return None
    wanted = {**(said or {}), **more}
    return {"is": wanted, "ignore": ignored} if ignored is not None else wanted


def _is_long(value: Json) -> bool:
    return len(json.dumps(value, ensure_ascii=False)) > _LONGEST_VALUE


def _shape(originals: Sequence[Original]) -> Json:
    """A schema of the fields and types that objects have in common."""
    objects = [original.value for original in originals if isinstance(original.value, dict)]
    if len(objects) < len(originals):
        return {"type": sorted({_type(original.value) for original in originals})}
    fields = dict.fromkeys(key for value in objects for key in value)
    return {
        "type": "object",
        "properties": {key: _types([value[key] for value in objects if key in value]) for key in fields},
        "required": [key for key in fields if all(key in value for value in objects)],
        "additionalProperties": False,
    }


def _filled(values: Sequence[Json]) -> dict[str, Json]:
    """A schema by which what is never empty in these values must not be empty; it says nothing of all else."""
    texts = [item for item in values if isinstance(item, str)]
    lists = [item for item in values if isinstance(item, list)]
    objects = [item for item in values if isinstance(item, dict)]
    schema: dict[str, Json] = {"minLength": 1} if texts and all(texts) else {}
    if lists and all(lists):
        schema["minItems"] = 1
    if items := _filled([item for one in lists for item in one]) if lists else {}:
        schema["items"] = items
    names = dict.fromkeys(key for value in objects for key in value)
    fields = {key: _filled([value[key] for value in objects if key in value]) for key in names}
    if said := {key: inner for key, inner in fields.items() if inner}:
        schema["properties"] = said
    return schema


def _types(values: Sequence[Json]) -> Json:
    names = sorted({_type(value) for value in values})
    if "integer" in names and "number" in names:
        names.remove("integer")
    return {"type": names[0] if len(names) == 1 else names}


def _type(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
