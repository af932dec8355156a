from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from promptbench.core.errors import InputError
from promptbench.settings.settings import actor, find_project, load, user_file


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, environ: dict[str, str] | None = None) -> list[tuple[str, int, int]]:
    """Message, line and column of each mistake."""
    with pytest.raises(InputError) as caught:
        load(folder, environ or {})
    assert caught.value.diagnostics
    return [(item.message, item.location.line, item.location.column) for item in caught.value.diagnostics]


def test_without_any_file_the_defaults_hold_where_the_command_started(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert (settings.root, settings.values.retries, settings.values.concurrency) == (tmp_path, 4, None)
    assert (settings.state, settings.store) == (tmp_path / ".promptbench", tmp_path / "prompt_store")
    assert settings.origin == {}


def test_flag_over_environment_over_project_over_user(tmp_path: Path) -> None:
    user = write(tmp_path / "config" / "promptbench" / "config.toml", "retries = 1\nconcurrency = 1\nactor = 'u'\n")
    project = write(tmp_path / "project" / "promptbench.toml", "retries = 2\nconcurrency = 2\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PROMPTBENCH_CONCURRENCY": "3"}
    settings = load(tmp_path / "project", environ, {"concurrency": None, "machine_price_per_hour": 0.5})
    values = settings.values
    assert (values.actor, values.retries, values.concurrency, values.machine_price_per_hour) == ("u", 2, 3, 0.5)
    assert settings.origin == {
        "actor": str(user),
        "retries": str(project),
        "concurrency": "environment",
        "machine_price_per_hour": "flag",
    }
    assert load(tmp_path / "project", environ, {"concurrency": 4}).values.concurrency == 4


def test_the_nearest_file_above_names_the_root(tmp_path: Path) -> None:
    write(tmp_path / "promptbench.toml", "")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert load(inner, {}).root == tmp_path
    write(tmp_path / "a" / "pyproject.toml", "[project]\nname = 'x'\n")
    assert find_project(inner) == tmp_path / "promptbench.toml"
    write(tmp_path / "a" / "pyproject.toml", "[tool.promptbench]\nretries = 7\n")
    assert (load(inner, {}).root, load(inner, {}).values.retries) == (tmp_path / "a", 7)


def test_dashes_and_underscores_are_the_same(tmp_path: Path) -> None:
    write(tmp_path / "promptbench.toml", "machine-price-per-hour = 1\n[providers.openai]\nbase_url = 'x'\n")
    values = load(tmp_path, {}).values
    assert (values.machine_price_per_hour, values.providers) == (1.0, {"openai": {"base_url": "x"}})


def test_tables_of_the_user_and_the_project_are_merged(tmp_path: Path) -> None:
    user = write(
        tmp_path / "config" / "promptbench" / "config.toml",
        "[providers.openai]\nbase_url = 'https://gateway.example/v1'\ntimeout = 9\n"
        "[providers.openai-compatible.servers.gpu]\nbase_url = 'http://gpu:1/v1'\n",
    )
    project = write(
        tmp_path / "project" / "promptbench.toml",
        "[providers.anthropic]\ntimeout = 5\n[providers.openai]\ntimeout = 7\n"
        "[providers.openai_compatible.servers.cpu]\nbase_url = 'http://cpu:1/v1'\n",
    )
    settings = load(tmp_path / "project", {"XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert settings.values.providers == {
        "openai": {"base_url": "https://gateway.example/v1", "timeout": 7},
        "openai_compatible": {
            "servers": {"gpu": {"base_url": "http://gpu:1/v1"}, "cpu": {"base_url": "http://cpu:1/v1"}}
        },
        "anthropic": {"timeout": 5},
    }
    assert settings.origin["providers.openai.base_url"] == str(user)
    assert settings.origin["providers.openai.timeout"] == str(project)


def test_a_dotenv_file_sets_what_is_not_set(tmp_path: Path) -> None:
    write(tmp_path / "promptbench.toml", "retries = 1\n")
    text = "# comment\nexport A_KEY='from file'\nB=${SECRET}\nEMPTY=\nnot a line\nC=two\nPROMPTBENCH_RETRIES=7\n"
    write(tmp_path / ".env", text)
    settings = load(tmp_path, {"C": "one", "SECRET": "s3cret"})
    # `${SECRET}` is not filled in: it could carry a key into an address.
    assert settings.dotenv == {"A_KEY": "from file", "B": "${SECRET}", "PROMPTBENCH_RETRIES": "7"}
    assert (settings.values.retries, settings.origin["retries"]) == (7, ".env")
    assert load(tmp_path, {"PROMPTBENCH_RETRIES": "3"}).values.retries == 3
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()  # the folder of a virtual environment
    assert load(tmp_path, {}).dotenv == {}


def test_only_the_user_decides_which_other_hosts_get_keys(tmp_path: Path) -> None:
    write(tmp_path / "promptbench.toml", "[providers.openai]\nbase_url = 'https://evil.example/v1'\n")
    write(tmp_path / ".env", "OPENAI_BASE_URL=https://worse.example\nFILE_KEY=sk-file\n")
    own = tmp_path / "config" / "promptbench" / "config.toml"
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "OPENAI_API_KEY": "sk-1", "MESSAGE": "https://evil.example"}

    def allowed(url: str, variable: str = "OPENAI_API_KEY", **more: str) -> bool:
        return load(tmp_path, {**environ, **more}).may_receive_key(url, variable)

    for url in (
        "https://evil.example/v1",
        "https://worse.example",
        "http://api.openai.com/v1",
        "https://xapi.openai.com",
    ):
        assert not allowed(url), url
    for url in ("https://api.openai.com/v1", "https://eu.api.openai.com/v1", "http://127.0.0.1:1/v1"):
        assert allowed(url), url
    # A key of the project's own `.env` goes where the project says.
    assert allowed("https://evil.example/v1", "FILE_KEY")
    assert allowed("https://evil.example/v1", PROMPTBENCH_TRUSTED_HOSTS="a.example, evil.example")
    assert allowed("https://evil.example/v1", OPENAI_BASE_URL="https://evil.example/v2")
    assert not allowed("https://evil.example:8443/v1", PROMPTBENCH_TRUSTED_HOSTS="evil.example")
    write(own, "trusted-hosts = ['evil.example']\n")
    assert allowed("https://evil.example/v1")
    for file, text in (
        ("promptbench.toml", "trusted-hosts = ['evil.example']"),
        (".env", "PROMPTBENCH_TRUSTED_HOSTS=x.example"),
    ):
        write(tmp_path / file, text)
        assert refused(tmp_path, environ)[0][0] == "'trusted-hosts' is not a setting of a project"
        write(tmp_path / file, "")


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("retries = 1\nconcurency = 3\n", "unknown setting 'concurency'", 2, 1),
        ("retries = 'x'\n", "'retries' must be a whole number, not 'x'", 1, 1),
        ("retries = true\n", "'retries' must be a whole number, not 'True'", 1, 1),
        ("retries = -1\n", "'retries' must be at least 0, not '-1'", 1, 1),
        ("outage-minutes = -1\n", "'outage-minutes' must be at least 0, not '-1'", 1, 1),
        ("concurrency = 1001\n", "'concurrency' must be at most 1000, not '1001'", 1, 1),
        ("machine_price_per_hour = nan\n", "'machine-price-per-hour' must be a number, not 'nan'", 1, 1),
        ("actor = ''\n", "'actor' must not be empty, not ''", 1, 1),
        ("python = 'a.py'\n", "'python' must be a list of texts in square brackets, not 'a.py'", 1, 1),
        ("providers = 1\n", "'providers' must be a table, not '1'", 1, 1),
        ("[providers]\nopenai = 1\n", "'providers' must be a table, not '1'", 1, 2),
        ("retries = \n", "this is not valid TOML: invalid value", 1, 11),
        ("actor = me\n", "this is not valid TOML: invalid value", 1, 9),
        ("a = '''", "this is not valid TOML: expected \"'''\"", 1, 8),
    ],
)
def test_mistakes_have_a_place(text: str, message: str, line: int, column: int, tmp_path: Path) -> None:
    write(tmp_path / "promptbench.toml", text)
    assert refused(tmp_path) == [(message, line, column)]


