"""Codes of files, YAML and the shape of a suite: 1xx and 2xx."""

from __future__ import annotations

from promptbench.core.catalogue.entry import Entry
from promptbench.core.diagnostics import Code

FILES = (
    Entry(
        Code.UNREADABLE_FILE,
        "the file cannot be read as text",
        "The file is not UTF-8: an older editor, or a program that exports tables, saved it in the encoding of its own "
        "country. Or it is a folder, or no text at all, or you may not read it.",
        "Save it again as plain text in the encoding UTF-8 (in most editors: Save as, Encoding).",
        wrong="cases:\n  - case: Päckchen\n    vars: {message: Wo ist es?}\n    expect: {team: delivery}\n",
        right="cases:\n  - case: Päckchen\n    vars: {message: Wo ist es?}\n    expect: {team: delivery}\n",
        encoding="cp1252",
    ),
    Entry(
        Code.EMPTY_FILE,
        "there is nothing in the file",
        "The file is empty, or has only comments, which start with #.",
        "Start with the four keys that every suite has. `promptbench init` writes a suite that runs.",
        wrong="# I will write my cases here later\n",
        right=(
            "suite: triage\nprompt: triage.prompt\nmodels: [openai/gpt-5-mini]\ncases:\n  - case: late parcel\n"
            "    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n"
        ),
        whole=True,
    ),
    Entry(
        Code.YAML_SYNTAX,
        "the file is not YAML",
        "A sign that means something in YAML stands where none is expected: most often a colon inside a text, a text "
        "that starts with a sign such as @ or *, quotation marks or brackets that are not closed, or a "
        "line that starts "
        "too far left or right.",
        "Put a text with such signs into quotation marks; inside of '…' an apostrophe is written twice. "
        "`promptbench validate --fix` mends what can only be meant in one way.",
        wrong="cases:\n  - case: late parcel\n    vars:\n      message: Order A-17: where is it?\n",
        right="cases:\n  - case: late parcel\n    vars:\n      message: 'Order A-17: where is it?'\n"
        "    expect: {team: delivery}\n",
    ),
    Entry(
        Code.TAB_INDENT,
        "a line starts with a tab",
        "YAML tells by the spaces at the start of a line what it belongs to, and a tab is no space.",
        "Write two spaces for each level. `promptbench validate --fix` does it; most editors can write spaces when you "
        "press Tab.",
        wrong="cases:\n\t- case: late parcel\n\t  vars: {message: Where is my parcel?}\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.DUPLICATE_KEY,
        "a name is there twice",
        "The same name stands twice in one case, or at the top. Which of the two holds cannot be told. `should be` and "
        "`should_be` are the same name.",
        "Keep one of the two. If a new case was meant, it starts with '- case:'.",
        wrong="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n"
        "    expect: {team: billing}\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.YAML_FEATURE,
        "something of YAML that suites do not have",
        "A text starts with a sign that YAML has a special meaning for (!, & or braces), or a file uses tags or <<.",
        "Put the text into quotation marks. What << would merge is written out.",
        wrong="cases:\n  - case: late parcel\n    vars:\n      message: {{name}}\n    expect: {team: delivery}\n",
        right="cases:\n  - case: late parcel\n    vars:\n      message: '{{name}}'\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.TOO_BIG,
        "there is too much of it",
        "A file is larger than people write, or is nested deeper than anybody could read: 64 levels.",
        "Split it into several suites, or put the cases into a .jsonl or .csv file beside the suite. A deeply nested "
        "value is text: put it into quotation marks.",
        wrong=f"cases:\n  - case: nested\n    vars:\n      message: {'[' * 65}{']' * 65}\n"
        f"    expect: {{team: other}}\n",
        right=f"cases:\n  - case: nested\n    vars:\n      message: '{'[' * 65}{']' * 65}'\n"
        f"    expect: {{team: other}}\n",
    ),
    Entry(
        Code.JSON_SYNTAX,
        "a line is not JSON",
        "In a .jsonl file each line is one JSON object, written more strictly than YAML: names and texts in double "
        "quotes, no comma behind the last entry.",
        "Mend the line, or write the case into the suite, where YAML is enough.",
        wrong='{"case": "late parcel", "vars": {"message": "Where?"}, "expect": {"team": "delivery"},}\n',
        right='{"case": "late parcel", "vars": {"message": "Where?"}, "expect": {"team": "delivery"}}\n',
        file="more.jsonl",
        beside={"suite.yaml": "cases: more.jsonl\n"},
    ),
    Entry(
        Code.CURLY_QUOTES,
        "the quotation marks of a word processor",
        'Word processors turn " into “ and ”, which are letters for YAML: they become part of the name or the text.',
        "Write straight quotation marks, or none: YAML needs them round few texts. A name is mended by "
        "`promptbench validate --fix`.",
        wrong="cases:\n  - case: late parcel\n    vars: {“message”: Where is my parcel?}\n"
        "    expect: {team: delivery}\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.COMMENT_IN_TEXT,
        "a part of the text is a comment",
        "A # behind a space starts a comment, which is not part of the text: here the prompt would get "
        "'Where is order'.",
        "Put the whole text into quotation marks. Where a comment is meant, write a space behind its #.",
        wrong="cases:\n  - case: late order\n    vars:\n      message: Where is order #4471?\n"
        "    expect: {team: delivery}\n",
        right="cases:\n  - case: late order\n    vars:\n      message: 'Where is order #4471?'\n"
        "    expect: {team: delivery}\n",
    ),
    Entry(
        Code.UNKNOWN_KEY,
        "a name that means nothing here",
        "The name before the colon is none that a suite has at this place: a slip of the pen, another "
        "tool's word, or a "
        "line that belongs further in.",
        "Write the name that the hint suggests. `promptbench schema suite` lists all of them for editors.",
        wrong="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n"
        "    expects: {team: delivery}\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.MISSING_KEY,
        "something is missing",
        "A name that is needed is not there, or nothing is written after it.",
        "Add the line, or what belongs behind the colon. A text that starts with # needs quotation marks.",
        wrong="cases:\n  - vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.WRONG_TYPE,
        "another kind of value is wanted",
        "A list stands where a text is wanted, or a text where names with values are.",
        "Write it as the hint shows. A list is written as lines that start with '- ', or between [ and ].",
        wrong="cases:\n  - case: late parcel\n    vars: Where is my parcel?\n    expect: {team: delivery}\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.NO_CASES,
        "there are no cases",
        "A suite without a case proves nothing.",
        "Write a case (`promptbench new case` asks for what it needs), or name a log with calls that failed.",
        wrong="cases: []\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.DUPLICATE_NAME,
        "two cases have the same name",
        "Reports and histories know a case by its name, so each needs its own.",
        "Rename one of them. `promptbench validate --fix` puts a number behind the second.",
        wrong="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n"
        "  - case: late parcel\n    vars: {message: Is it lost?}\n    expect: {team: delivery}\n",
        right="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n"
        "  - case: lost parcel\n    vars: {message: Is it lost?}\n    expect: {team: delivery}\n",
    ),
    Entry(
        Code.BAD_VALUE,
        "a value that cannot be",
        "The value is of the right kind and still out of bounds, such as a share of more than 1.",
        "Write what the message allows. A percentage has its sign: 98%.",
        wrong="gate: {format floor: 98}\n",
        right="gate: {format floor: 98%}\n",
    ),
    Entry(
        Code.PATH_OUTSIDE,
        "a file that lies elsewhere",
        "A suite may only name files in its own folder and below: suites come from many people, and must not read "
        "other files of this machine.",
        "Copy the file beside the suite, and write its name only.",
        wrong="prompt: ../triage.prompt\n",
        right="prompt: triage.prompt\n",
    ),
    Entry(
        Code.FILE_NOT_FOUND,
        "a file that is not there",
        "No file of this name lies beside the suite.",
        "Look for a slip in the name; upper and lower case count. A prompt's text stands in a file of its own.",
        wrong="prompt: triag.prompt\n",
        right="prompt: triage.prompt\n",
    ),
)
