"""What is due: the comparisons that a run makes before it works, as functions of values alone.

An estimate counts what they say, row by row. A run compares the same values as columns (`listing`, `chunk_state`);
tests compare estimates with the runs that follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.config import SourceSettings
from rag_assets.documents.model import Listed
from rag_assets.documents.parsing import parser_for
from rag_assets.fingerprints import fingerprint, sha256_hex


def settings_salt(source: SourceSettings) -> str:
    """Settings of the source that end up in its rows: a change of them makes every document due again."""
    return fingerprint(language=source.language, allowed_groups=sorted(source.allowed_groups))[:8]


def change_gate(listed_fingerprint: str, salt: str) -> str:
    """What is stored as `fingerprint`: equal means that neither the document nor those settings changed."""
    return f"{listed_fingerprint}|{salt}"


def listed_fingerprint(stored_fingerprint: str) -> str:
    """What the source listed when a row with this `fingerprint` was stored: the inverse of `change_gate`."""
    return stored_fingerprint.rpartition("|")[0]


def is_document_due(item: Listed, stored: Mapping[str, Any] | None, salt: str) -> bool:
    """Whether a listed document must be opened. `stored`: its row's `fingerprint` and `parser`; None without a row."""
    if stored is None:
        return True
    return bool(
        stored["fingerprint"] != change_gate(item.fingerprint, salt) or stored["parser"] != parser_for(item.uri)
    )


def same_reading(stored: Mapping[str, Any], uri: str, salt: str) -> bool:
    """Whether the stored row came from the parser of now under the same settings of the source."""
    return stored["parser"] == parser_for(uri) and str(stored["fingerprint"]).endswith(f"|{salt}")


@dataclass(frozen=True, slots=True)
class Vanished:
    """Documents of a source that are gone at once. `digest` names exactly these, under these settings of the source."""

    removed: int
    stored: int
    digest: str
    too_many: bool

    @property
    def reason(self) -> str:
        return f"{self.removed:,} of {self.stored:,} documents are gone at once"


def vanished(source: SourceSettings, removed: Iterable[str], stored: int) -> Vanished:
    """`removed`: ids of the stored documents that are not listed any more; `stored`: how many are stored in all."""
    keys = sorted(removed)
    where = (source.path, *source.include, "", *source.exclude)
    return Vanished(
        removed=len(keys),
        stored=stored,
        digest=sha256_hex("\0".join([*where, "", *keys])),
        too_many=bool(keys) and len(keys) > source.max_removed_fraction * stored,
    )


def is_chunking_due(rows: Sequence[Mapping[str, Any]], document_hash: str, chunking_id: str) -> bool:
    """Whether a document must be cut. `rows`: its stored chunks, with `document_hash` and `generation`.

    A document without chunks is looked at again: it is empty or new. For one that failed `Quarantine.is_due` decides.
    """
    return not rows or any(row["document_hash"] != document_hash or row["generation"] != chunking_id for row in rows)