def test_all_unknown_settings_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path / "promptbench.toml", "retrys = 1\nfoo = 2\n")
    assert [message for message, _, _ in refused(tmp_path)] == ["unknown setting 'retrys'", "unknown setting 'foo'"]


@pytest.mark.parametrize("text", ["tool = 1\n#[tool.promptbench", "[tool]\npromptbench = 5\n#[tool.promptbench"])
def test_a_table_that_is_none(text: str, tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", text)
    assert refused(tmp_path)[0][0] == "'tool.promptbench' must be a table of settings"


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "promptbench.toml").write_bytes(b"actor = '\xe9'")
    assert refused(tmp_path)[0][0] == "the file is not UTF-8 text"


def test_the_environment_is_named_as_it_was_written(tmp_path: Path) -> None:
    said = refused(tmp_path, {"PROMPTBENCH_RETRIES": "many"})
    assert said[0][0] == "'PROMPTBENCH_RETRIES' must be a whole number, not 'many'"


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, {"PROMPTBENCH_RETRIES": " ", "PROMPTBENCH_ACTOR": ""}).values.retries == 4


def test_the_users_file() -> None:
    assert user_file({"HOME": "/h"}) == Path("/h/.config/promptbench/config.toml")
    assert user_file({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == Path("/x/promptbench/config.toml")
    assert user_file({}) is None


def test_who_acts(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert actor(settings, {"GITHUB_ACTOR": "ci", "USER": "u"}, "flag") == "flag"
    assert actor(settings, {"GITHUB_ACTOR": "ci", "USER": "u"}, None) == "ci"
    assert actor(settings, {"USER": "u"}, None) == "u"
    assert actor(settings, {}, None).startswith("uid ")
    assert actor(load(tmp_path, {}, {"actor": "set"}), {"GITHUB_ACTOR": "ci"}, None) == "set"


def test_git_says_who_acts_whatever_its_encoding(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "config", "user.email", "a@example.org"], cwd=tmp_path, check=True)
    subprocess.run([b"git", b"config", b"user.name", b"Ren\xe9"], cwd=tmp_path, check=True)
    assert actor(load(tmp_path, {}), {"USER": "u"}, None) == "Ren\ufffd <a@example.org>"
