"""Write a suite from a config of promptfoo or an export of evals, and report what was carried over and what was not.

An export is read as a config: each row of data is a test, and each grader an assertion. Nothing of the file is run, and
no file outside of its folder is read.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from promptbench.core.errors import Code, Diagnostic, Diagnostics, InputError, Location, Severity
from promptbench.core.types import Json, ModelRef
from promptbench.core.words import number_of
from promptbench.ingest._fields import as_list, as_number, as_object, as_text, omit_fields
from promptbench.ingest._promptfoo_checks import (
    TABLE,
    convert_each,
    convert_grader,
    listed,
    nearest,
    read_chat,
    read_row,
    read_rubric,
)
from promptbench.ingest._promptfoo_templates import convert_template, fill_known
from promptbench.ingest._records import find_value, plain_json
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
    """Write `suites/NAME/` from a config or an export. Return the report, with each item without an equivalent.

    Args:
        folder: the project's folder, made if it is missing.
        source: a config of promptfoo, an eval of OpenAI or of openai/evals, or the items of a Langfuse dataset.
        name: the suite's name, and of several evals the one to import; by default that of the eval or the folder.
        model: the model, in place of those of the file.
        judge: the model for assertions that a model judges; they are listed without one.

    Raises:
        InputError: if the file is invalid, its variables have too many combinations, or the suite exists.
        EnvironmentFailure: if the folder cannot be written to.
    """
    file = source.resolve()
    # openai/evals has evals in one folder and their data in the next.
    is_registry = file.parent.name == "evals" and (file.parent.parent / "data").is_dir()
    config = _Config(Project.open(folder), file.parent.parent if is_registry else file.parent, judge)
    config.read(file, name)
    if name in (None, config.name):
        name = re.sub(r"[^a-z0-9]+", "-", (config.name or file.parent.name).lower()).strip("-") or "imported"
    prompts = {f"{name}.{variant}.prompt": text for variant, text in config.prompts.items()}
    head = omit_fields(
        {
            "suite": name,
            "about": " ".join(config.about.split()),
            "prompt": list(prompts),
            "models": ([model] if model else config.models) or [DEFAULT_MODEL],
        }
    )
    is_long = len(config.cases) > TABLE["most_inline"]
    cases = ["cases:", *(line for case in config.cases.values() for line in item_lines(case, 2))]
    texts = {
        "suite.yaml": "\n".join([*mapping_lines(head, 0), *(["cases: cases.jsonl"] if is_long else cases), ""]),
        **({"cases.jsonl": "\n".join([*map(json.dumps, config.cases.values()), ""])} if is_long else {}),
    }
    for path, text in prompts.items():
        # A variable that a case lacks is empty in promptfoo.
        prompt = parse_prompt(Source(path, text), Diagnostics())
        missing = {
            found
            for case in config.cases.values()
            for found in (prompt.missing(case.get("vars", {})) if prompt else ())
        }
        front = mapping_lines({"input": {"default": dict.fromkeys(sorted(missing))}}, 0) if missing else []
        texts[path] = "\n".join([*(["---", *front, "---"] if front or text.startswith("---") else []), text, ""])
    keys = [f'{server}.{key} = "{text}"\n' for server, own in config.servers.items() for key, text in own.items()]
    settings = ("providers.openai_compatible.servers", "".join(keys))
    return config.report(name, init(folder, Start(name, settings=settings if keys else None), texts))


class _Config:
    # A config, and what is carried over from it. `prompts` are the texts of prompt files by variant, `servers` the
    # settings of servers that the models need. `_items` has each item of the config by its kind, location and name:
    # None if it is carried over. `_objects` are those of an export, and `_table` the keys of the format.

    def __init__(self, project: Project, folder: Path, judge: str | None) -> None:
        self.prompts: dict[str, str] = {}
        self.models: list[dict[str, Json]] = []
        self.cases: dict[str, dict[str, Json]] = {}
        self.servers: dict[str, dict[str, str]] = {}
        self._items: dict[tuple[str, Location, str], Diagnostic | None] = {}
        self._project, self._folder, self._judge = project, folder, judge
        self._objects: list[dict[str, Json]] = []
        self._rows: list[dict[str, Json]] = []
        self._table, self.name, self.about = TABLE, "", ""

    def read(self, file: Path, name: str | None) -> None:
        document = self._parse(file, lambda row: {head: plain_json(cell) for head, cell in row.items()})
        is_config = bool(as_object(document.value).keys() & {"prompts", "providers", "targets", "tests"})
        self._table = TABLE if is_config else TABLE["exports"]
        config = as_object(
            self._resolve(document, document.value, "", ()) if is_config else self._read_export(document, name)
        )
        self.about = as_text(config.get("description")) or ""
        for item in map(as_object, [*listed(config.get("providers")), *listed(config.get("targets"))]):
            self._provider(item)
        tests = [[item] for item in map(as_object, listed(config.get("tests"))) if item]
        for scenario in map(as_object, listed(config.get("scenarios"))):
            pairs = product(listed(scenario.get("config")), listed(scenario.get("tests")) or [{}])
            tests += [list(map(as_object, pair)) for pair in pairs]
        for layers in tests or [[]]:
            self._test([as_object(config.get("defaultTest")), *layers])
        for item in map(as_object, listed(config.get("prompts"))):
            self._prompt(item)
        # Without a prompt, promptfoo sends this variable.
        self.prompts = self.prompts or {
            "1": "\n".join(f"{{{{{key}}}}}" for key in {"prompt": 0, **next(iter(self.cases.values())).get("vars", {})})
        }

    def _read_export(self, document: YamlDocument, name: str | None) -> dict[str, Json]:
        # Return an export as a config: an eval of OpenAI, one of openai/evals, or the items of a dataset in Langfuse.
        entries = {key: as_object(item) for key, item in as_object(document.value).items()}
        names = {str(item.get("id")): key for key, item in entries.items()}
        evals: dict[str, Any] = {names.get(key, key): key for key, item in entries.items() if "class" in item}
        if not evals:
            self._resolve(document, document.value, "", ())
        evals |= {str(item.get("name") or item.get("id")): item for item in self._objects if "testing_criteria" in item}
        self.name = name if name in evals else next(iter(evals), "")
        # Rows do not say of which of several evals they are.
        if len(evals) > 1 and (self.name != name or self._rows):
            raise InputError(f"the file has {len(evals)} evals", hint=f"{self._table['choose']}: {', '.join(evals)}")
        chosen = evals.get(self.name, self._table["dataset"])
        if isinstance(chosen, str):
            chosen = self._read_registry(document, entries, chosen)
        runs = [
            run
            for item in self._objects
            if item.get("eval_id") in (None, chosen.get("id")) and _AT in (run := as_object(item.get("data_source")))
        ]
        for run in runs:
            self._count("run", run[_AT], "a run", "the results of past runs are not part of a suite")
        for name, at in {name: run[_AT] for run in runs if (name := find_value(run, "source.id"))}.items():
            paths = [
                path
                for place in ("", "*/")
                for path in matches(self._folder, f"{place}{name}.json[l]", at, Diagnostics(), hint="")
            ]
            self._count("file", at, f"{name}.jsonl", "" if paths else "it is missing, put it next to the export")
            for path in paths:
                self._load(path, "rows")
        # Runs with the same prompt, model or rows have them once. A field of the row is a variable.
        chats = [(run[_AT], json.dumps(read_chat(find_value(run, "input_messages.template")))) for run in runs]
        prompts = {re.sub(r"\{\{(-?\s*)item\.", r"{{\1", chat): at for at, chat in chats if chat != "[]"}
        models = {
            f"{run['model']} {omit_fields(as_object(run.get('sampling_params')), (_AT,))}": run
            for run in runs
            if "model" in run
        }
        graders = [as_object(item) for item in as_list(chosen["testing_criteria"])]
        rows = [row for row in self._rows if row.get("eval_id") in (None, chosen.get("id"))]
        self.name = self.name or as_text(find_value(rows, "0.datasetName")) or ""
        field = chosen.get("field") or find_value(runs, "0.input_messages.item_reference")
        tests = self._build_tests(rows, graders, as_text(field) or "", bool(prompts)) if rows else []
        if not tests:
            raise InputError(f"{self.name or document.source.path} has no tests or rows of data", hint=TABLE["formats"])
        return {
            "description": chosen.get("about")
            or ", ".join(filter(None, [self.name, *(as_text(item.get("name")) for item in graders)])),
            "providers": [
                {"id": f"openai:{run['model']}", "config": run.get("sampling_params"), _AT: run[_AT]}
                for run in models.values()
            ],
            "prompts": [{"raw": text, _AT: at} for text, at in prompts.items()],
            "tests": tests,
        }

    def _read_registry(self, document: YamlDocument, entries: Mapping[str, Json], key: str) -> dict[str, Json]:
        # Return an eval of openai/evals as one of OpenAI's, and read its samples.
        head, entry = (as_object(self._resolve(document, entries[name], "", (name,))) for name in (self.name, key))
        args, kind = omit_fields(as_object(entry.get("args")), (_AT,)), str(entry["class"]).rpartition(":")[2]
        at, wanted, data = (
            document.location((key, "class")),
            str(args.get("modelgraded_spec")),
            args.get("samples_jsonl"),
        )
        self._count("key", at, kind, self._table["differences"].get(kind, ""))
        specs = [
            as_object(as_object(self._parse(file, read_row).value).get(wanted))
            for file in sorted(self._folder.glob("modelgraded/*.yaml"))
            if re.search(rf"(?m)^{re.escape(wanted)}:", file.read_text(encoding="utf-8", errors="replace"))
        ]
        for file in matches(self._folder, f"data/{data}", at, Diagnostics(), hint="") if data else ():
            self._load(file, "rows")
        # What a class does not have is listed once, what a sample does not have for each.
        place = {} if kind in self._table["classes"] else {_AT: at}
        return {
            "testing_criteria": [{**args, **read_rubric(next(filter(None, specs), {}), args), "type": kind, **place}],
            "about": " ".join(filter(None, map(as_text, (head.get("description"), head.get("disclaimer"))))),
            "field": "input",
        }

    def _build_tests(
        self, rows: list[dict[str, Json]], graders: list[dict[str, Json]], field: str, has_prompts: bool
    ) -> list[Json]:
        # Return a test for each row. A chat is in its messages, other data in its variables. `field` is that of the row
        # with what goes in: `input`, an OpenAI eval's reference such as `item.chat`, or "" for all of the row.
        items = [
            omit_fields(as_object(find_value(row, "datasource_item.item | datasource_item | item")) or row, (_AT,))
            for row in rows
        ]
        given = [
            item
            if has_prompts
            else item.get(field.removeprefix("item."))
            if field
            else find_value(row, "sample.input") or item
            for row, item in zip(rows, items, strict=True)
        ]
        chats = [[] if isinstance(value, str) or has_prompts else read_chat(value) for value in given]
        # A first message that all have is the prompt's.
        start = [
            message
            for message in next(filter(None, chats), [])[:1]
            if "{{" not in message["content"]
            and all(chat[:1] == [message] and chat[1:] for chat, value in zip(chats, given, strict=True) if value)
        ]
        for key, at in {
            key: row[_AT]
            for row, value in zip(rows, given, strict=True)
            for message in as_list(as_object(value).get("messages", value))
            for key in as_object(message).keys() - {*self._table["message"]}
        }.items():
            self._count("key", at, key, "a message has a role and a content here")
        tests: dict[str, dict[str, Any]] = {}
        for number, (row, item, value, chat) in enumerate(zip(rows, items, given, chats, strict=True), 1):
            inner = value if isinstance(value, dict) else {"input": value} if as_text(value) else {}
            # Names that a prompt can have. Two keys may not become one name.
            named = {re.sub(r"[^A-Za-z0-9_-]+|^(?=[\d-])", "_", key): item for key, item in inner.items()}
            values = named if not chat and len(named) == len(inner) else {}
            self._count("row", row[_AT], f"row {number}", "" if chat or values else self._table["no_input"])
            texts = map(str, [message["content"] for message in chat[-1:]] or values.values())
            test = {
                "description": f"{number} {first_words(texts, 6)}",
                "vars": values,
                "messages": chat[len(start) :],
                "assert": [
                    {**assertion, _AT: grader.get(_AT, row[_AT])}
                    for grader in graders
                    if (assertion := convert_grader(grader, item))["type"] != "expectedOutput"
                ],
                "metadata": omit_fields(item, self._table["used"]) if field == "input" else {},
                "skip": TABLE["archived"] if item.get("status") == "ARCHIVED" else None,
                "options": {"disableVarExpansion": True},
            }
            # Runs on the same data have the same items.
            tests.setdefault(str(number if field == "input" else item), test)
        if not has_prompts:
            answers = re.findall(r"item\.([\w-]+)", str([grader.get("reference") for grader in graders]))
            names = {name: name in answers for test in tests.values() for name in test["vars"]}
            # Right answers are shown only if there is nothing else.
            self.prompts["1"] = "\n".join(
                [
                    *(f'{{{{role "{TABLE["roles"][message["role"]]}"}}}}\n{message["content"]}' for message in start),
                    *(f"{{{{{name}}}}}" for name, is_answer in names.items() if not is_answer or all(names.values())),
                    *["{{history}}"][: any(chats)],
                ]
            )
            self._count("prompt", rows[0][_AT], "prompt 1", "" if any(chats) else self._table["no_prompt"])
        return [test for test in tests.values() if test["vars"] or test["messages"]]

    def report(self, name: str, written: list[str]) -> Report:
        counts = Counter((kind, listed is None) for (kind, *_), listed in self._items.items())
        kinds = {kind: {"carried": counts[kind, True], "listed": counts[kind, False]} for kind, _ in sorted(counts)}
        items = in_order(filter(None, self._items.values()))
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
            "listed": [as_data(item) for item in items],
        }
        sections = [*([Section([CodeBlock(render(items))])] if items else []), Section([*map(Text, lines)])]
        return Report("init", Document("", sections, number_of(len(self.cases), "case")), lambda: data)

    def _load(self, file: Path, key: str) -> Json:
        # Return the data in a file, with the data of other files in place of references to them.
        document = self._parse(file, read_row)
        return self._resolve(document, document.value, key, ())

    def _parse(self, file: Path, read_row: Callable[[Mapping[str, str]], dict[str, Json]]) -> YamlDocument:
        shown, found = file.relative_to(self._folder).as_posix(), Diagnostics()
        try:
            source = read_source(file, shown)
        except SourceError as error:
            raise InputError(f"{shown} cannot be read: {error}") from None
        if file.suffix in (".csv", ".jsonl"):
            # A YAML list with an item on each line.
            rows = map(read_row, csv.DictReader(source.text.splitlines(keepends=True), skipinitialspace=True))
            written = (
                ["", *(json.dumps(row, ensure_ascii=False) for row in rows)] if file.suffix == ".csv" else source.lines
            )
            source = Source(shown, "\n".join(f"- {line}" if line.strip() else "" for line in written))
        document = parse(source, found)
        if document is None or found.errors:
            raise InputError(f"{shown} cannot be read", diagnostics=found)
        return document

    def _resolve(self, document: YamlDocument, value: Json, key: str, path: tuple[str | int, ...]) -> Json:
        # Return a value without references, and count its keys. `key` is its name, or that of the list around.
        location = document.location(path)
        if isinstance(value, list):
            items = [self._resolve(document, item, key, (*path, number)) for number, item in enumerate(value)]
            return [inner for item in items for inner in (listed(item) if key in TABLE["lists"] else [item])]
        if isinstance(value, str) and self._table is TABLE:
            value = self._included(value, key, location)
            if key in ("prompts", "providers", "targets") and (
                not path or path[-1] == key or isinstance(path[-1], int)
            ):
                return [as_object(item) or {"id": item, _AT: location} for item in listed(value) if str(item).strip()]
        if not isinstance(value, dict) or _AT in value:
            return value
        if (target := str(value.get("$ref"))).startswith("#/"):
            value = as_object(document.value)
            for step in target[2:].split("/"):
                value = as_object(value.get(step))
        is_row = key == "rows" or bool(value.keys() & self._table["rows"])
        is_free = is_row or key in self._table["free"]
        carried = {*self._table["carried"], *(TABLE["parameters"] if key in self._table["config"] else ())} - {
            *self._table["unused"].get(key, ())
        }
        carried |= {step for step in value if value[step] in (None, "", [], {})}
        for step in () if is_free else value:
            why = "" if step in carried else "no key here has the same meaning"
            self._count("key", document.location((*path, step), key=True), step, why)
        # What is below a key that is listed is listed with it, and rows of data are as they are.
        inner = {
            step: self._resolve(document, item, key if is_free or key == "prompts" else step, (*path, step))
            if not is_row and (is_free or step in carried)
            else item
            for step, item in value.items()
        }
        inner |= {} if is_free and not is_row else {_AT: location}
        (self._rows if is_row else self._objects).append(inner)
        return inner

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
            why = next((item.message.replace("suite's", "config's") for item in found), "it is missing, or not data")
            self._count("file", location, written, "" if values else why)
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
        parts = [as_object(item) for layer in layers for item in listed(layer.get("vars"))]
        values = {key: item for part in parts for key, item in part.items()}
        options = {key: item for layer in layers for key, item in as_object(layer.get("options")).items()}
        test = {key: value for layer in layers for key, value in layer.items() if value not in (None, "", {})}
        asserts = [
            as_object(item)
            for layer in layers[bool(options.get("disableDefaultAsserts")) :]
            for item in listed(layer.get("assert"))
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
            # Texts in an export are no templates.
            variables = as_object(fill_known(variables, variables if self._table is TABLE else {}))
            checks = []
            for item, check, why in convert_each(
                fill_known(asserts, variables if self._table is TABLE else {}), self._judge
            ):
                checks += [check] if check else []
                for leaf in map(as_object, listed(as_object(item).get("assert")) or [item]):
                    self._count("assertion", leaf[_AT], str(leaf.get("grader") or leaf.get("type")), why)
            texts = [text for value in variables.values() if (text := as_text(value))]
            words = (as_text(test.get("description")) or first_words(texts, 6)).split()
            name = free_name(" ".join(words) or "case", self.cases)
            case = {
                "case": name,
                "vars": variables,
                "messages": test.get("messages"),
                "threshold": as_number(test.get("threshold")) or None,
                "origin": test.get("metadata"),
                # A test without assertions passes with any answer.
                "checks": checks or [TABLE["any"]],
                # A case that lacks a value, or all of its checks, is not called.
                "skip": TABLE["skip"]
                if (asserts and not checks) or any(text.startswith(tuple(self._table["reference"])) for text in texts)
                else test.get("skip"),
            }
            self.cases[name] = omit_fields(case)
