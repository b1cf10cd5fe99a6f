"""The block of settings that many Markdown tools keep at the top of a file: YAML between `---`, TOML between `+++`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from rag_assets.documents.parsing.draft import metadata_of, one_line, to_utc
from rag_assets.documents.parsing.language import normalize

MAX_CHARACTERS = 65_536
_YAML = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_DATE_KEYS = ("date", "published", "published_at", "publish_date", "pubdate", "created")
_LANGUAGE_KEYS = ("lang", "language", "locale")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What front matter says; `length` is how many characters of the text it takes, 0 when there is none."""

    length: int = 0
    title: str | None = None
    language: str | None = None
    published_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def read(text: str) -> FrontMatter:
    """The front matter at the start of `text`. What cannot be read as settings is left to be text."""
    pattern = _YAML if text.startswith("---") else _TOML if text.startswith("+++") else None
    match = pattern.match(text, 0, MAX_CHARACTERS) if pattern else None
    if match is None:
        return FrontMatter()
    settings = _yaml(match[1]) if pattern is _YAML else _toml(match[1])
    if settings is None:
        return FrontMatter()
    values = {str(key).lower(): value for key, value in settings.items()}
    metadata = metadata_of(values)
    dates = (to_utc(values[key]) for key in _DATE_KEYS if key in values)
    languages = (normalize(metadata[key]) for key in _LANGUAGE_KEYS if key in metadata)
    return FrontMatter(
        length=match.end(),
        title=one_line(metadata.pop("title", "")) or None,
        language=next((code for code in languages if code), None),
        published_at=next((date for date in dates if date), None),
        metadata=metadata,
    )


def _yaml(text: str) -> dict[object, object] | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        loaded = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError, OverflowError, TypeError):
        # Besides its own errors it lets through those of the values' constructors ("2024-13-45").
        return None
    return loaded if isinstance(loaded, dict) else {} if loaded is None else None


def _toml(text: str) -> dict[str, object] | None:
    import tomllib

    try:
        return dict(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
