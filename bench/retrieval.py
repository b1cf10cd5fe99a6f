"""How well search finds: MRR@10, recall@5 and nDCG@10 on two labelled collections, through the product's own path.

    python -m bench.retrieval [--corpus xquad|cranfield|all] [--precision int8|fp32] [--ablation] [--rerank] [--json]

Documents are parsed, chunked, embedded and written to a LanceDB table by `rag_assets`, and every question goes through
`rag_assets.store.search` with the default settings, changed only in `mode` and `fusion` (with `--ablation` also in one
weight, with `--rerank` also in the reranker). A document ranks by its best chunk. XQuAD: each paragraph is a document
without a title. Cranfield: each abstract is a document with its title, which the abstract's own text repeats at its
start and which is taken off there; a relevance code above 0 is relevant; query n is the n-th in the file.

Halves: by the parity of the SHA-256 of the article's title (XQuAD) or the query's number (Cranfield); even is for
tuning, odd is held out. Every question counts, one without a hit as 0. Intervals are 95 % percentile intervals of
2,000 bootstrap samples of articles or queries (questions about one article are not independent).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.corpora import corpus_folder
from rag_assets.answering import make_reranker
from rag_assets.chunking import chunk_document
from rag_assets.config import ChunkingSettings, EmbeddingSettings, ModelSettings, RetrievalSettings
from rag_assets.documents.parsing import parse
from rag_assets.fingerprints import chunk_id, document_id, sha256_hex
from rag_assets.models.embedder import Embedder
from rag_assets.store import Reranker, Store, search

METHODS: dict[str, dict[str, Any]] = {
    "vector": {"mode": "vector"},
    "full text": {"mode": "text"},
    "hybrid, reciprocal ranks": {"mode": "hybrid", "fusion": "rrf"},
    "hybrid, convex (default)": {"mode": "hybrid", "fusion": "convex"},
}
ABLATION: dict[str, dict[str, Any]] = {
    "convex without title": {"title_weight": 0.0},
    "convex without phrases": {"phrase_weight": 0.0},
    "convex without feedback": {"feedback_weight": 0.0},
    "convex of cosine and BM25 alone": {"title_weight": 0.0, "phrase_weight": 0.0, "feedback_weight": 0.0},
}
RERANKING: dict[str, dict[str, Any]] = {
    "default + late interaction": {"reranker": "late_interaction"},
    "default + late interaction, always 10": {"reranker": "late_interaction", "rerank_margin": 1.0},
}
METRICS = ("mrr@10", "recall@5", "ndcg@10")
RANKS = 10
CHUNKS_ASKED = 50
SAMPLES = 2_000


@dataclass(frozen=True)
class Question:
    """A question, the article or query it is sampled with, and the names of its relevant documents."""

    text: str
    group: str
    relevant: frozenset[str]

    @property
    def tuning(self) -> bool:
        return hashlib.sha256(self.group.encode()).digest()[-1] % 2 == 0


@dataclass(frozen=True)
class Corpus:
    """Documents by name, each a title and a text; and the questions about them."""

    name: str
    documents: dict[str, tuple[str, str]]
    questions: list[Question]


def xquad(folder: Path) -> Corpus:
    """The English part of XQuAD (SQuAD format)."""
    documents, questions = {}, []
    for article in json.loads((folder / "xquad" / "xquad.en.json").read_text("utf-8"))["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            name = f"{article['title']}/{number}"
            documents[name] = ("", paragraph["context"])
            questions += [Question(q["question"], article["title"], frozenset([name])) for q in paragraph["qas"]]
    return Corpus("xquad", documents, questions)


def cranfield(folder: Path) -> Corpus:
    """The Cranfield collection (TREC format)."""
    raw = (folder / "cranfield" / "cran.all.1400.xml").read_text("utf-8")
    documents = {}
    for found in re.finditer(r"<docno>(.*?)</docno>\s*<title>(.*?)</title>.*?<text>(.*?)</text>", raw, re.DOTALL):
        name, title, text = (part.strip() for part in found.groups())
        documents[name] = (" ".join(title.split()).rstrip(" ."), text.removeprefix(title).strip())
    relevant: dict[int, set[str]] = {}
    for line in (folder / "cranfield" / "cranqrel.trec.txt").read_text("utf-8").splitlines():
        query, _, name, code = line.split()
        if int(code) > 0:
            relevant.setdefault(int(query), set()).add(name)
    queries = (folder / "cranfield" / "cran.qry.xml").read_text("utf-8")
    texts = re.findall(r"<top>.*?<title>(.*?)</title>.*?</top>", queries, re.DOTALL)
    questions = [
        Question(" ".join(text.split()), str(number), frozenset(relevant.get(number, ())))
        for number, text in enumerate(texts, start=1)
    ]
    return Corpus("cranfield", documents, questions)


CORPORA: dict[str, Callable[[Path], Corpus]] = {"xquad": xquad, "cranfield": cranfield}


def index(corpus: Corpus, embedder: Embedder, store: Store) -> Any:
    """The corpus as a searchable table of `store`."""
    rows = [
        row for name, document in corpus.documents.items() for row in chunk_rows(corpus.name, name, document, embedder)
    ]
    vectors: dict[int, np.ndarray] = {}
    for batch in embedder.embed_documents([row["body"] for row in rows]):
        assert not batch.failures, batch.failures
        vectors.update(zip(batch.indices, batch.vectors, strict=True))
    table = store.vector_index(corpus.name, embedder.space.dimension)
    for at, row in enumerate(rows):
        row["vector"] = vectors[at]
    table.apply(pa.Table.from_pylist(rows, schema=table.schema), [])
    table.ensure_indices()
    return store.open_at(table.name, table.version())


def chunk_rows(source: str, name: str, document: tuple[str, str], embedder: Embedder) -> list[dict[str, Any]]:
    """The index rows of one document, without their vectors."""
    title, text = document
    parsed = replace(parse(text.encode(), f"{name}.txt", language="en"), title=title)
    chunks = chunk_document(parsed, ChunkingSettings(), embedder.tokenizer, max_input_tokens=embedder.max_input_tokens)
    owner = document_id(source, name)
    return [
        {
            "chunk_id": chunk_id(owner, sha256_hex(chunk.text), chunk.ordinal),
            "document_id": owner,
            "source": source,
            "uri": name,
            "title": title,
            "ordinal": chunk.ordinal,
            "document_chunks": len(chunks),
            "text": chunk.text,
            "input_hash": sha256_hex(chunk.input_text),
            "token_count": chunk.token_count,
            "heading_path": list(chunk.heading_path),
            "start_offset": chunk.start,
            "end_offset": chunk.end,
            "page": chunk.page,
            "allowed_groups": [],
            "document_hash": sha256_hex(text),
            "row_hash": sha256_hex(chunk.text),
            "body": chunk.input_text,
        }
        for chunk in chunks
    ]


def rank(
    handle: Any, question: Question, vector: np.ndarray, settings: RetrievalSettings, reranker: Reranker | None
) -> list[str]:
    """The names of the documents found, each once, at the place of its best chunk."""
    hits = search(handle, query=question.text, vector=vector, settings=settings, reranker=reranker)
    return list(dict.fromkeys(hit.uri for hit in hits))[:RANKS]


def judge(names: Sequence[str], relevant: frozenset[str]) -> tuple[float, float, float]:
    """(reciprocal rank within 10, recall within 5, nDCG within 10 with gains of 0 and 1)."""
    if not relevant:
        return 0.0, 0.0, 0.0
    gains = np.array([name in relevant for name in names[:RANKS]], dtype=float)
    discounts = 1.0 / np.log2(np.arange(RANKS) + 2.0)
    first = int(gains.argmax()) + 1 if gains.any() else 0
    ideal = discounts[: min(len(relevant), RANKS)].sum()
    return (
        1.0 / first if first else 0.0,
        float(gains[:5].sum()) / len(relevant),
        float((gains * discounts[: len(gains)]).sum() / ideal),
    )


def interval(values: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    """The 95 % percentile interval of the mean, by resampling whole groups; the same for the same input."""
    _, member = np.unique(np.array(groups), return_inverse=True)
    sums, sizes = np.bincount(member, weights=values), np.bincount(member)
    picks = np.random.default_rng(0).integers(0, len(sizes), (SAMPLES, len(sizes)))
    low, high = np.percentile(sums[picks].sum(1) / sizes[picks].sum(1), [2.5, 97.5])
    return float(low), float(high)


def summary(questions: Sequence[Question], judged: np.ndarray) -> dict[str, Any]:
    """Per half and over all: n, and each metric's mean and interval."""
    tuning = np.array([question.tuning for question in questions])
    groups = np.array([question.group for question in questions])
    parts = {}
    for part, mask in (("tune", tuning), ("held out", ~tuning), ("all", tuning | ~tuning)):
        values = judged[mask]
        parts[part] = {"n": int(mask.sum())} | {
            metric: {"mean": float(values[:, at].mean()), "interval": interval(values[:, at], groups[mask])}
            for at, metric in enumerate(METRICS)
        }
    return parts


