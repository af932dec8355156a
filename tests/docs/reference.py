"""Writes the reference pages from the code: `python -m tests.docs.reference`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promptbench
from promptbench.providers import plugins as providers, provider_spec
from promptbench.store import prompts_schema, runs_schema
from promptbench.workflows.start.explain import check_pages
from promptbench.yaml.text import in_braces

FOLDER = Path(promptbench.__file__).parent / "docs" / "reference"
_WRITTEN = "<!-- Written by `python -m tests.docs.reference`; change the code instead. -->\n"


def pages() -> dict[str, str]:
    """File name to text of every reference page."""
    return {
        "checks.md": _WRITTEN + "\n".join(_checks()),
        "suite.md": _WRITTEN + "\n".join(_suite()),
        "commands.md": _WRITTEN + "\n".join(_commands()),
        "configuration.md": _WRITTEN + "\n".join(_settings()),
        "databases.md": _WRITTEN + "\n".join(_databases()),
    }


def _checks() -> Iterator[str]:
    yield "# Checks\n\nOne name a check; spaces, dashes and underscores are the same.\n"
    for page in check_pages():
        yield f"## {page.name}\n\n{page.summary}\n"
        yield from (f"- **{name}**: {words}" for name, words in page.parts.items())
        yield f"\n```yaml\n{page.example.strip()}\n```\n"


def _suite() -> Iterator[str]:
    from promptbench.workflows.start.schema import suite_schema

    schema = suite_schema()
    parts = schema["$defs"]
    yield "# The suite file\n\nKeys with a space may be written with a dash or an underscore too.\n"
    yield from _table("Top level", schema)
    yield from _table("A model, under `models:`", parts["ModelFile"])
    yield from _table("A case, under `cases:`", parts["CaseFile"])
    yield from _table("A message, under `messages:`", parts["MessageFile"])
    yield from _table("A quarantine, under `quarantine:`", parts["QuarantineFile"])
    yield from _table("The gate, under `gate:`", parts["GateFile"])
    yield from _table("The cases with a tag, under `gate: tags:`", parts["TagFile"])


def _table(title: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n\n| key | meaning | example |\n|---|---|---|"
    for name, value in schema["properties"].items():
        needed = " **Required.**" if name in schema["required"] else ""
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
    from promptbench.cli.app import command_tree

    yield "# Commands\n"
    yield from _help(command_tree(), ["promptbench"])


def _help(command: Any, words: list[str]) -> Iterator[str]:
    name = " ".join(words)
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=100, max_content_width=100)
    yield f"{'#' * (len(words) + 1)} {name}\n\n```text\n{command.get_help(context).strip()}\n```\n"
    for child, sub in getattr(command, "commands", {}).items():
        yield from _help(sub, [*words, child])


_KINDS = {"bool": "true or false", "int": "whole number", "float": "number", "str": "text"}


def _kind(annotation: Any) -> str:
    """Return a type as the page names it."""
    origin = getattr(annotation, "__origin__", annotation)
    if origin is dict:
        return "table"
    parts = [item for item in getattr(annotation, "__args__", ()) if item is not type(None)]
    return "list of texts" if origin is list else _KINDS[(parts or [origin])[0].__name__]


def _settings() -> Iterator[str]:
    from promptbench.settings.settings import USER_ONLY, VARIABLES, LimitsFile, SettingsFile

    yield """# All settings

A project's settings are in `promptbench.toml`, or in `[tool.promptbench]` of `pyproject.toml`; the user's are in
`~/.config/promptbench/config.toml` (or below `$XDG_CONFIG_HOME`; on Windows below `%APPDATA%`). Dashes and underscores
are the same. An option of a command wins over a variable, a variable over the project's file, and the project's file
over the user's. Tables are merged key by key. [The guide](../guides/settings.md) explains them.

| key | type | default | variable | where | meaning |
|---|---|---|---|---|---|"""
    for name, field in SettingsFile.model_fields.items():
        default = field.get_default(call_default_factory=True)
        variable = f"`PROMPTBENCH_{name.upper()}`" if name in VARIABLES else ""
        where = "user, environment" if name in USER_ONLY else "project, user" + (", environment" if variable else "")
        shown = f"`{default}`" if default not in (None, [], {}) else ""
        key = name.replace("_", "-")
        yield f"| `{key}` | {_kind(field.annotation)} | {shown} | {variable} | {where} | {field.description} |"
    yield '\nUnder `[limits."openai/gpt-5.4-mini"]` or `[limits.openai]`:\n\n| key | type | meaning |\n|---|---|---|'
    for name, field in LimitsFile.model_fields.items():
        yield f"| `{name.replace('_', '-')}` | {_kind(field.annotation)} | {field.description} |"
    yield "\n## The table of a provider\n\nIn `[providers.NAME]`, of the project or the user.\n"
    for name in providers.names():
        options = provider_spec(name).options
        if options:
            yield f"### {name}\n\n| key | type | default | variable | meaning |\n|---|---|---|---|---|"
            for key, option in options.items():
                variable = f"`{option.variable}`" if option.variable else ""
                default = f"`{option.default}`" if option.default and " " not in option.default else option.default
                yield f"| `{key}` | {option.kind} | {default} | {variable} | {option.meaning} |"
            yield ""
    yield "## Variables that are not settings\n\n| variable | meaning |\n|---|---|"
    yield "| `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `AZURE_OPENAI_API_KEY` | the keys of these providers |"
    yield "| `NO_COLOR`, `FORCE_COLOR` | no colour; colour also where the output is not a terminal |"
    yield "| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | the proxy of calls to other machines |\n"


def _databases() -> Iterator[str]:
    yield "# The databases\n"
    yield "Both are plain SQLite files that the `sqlite-utils` command and Datasette open as they are.\n"
    yield "## `.promptbench/runs.sqlite`: runs, attempts, recordings, cache\n"
    for table, columns in runs_schema.COLUMNS.items():
        yield f"### {table}\n\n| column | what it holds |\n|---|---|"
        for column, text in columns.items():
            yield f"| `{column}` | {text} |"
        yield ""
    yield "`attempt` and `recording` are views of `attempt_row` and `recording_row`, which hold hashes as bytes, and"
    yield "numbers for what many rows share. The views `attempt_with_answer` and `result` join them for reading.\n"
    yield from _sql(runs_schema.MIGRATIONS)
    yield "## `prompt_store/prompts.sqlite`: versions, labels, events, evidence\n"
    yield "Append-only; rebuilt from `prompt_store/text/`. The views `label` and `history` are for reading.\n"
    yield from _sql(prompts_schema.MIGRATIONS)


def _sql(steps: Any) -> Iterator[str]:
    statements = [" ".join(text.split()) for step in steps.values() for text in step if "TRIGGER" not in text]
    yield "```sql\n" + ";\n".join(statements) + ";\n```\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
