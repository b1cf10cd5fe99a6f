"""How well the whole product answers: files in, Dagster's jobs, a release, and every question of XQuAD asked.

    python -m bench.answers [--json]

Each paragraph is a Markdown file with its article's title in the front matter. The files are ingested and released by
the jobs that `rag-assets ingest` runs, with default settings, and each of the 1,190 questions goes through the answer
pipeline of the serving release. Measured over all of them, a refusal counting as a miss:

- quote: the first quote of the answer (at most 40 words) contains a gold answer, word for word;
- sentence: the whole sentence that this quote stands in does;
- any quote: one of the at most five quotes does;
- refusal: every question is asked again without its paragraph: by the parity of its id's hash either only the gold
  paragraph is revoked or its whole article. A positive is "not answerable"; true where the paragraph was revoked.

Halves as in `bench/reader.py`, which trained the reader's weights: articles by the parity of the SHA-256 of their
title; even is the half the weights saw, odd the one they did not. Intervals are 95 %, over questions.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np

from bench.corpora import corpus_folder
from bench.reader import parity
from rag_assets.answering import Answer, AnswerPipeline
from rag_assets.assets import sync_partitions
from rag_assets.automation.runs import Jobs, refresh
from rag_assets.fingerprints import document_id
from rag_assets.ledger import Denied, new_answer_id
from rag_assets.models.embedded.reader.sentences import units
from rag_assets.project import Project

SOURCE = "xquad"


@dataclass(frozen=True)
class Asked:
    """A question with its gold answers, its document and all documents of its article."""

    id: str
    question: str
    answers: tuple[str, ...]
    article: str
    document: str
    article_documents: frozenset[str]

    @property
    def unseen(self) -> bool:
        return parity(self.article) == 1


@dataclass(frozen=True)
class Outcome:
    """What the product said to one question, with its paragraph there and with it revoked."""

    asked: Asked
    quote: str
    sentence: str
    quotes: tuple[str, ...]
    refused: bool
    refused_without: bool


def write_files(folder: Path) -> list[Asked]:
    """One file per paragraph below `folder`; returns the questions."""
    questions = []
    for article in json.loads((corpus_folder("xquad") / "xquad.en.json").read_text("utf-8"))["data"]:
        title = article["title"].replace("_", " ")
        slug = re.sub(r"\W+", "-", article["title"]).strip("-").lower()
        uris = [f"{slug}/{number:02}.md" for number in range(len(article["paragraphs"]))]
        documents = frozenset(document_id(SOURCE, uri) for uri in uris)
        for uri, paragraph in zip(uris, article["paragraphs"], strict=True):
            path = folder / uri
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"---\ntitle: {json.dumps(title)}\n---\n\n{paragraph['context']}\n", "utf-8")
            for each in paragraph["qas"]:
                answers = tuple(answer["text"] for answer in each["answers"])
                own = document_id(SOURCE, uri)
                questions.append(Asked(each["id"], each["question"], answers, article["title"], own, documents))
    return questions


def ingest(project: Project) -> float:
    """Runs the product's jobs; returns the seconds they took."""
    from rag_assets.definitions import defs

    jobs = Jobs(defs.resolve_job_def("ingest_source"), defs.resolve_job_def("release_index"))
    start = time.perf_counter()
    with dg.DagsterInstance.ephemeral() as instance:
        sync_partitions(instance, project)
        outcome = refresh(instance, jobs, project.source_names)
    failed = [run.error for run in outcome.runs if not run.succeeded]
    assert not failed, failed
    return time.perf_counter() - start


def ask_all(project: Project, questions: Sequence[Asked]) -> list[Outcome]:
    """Asks every question twice: as it is, and with its paragraph revoked."""
    texts: dict[str, str] = {}
    outcomes = []
    with project.pipeline() as pipeline:
        for each in questions:
            answer = pipeline.ask(each.question, answer_id=new_answer_id())
            gone = frozenset([each.document]) if parity(each.id) else each.article_documents
            without = revoked(pipeline, gone).ask(each.question, answer_id=new_answer_id())
            quotes = tuple(citation.quote for citation in answer.citations)
            first = quotes[0] if quotes else ""
            sentence = whole_sentence(project, answer, texts) if quotes else ""
            outcomes.append(Outcome(each, first, sentence, quotes, not answer.answerable, not without.answerable))
    return outcomes


def revoked(pipeline: AnswerPipeline, documents: frozenset[str]) -> AnswerPipeline:
    """The same pipeline with `documents` on the deny-list."""
    retriever = replace(pipeline.retriever, denied=lambda: Denied(documents, frozenset()))
    return replace(pipeline, retriever=retriever)


def whole_sentence(project: Project, answer: Answer, texts: dict[str, str]) -> str:
    """The unit of the document's text that the first quote stands in."""
    citation = answer.citations[0]
    if not texts:
        rows = project.store.raw_documents(SOURCE).rows(["uri", "text"]).to_pylist()
        texts.update({row["uri"]: row["text"] for row in rows})
    text = texts[citation.uri]
    start = text.find(citation.quote)
    inside = [unit for unit in units(text) if unit.start <= start < unit.end]
    return text[inside[0].start : inside[0].end] if inside and start >= 0 else citation.quote


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The measures over some outcomes; shares, with the half-width of their 95 % interval."""

    def holds(text: str, each: Outcome) -> bool:
        return any(answer in text for answer in each.asked.answers)

    hits = {
        "quote": [holds(each.quote, each) for each in outcomes],
        "sentence": [holds(each.sentence, each) for each in outcomes],
        "any quote": [any(holds(quote, each) for quote in each.quotes) for each in outcomes],
    }
    false, true = sum(each.refused for each in outcomes), sum(each.refused_without for each in outcomes)
    return {
        "n": len(outcomes),
        **{name: [float(np.mean(row)), float(1.96 * np.std(row) / len(row) ** 0.5)] for name, row in hits.items()},
        "quote median words": float(np.median([len(each.quote.split()) for each in outcomes if each.quote])),
        "sentence median words": float(np.median([len(each.sentence.split()) for each in outcomes if each.sentence])),
        "refusal precision": true / max(true + false, 1),
        "refusal recall": true / len(outcomes),
        "refused though answerable": false / len(outcomes),
    }


def main() -> None:
    """Ingests, asks and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        questions = write_files(root / SOURCE)
        config = root / "rag_assets.yaml"
        config.write_text(f"sources:\n  {SOURCE}: {{path: {SOURCE}}}\n", "utf-8")
        os.environ["RAG_ASSETS_CONFIG"] = str(config)
        with Project.open(config) as project:
            ingest_seconds = ingest(project)
            start = time.perf_counter()
            outcomes = ask_all(project, questions)
            milliseconds = (time.perf_counter() - start) / (2 * len(questions)) * 1_000
    result = {
        "unseen half": figures([each for each in outcomes if each.asked.unseen]),
        "seen half": figures([each for each in outcomes if not each.asked.unseen]),
        "all": figures(outcomes),
        "ingest seconds": ingest_seconds,
        "milliseconds per question": milliseconds,
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, block in result.items():
        if isinstance(block, dict):
            print(f"{name} (n = {block['n']})")
            for key, value in block.items():
                shown = f"{value[0]:.3f} ± {value[1]:.3f}" if isinstance(value, list) else f"{value:.3f}"
                print(f"  {key}: {shown}" if key != "n" else "", end="\n" if key != "n" else "")
        else:
            print(f"{name}: {block:.1f}")


if __name__ == "__main__":
    main()
