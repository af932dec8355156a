from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from promptbench.core.types import FailureTier, LoggedCall, Message
from promptbench.redaction._number_shapes import _luhn, _mod97
from promptbench.redaction.redactor import Redactor

KEY = b"k" * 32
SECRET = {
    "email": ["ann.lee+x@acme.co.uk", "Ann@Acme.com", "o'neil_1@post.example.org", "jürgen@müller.de", "a@example.com"],
    "phone": [
        "+49 170 1234567", "+491701234567", "+1 (212) 555-0123", "0049 170 1234567", "(212) 555-0123", "212-555-0199",
        "1-212-555-0199", "020 7946 0958", "07700 900123", "0171/1234567", "06 12 34 56 78", "(030) 12345678",
        "(11) 91234-5678", "+91 98765 43210",
    ],
    "card": ["4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004", "378282246310005", "3530111333300000"],
    "iban": [
        "DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "NO93 8601 1117 947",
        "mt84malt011000012345mtlcast001s",
    ],
    "key": [
        "sk-proj-abc123DEF456ghi789", "sk-ant-api03-abcdef1234567890", "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "xoxb-123456789012-abcdefghijkl", "glpat-abcdef1234567890abcd",
        "AIzaSyA1234567890abcdefghijklmnopqrstuvw", "hf_abcdefghij1234567890",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    ],
    "id": ["536-90-4399", "54362315-K", "X2482300W", "2 95 10 99 126 111 93", "390.533.447-05", "131052-308T"],
    "ip": ["81.2.69.142", "2a00:1450:4001:81b::200e"],
}  # fmt: skip
HARMLESS = [
    "order ORD-2024-118233, #1234567, 4711-2233, S-2291 and 112-3456789-1234567",
    "2026-11-24 10:30:00.123456, 2026-11-24T10:30:00Z, 01.02.2024 10:30, 24/11/2026 12:00",
    "created 1732459200123 and 1732459200, build 20261124103000",
    "192.168.100.200, 10.0.0.1:8080, version 1.2.3.4567890",
    "0.123456789012345, 3.14159265358979, 1,234,567,890.12 EUR, 1 234 567 890",
    "ISBN 978-3-16-148410-0, 9781234567897, id 7234567890123456789",
    "550e8400-e29b-41d4-a716-446655440000, 0d3f8a7b6c5d4e3f2a1b0c9d8e7f6a5b",
    "4111 1111 1111 1112 has no check digit, DE89 3704 0044 0532 0130 01 neither",
    "the token was wrong, key: value, password: required, max_tokens: 1000, keyword = abcdefgh12345678",
    "risk-assessment-2024-overview, https://example.org/a/b?c=d, @channel, user@host, a@b",
    "bearer of bad news, see chapter 212-555",
    "Please reset my password, the old password is not working. Password: required, at least 8 characters",
    "Das Passwort ist falsch oder abgelaufen. Passwort: bitte zurücksetzen. Kennwort: siehe Brief",
    "mot de passe oublié : que faire ? la contraseña es incorrecta. Palabra clave: envío",
    "Key: customer-onboarding, token: Friday, secret: none; the key is under the mat. cookies=3",
    "ticket 12345678A, part 12-34-5678, case 850312-1234, 26112410300, 536-90-4399-1",
    "ordered on March 12, 2026; the report was born out of need; founded 12.03.1985; born in 1985",
    'version 1.2.3.4, v2.0.0.1, "version": "1.0.40.0", 192.168.0.1, std::vector<int> a::b, 12:34:56:78:9a:bc',
    "Mehrwertsteuer: 1234.56 EUR, tax id on request, passport renewed 2024, bus pass 30, Social: 120000 followers",
    '{"password": {"type": "string", "minLength": 8}, "token": "string", "secret": null}',
    'password=os.environ["DB_PASSWORD"], password=getpass(), password=None, password: str, password: ${DB}',
    "Basic authentication and Bearer authentication are supported; basic knowledge required",
    "the password for the portal is case-sensitive, my password is 2FA-protected, password is 8-16 characters",
    "idempotency key 550e8400-e29b-41d4-a716-446655440000 and primary key customer_account_2024",
]
EVERY = [(kind, text) for kind, texts in SECRET.items() for text in texts]


