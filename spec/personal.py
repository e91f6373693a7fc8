"""Personal data and secrets in texts, found by libraries that know the formats, after a cheap look for candidates.

E-mail addresses by their form; phone numbers by Google's libphonenumber (`phonenumbers`); cards, IBANs and national ids
by their check digits (`python-stdnum`); secrets by `detect-secrets`. Names, addresses and dates of birth are not
recognised. What is found is never quoted: a finding has the kind and the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

_EMAIL = re.compile(r"[A-Za-z0-9_.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
_LOCAL, _DOMAIN = 64, 330  # characters before and after the at sign
_NUMBER = re.compile(
    r"(?P<iban>\b[A-Z]{2}\d{2}[ ]?(?:[A-Z0-9]{4}[ ]?){2,7}[A-Z0-9]{1,4}\b)"
    r"|(?P<letters>\b(?:[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]|[XYZ]?\d{7,8}-?[A-Z])\b)"
    r"|(?P<digits>(?<![\w.,$€£%/-])\+?\(?\d[\d() .-]{5,24}\d(?![\w%]))"
)
_DIGITS = re.compile(r"\d+")
_BEFORE = (6, 2, 1, 0)  # characters that a number can have before its first digit
_SECRET = re.compile(
    r"AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30}|github_pat_|glpat-|xox[abprs]-|sk-[A-Za-z0-9_-]{20}|"
    r"sk_live_|rk_live_|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{20}|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY|eyJ[\w-]{10,}\.eyJ[\w-]{10,}|"
    r"(?i:(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token)[\"']?\s*[:=]\s*[\"']?[^\s\"']{8})|"
    r"\w+://[^/\s:@]{1,64}:[^/\s:@]{3,64}@"
)
_DIGIT_OR_AT = re.compile(r"[0-9@]")
_SIGNS = ("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "sk_live_",
          "rk_live_", "AIza", "hf_", "npm_", "SG.", "PRIVATE KEY", "eyJ", "://")  # fmt: skip
_WORDS = ("password", "passwd", "pwd", "secret", "api_key", "api-key", "apikey", "access_key", "access-key",
          "accesskey", "auth_token", "auth-token", "authtoken")  # fmt: skip
_NATIONAL_WORDS = re.compile(
    r"(?i)social security|\bssn\b|national (?:id|insurance)|\bnino\b|passport|tax (?:id|number)|\bnhs\b|\bbsn\b|"
    r"\bcpf\b|aadhaar|personnummer|personalausweis|steuer-?id|sozialversicherung|num[ée]ro de s[ée]curit[ée]|"
    r"\bdni\b|\bnie\b|codice fiscale|pesel|\bcnp\b|mrn\b|medical record|patient (?:id|number)"
)
_AROUND = 60  # characters before a number in which a word may say what it is

# National ids by their shape; bare digits count only where a word before them says so.
_SHAPED = (("us.ssn", re.compile(r"\d{3}-\d{2}-\d{4}")),)
_LETTERED = ("it.codicefiscale", "es.dni", "es.nie")
_BARE = ("us.ssn", "gb.nhs", "nl.bsn", "br.cpf", "in_.aadhaar", "de.idnr", "fr.nir", "pl.pesel", "se.personnummer",
         "no.fodselsnummer", "fi.hetu", "dk.cpr", "ch.ssn", "ca.sin", "au.tfn")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hit:
    """A find: kind, and where it is in the text."""

    kind: str  # email phone card iban national-id secret
    start: int
    end: int


def personal_data(text: str, region: str | None = None) -> list[Hit]:
    """What of that is in the text, from left to right. `region` is the country of numbers without a country code."""
    return [hit for match in _candidates(text) if (hit := _judged(text, match, region))]


def _candidates(text: str) -> Iterator[re.Match[str]]:
    """What may be something, from left to right, none over another. Looks only around at signs and digits."""
    email, number = _email(text, 0), _number(text, 0)
    while found := min((each for each in (email, number) if each), key=lambda each: each.start(), default=None):
        yield found
        end = found.end()
        if email and email.start() < end:
            email = _email(text, end)
        if number and number.start() < end:
            number = _number(text, end)


def _email(text: str, at: int) -> re.Match[str] | None:
    """The first one from there on."""
    sign = text.find("@", at)
    while sign >= 0:
        if match := _EMAIL.search(text, max(at, sign - _LOCAL), sign + _DOMAIN):
            return match
        sign = text.find("@", sign + 1)
    return None


def _number(text: str, at: int) -> re.Match[str] | None:
    """The first one from there on."""
    end = at
    while digits := _DIGITS.search(text, end):
        for before in _BEFORE:
            start = digits.start() - before
            if start >= at and (match := _NUMBER.match(text, start)):
                return match
        end = digits.end()
    return None


def candidates(text: str) -> bool:
    """False where there is certainly no personal data: neither a digit nor an at sign."""
    return _DIGIT_OR_AT.search(text) is not None


def secret_signs(text: str) -> bool:
    """False where there is certainly no secret; much faster than looking for one."""
    lower = text.lower()
    return any(sign in text for sign in _SIGNS) or any(word in lower for word in _WORDS)


def _judged(text: str, match: re.Match[str], region: str | None) -> Hit | None:
    start, end = match.span()
    found = match.group()
    if match.re is _EMAIL:
        return Hit("email", start, end)
    match match.lastgroup:
        case "iban":
            return Hit("iban", start, end) if _valid("iban")(found.replace(" ", "")) else None
        case "letters":
            valid = any(_valid(each)(found) for each in _LETTERED)
            return Hit("national-id", start, end) if valid else None
    kind = _number_kind(found, text[max(0, start - _AROUND) : start], region)
    return Hit(kind, start, end) if kind else None


def _number_kind(found: str, before: str, region: str | None) -> str | None:
    digits = "".join(each for each in found if each.isdigit())
    if any(shape.fullmatch(found) and _valid(name)(found) for name, shape in _SHAPED):
        return "national-id"
    if 13 <= len(digits) <= 19 and digits[0] in "23456" and _valid("luhn")(digits):
        return "card"
    if _NATIONAL_WORDS.search(before) and any(_valid(name)(digits) for name in _BARE):
        return "national-id"
    return "phone" if _is_phone(found, digits, region) else None


@cache
def _valid(name: str) -> Callable[[str], bool]:
    """The check of that module of python-stdnum (30 ms for the first one)."""
    from importlib import import_module

    check: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return check


def _is_phone(found: str, digits: str, region: str | None) -> bool:
    """A valid number with its country code, or one of the region that is written like a phone number."""
    if len(digits) < 7 or len(digits) > 15:
        return False
    written = found.startswith(("+", "00")) or len(re.findall(r"[ ().-]+", found.strip("()"))) >= 1
    if not written or re.fullmatch(r"(?:19|20)\d\d[ -](?:19|20)\d\d.*|\d{4}-\d{2}-\d{2}.*", found):
        return False
    import phonenumbers  # 30 ms

    try:
        number = phonenumbers.parse(found, None if found.startswith("+") else (region or "US"))
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))


def secrets(text: str) -> list[Hit]:
    """Keys, tokens, passwords and private keys in the text."""
    if not _SECRET.search(text):
        return []
    return list(_secrets(text))


def _secrets(text: str) -> Iterator[Hit]:
    from detect_secrets.core.scan import scan_line  # 140 ms, and only for the rare text that may hold one
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": each} for each in _DETECTORS]}):
        at = 0
        for line in text.splitlines(keepends=True):
            for found in scan_line(line):
                value = found.secret_value or ""
                start = line.find(value)
                if value and start >= 0:
                    yield Hit("secret", at + start, at + start + len(value))
            at += len(line)


_DETECTORS = (
    "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "DiscordBotTokenDetector", "GitHubTokenDetector",
    "GitLabTokenDetector", "JwtTokenDetector", "KeywordDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector",
    "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SquareOAuthDetector",
    "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip

# Where bare phone numbers are from, by the language of the data: the country with the most speakers.
REGIONS = {
    "en": "US", "de": "DE", "fr": "FR", "es": "ES", "it": "IT", "nl": "NL", "pt": "BR", "pl": "PL", "sv": "SE",
    "da": "DK", "no": "NO", "fi": "FI", "cs": "CZ", "ro": "RO", "hu": "HU", "el": "GR", "tr": "TR", "ru": "RU",
    "uk": "UA", "ja": "JP", "ko": "KR", "zh": "CN", "hi": "IN", "ar": "EG", "he": "IL", "id": "ID", "vi": "VN",
    "th": "TH",
}  # fmt: skip
