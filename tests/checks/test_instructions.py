"""The guide to instructions: each of the 25 kinds of IFEval, with the check that the guide gives for it.

What passes and what fails is as the published program has it, at the edges of its patterns.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import promptbench
from promptbench.checks import plugins
from promptbench.checks._reading import READINGS
from promptbench.core.errors import Diagnostics
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Rung
from promptbench.parsing.json_text import read
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source

PAGE = Path(promptbench.__file__).parent / "docs" / "guides" / "instructions.md"
REQUEST = "Write a poem."

# Kind: answers that follow the instruction of the guide, and answers that do not.
ANSWERS: dict[str, tuple[list[str], list[str]]] = {
    "keywords:existence": (
        ["The REFUND and the receipts", "refunded: no receipt."],
        ["The refund", "", "re fund receipt", "re\nfund receipt"],
    ),
    "keywords:frequency": (
        ["refund Refund", "refunds refunded", "refundrefund"],
        ["refund", "", "refun refund d"],
    ),
    "keywords:forbidden_words": (
        ["A separate corporate rates list", "cheaper", "cheap_rate"],
        ["Cheap!", "at this rate,", "a cheap-looking one", ""],
    ),
    "keywords:letter_frequency": (["Quick Quiz", "none", "q q"], ["Quick quiz Q", ""]),
    "language:response_language": (
        ["Wir haben Ihre Nachricht erhalten und kümmern uns darum.", "WIR KÜMMERN UNS DARUM, VIELEN DANK.", "42", "?!"],
        ["We have received your message and will look into it.", "", "Nous avons bien reçu votre message."],
    ),
    "length_constraints:number_words": (
        ["It's a good day", "a-b c/d e", "1 2 3 4 5", "a\nb\tc\u00a0d e_f g"],
        ["one two three four", "", "a_b c_d e_f g_h", "... , - !"],
    ),
    "length_constraints:number_sentences": (
        [
            "One. Two. Three.",
            "Dr. Who met Mr. T. Smith at 5 p.m. sharp.",
            "No mark",
            "a.b.c www.example.com 3.14 v1.2.",
        ],
        ["One. Two! Three? Four", "", "1. Yes. 2. No."],
    ),
    "length_constraints:number_paragraphs": (
        ["a***b***c", "a\n***\nb\n***\nc\n***", "***a *** b***c***\n", "a*** b ****c"],
        ["a***b", "a******b***c", "a***b*** ***c", "a\n\nb\n\nc", "a*****b***c***d", "***a***b***", ""],
    ),
    "length_constraints:nth_paragraph_first_word": (
        [
            "First.\n\nHowever, no.",
            "a\n\nhowever",
            "a\n\n'\"HOWEVER!' b",
            "a\nb\n\n  however's end",
            "a\n\nhowever\n\n",
            "a\n\n\nhowever",
        ],
        [
            "a\n\nhowever\n\nc",
            "a\n\n\n\nhowever",
            "\n\na\n\nhowever",
            "a\n \nhowever",
            "a\n\n**However**",
            "a\n\nhowever- b",
            "a\n\n\"'however",
            "however\n\na",
            "however",
            "",
        ],
    ),
    "detectable_content:number_placeholders": (
        ["[name] [address]", "[][]", "[[a] [b]]", "x [a]\n[b](c)"],
        ["[name]", "[a\n] [b]", "] [ ]", "[[a]]", ""],
    ),
    "detectable_content:postscript": (
        ["Bye.\nP.S. I know.", "p. s. yes", "P.S.: x", "(p.s.) in the middle", "top.s.", "P.P.S. too"],
        ["PS: no", "P.S no stop", "P.  S. two spaces", ""],
    ),
    "detectable_format:number_bullet_lists": (
        ["* a\n* b\n* c", "- a\n  * b\n\t- c", "*a\n-5\n---", "\n\n * a\n- b\n*\nc", "intro\n- a\n- **b**\n*c*"],
        ["* a\n* b", "** a\n* b\n* c", "1. a\n2. b\n3. c", "a\n* b\n* c\n* d\n- e", "*\n* b\n* c", "• a\n• b\n• c", ""],
    ),
    "detectable_format:constrained_response": (
        ["My answer is yes.", " Well, My answer is no. Sorry", "My answer is no.."],
        ["my answer is yes.", "My answer is yes", "My answer is **no**.", "MY ANSWER IS NO.", ""],
    ),
    "detectable_format:number_highlighted_sections": (
        ["*a* and *b*", "**a** *b*", "**a** **b**", "* a * * b *", "***a*** **b**", "*a*b*c*"],
        ["*a*", "**a**", "****", "* * * *", "*a\nb* *c*", "** ** *a*", ""],
    ),
    "detectable_format:multiple_sections": (
        ["Section 1\nSection 2", "Section1 Section2", "**Section 1:** a **Section\n22:**", "SubSection 1 Section 1"],
        ["Section 1", "section 1 section 2", "SECTION 1 SECTION 2", "Section  1 Section 2", "Section I Section II", ""],
    ),
    "detectable_format:json_format": (
        [
            '{"a": 1}',
            "```json\n[1]\n```",
            '```JSON {"a": 1, "a": 2}```',
            "```\nnull\n```",
            ' "text" ',
            "```Json\n3\n``` ",
        ],
        ['Here: {"a": 1}', "```python\n{}\n```", "{'a': 1}", '{"a": 1,}', "NaN", "", "```json", '{"a": 1}\nDone.'],
    ),
    "detectable_format:title": (
        ["<<Poem>>\nx", "a <<b>> c", "<<<a>>>", "<<>> x >>"],
        ["<<>>", "<< >>", "<title>", "<<a\nb>>", "<<<>>", ">>a<<", "<<a> >", ""],
    ),
    "combination:two_responses": (
        ["a******b", "******\na\n******\nb\n******", "a *******b", "a\n\n******\n\nb\n"],
        ["a******a", "a****** a ", "a******b******c", "a************b", "a*****b", "a", "******", ""],
    ),
    "combination:repeat_prompt": (
        [REQUEST, "\n write a POEM.\nRoses", "Write a poem.Roses"],
        ["Sure: Write a poem.", "Write a  poem.", '"Write a poem."', "**Write a poem.**", ""],
    ),
    "startend:end_checker": (
        [
            "Bye. Any other questions?",
            '"Any other questions?"',
            "Bye. ANY OTHER QUESTIONS? \n",
            "Many other questions?",
        ],
        ["Any other questions? Bye.", "Any other questions?'", "**Any other questions?**", "Any other questions", ""],
    ),
    "startend:quotation": (
        ['"a"', '\n "a" and "b" ', '""'],
        ['"', '"a', 'a"', "'a'", "“a”", '"a".', ""],
    ),
    "change_case:english_capital": (
        ["THE ORDER WILL ARRIVE ON MONDAY, 12 MAY.", "WE ARE SORRY THAT YOUR ORDER IS LATE AGAIN."],
        ["THE ORDER WILL ARRIVE ON MONDAY, 12 May.", "DIE BESTELLUNG KOMMT LEIDER ERST AM MONTAG AN.", "42", ""],
    ),
    "change_case:english_lowercase": (
        ["the order will arrive on monday, 12 may.", "we are sorry that your order is late again."],
        ["The order will arrive on monday, 12 may.", "die bestellung kommt leider erst am montag an.", "42", ""],
    ),
    "change_case:capital_word_frequency": (
        ["NASA and USA", "I am. I'm", "A-B-C DEF", "aBC Def", "It's ok", "*NASA*'s"],
        ["NASA, USA, UK", "IT'S ME", "3D 2D 4D", "U.S. U.K. E.U.", "AND/OR (OK) [NO]", "CAN'T I", "AB--CD--EF", ""],
    ),
    "punctuation:no_comma": (["a; b", "a، b", "1.000"], ["a, b", "1,000", ""]),
}


def rows() -> dict[str, str]:
    """Kind to check, as the guide's table has them."""
    found = re.findall(r"^\| `([a-z_]+:[a-z_]+)` \| .* \| `(.*)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(dict(found)) == len(found)
    return dict(found)


def built(written: str) -> Check:
    """A check as a line of a suite has it."""
    problems = Diagnostics()
    document = parse(Source("guide.yaml", written), problems)
    assert document is not None
    assert not list(problems)
    [(name, argument)] = document.value.items()
    check: Check = plugins.load(name).build(argument, CheckContext(Path(), None))
    return check


def passes(written: str, text: str, reading: str = "strict") -> bool:
    check = READINGS[reading](built(written))
    return check.score(Subject(text, lambda: read(text), Rung.EXTRACTED, {"request": REQUEST})).passed


def test_the_guide_has_all_kinds() -> None:
    assert rows().keys() == ANSWERS.keys()
    assert len(ANSWERS) == 25


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, (right, _) in ANSWERS.items() for text in right], ids=ascii
)
def test_follows_the_instruction(kind: str, text: str) -> None:
    assert passes(rows()[kind], text)
    assert passes(rows()[kind], text, "loose")


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, (_, wrong) in ANSWERS.items() for text in wrong], ids=ascii
)
def test_does_not_follow_the_instruction(kind: str, text: str) -> None:
    assert not passes(rows()[kind], text)


