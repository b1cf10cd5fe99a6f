"""What is different between two release contents, and why: documents, parser, chunker, models, settings, prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import unified_diff
from typing import Any, Literal

from rag_assets.errors import StoreError
from rag_assets.ledger import Ledger, Snapshot
from rag_assets.releasing import ReleaseContent
from rag_assets.store import Store

NAMED_DOCUMENTS = 20
DIFF_LINES = 60
CONTEXT_LINES = 2

Kind = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A document that is not as it was. `why` is known for changed ones whose two versions the ledger has."""

    kind: Kind
    source: str
    uri: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class SourceChange:
    """How many documents of one source came, changed and went."""

    source: str
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A value that was `before` and is `after`; "" where there was or is none. `part` says what it belongs to."""

    part: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PromptChange:
    """A template that changed, as a unified diff without its two lines of file names."""

    name: str
    diff: str


@dataclass(frozen=True, slots=True)
class Changes:
    """From release content `before` (None: there was none) to `after`.

    `sources` counts every document that changed, `documents` names at most 20 of them. `notes` are sentences about what
    cannot be told any more.
    """

    before: str | None
    after: str
    sources: tuple[SourceChange, ...] = ()
    documents: tuple[DocumentChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    prompts: tuple[PromptChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether everything is known to be as it was."""
        return not (self.sources or self.settings or self.prompts or self.notes)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each change in a few words, for one line of a summary."""
        documents = [
            f"{one.source}: " + ", ".join(f"{count} {kind}" for kind, count in counted if count)
            for one in self.sources
            for counted in [(("added", one.added), ("changed", one.changed), ("removed", one.removed))]
        ]
        settings = [f"{one.part} {one.name}: {one.before or '–'} → {one.after or '–'}" for one in self.settings]
        return (*documents, *settings, *(f"prompt {one.name}" for one in self.prompts), *self.notes)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Document:
    source: str
    uri: str
    document_hash: str


def changes(store: Store, ledger: Ledger, before: ReleaseContent | None, after: ReleaseContent) -> Changes:
    """Compares two contents. Rows that are pruned are said to be unknown; they are no error."""
    if before is None:
        present, notes = _documents(store, after.snapshot)
        sources = _counted([("added", one.source) for one in present.values()]) if present else ()
        return Changes(before=None, after=after.release_id, sources=sources, notes=tuple(notes))
    sources, documents, notes = _document_changes(store, ledger, before.snapshot, after.snapshot)
    settings = [*_generation_changes(before, after, notes), *_release_changes(before, after)]
    return Changes(
        before=before.release_id,
        after=after.release_id,
        sources=sources,
        documents=documents,
        settings=tuple(settings),
        prompts=tuple(_prompt_changes(before, after)),
        notes=tuple(notes),
    )


def _document_changes(
    store: Store, ledger: Ledger, before: Snapshot, after: Snapshot
) -> tuple[tuple[SourceChange, ...], tuple[DocumentChange, ...], list[str]]:
    if before.snapshot_id == after.snapshot_id:
        return (), (), []
    was, notes = _documents(store, before)
    now, more = _documents(store, after)
    notes += more
    if was is None or now is None:
        differing = sorted(
            name
            for name in before.sources.keys() | after.sources.keys()
            if before.sources.get(name) != after.sources.get(name)
        )
        if differing:
            notes.append(f"Sources whose rows are other ones: {', '.join(differing)}.")
        return (), (), notes
    found: list[tuple[Kind, str]] = [
        *(("added", key) for key in now.keys() - was.keys()),
        *(("changed", key) for key in now.keys() & was.keys() if now[key].document_hash != was[key].document_hash),
        *(("removed", key) for key in was.keys() - now.keys()),
    ]
    at = {**was, **now}
    found.sort(key=lambda one: (one[0], at[one[1]].source, at[one[1]].uri))
    named = [
        DocumentChange(kind, at[key].source, at[key].uri, _why(ledger, key, was, now) if kind == "changed" else "")
        for kind, key in found[:NAMED_DOCUMENTS]
    ]
    return _counted([(kind, at[key].source) for kind, key in found]), tuple(named), notes


def _documents(store: Store, snapshot: Snapshot) -> tuple[dict[str, _Document] | None, list[str]]:
    """Document id → what `snapshot` holds of it; None and a note where its rows are gone."""
    gone = f"Snapshot {snapshot.snapshot_id} is no longer kept, so its documents cannot be named."
    if snapshot.unpinned_at is not None:
        return None, [gone]
    table = store.vector_index(snapshot.generation, int(snapshot.details["dimension"]))
    try:
        if table.pinned().get(snapshot.tag) != snapshot.version:
            return None, [gone]
        columns = ["document_id", "source", "uri", "document_hash"]
        found: dict[str, _Document] = {}
        for batch in table.batches(columns, version=snapshot.version):
            for key, source, uri, document_hash in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found[key] = _Document(source, uri, document_hash)
    except StoreError:
        return None, [gone]
    return found, []


def _counted(found: list[tuple[Kind, str]]) -> tuple[SourceChange, ...]:
    counts = Counter(found)
    return tuple(
        SourceChange(name, counts["added", name], counts["changed", name], counts["removed", name])
        for name in sorted({source for _, source in found})
    )


def _why(ledger: Ledger, key: str, was: Mapping[str, _Document], now: Mapping[str, _Document]) -> str:
    old = ledger.document_version(key, was[key].document_hash)
    new = ledger.document_version(key, now[key].document_hash)
    if old is None or new is None:
        return ""
    if old.content_hash != new.content_hash:
        return "the file changed"
    if old.parser != new.parser:
        return f"the same file, read by {new.parser} instead of {old.parser}"
    return "the same file; its settings changed"


def _generation_changes(before: ReleaseContent, after: ReleaseContent, notes: list[str]) -> Iterator[SettingChange]:
    """Parser and chunker. The id of a generation does not tell which part changed, so snapshots keep the parts."""
    was, now = before.snapshot, after.snapshot
    if was.generation == now.generation:
        return
    old, new = was.details, now.details
    if "parsers" in old and "parsers" in new:
        yield from _differing("parser", _by_name(old["parsers"]), _by_name(new["parsers"]))
        yield from _differing("chunker", _by_name(old["chunker"]), _by_name(new["chunker"]))
        yield from _differing("chunker", old["chunking"], new["chunking"])
        yield from _differing("chunker", {"tokenizer": old["tokenizer"]}, {"tokenizer": new["tokenizer"]})
    else:
        notes.append(f"The index is of another generation ({was.generation} → {now.generation}), of unrecorded parts.")
    if before.embedding == after.embedding:  # then it is a default of the model that changed
        yield from _differing("embedding model", {"space": was.space}, {"space": now.space})


def _release_changes(before: ReleaseContent, after: ReleaseContent) -> Iterator[SettingChange]:
    for part, old, new in (
        ("embedding model", before.embedding, after.embedding),
        ("chat model", before.chat, after.chat),
        ("retrieval", before.retrieval, after.retrieval),
        ("answering", before.answering, after.answering),
    ):
        yield from _differing(part, old.model_dump(mode="json"), new.model_dump(mode="json"))


def _prompt_changes(before: ReleaseContent, after: ReleaseContent) -> Iterator[PromptChange]:
    for name, old in asdict(before.prompts).items():
        new = getattr(after.prompts, name)
        if new != old:
            lines = list(unified_diff(old.splitlines(), new.splitlines(), n=CONTEXT_LINES, lineterm=""))[2:]
            left_out = len(lines) - DIFF_LINES
            shown = lines[:DIFF_LINES] + ([f"… {left_out} more lines"] if left_out > 0 else [])
            yield PromptChange(name, "\n".join(shown))


def _differing(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[SettingChange]:
    for name in dict.fromkeys([*before, *after]):
        old, new = _text(before.get(name)), _text(after.get(name))
        if old != new:
            yield SettingChange(part, name, old, new)


def _by_name(identities: str) -> dict[str, str]:
    """`markdown@3,text@1` → {"markdown": "3", "text": "1"}."""
    return {name: version for name, _, version in (one.partition("@") for one in identities.split(","))}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
