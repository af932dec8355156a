"""Detection of passwords, keys, cookies and identity numbers by the words before them, in four languages.

A value is found after a label and a separator (`Passwort: …`, `"api_key": "…"`), a verb (`my password is …`) or a
space. The weaker the separator, the more a value must look like a secret, because `the password is wrong` must stay.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

from promptbench.redaction._placeholders import Digests, SensitiveSpan, compile_marks, shape_of
from promptbench.redaction._secret_shapes import is_basic

_QUOTES = r"[\"'\\`*]{0,4}"
_VERB = (
    r"(?:['’]s|(?:[ ][\w'’.-]{1,30}){0,6}?[ ](?:is|was|ist|war|lautet|est|était|es|era))"
    r"(?:[ ]?:)?[ ]{1,2}(?:(?:now|jetzt|nun)[ ])?"
)
_COLON = rf"{_QUOTES}[ \t]{{0,2}}(?:\([^()\n]{{1,30}}\)[ \t]?)?(?P<mark>[:=]{{1,2}}>?|>)\s{{0,3}}"
_SEPARATOR = rf"(?:{_COLON}|(?P<verb>{_VERB})|[ ]){_QUOTES}"
_NUMBER = r"(?:number|no\b\.?|nr\b\.?|num\b\.?|nummer|numéro|número|#)"
# A label may be the end of a longer word, such as `db_password`. Each starts with a key of `_MARKS`.
_LABELS = {
    "password": r"pass(?:wor[dt]|wd|phrase|code)|pwd|kennwort|mot de passe|(?<![a-z])mdp|contrase(?:ñ|n\u0303?)a|clave",
    "key": r"(?:key|token|secret|credentials?|authorization|schlüssel|clé(?: (?:d.)?(?:api|accès|secrète))?)"
    r"(?:[ _-]key)?",
    "id": rf"(?:pass(?=[ _.-]?{_NUMBER})|passport|passeport|pasaporte|ausweis|(?<![a-z])ssn|social[ _-]?security"
    r"|(?<=sécurité )sociale|(?<=seguridad )social|sozialversicherungs|(?<![a-z])dni|identity[ _-]?card|identifikations"
    r"|identité|identidad|tax[ _-]?id|steuer[ -]?id(?:nr)?|steuer(?=nummer|-?nr)|national[ _-]?(?:id\b|insurance))"
    rf"(?:[ _.-]?{_NUMBER})?",
    "cookie": r"cookies?",
    "birth date": r"birth(?:day|[ _-]?date)?|born|dob|d\.o\.b\.?|geb(?:oren|urtsdatum|urtstag|\.)|naissance"
    r"|née?(?:\(e\))?|nacimiento|nacid[oa]",
}
_MARKS = {
    "pass": ("password", "id"), "pwd": ("password",), "kennwort": ("password",), "mot de passe": ("password",),
    "mdp": ("password",), "contrase": ("password",), "clave": ("password",),
    "key": ("key",), "token": ("key",), "secret": ("key",), "credential": ("key",), "authorization": ("key",),
    "schlüssel": ("key",), "clé": ("key",), "cookie": ("cookie",),
    "pasaporte": ("id",), "ausweis": ("id",), "ssn": ("id",), "social": ("id",), "sozialv": ("id",), "dni": ("id",),
    "identi": ("id",), "tax": ("id",), "steuer": ("id",), "national": ("id",),
    "birth": ("birth date",), "born": ("birth date",), "dob": ("birth date",), "d.o.b": ("birth date",),
    "geb": ("birth date",), "naissance": ("birth date",), "né": ("birth date",), "nacimiento": ("birth date",),
    "nacid": ("birth date",),
}  # fmt: skip
MARKS = tuple(_MARKS)
_MONTH = (
    r"(?:jan|feb|mar|mär|apr|avr|abr|may|mai|jun|juin|jul|juil|aug|aoû|ago|sep|oct|okt|nov|dec|dez|déc|dic|ene|fév)"
    r"[^\W\d_]{0,7}\.?"
)
_DATE = (
    r"(?:\d{1,4}(?:[./-]\d{1,2}[./-]\d{1,4}|(?:st|nd|rd|th|er|\.|º)?[ ](?:de[ ]|of[ ])?"
    rf"{_MONTH}(?:[ ]del?)?,?[ ]\d{{4}})|{_MONTH}[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{4}})(?![^\WT_]|[./-]\d)"
)
_VALUES = {
    "password": r"(?P<value>[^\s\"'\\`<>(\[{*.,;][^\s\"\\`]{3,256})",
    "key": r"(?:(?:basic|token|bearer|apikey)[ ]+)?(?P<value>[^\s\"'\\,;&<>()\[\]{}]{8,512})",
    "id": r"(?P<value>(?:[A-Z]{1,3}[ -]?)?[A-Z]{0,3}\d[A-Z\d]{0,12}"
    r"(?:[ ./-](?:[A-Z][ ])?[A-Z\d]{0,4}\d[A-Z\d]{0,8}){0,8}(?:[ -][A-Z]\b)?)(?!\w)",
    "cookie": r"(?P<value>[\w.-]{1,64}=[^\s;\"'\\]{1,4096}(?:;[ ]?[\w.-]{1,64}(?:=[^;\"'\\\r\n]{0,4096})?){0,64})",
    "birth date": rf"(?:(?:on|am|le|el|the)[ ]{{1,2}}){{0,2}}(?P<value>{_DATE})",
}  # fmt: skip
_PATTERNS = {kind: re.compile(rf"(?i:(?:{label}){_SEPARATOR})(?i:{_VALUES[kind]})") for kind, label in _LABELS.items()}
_NAMES = re.compile(rf"(?i)(?:{'|'.join(f'(?:{label})' for label in _LABELS.values())})\Z")

_DATE_PART = re.compile(rf"(\d+)(?:st|nd|rd|th)?|(?i:{_MONTH})")
_JANUARY = {"g": "Januar", "nac": "enero", "n": "janvier"}
# What ends a value that is not quoted: the next field, an entity, or the punctuation of the sentence.
_TAIL = re.compile(r"[,;&]\s?[\w.-]+[=:]|</|&(?:quot|amp|lt|gt|#)|[\"'),\]}>.;:!?…*]+$")
_COOKIE = re.compile(r"([\w.-]+)=([^\s;]{4,})")
_ATTRIBUTES = frozenset(("path", "domain", "expires", "max-age", "samesite", "priority", "version"))
_ONE_WORD = re.compile(r"[\w+/=~-]+")
_MIXED = re.compile(r"[^\W\d_].*\d|\d.*[^\W\d_]|[a-zß-ÿ][A-Z]|\d{5,}\Z|[!@#$%^&*+=~|?].")
# After a space only.
_STRONG = re.compile(r"(?=.*[A-Za-z])(?=.*\d)(?:.*[A-Z!@#$%^&*+=~|?]|.{8})")
_LETTER_AND_DIGIT = re.compile(r"(?=.*[A-Za-z])(?=.*\d)", re.DOTALL)
# A variable, an e-mail address (it has its own placeholder), a type of a schema, `2FA-protected`, `*****`.
_NO_PASSWORD = re.compile(r"[$%]|.*://|[\w.+-]+@[\w-]+\.[\w.-]+\Z|\d\w{0,2}-[a-z]+\Z|(.)\1*\Z|[\w.]+\(")
# What follows a plain word that is a whole value, and not the beginning of a sentence.
_ALONE = re.compile(r"[ ]{0,2}(?:\Z|[\r\n\"'\\<,;.!?)}\]&|(/]|[\w-]{1,30}[:=])")
_WORDS = frozenset((
    "required", "optional", "string", "text", "null", "none", "true", "false", "missing", "invalid", "wrong",
    "incorrect", "expired", "forgotten", "forgot", "reset", "hidden", "changed", "change", "update", "updated",
    "empty", "unknown", "secret", "secrets", "password", "passwords", "passwort", "username", "value", "values",
    "token", "your", "yours", "their", "please", "enter", "here", "there", "never", "must", "should", "minimum",
    "maximum", "length", "field", "input", "type", "varchar", "boolean", "integer", "number", "object",
    "redacted", "masked", "removed", "hashed", "encrypted", "plain", "default", "help", "issue", "issues",
    "problem", "problems", "error", "errors", "question", "request", "recovery", "login", "account", "access",
    "security", "settings", "policy", "strength", "placeholder", "vergessen", "falsch", "ungültig", "abgelaufen",
    "zurücksetzen", "geändert", "ändern", "gesperrt", "pflichtfeld", "erforderlich", "leer", "unbekannt", "bitte",
    "hilfe", "fehler", "frage", "eingeben", "neues", "altes", "oublié", "invalide", "expiré", "requis", "changé",
    "changer", "réinitialiser", "obligatoire", "inconnu", "erreur", "aide", "olvidada", "olvidado", "incorrecta",
    "incorrecto", "caducada", "requerida", "cambiar", "restablecer", "obligatorio", "desconocida", "ayuda",
))  # fmt: skip


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the labelled values."""
    for kind, match in _match_labels(text):
        if kind == "cookie":
            yield from _find_in_cookies(match, digests)
            continue
        start, value = match.start("value"), match["value"]
        if kind == "birth date":
            yield SensitiveSpan(start, match.end("value"), _replace_date(match), kind)
            continue
        if kind == "id":
            if _is_id(value, weight=_weigh(match)):
                yield SensitiveSpan(start, start + len(value), digests.reshape("id", value), "id", unique=True)
            continue
        if tail := _TAIL.search(value):
            value = value[: tail.start()]
        is_found = _is_password(value, match) if kind == "password" else _is_key(value, match)
        if is_found:
            unique = _MIXED.search(value) is not None
            yield SensitiveSpan(start, start + len(value), digests.mask(value), "key", unique)