def redactor(**patterns: str) -> Redactor:
    return Redactor(KEY, patterns)


def shape(text: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d", "0", text))


@pytest.mark.parametrize(("kind", "text"), EVERY, ids=[text[:30] for _, text in EVERY])
@pytest.mark.parametrize(
    "around",
    ["{}", "see {} please", '{{"x": "{}"}}', '{{\\"x\\": \\"line\\n{}\\"}}', "({}), and", "is:{};", "\u201c{}\u201d"],
)
def test_what_must_not_be_kept(kind: str, text: str, around: str) -> None:
    one = redactor()
    done = one.redact_text(around.format(text))
    assert text not in done
    assert one.counts == {kind: 1}
    before, after = around.format("\0").split("\0")
    assert done.startswith(before)
    assert done.endswith(after)
    assert redactor().redact_text(done) == done


@pytest.mark.parametrize("text", HARMLESS)
def test_what_may_stay(text: str) -> None:
    one = redactor()
    assert one.redact_text(text) is text
    assert not one.counts


@pytest.mark.parametrize(("kind", "text"), [item for item in EVERY if item[0] in ("phone", "card", "iban")])
def test_numbers_keep_their_shape(kind: str, text: str) -> None:
    done = redactor().redact_text(text)
    digits, letters = re.sub(r"\D", "", done), re.sub(r"[\W_]", "", done).upper()
    assert len(done) == len(text)
    if kind == "card":
        assert shape(done) == shape(text)
        assert _luhn(digits) == 0
        assert digits[1:7] == "000000"
    elif kind == "iban":
        assert _mod97(letters) == 1
        assert letters[:2] == text[:2].upper()
        assert [char.isdigit() for char in done] == [char.isdigit() for char in text]
    else:
        assert shape(done) == shape(text)
        assert "000" in digits


def test_keys_keep_how_they_begin_and_how_long_they_are() -> None:
    for text in SECRET["key"]:
        done = redactor().redact_text(text)
        assert done[:3] == text[:3]
        assert "REDACTED" in done
        assert len(done) == len(text)


def test_the_same_person_stays_the_same_person() -> None:
    one, later = redactor(), redactor()
    first, second = one.redact_text("ann@acme.com"), later.redact_text("write to ANN@acme.com")
    assert re.fullmatch(r"person\d{10}@example\.com", first)
    assert second == f"write to {first}"
    assert one.redact_text("bob@acme.com") != first
    assert Redactor(b"other").redact_text("ann@acme.com") != first


@pytest.mark.parametrize(
    "text",
    [
        "api_key=9f8a7b6c5d4e3f2a1b0c9d8e",
        'OPENAI_API_KEY: "9f8a7b6c5d4e3f2a1b0c9d8e"',
        "Authorization: Bearer abc.def-1234567890",
        "authorization: Basic QWxhZGRpbjpvcGVuU2VzYW1lMTIz",
        "password: hunter22x",
        "https://bob:s3cretpw@host.com/x",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234\nabc=\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA1234 cut short",
        "john%40acme.com",
        "ann@acme.com-thanks",
        "ann@acme.com_2",
        "Telefon: 01701234567",
        "my phone number is 5551234567",
        "call me at 555-1234",
    ],
)
def test_what_its_surroundings_give_away(text: str) -> None:
    one = redactor()
    done = one.redact_text(text)
    assert done != text
    assert sum(one.counts.values()) == 1
    assert one.redact_text(done) == done


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password: CorrectHorseBatteryStaple.", "CorrectHorse"),
        ("Das Passwort für mein Konto lautet Hunter22x, danke", "Hunter22x"),
        ("le mot de passe de mon compte est Hunter22x.", "Hunter22x"),
        ("La contraseña es Hunter22x", "Hunter22x"),
        ("PASSWORT: Sonnenschein\nGruß", "Sonnenschein"),
        ("DB_PASSWORD=Tr0ub4dor&3,x;user=bob", "Tr0ub4dor&3,x"),
        ("<password>Hunter22x</password>", "Hunter22x"),
        ('{\\"user_password\\": \\"Hunter22x\\"}', "Hunter22x"),
        ("die CLÉ lautet 9f8a7b6c5d4e3f2a1b0c", "9f8a7b6c"),
        ("Cookie: theme=dark1; sid=38afes7a8xx", "38afes7a8xx"),
        ("Set-Cookie: sid=38afes7a8xx; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "38afes7a8xx"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("İ password: Hunter22x", "Hunter22x"),
    ],
)
def test_what_a_label_gives_away(text: str, secret: str) -> None:
    done = redactor().redact_text(text)
    assert secret not in done
    assert redactor().redact_text(done) == done


