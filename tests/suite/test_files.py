"""`files:` of a case: what becomes of each kind of file, and what is refused, wherever cases are written."""

# ruff: noqa: E501 (tables of messages)
from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from promptbench.core.errors import Severity
from promptbench.core.files import FileValue
from promptbench.suite.models import Case
from tests.helpers.media import PDF, PNG
from tests.helpers.suites import HEAD, joined, loaded, write

PROMPT = "Look: {{media url=photo}}\nNote: {{note}}\n{{#each pages}}{{media url=this}}{{/each}}\n"
CASE = '  - case: one\n    expect: x\n    files: {photo: img/red.png, note: note.txt, pages: [a.pdf, "img/red.png"]}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, {"img/x.txt": "x", "latin.txt": "", "blank.txt": " \n"})
    (tmp_path / "img" / "red.png").write_bytes(PNG)
    (tmp_path / "a.pdf").write_bytes(PDF)
    (tmp_path / "note.txt").write_bytes("Grüße\r\nBye".encode("utf-16"))
    (tmp_path / "a.docx").write_bytes(b"PK\3\4\0\0")
    (tmp_path / "latin.txt").write_bytes(b"Gr\xfc\xdfe")
    (tmp_path / "empty.png").touch()
    return tmp_path


def case_of(folder: Path, text: str) -> Case:
    suite, found = loaded(folder, HEAD + text)
    assert not list(found)
    assert suite is not None
    return suite.cases["one"]


def wrong(folder: Path, text: str) -> list[str]:
    _, found = loaded(folder, HEAD + "cases:\n" + text)
    return [f"{item.location} {item.code} {item.message}; {item.hint}" for item in found]


def test_the_content_decides_what_a_file_becomes(folder: Path) -> None:
    case = case_of(folder, "cases:\n" + CASE)
    photo, pages = case.variables["photo"], case.variables["pages"]
    sha256 = hashlib.sha256(PNG).hexdigest()
    assert photo == {"file": "img/red.png", "type": "image/png", "size": len(PNG), "sha256": sha256}
    assert [item["type"] for item in pages] == ["application/pdf", "image/png"]
    assert str(pages[0]) == f"a.pdf, PDF, {len(PDF)} bytes"
    assert case.variables["note"] == "Grüße\nBye"
    (folder / "img" / "red.png").replace(folder / "photo.txt")
    assert case_of(folder, "cases:\n" + CASE.replace("img/red.png", "photo.txt")).variables["photo"]["sha256"] == sha256


