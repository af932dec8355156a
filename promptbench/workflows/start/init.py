"""Write what `init` writes: a small suite that runs, the schema for editors, and missing settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.settings_file import PROJECT_FILE, place
from promptbench.core.types import Answer, Json, ModelRef, Usage
from promptbench.project import Project
from promptbench.providers import plugins as providers, provider_spec
from promptbench.providers.gguf import INSTALL, weight_problems
from promptbench.settings.settings import find_project
from promptbench.store.names import check_prompt_name
from promptbench.text.templates import is_name
from promptbench.workflows.start.find_models import AvailableModel
from promptbench.yaml.text import in_braces

EXAMPLE_NAME = "orders"
DEFAULT_MODEL = "gguf/smollm2-135m"
# The example on answers that this model gave once, for a machine without any model.
RECORDED = "recorded/"
_ANSWERS = Path(__file__).with_name("example_answers.json")
# In `suites/`, and committed, so that editors complete and check suites. The dot keeps it out of `suites/*`.
SCHEMA_FILE = ".suite.schema.json"

_SETTINGS = """\
# promptbench's settings; this folder is the project's root.
# python = ["suites/*/*.py"]        # files that suites may run as models
# machine-price-per-hour = 0.10     # US dollars, for models that run on this machine
"""

_IGNORE = """\
# Runs, recordings and the store's database; the store's text is committed.
.promptbench/
prompt_store/*.sqlite*
"""

_ATTRIBUTES = """\
# The store's text has the same line ends everywhere, so that a diff shows what changed and nothing else.
prompt_store/text/** text eol=lf
"""

_EXAMPLE_PROMPT = """\
---
input:
  schema: {message: string}
output:
  schema: {order: string}
---
{{role "system"}}
You read customer messages and answer with one JSON object with the order number.
{{role "user"}}
Order B-4471 came broken.
{{role "model"}}
{"order": "B-4471"}
{{role "user"}}
I want to return order 90233. My e-mail is t.berg@example.com
{{role "model"}}
{"order": "90233"}
{{role "user"}}
Hello, when does order K-7720 ship?
{{role "model"}}
{"order": "K-7720"}
{{role "user"}}
{{message}}
"""

_EXAMPLE_CASES = """\
checks:
  - json schema: output        # every answer fits the prompt's own output schema
cases:
  - case: charged twice
    vars: {message: I was charged twice for order L-4410.}
    expect: {order: L-4410}

  - case: number of digits only
    vars: {message: 'Hi, order 58213 arrived damaged.'}
    expect: {order: 58213}

  - case: an answer that once was wrong
    vars: {message: 'The charger is missing in order M-7152.'}
    was: '{"order": "M-7152",}' # the wrong answer that came back; the case must fail on it
    expect: {order: M-7152}
"""


@dataclass(frozen=True, slots=True)
class Start:
    """The options of a new suite. Without `about` and `fields` it is an example that finds order numbers.

    `about` is what the prompt should do; `fields` are those of a JSON answer, none for a text. `settings` is what the
    model needs in the settings: a table and its lines.
    """

    name: str = EXAMPLE_NAME
    model: str = DEFAULT_MODEL
    about: str | None = None
    fields: tuple[str, ...] | None = None
    settings: tuple[str, str] | None = None

    def on_found(self, found: AvailableModel | str | None) -> Start:
        """Return the suite on a model that was found or named. Without one, the example replays recorded answers."""
        if found is None:
            return replace(self, model=RECORDED + DEFAULT_MODEL) if self.is_example else self
        if isinstance(found, str):
            return replace(self, model=found)
        table = f"providers.openai_compatible.servers.{found.server}"
        return replace(self, model=found.name, settings=(table, found.settings) if found.settings else None)

    @property
    def is_example(self) -> bool:
        return self.about is None and self.fields is None

    @property
    def config(self) -> dict[str, Json]:
        """The parameters that the prompt sets: only what every model of the provider takes."""
        provider = ModelRef.parse(self.model.removeprefix(RECORDED)).provider
        return dict(provider_spec(provider).starter_config) if provider in providers else {}


def init(folder: Path, start: Start, texts: Mapping[str, str] | None = None) -> list[str]:
    """Write `suites/NAME/` and, if missing, the schema and the settings. Return the files, relative to `folder`.

    `texts` are the files of a suite that is there already, in place of a new one.
    Raise InputError for an invalid name, model or field, and if a file already exists.
    """
    check_prompt_name(start.name)
    try:
        provider = ModelRef.parse(start.model).provider
    except ValueError:
        raise InputError(f"'{start.model}' is not a model", hint="write it as provider/name") from None
    for field in start.fields or ():
        if not is_name(field) or "." in field:
            hint = "a field's name is letters, digits, - and _, such as order_number"
            raise InputError(f"'{field}' is not a valid field name", hint=hint)
    suite = folder / "suites" / start.name
    texts = texts or {
        "suite.yaml": _suite(start, _EXAMPLE_CASES if start.is_example else _first_case(start.fields or ())),
        f"{start.name}.prompt": _prompt(start),
    }
    files = {suite / file: text for file, text in texts.items()}
    if taken := next((path for path in files if path.exists()), None):
        hint = "write another name, as `promptbench init NAME`, or delete it first"
        raise InputError(f"{taken.relative_to(folder).as_posix()} already exists", hint=hint)
    if not (folder / "suites" / SCHEMA_FILE).exists():
        from promptbench.workflows.start.schema import suite_schema

        files[folder / "suites" / SCHEMA_FILE] = json.dumps(suite_schema(), ensure_ascii=False, indent=1) + "\n"
    if find_project(folder) is None:
        has_starter = start.fields and provider in providers
        own = "\n[{}]\n{}".format(*start.settings) if start.settings else ""
        files[folder / PROJECT_FILE] = (
            _SETTINGS + own + (provider_spec(provider).starter_settings if has_starter else "")
        )
        for git_file, text in ((".gitignore", _IGNORE), (".gitattributes", _ATTRIBUTES)):
            if not (folder / git_file).exists():
                files[folder / git_file] = text
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        if start.model.startswith(RECORDED):
            _record_answers(folder)
    except OSError as error:
        raise EnvironmentFailure(f"{folder} cannot be written to: {error.strerror}") from None
    return [path.relative_to(folder).as_posix() for path in files]


def _record_answers(folder: Path) -> None:
    with Project.open(folder).runs() as runs:
        for item in json.loads(_ANSWERS.read_text(encoding="utf-8")):
            usage = Usage(**item["answer"].pop("usage"))
            answer = Answer(usage=usage, **item["answer"])
            runs.record(item["request"], DEFAULT_MODEL, answer, deterministic=True)


def next_steps(folder: Path, start: Start, enter: str) -> Iterator[str]:
    """Yield what to do after `init`; `enter` is what goes before a command, such as `cd new && `."""
    project = Project.open(folder)
    if start.model.startswith(RECORDED):
        yield f"no model found: the example replays recorded answers; `{INSTALL}` installs a small local model"
    elif start.model == DEFAULT_MODEL and weight_problems("smollm2-135m", project.provider_context("gguf")):
        yield f"first install the model: {INSTALL}"
    else:
        yield f"model: {start.model}"
    if start.settings and not project.provider_context("openai_compatible").options:
        table, lines = start.settings
        yield f"add to {place(project.settings.root, table)}:\n{lines.rstrip()}"
    yield f"next: {enter}promptbench run suites/{start.name}"
    yield f"a case of your own: {enter}promptbench new case suites/{start.name}"


def read_fields(written: str) -> tuple[str, ...]:
    """Return the names in a list with commas, such as `order number, e-mail`."""
    return tuple(re.sub(r"\s+", "_", name) for item in written.split(",") if (name := item.strip()))


def name_for(about: str) -> str:
    """Return a short name for a task: the first words of its description."""
    return "-".join(re.findall(r"[a-z0-9]+", about.lower())[:3])[:40] or EXAMPLE_NAME


def _suite(start: Start, cases: str) -> str:
    head = [
        f"# yaml-language-server: $schema=../{SCHEMA_FILE}",
        "# A suite: what goes into the prompt, and what should come back.",
        f"suite: {start.name}",
    ]
    if start.about:
        head.append(f"about: {in_braces(' '.join(start.about.split()))}")
    head += [
        f"prompt: {f'{start.name}.prompt':<22} # the candidate; what is in production is in the prompt store",
        f"models: {in_braces([start.model])}",
    ]
    if start.model.startswith(RECORDED):
        model = start.model.removeprefix(RECORDED)
        head.insert(-1, f"# Recorded answers. For real ones: `{INSTALL}`, and write {model}.")
    return "\n".join(head) + f"\n{cases}"


def _first_case(fields: Sequence[str]) -> str:
    check = "json schema: output        # every answer fits the prompt's own output schema"
    expect = "{" + ", ".join(f"{field}: …" for field in fields) + "}"
    if not fields:
        check, expect = "refusal: no                # the model must not decline", "…"
    return f"""\
checks:
  - {check}
cases:
  - case: first example
    vars:
      message: Replace this with what a customer wrote.
    # The expected answer: remove the # before 'expect', and fill it in.
    # expect: {expect}
"""


def _prompt(start: Start) -> str:
    config = [f"config: {in_braces(start.config)}"] if start.config else []
    if start.is_example:
        return _EXAMPLE_PROMPT.replace("---\n", "\n".join(["---", *config, ""]), 1)
    about = (start.about or "Read the customer's message.").strip()
    output: list[str] = []
    if start.fields:
        output = ["output:", f"  schema: {in_braces(dict.fromkeys(start.fields, 'string'))}"]
        fields = f"the {'field' if len(start.fields) == 1 else 'fields'} {', '.join(start.fields)}"
        about = f"{about}\nAnswer with one JSON object with {fields}, and nothing else."
    lines = ["---", *config, "input:", "  schema: {message: string}", *output]
    lines += ["---", '{{role "system"}}', about.replace("{{", "\\{{"), '{{role "user"}}', "{{message}}"]
    return "\n".join(lines) + "\n"
