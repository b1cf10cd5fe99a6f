"""What every section of the configuration has in common, and the checks that several of them make."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Section(BaseModel):
    # Pydantic's own messages would repeat what was found, which may be a secret in the wrong place.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def checked_variable_name(name: str | None) -> str | None:
    """Returns `name` when an environment variable can have it. Raises `ValueError`, which does not repeat it.

    The message keeps silent on it because a user may have put the secret itself there.
    """
    if name is not None and not _VARIABLE_NAME.fullmatch(name):
        raise ValueError(
            "this is not the name of an environment variable; "
            "put the name of the variable here, not the key or URL itself"
        )
    return name


def checked_cron(line: str | None) -> str | None:
    """Returns `line` when it is a cron line of five fields. Raises `ValueError`."""
    if line is not None:
        from croniter import croniter

        if len(line.split()) != 5 or not croniter.is_valid(line):
            raise ValueError(f"{line!r} is not a cron line of five fields, such as '0 6 * * 1-5'")
    return line


def checked_language(code: str | None) -> str | None:
    if code is not None and not re.fullmatch("[a-z]{2}", code):
        raise ValueError("a language is an ISO 639-1 code of two lower-case letters, such as 'en'")
    return code
