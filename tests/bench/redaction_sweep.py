"""What redaction leaves of 300 planted secrets, what it replaces in ordinary texts, and how fast it is.

    python -m tests.bench.redaction_sweep [FILE or FOLDER ...]

The secrets are in prose, JSON and HTTP headers, in English, German and French (a part also in Spanish). Every secret
is random. The files are ordinary texts: the first replacements of each kind in them are printed, for a reader to judge.
Without any, they are the samples of log formats, the suites and the guides of this repository. To compare with another
version, run it with that version in PYTHONPATH.
"""

from __future__ import annotations

import base64
import json
import random
import string
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from promptbench.redaction.redactor import Redactor
from tests.bench.importing import record

COUNT = 300
DRAW = random.Random(16)
WORDS = [
    "Correct",
    "Horse",
    "Battery",
    "Staple",
    "Amber",
    "Falcon",
    "River",
    "Stone",
    "Copper",
    "Meadow",
    "Silver",
    "Orchard",
]


def some(alphabet: str, count: int) -> str:
    return "".join(DRAW.choices(alphabet, k=count))


def digits(count: int) -> str:
    return some("123456789", count)


def token(count: int) -> str:
    return some(string.ascii_letters + string.digits, count - 2) + some(string.digits, 2)


def luhn(body: str) -> str:
    total = sum(sum(divmod(int(digit) * (2 - index % 2), 10)) for index, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


def iban() -> str:
    body = digits(18)
    return f"DE{98 - int(body + '131400') % 97:02d}{body}"


def nir() -> str:
    body = f"1{DRAW.randint(50, 99)}{DRAW.randint(1, 12):02d}75{digits(6)}"
    return f"{body}{97 - int(body) % 97:02d}"


def dni() -> str:
    body = digits(8)
    return body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23]


def national_number() -> str:
    return DRAW.choice((nir, dni))()


def ssn() -> str:
    return f"{DRAW.randint(100, 665)}-{DRAW.randint(10, 99)}-{DRAW.randint(1000, 9999)}"


def birth_date() -> str:
    return f"{DRAW.randint(13, 28)}.{DRAW.randint(2, 12):02d}.{DRAW.randint(1940, 2005)}"


def passport() -> str:
    return some("CFGHJKLMNPRTVWXYZ", 1) + digits(2) + some("CFGHJK", 1) + digits(5)


def basic() -> str:
    return base64.b64encode(f"{some(string.ascii_lowercase, 6)}:{token(10)}".encode()).decode()


def mixed_password() -> str:
    return DRAW.choice(WORDS) + some("!#$%&*+?", 1) + digits(3)


# Kind: how a secret is made, the prose around it, the name of its field in JSON, and its header.
KINDS: dict[str, tuple[Callable[[], str], list[str], str | None, str | None]] = {
    "password, words": (
        lambda: "".join(DRAW.sample(WORDS, 4)),
        ["password: {}.", "Mein Passwort ist {}.", "Mon mot de passe est {}.", "Mi contraseña es {}."],
        "password",
        None,
    ),
    "password, mixed": (
        mixed_password,
        ["My password is {}, please reset it.", "Passwort: {}", "mot de passe : {}", "La contraseña es {}."],
        "userPassword",
        None,
    ),
    "key by name": (
        lambda: token(32),
        ["the API key is {}.", "Der API-Schlüssel lautet {}.", "la clé API est {}.", "api key: {}"],
        "api_key",
        "X-Api-Key: {}",
    ),
    "OpenAI key": (
        lambda: "sk-proj-" + token(40),
        ["I use {}.", "Ich benutze {} seit gestern.", "J'utilise {} depuis hier."],
        "value",
        "Authorization: Bearer {}",
    ),
    "basic": (basic, ["curl -H 'Authorization: Basic {}'"], "authorization", "Authorization: Basic {}"),
    "cookie": (
        lambda: token(24),
        ["curl -b x -H 'Cookie: sid={}; theme=dark'"],
        None,
        "Set-Cookie: sid={}; Path=/; HttpOnly",
    ),
    "URL": (
        lambda: token(12),
        [
            "postgres://app:{}@db.example.org/main",
            "amqp://app:{}@mq:5672 antwortet nicht",
            "https://app:{}@example.fr/x",
        ],
        None,
        None,
    ),
    "SSN": (ssn, ["My SSN is {}.", "the number {} is mine"], "ssn", None),
    "national number": (
        national_number,
        ["it is {}.", "meine Nummer ist {}", "mon numéro de sécurité sociale : {}", "mi DNI es {}"],
        "national_id",
        None,
    ),
    "passport": (
        passport,
        ["my passport number is {}.", "Reisepass-Nr.: {}", "numéro de passeport : {}", "pasaporte número {}"],
        "passportNumber",
        None,
    ),
    "birth date": (
        birth_date,
        ["I was born on {}.", "geboren am {}, wohnhaft hier", "née le {} à Lyon", "nacido el {}"],
        "date_of_birth",
        None,
    ),
    "IPv4": (
        lambda: f"{DRAW.choice((81, 93, 134))}.{DRAW.randint(1, 254)}.{DRAW.randint(1, 254)}.{DRAW.randint(1, 254)}",
        ["login from {}.", "Anmeldung von {}, bitte prüfen", "connexion depuis {}"],
        "client_ip",
        "X-Forwarded-For: {}",
    ),
    "IPv6": (
        lambda: f"2a02:8108:{some('123456789abcdef', 4)}:{some('123456789abcdef', 4)}::{some('123456789abcdef', 4)}",
        ["login from {}", "Anmeldung von {}"],
        "ip",
        "X-Real-IP: {}",
    ),
    "e-mail": (
        lambda: f"{some(string.ascii_lowercase, 7)}.{some(string.ascii_lowercase, 5)}@acme-{digits(3)}.com",
        ["write to {}.", "Schreiben Sie an {}", "écrivez à {}"],
        "from",
        "From: <{}>",
    ),
    "phone": (
        lambda: f"+49 17{digits(1)} {digits(7)}",
        ["call {}.", "rufen Sie {} an", "appelez le {}"],
        "phone",
        None,
    ),
    "card": (lambda: luhn("4" + digits(14)), ["my card {}.", "meine Karte {}", "ma carte {}"], "card", None),
    "IBAN": (iban, ["pay to {}.", "IBAN {}, danke", "virement sur {}"], "iban", None),
}


