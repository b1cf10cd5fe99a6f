"""Configuration: `rag_assets.yaml`, environment overrides and defaults, as one validated object.

Read per run and per tick by `load_settings`; nothing here is read when a module is imported. Order of precedence:
environment (`RAG_ASSETS__CHUNKING__MAX_TOKENS=200`), then the file, then the defaults below. Secrets never stand in the
file: a key is named by the environment variable that holds it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rag_assets.errors import ConfigurationError, UnknownSourceError

CONFIG_FILE_NAME = "rag_assets.yaml"
CONFIG_FILE_VARIABLE = "RAG_ASSETS_CONFIG"
OVERRIDE_PREFIX = "RAG_ASSETS__"
SOURCE_NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
SOURCES_WARN_ABOVE = 1_000
SOURCES_MAX = 5_000


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FilesSource(_Section):
    """A folder, or any fsspec URL (`s3://bucket/prefix`), read by the `files` connector."""

    connector: Literal["files"] = Field(default="files", description="What lists and loads the documents.")
    path: str = Field(min_length=1, description="A folder, relative to the configuration file, or an fsspec URL.")
    include: tuple[str, ...] = Field(default=("**/*",), description="Glob patterns a file must match one of.")
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns a file must match none of.")
    language: str | None = Field(default=None, description="ISO 639-1 code; detected per document when absent.")
    token_budget: int = Field(default=5_000_000, gt=0, description="The most tokens this source's chunks may total.")
    allowed_groups: tuple[str, ...] = Field(default=(), description="Who may see it; empty means everyone.")
    max_removed_fraction: float = Field(
        default=0.5, ge=0, le=1, description="A larger share gone at once holds the source for confirmation."
    )
    max_file_bytes: int = Field(default=50_000_000, gt=0, description="A larger file is recorded as failed.")


# A union over `connector` once there is a second one; the alias keeps signatures stable until then.
SourceSettings = FilesSource


class ProviderSettings(_Section):
    """A provider of models that speaks the OpenAI wire protocol."""

    kind: Literal["openai", "embedded"] = Field(default="openai", description="Over HTTP, or in this process.")
    base_url: str | None = Field(default=None, description="Root of the API, for OpenAI-compatible servers.")
    api_key_env: str | None = Field(default="OPENAI_API_KEY", description="Environment variable that holds the key.")
    organization: str | None = Field(default=None, description="OpenAI organization that is billed.")
    timeout_seconds: float = Field(default=60.0, gt=0, description="Longest wait for one request.")
    max_retries: int = Field(default=4, ge=0, le=20, description="Tries after the first, with growing waits.")
    max_concurrency: int = Field(default=4, ge=1, le=256, description="Requests under way at once.")


class EmbeddingSettings(_Section):
    """The model that turns chunks and questions into vectors."""

    provider: str = Field(default="embedded", description="A name below models.providers, `openai` or `embedded`.")
    model: str = Field(default="all-MiniLM-L6-v2", description="The model's name as its provider knows it.")
    precision: Literal["fp32", "int8"] | None = Field(default=None, description="Embedded models only.")
    dimension: int | None = Field(default=None, gt=0, le=65_536, description="Needed for models unknown here.")
    max_input_tokens: int | None = Field(default=None, gt=0, description="Needed for models unknown here.")
    tokenizer: str | None = Field(default=None, description="`cl100k_base`, `o200k_base` or a tokenizer.json path.")
    query_prefix: str = Field(default="", description="Put in front of every question, for models that want one.")
    document_prefix: str = Field(default="", description="Put in front of every chunk.")
    batch_size: int = Field(default=64, ge=1, le=2_048, description="The most texts of one request.")


class ChatSettings(_Section):
    """The model that answers."""

    provider: str = Field(default="embedded", description="A name below models.providers, `openai` or `embedded`.")
    model: str = Field(default="extractive-reader", description="The model's name as its provider knows it.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="0 answers alike every time, where it is heeded.")
    max_output_tokens: int = Field(default=600, gt=0, description="The longest answer.")
    seed: int | None = Field(default=0, description="Sent to providers that take one.")


class Price(_Section):
    """US dollars per million tokens."""

    input_usd: float = Field(ge=0, description="For a million tokens read.")
    output_usd: float = Field(default=0.0, ge=0, description="For a million tokens written.")


class ModelSettings(_Section):
    """Providers, the models used, and prices that override the dated table."""

    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    embedding: EmbeddingSettings = EmbeddingSettings()
    chat: ChatSettings = ChatSettings()
    prices: dict[str, Price] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_providers(self) -> ModelSettings:
        for role in (self.embedding, self.chat):
            if role.provider not in self.all_providers():
                known = ", ".join(sorted(self.all_providers()))
                raise ValueError(f"provider {role.provider!r} is not declared; known providers: {known}")
        return self

    def all_providers(self) -> dict[str, ProviderSettings]:
        """The declared providers, and `embedded` and `openai`, which need no declaration."""
        built_in = {
            "embedded": ProviderSettings(kind="embedded", api_key_env=None),
            "openai": ProviderSettings(kind="openai"),
        }
        return built_in | self.providers


class ChunkingSettings(_Section):
    """How documents are cut. Sizes are tokens of the embedding model, heading prefix included."""

    max_tokens: int = Field(default=240, ge=16, le=8_000, description="The most tokens of what is embedded.")
    overlap_tokens: int = Field(default=0, ge=0, description="Repeated from the end of the previous piece of a block.")
    heading_prefix: bool = Field(default=True, description="Embed title and heading path in front of the text.")

    @model_validator(mode="after")
    def _overlap_fits(self) -> ChunkingSettings:
        if self.overlap_tokens * 2 > self.max_tokens:
            raise ValueError("overlap_tokens must be at most half of max_tokens")
        return self


class RetrievalSettings(_Section):
    """How passages are found; part of a release. `bench/README.md` has the measurements behind the defaults."""

    language: str = Field(
        default="en", pattern="^[a-z]{2}$", description="ISO 639-1 code of most documents: chooses the stemmer."
    )
    mode: Literal["hybrid", "vector", "text"] = Field(default="hybrid", description="Which sides search.")
    fusion: Literal["convex", "rrf"] = Field(default="convex", description="How hybrid joins them: scores, or ranks.")
    vector_weight: float = Field(
        default=0.7, ge=0, le=1, description="Convex fusion: part of the cosine; BM25 has the rest."
    )
    title_weight: float = Field(default=0.3, ge=0, le=10, description="BM25 of the title, added to that of the text.")
    phrase_weight: float = Field(default=0.25, ge=0, le=1, description="Convex fusion: word pairs of the query.")
    feedback_weight: float = Field(default=0.5, ge=0, le=1, description="Convex fusion: pull of the best passages.")
    rrf_k: int = Field(default=60, ge=1, description="Reciprocal rank fusion: the constant k.")
    candidates: int = Field(default=100, ge=1, le=1_000, description="Rows taken from each side before fusion.")
    k: int = Field(default=5, ge=1, le=100, description="Passages returned.")
    min_score: float = Field(default=0.0, ge=0, description="Passages that score less are left out.")
    nprobes: int = Field(default=40, ge=1, le=4_096, description="Partitions read of a vector index.")
    refine_factor: int = Field(default=4, ge=1, le=100, description="Times `candidates` rescored with exact vectors.")


class AnsweringSettings(_Section):
    """How an answer is made from passages; part of a release."""

    passages: int = Field(default=4, ge=1, le=50, description="Passages put into the prompt.")
    max_question_characters: int = Field(default=4_000, ge=1, description="A longer question is refused.")


class CheckSettings(_Section):
    """Above which values a check warns. Fractions are of the documents of one source."""

    failed_documents: int = Field(default=0, ge=0, description="Documents that could not be read, parsed or embedded.")
    empty_fraction: float = Field(default=0.05, ge=0, le=1, description="Documents without any text.")
    duplicate_fraction: float = Field(default=0.1, ge=0, le=1, description="Documents equal to another one.")
    unindexed_rows: int = Field(default=10_000, ge=0, description="Rows that searches scan instead of looking up.")


class StoreSettings(_Section):
    """Where the tables are."""

    uri: str | None = Field(default=None, description="A folder or object-store URL; default `<data_dir>/lancedb`.")
    lock_timeout_seconds: float = Field(default=600.0, ge=0, description="Longest wait for another writer.")


class LedgerSettings(_Section):
    """Where the ledger is. The URL of a server carries a password, so it is named by a variable, never written here."""

    url_env: str | None = Field(default=None, description="Environment variable that holds a SQLAlchemy URL.")


class Settings(_Section):
    """The whole configuration. `root` is the folder relative paths start from."""

    version: Literal[1] = Field(default=1, description="Version of this format.")
    data_dir: str = Field(default=".rag_assets", description="Folder of everything the project writes.")
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    models: ModelSettings = ModelSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answering: AnsweringSettings = AnsweringSettings()
    checks: CheckSettings = CheckSettings()
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


def check_source_name(name: str) -> str:
    """Returns `name` when it can be a partition key, a table name and a folder name. Raises `ValueError`."""
    if not SOURCE_NAME_PATTERN.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a source name: use lower-case letters, digits, '-' and '_', at most 64, "
            "starting with a letter or digit"
        )
    return name


def find_config_file(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Path | None:
    """The configuration file: `path`, or the one the environment names, or the nearest one upwards from here."""
    environment = os.environ if environment is None else environment
    named = path or (Path(environment[CONFIG_FILE_VARIABLE]) if environment.get(CONFIG_FILE_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise ConfigurationError(
                f"The configuration file {named} does not exist.",
                fix=f"Create it, or unset {CONFIG_FILE_VARIABLE} to use the nearest {CONFIG_FILE_NAME}.",
            )
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
    return settings.model_copy(update={"root": file.parent if file else Path.cwd().resolve()})


def parse_settings(text: str, file: Path) -> Settings:
    """The settings that `text` would give as the content of `file`, environment overrides left aside.

    Raises `ConfigurationError`.
    """
    try:
        settings = Settings.model_validate(_parse_yaml(text, file))
    except ValidationError as error:
        raise _explain(error, file, {}) from None
    return settings.model_copy(update={"root": file.parent})


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
    """Writes `RAG_ASSETS__A__B=value` into `raw["a"]["b"]`; returns which key came from which variable."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    origins: dict[tuple[str, ...], str] = {}
    for name in sorted(environment):
        if not name.startswith(OVERRIDE_PREFIX):
            continue
        keys = tuple(part.lower() for part in name.removeprefix(OVERRIDE_PREFIX).split("__"))
        try:
            value = YAML(typ="safe", pure=True).load(environment[name])
        except YAMLError:
            value = environment[name]
        target = raw
        for key in keys[:-1]:
            child = target.setdefault(key, {})
            if not isinstance(child, dict):
                raise ConfigurationError(f"The environment variable {name} goes below {key!r}, which is a value.")
            target = child
        target[keys[-1]] = value
        origins[keys] = name
    return origins


def _explain(error: ValidationError, file: Path | None, origins: dict[tuple[str, ...], str]) -> ConfigurationError:
    # A misspelt key often causes the other problems (its section then lacks a value), so it goes first.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    keys = tuple(str(part) for part in first["loc"])
    key = ".".join(keys)
    origin = origins.get(keys)
    where = f"the environment variable {origin}" if origin else str(file or "the built-in configuration")
    message = first["msg"].removeprefix("Value error, ")
    more = f" {error.error_count() - 1} more problem(s) follow." if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return ConfigurationError(
            f"{where}: the key '{key}' is not known.{more}", fix=_suggest(keys) or "Remove it or mend its spelling."
        )
    shown = "" if isinstance(first["input"], (dict, list)) else f" (found {first['input']!r})"
    return ConfigurationError(
        f"{where}: {f'the key {key!r}' if key else 'the configuration'} is wrong: {message}{shown}.{more}",
        fix="Mend the value; the reference of all keys is docs/reference/configuration.md.",
    )


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
