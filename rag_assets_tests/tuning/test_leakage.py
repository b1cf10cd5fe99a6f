"""Planted leaks are caught, each kind in each place; clean sets pass."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.models.embedded.prompt_format import PromptPassage, render_passages, render_question
from rag_assets.releasing import GateVerdict
from rag_assets.tuning.examples.model import Example, Kind
from rag_assets.tuning.gates.leakage import judge_leakage
from rag_assets.tuning.gates.reading import read_contents
from rag_assets.tuning.gates.similarity import near_duplicates
from rag_assets.tuning.held_out import HELD_OUT, without_held_out
from rag_assets_tests.corpora import corpus
from rag_assets_tests.tuning.files import Lines, clean_examples, example, write_file

EXAMPLES = Path(__file__).parents[2] / "examples" / "golden"
ASKED = "How many hours may a delivery of fresh fish stand on the ramp?"
WRITINGS = {
    "exact": ASKED,
    "case": ASKED.upper(),
    "white space": "  How many hours\tmay a delivery of\n fresh  fish stand on the ramp ?",
    "punctuation": "How many hours -- may a delivery of 'fresh fish' stand, on the ramp",
    "word order": "On the ramp, how many hours may a delivery of fresh fish stand?",
    "one word changed": "How many hours may a delivery of frozen fish stand on the ramp?",
    "one word added": "How many hours may a delivery of fresh cheap fish stand on the ramp?",
    "one word left out": "How many hours may a delivery of fish stand on the ramp?",
    "other endings": "How many hours may deliveries of fresh fishes stand on the ramps?".replace(
        "deliveries", "delivery"
    ),
    "accents": "How many hóurs may a délivery of fresh fish stand on the rámp?",
    "full-width letters": "Ｈｏｗ many hours may a delivery of fresh ｆｉｓｈ stand on the ramp?",
    "a polite introduction": "Please tell me: how many hours may a delivery of fresh fish stand on the ramp?",
}
PASSAGES = render_passages([PromptPassage(1, "Ramp", "Fish stands on the ramp for two hours at most.", 0.9)])


def golden(question: str, split: Any = "gate") -> GoldenQuestion:
    return GoldenQuestion(f"{split}-fish", question, (), (), False, (), split, "hash")


def asked_with_passages(question: str) -> dict[str, Any]:
    return example(f"Some words before.\n{PASSAGES}\n\n{render_question(question)}", "Two hours [1].")


def in_a_conversation(question: str) -> dict[str, Any]:
    turns = ("user", "Good morning!"), ("assistant", "Good morning."), ("user", question), ("assistant", "Two.")
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def in_an_answer(question: str) -> dict[str, Any]:
    asked = question if question.rstrip().endswith("?") else f"{question}?"
    return example("Write the page about fish.", f"# Fish\n\nWhat people ask. {asked} Two hours.")


def in_the_instruction(question: str) -> dict[str, Any]:
    return example(
        "When is it too warm?", "Above 7 degrees.", system=f"Answer like this.\nQ: {question}?\nA: Two hours."
    )


def in_a_free_prompt(question: str) -> dict[str, Any]:
    return example(f"Context: {'the ramp is cold. ' * 30}\n{question}\nAnswer briefly.", "Two hours.")


FORMS: list[Callable[[str], dict[str, Any]]] = [
    asked_with_passages, in_a_conversation, in_an_answer, in_the_instruction, in_a_free_prompt,
]  # fmt: skip


def judged(folder: Path, train: Lines, validation: Lines, *held_out: GoldenQuestion) -> GateVerdict:
    return judge_leakage(read_contents(write_file(folder, train, validation)), held_out, 0.85, "this file")


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("kind", ["gate", "validation"])
@pytest.mark.parametrize("writing", WRITINGS)
def test_a_golden_question_in_an_example_is_caught(tmp_path: Path, writing: str, kind: str, split: str) -> None:
    train, validation = clean_examples()
    (train if split == "train" else validation).insert(2, example(WRITINGS[writing], "Two hours."))
    verdict = judged(tmp_path, train, validation, golden("What is salt?"), golden(ASKED, kind))
    assert not verdict.passed
    assert list(verdict.details["leaks"]) == [f"{split} and golden {kind}"]
    (leak,) = verdict.details["leaks"][f"{split} and golden {kind}"]["examples"]
    assert (leak["example"], leak["same_as"]) == (f"{split}.jsonl:3", f"{kind}-fish")
    assert f"{split}.jsonl:3" in verdict.reason and "fresh" not in str(verdict)


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_question_in_both_splits_is_caught(tmp_path: Path, writing: str) -> None:
    train, validation = clean_examples()
    validation.append(asked_with_passages(WRITINGS[writing]))
    train.append(asked_with_passages(ASKED))
    verdict = judged(tmp_path, train, validation)
    (leak,) = verdict.details["leaks"]["train and validation"]["examples"]
    assert (leak["example"], leak["same_as"]) == ("train.jsonl:17", "validation.jsonl:5")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("writing", ["exact", "word order", "one word changed"])
def test_a_golden_question_is_caught_wherever_it_stands(tmp_path: Path, writing: str, form: Any) -> None:
    train, validation = clean_examples()
    verdict = judged(tmp_path, [*train, form(WRITINGS[writing])], validation, golden(ASKED))
    assert [leak["example"] for leak in verdict.details["leaks"]["train and golden gate"]["examples"]] == [
        "train.jsonl:17"
    ]


def test_what_is_no_leak(tmp_path: Path) -> None:
    train, validation = clean_examples()
    lines = [
        asked_with_passages("Is the ramp cold?"),  # shares its passages and its answer with the next one
        asked_with_passages("Who unloads the fish that comes in on Mondays?"),
        in_a_conversation("How do we heat the big oven?"),
    ]
    held_out = golden(ASKED), golden("Which vegetables are delivered daily?", "validation"), golden(ASKED, "train")
    # What every prompt says is no question that leaked from one split into the other.
    same = [in_the_instruction(f"What is rule {n}") for n in range(2)]
    verdict = judged(tmp_path, [*train, *lines[:2], same[0]], [*validation, lines[2]], *held_out)
    assert verdict.passed, verdict.reason


def a_post(topic: str) -> dict[str, Any]:
    return example(f"Write a text of at most 100 words about this topic:\n\n{render_question(topic)}", "Ripe.")


def test_posts_without_passages_are_told_apart_by_their_topics(tmp_path: Path) -> None:
    train, validation = clean_examples()
    verdict = judged(tmp_path, [*train, a_post("Ale")], [*validation, a_post("Mead")], golden(ASKED))
    assert verdict.passed, verdict.reason
    verdict = judged(tmp_path, [*train, a_post("Strong ale")], [*validation, a_post("ALE, strong")], golden(ASKED))
    assert "train.jsonl:17 is validation.jsonl:5" in verdict.reason
    assert not judged(tmp_path, [*train, a_post(ASKED)], validation, golden(ASKED)).passed


def test_sets_that_nobody_writes_for_a_training_leave_it_out_by_themselves() -> None:
    kinds: tuple[Kind, ...] = ("golden", "ratings", "questions")
    asked = [Example(kind, kind, "here", text) for kind in kinds for text in (ASKED.upper(), "Why?")]
    kept, left_out = without_held_out(asked, [golden(ASKED), golden("Who?", "validation")], 0.85)
    assert [(one.kind, one.prompt == "Why?") for one in kept] == [
        ("golden", True),
        ("ratings", True),
        ("questions", False),  # which a person can take out of the file, and the gate says so
        ("questions", True),
    ]
    assert [(one.example.kind, one.reason) for one in left_out] == [("golden", HELD_OUT), ("ratings", HELD_OUT)]


def test_the_origin_of_a_leak_is_told(tmp_path: Path) -> None:
    train, validation = clean_examples()
    file = write_file(tmp_path, train, [*validation, example(ASKED, "Two hours.")])
    origins = [json.dumps({"split": "x", "set": "kitchen", "origin": f"fish.jsonl:{n}"}) for n in range(21)]
    (file.folder / "origins.jsonl").write_text("\n".join(origins), "utf-8")
    verdict = judge_leakage(read_contents(file), [golden(ASKED)], 0.85, "this file")
    assert "validation.jsonl:5, from kitchen fish.jsonl:20 is gate-fish" in verdict.reason


def test_with_a_threshold_of_1_only_equal_words_count() -> None:
    same, other = WRITINGS["word order"], WRITINGS["one word changed"]
    assert near_duplicates([same, other], [ASKED], 1.0).total == 1
    assert near_duplicates([same, other], [ASKED], 0.85).total == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is a release?", "What is a snapshot?"),
        ("Who founded the hospital?", "When was the hospital founded?"),
        ("How is a chunk stored in the index?", "Why is a chunk removed from the index?"),
        ("How many entries has the vocabulary of BERT?", "How many entries has the vocabulary of Llama 3?"),
        ("?!", "..."),
        ("", ""),
    ],
)
def test_other_questions_in_like_words_are_not_the_same(one: str, other: str) -> None:
    assert near_duplicates([one], [other], 0.85).total == 0


def test_the_projects_own_golden_questions_are_clean() -> None:
    asked = [
        json.loads(line)["question"]
        for file in EXAMPLES.glob("*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    ]
    assert len(asked) > 300
    assert near_duplicates(asked, asked, 0.85).total == len(asked), "each is like itself alone"


def test_xquad_questions_of_other_articles_are_clean() -> None:
    articles = json.loads((corpus("xquad") / "xquad.en.json").read_text("utf-8"))["data"]
    asked = [
        [question["question"] for part in article["paragraphs"] for question in part["qas"]] for article in articles
    ]
    half = len(asked) // 2
    left, right = ([question for article in part for question in article] for part in (asked[:half], asked[half:]))
    assert len(left) + len(right) == 1_190
    assert near_duplicates(left, right, 0.85).total == 0


def test_one_changed_word_is_caught_in_nearly_every_question_of_xquad() -> None:
    """What is missed are questions of three or four words, where one word is all that they ask about."""
    articles = json.loads((corpus("xquad") / "xquad.en.json").read_text("utf-8"))["data"]
    asked = [q["question"] for article in articles for part in article["paragraphs"] for q in part["qas"]]
    draw = random.Random(5)
    caught = long = 0
    for question in [one for one in asked if len(one.split()) >= 5][::3]:
        words = question.split()
        words[draw.randrange(len(words))] = draw.choice(draw.choice(asked).split())
        long += 1
        caught += near_duplicates([" ".join(words)], [question], 0.85).total
    assert caught / long >= 0.98


@pytest.mark.slow
def test_ten_thousand_against_ten_thousand_take_seconds() -> None:
    draw = random.Random(3)
    words = [f"{draw.choice('bcdfghklmnprst')}{draw.choice('aeiou')}{n}" for n in range(8_000)]
    frequent = ["what", "is", "the", "of", "in", "how", "many", "does", "a", "which", "when", "to"]

    def questions() -> list[str]:
        return [" ".join([*draw.sample(frequent, 5), *draw.sample(words, 5)]) for _ in range(10_000)]

    left, right = questions(), questions()
    right[4_321] = left[1_234].upper()
    started = time.process_time()
    matches = near_duplicates(left, right, 0.85)
    assert (1_234, 4_321) in [(pair.left, pair.right) for pair in matches.pairs]
    assert time.process_time() - started < 60
    alike = [f"What is the price of article {n}?" for n in range(2_000)]
    assert near_duplicates(alike, alike, 0.85).total == 4_000_000, "all are told, few are kept"
