"""`rag-assets search` and `rag-assets ask`: passages and cited answers from the serving release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, complain, print_json, say

if TYPE_CHECKING:
    from rag_assets.store import Hit

SourceOption = Annotated[list[str] | None, typer.Option("--source", "-s", help="Only this source; may be repeated.")]

GroupOption = Annotated[
    list[str] | None, typer.Option("--group", "-g", help="See also what this group may see; may be repeated.")
]


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int | None, typer.Option("-k", min=1, max=100, help="How many passages.")] = None,
    source: SourceOption = None,
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages that fit a query best.

    Example: rag-assets search "how large should a chunk be" -k 3
    """
    from rag_assets.project import Project

    with Project.open() as project:
        release, hits = project.search(query, k=k, sources=source, groups=group or ())
    if as_json:
        print_json({"release": release, "query": query, "results": [_result(hit) for hit in hits]})
        return
    for number, hit in enumerate(hits, start=1):
        say(f"{number}. {place(hit.title, hit.source, hit.uri, hit.heading_path, hit.page)}  ({hit.score:.3f})")
        say(f"   {' '.join(hit.text.split())[:300]}")
    if not hits:
        say("Nothing was found.")


def ask(
    question: Annotated[str, typer.Argument(help="A question, in words.")],
    source: SourceOption = None,
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the released documents, with citations.

    Example: rag-assets ask "What is a blue/green index?"
    """
    from rag_assets.project import Project

    with Project.open() as project:
        answer = project.ask(question, sources=source, groups=group or ())
        released = project.release(answer.release).chat_model
    if answer.model != released:
        complain(f"note: {released}, the model of release {answer.release}, is gone; {answer.model} answered.")
    if as_json:
        print_json(
            {
                "answer_id": answer.answer_id,
                "answer": answer.answer,
                "answerable": answer.answerable,
                "citations": [_citation(citation) for citation in answer.to_dict()["citations"]],
                "release": answer.release,
                "model": answer.model,
                "usage": answer.usage,
                "cost_usd": answer.cost_usd,
                "latency_ms": answer.latency_ms,
            }
        )
        return
    say(answer.answer)
    for citation in answer.citations:
        where = place(citation.title, citation.source, citation.uri, citation.heading_path, citation.page)
        say(f"  [{citation.n}] {where}")
    say(f"  answer {answer.answer_id}")


def _result(hit: Hit) -> dict[str, Any]:
    return {
        "chunk_id": hit.chunk_id,
        "document_id": hit.document_id,
        "source": hit.source,
        "uri": hit.uri,
        "title": hit.title,
        "heading_path": list(hit.heading_path),
        "page": hit.page,
        "score": hit.score,
        "text": hit.text,
    }


def _citation(citation: dict[str, Any]) -> dict[str, Any]:
    return {**citation, "heading_path": list(citation["heading_path"]), "quotes": list(citation["quotes"])}


def place(title: str, source: str, uri: str, heading_path: tuple[str, ...], page: int | None) -> str:
    """Where a passage stands, for people."""
    heading = " > ".join(part for part in heading_path if part != title)
    where = f", page {page}" if page else f", {heading}" if heading else ""
    return f"{title} ({source}/{uri}{where})"
