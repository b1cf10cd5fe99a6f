"""How found passages stand in a prompt: the same for an answer, a text, and an example that a model is tuned on."""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.models.embedded.prompt_format import PromptPassage, render_passages
from rag_assets.store import Hit


def rendered_passages(hits: Sequence[Hit], *, show_scores: bool) -> str:
    """The block of passages, numbered from 1 in the order of `hits`; see `AnswerPipeline` for `show_scores`."""
    return render_passages(
        [
            PromptPassage(n=n, title=_heading(hit), text=hit.text, score=hit.score if show_scores else None)
            for n, hit in enumerate(hits, start=1)
        ]
    )


def _heading(hit: Hit) -> str:
    path = [part for part in hit.heading_path if part != hit.title]
    return " > ".join([hit.title, *path])
