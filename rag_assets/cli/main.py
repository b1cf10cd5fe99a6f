"""The entry point: gathers the commands and turns errors into one line and an exit code.

Exit codes: 0 success; 1 an error; 2 wrong usage of the command line; 3 done, but some documents or sources failed;
4 evaluated, and a gate did not pass.
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from rag_assets.cli import (
    answers,
    costs,
    dev,
    doctor,
    estimate,
    evaluate,
    generations,
    ingest,
    lineage,
    models,
    quarantine,
    rate,
    releases,
    reset,
    sources,
    trigger,
    tune,
    write,
)
from rag_assets.cli.output import complain, print_json, report_error
from rag_assets.errors import DISK_ERRORS, RagAssetsError
from rag_assets.memory import keep_little

GC_THRESHOLDS = (300_000, 50, 10)
"""Allocations between two collections, and collections of one generation between two of the next. At the defaults
(700, 10, 10) they take a sixth of the time that imports take."""

app = typer.Typer(
    name="rag-assets",
    help="Documents in, cited answers out: ingest sources through Dagster, release the index, ask it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("doctor")(doctor.doctor)
app.add_typer(sources.app, name="sources")
app.command("costs")(costs.costs)
app.command("estimate")(estimate.estimate)
app.command("ingest")(ingest.ingest)
app.command("search")(answers.search)
app.command("ask")(answers.ask)
app.command("write")(write.write)
app.command("rate")(rate.rate)
app.command("lineage")(lineage.lineage)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(releases.app, name="releases")
app.add_typer(generations.app, name="generations")
app.add_typer(evaluate.app, name="eval")
app.add_typer(models.app, name="models")
app.command("tune")(tune.tune)
app.command("trigger")(trigger.trigger)
app.command("dev")(dev.dev)
app.command("reset")(reset.reset)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("rag_assets"))
        raise typer.Exit


@app.callback()
def root(
    config: Annotated[
        Path | None, typer.Option(help="The configuration file; by default the nearest rag_assets.yaml.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options of every command."""
    from rag_assets.config_file import CONFIG_FILE_VARIABLE, find_config_file

    file = find_config_file(config)
    if config is not None:  # absolute, for a command or a process it starts may work in another folder
        os.environ[CONFIG_FILE_VARIABLE] = str(file)
    _load_env_file((file.parent if file else Path.cwd()) / ".env")


def _load_env_file(file: Path) -> None:
    """Reads `.env` beside the configuration, as Dagster's commands do; what the environment says already stays."""
    if not file.is_file():
        return
    from dotenv import load_dotenv

    from rag_assets.errors import ConfigurationError

    try:
        load_dotenv(file)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}.", fix="Make it readable, or remove it."
        ) from None
    except ValueError:  # bytes of another encoding, or a NUL, which no environment variable can hold
        raise ConfigurationError(f"{file} is not UTF-8 text.", fix="Save it as UTF-8.") from None


def main() -> None:
    """Runs the command line. An error that a user can act on is one line on stderr, never a traceback."""
    keep_little()
    gc.set_threshold(*GC_THRESHOLDS)
    # The end of the process frees everything at once. Going through all objects for it first took a second.
    atexit.register(gc.freeze)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal or a file name holds may not be encodable
        sys.stdout.reconfigure(errors="replace")
    try:
        _run()
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _drop_output()
        raise SystemExit(141) from None
    except OSError as error:
        if error.errno not in (*DISK_ERRORS, errno.EROFS):
            raise
        _drop_output()
        with suppress(OSError):  # stderr may go to the same disk
            complain(f"error: Nothing more can be written: {error.strerror}. What was finished before is kept.")
        raise SystemExit(1) from None


def _run() -> None:
    try:
        app()
    except RagAssetsError as error:
        report_error(error, as_json=_wants_json())
        raise SystemExit(1) from None
    except SystemExit as stopped:  # Typer has said on stderr what is wrong with the command line
        say = getattr(stopped.__context__, "format_message", None)
        if say is not None and _wants_json():
            print_json({"error": {"type": "UsageError", "problem": say(), "fix": "Add --help to see how it is used."}})
        raise
    except OSError:
        raise  # `main` knows how to tell it, also where it was our own output that could not be written
    except Exception as error:
        from rag_assets.cli.faults import storage_fault

        fault = storage_fault(error)
        if fault is None:
            raise
        report_error(fault, as_json=_wants_json())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What was finished is kept; the next run goes on from there.\n")
        raise SystemExit(130) from None


def _drop_output() -> None:
    """Leaves nothing that Python could fail to flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _wants_json() -> bool:
    return "--json" in sys.argv


if __name__ == "__main__":
    main()
