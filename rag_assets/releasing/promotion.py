"""A person makes something serve: a release that exists, or a candidate, even one that a gate refused.

Without force the gates decide here as everywhere. With force, what they say is put on record beside the person's reason
and then overruled, all but one thing: vectors that are damaged, or of another model than the one that would embed the
questions, never serve, because no search in them means anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from rag_assets.config import ModelSettings
from rag_assets.errors import GateError, NoReleaseError
from rag_assets.ledger import Ledger, Release, Verdict
from rag_assets.ledger.columns import storable
from rag_assets.models.embedding_space import embedding_space
from rag_assets.releasing.content import ReleaseContent
from rag_assets.releasing.gates import COMPLETENESS, EMBEDDING_INTEGRITY, QUALITY, SNAPSHOT_GATES, subject_of_quality
from rag_assets.releasing.pins import is_kept
from rag_assets.releasing.release import serve_by_hand
from rag_assets.store import Store

FORCED = "forced_promotion"
"""Not a gate but a note in the same place: this release serves although gates did not pass, and who says so and why."""
_OTHER_RULES = "it was judged by other questions or rules than those of now"


@dataclass(frozen=True, slots=True)
class Objection:
    """A gate that did not pass for a candidate, in words."""

    gate: str
    reason: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of it. `made`: there was no such release before. `flipped`: it serves from now on, and did not before.

    `overruled` are the objections that force overruled; without any, nothing was forced.
    """

    release: Release
    made: bool
    flipped: bool
    overruled: tuple[Objection, ...]


def promote(
    store: Store,
    ledger: Ledger,
    release_id: str,
    *,
    candidate: ReleaseContent | None,
    quality: Callable[[ReleaseContent], str],
    models: ModelSettings,
    sources: tuple[str, ...],
    force: bool,
    reason: str,
    by: str,
) -> Promotion:
    """Serves the release `release_id`, which is made first where it is only the id of a candidate.

    `candidate` is what a release would be made of now, if anything. `quality` gives the subject of the quality verdict
    of a content by the questions and rules of now; by others it counts as an objection. A release that the gates let
    serve before needs no force. Raises `NoReleaseError` when there is neither release nor candidate of this id or its
    rows are not kept any more, and `GateError` when a gate objects and is not, or cannot be, overruled, or when force
    has no reason.
    """
    if force and not reason.strip():
        raise GateError("Forcing a release needs a reason.", fix="Say why, for the record: --reason TEXT")
    release = ledger.release(release_id)
    content = content_named(ledger, release_id, candidate)
    if not is_kept(store, content.snapshot):
        raise NoReleaseError(
            f"The rows of {release_id} are no longer kept.",
            fix="Choose one that rag-assets releases list shows as kept, or run: rag-assets ingest --all",
        )
    _refuse_unsound_vectors(ledger, content, models)
    found = () if _passed_before(ledger, release_id) else objections(ledger, content, quality(content))
    if found and not force:
        said = "; ".join(f"{one.gate}: {one.reason}" for one in found)
        raise GateError(
            f"{release_id} did not pass every gate. {said}.",
            fix=f"Mend what they name, or run: rag-assets releases promote {release_id} --force --reason TEXT",
        )
    made = release is None
    release = release or content.create(ledger)
    serving = ledger.serving()
    if found and (serving is None or serving.release_id != release_id):
        said_so = {"reason": reason, "by": by, "overruled": [asdict(one) for one in found]}
        ledger.record_verdict(FORCED, release_id, False, said_so)
    flipped = serve_by_hand(store, ledger, release, sources=sources, by=by, reason=reason, forced=bool(found))
    return Promotion(release, made, flipped, found if flipped else ())


