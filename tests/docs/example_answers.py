"""Records the answers of the example that `promptbench init` writes: `python -m tests.docs.example_answers`.

Runs the example on the real embedded model, and keeps what it answered next to `init`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from promptbench.workflows.start import init


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for words in (["init", "--model", init.DEFAULT_MODEL], ["run"]):
            subprocess.run([sys.executable, "-m", "promptbench", *words], cwd=folder, env=os.environ, check=True)
        with sqlite3.connect(Path(folder) / ".promptbench" / "runs.sqlite") as database:
            rows = database.execute(
                """SELECT request_hash, json_set(recording.answer, '$.text', text) FROM recording
                JOIN answer ON hash = answer_hash ORDER BY request_hash"""
            ).fetchall()
    kept = [{"request": request, "answer": json.loads(answer)} for request, answer in rows]
    path = Path(init.__file__).with_name("example_answers.json")
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
