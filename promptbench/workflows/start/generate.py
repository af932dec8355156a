"""Generate cases from documents: a model writes questions, code discards what is not supported, people review the rest.

No suite is changed: the result is a review sheet, and `sheet import` takes what people accepted.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice, zip_longest
from pathlib import Path
from typing import NamedTuple

from promptbench.core.canonical import digest, digest_text
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.core.events import Listener, Notice
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.ingest.files.log_paths import expand_path
from promptbench.metrics.squad import normalise
from promptbench.parsing.json_text import read as read_json
from promptbench.project import Project
from promptbench.report.words import clean, money
from promptbench.suite.sheet_changes import KnownCase, known_cases
from promptbench.suite.tables import CaseEntry
from promptbench.text.near_duplicates import NearDuplicates
from promptbench.workflows.judge.budgets import Spending
from promptbench.workflows.judge.recorded_calls import RecordedCalls, prepare_prompt
from promptbench.workflows.logs.capture import first_words, free_name
from promptbench.workflows.logs.valid_suite import ValidSuite, open_valid_suite
from promptbench.workflows.start.sheet import check_is_new, write_cases
from promptbench.yaml.source import SourceError, read_source

PROMPT = Path(__file__).with_name("write_questions.prompt")
# In one call: new questions, and earlier ones that are shown. Then the calls for one passage.
_MOST_QUESTIONS, _MOST_KNOWN, _MOST_CALLS = 5, 20, 3
_SHORTEST = 8  # In characters: less is not a question.


class _Question(NamedTuple):
    text: str
    answer: str
    quote: str
    passage: Passage


def generate(
    project: Project,
    suite: Path,
    sources: Sequence[str],
    output: Path,
    *,
    by: str,
    count: int = 20,
    unanswerable: float = 0.2,
    prompt: Path | None = None,
    again: bool = False,
    spending: Spending,
    listen: Listener,
) -> dict[str, Json]:
    """Write a review sheet of questions about documents, none of which is in the suite. Return counts of what was done.

    Args:
        project: the project of the suite.
        suite: a suite with a variable for the question and, unless the documents are found elsewhere, for the passage.
        sources: files, folders and patterns.
        output: the sheet, `.xlsx` or `.csv`.
        by: the model that writes.
        count: the number of questions.
        unanswerable: the share of these that the passage does not answer.
        prompt: a file in place of the shipped prompt.
        again: True to repeat calls that are on record.
        spending: what may be spent.
        listen: gets the events.

    Raises:
        InputError: if the suite or the documents are invalid, or the sheet exists.
        EnvironmentFailure: if the model does not answer, or the budget ends.
        Interrupted: if the user stops. The same command resumes.
    """
    check_is_new(output)
    with open_valid_suite(project, suite) as opened:
        question, passage = _variables(opened)
    known = known_cases(opened.suite)
    passages, skipped, left_out = read_documents(project, sources)
    if not passages:
        why = "; ".join([*(f"{name}: {reason}" for name, reason in skipped.items()), *left_out][:5])
        raise InputError("the documents have no passage for a question", hint=why)
    lacking = round(count * unanswerable)
    given = {"passage": max((item.text for item in passages), key=len), "count": 1}
    with project.prompts() as store, project.runs() as runs:
        prepared = prepare_prompt(project, prompt or PROMPT, project.settings.root, [by], given, store, runs)
        with RecordedCalls(project, prepared, runs, spending, listen) as calls:
            author = _Author(prepared, calls, listen, again=again)
            for case in known:
                author.known.add(str(case.case.variables.get(question)))
            answered = author.write(passages, count - lacking, unanswerable=False)
            unanswered = author.write(passages, lacking, unanswerable=True)
    names, entries = {case.case.name for case in known}, []
    for item in (*answered, *unanswered):
        name = free_name(first_words([item.text], 6), names)
        names.add(name)
        values = {question: item.text, **({passage: item.passage.text} if passage else {})}
        entries.append(CaseEntry({"case": name, "vars": values, **_rest(item, opened, known)}))
    if entries:
        write_cases(output, entries, opened.prompts, more=("review", "reviewer"))
    return {
        "schema_version": 1,
        "sheet": output.as_posix() if entries else None,
        "asked": {"questions": count, "unanswerable": lacking},
        "kept": {"questions": len(entries), "unanswerable": len(unanswered)},
        "documents": len({item.document for item in passages}),
        "skipped": skipped,
        "passages": len(passages),
        "passages_left_out": dict(left_out),
        "requests": author.requests,
        "calls": calls.made,
        "cost": calls.cost,
        "unreadable_answers": author.unreadable,
        "written": author.discarded.total() + len(entries),
        "discarded": dict(author.discarded.most_common()),
    }


def summary_lines(done: Mapping[str, Json]) -> Iterator[str]:
    """Yield the lines that report what `generate` did."""
    asked, kept, unanswerable = done["asked"]["questions"], done["kept"]["questions"], done["kept"]["unanswerable"]
    yield f"{number_of(done['passages'], 'passage')} of {number_of(done['documents'], 'document')}"
    yield from (f"  {number:,} left out: {why}" for why, number in done["passages_left_out"].items())
    yield from (f"  skipped {clean(name)}: {clean(why)}" for name, why in done["skipped"].items())
    calls = f"{number_of(done['requests'], 'request')}, {done['calls']:,} of them called now, {money(done['cost'])}"
    yield f"{calls}; {number_of(done['unreadable_answers'], 'answer')} not in the form that was asked for"
    yield f"{number_of(done['written'], 'question')} written, {kept:,} kept, {unanswerable:,} of them unanswerable"
    yield from (f"  {number:,} discarded: {why}" for why, number in done["discarded"].items())
    if kept < asked:
        yield f"{kept:,} of the {asked:,} asked for: each passage was used {_MOST_CALLS} times, and no more were right"
    if done["sheet"]:
        yield f"wrote {done['sheet']}: put yes, no or edit into its column 'review', then `promptbench sheet import` it"


def _variables(opened: ValidSuite) -> tuple[str, str | None]:
    """Return the variables of the question and of the passage. Raise InputError if they are not clear."""
    common = opened.suite.common.variables
    names = sorted({name for item in opened.prompts for name in item.prompt.missing(common)})
    question = names[0] if len(names) == 1 else "question"
    others = [name for name in names if name != question]
    if question not in names or len(others) > 1:
        message = (
            f"expected a variable 'question' in the prompt and at most one other, got {', '.join(names) or 'none'}"
        )
        raise InputError(message, hint="give others a value in the suite's 'defaults: vars:'")
    return question, others[0] if others else None


def _rest(item: _Question, opened: ValidSuite, known: Sequence[KnownCase]) -> dict[str, Json]:
    """Return a case without its name and variables. Its check has the options that the suite's other cases give it."""
    fields = (opened.prompts[0].prompt.output_schema or {}).get("properties")
    at = {"at": "answer" if "answer" in fields else next(iter(fields))} if fields else {}
    name, default, right = ("token f1", {"at least": 0.5}, [item.answer]) if item.quote else ("answerable", {}, False)
    written = (check.get(name) for case in known for check in case.fields.get("checks", ()))
    options = next((options for options in written if isinstance(options, dict)), {**default, **at})
    return {
        "checks": [{name: {**options, "is": right}}],
        **({} if item.quote else {"tags": ["unanswerable"]}),
        "cluster": item.passage.document,
        "origin": {"document": item.passage.document, **({"quote": item.quote} if item.quote else {})},
    }


