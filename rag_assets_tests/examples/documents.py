"""The example documents as the product's parsers read them, and their words as golden questions are compared with."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from rag_assets.config_file import load_settings
from rag_assets.documents.connectors import open_connector
from rag_assets.documents.parsing import parse

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ExampleDocument:
    """What can be asked about one document: its visible text, and where in it a label may point."""

    text: str
    headings: frozenset[str]
    pages: frozenset[int]


@cache
def example_documents() -> dict[tuple[str, str], ExampleDocument]:
    """(source, uri) → document, of every document that the shipped configuration lists, under the uri it records."""
    settings = load_settings(ROOT / "rag_assets.yaml", {})
    found = {}
    for name, source in settings.sources.items():
        connector = open_connector(source, root=settings.root)
        for listed in connector.list():
            document = parse(connector.load(listed.uri).data, listed.uri)
            found[name, listed.uri] = ExampleDocument(
                text="\n".join(document.text[block.start : block.end] for block in document.blocks),
                headings=frozenset(heading for block in document.blocks for heading in block.heading_path),
                pages=frozenset(block.page for block in document.blocks if block.page is not None),
            )
    return found


@lru_cache(maxsize=4096)
def normalized(text: str) -> str:
    """Lower case, without ASCII punctuation, articles and spare white space, as SQuAD's evaluation compares answers."""
    plain = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", plain).split())


def contains(text: str, answer: str) -> bool:
    """Whether the words of `answer` stand in `text`, whole and in this order, both normalised."""
    return f" {normalized(answer)} " in f" {normalized(text)} "


def runs(text: str, length: int) -> frozenset[tuple[str, ...]]:
    """Every `length` successive words of `text`, in lower case."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(tuple(words[at : at + length]) for at in range(len(words) - length + 1))
