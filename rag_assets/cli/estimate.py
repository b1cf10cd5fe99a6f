"""`rag-assets estimate`: what a run, or a change of settings, would do and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rag_assets.cli.output import JsonOption, complain, print_json, progress_line, say

if TYPE_CHECKING:
    from rag_assets.estimating.model import Estimate, SourceEstimate

PARTLY_DONE = 3


def estimate(
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="A source; may be repeated. By default all.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Try a setting: chunking.max_tokens=200. May be repeated.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Look at so many due documents of each source only.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Look at every due document, however many.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what `rag-assets ingest` would do and cost, with the settings of now or with others. Changes nothing.

    No table, ledger or partition is written and no model is called; files that changed are opened, and what is due is
    cut in memory. Of more than 20 million due characters a sample of each source is looked at: figures are then given
    with their intervals (95 %), and "exact" is false. Exit codes: 0; 3 some source cannot be listed; 1 none can.

    --json prints settings, exact, generation (generation, serving, new, rows, changed), sources and total (documents,
    chunks, texts_to_embed, tokens_to_embed, requests, cost_usd, tokens, limits, …), evaluation (questions, to_ask,
    answer_calls, …), cost_usd (null: unknown), limits, embeddings_bytes and seconds.

    Example: rag-assets estimate --set chunking.max_tokens=200 --json
    """
    from rag_assets.config_file import load_settings
    from rag_assets.errors import ConfigurationError
    from rag_assets.estimating.estimate import estimate as make_estimate

    if sample is not None and exact:
        raise ConfigurationError("--sample and --exact were both given.", fix="Give one of them.")
    settings = load_settings()
    if not settings.sources:
        raise ConfigurationError(
            "No source is configured.", fix="Run: rag-assets sources add NAME --path FOLDER, or write rag_assets.yaml."
        )
    with progress_line() as status:
        found = make_estimate(
            settings,
            changes or (),
            sources=tuple(dict.fromkeys(source)) if source else None,
            sample=sample,
            exact=exact,
            progress=lambda what, done, total: status.info("%s: %s of %s due documents", what, done, total),
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)
    problems = {name: one.problem for name, one in found.sources.items() if one.problem}
    for name, problem in problems.items():
        complain(f"error: {name}: {problem}")
    if problems:
        raise typer.Exit(1 if len(problems) == len(found.sources) else PARTLY_DONE)


def _print(found: Estimate) -> None:
    say(str(found.generation))
    for name, one in found.sources.items():
        say(source_line(name, one))
    if len(found.sources) > 1:
        say(source_line("total", found.total))
    if not found.exact:
        looked_at, due = found.total.sampled_documents, found.total.due_documents
        say(f"estimated from {looked_at:,} of {due:,} due documents; 95 % intervals:")
        for name, (low, high) in found.total.intervals.items():
            say(f"  {name} {low:,} to {high:,}")
    _print_evaluation(found)
    for limit in found.limits:
        say(f"limit: {limit}")
    say(f"cost: {money(found.cost_usd)}{_partly(found)}")


def source_line(name: str, one: SourceEstimate) -> str:
    """One source, or the total, as one line."""
    if one.problem:
        return f"{name}: cannot be listed; what it has stays"
    documents, chunks = one.documents, one.chunks
    if not (one.due_documents or documents.remove or documents.held or one.texts_to_embed):
        return f"{name}: nothing to do; documents {documents.unchanged:,} unchanged, chunks {chunks.keep:,} to keep"
    held = f", {documents.held:,} held" if documents.held else ""
    failing = f", {documents.failing:,} failing" if documents.failing else ""
    return (
        f"{name}: documents {documents.add:,} to add, {documents.change:,} to change, {documents.remove:,} to remove, "
        f"{documents.unchanged:,} unchanged{failing}{held}; chunks {chunks.add:,} to add, {chunks.remove:,} to remove, "
        f"{chunks.keep:,} to keep; {one.texts_to_embed:,} texts to embed, {one.tokens_to_embed:,} tokens in "
        f"{one.requests:,} requests, {money(one.cost_usd)}"
    )


def _print_evaluation(found: Estimate) -> None:
    one = found.evaluation
    if one.problem:
        say(f"evaluation: {one.problem}")
    elif one.questions:
        say(
            f"evaluation: {one.to_ask:,} of {one.questions:,} golden questions to ask, {one.baseline_to_ask:,} of what "
            f"serves; at most {one.answer_calls:,} answers, {one.judge_calls:,} verdicts and {one.query_embeddings:,} "
            f"questions embedded, about {one.estimated_input_tokens:,} tokens read and "
            f"{one.estimated_output_tokens:,} written: about {money(one.estimated_cost_usd)}"
        )


def _partly(found: Estimate) -> str:
    total, evaluation = found.total.cost_usd, found.evaluation.estimated_cost_usd
    return f" (embeddings {money(total)}, evaluation about {money(evaluation)})" if total or evaluation else ""


def money(cost_usd: float | None) -> str:
    """US dollars as text; an unknown price is never 0."""
    if cost_usd is None:
        return "unknown: models.prices has no price for it"
    return f"{cost_usd:.4f} USD" if 0 < cost_usd < 1 else f"{cost_usd:,.2f} USD"
