"""Markdown documents out of a seed: any number of them, of a given length, each its own words.

    python -m bench.documents FOLDER [--count 10000] [--paragraphs 8]

Words are drawn from a vocabulary of 8,000 by Zipf's law, so that equal paragraphs do not occur and full text search has
common and rare words. A document is a title and sections of three paragraphs of 40 to 80 words, each under a heading.
`paragraphs` 8 make four or so chunks of at most 240 tokens of the default model, 2 make one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SEED = 20261128
VOCABULARY = 8_000
PER_FOLDER = 1_000
ZIPF_OFFSET = 2.7  # Mandelbrot's, of English


def vocabulary() -> list[str]:
    """English words of three letters and more, frequent ones first: those that are one token of the default model."""
    from rag_assets.models.embedded.weights import locate_weights, read_tokenizer_file

    ids: dict[str, int] = json.loads(read_tokenizer_file(locate_weights()))["model"]["vocab"]
    known = [word for word in sorted(ids, key=ids.__getitem__) if word.isascii() and word.isalpha() and len(word) > 2]
    return known[:VOCABULARY]


def write_documents(folder: Path, count: int, *, paragraphs: int = 8, first: int = 0) -> list[Path]:
    """Writes documents number `first` to `first + count - 1`; the same number is the same document in any call."""
    written: list[Path] = []
    for number, text in documents(count, paragraphs=paragraphs, first=first):
        file = folder / f"{number // PER_FOLDER:03}" / f"{number:06}.md"
        if number % PER_FOLDER == 0 or not written:
            file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        written.append(file)
    return written


def documents(count: int, *, paragraphs: int = 8, first: int = 0) -> Iterator[tuple[int, str]]:
    """Numbers and texts."""
    words = np.array(vocabulary(), object)
    weights = 1 / (np.arange(VOCABULARY) + ZIPF_OFFSET)
    cumulative = np.cumsum(weights / weights.sum())
    for number in range(first, first + count):
        rng = np.random.default_rng([SEED, number])
        lengths = rng.integers(40, 80, paragraphs)
        drawn = words[np.searchsorted(cumulative, rng.random(int(lengths.sum()) + 8)).clip(0, VOCABULARY - 1)]
        parts, at = [f"# Document {number}: {' '.join(drawn[-8:-4])}\n"], 0
        for paragraph, length in enumerate(lengths):
            if paragraph % 3 == 0:
                parts.append(f"## Section {paragraph // 3}: {drawn[-4]} {drawn[-3 + paragraph % 3]}\n")
            parts.append(sentences(list(drawn[at : at + length])))
            at += length
        yield number, "\n".join(parts)


def sentences(words: list[str]) -> str:
    """Words as sentences of twelve, on one line that ends."""
    pieces = [words[at : at + 12] for at in range(0, len(words), 12)]
    return " ".join(" ".join(piece).capitalize() + "." for piece in pieces) + "\n"


def edit_one_paragraph(file: Path, edition: int) -> None:
    """Replaces the last paragraph by one that says which edition it is."""
    lines = file.read_text().splitlines(keepends=True)
    lines[-1] = f"Edition {edition}: this paragraph was changed. {lines[-1]}"
    file.write_text("".join(lines))


def main() -> None:
    """Writes a folder of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--paragraphs", type=int, default=8)
    wanted = parser.parse_args()
    written = write_documents(wanted.folder, wanted.count, paragraphs=wanted.paragraphs)
    print(f"{len(written):,} documents, {sum(file.stat().st_size for file in written):,} bytes")


if __name__ == "__main__":
    main()