def test_a_birth_date_keeps_its_year_and_its_notation() -> None:
    text = "DOB: March 12th, 1985; geboren am 3. Mai 1985, née le 3 décembre 1985, date of birth: 1985-03-12"
    assert redactor().redact_text(text) == (
        "DOB: January 1st, 1985; geboren am 1. Januar 1985, née le 1 janvier 1985, date of birth: 1985-01-01"
    )


def test_a_password_is_replaced_where_the_model_repeats_it() -> None:
    call = LoggedCall(
        "1", "You said Hunter22x.", variables={"password": "Hunter22x", "id": 7}, raw=[{"SSN": 536904399}]
    )
    done: Any = redactor().redact_call(call)
    assert "Hunter22x" not in repr(done)
    assert done.variables["password"] in done.answer
    assert isinstance(done.raw[0]["SSN"], int)
    assert done.raw != call.raw


def test_plain_data_with_all_its_texts_and_keys() -> None:
    data = {
        "ann@acme.com": [1, 2.5, None, True, {"deep": ("call +49 170 1234567",)}],
        "phone": "01701234567",
        "mobile_number": 4917012345678,
        "card": 4111111111111111,
        "api_key": "9f8a7b6c5d4e3f2a1b0c",
        "token": "Friday",
        "key": "gen_ai.usage.cache_read.input_tokens",
        "created": 1732459200123,
        "attributes": [{"key": "token", "value": {"stringValue": "Friday"}}, {"name": "password", "value": "required"}],
    }
    one = redactor()
    done: Any = one.redact_call(LoggedCall("1", None, raw=data)).raw
    text = json.dumps(done)
    assert not any(part in text for part in ("acme", "1701234567", "17012345678", "4111111111", "9f8a7b"))
    assert {name: done[name] for name in ("token", "key", "created", "attributes")} == {
        name: data[name] for name in ("token", "key", "created", "attributes")
    }
    assert isinstance(done["card"], int)
    assert one.redact_call(LoggedCall("1", None, raw=done)).raw is done
    assert one.counts == {"email": 1, "phone": 3, "card": 1, "key": 1}


def test_a_call_with_its_raw_record() -> None:
    mail = "mail ann@acme.com"
    call = LoggedCall(
        id="call ann@acme.com", answer=mail, model=mail, variables={"m": mail}, messages=(Message("user", mail),),
        prompt=mail, error=mail, finish_reason=mail, failed=mail, tags=(mail,), extra={"x": mail}, expected=mail,
        raw={"m": {"deep": [mail]}}, tier=FailureTier.CONTENT, format="x", time="2026-11-24T10:00:00Z",
    )  # fmt: skip
    done = redactor().redact_call(call)
    assert "acme" not in repr(done)
    assert (done.tier, done.format, done.time) == (call.tier, call.format, call.time)
    assert redactor().redact_call(done) == done


