"""The texts that show a style: posts of the sets of examples that teach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from rag_assets.project import Project

SHOWN = 3
"""Three texts show a manner; more of them cost tokens with every text that is written."""


@dataclass(frozen=True, slots=True)
class StyleText:
    """A text in the style, and what it is about."""

    topic: str
    text: str


def styles(project: Project) -> dict[str, list[str]]:
    """Style → the sets of examples that teach it, by the configuration of now."""
    found: dict[str, list[str]] = {}
    for name, settings in sorted(project.settings.examples.items()):
        if settings.style:
            found.setdefault(settings.style, []).append(name)
    return found


def texts_of_style(project: Project, style: str | None, topic: str, *, most: int = SHOWN) -> list[StyleText]:
    """The texts of `style` whose topics share most words with `topic`; none without a style.

    Raises `ConfigurationError` for a style that no set teaches, and where its sets were not collected yet.
    """
    if style is None:
        return []
    known = styles(project)
    if style not in known:
        names = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(
            f"No set of examples teaches the style {style!r}; styles: {names}.",
            fix="Set style of a set of posts under examples in rag_assets.yaml.",
        )
    found = [text for name in known[style] for text in _texts(project, name)]
    if not found:
        raise ConfigurationError(
            f"The examples of the style {style!r} were not collected yet.", fix="Run: rag-assets tune"
        )
    wanted = set(topic.casefold().split())
    return sorted(found, key=lambda one: (-len(wanted & set(one.topic.casefold().split())), one.topic, one.text))[:most]


def _texts(project: Project, name: str) -> list[StyleText]:
    table = project.store.training_examples(name)
    if not table.exists():
        return []
    rows = table.rows(columns=["prompt", "answer"]).to_pylist()
    return [StyleText(row["prompt"], row["answer"]) for row in rows]
