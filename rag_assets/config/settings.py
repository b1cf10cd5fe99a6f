"""The whole configuration as one value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from rag_assets.config.answering import AnsweringSettings, ChunkingSettings, RetrievalSettings
from rag_assets.config.models import ModelSettings
from rag_assets.config.operations import AutomationSettings, LedgerSettings, StoreSettings
from rag_assets.config.quality import CheckSettings, EvaluationSettings, ReleaseSettings
from rag_assets.config.section import Section
from rag_assets.config.sources import SOURCES_MAX, SourceSettings, check_set_name, check_source_name
from rag_assets.config.tuning import ExampleSetSettings, SpendSettings, TuningSettings
from rag_assets.errors import ConfigurationError, UnknownSourceError

CONFIG_FILE_NAME = "rag_assets.yaml"


class Settings(Section):
    """The whole configuration. `root` is the folder relative paths start from."""

    version: Literal[1] = Field(default=1, description="Version of this format.")
    data_dir: str = Field(default=".rag_assets", description="Folder of everything the project writes.")
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    models: ModelSettings = ModelSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answering: AnsweringSettings = AnsweringSettings()
    checks: CheckSettings = CheckSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    releases: ReleaseSettings = ReleaseSettings()
    examples: dict[str, ExampleSetSettings] = Field(default_factory=dict)
    tuning: TuningSettings = TuningSettings()
    spend: SpendSettings = SpendSettings()
    automation: AutomationSettings = AutomationSettings()
    store: StoreSettings = StoreSettings()
    ledger: LedgerSettings = LedgerSettings()
    prompts_dir: str | None = Field(default=None, description="Folder of templates that replace the shipped ones.")
    root: Annotated[Path, Field(exclude=True)] = Path()

    @field_validator("sources")
    @classmethod
    def _source_names(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        for name in sources:
            check_source_name(name)
        if len(sources) > SOURCES_MAX:
            raise ValueError(f"{len(sources):,} sources, and at most {SOURCES_MAX:,} are supported; group them")
        return sources

    @field_validator("examples")
    @classmethod
    def _set_names(cls, examples: dict[str, ExampleSetSettings]) -> dict[str, ExampleSetSettings]:
        for name in examples:
            check_set_name(name)
        return examples

    @model_validator(mode="after")
    def _embedded_state(self) -> Settings:
        # Not by assignment, for a frozen model has none, and not as a key that was set.
        self.__dict__["models"] = self._models_with_state()
        return self

    def rooted(self, root: Path) -> Settings:
        """The same settings with relative paths that start at `root`."""
        moved = self.model_copy(update={"root": root})
        moved.__dict__["models"] = moved._models_with_state()
        return moved

    def _models_with_state(self) -> ModelSettings:
        """What the embedded provider keeps is in the data folder, beside the ledger that refers to it."""
        return self.models.keeping_state_in(self.data_path / "embedded")

    @property
    def data_path(self) -> Path:
        """The folder that holds everything this project writes."""
        return self.resolve(self.data_dir)

    @property
    def store_uri(self) -> str:
        """Where LanceDB's tables are: a folder or an object-store URL."""
        uri = self.store.uri
        if uri is None:
            return str(self.data_path / "lancedb")
        return uri if "://" in uri else str(self.resolve(uri))

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL of the ledger. May hold a password: never log it."""
        name = self.ledger.url_env
        if name is None:
            return f"sqlite:///{self.data_path / 'ledger.sqlite'}"
        url = os.environ.get(name)
        if not url:
            raise ConfigurationError(
                f"ledger.url_env names the environment variable {name}, which is not set.",
                fix=f"Set {name} to a SQLAlchemy URL, or remove ledger.url_env to use SQLite.",
            )
        return url

    def resolve(self, path: str) -> Path:
        """`path` as an absolute path, relative paths starting at the configuration file."""
        return (self.root / Path(path).expanduser()).resolve()

    def source(self, name: str) -> SourceSettings:
        """The settings of one source. Raises `UnknownSourceError`."""
        if name not in self.sources:
            known = ", ".join(sorted(self.sources)) or "none"
            raise UnknownSourceError(
                f"There is no source named {name!r}; configured sources: {known}.",
                fix=f"Add it to {CONFIG_FILE_NAME}, or run: rag-assets sources add {name} --path FOLDER",
            )
        return self.sources[name]

    def example_set(self, name: str) -> ExampleSetSettings:
        """The settings of one set of examples. Raises `ConfigurationError`."""
        if name not in self.examples:
            known = ", ".join(sorted(self.examples)) or "none"
            raise ConfigurationError(
                f"There is no set of examples named {name!r}; configured sets: {known}.",
                fix=f"Add it to {CONFIG_FILE_NAME} under examples.",
            )
        return self.examples[name]
