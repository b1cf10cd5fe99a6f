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
    quarantine. `dropped` are listed and were given up by a person; they count as neither failed nor unchanged.
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
    commits: int
    table_version: int

    @property
    def why(self) -> str:
        """Why there was work, as a sentence for a person."""
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (self.added, "added"),
                (self.changed, "changed"),
                (self.removed, "removed"),
                (self.retried, "failed"),
            )
            if count
        ]
        said = f"Documents: {', '.join(parts)}; {self.unchanged:,} unchanged." if parts else "No document changed."
        waiting = self.failed - self.retried
        return f"{said} In quarantine: {waiting:,}, not tried again before they change." if waiting > 0 else said


@dataclass(frozen=True, slots=True)
class ChunksResult:
    """Chunks by what happened to them; ids are compared, so a moved chunk counts as unchanged.

    `tokens` is the total over the source, in tokens of the embedding model, what is embedded included.
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
    generation_changed: bool
    commits: int
    table_version: int

    @property
    def why(self) -> str:
        """Why there was work, as a sentence for a person."""
        if not self.documents_rechunked and not self.removed:
            return "No document changed since the last chunking."
        cause = "parser, chunker or model changed" if self.generation_changed else "chunker unchanged"
        return f"{self.documents_rechunked:,} documents cut: {self.added:,} new chunks, {self.removed:,} gone; {cause}."


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
