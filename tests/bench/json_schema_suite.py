"""The official test suite of JSON Schema. `python -m tests.bench.json_schema_suite FOLDER [--draft draft2020-12]`

[--verbose]

FOLDER is a copy of github.com/json-schema-org/JSON-Schema-Test-Suite; only its `tests` are read, never its `remotes`,
because the check fetches nothing. Without --draft: all drafts. One line for each draft, for the check `json schema` and
for bare jsonschema beside it: right, wrong, and refused by cause when the check was built. A test whose schema needs
another document can only be refused.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema.validators import validator_for
from referencing import Registry

from promptbench.checks import json_schema
from promptbench.core.protocols import CheckContext, Subject
from promptbench.core.types import Json, Reading, Rung

_DIALECTS = {
    "draft3": "http://json-schema.org/draft-03/schema#",
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}


def ours(schema: Json) -> Callable[[Json], bool]:
    check = json_schema.build({"schema": schema}, CheckContext(Path()))
    return lambda value: check.score(Subject("", lambda: Reading(Rung.RAW, value), Rung.RAW, {})).passed


def bare(schema: Json) -> Callable[[Json], bool]:
    kind = validator_for(schema)
    kind.check_schema(schema)
    validator: Any = kind(schema, registry=Registry())
    return lambda value: bool(validator.is_valid(value))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draft", choices=list(_DIALECTS))
    parser.add_argument("--verbose", action="store_true", help="print each test that is wrong or refused")
    args = parser.parse_args()
    for draft in [args.draft] if args.draft else _DIALECTS:
        for name, build in (("check", ours), ("bare", bare)):
            counts = count(args.folder, draft, build, verbose=args.verbose and build is ours)
            print(f"{draft:<13} {name}  {sum(counts.values()):>5} tests", end="  ")
            print(", ".join(f"{number} {what}" for what, number in counts.most_common()))


def count(folder: Path, draft: str, build: Callable[[Json], Callable[[Json], bool]], *, verbose: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in sorted((folder / "tests" / draft).glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            schema = group["schema"]
            if isinstance(schema, dict) and "$schema" not in schema:
                schema = {"$schema": _DIALECTS[draft], **schema}
            for test in group["tests"]:
                said, why = verdict(build, schema, test["data"], test["valid"])
                counts[said] += 1
                if verbose and said != "right":
                    print(f"  {said}: {path.name}: {group['description']}: {test['description']} {why}")
    return counts


def verdict(build: Callable[[Json], Callable[[Json], bool]], schema: Json, value: Json, valid: bool) -> tuple[str, str]:
    try:
        fits = build(schema)
    except ValueError as error:
        return "refused: " + re.sub(r"'.*'|\".*\"", "…", str(error))[:60], str(error)[:200]
    except Exception as error:  # noqa: BLE001 - a crash is one of the results
        return f"crashed: {type(error).__name__}", str(error)[:200]
    try:
        return ("right" if fits(value) is valid else "wrong"), ""
    except Exception as error:  # noqa: BLE001
        return f"crashed: {type(error).__name__}", str(error)[:200]


if __name__ == "__main__":
    main()
