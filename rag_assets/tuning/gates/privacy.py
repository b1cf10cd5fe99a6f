"""The gate of privacy: no personal data and no secret goes to whoever tunes, and into what a model may repeat.

What is looked for are shapes that can be told: addresses, numbers with a check digit, keys of known makes. A name, an
illness or a password that is a word is not found by any pattern. The address of a machine is not taken for a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.found_values import Found, find_values
from rag_assets.tuning.gates.reading import Contents, Line
from rag_assets.tuning.gates.verdicts import PRIVACY, Findings

RULES = "shapes@1"


def judge_privacy(contents: Contents, *, allow_personal_data: bool, subject: str) -> GateVerdict:
    """Every text of every line, readable or not. What is found is told by kind, line and a masked form."""
    findings = {"secret": Findings(), "personal": Findings()}
    known: dict[str, tuple[Found, ...]] = {}
    for line in contents.lines:
        for found in dict.fromkeys(_values_of(line, known)):
            findings[found.group].add(found.kind, f"{line.place}: {found.masked}")
    secrets, personal = findings["secret"], findings["personal"]
    reasons = [f"{secrets.total:,} secrets: {secrets}"] if secrets else []
    if personal and not allow_personal_data:
        reasons.append(f"{personal.total:,} pieces of personal data: {personal}")
    passing = "no secret and no personal data was found"
    if personal:
        passing = f"no secret was found; {personal.total:,} pieces of personal data are allowed by the configuration"
    return GateVerdict(
        gate=PRIVACY,
        subject=subject,
        passed=not reasons,
        reason="; ".join(reasons) or passing,
        details={
            "secrets": secrets.total,
            "personal_data": personal.total,
            "allow_personal_data": allow_personal_data,
            "found": {**secrets.details(), **personal.details()},
        },
    )


def _values_of(line: Line, known: dict[str, tuple[Found, ...]]) -> Iterator[Found]:
    """What `line` holds. `known`: the lines of text seen before, for passages are repeated in many examples."""
    for text in _texts(line.value) if line.problem is None else [line.text]:
        for piece in text.split("\n"):
            if piece not in known:
                known[piece] = tuple(find_values(piece))
            yield from known[piece]


def _texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys as well."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict):
            waiting += [*reversed(one.values()), *one.keys()]
