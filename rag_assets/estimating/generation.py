"""The generation that a run builds, beside the one that serves; and what of it is still to be embedded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_assets.estimating.inputs import Inputs
from rag_assets.estimating.model import GenerationChange
from rag_assets.ingestion.generation import changed_parts
from rag_assets.models import catalog

if TYPE_CHECKING:
    from rag_assets.project import Project


def generation_change(project: Project) -> GenerationChange:
    """The configured generation, and what is different from the one that answers are given from."""
    generation = project.generation
    serving = project.ledger.serving()
    snapshot = project.ledger.snapshot(serving.snapshot_id) if serving else None
    rows = project.index.count()
    changed: list[str] = []
    if snapshot is not None and snapshot.generation != generation.id:
        changed = changed_parts(snapshot.details, generation.parts)
        if "embedding_space" not in snapshot.details and snapshot.space != generation.space.name:
            changed.append(f"embedding space {snapshot.space} → {generation.space.name}")
    return GenerationChange(
        generation=generation.id,
        serving=snapshot.generation if snapshot else None,
        new=rows == 0,
        rows=rows,
        changed=tuple(changed),
    )


@dataclass(frozen=True, slots=True)
class ToEmbed:
    """The inputs of a source that have no vector yet. `cost_usd` is None where the price is unknown."""

    texts: int
    tokens: int
    cost_usd: float | None

    def __str__(self) -> str:
        cost = "at an unknown price" if self.cost_usd is None else f"for {self.cost_usd:.4f} USD"
        return f"{self.texts:,} texts with {self.tokens:,} tokens to embed {cost}"


def to_embed(project: Project, source: str) -> ToEmbed:
    """What embedding the stored chunks of `source` takes. Tokens leave out a prefix that the model wants."""
    models, inputs = project.settings.models, Inputs.of(project)
    texts = tokens = 0
    for batch in project.store.chunks(source).batches(columns=["input_hash", "token_count"]):
        new = inputs.first_met(batch.column(0).to_pylist())
        texts += sum(new)
        tokens += sum(count for count, is_new in zip(batch.column(1).to_pylist(), new, strict=True) if is_new)
    kind = models.all_providers()[models.embedding.provider].kind
    cost = catalog.cost_usd(models.embedding.model, tokens, 0, models.prices, kind=kind) if tokens else 0.0
    return ToEmbed(texts, tokens, cost)
