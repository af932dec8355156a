"""Detection of payment cards, bank accounts and telephone numbers.

A number is recognised by its form and, if it has one, its check digit, because order numbers must stay. Placeholders
have zeros where no real number has them, so they are recognised as placeholders.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from promptbench.redaction._placeholders import AFTER_ESCAPE, Digests, SensitiveSpan

# The words before a telephone number of seven or eight digits. Other numbers have no mark, because they may be written
# in groups of any size.
MARKS = ("tel", "tél", "phone", "mob", "cell", "fax", "handy", "what", "call", "rufn")
_SEPARATORS = " ()./-\u00a0".encode()

_DIGITS = re.compile(r"[0-9](?:[ ()./\-\u00a0]{0,3}[0-9]){6,}")
_TIME = re.compile(r"(?:19|20)\d\d[-/.]\d\d[-/.]\d\d(?: \d\d)?\Z")
# These patterns start with a digit, because the search can skip to one.
_CARD_RUN = re.compile(r"\d(?:[ \-\u00a0]?\d){12,}+")
_PART = re.compile(r"(?<=\+)|(?<=\d\.)")
_MAX_CARD = 19
_MIN_GROUP = 3
_MAX_GROUPS = 6
_GROUP = re.compile(r"\d+")
_CARD_STARTS: Mapping[int, str | tuple[str, ...]] = {
    13: "4", 14: ("30", "36", "38", "39"), 15: ("34", "37"), 16: ("2", "3", "4", "5", "6"), 17: ("5", "6"),
    18: ("5", "6"), 19: ("4", "5", "6"),
}  # fmt: skip
_CARD_ZEROS = "000000"

_IBAN_HEAD = re.compile(r"\d\d(?<=[A-Za-z]{2}\d\d)(?=[ \-]?[A-Za-z0-9]{4})")
_BEGIN = re.compile(rf"(?:(?<!\w)|{AFTER_ESCAPE})")
# Characters of an account number by country, from the IBAN registry.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip

_SEP = r"[ .\-/\u00a0]"
_START = rf"(?:(?<![\w.+\-])(?<!\d[ \u00a0)])(?<!\d\) )|{AFTER_ESCAPE})"
_CALL = r"(?:tele?(?:phone|fon)?|phone|mobile?|cell|fax|handy|whatsapp|call|rufnummer|t[ée]l[ée]phone)"
_WORDS = r"(?:number|nummer|no|nr|is|ist|me|us|at|on|under|unter)"
_PHONE = re.compile(
    # +49 170 1234567, +1 (212) 555-0123
    rf"(?:(?<![\w+])|{AFTER_ESCAPE})\+[1-9](?:{_SEP}?[ ]?\(?\d\)?){{7,14}}(?!\w)"
    # 0049 170 1234567: a separator shows that it is not an order number
    rf"|{_START}00[1-9]\d{{0,2}}(?={_SEP})(?:{_SEP}?\(?\d\)?){{7,12}}(?!\w)"
    # (212) 555-0123, 212-555-0123, 1-212-555-0123
    rf"|{_START}(?:1{_SEP})?(?:\([2-9]\d\d\) ?|[2-9]\d\d{_SEP})[2-9]\d\d{_SEP}\d{{4}}(?!\w|{_SEP}\d)"
    # 030 1234567, 0170/1234567, 020 7946 0958, 06 12 34 56 78, (030) 123456
    rf"|{_START}(?!\d\d{_SEP}\d\d{_SEP}(?:19|20)\d\d)(?:\(0[1-9]\d{{0,4}}\) ?|0[1-9]\d{{0,4}}(?:{_SEP}| / ))"
    rf"(?:\d{{2,8}}{_SEP}?){{1,5}}(?<=\d)(?!\w|{_SEP}\d)"
    # (11) 91234-5678
    rf"|{_START}\([1-9]\d\) ?9?\d{{4}}[ \-]\d{{4}}(?!\w)"
)
_NAMED = re.compile(rf"(?i)(?<!\w){_CALL}\b\.?(?:[ :=#\-(+]|{_WORDS}\b){{0,10}}\Z")
_REACH = 40
_COUNTRY = re.compile(r"(\+|00)(1|7|[2-9]\d)")
_PHONE_NAME = re.compile(
    r"(?i)(?:^|[_\W]|[a-z])(?:phone|mobile|telephone|telefon|fax|msisdn|whatsapp)(?:[_ ]?(?:number|no|nr))?$"
)
_PHONE_VALUE = re.compile(r"\+?[\d ()./\-]{7,24}")
_PHONE_ZEROS = "000"


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the bank accounts, then the cards, then the telephone numbers."""
    if not _may_find(text):
        return
    yield from find_accounts(text, digests)
    yield from find_cards(text, digests)
    yield from find_phones(text, digests)


def has_digits(shape: bytes, *, marked: bool) -> bool:
    """Return False if `find` yields nothing in a text of this shape. `marked` is True if it has one of `MARKS`."""
    return b"0" * (7 if marked else 9) in shape.translate(None, _SEPARATORS)


def _may_find(text: str) -> bool:
    """Return True if `text` has nine adjacent digits that are not a time, or seven after a word for a telephone."""
    return any(
        _count_digits(run[0]) >= 9 or _NAMED.search(text, max(0, run.start() - _REACH), run.start())
        for run in _DIGITS.finditer(text)
        if not _TIME.match(run[0])
    )