class _Author:
    """A model that writes questions. `known` are those that it must not repeat."""

    def __init__(self, prepared: PreparedSuite, calls: RecordedCalls, listen: Listener, *, again: bool) -> None:
        self.known = NearDuplicates()
        self.discarded, self.requests, self.unreadable = Counter[str](), 0, 0
        self._answers: set[tuple[Passage, str, str]] = set()
        self._written: dict[Passage, list[str]] = {}
        self._prepared, self._calls, self._model = prepared, calls, prepared.models[0]
        self._listen = listen
        # A function is called again: it costs nothing, and may have changed.
        self._again = again or not self._model.uses_prompt

    def write(self, passages: Sequence[Passage], wanted: int, *, unanswerable: bool) -> list[_Question]:
        """Return at most `wanted` questions, none nearly equal to another. Fewer if the model writes no more."""
        kept: list[_Question] = []
        queue, more = islice(cycle(passages), _MOST_CALLS * len(passages)), 1
        while batch := list(islice(queue, min(more * max(0, wanted - len(kept)), len(passages)))):
            more *= 2  # What was discarded before will be again: few rounds with many calls at once.
            count = min(_MOST_QUESTIONS, -((len(kept) - wanted) // len(batch)))
            asked = []
            for passage in batch:
                earlier = self._written.get(passage, [])[-_MOST_KNOWN:]
                asked.append((passage, {"count": count, "unanswerable": unanswerable, "known": earlier}))
            items = [item for found in self._ask(asked) for item in found]
            problems = [self._problem(item, unanswerable) for item in items]
            items = [item for item, problem in zip(items, problems, strict=True) if problem is None]
            if unanswerable and items:
                answers = self._ask([(item.passage, {"question": item.text}) for item in items])
                refuted = [not all(map(_unsupported, found)) for found in answers]
                problems += ["the passage answers it" if is_refuted else None for is_refuted in refuted]
                items = [item for item, is_refuted in zip(items, refuted, strict=True) if not is_refuted]
            self.discarded.update(filter(None, problems))
            kept += items
            kind = "unanswerable question" if unanswerable else "question"
            self._listen(Notice(f"{len(kept[:wanted]):,} of {number_of(wanted, kind)}"))
        self.discarded.update(["more than were asked for"] * len(kept[wanted:]))
        return kept[:wanted]

    def _problem(self, item: _Question, unanswerable: bool) -> str | None:
        """Return why a question is discarded, None if it is not. It is known from now on."""
        answer, before = normalise(item.answer), len(self.known)
        self._written.setdefault(item.passage, []).append(item.text)
        if len(item.text) < _SHORTEST:
            return "not a question"
        if not unanswerable and (why := _unsupported(item)):
            return why
        if not unanswerable and f" {answer} " in f" {normalise(item.text)} ":
            return "the question contains the answer"
        same = (item.passage, normalise(item.quote), answer)
        if self.known.add(item.text) < before or (not unanswerable and same in self._answers):
            return "a duplicate of another question"
        self._answers.add(same)
        return None

    def _ask(self, asked: Sequence[tuple[Passage, Mapping[str, Json]]]) -> list[list[_Question]]:
        """Return the questions in the answer to each request. Raise EnvironmentFailure if no request is answered."""
        [case], variant = self._prepared.cases, self._prepared.candidates[0] if self._model.uses_prompt else None
        cases = (replace(case, variables={"passage": passage.text, **given}) for passage, given in asked)
        requests = [self._prepared.request(self._model, variant, item, 0) for item in cases]
        keys = [digest(request.as_dict()) for request in requests]
        answers = self._calls.answers(dict(zip(keys, requests, strict=True)), again=self._again)
        for why in self._calls.failures.values() if not answers else ():
            raise EnvironmentFailure(f"{self._model.name} does not answer: {why}")
        self.requests += len(keys)
        texts = [answers[key].text if key in answers else "" for key in keys]
        return [list(self._read(text, passage)) for text, (passage, _) in zip(texts, asked, strict=True)]

    def _read(self, text: str, passage: Passage) -> Iterator[_Question]:
        value = read_json(text).value
        listed = value.get("questions") if isinstance(value, dict) else value
        self.unreadable += not isinstance(listed, list)
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, dict):
                texts = [str(item.get(name) or "").strip() for name in ("question", "answer", "quote")]
                yield _Question(texts[0], texts[1], texts[2], passage)


def _unsupported(item: _Question) -> str | None:
    """Return why the passage has not the source sentence, or that not the answer; None if they have."""
    quote, answer = _plain(item.quote), _plain(item.answer)
    if not quote or quote not in _plain(item.passage.text):
        return "the source sentence is not in the passage"
    words, known = normalise(answer).split(), normalise(quote).split()
    shared = 3 * sum(word in known for word in words) >= 2 * len(words) > 0
    # Where words have no spaces between them, the answer is a part of the sentence.
    is_part = answer != "" and answer.casefold() in quote.casefold()
    figures = {*re.findall(r"\d+", answer)} <= {*re.findall(r"\d+", quote)}
    return None if figures and (shared or is_part) else "the answer is not in the source sentence"


def _plain(text: str) -> str:
    # White space, and the marks of Markdown for bold and code, do not count.
    return " ".join(text.replace("**", "").replace("`", "").split())


# In characters: what a model reads with care, and what is enough for a question.
_LONGEST, _SHORTEST_PASSAGE = 1_500, 80
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
            if len(text) < _SHORTEST_PASSAGE or not _SENTENCE_END.search(text):
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
        if len(body) >= _SHORTEST_PASSAGE and (title or len(body) + len(block) > _LONGEST):
            yield from map(str.strip, _PIECE.findall(body))
            body = "" if title else heading
        body = f"{body}\n\n{title[1] if title else block}".strip()
    yield from map(str.strip, _PIECE.findall(body))


def _blocks(text: str) -> Iterator[str]:
    """Yield the headings, paragraphs and fenced blocks of a text."""
    for number, part in enumerate(_FENCED.split(text)):
        blocks = [part] if number % 2 else re.split(r"\n\s*\n", _HEADING.sub(r"\n\n\g<0>\n\n", part))
        yield from filter(None, map(str.strip, blocks))
