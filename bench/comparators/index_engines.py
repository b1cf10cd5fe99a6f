"""The other sides of `bench.index`, each as a process of its own in the environment of the comparators.

    index_engines.py ENGINE ROWS QUERIES FOLDER      # prints one line of JSON

chroma        PersistentClient; the HNSW defaults that its documentation recommends (cosine, ef_construction 100,
              ef_search 100, 16 neighbours); added in its largest batches. Filter: `where` on metadata.
qdrant        local mode (`path=`), cosine, `upload_collection` in batches of 256; local mode searches exactly.
faiss-flat    IndexFlatIP, exact, in memory; written to a file.
faiss-ivf     IndexIVFFlat with 4·√n lists as its wiki says for below a million, trained on 50 vectors a list, nprobe
              32. Filter: IDSelectorBatch, the ids of the source known.
faiss-hnsw    IndexHNSWFlat, M 32, efConstruction 40 (default), efSearch 64.

FAISS keeps vectors alone: no text, no source, nothing that could be updated or pinned. Text and filters of the others
are stored with the vectors. None of them ranks by full text, so that and hybrid search are measured on our side alone.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.index_data import DIMENSION, SOURCES, Corpus, blocks, load_corpus, queries, source_of
from bench.index_measuring import ASKED, Searches, bytes_of

NPROBE = 32
Built = tuple[dict[str, float], dict[str, Callable[[str, np.ndarray], Any]]]


def chroma(corpus: Corpus, rows: int, folder: Path) -> Built:
    import chromadb

    client = chromadb.PersistentClient(str(folder), settings=chromadb.Settings(anonymized_telemetry=False))
    hnsw = {"space": "cosine", "ef_construction": 100, "ef_search": 100, "max_neighbors": 16}
    collection = client.create_collection("bench", configuration={"hnsw": hnsw}, embedding_function=None)
    most, seconds = client.get_max_batch_size(), 0.0
    for block in blocks(corpus, rows):
        ids, sources = block.ids, block.sources
        start = time.perf_counter()
        for at in range(0, len(ids), most):
            part = slice(at, at + most)
            collection.add(
                ids=ids[part],
                embeddings=block.vectors[part],
                documents=block.texts[part],
                metadatas=[{"source": name} for name in sources[part]],
            )
        seconds += time.perf_counter() - start

    def ask(vector: np.ndarray, where: dict[str, str] | None) -> list[int]:
        found = collection.query(
            query_embeddings=vector[None], n_results=ASKED, where=where, include=["documents", "distances"]
        )
        return [int(one, 16) for one in found["ids"][0]]

    one = {"source": source_of(0)}
    return {"write": seconds}, {"vector": lambda _, v: ask(v, None), "filtered": lambda _, v: ask(v, one)}


def qdrant(corpus: Corpus, rows: int, folder: Path) -> Built:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))
    size = models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
    client.create_collection("bench", vectors_config=size)
    seconds = 0.0
    for block in blocks(corpus, rows):
        payload = [{"text": t, "source": s} for t, s in zip(block.texts, block.sources, strict=True)]
        ids = list(range(block.start, block.start + len(payload)))
        start = time.perf_counter()
        client.upload_collection("bench", vectors=block.vectors, payload=payload, ids=ids, batch_size=256)
        seconds += time.perf_counter() - start

    def ask(vector: np.ndarray, where: Any) -> list[int]:
        found = client.query_points("bench", query=vector, limit=ASKED, query_filter=where, with_payload=True)
        return [int(point.id) for point in found.points]

    match = models.FieldCondition(key="source", match=models.MatchValue(value=source_of(0)))
    one = models.Filter(must=[match])
    return {"write": seconds}, {"vector": lambda _, v: ask(v, None), "filtered": lambda _, v: ask(v, one)}


def faiss(kind: str, corpus: Corpus, rows: int, folder: Path) -> Built:
    import faiss

    lists = int(4 * math.sqrt(rows))
    if kind == "faiss-flat":
        index = faiss.IndexFlatIP(DIMENSION)
    elif kind == "faiss-hnsw":
        index = faiss.IndexHNSWFlat(DIMENSION, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = 64
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIMENSION), DIMENSION, lists, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = NPROBE
    seconds = {"write": 0.0, "index": 0.0}
    if kind == "faiss-ivf":
        sample = np.concatenate([block.vectors for block in blocks(corpus, min(rows, lists * 50))])
        start = time.perf_counter()
        index.train(sample)
        seconds["index"] = time.perf_counter() - start
        del sample
    for block in blocks(corpus, rows):
        start = time.perf_counter()
        index.add(block.vectors)
        seconds["write"] += time.perf_counter() - start
    start = time.perf_counter()
    faiss.write_index(index, str(folder / "index.faiss"))
    seconds["write"] += time.perf_counter() - start
    numbers = np.arange(rows)
    own = numbers[numbers // 2 % SOURCES == 0]
    chosen = faiss.IDSelectorBatch(own)
    filters = {
        "faiss-flat": lambda: faiss.SearchParameters(sel=chosen),
        "faiss-hnsw": lambda: faiss.SearchParametersHNSW(sel=chosen, efSearch=64),
        "faiss-ivf": lambda: faiss.SearchParametersIVF(sel=chosen, nprobe=NPROBE),
    }
    with_filter = filters[kind]()

    def ask(vector: np.ndarray, params: Any) -> np.ndarray:
        return index.search(vector[None], ASKED, params=params)[1][0]

    return seconds, {"vector": lambda _, v: ask(v, None), "filtered": lambda _, v: ask(v, with_filter)}


def main() -> None:
    """Builds, searches and says what it took."""
    engine, rows, count, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    folder.mkdir(parents=True)
    corpus = load_corpus()
    made = {"chroma": chroma, "qdrant": qdrant}.get(engine)
    seconds, asks = made(corpus, rows, folder) if made else faiss(engine, corpus, rows, folder)
    searches = Searches(queries(corpus, count))
    for kind, ask in asks.items():
        searches.ask(kind, ask)
    print(json.dumps({"seconds": seconds, "disk_bytes": bytes_of(folder), **searches.to_dict()}))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
