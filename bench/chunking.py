"""The chunker beside LangChain's recursive splitters, on a folder of Markdown, with the same tokenizer and limit.

    python -m bench.chunking [FOLDER] [--max-tokens 240] [--tokenizer all-MiniLM-L6-v2] [--rounds 3]

Without FOLDER it looks for `argocd_docs` in the folder that RAG_ASSETS_CORPORA names (default `../shared/corpora`).

Columns, over all documents: chunks; tokens of a chunk, heading prefix and special tokens included (median, 95th
percentile, most, and how many chunks are over the limit); blocks of code and tables that would fit a chunk, and how
many of these are whole in none, the lines of the fence included; chunks that end in a heading whose text is in the
next chunk; characters of text that are in no chunk, white space left out; and speed as chunks and megabytes per second
of processor time on one core, the best of the rounds, so with the memory of words warm for both sides. Ours is given
twice, the second time with parsing included, which LangChain does without.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.corpora import corpus_folder
from rag_assets.chunking import Tokenizer, chunk_document
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Block, Document
from rag_assets.documents.parsing import parse
from rag_assets.models.tokenizers import load_tokenizer

Splitter = Callable[[str], list[str]]
HEADER = ("splitter", "chunks", "p50", "p95", "max", "over", "cut", "orphans", "lost", "chunks/s", "MB/s")


@dataclass(frozen=True)
class Piece:
    """A chunk of either side: where it is in the document and how many tokens the model would read."""

    start: int
    end: int
    tokens: int


@dataclass(frozen=True)
class Corpus:
    """Parsed documents, with what every splitter is judged by."""

    documents: list[Document]
    fitting: list[list[Block]]
    megabytes: float


def load(folder: Path, tokenizer: Tokenizer, max_tokens: int) -> tuple[Corpus, float]:
    """The corpus, and the processor seconds that parsing it took."""
    files = [(path.name, path.read_bytes()) for path in sorted(folder.rglob("*.md"))]
    started = time.process_time()
    documents = [parse(data, name, language="en") for name, data in files]
    seconds = time.process_time() - started

    def fits(document: Document, block: Block) -> bool:
        text = document.text[block.start : block.end]
        return block.kind in ("code", "table") and tokenizer.count(text) + tokenizer.special_tokens <= max_tokens

    fitting = [[block for block in document.blocks if fits(document, block)] for document in documents]
    return Corpus(documents, fitting, sum(len(data) for _, data in files) / 1e6), seconds


def ours(corpus: Corpus, tokenizer: Tokenizer, max_tokens: int) -> list[list[Piece]]:
    settings = ChunkingSettings(max_tokens=max_tokens)
    return [
        [
            Piece(chunk.start, chunk.end, chunk.token_count)
            for chunk in chunk_document(document, settings, tokenizer, max_input_tokens=max_tokens)
        ]
        for document in corpus.documents
    ]


def theirs(corpus: Corpus, split: Splitter, tokenizer: Tokenizer) -> list[list[Piece]]:
    found = []
    for document in corpus.documents:
        pieces, at = [], 0
        for text in split(document.text):
            start = document.text.index(text, at)
            at = start + len(text)
            pieces.append(Piece(start, start + len(text), tokenizer.count(text) + tokenizer.special_tokens))
        found.append(pieces)
    return found


def langchain(tokenizer: Tokenizer, max_tokens: int) -> dict[str, Splitter]:
    """LangChain's recursive splitter: for Markdown and for plain text by tokens, and as often used, by characters."""
    from langchain_text_splitters import Language, RecursiveCharacterTextSplitter

    size = max_tokens - tokenizer.special_tokens
    markdown = RecursiveCharacterTextSplitter.from_language(
        Language.MARKDOWN, chunk_size=size, chunk_overlap=0, length_function=tokenizer.count
    )
    plain = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=0, length_function=tokenizer.count)
    characters = RecursiveCharacterTextSplitter.from_language(Language.MARKDOWN, chunk_size=1000, chunk_overlap=0)
    return {
        "langchain Markdown, tokens": markdown.split_text,
        "langchain plain, tokens": plain.split_text,
        "langchain Markdown, 1,000 characters": characters.split_text,
    }


def count_cut(corpus: Corpus, pieces: Sequence[Sequence[Piece]]) -> int:
    cut = 0
    for document, blocks, found in zip(corpus.documents, corpus.fitting, pieces, strict=True):
        for block in blocks:
            text = document.text[block.start : block.end]
            start, end = block.start + len(text) - len(text.lstrip()), block.start + len(text.rstrip())
            cut += not any(piece.start <= start and end <= piece.end for piece in found)
    return cut


def count_orphans(corpus: Corpus, pieces: Sequence[Sequence[Piece]]) -> int:
    orphans = 0
    for document, found in zip(corpus.documents, pieces, strict=True):
        followed = [block for block in document.blocks[:-1] if block.kind == "heading"]
        ends = {
            block.end: following.start for block, following in zip(document.blocks, document.blocks[1:], strict=False)
        }
        for piece in found:
            last = [block for block in followed if piece.start < block.end <= piece.end]
            orphans += bool(last) and piece.end <= ends[last[-1].end]
    return orphans


def count_lost(corpus: Corpus, pieces: Sequence[Sequence[Piece]]) -> int:
    lost = 0
    for document, found in zip(corpus.documents, pieces, strict=True):
        missing = np.zeros(len(document.text), bool)
        for block in document.blocks:
            missing[block.start : block.end] = True
        for piece in found:
            missing[piece.start : piece.end] = False
        lost += sum(not document.text[at].isspace() for at in np.flatnonzero(missing).tolist())
    return lost


def best_seconds(work: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def row(name: str, corpus: Corpus, pieces: list[list[Piece]], seconds: list[float], max_tokens: int) -> tuple[str, ...]:
    tokens = np.array([piece.tokens for found in pieces for piece in found])
    middle, high = np.percentile(tokens, [50, 95])
    fitting = sum(map(len, corpus.fitting))
    return (
        name,
        f"{len(tokens):,}",
        f"{middle:.0f}",
        f"{high:.0f}",
        f"{tokens.max()}",
        f"{(tokens > max_tokens).sum()}",
        f"{count_cut(corpus, pieces)} of {fitting:,}",
        f"{count_orphans(corpus, pieces)}",
        f"{count_lost(corpus, pieces)}",
        " / ".join(f"{len(tokens) / one:,.0f}" for one in seconds),
        " / ".join(f"{corpus.megabytes / one:.1f}" for one in seconds),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--max-tokens", type=int, default=ChunkingSettings().max_tokens)
    parser.add_argument("--tokenizer", default="all-MiniLM-L6-v2")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder = arguments.folder or corpus_folder("argocd_docs")
    if not folder.is_dir():
        sys.exit(f"{folder} is not a folder; name one that holds Markdown files.")

    limit, tokenizer = arguments.max_tokens, load_tokenizer(arguments.tokenizer)
    corpus, parsing = load(folder, tokenizer, limit)
    mine = best_seconds(lambda: ours(corpus, tokenizer, limit), arguments.rounds)
    rows = [HEADER, row("rag_assets", corpus, ours(corpus, tokenizer, limit), [mine, mine + parsing], limit)]
    for name, split in langchain(tokenizer, limit).items():

        def work(split: Splitter = split) -> object:
            return [split(document.text) for document in corpus.documents]

        pieces = theirs(corpus, split, tokenizer)
        rows.append(row(name, corpus, pieces, [best_seconds(work, arguments.rounds)], limit))
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADER))]
    for line in rows:
        print(
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )


if __name__ == "__main__":
    main()
