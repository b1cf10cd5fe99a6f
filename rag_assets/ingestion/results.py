"""What each stage did: counts, versions and the reason it had work to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)`, at most once per written batch."""


def no_progress(what: str, done: int, total: int) -> None:
    """Reports nothing."""


@dataclass(frozen=True, slots=True)
class RawDocumentsResult:
    """Documents by what happened to them. `commits` counts the table versions written.

    `failed` could not be read as they are now; of these `retried` were tried by this run, the others wait in
    quarantine. `dropped` are listed and were given up by a person; they count as neither failed nor unchanged. Of the
    listed documents `parser_changed` had been read by another parser, and `settings_changed` under other settings of
    their source.
    """

    data_version: str
    rows: int
    added: int
    changed: int
    removed: int
    unchanged: int
    failed: int
    retried: int
    dropped: int
    empty: int
    opened: int
    characters: int
    parser_changed: int
    settings_changed: int
    commits: int
    table_version: int

    @property
    def why(self) -> str:
        """Why there was work, as a sentence for a person."""
        happened = _listed(
            (self.added, "added"), (self.changed, "changed"), (self.removed, "removed"), (self.retried, "failed")
        )
        causes = [
            f"{what} changed for {count:,}"
            for what, count in (("parser", self.parser_changed), ("settings of the source", self.settings_changed))
            if count
        ]
        if not happened:
            opened = f"; {self.opened:,} opened and found the same" if self.opened else ""
            return f"No document changed{opened}.{self._waiting}"
        cause = ", ".join(causes) or "parser unchanged"
        return f"Documents: {happened}, {self.unchanged:,} unchanged; {cause}.{self._waiting}"

    @property
    def _waiting(self) -> str:
        waiting = self.failed - self.retried
        return f" In quarantine: {waiting:,}, not tried again before they change." if waiting > 0 else ""


@dataclass(frozen=True, slots=True)
class ChunksResult:
    """Chunks by what happened to them; ids are compared, so a moved chunk counts as unchanged.

    `tokens` is the total over the source, in tokens of the embedding model, what is embedded included. Documents were
    cut because they were `documents_new` here, `documents_changed` since they were last cut, or `documents_outdated`:
    cut by another chunker, under other settings, or for a model with another tokenizer or prefix.
    """

    data_version: str
    rows: int
    added: int
    removed: int
    unchanged: int
    failed_documents: int
    tokens: int
    longest_tokens: int
    p95_tokens: int
    documents_rechunked: int
    documents_new: int
    documents_changed: int
    documents_removed: int
    documents_outdated: int
    generation_changed: bool
    commits: int
    table_version: int

    @property
    def why(self) -> str:
        """Why there was work, as a sentence for a person."""
        if not self.documents_rechunked and not self.removed:
            return "No document changed since the last chunking."
        happened = _listed(
            (self.documents_new, "new"),
            (self.documents_changed, "changed"),
            (self.documents_removed, "removed"),
            (self.failed_documents, "failed"),
        )
        outdated = f"chunker, its settings or the model's tokenizer changed for {self.documents_outdated:,}"
        cause = outdated if self.generation_changed else "chunker unchanged"
        documents = f"Documents: {happened}, {cause}" if happened else cause.capitalize()
        return f"{documents}; {self.added:,} new chunks, {self.removed:,} gone."


def _listed(*counts: tuple[int, str]) -> str:
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


@dataclass(frozen=True, slots=True)
class EmbeddingsResult:
    """`embedded` texts were sent to the model; `reused` ones were already known by their hash."""

    data_version: str
    rows: int
    embedded: int
    reused: int
    failed_documents: int
    tokens: int
    cost_usd: float | None
    requests: int
    commits: int
    table_version: int

    @property
    def why(self) -> str:
        """Why there was work, as a sentence for a person."""
        if not self.embedded:
            return f"All {self.reused:,} inputs were embedded before; the model was not called."
        return f"{self.embedded:,} new inputs embedded, {self.reused:,} known by their hash."


@dataclass(frozen=True, slots=True)
class IndexResult:
    """Rows of one source in the index. `held_back_documents` keep their previous rows because a chunk has no vector."""

    data_version: str
    rows: int
    documents: int
    added: int
    removed: int
    rewritten: int
    held_back_documents: int
    commits: int
    table_version: int

    @property
    def why(self) -> str:
        """Why there was work, as a sentence for a person."""
        if not (self.added or self.removed or self.rewritten):
            return "The index already holds exactly these chunks."
        return f"{self.added:,} rows added, {self.removed:,} removed, {self.rewritten:,} moved with their document."
