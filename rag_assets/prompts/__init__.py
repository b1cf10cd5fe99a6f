"""Prompt templates: Markdown files that a project may replace, and that a release keeps word for word.

A template is plain text with placeholders in double braces. A project that sets `prompts_dir` replaces any of the files
by one of the same name in that folder.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from rag_assets.errors import ConfigurationError
from rag_assets.fingerprints import fingerprint

SYSTEM_FILE = "answer.system.md"
USER_FILE = "answer.user.md"
REFUSAL_FILE = "refusal.md"
JUDGE_FILE = "judge.md"
REQUIRED_PLACEHOLDERS = {
    SYSTEM_FILE: ("refusal",),
    USER_FILE: ("passages", "question"),
    REFUSAL_FILE: (),
    JUDGE_FILE: ("question", "accepted", "answer"),
    "write.system.md": ("style", "refusal"),
    "write.user.md": ("passages", "topic"),
}
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates of one release. `refusal` is the exact sentence that means "not answerable"."""

    system: str
    user: str
    refusal: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(**asdict(self))

    def messages(self, *, passages: str, question: str) -> list[dict[str, str]]:
        """The chat messages for `question`; `passages` and `question` are already rendered and escaped."""
        values = {"passages": passages, "question": question, "refusal": self.refusal}
        return [
            {"role": "system", "content": fill(self.system, values)},
            {"role": "user", "content": fill(self.user, values)},
        ]


def judge_messages(text: str, *, question: str, accepted: str, answer: str) -> list[dict[str, str]]:
    """The chat messages that ask for a verdict; the values are already written so that none can end its place."""
    return [{"role": "user", "content": fill(text, {"question": question, "accepted": accepted, "answer": answer})}]


def fill(text: str, values: dict[str, str]) -> str:
    """`text` with the placeholders that `values` names replaced, each once: values are not looked through again."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def load_prompts(prompts_dir: Path | None = None) -> Prompts:
    """The shipped templates, each replaced by the file of the same name in `prompts_dir` where there is one.

    Raises `ConfigurationError` for a folder that does not exist and for a template that cannot be read, is empty or
    lacks a required placeholder.
    """
    if prompts_dir is not None and not prompts_dir.is_dir():
        raise ConfigurationError(
            f"prompts_dir: the folder {prompts_dir} does not exist.", fix="Create it, or remove prompts_dir."
        )
    return Prompts(
        system=template(SYSTEM_FILE, prompts_dir),
        user=template(USER_FILE, prompts_dir),
        refusal=template(REFUSAL_FILE, prompts_dir),
    )


def load_judge_prompt(prompts_dir: Path | None = None) -> str:
    """The template that a judge of answers is asked with; replaced and checked like the others."""
    return template(JUDGE_FILE, prompts_dir)


def template(name: str, prompts_dir: Path | None) -> str:
    """One template, replaced and checked. Raises `ConfigurationError`."""
    replacement = prompts_dir / name if prompts_dir else None
    if replacement is not None and replacement.is_file():
        text = _read(replacement).strip()
    else:
        text = (files("rag_assets.prompts") / name).read_text("utf-8").strip()
    missing = [key for key in REQUIRED_PLACEHOLDERS[name] if f"{{{{{key}}}}}" not in text]
    if missing or not text:
        what = f"lacks the placeholder {{{{{missing[0]}}}}}" if text else "is empty"
        fix = "Add it to the template." if text else "Write it, or remove the file to use the shipped one."
        raise ConfigurationError(f"The prompt template {replacement or name} {what}.", fix=fix)
    return text


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"The prompt template {file} is not UTF-8 text.", fix="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(
            f"The prompt template {file} cannot be read: {error.strerror}.", fix="Make it readable."
        ) from None
