"""The training file: what stands in it, from what, and that the same inputs are the same bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from rag_assets.assets import training_examples, training_file
from rag_assets.errors import TuningError
from rag_assets.evaluation.question_table import sync_questions
from rag_assets.evaluation.questions import make_question
from rag_assets.models.embedded.prompt_format import parse_prompt
from rag_assets.models.embedded.reader.tuning import example_from_messages
from rag_assets.resources.project import ProjectResource
from rag_assets.tuning.conversations import CANNOT_CLOSED, CANNOT_WRITE
from rag_assets.tuning.evidence import NO_PASSAGE, NOT_FOUND, NOT_THERE, QUOTE_GONE
from rag_assets.tuning.examples import read_examples, sync_examples
from rag_assets.tuning.gates.reading import content_digest
from rag_assets.tuning.held_out import HELD_OUT
from rag_assets.tuning.making import TrainingFileResult, make_training_file
from rag_assets.tuning.training_file import SPLITS, TrainingFile, newest_training_file
from rag_assets_tests.cli.command import rag_assets
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest

DRINKS = {
    "tea": "Green tea is steeped at 80 degrees. It goes bitter in boiling water.",
    "coffee": "Coffee is brewed at 93 degrees. Grind the beans just before.",
    "cocoa": "Cocoa is stirred into cold milk first. Then it is heated slowly.",
    "cider": "Cider ferments at 15 degrees. It rests for six weeks.",
    "punch": "Punch must not boil. Serve it at 70 degrees.",
    "mead": "Mead is made of honey. It ripens for a year in oak.",
}
FAQ: list[dict[str, Any]] = [
    {"question": "How hot is the water for green tea?", "accepted": ["80 degrees"], "expected_uris": ["bar/tea.md"]},
    {"question": "How long does cider rest?", "answer": "Six weeks.", "quotes": ["It rests for six weeks."]},
    {"question": "What is mead made of?", "answer": "It is made of honey.", "expected_uris": ["mead.md"]},
    {"question": "Who owns the bar?", "answerable": False},
    {"question": "How is wine kept?", "accepted": ["lying"], "expected_uris": ["wine.md"]},
    {"question": "How is cocoa made?", "accepted": ["in a pot"], "expected_uris": ["cocoa.md"]},
    {"question": "What is in punch?", "accepted": ["seven secret spices"]},
    {"question": "Does punch boil?", "quotes": ["Punch may boil."]},
]
GENERATIVE = """
models:
  providers: {gateway: {base_url: "http://127.0.0.1:9/v1", api_key_env: null}}
  chat: {provider: gateway, model: writer}
