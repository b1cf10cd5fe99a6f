"""What personal data and secrets look like: each kind with its pattern and the check that tells it from a number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from rag_assets.tuning.gates.value_checks import (
    is_card,
    is_iban,
    is_jwt,
    is_password,
    is_phone,
    is_ssn,
    looks_random,
    real_domain,
)

Group = Literal["personal", "secret"]
Check = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value. `hint` is a text without which it is not looked for; `check` tells the real ones."""

    name: str
    group: Group
    pattern: re.Pattern[str]
    check: Check
    hint: str


@dataclass(frozen=True, slots=True)
class Found:
    """One value. Only `masked` of it is kept."""

    kind: str
    group: Group
    masked: str


_ANYTHING = re.compile(r"[\d@]|-----BEGIN")
"""Without one of these there is no value of any kind, and most lines of prose have none."""


def _any(match: re.Match[str]) -> bool:
    return True


def find_values(text: str) -> Iterator[Found]:
    """Everything in one line of text, kinds in the order of `KINDS`."""
    if not _ANYTHING.search(text):
        return
    for kind in KINDS:
        if kind.hint and kind.hint not in text:
            continue
        for match in kind.pattern.finditer(text):
            if kind.check(match):
                yield Found(kind.name, kind.group, masked(match["value"]))


def masked(value: str) -> str:
    """How a value is spoken of: two characters and its length."""
    return f"{value[:2]}… ({len(value)} characters)"


def _kind(name: str, group: Group, pattern: str, check: Check = _any, hint: str = "") -> Kind:
    return Kind(name, group, re.compile(pattern), check, hint)


# Below, `value` is what is masked; a kind may have several shapes.

KINDS = (
    _kind("private_key", "secret", r"(?P<value>-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)", hint="---"),
    _kind("jwt", "secret", r"\b(?P<value>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,})", is_jwt, "eyJ"),
    _kind("api_key", "secret", r"\b(?P<value>sk-(?:proj-|ant-|svcacct-|or-)?[\w-]{20,})", looks_random, "sk-"),
    _kind("payment_key", "secret", r"\b(?P<value>(?:sk|rk|whsec)_(?:live_|test_)?[0-9A-Za-z]{16,})", looks_random),
    _kind("aws_key", "secret", r"\b(?P<value>(?:AKIA|ASIA)[0-9A-Z]{16})\b"),
    _kind("github_token", "secret", r"\b(?P<value>gh[pousr]_[0-9A-Za-z]{36,}|github_pat_\w{22,})"),
    _kind("gitlab_token", "secret", r"\b(?P<value>glpat-[\w-]{20,})", hint="glpat-"),
    _kind("slack_token", "secret", r"\b(?P<value>xox[abeprs]-[0-9A-Za-z-]{10,})", hint="xox"),
    _kind("slack_webhook", "secret", r"(?P<value>hooks\.slack\.com/services/T\w+/B\w+/\w{16,})", hint="hooks.slack"),
    _kind("google_key", "secret", r"\b(?P<value>AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})"),
    _kind("hub_token", "secret", r"\b(?P<value>hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,})"),
    _kind("cloud_key", "secret", r"\b(?P<value>dop_v1_[0-9a-f]{64}|SG\.[\w-]{22}\.[\w-]{43}|AccountKey=[\w+/]{40,}=*)"),
    _kind("bot_token", "secret", r"\b(?P<value>\d{8,10}:AA[\w-]{33})\b", hint=":AA"),
    _kind("bearer_token", "secret", r"(?i:\bbearer )(?P<value>[\w.~+/-]{20,}=*)", looks_random),
    _kind(
        "password_in_url",
        "secret",
        r"\b(?!github:)[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{1,64}:(?P<value>[^\s/:@]{4,128})@",
        is_password,
        "://",
    ),
    _kind(
        "secret_value",
        "secret",
        r"(?i:(?:password|passwd|secret|token|(?:api|access|secret)[_-]?key))[\"']?\s{0,3}(?::=|=>|[:=])\s{0,3}[\"']?"
        r"(?P<value>[\w+/-]{16,}=*)",
        looks_random,
    ),
    _kind(
        "email",
        "personal",
        r"(?<![\w.+-])(?P<value>[\w.+-]{1,64}@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24})\b",
        real_domain,
        "@",
    ),
    _kind(
        "phone", "personal", r"(?<![\w.+/-])(?P<value>\+\d{1,3}(?:[ ./-]?\(?\d{1,4}\)?){2,6})(?![\w-])", is_phone, "+"
    ),
    _kind(
        "phone",
        "personal",
        r"(?<![\w.+/-])(?P<value>(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])[2-9]\d\d[-.]\d{4})(?![\w-])",
        is_phone,
    ),
    _kind(
        "phone",
        "personal",
        r"(?i:\b(?:phone|tel|telephone|mobile|fax|call)\b\.?:? ?)(?P<value>\(?0\d[\d /()-]{6,16}\d)",
        is_phone,
    ),
    _kind("iban", "personal", r"\b(?P<value>[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)\b", is_iban),
    _kind("payment_card", "personal", r"(?<![\w.-])(?P<value>\d(?:[ -]?\d){12,18})(?![\w-])", is_card),
    _kind("social_security_number", "personal", r"(?<![\w-])(?P<value>\d{3}-\d{2}-\d{4})(?![\w-])", is_ssn),
)
