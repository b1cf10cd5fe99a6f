"""What a set of examples, and a tuning of all of them, would be made from now, each as one short name.

When a name changes there is something to do. Equal names are equal files, questions, ratings and settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag_assets.config import ExampleSetSettings
from rag_assets.fingerprints import fingerprint
from rag_assets.project import Project

STATE_LENGTH = 16
NOT_IN_STATE = {"watch"}
NOT_TRAINED_WITH = {"start", "comparison"}
EXAMPLES_ASSET = "training_examples"


def example_set_state(project: Project, name: str) -> str:
    """The state of one set. Looks at sizes and times of files, and opens none of them."""
    settings = project.settings.example_set(name)
    parts = {
        "settings": settings.model_dump(mode="json", exclude=NOT_IN_STATE),
        "validation_share": project.settings.tuning.validation_share,
        "content": _content(project, settings),
    }
    return fingerprint(**parts)[:STATE_LENGTH]


def tuning_state(project: Project) -> str | None:
    """The state of what a model would be tuned on and how; None while no set of examples was collected.

    Only what was collected counts. The index does not: other passages alone start no tuning, which costs money.
    """
    collected = {name: _collected(project, name) for name in sorted(project.settings.examples)}
    if not any(collected.values()):
        return None
    settings = project.settings
    parts: dict[str, Any] = {
        "examples": collected,
        "tuning": settings.tuning.model_dump(mode="json", exclude=NOT_TRAINED_WITH),
        "provider": settings.tuning.provider or settings.models.chat.provider,
        "base_model": settings.tuning.base_model or settings.models.chat.model,
        "spend": settings.spend.model_dump(mode="json"),
        "prices": {name: price.model_dump(mode="json") for name, price in sorted(settings.models.prices.items())},
    }
    return fingerprint(**parts)[:STATE_LENGTH]


def _collected(project: Project, name: str) -> str | None:
    newest = project.ledger.stage_runs(EXAMPLES_ASSET, name, limit=1)
    return newest[0].data_version if newest else None


def _content(project: Project, settings: ExampleSetSettings) -> Any:
    if settings.kind == "golden":
        return _files(project.settings.root, project.settings.evaluation.questions)
    if settings.kind == "ratings":
        newest = project.ledger.ratings(limit=1)
        return newest[0].created_at.isoformat() if newest else None
    return _files(project.settings.root, settings.files)


def _files(root: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    """File → its size and time of change. A file that goes while it is looked at is as good as gone."""
    found: dict[str, str] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        base, relative = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (root, path)
        for file in base.glob(str(relative)):
            try:
                status = file.stat()
            except FileNotFoundError:
                continue
            found[str(file)] = f"{status.st_size}:{status.st_mtime_ns}"
    return dict(sorted(found.items()))
