"""A folder of Markdown files to a LanceDB table with LlamaIndex's IngestionPipeline, docstore and cache.

    .venv-bench/bin/python bench/comparators/llamaindex_folder.py DOCUMENTS STATE

Settings, after its documentation: `SimpleDirectoryReader` with file names as ids, strategy `upserts_and_delete`, cache
and docstore persisted in a folder and loaded at the start, `SentenceSplitter` of 240 tokens without overlap, its
integration for LanceDB (with its `delete` mended, see `LanceDBStore`). The model is a hash (`hashed_vectors`) behind
its `BaseEmbedding`, in batches of 64. The splitter counts words, not tokens, for its default, tiktoken, would fetch an
encoding from the internet; 170 words are about 240 tokens.

`core_seconds` is reading, loading the state, running and persisting; imports are not in it.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import hashed_vectors
from llama_index.core import SimpleDirectoryReader
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.lancedb import LanceDBVectorStore

WORDS = 170
OPENED = {"files": 0}


class HashEmbedding(BaseEmbedding):
    """Stands where one of its embedding models stands."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [vector.tolist() for vector in hashed_vectors.embed(texts)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


class LanceDBStore(LanceDBVectorStore):
    """Its integration; its `delete` quotes the id as if it were a column, which LanceDB 0.40 refuses."""

    def delete(self, ref_doc_id: str, **kwargs: object) -> None:
        quoted = ref_doc_id.replace("'", "''")
        self.table.delete(f"{self.doc_id_key} = '{quoted}'")


def ingest(documents: Path, state: Path) -> IngestionPipeline:
    store = LanceDBStore(uri=str(state / "lancedb"), table_name="vectors")
    pipeline = IngestionPipeline(
        transformations=[
            SentenceSplitter(chunk_size=WORDS, chunk_overlap=0, tokenizer=str.split),
            HashEmbedding(embed_batch_size=64),
        ],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    )
    persisted = state / "pipeline"
    if persisted.is_dir():
        pipeline.load(str(persisted))
    loaded = SimpleDirectoryReader(
        str(documents), recursive=True, required_exts=[".md"], filename_as_id=True
    ).load_data()
    OPENED["files"] = len(loaded)
    pipeline.run(documents=loaded)
    pipeline.persist(str(persisted))
    return pipeline


logging.disable(logging.WARNING)
start = time.perf_counter()
done = ingest(Path(sys.argv[1]), Path(sys.argv[2]))
seconds = time.perf_counter() - start
print(
    json.dumps(
        {
            "core_seconds": seconds,
            "texts_embedded": hashed_vectors.Counter.texts,
            "files_opened": OPENED["files"],
            "rows": done.vector_store.table.count_rows(),
        }
    )
)
