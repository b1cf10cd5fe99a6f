"""Writes the reference pages from the code: `python docs/generate.py`. A test holds the pages equal to it."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rag_assets.cli.main import app
from rag_assets.config import ExampleSetSettings, FilesSource, Price, ProviderSettings, Settings

HERE = Path(__file__).parent / "reference"
NESTED_UNDER_NAMES = {
    "sources": FilesSource,
    "examples": ExampleSetSettings,
    "models.providers": ProviderSettings,
    "models.prices": Price,
}


def configuration_page() -> str:
    """Every key of `rag_assets.yaml` with its type, its default and what it means."""
    lines = [
        "# Configuration reference",
        "",
        "Every key of `rag_assets.yaml`. Each can also be set in the environment, which goes first:",
        "`RAG_ASSETS__CHUNKING__MAX_TOKENS=200`. The file is found by `--config`, by `RAG_ASSETS_CONFIG`, or as the",
        "nearest `rag_assets.yaml` upwards from the working folder; relative paths in it start at its own folder.",
    ]
    return "\n".join([*lines, *_section("", Settings)]) + "\n"


def _section(prefix: str, model: type[BaseModel]) -> list[str]:
    title = f"`{prefix}`" if prefix else "Top level"
    lines = ["", f"## {title}", ""]
    if prefix and model.__doc__:
        lines += [" ".join(model.__doc__.split()), ""]
    lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    below: list[str] = []
    for name, field in model.model_fields.items():
        if name == "root":
            continue
        key = f"{prefix}.{name}" if prefix else name
        nested = NESTED_UNDER_NAMES.get(key)
        if nested is not None:
            lines.append(f"| `{name}` | a section per name | none | see below |")
            below += _section(f"{key}.NAME", nested)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            lines.append(f"| `{name}` | section | | see below |")
            below += _section(key, field.annotation)
        else:
            lines.append(f"| `{name}` | {_type(field)} | {_default(field)} | {field.description or ''} |")
    return lines + below


def _type(field: FieldInfo) -> str:
    return _type_name(field.annotation)


def _type_name(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if arguments:
        return " or ".join(_type_name(one) for one in arguments if one is not type(None))
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return names.get(getattr(annotation, "__name__", ""), str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    shown = list(default) if isinstance(default, tuple) else default
    return f"`{shown}`" if shown != "" else "empty"


def command_page() -> str:
    """The help of every command."""
    lines = ["# Command line reference", "", "What `rag-assets COMMAND --help` prints.", ""]
    lines += [
        "Exit codes: 0 success; 1 an error; 2 wrong usage; 3 done, but some documents or sources failed.",
    ]
    command = typer.main.get_command(app)
    return "\n".join([*lines, *_help(command, ["rag-assets"])]) + "\n"


def _help(command: Any, path: list[str]) -> list[str]:
    context = click_context(command, path)
    lines = ["", f"## `{' '.join(path)}`", "", "```text", command.get_help(context).rstrip(), "```"]
    for name, child in sorted(getattr(command, "commands", {}).items()):
        lines += _help(child, [*path, name])
    return lines


def click_context(command: Any, path: list[str]) -> Any:
    """A context that renders help at a fixed width."""
    return command.context_class(command, info_name=" ".join(path), terminal_width=100, max_content_width=100)


PAGES = {"configuration.md": configuration_page, "commands.md": command_page}

if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for file_name, render in PAGES.items():
        (HERE / file_name).write_text(render(), "utf-8")
