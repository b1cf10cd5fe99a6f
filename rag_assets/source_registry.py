"""Adds sources to the configuration file and removes them, leaving every other line as it was written.

Where `sources:` is written in YAML's block style, which is the usual one, lines are inserted and deleted, so comments,
order and spacing of the rest stay byte for byte. In flow style (`sources: {a: {path: x}}`) the document goes through a
round trip that keeps comments. Either way the result is validated first and then replaces the file in one step.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_assets.config import CONFIG_FILE_NAME, SourceSettings, check_source_name
from rag_assets.config_file import parse_settings
from rag_assets.errors import ConfigurationError, UnknownSourceError

NEW_FILE = (
    "# Where the documents come from. Every other setting has a default: docs/reference/configuration.md\nversion: 1\n"
)


def add_source(file: Path, name: str, options: Mapping[str, Any]) -> SourceSettings:
    """Declares the source `name` in `file`, which is created when absent, and returns its settings.

    `options` are keys of the source as the file spells them; those that are None are left out. Raises
    `ConfigurationError` when the name is bad or taken, or when the file is or would become invalid; nothing is then
    written.
    """
    try:
        check_source_name(name)
    except ValueError as error:
        raise ConfigurationError(f"{error}.", fix="Choose another name.") from None
    text = _read(file) if file.exists() else NEW_FILE
    if name in parse_settings(text, file).sources:
        raise ConfigurationError(
            f"{file} has a source named {name!r} already.", fix="Edit it there, or choose another name."
        )
    entry = {name: {key: _plain(value) for key, value in options.items() if value is not None}}
    changed = _with_entry(text, entry)
    added = parse_settings(changed, file).source(name)
    _replace(file, changed)
    return added


def remove_source(file: Path, name: str) -> None:
    """Takes the source `name` out of `file`; comments outside its own lines stay.

    Raises `UnknownSourceError` when the file does not declare it, `ConfigurationError` when there is no such file or it
    is invalid.
    """
    if not file.exists():
        raise ConfigurationError(f"The configuration file {file} does not exist.", fix=f"Create {CONFIG_FILE_NAME}.")
    text = _read(file)
    known = parse_settings(text, file).sources
    if name not in known:
        raise UnknownSourceError(
            f"{file} has no source named {name!r}; it has: {', '.join(sorted(known)) or 'none'}.",
            fix="See the names with: rag-assets sources list",
        )
    changed = _without_entry(text, name)
    parse_settings(changed, file)
    _replace(file, changed)


@dataclass(frozen=True)
class _Section:
    """Where `sources:` is, in lines from 0; `entries` maps each name to its first line and the one after its last."""

    line: int
    value_columns: tuple[int, int] | None  # of the `{}` or `null` behind the colon, when the section is empty
    entries: dict[str, tuple[int, int]]
    indent: int
    inner_indent: int
    flow: bool


def _with_entry(text: str, entry: dict[str, Any]) -> str:
    section = _find_section(text)
    if section is not None and section.flow:
        return _round_trip(text, lambda sources: sources.update(entry))
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    if section is None:
        gap = [newline] if lines and lines[-1].strip() else []
        return "".join([*lines, *gap, f"sources:{newline}", *_render(entry, 2, 2, newline)])
    if section.value_columns:
        start, end = section.value_columns
        line = lines[section.line]
        lines[section.line] = line[:start].rstrip() + line[end:]
    at = max((end for _, end in section.entries.values()), default=section.line + 1)
    return "".join([*lines[:at], *_render(entry, section.indent, section.inner_indent, newline), *lines[at:]])


def _without_entry(text: str, name: str) -> str:
    section = _find_section(text)
    if section is None or section.flow or name not in section.entries:
        return _round_trip(text, lambda sources: sources.pop(name))
    lines = text.splitlines(keepends=True)
    start, end = section.entries[name]
    if len(section.entries) == 1:
        before, colon, after = lines[section.line].partition(":")
        lines[section.line] = f"{before}{colon} {{}}{after}"
    return "".join([*lines[:start], *lines[end:]])


def _find_section(text: str) -> _Section | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import MappingNode

    document = YAML(typ="rt", pure=True).compose(io.StringIO(text))
    pairs = document.value if isinstance(document, MappingNode) else []
    found = next(((key, value) for key, value in pairs if key.value == "sources"), None)
    if found is None:
        return None
    line, value = found[0].start_mark.line, found[1]
    if not isinstance(value, MappingNode) or not value.value:
        columns = (value.start_mark.column, value.end_mark.column) if value.start_mark.line == line else None
        return _Section(line, columns, {}, indent=2, inner_indent=2, flow=False)
    if value.flow_style or document.flow_style:
        return _Section(line, None, {}, indent=0, inner_indent=0, flow=True)
    starts = [name.start_mark.line for name, _ in value.value]
    indent = value.value[0][0].start_mark.column
    lines = text.splitlines()
    entries = {}
    for (name, body), after in zip(value.value, [*starts[1:], None], strict=True):
        end = after if after is not None else body.end_mark.line + (body.end_mark.column > 0)
        entries[name.value] = (name.start_mark.line, _trimmed(lines, name.start_mark.line, end, indent))
    inner = [body.value[0][0].start_mark.column for _, body in value.value if _is_block(body)]
    return _Section(line, None, entries, indent, inner_indent=inner[0] - indent if inner else 2, flow=False)


def _is_block(node: Any) -> bool:
    from ruamel.yaml.nodes import MappingNode

    return isinstance(node, MappingNode) and bool(node.value) and not node.flow_style


def _trimmed(lines: list[str], start: int, end: int, indent: int) -> int:
    """`end` moved up over what belongs to the next entry: blank lines, comments and keys no deeper than this entry."""
    end = min(end, len(lines))
    while end > start + 1:
        line = lines[end - 1]
        if line.strip() and len(line) - len(line.lstrip()) > indent:
            break
        end -= 1
    return end


def _render(entry: dict[str, Any], indent: int, inner_indent: int, newline: str) -> list[str]:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.indent(mapping=inner_indent, sequence=4, offset=2)
    yaml.width = 4096
    out = io.StringIO()
    yaml.dump(entry, out)
    return [" " * indent + line + newline for line in out.getvalue().splitlines()]


def _round_trip(text: str, change: Any) -> str:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    document = yaml.load(text)
    change(document["sources"])
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, set, frozenset)) else value


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8 text.", fix="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None


def _replace(file: Path, text: str) -> None:
    target = file.resolve()  # a link stays a link
    temporary = target.with_name(f".{target.name}.new")
    try:
        temporary.write_bytes(text.encode("utf-8"))
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}.", fix="Make the file and its folder writable."
        ) from None