@pytest.mark.parametrize(
    "data",
    [
        {"phone": "01701234567"},
        {"card": 4111111111111111},
        {"secret": "a1b2c3d4e5f6g7h8"},
        {"X-Api-Key": ["9f8a7b6c5d4e3f2a1b0c"]},
        {"name": "password", "value": "Hunter22x"},
        {"key": "enduser.password", "value": {"stringValue": "Hunter22x"}},
        {
            "key": "http.request.header.x-api-key",
            "value": {"arrayValue": {"values": [{"stringValue": "9f8a7b6c5d4e3f2a1b0c"}]}},
        },
    ],
)
def test_a_call_whose_fields_give_it_away(data: dict[str, Any]) -> None:
    assert redactor().redact_call(LoggedCall("1", None, raw=data)).raw != data
    assert redactor().redact_call(LoggedCall("1", None, variables={"deep": [data]})).variables != {"deep": [data]}


def test_patterns_of_the_project() -> None:
    one = redactor(customer=r"KD-(\d{6})", plate=r"[A-Z]{1,3}-[A-Z]{2} \d{3,4}")
    done = one.redact_text("KD-123456 drives B-XY 1234")
    assert re.fullmatch(r"KD-999\d{3} drives X-XX [9\d]{4}", done) or re.fullmatch(
        r"KD-999\d{3} drives \S+ \d{4}", done
    )
    assert "123456" not in done
    assert one.counts == {"customer": 1, "plate": 1}
    assert one.redact_text(done) == done


def test_a_pattern_for_a_whole_text_is_found_in_a_call() -> None:
    call = LoggedCall("1", "a", variables={"zip": "123456", "note": "it is 123456"})
    assert redactor(zip=r"^\d{6}$").redact_call(call).variables == {
        "zip": redactor(zip=r"^\d{6}$").redact_text("123456"),
        "note": "it is 123456",
    }


def test_a_text_that_was_clean_is_searched_for_a_password_that_another_record_gives_away() -> None:
    one, text = redactor(), "You said Hunter22x."
    assert one.redact_call(LoggedCall("1", text)).answer is text
    assert "Hunter22x" not in repr(one.redact_call(LoggedCall("1", text, variables={"password": "Hunter22x"})))


@pytest.mark.parametrize("pattern", ["(", "a*", ""])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid regular expression|matches the empty text"):
        redactor(own=pattern)


@pytest.mark.slow
def test_a_pattern_without_an_end_is_stopped() -> None:
    one, text = redactor(own="(x+x+)+y"), "x" * 4_000
    with pytest.raises(TimeoutError):
        one.redact_call(LoggedCall("1", text))
    assert one.redact_text(text).startswith("REDACTED")


pieces = (
    st.sampled_from([text for _, text in EVERY] + HARMLESS) | st.text(max_size=12) | st.from_regex(r"[\d .+()/-]{1,24}")
)


@example(["sk-proj-abc123DEF456ghi789", "ann.lee+x@acme.co.uk"], "")
@given(st.lists(pieces, max_size=5), st.sampled_from(["", " ", "\n", ", ", "\\n", "-", "x"]))
def test_redacting_again_changes_nothing(parts: list[str], between: str) -> None:
    one = redactor()
    text = between.join(parts)
    done = one.redact_text(text)
    assert redactor().redact_text(done) == done
    assert (done is text) == (not one.counts) or done == text


@given(st.text(alphabet=st.characters(blacklist_characters="@", blacklist_categories=("Nd", "Cs")), max_size=200))
def test_a_text_without_digits_and_addresses_is_left_alone(text: str) -> None:
    assert redactor().redact_text(text) is text or "-----BEGIN" in text or "earer" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        "1",
        "a@",
        "sk-",
        "+1 ",
        "eyJ",
        "(0",
        "key=",
        "-----BEGIN A-----",
        "a",
        "1-",
        "4123-",
        "DE12",
        "://a:",
        "030 1",
        "%40x.",
        "password is ",
        "Cookie: a=b; ",
        "1.1.1.1",
        "SSN 1 ",
        "born 1 ",
        "2a00:",
    ],
)
def test_the_time_is_linear(part: str) -> None:
    one = redactor()

    def took(size: int) -> float:
        text = part * (size // len(part)) + "@x.com"
        start = time.process_time()
        one.redact_text(text)
        return time.process_time() - start

    took(1000)
    assert took(100_000) < 40 * took(10_000) + 0.3
