"""`rag-assets doctor`: is everything here that the project needs, and if not, what mends it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from rag_assets.cli.doctor_automation import look_at_automation, look_at_daemon
from rag_assets.cli.doctor_models import look_at_models
from rag_assets.cli.doctor_spending import look_at_spending
from rag_assets.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from rag_assets.config import Settings

UI_PORT = 3000
ADD_A_SOURCE = "sources add NAME --path FOLDER"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fix` says what mends it when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def doctor(as_json: JsonOption = False) -> None:
    """Look at paths, weights, versions, keys, prompts, locks and ports; say what is wrong and what mends it.

    Example: rag-assets doctor
    """
    from rag_assets.config_file import load_settings

    settings = load_settings()
    findings = [finding for look in LOOKS for finding in _safely(look, settings)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mend = f" → {finding.fix}" if finding.fix and not finding.ok else ""
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.detail}{mend}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _safely(look: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    from rag_assets.errors import RagAssetsError

    try:
        yield from look(settings)
    except RagAssetsError as error:
        yield Finding(look.__name__.lstrip("_"), False, error.problem, error.fix)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        yield Finding(look.__name__.lstrip("_"), False, f"{where}{error.strerror}", "Make it readable and writable.")


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")


def _packages(_: Settings) -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    for name in ("dagster", "dagster-webserver", "dagster-openai", "lancedb", "pyarrow", "openai", "onnxruntime"):
        try:
            yield Finding(name, True, version(name))
        except PackageNotFoundError:
            yield Finding(name, False, "not installed", "Run: make setup")


def _configuration(settings: Settings) -> Iterator[Finding]:
    from rag_assets.config_file import find_config_file

    file = find_config_file()
    yield Finding("configuration", True, f"{file or 'built-in defaults'}, {len(settings.sources)} sources")


def _data_folder(settings: Settings) -> Iterator[Finding]:
    import os

    folder = settings.data_path
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    writable = os.access(nearest, os.W_OK)
    yield Finding("data folder", writable, str(folder), f"Make {nearest} writable, or set data_dir elsewhere.")


def _dagster_home(settings: Settings) -> Iterator[Finding]:
    from rag_assets.cli.instance import dagster_home

    home = dagster_home(settings)
    yield Finding("DAGSTER_HOME", True, f"{home}{'' if home.exists() else ' (made on first use)'}")


def _sources(settings: Settings) -> Iterator[Finding]:
    from rag_assets.documents.connectors import open_connector
    from rag_assets.errors import RagAssetsError

    if not settings.sources:
        yield Finding("sources", True, f"none yet; next: rag-assets {ADD_A_SOURCE}")
    for name, source in sorted(settings.sources.items()):
        try:
            first = next(iter(open_connector(source, root=settings.root).list()), None)
            yield Finding(f"source {name}", True, source.path if first else f"{source.path} (no documents)")
        except RagAssetsError as error:
            yield Finding(f"source {name}", False, error.problem, error.fix)


def _embedded_weights(settings: Settings) -> Iterator[Finding]:
    from rag_assets.models.embedded.weights import CheckedWeights, locate_weights

    providers = settings.models.all_providers()
    roles = (settings.models.embedding, settings.models.chat)
    if not any(providers[role.provider].kind == "embedded" for role in roles):
        return
    folder = locate_weights()
    CheckedWeights(folder).verify()
    yield Finding("weights", True, f"all-MiniLM-L6-v2 in {folder}, checksums right")


def _provider_keys(settings: Settings) -> Iterator[Finding]:
    import os

    providers = settings.models.all_providers()
    used = {role.provider for role in (settings.models.embedding, settings.models.chat)}
    for name in sorted(used):
        variable = providers[name].api_key_env
        if variable is not None and providers[name].kind != "embedded":
            present = bool(os.environ.get(variable))
            yield Finding(f"key of {name}", present, variable, f"Set the environment variable {variable}.")


def _prompts(settings: Settings) -> Iterator[Finding]:
    from rag_assets.prompts import load_prompts

    folder = settings.resolve(settings.prompts_dir) if settings.prompts_dir else None
    load_prompts(folder)
    yield Finding("prompts", True, str(folder or "as shipped"))


def _ledger(settings: Settings) -> Iterator[Finding]:
    from rag_assets.ingestion.vanished import GONE
    from rag_assets.ledger import Ledger

    with Ledger(settings.ledger_url) as ledger:
        serving = ledger.serving()
        held = [hold for hold in ledger.holds() if hold.digest != GONE]
        yield Finding("ledger", True, ledger.location)
    first = "ingest --all" if settings.sources else ADD_A_SOURCE
    yield Finding("release", True, serving.release_id if serving else f"none yet; next: rag-assets {first}")
    for hold in held:
        fix = (
            f"Is {settings.sources[hold.source].path if hold.source in settings.sources else 'its folder'} there and "
            f"mounted? If the removal is right, run: rag-assets ingest --source {hold.source} --confirm-removals"
        )
        yield Finding(f"hold of {hold.source}", False, hold.reason, fix)


def _quarantine(settings: Settings) -> Iterator[Finding]:
    from collections import Counter

    from rag_assets.ledger import Ledger

    with Ledger(settings.ledger_url) as ledger:
        failed = Counter(failure.source for failure in ledger.failures())
    limit = settings.checks.failed_documents
    for source, count in sorted(failed.items()):
        detail = f"{count:,} documents failed (warns above {limit:,})"
        fix = f"See why: rag-assets quarantine list --source {source}"
        yield Finding(f"quarantine of {source}", count <= limit, detail, fix)


def _vanished(settings: Settings) -> Iterator[Finding]:
    from rag_assets.ingestion.vanished import describe_held, fix_of_held, held_sources
    from rag_assets.project import Project

    with Project(settings) as project:
        held = held_sources(project.store, project.ledger, settings.sources)
    if held:
        yield Finding("removed sources", False, describe_held(held), fix_of_held(held, configured=settings.sources))


def _locks(settings: Settings) -> Iterator[Finding]:
    from rag_assets.store.locks import held_locks

    held = held_locks(settings.data_path / "locks")
    what = ", ".join(f"{lock.name} by process {lock.pid}" for lock in held) or "none held"
    yield Finding("locks", True, what)


def _port(_: Settings) -> Iterator[Finding]:
    import socket

    with socket.socket() as probe:
        free = probe.connect_ex(("127.0.0.1", UI_PORT)) != 0
    detail = "free" if free else "in use: by the Dagster UI, or by something else"
    yield Finding(f"port {UI_PORT}", True, detail)


LOOKS = (
    _python,
    _packages,
    _configuration,
    _data_folder,
    _dagster_home,
    _sources,
    _embedded_weights,
    _provider_keys,
    _prompts,
    _ledger,
    look_at_spending,
    _quarantine,
    _vanished,
    look_at_models,
    look_at_automation,
    look_at_daemon,
    _locks,
    _port,
)