def measure(
    corpus: Corpus, embedder: Embedder, models: ModelSettings, methods: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Every method's summary and search times on one corpus."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(str(Path(folder) / "lancedb"), lock_dir=Path(folder) / "locks")
        handle = index(corpus, embedder, store)
        vectors = [embedder.embed_query(question.text) for question in corpus.questions]
        report: dict[str, Any] = {"documents": len(corpus.documents), "chunks": handle.count_rows(), "methods": {}}
        for method, change in methods.items():
            settings = RetrievalSettings(k=CHUNKS_ASKED).model_copy(update=change)
            reranker = make_reranker(settings, models.embedding)
            judged, times = [], []
            for question, vector in zip(corpus.questions, vectors, strict=True):
                start = time.perf_counter()
                names = rank(handle, question, vector, settings, reranker)
                times.append((time.perf_counter() - start) * 1_000)
                judged.append(judge(names, question.relevant))
            low, high = np.percentile(times, [50, 95])
            report["methods"][method] = summary(corpus.questions, np.array(judged)) | {
                "search_ms": {"p50": float(low), "p95": float(high)}
            }
    return report


def lines(name: str, report: dict[str, Any]) -> list[str]:
    """The report of one corpus as a Markdown table."""
    table = [
        f"{name}: {report['documents']:,} documents, {report['chunks']:,} chunks",
        "| method | part | n | MRR@10 | recall@5 | nDCG@10 | search p50 / p95 ms |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method, parts in report["methods"].items():
        spent = parts["search_ms"]
        for part in ("tune", "held out", "all"):
            cells = [
                f"{value['mean']:.4f} ({value['interval'][0]:.3f} to {value['interval'][1]:.3f})"
                for value in (parts[part][metric] for metric in METRICS)
            ]
            times = f"{spent['p50']:.1f} / {spent['p95']:.1f}" if part == "all" else ""
            table.append(f"| {method} | {part} | {parts[part]['n']:,} | {' | '.join(cells)} | {times} |")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", choices=[*CORPORA, "all"], default="all")
    parser.add_argument("--precision", choices=["int8", "fp32"], help="of the embedding model; default: the product's")
    parser.add_argument("--ablation", action="store_true", help="also the default with one part taken away at a time")
    parser.add_argument("--rerank", action="store_true", help="also with the reranker; a tenth of a second a question")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    arguments = parser.parse_args()
    names = list(CORPORA) if arguments.corpus == "all" else [arguments.corpus]
    methods = METHODS | (ABLATION if arguments.ablation else {}) | (RERANKING if arguments.rerank else {})
    models = ModelSettings(embedding=EmbeddingSettings(precision=arguments.precision))
    with Embedder(models) as embedder:
        reports = {
            name: measure(CORPORA[name](corpus_folder(name).parent), embedder, models, methods) for name in names
        }
    if arguments.json:
        print(json.dumps({"embedding_space": embedder.space.name, "corpora": reports}, indent=2))
        return
    print(f"embedding space: {embedder.space.name}")
    for name, report in reports.items():
        print("\n".join(["", *lines(name, report)]))


if __name__ == "__main__":
    main()