# Kind, and an answer that follows it in the loose reading alone.
LOOSE: list[tuple[str, str]] = [
    ("startend:quotation", 'Sure:\n"a"'),
    ("startend:quotation", '*"a"*'),
    ("startend:quotation", '"a"\nHope this helps!'),
    ("startend:quotation", 'Sure:\n**"a"**\nBye'),
    ("startend:end_checker", "**Any other questions?**"),
    ("startend:end_checker", "Any other questions?\n\nBye"),
    ("combination:repeat_prompt", "**Write a poem.**\n\nRoses"),
    ("combination:repeat_prompt", "Sure!\nWrite a poem. Roses"),
    ("detectable_format:constrained_response", "My answer is **no**."),
    ("detectable_format:json_format", 'Here:\n{"a": 1}'),
    ("detectable_format:number_bullet_lists", "- intro\n- a\n- b\n- c"),
    ("length_constraints:number_sentences", "One. Two. Three.\nFour."),
    ("punctuation:no_comma", "Sure, here it is:\nno comma"),
    ("change_case:english_lowercase", "Here you are:\nthe order will arrive on monday morning."),
]


@pytest.mark.parametrize(("kind", "text"), LOOSE, ids=ascii)
def test_follows_it_in_the_loose_reading_only(kind: str, text: str) -> None:
    assert not passes(rows()[kind], text)
    assert passes(rows()[kind], text, "loose")


@pytest.mark.parametrize(
    "text",
    [
        "Sure.\nDIE BESTELLUNG KOMMT LEIDER ERST AM MONTAG AN.",
        # Each half passes in a version of its own: English is the whole, capitals alone is the last line.
        "We hope that you will enjoy the concert on Monday evening with all of your friends.\nGUTEN TAG ZUSAMMEN",
    ],
)
def test_one_version_has_to_pass_all_of_an_instruction(text: str) -> None:
    assert not passes(rows()["change_case:english_capital"], text, "loose")
