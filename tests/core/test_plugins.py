"""A new check, provider, log format or report format is one file: in the package's folder, or in anybody's package."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from promptbench.core.plugins import Plugins, module_name

KINDS = {
    "checks": "promptbench.checks",
    "providers": "promptbench.providers",
    "ingest": "promptbench.ingest",
    "reports": "promptbench.report.renderers",
}
# The smallest plug-in of each kind.
CHECK = """
from promptbench.plugins import CheckSpec
SPEC = CheckSpec(doc="word count: an example.", build=lambda argument, context: None)
"""
PROVIDER = """
from promptbench.plugins import ProviderSpec
SPEC = ProviderSpec(connect=lambda name, context: None)
"""
LOG_FORMAT = """
from promptbench.plugins import LogFormatSpec
SPEC = LogFormatSpec(matches=lambda log: False, read=lambda log: iter(()))
"""
REPORT = """
from promptbench.plugins import ReportFormatSpec
SPEC = ReportFormatSpec(render=lambda reports, target: "")
"""
PLUGIN = {"checks": CHECK, "providers": PROVIDER, "ingest": LOG_FORMAT, "reports": REPORT}


@pytest.mark.parametrize("written", ["json schema", "json-schema", "json_schema", " JSON  Schema ", "Json-_schema"])
def test_a_name_is_written_in_many_ways(written: str) -> None:
    assert module_name(written) == "json_schema"
    assert written in importlib.import_module("promptbench.checks").plugins


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_lists_its_folder(kind: str) -> None:
    package = importlib.import_module(KINDS[kind])
    [folder] = package.__path__
    files = {path.stem for path in Path(folder).glob("*.py") if not path.name.startswith("_")}
    assert files
    assert set(package.plugins.names()) >= files
    assert package.plugins.group == f"promptbench.{kind}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_in_the_folder_is_all_it_takes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "word_count.py").write_text(PLUGIN[kind])
    (tmp_path / "_helper.py").write_text("raise RuntimeError\n")
    (tmp_path / "not a module.py").write_text("raise RuntimeError\n")
    (tmp_path / "note.txt").write_text("no module\n")
    package = importlib.import_module(KINDS[kind])
    before = package.plugins.names()
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    try:
        assert package.plugins.names() == sorted([*before, "word_count"])
        assert "word count" in package.plugins
        assert isinstance(package.plugins.load("Word-Count"), package.plugins._spec_type)
    finally:
        sys.modules.pop(f"{KINDS[kind]}.word_count", None)


def test_a_file_is_imported_when_it_is_used_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('imported')\n")
    package = importlib.import_module("promptbench.checks")
    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    assert package.plugins.names() == ["broken"]
    assert "broken" in package.plugins
    with pytest.raises(RuntimeError, match="imported"):
        package.plugins.load("broken")


def test_an_unknown_name() -> None:
    plugins = Plugins("promptbench.checks", "checks")
    assert "no such check" not in plugins
    assert "_scores" not in plugins
    with pytest.raises(KeyError):
        plugins.load("no such check")


def installed(folder: Path, entries: str, files: dict[str, str]) -> None:
    """A distribution as a package manager leaves it."""
    about = folder / "shop_checks-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-checks\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(entries)
    for name, text in files.items():
        (folder / name).write_text(text)


def python(folder: Path, code: str) -> str:
    """What a fresh interpreter prints that has `folder` among its packages."""
    root = Path(__file__).parents[2]
    code = f"import sys; sys.path[:0] = [{str(root)!r}, {str(folder)!r}]\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_another_package_is_found_by_its_entry_points(tmp_path: Path) -> None:
    entries = "".join(f"[promptbench.{kind}]\nshop-{kind} = shop_{kind}_plugin\n" for kind in KINDS)
    installed(tmp_path, entries, {f"shop_{kind}_plugin.py": text for kind, text in PLUGIN.items()})
    code = "from importlib import import_module\n" + "".join(
        f"plugins = import_module({package!r}).plugins\n"
        f"print('shop {kind}' in plugins, 'shop_{kind}' in plugins.names(), 'shop_{kind}_plugin' in sys.modules)\n"
        f"print(isinstance(plugins.load('Shop-{kind}'), plugins._spec_type))\n"
        for kind, package in KINDS.items()
    )
    assert python(tmp_path, code) == "True True False\nTrue\n" * len(KINDS)


def test_a_broken_package_is_named(tmp_path: Path) -> None:
    entries = "[promptbench.checks]\nbroken = shop_broken\nclass = shop_fine:Check\nspec = shop_fine:SPEC\n"
    entries += "empty = shop_empty\njson = shop_broken\n"
    files = {"shop_broken.py": "import no_such_module\n", "shop_fine.py": f"class Check: ...\n{CHECK}"}
    installed(tmp_path, entries, {**files, "shop_empty.py": ""})
    code = """
from promptbench.checks import plugins
from promptbench.core.errors import EnvironmentFailure
for name in ("broken", "class", "empty"):
    try:
        plugins.load(name)
    except EnvironmentFailure as error:
        print(error, "|", error.hint)
print(plugins.load("spec").doc)
print(plugins.load("json").build.__module__)
"""
    assert python(tmp_path, code).splitlines() == [
        "the plug-in 'broken' of shop-checks does not load: No module named 'no_such_module' | "
        "update or uninstall that package",
        "the plug-in 'class' in promptbench.checks has no CheckSpec | "
        "'shop_fine:Check' must be a module with SPEC = CheckSpec(…), or the spec itself",
        "the plug-in 'empty' in promptbench.checks has no CheckSpec | "
        "'shop_empty' must be a module with SPEC = CheckSpec(…), or the spec itself",
        "word count: an example.",
        # A name of ours stays ours.
        "promptbench.checks.json",
    ]
