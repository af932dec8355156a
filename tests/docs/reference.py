"""Writes the reference pages from the code: `python -m tests.docs.reference`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promptbench
from promptbench.api.explaining import check_pages, mistake_pages
from promptbench.formats.yaml_text import in_braces
from promptbench.store import prompts_schema, runs_schema

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDER = Path(promptbench.__file__).parent / "docs" / "reference"
_WRITTEN = "<!-- Written by `python -m tests.docs.reference`; change the code instead. -->\n"


def pages() -> dict[str, str]:
    """File name to text of every reference page."""
    return {
        "checks.md": _WRITTEN + "\n".join(_checks()),
        "suite.md": _WRITTEN + "\n".join(_suite()),
        "commands.md": _WRITTEN + "\n".join(_commands()),
        "databases.md": _WRITTEN + "\n".join(_databases()),
        "mistakes.md": _WRITTEN + "\n".join(_mistakes()),
    }


def _checks() -> Iterator[str]:
    yield "# Checks\n\nOne name a check; spaces, dashes and underscores are the same.\n"
    for page in check_pages():
        yield f"## {page.name}\n\n{page.summary}\n"
        yield from (f"- **{name}**: {words}" for name, words in page.parts.items())
        yield f"\n```yaml\n{page.example.strip()}\n```\n"


def _suite() -> Iterator[str]:
    from promptbench.api import suite_schema

    schema = suite_schema()
    yield "# The suite file\n\nKeys with a space may be written with a dash or an underscore too.\n"
    properties = schema["properties"]
    yield from _table("At the top", schema)
    yield from _table("A model, under `models:`", _entry(properties["models"]))
    yield from _table("A case, under `cases:`", _entry(properties["cases"]))
    gate = properties["gate"]
    yield from _table("What it takes to pass, under `gate:`", gate)
    yield from _table(
        "What the cases with a tag must keep, under `gate: tags:`", gate["properties"]["tags"]["additionalProperties"]
    )


def _entry(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an entry that is written out, among the forms that a list and its entries may have."""
    while "properties" not in schema:
        forms = [item for item in schema.get("anyOf", ()) if item.get("type") != "string"]
        schema = schema.get("items") or next(item for item in forms if "items" in item or "properties" in item)
    return schema


def _table(title: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n\n| key | what it says | for example |\n|---|---|---|"
    for name, value in schema["properties"].items():
        needed = " **Needed.**" if name in schema["required"] else ""
        yield f"| `{name}` | {value['description']}{needed} | {_code(_example(value['examples'][0]))} |"
    yield ""


def _example(value: Any) -> str:
    """As it is written in a suite; a text that needs no quotation marks there has none."""
    plain = isinstance(value, str) and not value.startswith(("{", "["))
    return value if plain else in_braces(value)


def _code(text: str) -> str:
    """A text as code in a cell of a table."""
    ticks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}".replace("|", "\\|")


def _commands() -> Iterator[str]:
    import typer

    from promptbench.cli.app import app

    yield "# Commands\n"
    root = typer.main.get_command(app)
    yield from _help(root, ["promptbench"])


def _help(command: Any, words: list[str]) -> Iterator[str]:
    name = " ".join(words)
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=100, max_content_width=100)
    yield f"{'#' * (len(words) + 1)} {name}\n\n```text\n{command.get_help(context).strip()}\n```\n"
    for child, sub in getattr(command, "commands", {}).items():
        yield from _help(sub, [*words, child])


def _databases() -> Iterator[str]:
    yield "# The databases\n"
    yield "Both are plain SQLite files that the `sqlite-utils` command and Datasette open as they are.\n"
    yield "## `.promptbench/runs.sqlite`: runs, attempts, recordings, cache\n"
    for table, columns in runs_schema.COLUMNS.items():
        yield f"### {table}\n\n| column | what it holds |\n|---|---|"
        for column, text in columns.items():
            yield f"| `{column}` | {text} |"
        yield ""
    yield "The views `attempt_with_answer` and `result` join them for reading.\n"
    yield from _sql(runs_schema.MIGRATIONS)
    yield "## `prompt_store/prompts.sqlite`: versions, labels, events, evidence\n"
    yield "Append-only; rebuilt from `prompt_store/text/`. The views `label` and `history` are for reading.\n"
    yield from _sql(prompts_schema.MIGRATIONS)


def _sql(steps: Any) -> Iterator[str]:
    statements = [" ".join(text.split()) for step in steps.values() for text in step if "TRIGGER" not in text]
    yield "```sql\n" + ";\n".join(statements) + ";\n```\n"


_TOLD = re.compile(
    r"^[^\n]*: (?:error|warning)\[(?P<code>PB\d+)\] (?P<message>[^\n]*)\n"
    r"(?: +\|\n\d+ \| (?P<line>[^\n]*)\n +\|[^\n]*\n)?(?:  hint: (?P<hint>[^\n]*)\n)?",
    re.MULTILINE,
)
_LONGEST = 90


def _mistakes() -> Iterator[str]:
    """The catalogue, and under each code the bad files of the tests with what is said of them."""
    told = _told()
    yield "# Mistakes, and what to write instead\n"
    yield "`promptbench explain PB104` shows one of these at the terminal, `promptbench explain PB` lists them.\n"
    yield "The tables say what people write, what they are told, and what mends it; ✓ is mended by"
    yield "`promptbench validate --fix`.\n"
    for page in mistake_pages():
        yield f"## {page.code}: {page.title}\n\n{page.cause}\n\n{page.mend}\n"
        right = "" if page.right_file == "terminal" else f", in `{page.right_file}`"
        yield f"Wrong, in `{page.file}`:\n\n```text\n{page.wrong}```\n\nRight{right}:\n\n```text\n{page.right}```\n"
        rows = told.get(page.code, {})
        if rows:
            yield "| what is written | what is said | what to do | |\n|---|---|---|---|"
            yield from (f"| {line} | {message} | {hint} | {mends} |" for message, (line, hint, mends) in rows.items())
            yield ""


def _told() -> dict[str, dict[str, tuple[str, str, str]]]:
    """By code, each message once with the line that it is about, its hint, and whether that file is mended."""
    mended = set(
        re.findall(r"^=== (\w+)\.yaml: 0 left$", (GOLDEN / "mends.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    found: dict[str, dict[str, tuple[str, str, str]]] = {}
    for path in sorted((GOLDEN / "diagnostics").glob("**/*.txt")):
        for match in _TOLD.finditer(path.read_text(encoding="utf-8")):
            line, hint = (match["line"] or "").strip(), (match["hint"] or "").replace("|", "\\|")
            row = _code(line) if 0 < len(line) <= _LONGEST else "", hint, "✓" if path.stem in mended else ""
            found.setdefault(match["code"], {}).setdefault(match["message"].replace("|", "\\|"), row)
    return found


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
