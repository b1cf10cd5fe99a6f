"""Rows and queries for `bench.index`: mixtures around real embeddings of real chunks, the same at every run.

The real part: `REAL_CHUNKS` chunks, taken evenly from the Argo CD and FastAPI documentation and the PEPs in the folder
that RAG_ASSETS_CORPORA names, cut and embedded by the product (all-MiniLM-L6-v2 int8, 384 dimensions), once, into
`bench/results/index-real.npz`. Where the corpora are absent the real part is replaced by Gaussian clusters, which are
harder on a vector index than text is; `Corpus.kind` says which it was.

Row n of the table is drawn from a generator seeded by `SEED` and the number of its block of 8,192 rows, so that a table
of 10,000 rows is the beginning of one of 1,000,000: the unit vector of a + w·b + noise, for two real chunks a and b, w
uniform in [0, 1] and a Gaussian of length `NOISE`; its text is the beginning of a's and the end of b's. Queries come
from the same mixture with a seed of their own, so none of them is a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SEED = 20_260_711
DIMENSION = 384
REAL_CHUNKS = 6_000
BLOCK_ROWS = 8_192
NOISE = 0.25
TEXT_CHARACTERS = 600
QUERY_WORDS = 6
SOURCES = 100
CHUNKS_PER_DOCUMENT = 2
RESULTS = Path(__file__).parent / "results"
CORPORA = ("argocd_docs", "fastapi_docs", "peps")


@dataclass(frozen=True)
class Corpus:
    """What rows are mixed from: `texts[n]` belongs to the unit vector `vectors[n]`. `kind` says where it is from."""

    kind: str
    texts: list[str]
    vectors: np.ndarray


@dataclass(frozen=True)
class Block:
    """Consecutive rows of the table, the first of which is row `start`. `vectors`: rows × DIMENSION float32 units."""

    start: int
    texts: list[str]
    vectors: np.ndarray

    @property
    def ids(self) -> list[str]:
        return [f"{number:032x}" for number in range(self.start, self.start + len(self.texts))]

    @property
    def sources(self) -> list[str]:
        return [source_of(number) for number in range(self.start, self.start + len(self.texts))]


def source_of(row: int) -> str:
    """The source of a row: a hundredth of all rows each, in runs of one document."""
    return f"s{row // CHUNKS_PER_DOCUMENT % SOURCES:03}"


def blocks(corpus: Corpus, rows: int) -> Iterator[Block]:
    """The table of so many rows, block by block."""
    for start in range(0, rows, BLOCK_ROWS):
        texts, vectors = _mixed(corpus, min(BLOCK_ROWS, rows - start), [SEED, start // BLOCK_ROWS])
        yield Block(start, texts, vectors)


def queries(corpus: Corpus, count: int) -> list[tuple[str, np.ndarray]]:
    """Words and vector of so many questions."""
    texts, vectors = _mixed(corpus, count, [SEED, 2**31])
    asked = []
    for text, vector in zip(texts, vectors, strict=True):
        words = text.split()
        at = len(words) // 3
        asked.append((" ".join(words[at : at + QUERY_WORDS]) or "nothing", vector))
    return asked


def exact_neighbours(
    corpus: Corpus, rows: int, vectors: np.ndarray, k: int, *, source: str | None = None
) -> np.ndarray:
    """Row numbers of the k nearest of all rows (or of those of `source`) per query vector, nearest first."""
    best = np.full((len(vectors), k), -np.inf, np.float32)
    ids = np.zeros((len(vectors), k), np.int64)
    for block in blocks(corpus, rows):
        cosines = vectors @ block.vectors.T
        if source is not None:
            cosines[:, np.array(block.sources) != source] = -np.inf
        joined = np.concatenate([best, cosines], axis=1)
        numbers = np.arange(block.start, block.start + len(block.texts))
        names = np.concatenate([ids, np.broadcast_to(numbers, cosines.shape)], axis=1)
        top = np.argsort(-joined, axis=1)[:, :k] if len(block.texts) < k else _top(joined, k)
        best, ids = np.take_along_axis(joined, top, axis=1), np.take_along_axis(names, top, axis=1)
    return ids


def load_corpus() -> Corpus:
    """The real part, embedded at the first call and read back later."""
    cached = RESULTS / "index-real.npz"
    if not cached.exists():
        folders = [folder for name in CORPORA if (folder := _folder(name)) is not None]
        if not folders:
            return _clusters()
        RESULTS.mkdir(exist_ok=True)
        texts, vectors = _embedded(folders)
        np.savez(cached, texts=np.array(texts), vectors=vectors)
    with np.load(cached) as stored:
        return Corpus(f"mixtures around {len(stored['texts']):,} real chunks", list(stored["texts"]), stored["vectors"])


def _mixed(corpus: Corpus, count: int, seed: list[int]) -> tuple[list[str], np.ndarray]:
    numbers = np.random.default_rng(seed)
    first, second = numbers.integers(0, len(corpus.texts), (2, count))
    weight = numbers.uniform(0.0, 1.0, (count, 1)).astype(np.float32)
    noise = numbers.standard_normal((count, DIMENSION), np.float32) * np.float32(NOISE / np.sqrt(DIMENSION))
    vectors = corpus.vectors[first] + weight * corpus.vectors[second] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    half = TEXT_CHARACTERS // 2
    texts = [corpus.texts[a][:half] + " " + corpus.texts[b][-half:] for a, b in zip(first, second, strict=True)]
    return texts, vectors


def _top(scores: np.ndarray, k: int) -> np.ndarray:
    some = np.argpartition(-scores, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1)
    return np.take_along_axis(some, order, axis=1)


def _folder(name: str) -> Path | None:
    from bench.corpora import corpus_folder

    try:
        return corpus_folder(name)
    except SystemExit:
        return None


def _embedded(folders: list[Path]) -> tuple[list[str], np.ndarray]:
    from rag_assets.chunking import chunk_document
    from rag_assets.config import ChunkingSettings, ModelSettings
    from rag_assets.documents.parsing import parse
    from rag_assets.models.embedder import Embedder

    with Embedder(ModelSettings()) as embedder:
        texts: list[str] = []
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.suffix in (".md", ".rst"):
                    document = parse(path.read_bytes(), path.name, language="en")
                    chunks = chunk_document(
                        document, ChunkingSettings(), embedder.tokenizer, max_input_tokens=embedder.max_input_tokens
                    )
                    texts += [chunk.input_text for chunk in chunks]
        step = max(len(texts) // REAL_CHUNKS, 1)
        texts = texts[::step][:REAL_CHUNKS]
        vectors = np.zeros((len(texts), DIMENSION), np.float32)
        for batch in embedder.embed_documents(texts):
            vectors[batch.indices] = batch.vectors
    return texts, vectors


def _clusters() -> Corpus:
    numbers = np.random.default_rng(SEED)
    centres = numbers.standard_normal((64, DIMENSION), np.float32)
    vectors = centres[numbers.integers(0, 64, REAL_CHUNKS)]
    vectors = vectors + numbers.standard_normal(vectors.shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = np.array([f"word{number}" for number in range(20_000)])
    ranks = np.minimum(numbers.zipf(1.2, (REAL_CHUNKS, 80)) - 1, len(words) - 1)
    return Corpus("synthetic clusters", [" ".join(words[row]) for row in ranks], vectors)