"""


def configure(project: SmallProject, extra: str = "", **sets: str) -> None:
    listed = ", ".join(f"{name}: {settings}" for name, settings in sets.items())
    project.configure(f"{extra.strip()}\nexamples: {{{listed}}}\ntuning: {{passages: 3}}", bar="")


def write(project: SmallProject, name: str, rows: Sequence[Any]) -> None:
    project.write(name, "".join(f"{json.dumps(row)}\n" for row in rows))


def made(project: SmallProject) -> TrainingFileResult:
    """The file of what the sets hold now."""
    with project.open() as opened:
        for name in opened.settings.examples:
            sync_examples(opened.store.training_examples(name), read_examples(opened, name))
        return make_training_file(opened)


def by_question(file: TrainingFile) -> dict[str, tuple[dict[str, Any], list[dict[str, str]]]]:
    """Prompt → where its line is from, and the messages of the line."""
    lines = [line["messages"] for split in SPLITS for line in file.lines(split)]
    origins = list(file.origins())
    return {origin["prompt"]: (origin, messages) for origin, messages in zip(origins, lines, strict=True)}


def rate_good(project: SmallProject, question: str, answer: str) -> None:
    """Records an answer that quotes the whole of itself from coffee.md, and that somebody holds it good."""
    quote = answer.partition(" [")[0]
    with project.open() as opened:
        answer_id = opened.ledger.record_answer(
            release_id=opened.release().release_id,
            question=question,
            answer=answer,
            answerable=True,
            citations=[{"n": 1, "uri": "coffee.md", "source": "bar", "quote": quote, "quotes": [quote]}],
            model="m",
            usage={},
            cost_usd=0.0,
            latency_ms=1.0,
        )
        opened.ledger.record_rating(answer_id, "good", by="ann")


@pytest.fixture
def bar(small_project: SmallProject) -> SmallProject:
    """A released source of six documents and one set of questions."""
    configure(small_project, faq="{files: [faq.jsonl]}")
    for name, text in DRINKS.items():
        small_project.write(f"bar/{name}.md", f"# {name.title()}\n\n{text}\n")
    write(small_project, "faq.jsonl", FAQ)
    assert all(run.succeeded for run in ingest(small_project).runs)
    return small_project


def test_every_line_is_what_the_reader_is_asked_and_quotes_its_passage(bar: SmallProject) -> None:
    first = made(bar)
    lines = by_question(first.file)
    answers = {prompt: messages[-1]["content"] for prompt, (_, messages) in lines.items()}
    refusal = "The documents do not answer this question."
    assert answers.pop("Who owns the bar?") == refusal
    assert {prompt: answer[: answer.index(" [")] for prompt, answer in answers.items()} == {
        "How hot is the water for green tea?": "Green tea is steeped at 80 degrees.",
        "How long does cider rest?": "It rests for six weeks.",
        "What is mead made of?": "Mead is made of honey.",
    }
    for origin, messages in lines.values():
        learnt = example_from_messages(messages)
        passages = parse_prompt(messages[1]["content"]).passages
        assert [passage.n for passage in passages] == [1, 2, 3]
        assert all(passage.score is not None for passage in passages)
        right = {n for n, chunk in enumerate(origin["chunks"], start=1) if chunk["right"]}
        assert right == {n for n, _ in learnt.quotes}, "the marks name the right passage, wherever the order put it"
    assert lines["Who owns the bar?"][0]["origin"] == "faq.jsonl:4"
    reasons = {one["origin"]: one["reason"] for one in first.manifest["left_out"]}
    assert reasons == {
        "faq.jsonl:5": NOT_THERE,
        "faq.jsonl:6": NO_PASSAGE,
        "faq.jsonl:7": NOT_FOUND,
        "faq.jsonl:8": QUOTE_GONE,
    }
    assert content_digest(first.file) == first.file.file_id

    # The same inputs: nothing is asked of a model, nothing is written.
    asked, stamp = bar.embedded_texts(), first.file.path("train").stat().st_mtime_ns
    again = made(bar)
    assert (again.new, again.file, bar.embedded_texts()) == (False, first.file, asked)
    # Other lines, other files, another name of the set: other inputs, the same bytes, the same file.
    write(bar, "b.jsonl", FAQ[:2])
    write(bar, "faq.jsonl", [*FAQ[:1:-1], {"question": "HOW HOT is the water for green  tea?", "answer": "Warm."}])
    configure(bar, more="{files: [faq.jsonl]}", a_first="{files: [b.jsonl]}")
    moved = made(bar)
    assert (moved.new, moved.file.file_id, moved.manifest["joined"]) == (False, first.file.file_id, 1)
    assert first.file.path("train").stat().st_mtime_ns == stamp
    # A seed gives another order, and so another file.
    bar.configure("examples: {faq: {files: [faq.jsonl]}}\ntuning: {passages: 3, seed: 1}", bar="")
    write(bar, "faq.jsonl", FAQ)
    other = made(bar)
    assert other.file.file_id != first.file.file_id
    before, after = (
        {one["prompt"]: [chunk["chunk_id"] for chunk in one["chunks"]] for one in file.origins()}
        for file in (first.file, other.file)
    )
    assert {prompt: set(chunks) for prompt, chunks in before.items()} == {p: set(c) for p, c in after.items()}
    assert before != after
    with first.file.path("train").open("a") as file:
        file.write("\n")
    configure(bar, faq="{files: [faq.jsonl]}")
    with pytest.raises(TuningError, match="changed on disk"):
        made(bar)


def test_what_is_revoked_or_for_some_is_not_trained_on(bar: SmallProject) -> None:
    with bar.open() as project:
        documents = project.store.raw_documents("bar").rows(["document_id", "uri"]).to_pylist()
        tea = [(row["document_id"], row["uri"]) for row in documents if row["uri"] == "tea.md"]
        project.ledger.deny_documents("bar", tea, reason="test")
    result = made(bar)
    assert {one["origin"] for one in result.manifest["left_out"] if one["reason"] == NOT_THERE} == {
        "faq.jsonl:1",
        "faq.jsonl:5",
    }
    assert "tea.md" not in {chunk["uri"] for origin in result.file.origins() for chunk in origin["chunks"]}
    bar.configure("examples: {faq: {files: [faq.jsonl]}}", bar="allowed_groups: [staff]")
    with pytest.raises(TuningError, match="None of the 8 examples can be trained on"):
        made(bar)
    rated = f"{GENERATIVE}examples: {{rated: {{kind: ratings, closed_book: true}}}}"
    rate_good(bar, "How hot is coffee?", "Coffee is brewed at 93 degrees. [1]")
    bar.configure(rated, bar="")
    ((_, messages),) = by_question(made(bar).file).values()
    assert messages[-1]["content"] == "Coffee is brewed at 93 degrees."
    with bar.open() as project:  # somebody asked what models are judged by
        judges = make_question("c", "HOW hot is the coffee", answers=["93 degrees"])
        sync_questions(project.store.golden_questions(), [replace(judges, split="gate")])
    with pytest.raises(TuningError, match=f"None of the 1 examples can be trained on: 1: {HELD_OUT}"):
        made(bar)
    with bar.open() as project:
        sync_questions(project.store.golden_questions(), [replace(judges, split="train")])
    bar.configure(rated, bar="allowed_groups: [staff]")
    with pytest.raises(TuningError, match=f"None of the 1 examples can be trained on: 1: {NOT_THERE}"):
        made(bar)


def test_a_model_that_writes_learns_answers_with_marks_posts_and_chats(bar: SmallProject) -> None:
    chat = [
        {"role": "user", "content": "Which honey drink is there?"},
        {"role": "assistant", "content": "Mead."},
        {"role": "user", "content": "How long does mead ripen?"},
        {"role": "assistant", "content": "A year. [1]"},
    ]
    write(bar, "chat.jsonl", [{"messages": chat}])
    write(bar, "closed.jsonl", [{"question": "Who pours?", "answer": "Ann."}])
    bar.write("posts/a.md", "# Winter drinks\n\nPunch is hot.\n")
    sets = {
        "faq": "{files: [faq.jsonl]}",
        "chat": "{kind: chat, files: [chat.jsonl]}",
        "closed": "{files: [closed.jsonl], closed_book: true}",
        "posts": "{kind: posts, files: ['posts/*'], style: warm}",
    }
    configure(bar, **sets)
    reader = made(bar)
    assert [reader.manifest["reasons"].get(reason) for reason in (CANNOT_CLOSED, CANNOT_WRITE)] == [1, 2]

    configure(bar, GENERATIVE, **sets)
    result = made(bar)
    lines = by_question(result.file)
    number = next(
        n for n, chunk in enumerate(lines["What is mead made of?"][0]["chunks"], start=1) if chunk["uri"] == "mead.md"
    )
    assert lines["What is mead made of?"][1][-1]["content"] == f"It is made of honey. [{number}]"
    assert "score=" not in lines["What is mead made of?"][1][1]["content"]
    assert "Green tea is steeped at 80 degrees. [" in lines["How hot is the water for green tea?"][1][-1]["content"]
    assert [message["content"] for message in lines["Who pours?"][1]] == ["Who pours?", "Ann."]
    system, asked, answer = lines["Winter drinks"][1]
    assert 'in the style "warm"' in system["content"]
    assert parse_prompt(asked["content"]).question == "Winter drinks"
    assert answer["content"] == "Punch is hot."
    messages = lines["How long does mead ripen?"][1]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert "Mead is made of honey" in messages[3]["content"]
    assert messages[-1] == chat[-1]


def test_the_asset_judges_what_it_made_and_says_so(bar: SmallProject) -> None:
    more = [{"question": f"What of {name}?", "quotes": [text.partition(".")[0]]} for name, text in DRINKS.items()]
    write(bar, "faq.jsonl", [*FAQ, *more])
    bar.instance.add_dynamic_partitions("example_sets", ["faq"])
    resources: dict[str, Any] = {"project": ProjectResource()}
    dg.materialize([training_examples], instance=bar.instance, partition_key="faq", resources=resources)
    result = dg.materialize([training_file], instance=bar.instance, resources=resources)
    made_now = result.get_asset_materialization_events()[0].materialization
    metadata: dict[str, Any] = {key: value.value for key, value in made_now.metadata.items()}
    with bar.open() as project:
        file = newest_training_file(project.ledger, project.settings.data_path)
        kept = sorted(path.name for path in (project.settings.data_path / "training_files").iterdir())
    assert metadata["training_file"] == file.file_id
    assert (made_now.tags or {})["dagster/data_version"] == file.file_id
    assert metadata["examples_train"] + metadata["examples_validation"] == 10
    assert metadata["examples_left_out"] == 4
    assert str(metadata["gate_training_leakage"]).startswith("passed")
    assert str(metadata["gate_training_counts"]).startswith("failed"), "ten are too few once some validate"
    assert NO_PASSAGE in metadata["why_left_out"]
    assert kept == [".inputs", file.file_id], "nothing half-written is left"
    assert Path(metadata["path"]) == file.folder

    # Every line leads back to its example, also after that moved, changed or went.
    write(bar, "faq.jsonl", [*more, {**FAQ[0], "answer": "At 80."}, FAQ[2]])
    dg.materialize([training_examples], instance=bar.instance, partition_key="faq", resources=resources)
    shown = rag_assets(bar.root, "lineage", file.file_id, "--json").json
    traced = {line["prompt"]: (line["origin"], line["origin_now"], line["state"]) for line in shown["lines"]}
    assert (shown["kind"], len(traced)) == ("training_file", 10)
    assert traced["How hot is the water for green tea?"] == ("faq.jsonl:1", "faq.jsonl:7", "changed")
    assert traced["What is mead made of?"] == ("faq.jsonl:3", "faq.jsonl:8", "unchanged")
    assert traced["Who owns the bar?"] == ("faq.jsonl:4", None, "gone")
    said = rag_assets(bar.root, "lineage", file.file_id).out
    assert "from faq  faq.jsonl:3, now faq.jsonl:8  (unchanged)" in said
    assert "of bar/mead.md" in said
