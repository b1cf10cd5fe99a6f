"""Personal data and secrets: planted ones are found and never repeated, and prose is not taken for them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates import PRIVACY, judge_training_file
from rag_assets.tuning.gates.found_values import find_values
from rag_assets.tuning.gates.privacy import judge_privacy
from rag_assets.tuning.gates.reading import read_contents
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.corpora import corpus
from rag_assets_tests.tuning.files import Lines, clean_examples, example, write_file

EXAMPLES = Path(__file__).parents[2] / "examples"

# Put together here, so that no tool takes this file for one that holds a key.
SECRETS = {
    "private_key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "api_key": "sk-" + "proj-Zq8vN2kLw7RtYb4XcM1dPf6HsJ3gUa9E",
    "payment_key": "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "aws_key": "AKIA" + "IOSFODNN7QWERTYU",
    "github_token": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "gitlab_token": "glpat-" + "x7Yk2mPq9Rs4Tv6Wz1Bc",
    "slack_token": "xoxb-" + "2401234567-AbCdEf12345678",
    "slack_webhook": "hooks.slack.com/services/" + "T01ABCDEF/B02GHIJKL/aB3dE5fG7hI9jK1lM3nO5pQ7",
    "google_key": "AIza" + "SyD4f6H8j0L2n4P6r8T0v2X4z6B8d0F2h4J",
    "hub_token": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567",
    "bot_token": "1234567890:" + "AAH4k7s9d2f5g8j1l3z6x9c2v5b8n1m4q7w",
    "bearer_token": "Authorization: Bearer " + "q7Wz2Xc5Vb8Nm1Kj4Hg7Fd0Sa",
    "password_in_url": "postgres://writer:" + "Tr0ub4dor-3@db.kitchen.test/menu",
    "secret_value": "client_secret = '" + "9f8e7d6c5b4a39281706f5e4d3c2b1a0'",
}
PERSONAL = {
    "email": "ann.lee+menu@kitchen-berlin.de",
    "phone": "+49 30 901820",
    "iban": "DE89 3704 0044 0532 0130 00",
    "payment_card": "4111 1111 1111 1111",
    "social_security_number": "536-22-8726",
}
HARMLESS = (
    "Write to cook@example.com, or to root@localhost.localdomain.test.",
    "Clone git@github.com:kitchen/menu.git and set OPENAI_API_KEY=sk-your-key-goes-here-please.",
    "On 2024-11-20 at 12:30:45 version 1.26.10 used 4,111,111 tokens; the run took 1732104000123 ms.",
    "password: changeme, token = get_token_from_environment_variable(), Bearer token",
    "postgresql://user:password@localhost/db and github://team:repo@main/docs",
    "The card 4111 1111 1111 1112 and the account DE89 3704 0044 0532 0130 01 fail their check digits.",
    "Call 555-0123 in a film, or ring extension 204. ISBN 978-3-16-148410-0.",
    "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
)


def judged(folder: Path, train: Lines, *, allow: bool = False) -> GateVerdict:
    contents = read_contents(write_file(folder, train, clean_examples()[1]))
    return judge_privacy(contents, allow_personal_data=allow, subject="this file")


@pytest.mark.parametrize(("kind", "value"), [*SECRETS.items(), *PERSONAL.items()])
def test_every_kind_is_found_and_told_without_itself(tmp_path: Path, kind: str, value: str) -> None:
    train, _ = clean_examples()
    verdict = judged(tmp_path, [*train, example("How do I get in?", f"Use this:\n{value}, and nothing else.")])
    assert not verdict.passed
    (place,) = verdict.details["found"][kind]["places"]
    assert place.startswith("train.jsonl:17: ") and "characters" in place
    kept = value.split(" = ")[-1].split("//")[-1].strip("'").split()[-1]
    assert kept not in str(verdict) and value not in str(verdict)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_is_let_pass(text: str) -> None:
    assert list(find_values(text)) == []


def test_personal_data_may_be_allowed_and_secrets_never(tmp_path: Path) -> None:
    train, _ = clean_examples()
    person = example("Who cooks?", PERSONAL["email"])
    assert not judged(tmp_path, [*train, person]).passed
    allowed = judged(tmp_path, [*train, person], allow=True)
    assert allowed.passed and allowed.details["personal_data"] == 1 and "allowed" in allowed.reason
    secret = example("What opens the door?", SECRETS["api_key"])
    refused = judged(tmp_path, [*train, person, secret], allow=True)
    assert not refused.passed and "1 secrets" in refused.reason and "personal" not in refused.reason


def test_a_line_that_is_no_json_is_looked_through_all_the_same(tmp_path: Path) -> None:
    train, _ = clean_examples()
    verdict = judged(tmp_path, [*train, f'{{"messages": [{SECRETS["github_token"]}'])
    assert verdict.details["found"]["github_token"]["count"] == 1


def test_what_a_call_or_a_passage_holds_is_found(tmp_path: Path) -> None:
    train, _ = clean_examples()
    call = {"id": "a", "type": "function", "function": {"name": "send", "arguments": json.dumps(PERSONAL)}}
    asks = {"role": "assistant", "content": None, "tool_calls": [call]}
    verdict = judged(tmp_path, [*train, {"messages": [{"role": "user", "content": "Send it."}, asks]}])
    assert set(verdict.details["found"]) == set(PERSONAL)


def test_no_value_reaches_any_verdict_or_the_ledger(small_project: SmallProject) -> None:
    train, validation = clean_examples()
    values = [*SECRETS.values(), *PERSONAL.values()]
    lines: list[object] = [example(f"What is {value}?", f"It is {value}.") for value in values]
    lines += [example(f"What is {value} ?", value) for value in values]  # leaks, and lines that are no JSON
    lines += [f'{{"messages": "{value}", {value}' for value in values]
    lines += [{"messages": [{"role": value, value: value}], value: value} for value in values]
    with small_project.open() as project:
        file = write_file(project, [*train, *lines], [*validation, *lines])  # type: ignore[list-item]
        verdicts = judge_training_file(project, file)
        said = json.dumps([verdict.details | {"reason": verdict.reason} for verdict in verdicts], ensure_ascii=False)
        assert {verdict.gate for verdict in verdicts if not verdict.passed} > {PRIVACY}
        data = project.settings.data_path
    files = [path for path in data.rglob("*") if path.is_file() and file.folder not in path.parents]
    kept = " ".join(path.read_bytes().decode("latin-1") for path in files)
    assert PRIVACY in kept, "the ledger is looked through as well"
    assert [value for value in values if value in said or value in kept] == []


def test_the_example_documents_and_questions_hold_nothing() -> None:
    texts = [file for file in EXAMPLES.rglob("*") if file.suffix in (".md", ".mdx", ".html", ".rst", ".txt", ".jsonl")]
    assert len(texts) > 20
    found = [(file.name, one) for file in texts for line in _lines(file) for one in find_values(line)]
    assert found == []


def test_questions_and_passages_of_xquad_hold_nothing() -> None:
    assert [one for line in _lines(corpus("xquad") / "xquad.en.json") for one in find_values(line)] == []


@pytest.mark.parametrize(
    "piece", ["a", "1", "1 ", "a.", "a-", "@", "a@", "+1", "eyJ", "://", "a:b@", "sk-", "A1", "-----"]
)
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    list(find_values("1" + piece * 30_000))
    assert time.process_time() - started < 5, "30,000 of them take 0.1 s; a pattern that backtracks takes minutes"


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8", "replace").splitlines()
