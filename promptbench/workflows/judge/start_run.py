"""Runs that the page starts: what can be chosen, the command, and a process of its own that survives the server.

Each has two files below `.promptbench/started/`: its command, and its output. The process holds a lock on the output
as long as it lives, so no other one is ever taken for it.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from threading import Thread

from promptbench.core.clock import now
from promptbench.core.errors import ConflictError, Diagnostics, EnvironmentFailure, InputError
from promptbench.core.types import Json
from promptbench.project import Project, Selection, input_error
from promptbench.store.runs import RunInfo
from promptbench.suite.loader import load as load_suite

if sys.platform != "win32":
    import fcntl

LIMITS = ("max-cost", "max-calls", "max-minutes")
_SHOWN = 20_000  # bytes of the output
_NEWEST = 20


def run_choices(project: Project, file: Path) -> dict[str, list[str]]:
    """Return the prompt files, models, tags and cases that can be run of a suite, by option, its own prompts first.

    Raise InputError if the suite has errors.
    """
    suite = load_suite(file, project.shown(file), found := Diagnostics())
    if suite is None or found.errors:
        raise input_error(found)
    cases, own = list(suite.cases.scan(Diagnostics())), [suite.folder / name for name in suite.prompts]
    files = [*own, *sorted(suite.folder.glob("*.prompt"))] if own else []
    return {
        "prompt": list(dict.fromkeys(map(project.shown, files))),
        "model": [entry.own_name or str(entry.ref) for entry in suite.models],
        # The option takes a pattern.
        "case": [escape(case.name) for case in cases],
        "tag": sorted({tag for case in cases for tag in case.tags}),
    }


def choose_run(project: Project, file: Path, given: Sequence[tuple[str, str]]) -> tuple[Selection, list[str]]:
    """Return the selection and the words of the command for pairs of an option, or a limit of LIMITS, and its value.

    Raise InputError for a value that `run_choices` does not offer, and for a limit that is not a number.
    """
    choices, words = run_choices(project, file), ["run", project.shown(file.parent)]
    # In the order in which the record has them.
    for option, value in [pair for name in (*choices, *LIMITS) for pair in given if pair[0] == name and pair[1]]:
        number = option in LIMITS and value.isascii() and value.replace(".", "", 1).isdecimal()
        if not number and value not in choices.get(option, ()):
            raise InputError(f"{option} '{value}' not found in {words[1]}")
        words += [f"--{option}", value]
    chosen = {option: tuple(value for name, value in given if name == option and value) for option in choices}
    files = tuple(project.settings.root / name for name in chosen["prompt"])
    return Selection((file,), files, chosen["model"], chosen["case"], chosen["tag"]), words


def start(project: Project, words: Sequence[str]) -> str:
    """Start `promptbench` with the words of a run, and return the name under which it is found.

    Raise EnvironmentFailure if no process can be started.
    """
    command = shlex.join(["promptbench", *words])
    if sys.platform == "win32":
        raise EnvironmentFailure("on this system, a run is started in a terminal", hint=command)
    file = project.settings.state / "started" / f"{now().replace(':', '')}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".txt").open("xb") as output:
            # It belongs to the open file, which the process keeps.
            fcntl.flock(output, fcntl.LOCK_EX)
            process = subprocess.Popen(
                [sys.executable, "-m", "promptbench", *words],
                cwd=project.settings.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        facts = {"id": file.stem, "command": command, "words": list(words), "at": now(), "pid": process.pid}
        file.write_text(json.dumps(facts), encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailure(f"the run cannot be started: {error.strerror}") from None
    # Somebody must wait for it, or it stays in the table of processes after its end.
    Thread(target=process.wait, daemon=True).start()
    return file.stem


def started_runs(project: Project) -> dict[str, dict[str, Json]]:
    """Return the newest runs that the page started by name, the newest first.

    Each has id, command, words, at (its start), pid, alive, and the end of its output.
    """
    files = sorted((project.settings.state / "started").glob("*.json"), reverse=True)[:_NEWEST]
    return {file.stem: json.loads(file.read_text("utf-8")) | _state(file.with_suffix(".txt")) for file in files}


def _state(file: Path) -> dict[str, Json]:
    with file.open("rb") as output:
        try:
            fcntl.flock(output, fcntl.LOCK_SH | fcntl.LOCK_NB)
            alive = False
        except OSError:
            alive = True
        return {"alive": alive, "output": output.read()[-_SHOWN:].decode("utf-8", "replace")}


def started_run(project: Project, name: str) -> tuple[dict[str, Json], RunInfo | None]:
    """Return a run as `started_runs` does, and what is on record of it. Raise InputError if it is not found."""
    facts = started_runs(project).get(name)
    if facts is None:
        raise InputError(f"no run was started as '{name}'")
    # A record has the command without limits. One that ended before is of another process.
    command, at = facts["command"].partition(" --max-")[0], facts["at"]
    with project.recordings() as runs:
        newest = [runs.run(item.run) for item in runs.grid().verdicts(limit=_NEWEST)] if runs else []
    own = (info for info in newest if info.facts["command"] == command and (info.finished or at) >= at)
    return facts, next(own, None)


def control(project: Project, name: str, *, resume: bool) -> str:
    """Interrupt a started run as Ctrl-C does (once to let calls in flight finish, again to end at once), or resume it.

    Return its name, which is a new one if it resumes. Raise ConflictError if it has ended, or to resume it, if not.
    """
    facts, _ = started_run(project, name)
    if facts["alive"] is resume:
        raise ConflictError("this run has not ended" if resume else "this run has ended")
    if resume:
        return start(project, facts["words"])
    os.kill(facts["pid"], signal.SIGINT)
    return name
