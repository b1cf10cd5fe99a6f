"""Reads the configuration: the file, the environment's overrides, and errors that name file, key and fix.

Read per run and per tick by `load_settings`; nothing here is read when a module is imported. Order of precedence:
environment (`RAG_ASSETS__CHUNKING__MAX_TOKENS=200`), then the file, then the defaults in `config.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rag_assets.config import CONFIG_FILE_NAME, FilesSource, ProviderSettings, Settings
from rag_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

CONFIG_FILE_VARIABLE = "RAG_ASSETS_CONFIG"
OVERRIDE_PREFIX = "RAG_ASSETS__"
PLAIN_MESSAGES = {
    "model_type": "it must hold keys and values",
    "dict_type": "it must hold keys and values",
    "tuple_type": "it must be a list",
    "missing": "it must be given",
}
"""What Pydantic says in terms of Python's types, by its type of error."""


def find_config_file(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Path | None:
    """The configuration file: `path`, or the one the environment names, or the nearest one upwards from here."""
    environment = os.environ if environment is None else environment
    named = path or (Path(environment[CONFIG_FILE_VARIABLE]) if environment.get(CONFIG_FILE_VARIABLE) else None)
    if named is not None:
        if named.is_dir():
            raise ConfigurationError(
                f"The configuration file {named} is a folder.", fix=f"Name the file in it: {named / CONFIG_FILE_NAME}"
            )
        if not named.is_file():
            another = "name another one" if path else f"unset {CONFIG_FILE_VARIABLE} to use the nearest one"
            raise ConfigurationError(f"The configuration file {named} does not exist.", fix=f"Create it, or {another}.")
        return named.resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_FILE_NAME).is_file():
            return folder / CONFIG_FILE_NAME
    return None


