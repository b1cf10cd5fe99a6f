"""The prompts that a text about a topic is asked for with, and that posts are trained on: the same words in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_assets.prompts import fill, template

SYSTEM_FILE = "write.system.md"
USER_FILE = "write.user.md"


@dataclass(frozen=True, slots=True)
class WritePrompts:
    """The templates for writing. No part of a release: a person reads a text before it is used."""

    system: str
    user: str

    def messages(
        self,
        *,
        topic: str,
        passages: str,
        refusal: str,
        words: int,
        style: str | None = None,
        shown: Sequence[tuple[str, str]] = (),
    ) -> list[dict[str, str]]:
        """The chat messages for `topic`, which like `passages` is already rendered and escaped.

        `shown` are topics and texts in the style that is wanted; they stand before the topic as earlier turns.
        """
        manner = f'Write in the style "{style}".' if style else "Write plainly."
        turns = [{"role": "system", "content": fill(self.system, {"style": manner, "refusal": refusal})}]
        for earlier, text in shown:
            turns += [{"role": "user", "content": f"Write about: {earlier}"}, {"role": "assistant", "content": text}]
        asked = fill(self.user, {"passages": passages, "topic": topic, "words": str(words)})
        return [*turns, {"role": "user", "content": asked}]


def load_write_prompts(prompts_dir: Path | None = None) -> WritePrompts:
    """The shipped templates, or those of the same name in `prompts_dir`. Raises `ConfigurationError`."""
    return WritePrompts(system=template(SYSTEM_FILE, prompts_dir), user=template(USER_FILE, prompts_dir))