def find_accounts(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the IBANs, with or without spaces, validated by length and check digits (ISO 7064)."""
    for match in _IBAN_HEAD.finditer(text):
        start = match.start() - 2
        length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
        end = _find_account_end(text, start, length) if length and _BEGIN.match(text, start) else None
        if end is None:
            continue
        written = text[start:end]
        compact = re.sub(r"[ \-]", "", written).upper()
        if _mod97(compact) == 1:
            yield SensitiveSpan(start, end, _replace_account(written, compact, digests), "iban")


def find_cards(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the payment cards: 13 to 19 digits, grouped or not, with a card's prefix and Luhn check digit."""
    for run in _CARD_RUN.finditer(text):
        if _PART.match(text, run.start()) or not _BEGIN.match(text, run.start()):
            continue
        groups = [part.span() for part in _GROUP.finditer(text, run.start(), run.end())]
        if text[run.end() : run.end() + 1].isalnum():
            groups.pop()
        taken = run.start()
        for first, (start, _) in enumerate(groups):
            end = _find_card_end(text, groups[first : first + _MAX_GROUPS]) if start >= taken else None
            if end is not None:
                written = text[start:end]
                yield SensitiveSpan(
                    start, end, _apply_punctuation(written, replace_card(_keep_digits(written), digests)), "card"
                )
                taken = end


def _find_card_end(text: str, groups: Sequence[tuple[int, int]]) -> int | None:
    digits = ""
    for start, end in groups:
        if end - start < _MIN_GROUP or len(digits) + end - start > _MAX_CARD:
            return None
        digits += text[start:end]
        if is_card(digits):
            return end
    return None


def find_phones(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield telephone numbers: in international form, in common national forms, or after a word for a telephone."""
    for run in _DIGITS.finditer(text):
        start = run.start()
        while start and text[start - 1] in "+(":
            start -= 1
        found = list(_PHONE.finditer(text, start, run.end() + 2))
        for match in found:
            if match[0][0] == "+" or 9 <= _count_digits(match[0]) <= 15:
                yield SensitiveSpan(match.start(), match.end(), replace_phone(match[0], digests), "phone")
        if not found and _count_digits(run[0]) <= 15 and _NAMED.search(text, max(0, run.start() - _REACH), run.start()):
            yield SensitiveSpan(run.start(), run.end(), replace_phone(run[0], digests), "phone")


def is_phone(name: str, value: str) -> bool:
    """Return True if a field of this name and value is a telephone number."""
    if not (value[:1] in "+(0123456789" and 7 <= len(value) <= 24 and is_sensitive_name(name)):
        return False
    return _PHONE_VALUE.fullmatch(value) is not None and 7 <= _count_digits(value) <= 15


def is_sensitive_name(name: str) -> bool:
    """Return True if a field of this name contains telephone numbers."""
    return _PHONE_NAME.search(name) is not None


def replace_phone(written: str, digests: Digests) -> str:
    """Return a placeholder with the same country code and punctuation. No subscriber number begins with zeros."""
    country = _COUNTRY.match(written)
    kept = country.end() if country else 0
    digits = _keep_digits(written[kept:])
    if digits.startswith(_PHONE_ZEROS):
        return written
    made = _PHONE_ZEROS + digests.digits("phone", _keep_digits(written), max(0, len(digits) - len(_PHONE_ZEROS)))
    return written[:kept] + _apply_punctuation(written[kept:], made)


def replace_phone_integer(number: int, digests: Digests) -> int:
    """Return a placeholder for an integer. Its first digit stays, because an integer cannot begin with zero."""
    digits = str(number)
    if digits[1:].startswith(_PHONE_ZEROS):
        return number
    return int(digits[0] + _PHONE_ZEROS + digests.digits("phone", digits, len(digits) - 1 - len(_PHONE_ZEROS)))


def is_card(digits: str) -> bool:
    """Return True if digits have the prefix of a payment card of their length, and a valid Luhn check digit."""
    return digits.startswith(_CARD_STARTS.get(len(digits), ())) and _luhn(digits) == 0


def replace_card(digits: str, digests: Digests) -> str:
    """Return a number with the same first digit and a valid check digit, from a range that no bank issues."""
    if digits[1:].startswith(_CARD_ZEROS):
        return digits
    head = digits[0] + _CARD_ZEROS
    made = head + digests.digits("card", digits, len(digits) - len(head) - 1) + "0"
    return made[:-1] + str(-_luhn(made) % 10)


def _count_digits(written: str) -> int:
    return sum(map(str.isdigit, written))


def _keep_digits(written: str) -> str:
    return "".join(filter(str.isdigit, written))


def _luhn(digits: str) -> int:
    """Return the checksum of ISO/IEC 7812: 0 if the check digit is valid."""
    total = sum(map(int, digits[-1::-2]))
    return (total + sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])) % 10


def _mod97(compact: str) -> int:
    """Return the remainder of ISO 7064 (mod 97-10): 1 if the check digits are valid."""
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97


def _find_account_end(text: str, start: int, length: int) -> int | None:
    position, seen = start, 0
    while seen < length:
        if position < len(text) and text[position].isascii() and text[position].isalnum():
            seen += 1
        elif position >= len(text) or text[position] not in " -" or text[position - 1] in " -":
            return None
        position += 1
    return None if text[position : position + 1].isalnum() else position


def _replace_account(written: str, compact: str, digests: Digests) -> str:
    body = compact[4:]
    digits = [char for char in body if char.isdigit()]
    if digits[:4] == ["0"] * 4 and not set(body) - set("0123456789X"):
        return written
    made = iter("0000" + digests.digits("iban", compact, max(0, len(digits) - 4)))
    new = "".join(next(made) if char.isdigit() else "X" for char in body)
    check = 98 - _mod97(compact[:2] + "00" + new)
    return _apply_punctuation(written, f"{compact[:2]}{check:02}{new}")


def _apply_punctuation(written: str, made: str) -> str:
    """Return the letters and digits of `made` with the punctuation of `written`."""
    left = iter(made)
    return "".join(next(left) if char.isalnum() else char for char in written)