def is_sensitive_name(name: str) -> bool:
    """Return True if a field of this name may contain a secret or an identity number."""
    return _NAMES.search(name) is not None


def _match_labels(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    matches = compile_marks(MARKS).find_matches_as_indexes(shape_of(text), overlapping=True)
    for index, position, _ in matches:
        for kind in _MARKS[MARKS[index]]:
            if match := _PATTERNS[kind].match(text, position):
                yield kind, match


def _weigh(match: re.Match[str]) -> int:
    """Return how strongly a label claims its value: 2 by a colon, 1 by a verb or over a line break, 0 by a space."""
    if match["mark"] is None:
        return 1 if match["verb"] else 0
    return 1 if "\n" in match.string[match.end("mark") : match.start("value")] else 2


def _find_in_cookies(match: re.Match[str], digests: Digests) -> Iterator[SensitiveSpan]:
    for pair in _COOKIE.finditer(match.string, *match.span("value")) if match["mark"] else ():
        if pair[1].lower() not in _ATTRIBUTES:
            unique = _MIXED.search(pair[2]) is not None
            yield SensitiveSpan(pair.start(2), pair.end(2), digests.mask(pair[2]), "key", unique)


def _replace_date(match: re.Match[str]) -> str:
    """Return the first day of the year. The year stays, so that an age is right (as in HIPAA's safe harbor)."""
    written, label = match["value"], match[0].lower()
    january = next((name for start, name in _JANUARY.items() if label.startswith(start)), "January")
    has_year = re.search(r"\d{4}", written) is not None
    last = [part.start() for part in _DATE_PART.finditer(written) if part[1]][-1]

    def replace(part: re.Match[str]) -> str:
        if not part[1]:
            return january.upper() if part[0].isupper() else january
        if len(part[1]) == 4 or (not has_year and part.start() == last):
            return part[0]
        return "1st" if part[0] != part[1] else "1".zfill(len(part[1]))

    return _DATE_PART.sub(replace, written)


def _is_id(value: str, *, weight: int) -> bool:
    """Return True for four digits or more, or for two in a document's number of 8 to 10 characters after a colon."""
    digits = sum(map(str.isdigit, value))
    return len(value) >= 6 and (
        digits >= 4 or (weight > 0 and digits >= 2 and value.isupper() and 8 <= len(value) <= 10)
    )


def _is_key(value: str, match: re.Match[str]) -> bool:
    """Return True if a value looks random: letters and digits, with an entropy above 3 bits per character.

    A value with dots or colons is a name or a path. Without a separator, only letters and digits are a key.
    """
    if match[0].lower().startswith("authorization") and is_basic(value):
        return True
    if len(value) < 16 or not _LETTER_AND_DIGIT.match(value) or not _ONE_WORD.fullmatch(value):
        return False
    return _measure_entropy(value) > 3.0 and (_weigh(match) > 0 or (len(value) >= 20 and value.isalnum()))


def _is_password(value: str, match: re.Match[str]) -> bool:
    """Return True for a value with digits, symbols or inner capitals, and after a colon for a word that is alone."""
    weight = _weigh(match)
    if len(value) < 4 or _NO_PASSWORD.match(value) or value.lower() in _WORDS:
        return False
    if _MIXED.search(value):
        return weight == 2 or (len(value) >= 6 and (weight == 1 or _STRONG.match(value) is not None))
    is_word = weight == 2 and len(value) >= 5 and value.isalpha() and not match[0].lower().startswith("clave")
    return is_word and _ALONE.match(match.string, match.start("value") + len(value)) is not None


def _measure_entropy(value: str) -> float:
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
