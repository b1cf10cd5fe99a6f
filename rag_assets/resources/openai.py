"""The Dagster face of a model provider: dagster-openai's resource with usage that adds up.

A drop-in for `OpenAIResource`: the same fields, methods and metadata keys (`openai.<model>.calls`, `.total_tokens`,
`.prompt_tokens`, `.completion_tokens`), and cost beside them. The stock class counts by wrapping methods of one client
that all steps share, which fails the second asset of an in-process run, counts n calls as n(n+1)/2 when a client is
taken n times, breaks on streams, raw responses and servers without usage, overlooks every other way to make a call,
and forgets the attempts before a retry. Here each `get_client` makes a client of its own, and what it receives is
counted on the HTTP layer (`models/metering.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import dagster as dg
from dagster._core.execution.context.invocation import DirectAssetExecutionContext
from pydantic import Field, PrivateAttr

from rag_assets.config import ProviderSettings, Settings
from rag_assets.config_file import load_settings
from rag_assets.errors import BudgetError, ConfigurationError
from rag_assets.ledger import Ledger
from rag_assets.models.client import make_client
from rag_assets.models.metering import HttpMeter
from rag_assets.models.usage import UsageMeter, UsageTotal
from rag_assets.resources.project import as_failure
from rag_assets.resources.stock import stock_resource

if TYPE_CHECKING:
    import openai
    from dagster_openai import OpenAIResource
else:
    OpenAIResource = stock_resource()

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext
_KEY = "api_key_of_the_resource"
ASSET_CHARACTERS, SOURCE_CHARACTERS = 128, 64
"""As many as the ledger's columns hold; assets and partitions of other projects may have longer names."""


class ProviderResource(OpenAIResource):
    """Clients of one provider. With no field set it is the provider of the configured embedding model.

    Settings are read when a client is taken, never when the code location loads. What a client of a configured
    provider is asked over HTTP is recorded in the ledger for the asset, its partition and its run, and kept to the
    budgets of `spend`: a call that does not fit raises `BudgetError` and is not sent. A step that lets that pass fails
    and is not retried.

    With `api_key` or `base_url` the configuration is not consulted, as with the stock class, so that there is neither a
    ledger nor a budget: `ProviderResource(api_key=dg.EnvVar("OPENAI_API_KEY"))`.
    """

    api_key: str = Field(default="", description="A key, by EnvVar; empty: the configuration names its variable.")
    provider: str | None = Field(default=None, description="A name below models.providers, `openai` or `embedded`.")
    timeout_seconds: float = Field(default=60.0, description="Used with api_key or base_url.")
    max_retries: int = Field(default=4, description="Used with api_key or base_url.")
    config_file: str | None = Field(default=None, description="As for the project resource.")

    _meters: dict[tuple[Hashable, ...], UsageMeter] = PrivateAttr(default_factory=dict)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def _is_dagster_maintained(cls) -> bool:
        return False

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Makes no client: each `get_client` has its own."""

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Closes nothing: each client was closed by its `get_client`."""

    def _get_client(
        self, context: Context, asset_key: dg.AssetKey | None = None
    ) -> Generator[openai.Client, None, None]:
        """What `get_client` and `get_client_for_asset` of the base class run.

        On leaving, the usage of all clients taken for this asset in this run, earlier attempts of the step included,
        becomes metadata of its materialization. In an op or a check, which have none, it is logged.
        """
        asset = context if isinstance(context, dg.AssetExecutionContext) else None
        output = _output_name(asset, asset_key) if asset else None
        meter = self._meter_for(asset, output) if asset and output else UsageMeter()
        try:
            with self._open_client(meter, _purpose(context, asset_key)) as client:
                yield client
        except BudgetError as error:
            raise as_failure(error) from error
        finally:
            metadata = usage_metadata(meter)
            if asset and output:
                asset.add_output_metadata(metadata, output_name=output)
            elif metadata:
                context.log.info(", ".join(f"{key}={value}" for key, value in metadata.items()))

    def _meter_for(self, context: dg.AssetExecutionContext, output: str) -> UsageMeter:
        """The meter of one asset of one step. A retry in this process goes on with it; a new process starts at zero."""
        with self._lock:
            return self._meters.setdefault(
                (context.run.run_id, context.op_execution_context.op_handle, output), UsageMeter()
            )

    @contextmanager
    def _open_client(self, meter: UsageMeter, purpose: _Purpose) -> Iterator[openai.Client]:
        """A client that keeps to the limits of its provider and to the budgets together with all runs that share the
        project's ledger."""
        name, settings, configured = self._resolve()
        prices = configured.models.prices if configured else {}
        with ExitStack() as opened:
            ledger = accounts = None
            if configured and settings.kind == "openai":
                ledger = opened.enter_context(Ledger(configured.ledger_url))
                accounts = ledger.usage_sink(**purpose, limits=configured.spend)
            observer = HttpMeter(meter, provider=name, kind=settings.kind, prices=prices, accounts=accounts)
            opened.callback(observer.close)
            client = make_client(
                name,
                settings,
                environment={_KEY: self.api_key} if settings.api_key_env == _KEY else None,
                observer=observer,
                limits=ledger,
            )
            if self.project:
                client.project = self.project
            yield opened.enter_context(client)

    def _resolve(self) -> tuple[str, ProviderSettings, Settings | None]:
        """The provider's name and settings, and the configuration where that is consulted."""
        if self.api_key or self.base_url:
            settings = ProviderSettings(
                base_url=self.base_url,
                api_key_env=_KEY if self.api_key else None,
                organization=self.organization,
                timeout_seconds=self.timeout_seconds,
                max_retries=self.max_retries,
            )
            return self.provider or "openai", settings, None
        configured = load_settings(Path(self.config_file) if self.config_file else None)
        name = self.provider or configured.models.embedding.provider
        known = configured.models.all_providers()
        if name not in known:
            raise ConfigurationError(
                f"The resource names the provider {name!r}, which is not declared.",
                fix=f"Add models.providers.{name}, or use one of: {', '.join(sorted(known))}.",
            )
        return name, known[name], configured