def load_settings(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads and validates the configuration. With no file the defaults hold, rooted at the working folder.

    Raises `ConfigurationError` that names the file, the key and the fix.
    """
    environment = os.environ if environment is None else environment
    file = find_config_file(path, environment)
    raw = _read_yaml(file) if file else {}
    origins = _apply_overrides(raw, environment)
    raw.pop("root", None)
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise _explain(error, file, origins) from None
    return settings.rooted(file.parent if file else Path.cwd().resolve())


def varied_settings(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """`settings` with other values: `retrieval.mode` → `vector`, each value as it would stand in the YAML file.

    Raises `ConfigurationError` that names the change and the fix.
    """
    raw = settings.model_dump(mode="json", exclude_unset=True)
    origins = {
        _write_value(raw, tuple(name.split(".")), value, f"The change {name}"): f"the change {name}={value}"
        for name, value in changes.items()
    }
    try:
        varied = Settings.model_validate(raw)
    except ValidationError as error:
        raise _explain(error, None, origins) from None
    return varied.rooted(settings.root)


def parse_settings(text: str, file: Path) -> Settings:
    """The settings that `text` would give as the content of `file`, environment overrides left aside.

    Raises `ConfigurationError`.
    """
    try:
        settings = Settings.model_validate(_parse_yaml(text, file))
    except ValidationError as error:
        raise _explain(error, file, {}) from None
    return settings.rooted(file.parent)


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        return _parse_yaml(file.read_text("utf-8"), file)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8 text.", fix="Save it as UTF-8.") from None


@lru_cache(maxsize=4)
def _loaded_yaml(text: str) -> Any:
    """What `text` holds. Remembered, because a run reads the same file for each of its steps."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)


def _parse_yaml(text: str, file: Path) -> dict[str, Any]:
    from ruamel.yaml.error import YAMLError

    try:
        loaded = deepcopy(_loaded_yaml(text))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigurationError(f"{file}{where} is not valid YAML: {what}.", fix="Mend that line.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigurationError(f"{file} must hold keys and values, not a {type(loaded).__name__}.")
    # A section whose lines are all commented out is read as null; it means the defaults.
    return {key: value for key, value in loaded.items() if value is not None}


def _apply_overrides(raw: dict[str, Any], environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Writes `RAG_ASSETS__A__B=value` into `raw["a"]["b"]`; returns where which key came from."""
    origins: dict[tuple[str, ...], str] = {}
    for name in sorted(environment):
        if name.startswith(OVERRIDE_PREFIX):
            keys = tuple(part.lower() for part in name.removeprefix(OVERRIDE_PREFIX).split("__"))
            _write_value(raw, keys, environment[name], f"The environment variable {name}")
            origins[keys] = f"the environment variable {name}"
    return origins


def _write_value(raw: dict[str, Any], keys: tuple[str, ...], text: str, origin: str) -> tuple[str, ...]:
    """Writes what `text` means in YAML below `keys`, which it returns. A mapping on one line is written in braces."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        value = text
    if isinstance(value, dict) and not text.lstrip().startswith("{") and "\n" not in text:
        value = text  # "passage: ", as the prefixes of many embedding models are written
    target = raw
    for key in keys[:-1]:
        child = target.setdefault(key, {})
        if not isinstance(child, dict):
            raise ConfigurationError(f"{origin} goes below {key!r}, which is a value.")
        target = child
    target[keys[-1]] = value
    return keys


def _explain(error: ValidationError, file: Path | None, origins: dict[tuple[str, ...], str]) -> ConfigurationError:
    # A misspelt key often causes the other problems (its section then lacks a value), so it goes first.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    keys = tuple(str(part) for part in first["loc"])
    key = ".".join(keys)
    origin = origins.get(keys)
    where = origin or str(file or "the configuration")
    more = f" {error.error_count() - 1} more problem(s) follow." if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return ConfigurationError(
            f"{where}: the key '{key}' is not known.{more}", fix=_suggest(keys) or "Remove it or mend its spelling."
        )
    if keys[-1:] == ("[key]",) or first["type"] == "invalid_key":
        return _unquoted_key(where, first, more)
    shown = f" (found {first['input']!r})" if _may_be_shown(keys, first["input"]) else ""
    message = PLAIN_MESSAGES.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    return ConfigurationError(
        f"{where}: {f'the key {key!r}' if key else 'the configuration'} is wrong: {message}{shown}.{more}",
        fix=first.get("ctx", {}).get("fix")
        or "Mend the value; the reference of all keys is docs/reference/configuration.md.",
    )


def _unquoted_key(where: str, problem: ErrorDetails, more: str) -> ConfigurationError:
    """YAML reads `1:` as a number, `true:` as a truth value and `2026-01-01:` as a date."""
    above = ".".join([str(part) for part in problem["loc"] if part != "[key]"][:-1])
    below = f" below {above!r}" if above else ""
    return ConfigurationError(
        f"{where}: the key {problem['input']}{below} is not text.{more}",
        fix="Put it in quotes, or choose another name.",
    )


def _may_be_shown(keys: tuple[str, ...], value: Any) -> bool:
    """Whether a message may repeat what it found. Where a key or a URL with its password may have been put, it may not.

    Errors end in the event log of a run, which is kept.
    """
    if not isinstance(value, str):
        return not isinstance(value, (dict, list))
    secret_place = keys[:1] == ("ledger",) or keys[:2] == ("models", "providers") or keys[-1:] == ("path",)
    return not secret_place and "://" not in value


def _suggest(keys: tuple[str, ...]) -> str:
    import difflib

    section: Any = Settings
    for key in keys[:-1]:
        fields = getattr(section, "model_fields", {})
        if key not in fields:
            section = FilesSource if keys[0] == "sources" else ProviderSettings
            continue
        section = fields[key].annotation
    known = list(getattr(section, "model_fields", {}))
    close = difflib.get_close_matches(keys[-1], known, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known keys here: {', '.join(name for name in known if name != 'root')}." if known else ""
