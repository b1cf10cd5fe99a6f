"""What tells a real address, number or key from what only looks like one. Each takes a match with a group `value`."""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "ES": 24, "FI": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24,
    "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29,
    "VG": 24, "XK": 20,
}  # fmt: skip
"""The registry of ISO 13616."""
RESERVED_DOMAINS = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$", re.IGNORECASE)
"""RFC 2606: nobody has an address there."""
LEAST_ENTROPY_BITS = 3.5
"""A character of a random key has about 4 (hexadecimal) to 6 bits; of words and names, below 3.5 at these lengths."""


def real_domain(match: re.Match[str]) -> bool:
    """Not of an example, a picture's name, or the address of a repository (`git@…`)."""
    name, _, domain = match["value"].rpartition("@")
    return (
        name != "git"
        and not RESERVED_DOMAINS.search(domain)
        and not domain.lower().endswith((".png", ".jpg", ".svg", ".gif"))
    )


def is_phone(match: re.Match[str]) -> bool:
    """As many digits as ITU-T E.164 allows, and no number that is kept for fiction (555-01xx)."""
    digits = re.sub(r"\D", "", match["value"])
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2 and not re.search(r"55501\d\d$", digits)


def is_iban(match: re.Match[str]) -> bool:
    """ISO 7064, mod 97-10."""
    value = match["value"].replace(" ", "").upper()
    if IBAN_LENGTHS.get(value[:2]) != len(value):
        return False
    return int("".join(str(int(character, 36)) for character in value[4:] + value[:4])) % 97 == 1


def is_card(match: re.Match[str]) -> bool:
    """An issuer's prefix with its length, and the check digit of ISO/IEC 7812 (Luhn)."""
    digits = re.sub(r"\D", "", match["value"])
    issued = re.fullmatch(
        r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
        r"3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}",
        digits,
    )
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return bool(issued) and sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def is_ssn(match: re.Match[str]) -> bool:
    """A number that the United States' Social Security Administration may have given out."""
    area, group, serial = match["value"].split("-")
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def is_jwt(match: re.Match[str]) -> bool:
    """The first part is the JSON header of a JSON web token (RFC 7519)."""
    head = match["value"].partition(".")[0]
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return False


def looks_random(match: re.Match[str]) -> bool:
    """Letters and digits mixed, without the order of words: not a name, not a placeholder."""
    value = match["value"]
    mixed = any(character.isdigit() for character in value) and any(character.isalpha() for character in value)
    counts = Counter(value).values()
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    return mixed and bits >= LEAST_ENTROPY_BITS


def is_password(match: re.Match[str]) -> bool:
    """What stands for a password in an instruction is none."""
    value = match["value"].lower()
    stands_for = ("pass", "pwd", "secret", "token", "user", "key", "example", "changeme", "xxx", "foo", "bar", "test")
    return not any(word in value for word in stands_for) and len(set(value)) > 2 and value[0] not in "<${[*%"
