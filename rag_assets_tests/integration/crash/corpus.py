"""A small corpus that is made and edited from a seed: shared paragraphs, whole duplicates, empty files.

Each source has documents that no edit touches, whose chunks any search for `ANCHOR` finds.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = ("atlas", "bulletin")
DOCUMENTS = 8
"""Of each source at first. Edits keep it between this and twice as many, so that no source is ever held."""
ANCHOR = "the lighthouse keeper writes down the tide"
QUESTIONS = "questions.jsonl"
"""Beside the configuration: one question, whose answer no edit touches. Asked where the configuration names it."""
WORDS = (
    "amber", "basin", "candle", "delta", "ember", "ferry", "garnet", "harbour", "inlet", "juniper", "kelp", "lantern",
    "meadow", "nectar", "orchard", "pebble", "quarry", "ripple", "saffron", "timber", "umber", "valley", "willow",
    "yarrow", "zephyr", "anchor", "beacon", "cedar", "drift", "estuary",
)  # fmt: skip
SHARED = (
    "Every page of this library ends with the same words about copyright and opening hours.",
    "Boats may moor at the eastern quay between the two high waters of a day.",
)


@dataclass
class Corpus:
    """The folders of `sources` in `root`; `rng` decides everything that is written."""

    root: Path
    rng: random.Random
    sources: tuple[str, ...] = SOURCES
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    _gone: dict[str, str] = field(default_factory=dict)

    @property
    def config_file(self) -> Path:
        return self.root / "rag_assets.yaml"

    def create(self, settings: str = "") -> None:
        """Writes the configuration and the first documents."""
        for source in self.sources:
            self.texts[source] = {}
            self._write(source, "anchor.md", f"# Anchor of {source}\n\nEvery night {ANCHOR} in {source}.\n")
            self._write(source, "empty.md", "")
            for number in range(DOCUMENTS):
                self._write(source, f"page-{number}.md", self._document())
        self._write_questions()
        self._write(self.sources[-1], "copy.md", self.texts[self.sources[0]]["page-0.md"])
        self.configure(settings)

    def configure(self, settings: str = "") -> None:
        sources = "".join(f"  {name}:\n    path: {name}\n" for name in self.sources)
        self.config_file.write_text(f"{settings}\nsources:\n{sources}", "utf-8")

    def write_again(self, configuration: str) -> None:
        """Writes `texts`, which another corpus made, with its configuration."""
        for source, texts in self.texts.items():
            for uri, text in dict(texts).items():
                self._write(source, uri, text)
        self.config_file.write_text(configuration, "utf-8")
        self._write_questions()

    def edit(self) -> None:
        """In every source one document goes, comes or comes back, and two change, one of them in one paragraph."""
        for source in self.sources:
            pages = sorted(uri for uri in self.texts[source] if uri.startswith("page-"))
            if len(pages) < DOCUMENTS or (len(pages) < 2 * DOCUMENTS and self.rng.random() < 0.5):
                uri, text = self._gone.popitem() if self._gone else (f"page-{self.rng.randrange(10**9)}.md", "")
                self._write(source, uri, text or self._document())
            else:
                self._remove(source, pages.pop(self.rng.randrange(len(pages))))
            rewritten, mended = self.rng.sample(pages, 2)
            self._write(source, rewritten, self._document())
            head, _, _ = self.texts[source][mended].rpartition("\n\n")
            self._write(source, mended, f"{head}\n\n{self._paragraph()}\n")
        if self.rng.random() < 0.3:
            self._write(self.sources[-1], "copy.md", self.rng.choice(sorted(self.texts[self.sources[0]].values())))

    def _write_questions(self) -> None:
        question = {"id": "tide", "question": "What does the lighthouse keeper write down?", "answers": ["tide"]}
        expected = {"expected_uris": [f"{self.sources[0]}/anchor.md"]}
        (self.root / QUESTIONS).write_text(json.dumps(question | expected) + "\n", "utf-8")

    def _document(self) -> str:
        sections = [f"# {' '.join(self.rng.sample(WORDS, 3))}", self._paragraph()]
        for _ in range(self.rng.randint(1, 3)):
            sections += [f"## {' '.join(self.rng.sample(WORDS, 2))}", self._paragraph(), self.rng.choice(SHARED)]
        return "\n\n".join(sections) + "\n"

    def _paragraph(self) -> str:
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(12, 40))) + "."

    def _write(self, source: str, uri: str, text: str) -> None:
        self.texts[source][uri] = text
        path = self.root / source / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def _remove(self, source: str, uri: str) -> None:
        self._gone[uri] = self.texts[source].pop(uri)
        (self.root / source / uri).unlink()
