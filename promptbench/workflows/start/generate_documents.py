"""Read documents (Markdown, text, HTML, PDF) and split them into passages by their structure."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from promptbench.core.canonical import digest_text
from promptbench.ingest.files.log_paths import expand_path
from promptbench.project import Project
from promptbench.text.near_duplicates import NearDuplicates
from promptbench.yaml.source import SourceError, read_source

# In characters: what a model reads with care, and what is enough for a question.
_LONGEST, _SHORTEST = 1_500, 80
_TEXT, _HTML, _PDF = (".md", ".markdown", ".mdx", ".txt", ".text", ".rst"), (".html", ".htm", ".xhtml"), (".pdf",)
_NO_CONTENT = ["script", "style", "noscript", "template", "svg", "nav", "header", "footer", "aside", "form"]
_MARKS = ["a", "img", "b", "strong", "i", "em", "code"]
# What readers do not see. A comment has a longest length, so that the time is linear also if none ends.
_HIDDEN = re.compile(r"\A---\n.*?\n---\n|<!--.{0,2000}?-->", re.DOTALL)
# A fenced block is one block: it may have blank lines, and a # in it is not a heading.
_FENCED = re.compile(r"(^(?:```|~~~)[^\n]*\n.*?^(?:```|~~~)[^\n]*$)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.*?)[ #]*$", re.MULTILINE)
_PIECE = re.compile(rf".{{1,{_LONGEST}}}(?:(?<=[.!?…。！？])|\Z)|.{{1,{_LONGEST}}}", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?…:;](?:\W|\Z)|[。！？]")


class Passage(NamedTuple):
    """A part of a document below its heading. `document` is the path from the project's root."""

    document: str
    text: str


def read_documents(project: Project, paths: Iterable[str]) -> tuple[list[Passage], dict[str, str], Counter[str]]:
    """Return the passages of files, folders and patterns, the files that are skipped, and why passages are left out.

    The passages alternate between the documents, so that the first few are of many. Skipped files are by path, with the
    reason. Raise InputError for a path or pattern without a file.
    """
    by_document: list[list[Passage]] = []
    skipped, left_out, near = dict[str, str](), Counter[str](), NearDuplicates()
    for path in dict.fromkeys(path for written in paths for path, _ in expand_path(written) if path):
        shown = project.shown(path)
        try:
            texts = list(_passages(_text(path, shown, project.settings.values.max_file_mb)))
        except (ValueError, SourceError, OSError) as error:
            skipped[shown] = getattr(error, "strerror", None) or str(error)
            continue
        kept = []
        for text in texts:
            known = len(near)
            if len(text) < _SHORTEST or not _SENTENCE_END.search(text):
                left_out["too short for a question"] += 1
            elif near.add(text) < known:
                left_out["nearly the same as another"] += 1
            else:
                kept.append(Passage(shown, text))
        # In the order of their hashes: with few questions, not only the beginning of a document is used.
        by_document.append(sorted(kept, key=lambda passage: digest_text(passage.text)))
    return [passage for row in zip_longest(*by_document) for passage in row if passage], skipped, left_out


def _text(path: Path, shown: str, most_mb: float) -> str:
    """Return a document as Markdown or text. Raise ValueError, SourceError or OSError with the reason."""
    kind, size = path.suffix.lower(), int(most_mb * 1_000_000)
    if kind not in (*_TEXT, *_HTML, *_PDF):
        raise ValueError("expected Markdown, text, HTML or PDF")
    if path.stat().st_size > size:
        raise ValueError(f"the file is larger than {most_mb:g} MB (max-file-mb)")
    if kind in _TEXT:
        return _HIDDEN.sub("", read_source(path, shown, max_bytes=size).text)
    try:
        text = _pdf_text(path) if kind in _PDF else _html_text(path)
    except ImportError:
        raise ValueError("needs `pip install 'promptbench-gate[documents]'`") from None
    except Exception as error:  # noqa: BLE001 - a broken file fails anywhere in a library
        raise ValueError(f"cannot be read: {error}") from None
    if not text.strip():
        raise ValueError(f"has no text{': perhaps the pages are scanned images' if kind in _PDF else ''}")
    return text


def _html_text(path: Path) -> str:
    import bs4
    import markdownify

    # As bytes, so that <meta charset> counts.
    soup = bs4.BeautifulSoup(path.read_bytes(), "html.parser")
    for tag in soup(_NO_CONTENT):
        tag.decompose()
    converter = markdownify.MarkdownConverter(
        heading_style="atx", strip=_MARKS, escape_asterisks=False, escape_underscores=False, escape_misc=False
    )
    return str(converter.convert_soup(soup))


def _pdf_text(path: Path) -> str:
    import pypdf

    # It reports every flaw that it could work around.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it is encrypted")
    # Join the words that are divided at the end of a line.
    return re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", "\n\n".join(page.extract_text() for page in reader.pages))


def _passages(text: str) -> Iterator[str]:
    heading = body = ""
    for block in _blocks(text):
        title = _HEADING.fullmatch(block)
        heading = title[1] if title else heading
        # A short section is part of the next one.
        if len(body) >= _SHORTEST and (title or len(body) + len(block) > _LONGEST):
            yield from map(str.strip, _PIECE.findall(body))
            body = "" if title else heading
        body = f"{body}\n\n{title[1] if title else block}".strip()
    yield from map(str.strip, _PIECE.findall(body))


def _blocks(text: str) -> Iterator[str]:
    """Yield the headings, paragraphs and fenced blocks of a text."""
    for number, part in enumerate(_FENCED.split(text)):
        blocks = [part] if number % 2 else re.split(r"\n\s*\n", _HEADING.sub(r"\n\n\g<0>\n\n", part))
        yield from filter(None, map(str.strip, blocks))
