"""What a candidate is held against, measured now by the same questions; what is gone for good is skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag_assets.errors import (
    ConfigurationError,
    InvalidRequestError,
    ModelError,
    NoReleaseError,
    StoreError,
    TableLockedError,
    WeightsError,
)
from rag_assets.evaluation.evaluate import evaluate
from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.rules import Baseline
from rag_assets.releasing import ReleaseContent, require_kept

if TYPE_CHECKING:
    from rag_assets.models.usage import UsageSink
    from rag_assets.project import Project

GONE = (NoReleaseError, StoreError, InvalidRequestError, WeightsError)
"""Its rows were pruned, the provider knows its model no more, or its weights are removed: waiting brings none back."""


def measure_baselines(
    project: Project,
    wanted: Mapping[str, tuple[str, int]],
    questions: Sequence[GoldenQuestion],
    *,
    sources: Sequence[str] | None,
    usage: UsageSink | None,
) -> tuple[list[Baseline], dict[str, str]]:
    """The baselines of `wanted` (name → release id, and how many it was chosen from) and those that were skipped.

    Skipped: name → release id and reason. A provider that is down, full or refuses the key, a key that is missing and a
    table that is locked are raised: to compare with less because of them would let a regression pass.
    """
    found: list[Baseline] = []
    skipped: dict[str, str] = {}
    for name, (release_id, chosen_from) in wanted.items():
        try:
            release = project.release(release_id)
            require_kept(project.store, project.ledger, release)
            before = ReleaseContent.of(release, project.ledger)
            if undeclared := _undeclared(project, before):
                skipped[name] = f"{release_id}: {undeclared}"
                continue
            measured = evaluate(project, before, questions, sources=sources, usage=usage, baseline=True)
        except TableLockedError:
            raise
        except GONE as error:
            skipped[name] = f"{release_id}: {error.problem}"
        except (ModelError, ConfigurationError) as error:
            raise type(error)(
                f"There is no verdict, for the {name} release {release_id} could not be measured. {error.problem}",
                fix=f"{error.fix} Where its provider is gone for good, take it out of models.providers.".strip(),
            ) from error
        else:
            found.append(Baseline(name, release_id, measured, chosen_from))
    return found, skipped


def _undeclared(project: Project, content: ReleaseContent) -> str:
    """Which providers of `content` the configuration does not declare any more, as a sentence; empty where none."""
    declared = project.settings.models.all_providers()
    gone = sorted({role.provider for role in (content.embedding, content.chat)} - declared.keys())
    return f"The configuration does not declare {', '.join(map(repr, gone))} any more." if gone else ""