@pytest.mark.parametrize(
    ("head", "media"),
    [
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a\1\0\1\0", "image/gif"),
        (b"GIF", None),
        (b"%PDF-2.0", "application/pdf"),
    ],
)
def test_a_type_is_known_by_its_first_bytes(head: bytes, media: str | None, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(head)
    found = FileValue.of(tmp_path / "file", "file")
    assert (found and found["type"]) == media


def test_json_lines_and_sheets_name_files_too(folder: Path) -> None:
    files = {"photo": "img/red.png", "note": "note.txt", "pages": ["a.pdf"]}
    write(folder, {"more.jsonl": json.dumps({"case": "one", "files": files})})
    lines = case_of(folder, "cases: more.jsonl\n").variables
    write(folder, {"more.csv": 'case;files.photo;files.note;files.pages\none;img/red.png;note.txt;["a.pdf"]\n'})
    assert case_of(folder, "cases: more.csv\n").variables == lines
    assert isinstance(lines["photo"], FileValue)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("{photo: img/rad.png}", "7:20 PB208 file 'img/rad.png' not found below the suite's folder; did you mean 'red.png'?"),
        ("{photo: [img/red.png, ../x.png]}", "7:34 PB207 '../x.png' is outside the suite's folder; copy the file next to"),
        ("{photo: /etc/hostname}", "7:20 PB207 '/etc/hostname' is outside the suite's folder; copy the file next to"),
        ("{photo: img}", "7:20 PB101 'img' is not a file; None"),
        ("{photo: empty.png}", "7:20 PB102 'empty.png': the file is empty; None"),
        ("{photo: blank.txt}", "7:20 PB102 'blank.txt': the file is empty; None"),
        ("{photo: a.docx}", "7:20 PB101 'a.docx': this is not a text file, or it is UTF-16 without a byte order mark; expected"),
        ("{photo: latin.txt}", "7:20 PB101 'latin.txt': the file is not UTF-8 text; expected an image (PNG, JPEG, GIF, WebP)"),
        ("{message: note.txt}", "6:21 PB105 'message' is in both 'vars' and 'files'; keep one of them"),
        ("[a.pdf]", "7:12 PB203 "),
        ("{photo: {file: a.pdf}}", "7:20 PB203 "),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(folder: Path, files: str, expected: str) -> None:
    found = wrong(folder, f"  - case: one\n    vars: {{message: hi}}\n    files: {files}\n")
    assert len(found) == 1
    assert found[0].startswith(f"suite.yaml:{expected}")


@pytest.mark.skipif(os.name == "nt", reason="needs a symbolic link and a pipe")
def test_links_to_the_outside_and_pipes_are_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    outside.write_bytes(PNG)
    (folder / "link.png").symlink_to(outside)
    os.mkfifo(folder / "pipe.png")
    assert "PB207 'link.png' is outside" in wrong(folder, "  - {case: one, files: {photo: link.png}}\n")[0]
    assert "PB101 'pipe.png' is not a file" in wrong(folder, "  - {case: one, files: {photo: pipe.png}}\n")[0]


def test_promptfoos_word_for_a_file_is_a_warning(folder: Path) -> None:
    (found,) = wrong(folder, "  - {case: one, vars: {message: 'file://note.txt'}}\n")
    assert found.endswith("no file is read; write it outside of 'vars': files: {message: note.txt}")


def suite(case: str = CASE, model: str = "openai/fake") -> str:
    return HEAD.replace("openai/fake", model) + "cases:\n" + case


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        (PROMPT, suite(), []),
        (
            PROMPT.replace("media url=photo", "photo"),
            suite(),
            ["PB303 expected text for {{photo}}, got the PNG image 'img/red.png'; write {{media url=photo}} in the prompt"],
        ),
        (
            PROMPT.replace("{{#each pages}}{{media url=this}}{{/each}}", "{{pages}}"),
            suite(),
            ["PB303 expected text for {{pages}}, got a list of files; "
             "write {{#each pages}}{{media url=this}}{{/each}} in the prompt"],
        ),
        (
            PROMPT.replace("{{note}}", "{{media url=note}}"),
            suite(),
            ["PB303 expected an image or a PDF for {{media url=note}}, got a value that is neither; "
             "name it under 'files:' of the case, or write {{note}} for a text"],
        ),
        (
            PROMPT,
            suite(CASE.replace("photo:", "foto:")),
            ["PB303 the case 'one' has no value for {{photo}} of triage.prompt; did you mean 'photo' where it says 'foto'?"],
        ),
        (
            PROMPT,
            suite(model="openai/o3-mini"),
            ["PB514 openai/o3-mini takes no PNG image, as 'img/red.png' is: it reads text only; "
             "name a model that does, or leave the case to a suite of its own",
             "PB514 openai/o3-mini takes no PDF, as 'a.pdf' is: it reads text only; "
             "name a model that does, or leave the case to a suite of its own"],
        ),
        ("---\ninput: {schema: {photo: string, note: string, pages(array): string}}\n---\n" + PROMPT, suite(), []),
    ],
)  # fmt: skip
def test_files_fit_the_prompt_and_the_model(folder: Path, prompt: str, text: str, expected: list[str]) -> None:
    _, found = joined(folder, text, {"triage.prompt": prompt})
    assert [f"{item.code} {item.message}; {item.hint}" for item in found.errors] == expected
    assert all(item.location.line == 7 for item in found.errors)
    assert not [item for item in found if item.severity is Severity.WARNING]


def test_a_file_may_be_too_large(folder: Path) -> None:
    with (folder / "img" / "red.png").open("ab") as file:
        file.truncate(21 * 1024 * 1024)
    _, found = joined(folder, suite(), {"triage.prompt": PROMPT})
    assert [(item.code, item.message) for item in found.errors] == [
        ("PB107", "'img/red.png' has 21.0 MB, and the most is 20 MB")
    ] * 2


def test_the_hash_of_the_input_follows_the_content(folder: Path) -> None:
    def hashes() -> tuple[str, str]:
        prepared, found = joined(folder, suite(), {"triage.prompt": PROMPT})
        assert prepared is not None, list(found)
        request = prepared.request(prepared.models[0], prepared.variants[0], prepared.cases["one"], 0)
        assert len(json.dumps(request.as_dict())) < 1200  # the file's hash, not its bytes
        return prepared.suite_hash, json.dumps(request.as_dict())

    before = hashes()
    assert hashes() == before
    (folder / "a.pdf").write_bytes(PDF + b"\n")
    assert not set(hashes()) & set(before)