def usage_metadata(meter: UsageMeter) -> dict[str, int | float]:
    """What was used, by model, as numbers under stable keys. The cost is absent while a price is unknown."""
    return {
        f"openai.{model}.{key}": value for model, total in meter.by_model().items() for key, value in _numbers(total)
    }


def _numbers(total: UsageTotal) -> list[tuple[str, int | float]]:
    numbers: list[tuple[str, int | float]] = [
        ("calls", total.calls),
        ("total_tokens", total.input_tokens + total.output_tokens),
        ("prompt_tokens", total.input_tokens),
        ("completion_tokens", total.output_tokens),
        ("requests", total.requests),
        ("estimated_calls", total.estimated_calls),
    ]
    return numbers if total.unpriced_calls else [*numbers, ("cost_usd", total.cost_usd)]


class _Purpose(TypedDict, total=False):
    run_id: str
    asset: str
    source: str | None


def _purpose(context: Context, asset_key: dg.AssetKey | None) -> _Purpose:
    """What the calls are for: run, asset (or check, or op) and partition, as far as there are any."""
    if isinstance(context, DirectAssetExecutionContext):  # made by hand, outside of a run
        return {}
    if isinstance(context, dg.AssetExecutionContext):
        keys = context.selected_asset_keys
        key = asset_key or (next(iter(keys)) if len(keys) == 1 else None)
        asset = key.to_user_string() if key else context.op_execution_context.op.name
    elif isinstance(context, dg.AssetCheckExecutionContext):
        asset = context.op_execution_context.op.name
    else:
        asset = context.op.name
    source = context.partition_key[:SOURCE_CHARACTERS] if context.has_partition_key else None
    return {"run_id": context.run.run_id, "asset": asset[:ASSET_CHARACTERS], "source": source}


def _output_name(context: dg.AssetExecutionContext, asset_key: dg.AssetKey | None) -> str | None:
    """The output whose metadata gets the usage; None in a direct call, whose context was built by hand."""
    if isinstance(context, DirectAssetExecutionContext):
        return None
    if asset_key is None and len(context.assets_def.keys_by_output_name) > 1:
        raise dg.DagsterInvariantViolationError(
            "This asset function has several assets: use get_client_for_asset(context, asset_key)."
        )
    output: str = context.output_for_asset_key(asset_key or context.asset_key)
    return output
