"""What runs without a person, and where tables and ledger are."""

from __future__ import annotations

from pydantic import Field, field_validator

from rag_assets.config.section import Section, checked_cron, checked_variable_name


class AutomationSettings(Section):
    """What starts runs without a person. Each is also a switch in Dagster's UI."""

    watch_files: bool = Field(default=True, description="Ingest a source when its files change.")
    sync_sources: bool = Field(default=True, description="Keep Dagster's partitions in step with `sources`.")
    release_when_settled: bool = Field(default=True, description="Evaluate and release once ingestion has settled.")
    settle_seconds: float = Field(default=2.0, ge=0, le=3_600, description="Quiet time before ingestion is settled.")
    schedules: bool = Field(default=True, description="Ingest each source at its own `refresh_cron`.")
    verify_days: int = Field(default=7, ge=1, description="Days between two readings of every file, changed or not.")
    pause_after_failures: int = Field(default=5, ge=1, description="Failures in a row that pause a source's watch.")
    maintenance_cron: str | None = Field(default="0 3 * * 0", description="When to compact and clean up, in UTC.")
    keep_runs_days: int = Field(default=90, ge=1, description="Days that Dagster's runs and their events are kept.")
    webhook_url_env: str | None = Field(
        default=None, description="Environment variable with a URL that is told of failed runs."
    )

    @field_validator("maintenance_cron")
    @classmethod
    def _cron(cls, line: str | None) -> str | None:
        return checked_cron(line)

    @field_validator("webhook_url_env")
    @classmethod
    def _variable_name(cls, name: str | None) -> str | None:
        return checked_variable_name(name)


class StoreSettings(Section):
    """Where the tables are."""

    uri: str | None = Field(default=None, description="A folder or object-store URL; default `<data_dir>/lancedb`.")
    lock_timeout_seconds: float = Field(
        default=600.0, ge=0, description="Longest wait for another writer, and for a run that shows no sign of life."
    )
    keep_originals: bool = Field(
        default=True, description="Keep what remote sources gave, so that another parser needs no fetch."
    )
    keep_embeddings_days: int | None = Field(
        default=None, ge=0, description="Days that vectors of a model that nothing needs stay; without it, for ever."
    )


class LedgerSettings(Section):
    """Where the ledger is. The URL of a server carries a password, so it is named by a variable, never written here."""

    url_env: str | None = Field(default=None, description="Environment variable that holds a SQLAlchemy URL.")

    @field_validator("url_env")
    @classmethod
    def _variable_name(cls, name: str | None) -> str | None:
        return checked_variable_name(name)
