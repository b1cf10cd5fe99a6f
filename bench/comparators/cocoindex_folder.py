"""A folder of Markdown files to a LanceDB table with CocoIndex, as its own example `text_embedding_lancedb` does it.

    .venv-bench/bin/python bench/comparators/cocoindex_folder.py DOCUMENTS STATE

Settings, after its documentation: one memoized function per file, its recursive splitter for Markdown, `mount_each`
over `walk_dir`, rows declared by a stable id, an embedder like its own of sentence-transformers (memoized by text,
batches of at most 64). Two things differ from the example: the embedder's model is a hash (`hashed_vectors`), and
chunks have 1,000 characters without overlap, near the 240 tokens of the other side. No vector or full-text index is
made.

`core_seconds` is one `update` inside a running process with its environment started; imports are not in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

STATE = pathlib.Path(sys.argv[2])
os.environ["COCOINDEX_DB"] = str(STATE / "cocoindex.db")
os.environ.setdefault("COCOINDEX_DISABLE_USAGE_TRACKING", "1")

import cocoindex as coco  # noqa: E402  (it reads the environment)
import hashed_vectors  # noqa: E402
import numpy as np  # noqa: E402
from cocoindex.connectors import lancedb, localfs  # noqa: E402
from cocoindex.ops.text import RecursiveSplitter  # noqa: E402
from cocoindex.resources.chunk import Chunk  # noqa: E402
from cocoindex.resources.file import FileLike, PatternFilePathMatcher  # noqa: E402
from cocoindex.resources.id import IdGenerator  # noqa: E402
from cocoindex.resources.schema import VectorSchema  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

TABLE = "doc_embeddings"
DATABASE = coco.ContextKey[lancedb.LanceAsyncConnection]("lance_db")
OPENED = {"files": 0}
_splitter = RecursiveSplitter()


class HashEmbedder:
    """Stands where its SentenceTransformerEmbedder stands."""

    @coco.fn.as_async(batching=True, max_batch_size=64)
    def _embed(self, texts: list[str]) -> list[NDArray[np.float32]]:
        return hashed_vectors.embed(texts)

    @coco.fn(memo=True, version=1, logic_tracking="self")
    async def embed(self, text: str) -> NDArray[np.float32]:
        return await self._embed(text)

    async def __coco_vector_schema__(self) -> VectorSchema:
        return VectorSchema(dtype=np.dtype(np.float32), size=hashed_vectors.DIMENSION)


EMBEDDER = coco.ContextKey[HashEmbedder]("embedder")


@dataclass
class Row:
    id: int
    filename: str
    chunk_start: int
    chunk_end: int
    text: str
    embedding: Annotated[NDArray, EMBEDDER]


@coco.lifespan
async def resources(builder: coco.EnvironmentBuilder) -> AsyncIterator[None]:
    connection = await lancedb.connect_async(str(STATE / "lancedb"))
    builder.provide(DATABASE, connection)
    builder.provide(EMBEDDER, HashEmbedder())
    yield


@coco.fn
async def process_chunk(
    chunk: Chunk, filename: pathlib.PurePath, ids: IdGenerator, table: lancedb.TableTarget[Row]
) -> None:
    table.declare_row(
        row=Row(
            id=await ids.next_id(chunk.text),
            filename=str(filename),
            chunk_start=chunk.start.char_offset,
            chunk_end=chunk.end.char_offset,
            text=chunk.text,
            embedding=await coco.use_context(EMBEDDER).embed(chunk.text),
        )
    )


@coco.fn(memo=True)
async def process_file(file: FileLike, table: lancedb.TableTarget[Row]) -> None:
    OPENED["files"] += 1
    chunks = _splitter.split(await file.read_text(), chunk_size=1000, chunk_overlap=0, language="markdown")
    await coco.map(process_chunk, chunks, file.file_path.path, IdGenerator(), table)


@coco.fn
async def app_main(folder: pathlib.Path) -> None:
    table = await lancedb.mount_table_target(
        DATABASE, table_name=TABLE, table_schema=await lancedb.TableSchema.from_class(Row, primary_key=["id"])
    )
    files = localfs.walk_dir(folder, recursive=True, path_matcher=PatternFilePathMatcher(included_patterns=["**/*.md"]))
    await coco.mount_each(process_file, files.items(), table)


app = coco.App(coco.AppConfig(name="Bench"), app_main, folder=pathlib.Path(sys.argv[1]))


async def measure() -> float:
    async with coco.runtime():
        start = time.perf_counter()
        await app.update()
        return time.perf_counter() - start


async def rows() -> int:
    connection = await lancedb.connect_async(str(STATE / "lancedb"))
    return await (await connection.open_table(TABLE)).count_rows()


STATE.mkdir(parents=True, exist_ok=True)
seconds = asyncio.run(measure())
print(
    json.dumps(
        {
            "core_seconds": seconds,
            "texts_embedded": hashed_vectors.Counter.texts,
            "files_opened": OPENED["files"],
            "rows": asyncio.run(rows()),
        }
    )
)
