"""Where documents come from."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from rag_assets.config.section import Section, checked_cron, checked_language

SOURCE_NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
SOURCES_WARN_ABOVE = 1_000
SOURCES_MAX = 5_000
_CHAINED_URL = re.compile(r"::(?=[\w+.-]+://|/)")
# `user:password@` right behind the protocol; `host:80/x@y` is no such thing.
_PASSWORD = re.compile(r"://[^/@:\[]*:(?!\d*(?:/|$))[^@]*@")


class FilesSource(Section):
    """A folder, or any fsspec URL (`s3://bucket/prefix`), read by the `files` connector."""

    connector: Literal["files"] = Field(default="files", description="What lists and loads the documents.")
    path: str = Field(min_length=1, description="A folder, relative to the configuration file, or an fsspec URL.")
    include: tuple[str, ...] = Field(default=("**/*",), description="Glob patterns a file must match one of.")
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns a file must match none of.")
    language: str | None = Field(default=None, description="ISO 639-1 code; detected per document when absent.")
    token_budget: int = Field(default=5_000_000, gt=0, description="The most tokens this source's chunks may total.")
    allowed_groups: tuple[str, ...] = Field(
        default=(), description="Who may see it, by `ask --group`; empty means everyone."
    )
    max_removed_fraction: float = Field(
        default=0.5, ge=0, le=1, description="A larger share gone at once holds the source for confirmation."
    )
    max_file_bytes: int = Field(default=50_000_000, gt=0, description="A larger file is recorded as failed.")
    watch: bool = Field(default=True, description="Ingest when its files change; see `automation.watch_files`.")
    refresh_cron: str | None = Field(default=None, description="Ingest also at these times: a cron line, in UTC.")

    @field_validator("refresh_cron")
    @classmethod
    def _cron(cls, line: str | None) -> str | None:
        return checked_cron(line)

    @field_validator("path")
    @classmethod
    def _no_password(cls, path: str) -> str:
        # A path is shown in lists, errors and metadata.
        if any(_PASSWORD.search(part) for part in _CHAINED_URL.split(path)):
            raise ValueError(
                "the URL holds a password; leave it out and give it where the protocol looks for credentials: "
                "its environment variables, the SSH configuration, or a configuration file of fsspec"
            )
        return path

    @field_validator("language")
    @classmethod
    def _language(cls, code: str | None) -> str | None:
        return checked_language(code)


# A union over `connector` once there is a second one; the alias keeps signatures stable until then.
SourceSettings = FilesSource


def check_source_name(name: str) -> str:
    """Returns `name` when it can be a partition key, a table name and a folder name. Raises `ValueError`."""
    return _checked_name(name, "a source name")


def check_set_name(name: str) -> str:
    """The same for the name of a set of examples."""
    return _checked_name(name, "a name of a set of examples")


def _checked_name(name: str, what: str) -> str:
    if not SOURCE_NAME_PATTERN.fullmatch(name):
        raise ValueError(
            f"{name!r} is not {what}: use lower-case letters, digits, '-' and '_', at most 64, "
            "starting with a letter or digit"
        )
    return name