def content_named(ledger: Ledger, release_id: str, candidate: ReleaseContent | None = None) -> ReleaseContent:
    """The content of a release, of the present candidate, or of one that was evaluated. Raises `NoReleaseError`."""
    release = ledger.release(release_id)
    if release is not None:
        return ReleaseContent.of(release, ledger)
    if candidate is not None and candidate.release_id == release_id:
        return candidate
    for row in ledger.evaluations(release_id=storable(release_id), limit=1):
        return ReleaseContent.of_values(row.content, ledger)
    now = f" The candidate of now is {candidate.release_id}." if candidate is not None else ""
    raise NoReleaseError(
        f"There is no release {release_id!r}, and no candidate of this id.{now}",
        fix="List the releases with: rag-assets releases list",
    )


def _passed_before(ledger: Ledger, release_id: str) -> bool:
    """Whether the release came to serve, the first time, because every gate let it."""
    own = [change for change in ledger.serving_history() if change.release_id == release_id]
    return bool(own) and not own[-1].forced


def objections(ledger: Ledger, content: ReleaseContent, quality: str) -> tuple[Objection, ...]:
    """What the gates hold against `content`, by their newest verdicts; a verdict that is missing objects too."""
    found = []
    for gate, newest in newest_verdicts(ledger, content).items():
        verdict = ledger.verdict(QUALITY, quality) if gate == QUALITY else newest
        if verdict is None:
            found.append(Objection(gate, _OTHER_RULES if newest is not None else "it was never judged"))
        elif not verdict.passed:
            found.append(Objection(gate, str(verdict.details.get("reason", ""))))
        elif gate == COMPLETENESS and _is_judged_against_another(ledger, content, verdict.details.get("against")):
            found.append(Objection(gate, "it was judged before another release began to serve"))
        elif gate == QUALITY and _is_compared_with_another(ledger, content, verdict.details.get("serving")):
            found.append(Objection(gate, "it was evaluated before another release began to serve"))
    return tuple(found)


def newest_verdicts(ledger: Ledger, content: ReleaseContent) -> dict[str, Verdict | None]:
    """Gate → what it said last about `content`: of its snapshot two, and of its quality by any questions and rules."""
    snapshot_id = content.snapshot.snapshot_id
    verdicts = {gate: ledger.verdict(gate, snapshot_id) for gate in SNAPSHOT_GATES}
    own = subject_of_quality(content.release_id, "", "").rstrip("/")
    quality = (verdict for verdict in ledger.verdicts(QUALITY) if verdict.subject.startswith(own))
    return {**verdicts, QUALITY: next(quality, None)}


def _is_judged_against_another(ledger: Ledger, content: ReleaseContent, against: str | None) -> bool:
    serving = ledger.serving()
    if serving is None or serving.snapshot_id == content.snapshot.snapshot_id:
        return False
    return against != serving.release_id


def _is_compared_with_another(ledger: Ledger, content: ReleaseContent, compared_with: str | None) -> bool:
    serving = ledger.serving()
    return serving is not None and serving.release_id not in (compared_with, content.release_id)


def _refuse_unsound_vectors(ledger: Ledger, content: ReleaseContent, models: ModelSettings) -> None:
    snapshot = content.snapshot
    verdict = ledger.verdict(EMBEDDING_INTEGRITY, snapshot.snapshot_id)
    if verdict is None or not verdict.passed:
        said = verdict.details.get("reason", "") if verdict else "nobody has judged them"
        raise GateError(
            f"The vectors of snapshot {snapshot.snapshot_id} are not sound: {said}. Force does not overrule this.",
            fix="Run: rag-assets ingest --all. If it stays, run rag-assets reset --yes, and ingest again.",
        )
    if content.embedding.provider not in models.all_providers():
        raise GateError(
            f"{content.release_id} embeds questions at the provider {content.embedding.provider!r}, which the "
            "configuration does not declare.",
            fix=f"Declare models.providers.{content.embedding.provider} again.",
        )
    asked = embedding_space(models.model_copy(update={"embedding": content.embedding}))
    if asked.name != snapshot.space:
        raise GateError(
            f"The vectors of snapshot {snapshot.snapshot_id} are of the space {snapshot.space}, and questions would be "
            f"embedded in {asked.name}. Force does not overrule this.",
            fix="Run: rag-assets ingest --all",
        )
