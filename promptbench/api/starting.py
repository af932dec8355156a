"""What `init` writes: a small suite that runs, and settings where there are none."""

from __future__ import annotations

from pathlib import Path

from promptbench.core.errors import InputError
from promptbench.core.types import ModelRef
from promptbench.settings.settings import PROJECT_FILE, find_project
from promptbench.store.names import check_prompt_name

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

_PROMPT = """\
---
config: {temperature: 0, maxOutputTokens: 32}
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

_SUITE = """\
# A suite: what goes into the prompt, and what should come back.
suite: NAME
prompt: NAME.prompt            # the candidate; what is in production is in the prompt store
models: [MODEL]
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
    was: '{"order": "M-7152",}' # this is what came back; the case must fail on it
    expect: {order: M-7152}
"""


def init(folder: Path, name: str, model: str) -> list[str]:
    """Writes `suites/NAME/` and, where there are none, the settings. Returns the files, from `folder`.

    Raises InputError for a name or model that is none, and rather than overwrite anything.
    """
    check_prompt_name(name)
    try:
        ModelRef.parse(model)
    except ValueError:
        raise InputError(f"'{model}' is not a model", hint="write it as provider/name") from None
    suite = folder / "suites" / name
    files = {
        suite / "suite.yaml": _SUITE.replace("NAME", name).replace("MODEL", model),
        suite / f"{name}.prompt": _PROMPT,
    }
    if find_project(folder) is None:
        files[folder / PROJECT_FILE] = _SETTINGS
        for git_file, text in ((".gitignore", _IGNORE), (".gitattributes", _ATTRIBUTES)):
            if not (folder / git_file).exists():
                files[folder / git_file] = text
    taken = [path for path in files if path.exists()]
    if taken:
        raise InputError(f"{taken[0].relative_to(folder).as_posix()} is there already", hint="choose another name")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return [path.relative_to(folder).as_posix() for path in files]