def planted() -> Iterator[tuple[str, str, str]]:
    """Yield kind, secret and the text around it."""
    forms = []
    for kind, (make, prose, field, header) in KINDS.items():
        forms += [(kind, make, text) for text in prose]
        if field:
            forms += [
                (kind, make, text)
                for text in (f'{{{{"{field}": "{{}}", "n": 1}}}}', f'{{{{\\"{field}\\": \\"{{}}\\"}}}}')
            ]
        if header:
            forms += [(kind, make, f"GET / HTTP/1.1\r\n{header}\r\nAccept: */*"), (kind, make, json.dumps(header))]
    for index in range(COUNT):
        kind, make, text = forms[index % len(forms)]
        secret = make()
        yield kind, secret, text.format(secret)


def ordinary(paths: list[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in (
                ".json",
                ".jsonl",
                ".yaml",
                ".md",
                ".rst",
                ".txt",
                ".csv",
                ".tsv",
                ".prompt",
            ):
                yield str(file), file.read_text(encoding="utf-8", errors="replace")


def main() -> None:
    left: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for kind, secret, text in planted():
        seen[kind] += 1
        done = Redactor(b"k" * 32).redact_text(text)
        if secret in done:
            left[kind] += 1
            print(f"survives ({kind}): {text!r}")
    print(f"{sum(seen.values())} planted, {sum(left.values())} survive; by kind (survive/planted):")
    print("  " + ", ".join(f"{kind} {left[kind]}/{count}" for kind, count in seen.items()))

    here = Path(__file__).parents[2]
    paths = [Path(name) for name in sys.argv[1:]] or [
        here / name for name in ("tests/ingest/samples", "suites", "promptbench/docs")
    ]
    redactor, size, shown = Redactor(b"k" * 32), 0, Counter[str]()
    for name, text in ordinary(paths):
        size += len(text.encode())
        for line in text.splitlines():
            before = redactor.counts.copy()
            done = redactor.redact_text(line)
            kinds = [kind for kind in redactor.counts if redactor.counts[kind] > before[kind]]
            for kind in kinds if done is not line else ():
                shown[kind] += 1
                if shown[kind] <= 15:
                    at = next((index for index, (a, b) in enumerate(zip(line, done, strict=False)) if a != b), 0)
                    print(f"  {kind}: {Path(name).name}: {line[max(0, at - 50) : at + 40]!r}")
    print(f"ordinary texts, {size / 1e6:.1f} MB: {dict(redactor.counts)} replaced")

    random.seed(7)
    texts = [json.dumps(record(index)) for index in range(10_000)]
    redactor, start = Redactor(b"k" * 32), time.process_time()
    for text in texts:
        redactor.redact_text(text)
    print(f"{sum(map(len, texts)) / 1e6 / (time.process_time() - start):.1f} MB/s of CPU time")


if __name__ == "__main__":
    main()
