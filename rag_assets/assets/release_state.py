"""What a release of now would be made from, as one short name: when it changes, there is something to release."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag_assets.fingerprints import fingerprint
from rag_assets.project import Project
from rag_assets.releasing.coverage import INDEXED, subject_of_index

STATE_TAG = "rag_assets/state"
STATE_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """`name` is equal for equal rows, settings and questions. `indexed` sources have been through an index step."""

    name: str
    indexed: tuple[str, ...]


def release_state(project: Project) -> ReleaseState:
    """Reads what the index steps left in the ledger, the settings, and the times of the question files; no table."""
    settings = project.settings
    table = f"vector_index__{project.generation.id}"
    sources: dict[str, Any] = {}
    for name in project.source_names:
        verdict = project.ledger.verdict(INDEXED, subject_of_index(table, name))
        sources[name] = None if verdict is None else verdict.details
    parts = {
        "generation": project.generation.id,
        "sources": sources,
        "prompts": asdict(project.prompts),
        "chat": settings.models.chat.model_dump(mode="json"),
        **_gone(project),
        "embedding": settings.models.embedding.model_dump(mode="json"),
        "retrieval": settings.retrieval.model_dump(mode="json"),
        "answering": settings.answering.model_dump(mode="json"),
        "evaluation": settings.evaluation.model_dump(mode="json"),
        "questions": _question_files(project),
    }
    return ReleaseState(
        name=fingerprint(**parts)[:STATE_LENGTH],
        indexed=tuple(name for name, details in sources.items() if details is not None),
    )


def _gone(project: Project) -> dict[str, str]:
    """The tuned model of the serving release, where its provider does not have it: then the base is to be released.

    The champion is no other part of the state. A comparison releases what it promotes, and a person who goes back to a
    release with another model goes back to its documents too: a release of the newest ones would undo that.
    """
    serving = project.ledger.serving()
    model = project.ledger.tuned_model(serving.chat_model) if serving is not None else None
    return {"gone": model.model_id} if model is not None and model.missing_since is not None else {}


def _question_files(project: Project) -> dict[str, str]:
    """Question file → its size and time of change."""
    root = project.settings.root
    found: dict[str, str] = {}
    for pattern in project.settings.evaluation.questions:
        path = Path(pattern).expanduser()
        base, relative = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (root, path)
        for file in base.glob(str(relative)):
            status = file.stat()
            found[str(file)] = f"{status.st_size}:{status.st_mtime_ns}"
    return dict(sorted(found.items()))
