"""Write a suite from a config of promptfoo, and report what was carried over and what was not.

Nothing of the config is run, and no file outside of its folder is read.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path

from promptbench.core.errors import Code, Diagnostic, Diagnostics, InputError, Location, Severity
from promptbench.core.types import Json, ModelRef
from promptbench.core.words import number_of
from promptbench.ingest._fields import as_list, as_number, as_object, as_text, omit_fields
from promptbench.ingest._promptfoo_checks import TABLE, convert_each, nearest, read_assertion
from promptbench.ingest._promptfoo_templates import convert_template, fill_known
from promptbench.project import Project
from promptbench.prompts.parser import parse_prompt
from promptbench.providers import provider_spec
from promptbench.report.diagnostics import as_data, in_order, render
from promptbench.report.document import CodeBlock, Document, Report, Section, Text
from promptbench.workflows.logs.capture import first_words, free_name
from promptbench.workflows.start.init import DEFAULT_MODEL, Start, init
from promptbench.yaml.marked import YamlDocument, parse
from promptbench.yaml.source import Source, SourceError, matches, read_source
from promptbench.yaml.text import item_lines, mapping_lines

# Where the location of an object is kept in it, and a name that no config has.
_AT = "\0at"
# An unquoted value in a chat prompt of JSON.
_DUMP = re.compile(r"\{\{\s*([\w.]+)\s*\|\s*(?:dump|tojson)(?:\s*\|\s*safe)?\s*\}\}")


def init_from(folder: Path, source: Path, name: str | None, model: str | None, judge: str | None) -> Report:
    """Write `suites/NAME/` from a config of promptfoo. Return the report, with each item without an equivalent.

    Args:
        folder: the project's folder, made if it is missing.
        source: the config.
        name: the suite's name; by default that of the config's folder.
        model: the model, in place of those of the config.
        judge: the model for assertions that a model judges; they are listed without one.

    Raises:
        InputError: if the config is invalid, its variables have too many combinations, or the suite exists.
        EnvironmentFailure: if the folder cannot be written to.
    """
    config = _Config(Project.open(folder), source.resolve().parent, judge)
    config.read(source.resolve())
    name = name or re.sub(r"[^a-z0-9]+", "-", source.resolve().parent.name.lower()).strip("-") or "imported"
    prompts = {f"{name}.{variant}.prompt": text for variant, text in config.prompts.items()}
    head = omit_fields(
        {
            "suite": name,
            "about": config.about,
            "prompt": list(prompts),
            "models": ([model] if model else config.models) or [DEFAULT_MODEL],
        }
    )
    cases = [line for case in config.cases.values() for line in item_lines(case, 2)]
    texts = {"suite.yaml": "\n".join([*mapping_lines(head, 0), "cases:", *cases, ""])}
    for file, text in prompts.items():
        # A variable that a case lacks is empty in promptfoo.
        prompt = parse_prompt(Source(file, text), Diagnostics())
        missing = {
            found
            for case in config.cases.values()
            for found in (prompt.missing(case.get("vars", {})) if prompt else ())
        }
        front = mapping_lines({"input": {"default": dict.fromkeys(sorted(missing))}}, 0) if missing else []
        texts[file] = "\n".join([*(["---", *front, "---"] if front or text.startswith("---") else []), text, ""])
    keys = [f'{server}.{key} = "{text}"\n' for server, own in config.servers.items() for key, text in own.items()]
    settings = ("providers.openai_compatible.servers", "".join(keys))
    return config.report(name, init(folder, Start(name, settings=settings if keys else None), texts))


class _Config:
    # A config, and what is carried over from it. `prompts` are the texts of prompt files by variant, `servers` the
    # settings of servers that the models need. `_items` has each item of the config by its kind, location and name:
    # None if it is carried over.

    def __init__(self, project: Project, folder: Path, judge: str | None) -> None:
        self.prompts: dict[str, str] = {}
        self.models: list[dict[str, Json]] = []
        self.cases: dict[str, dict[str, Json]] = {}
        self.servers: dict[str, dict[str, str]] = {}
        self._items: dict[tuple[str, Location, str], Diagnostic | None] = {}
        self._project, self._folder, self._judge = project, folder, judge

    def read(self, file: Path) -> None:
        config = as_object(self._load(file, ""))
        if not config.keys() & {"prompts", "providers", "targets", "tests"}:
            raise InputError(f"{file.name} is not a config of promptfoo", hint="it has no prompts, providers or tests")
        self.about = " ".join((as_text(config.get("description")) or "").split())
        for item in map(as_object, [*_listed(config.get("providers")), *_listed(config.get("targets"))]):
            self._provider(item)
        tests = [[item] for item in map(as_object, _listed(config.get("tests"))) if item]
        for scenario in map(as_object, _listed(config.get("scenarios"))):
            pairs = product(_listed(scenario.get("config")), _listed(scenario.get("tests")) or [{}])
            tests += [list(map(as_object, pair)) for pair in pairs]
        for layers in tests or [[]]:
            self._test([as_object(config.get("defaultTest")), *layers])
        for item in map(as_object, _listed(config.get("prompts"))):
            self._prompt(item)
        # Without a prompt, promptfoo sends this variable.
        self.prompts = self.prompts or {
            "1": "\n".join(f"{{{{{key}}}}}" for key in {"prompt": 0, **next(iter(self.cases.values())).get("vars", {})})
        }

    def report(self, name: str, written: list[str]) -> Report:
        counts = Counter((kind, listed is None) for (kind, *_), listed in self._items.items())
        kinds = {kind: {"carried": counts[kind, True], "listed": counts[kind, False]} for kind, _ in sorted(counts)}
        listed = in_order(filter(None, self._items.values()))
        lines = [
            *(
                f"{number_of(row['carried'], kind)} carried over, {row['listed']:,} listed"
                for kind, row in kinds.items()
            ),
            *(f"wrote {path}" for path in written),
            *(
                f"needs {keys['base_url']} as the server {server} in the settings"
                for server, keys in self.servers.items()
            ),
        ]
        data = {
            "schema_version": 1,
            "suite": name,
            "files": written,
            "cases": len(self.cases),
            "items": kinds,
            "listed": [as_data(item) for item in listed],
        }
        sections = [*([Section([CodeBlock(render(listed))])] if listed else []), Section([*map(Text, lines)])]
        return Report("init", Document("", sections, number_of(len(self.cases), "case")), lambda: data)

    def _load(self, file: Path, key: str) -> Json:
        # Return the data in a file, with the data of other files in place of references to them.
        shown, found = file.relative_to(self._folder).as_posix(), Diagnostics()
        try:
            source = read_source(file, shown)
        except SourceError as error:
            raise InputError(f"{shown} cannot be read: {error}") from None
        if file.suffix in (".csv", ".jsonl"):
            # A YAML list with an item on each line.
            rows = map(_read_row, csv.DictReader(source.text.splitlines(keepends=True), skipinitialspace=True))
            written = (
                ["", *(json.dumps(row, ensure_ascii=False) for row in rows)] if file.suffix == ".csv" else source.lines
            )
            source = Source(shown, "\n".join(f"- {line}" if line.strip() else "" for line in written))
        document = parse(source, found)
        if document is None or found.errors:
            raise InputError(f"{shown} cannot be read", diagnostics=found)
        return self._resolve(document, document.value, key, ())

    def _resolve(self, document: YamlDocument, value: Json, key: str, path: tuple[str | int, ...]) -> Json:
        # Return a value without references, and count its keys. `key` is its name, or that of the list around.
        location = document.location(path)
        if isinstance(value, list):
            items = [self._resolve(document, item, key, (*path, number)) for number, item in enumerate(value)]
            return [inner for item in items for inner in (_listed(item) if key in TABLE["lists"] else [item])]
        if isinstance(value, str):
            value = self._included(value, key, location)
            if key in ("prompts", "providers", "targets") and (
                not path or path[-1] == key or isinstance(path[-1], int)
            ):
                return [as_object(item) or {"id": item, _AT: location} for item in _listed(value) if str(item).strip()]
        if not isinstance(value, dict) or _AT in value:
            return value
        if (target := str(value.get("$ref"))).startswith("#/"):
            value = as_object(document.value)
            for step in target[2:].split("/"):
                value = as_object(value.get(step))
        is_free = key in ("vars", "metadata", "value", "env", "assertionTemplates")
        for step in () if is_free else value:
            is_carried = step in TABLE["carried"] or step in TABLE["parameters"] or value[step] in (None, "", [], {})
            why = "" if is_carried else "no key here has the same meaning"
            self._count("key", document.location((*path, step), key=True), step, why)
        inner = {
            step: self._resolve(document, item, key if is_free or key == "prompts" else step, (*path, step))
            for step, item in value.items()
        }
        return inner if is_free else {**inner, _AT: location}

    def _included(self, written: str, key: str, location: Location) -> Json:
        # Return the content of the file that a text names, a list of several, or the text itself.
        # A template in a variable that is not the name of another variable.
        if key == "vars" and re.search(r"\{\{(?!\s*(?!env\.)\w[\w.]*\s*\}\})|\{%", written):
            self._count("template", location, written, "this expression has no equivalent, it is in the value as text")
        is_named = key in TABLE["lists"] and "\n" not in written and (self._folder / written[:200]).is_file()
        if not (written.startswith("file://") or is_named):
            return written
        found, values = Diagnostics(), []
        for file in matches(self._folder, written.removeprefix("file://"), location, found, hint=""):
            if file.suffix in TABLE["data"] and key != "prompts" and file.is_file():
                values.append(self._load(file, key))
            elif file.suffix in TABLE["data"] + TABLE["texts"] and file.is_file():
                text = file.read_text(encoding="utf-8", errors="replace")
                values += re.split(r"(?m)^---[ \t]*$", text) if key == "prompts" and file.suffix == ".txt" else [text]
        if key in TABLE["lists"] or key == "vars":
            problems = [item.message.replace("suite's", "config's") for item in found]
            self._count("file", location, written, "" if values else [*problems, "it is missing, or not data"][0])
        return values[0] if len(values) == 1 else values or written

    def _count(self, kind: str, location: Location, what: str, why: str = "") -> None:
        # Count an item as carried over, or with a reason list it. What is listed once, for one case, stays listed.
        instead = nearest("instead", what.removeprefix("not-")) or TABLE["instead"][f"a {kind}"]
        listed = Diagnostic(Code[TABLE["codes"][kind]], f"{what}: {why}", location, instead, Severity.WARNING)
        self._items[kind, location, what] = listed if why else self._items.get((kind, location, what))

    def _prompt(self, value: dict[str, Json]) -> None:
        text, location = (as_text(value.get("raw")) or as_text(value.get("id")) or "").strip(), value[_AT]
        label = re.sub(r"[^a-z0-9]+", "-", str(value.get("label") or "").lower()).strip("-")[:40]
        is_text = text[:7] not in ("", "file://")
        self._count(
            "prompt", location, f"prompt {len(self.prompts) + 1}", "" if is_text else "it is code, missing or empty"
        )
        if is_text:
            self.prompts[label if label not in ("", *self.prompts) else str(len(self.prompts) + 1)] = "\n".join(
                self._messages(text, location)
            )

    def _messages(self, text: str, location: Location) -> Iterator[str]:
        # Yield the lines of a prompt file: the messages of a chat in JSON or YAML, else the text.
        found = Diagnostics()
        written = parse(Source("", _DUMP.sub(r'"{{\1}}"', text)), found) if text[:1] in ("[", "-") else None
        chat = [as_object(item) for item in as_list(written.value)] if written and not found.errors else []
        is_chat = bool(chat) and all(item.get("role") in TABLE["roles"] for item in chat)
        for message in chat if is_chat else [{"content": text}]:
            content = message.get("content")
            if not isinstance(content, str):
                self._count("template", location, "parts", "a message of several parts is in the prompt as text")
                content = json.dumps(content, ensure_ascii=False)
            if is_chat:
                yield f'{{{{role "{TABLE["roles"][message["role"]]}"}}}}'
            yield convert_template(content, lambda tag, why: self._count("template", location, tag, why))

    def _provider(self, value: dict[str, Json]) -> None:
        [(key, inner), *_] = value.items()
        value = {**inner, "id": key, _AT: value[_AT]} if isinstance(inner, dict) and len(value) == 2 else value
        name, config = str(value.get("id")), as_object(value.get("config"))
        prefix = max((start for start in TABLE["providers"] if name.startswith(start)), key=len, default="")
        target = "" if "{{" in name else TABLE["providers"].get(prefix)
        self._count("provider", value[_AT], name, "" if target else "no provider here has this model")
        if not target:
            return
        model, (provider, _, server) = f"{target}{name.removeprefix(prefix)}", target.rstrip("/").partition("/")
        self.servers |= {server: TABLE["servers"][server]} if server else {}
        words = {key: {TABLE["parameters"][key]: config[key]} for key in config.keys() & TABLE["parameters"].keys()}
        unsupported, context = provider_spec(provider).unsupported, self._project.provider_context(provider)
        refused = {key for key, word in words.items() if unsupported(ModelRef.parse(model).name, context, word)}
        for key in refused:
            self._count("key", config[_AT], key, f"{model} does not take it")
        config = {word: item for key in words.keys() - refused for word, item in words[key].items()}
        # A name has no slash. Two entries of a model need a name each.
        label = (as_text(value.get("label")) or model.rpartition("/")[2]).replace("/", " ")
        label = free_name(label, {str(entry["as"]) for entry in self.models})
        self.models.append({"model": model, "as": label, **({"config": config} if config else {})})

    def _test(self, layers: list[dict[str, Json]]) -> None:
        # Add the cases of a test: one for each combination of its values. Later layers take precedence.
        parts = [as_object(item) for layer in layers for item in _listed(layer.get("vars"))]
        values = {key: item for part in parts for key, item in part.items()}
        options = {key: item for layer in layers for key, item in as_object(layer.get("options")).items()}
        test = {key: value for layer in layers for key, value in layer.items() if value not in (None, "", {})}
        asserts = [
            as_object(item)
            for layer in layers[bool(options.get("disableDefaultAsserts")) :]
            for item in _listed(layer.get("assert"))
        ]
        lists = [
            item
            if isinstance(item, list) and item and isinstance(item[0], str) and not options.get("disableVarExpansion")
            else [item]
            for item in values.values()
        ]
        if len(self.cases) + prod(map(len, lists)) > TABLE["most_cases"]:
            raise InputError(f"the tests and their variables are more than {TABLE['most_cases']:,} cases")
        for chosen in product(*lists):
            variables = dict(zip(values, chosen, strict=True))
            variables = as_object(fill_known(variables, variables))
            checks = []
            for item, check, why in convert_each(fill_known(asserts, variables), self._judge):
                checks += [check] if check else []
                for leaf in map(as_object, _listed(as_object(item).get("assert")) or [item]):
                    self._count("assertion", leaf[_AT], str(leaf.get("type")), why)
            texts = [text for value in variables.values() if (text := as_text(value))]
            words = (as_text(test.get("description")) or first_words(texts, 6)).split()
            name = free_name(" ".join(words) or "case", self.cases)
            case = {
                "case": name,
                "vars": variables,
                "threshold": as_number(test.get("threshold")) or None,
                "origin": test.get("metadata"),
                # A test without assertions passes with any answer.
                "checks": checks or [TABLE["any"]],
                # A case that lacks a value, or all of its checks, is not called.
                "skip": TABLE["skip"]
                if (asserts and not checks) or any(text.startswith("file://") for text in texts)
                else None,
            }
            self.cases[name] = omit_fields(case)


def _read_row(row: Mapping[str, str]) -> dict[str, Json]:
    # Return the test in a row of a table.
    cells = {head.strip(): text.strip() for head, text in row.items() if head and text}
    return {
        **{head[2:]: text for head, text in cells.items() if re.match("__(?!expected)", head)},
        "vars": {head: text for head, text in row.items() if head and head[:2] != "__"},
        "assert": [read_assertion(cells[head]) for head in cells if head.startswith("__expected") and cells[head]],
    }


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [] if value is None else [value]
