"""The ingestion assets: one partition per source, from raw documents to rows of the vector index."""

import time
from contextlib import ExitStack

import dagster as dg
from pydantic import Field

from rag_assets import schemas
from rag_assets.assets import metadata
from rag_assets.assets.external import source_updates
from rag_assets.assets.partitions import SOURCES
from rag_assets.assets.progress import log_progress
from rag_assets.assets.stage_runs import record_run
from rag_assets.estimating.generation import generation_change, to_embed
from rag_assets.ingestion import (
    chunks_version,
    embeddings_version,
    sync_chunks,
    sync_embeddings,
    sync_raw_documents,
    sync_vector_index,
)
from rag_assets.models.usage import UsageMeter
from rag_assets.releasing import (
    EMBEDDING_INTEGRITY,
    TOKEN_BUDGET,
    judge_chunks,
    judge_embeddings,
    judge_index,
    require,
    subject_of_chunks,
    subject_of_embeddings,
)
from rag_assets.resources.openai import ProviderResource
from rag_assets.resources.project import ProjectResource

GROUP = "ingestion"
OWNERS = ["team:knowledge"]
RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)


class RawDocumentsConfig(dg.Config):
    """How the documents of a source are looked at."""

    verify_contents: bool = Field(
        default=False,
        description="Open and hash every file, also those whose size, times and inode are unchanged. The watch asks "
        "for it every automation.verify_days.",
    )


@dg.asset(
    deps=[source_updates],
    partitions_def=SOURCES,
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
    metadata={"dagster/column_schema": metadata.column_schema(schemas.RAW_DOCUMENTS)},
)
def raw_documents(
    context: dg.AssetExecutionContext, config: RawDocumentsConfig, project: ProjectResource
) -> dg.MaterializeResult[None]:
    """The documents of one source, parsed into text and blocks.

    Files whose size, times and inode are unchanged are not opened. A file that cannot be read keeps its previous rows
    and is counted in `documents_failed`. A document that is gone stops being answered from at once.
    """
    name = context.partition_key
    with project.open_source(context) as opened:
        source = opened.settings.source(name)
        table = opened.store.raw_documents(name)
        result = sync_raw_documents(
            name,
            source,
            connector=opened.connector(name, fetch=config.verify_contents),
            table=table,
            ledger=opened.ledger,
            run_id=context.run.run_id,
            progress=log_progress(context),
            verify_contents=config.verify_contents,
        )
        record_run(context, opened, result.data_version, result.table_version)
        context.log.info(result.why)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.data_version), metadata=metadata.of_raw_documents(result, table)
        )


@dg.asset(
    deps=[raw_documents],
    partitions_def=SOURCES,
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
    metadata={"dagster/column_schema": metadata.column_schema(schemas.CHUNKS)},
)
def chunks(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """Documents cut along their structure into pieces the embedding model reads whole.

    Sizes are exact tokens of that model. Only documents whose content or chunking changed are cut again; a chunk whose
    text did not change keeps its id. The token budget of the source is judged here and required by `embeddings`.
    """
    name = context.partition_key
    with project.open_source(context) as opened:
        source = opened.settings.source(name)
        table = opened.store.chunks(name)
        with opened.embedder() as embedder:
            result = sync_chunks(
                name,
                raw_documents=opened.store.raw_documents(name),
                chunks=table,
                generation=opened.generation,
                tokenizer=embedder.tokenizer,
                max_input_tokens=embedder.max_input_tokens,
                ledger=opened.ledger,
                progress=log_progress(context),
            )
            verdict = judge_chunks(
                name,
                source,
                result,
                max_input_tokens=embedder.max_input_tokens,
                price_per_million_usd=embedder.price_per_million_usd,
                ledger=opened.ledger,
            )
        record_run(context, opened, result.data_version, result.table_version)
        context.log.info(result.why)
        made = metadata.of_chunks(
            result,
            table,
            budget_tokens=source.token_budget,
            estimated_cost_usd=verdict.details["estimated_cost_usd"],
        )
        if result.generation_changed:  # what comes next may cost a lot, so it is said before it begins
            due = to_embed(opened, name)
            context.log.info(f"{generation_change(opened)}; {due}")
            made |= metadata.of_to_embed(due)
        return dg.MaterializeResult(data_version=dg.DataVersion(result.data_version), metadata=made)


@dg.asset(
    deps=[chunks],
    partitions_def=SOURCES,
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
)
def embeddings(
    context: dg.AssetExecutionContext, project: ProjectResource, models: ProviderResource
) -> dg.MaterializeResult[None]:
    """A unit vector for every chunk, kept by the hash of its exact input: equal input is embedded once, ever.

    Vectors are stored as they arrive, so a run that dies pays for nothing twice. Refuses to start when the source is
    over its token budget.
    """
    name = context.partition_key
    start = time.perf_counter()
    with project.open_source(context) as opened:
        chunk_table = opened.store.chunks(name)
        version = chunks_version(name, chunk_table, opened.generation)
        limits = opened.token_limits(name)
        require(opened.ledger, [TOKEN_BUDGET], subject_of_chunks(name, version, **limits))
        sink = opened.ledger.usage_sink(
            run_id=context.run.run_id, source=name, asset="embeddings", limits=opened.settings.spend
        )
        meter = UsageMeter([sink])
        space = opened.generation.space
        table = opened.store.embeddings(space.name, space.dimension)
        with ExitStack() as clients:
            # Made when a text is to be embedded: where none is, `openai` is not even imported.
            embedder = opened.embedder(meter, lambda: clients.enter_context(models.get_client(context)))
            result = sync_embeddings(
                name,
                chunks=chunk_table,
                embeddings=table,
                embedder=embedder,
                meter=meter,
                ledger=opened.ledger,
                spool_dir=opened.spool_dir,
                progress=log_progress(context),
            )
        judge_embeddings(
            name,
            result.data_version,
            chunks=chunk_table,
            embeddings=table,
            dimension=space.dimension,
            ledger=opened.ledger,
        )
        record_run(context, opened, result.data_version, result.table_version)
        context.log.info(result.why)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.data_version),
            metadata=metadata.of_embeddings(result, table, space.name, time.perf_counter() - start),
        )


@dg.asset(
    deps=[chunks, embeddings],
    partitions_def=SOURCES,
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
)
def vector_index(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """The rows of one source in the index of this generation: each chunk with its vector, ready to be searched.

    Only rows that differ are written. Refuses to start when the vectors did not pass their integrity gate. What answers
    are given from does not change here: that is what a snapshot and a release are for.
    """
    name = context.partition_key
    with project.open_source(context) as opened:
        chunk_table = opened.store.chunks(name)
        generation = opened.generation
        vectors = opened.store.embeddings(generation.space.name, generation.space.dimension)
        version = embeddings_version(chunk_table, vectors, generation.space)
        require(opened.ledger, [EMBEDDING_INTEGRITY], subject_of_embeddings(name, version))
        table = opened.index
        chunked = chunks_version(name, chunk_table, generation)
        result = sync_vector_index(
            name, chunks=chunk_table, embeddings=vectors, index=table, progress=log_progress(context)
        )
        judge_index(name, chunked, chunks=chunk_table, index=table, ledger=opened.ledger)
        record_run(context, opened, result.data_version, result.table_version)
        context.log.info(result.why)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.data_version),
            metadata=metadata.of_vector_index(result, table, generation.id)
            | metadata.of_generation(generation_change(opened)),
        )
