"""Configuration as validated values: what `rag_assets.yaml` can say, with its defaults.

`config_file.py` reads it. Secrets never stand in it: a key is named by the environment variable that holds it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from rag_assets.errors import ConfigurationError, UnknownSourceError

CONFIG_FILE_NAME = "rag_assets.yaml"
SOURCE_NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
SOURCES_WARN_ABOVE = 1_000
SOURCES_MAX = 5_000
EMBEDDED_EMBEDDING_MODEL = "all-MiniLM-L6-v2"
EMBEDDED_CHAT_MODEL = "extractive-reader"
INDEX_SETTINGS = ("language", "stemming", "stop_words")
"""Of `RetrievalSettings`: what the full text index is built with, so that only another snapshot can change it."""
MetricName = Literal[
    "recall_at_5",
    "recall_at_10",
    "precision_at_5",
    "mrr_at_10",
    "ndcg_at_10",
    "answer_contains",
    "exact_match",
    "token_f1",
    "refusal_precision",
    "refusal_recall",
    "citation_correctness",
    "judge",
]
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CHAINED_URL = re.compile(r"::(?=[\w+.-]+://|/)")
# `user:password@` right behind the protocol; `host:80/x@y` is no such thing.
_PASSWORD = re.compile(r"://[^/@:\[]*:(?!\d*(?:/|$))[^@]*@")


def _checked_variable_name(name: str | None) -> str | None:
    """Returns `name` when an environment variable can have it. Raises `ValueError`, which does not repeat it.

    The message keeps silent on it because a user may have put the secret itself there.
    """
    if name is not None and not _VARIABLE_NAME.fullmatch(name):
        raise ValueError(
            "this is not the name of an environment variable; "
            "put the name of the variable here, not the key or URL itself"
        )
    return name


def _checked_cron(line: str | None) -> str | None:
    """Returns `line` when it is a cron line of five fields. Raises `ValueError`."""
    if line is not None:
        from croniter import croniter

        if len(line.split()) != 5 or not croniter.is_valid(line):
            raise ValueError(f"{line!r} is not a cron line of five fields, such as '0 6 * * 1-5'")
    return line


def _checked_language(code: str | None) -> str | None:
    if code is not None and not re.fullmatch("[a-z]{2}", code):
        raise ValueError("a language is an ISO 639-1 code of two lower-case letters, such as 'en'")
    return code


class _Section(BaseModel):
    # Pydantic's own messages would repeat what was found, which may be a secret in the wrong place.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FilesSource(_Section):
    """A folder, or any fsspec URL (`s3://bucket/prefix`), read by the `files` connector."""

    connector: Literal["files"] = Field(default="files", description="What lists and loads the documents.")
    path: str = Field(min_length=1, description="A folder, relative to the configuration file, or an fsspec URL.")
    include: tuple[str, ...] = Field(default=("**/*",), description="Glob patterns a file must match one of.")
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns a file must match none of.")
    language: str | None = Field(default=None, description="ISO 639-1 code; detected per document when absent.")
    token_budget: int = Field(default=5_000_000, gt=0, description="The most tokens this source's chunks may total.")
    allowed_groups: tuple[str, ...] = Field(
        default=(), description="Who may see it, by `ask --group`; empty means everyone."
    )
    max_removed_fraction: float = Field(
        default=0.5, ge=0, le=1, description="A larger share gone at once holds the source for confirmation."
    )
    max_file_bytes: int = Field(default=50_000_000, gt=0, description="A larger file is recorded as failed.")
    watch: bool = Field(default=True, description="Ingest when its files change; see `automation.watch_files`.")
    refresh_cron: str | None = Field(default=None, description="Ingest also at these times: a cron line, in UTC.")

    @field_validator("refresh_cron")
    @classmethod
    def _cron(cls, line: str | None) -> str | None:
        return _checked_cron(line)

    @field_validator("path")
    @classmethod
    def _no_password(cls, path: str) -> str:
        # A path is shown in lists, errors and metadata.
        if any(_PASSWORD.search(part) for part in _CHAINED_URL.split(path)):
            raise ValueError(
                "the URL holds a password; leave it out and give it where the protocol looks for credentials: "
                "its environment variables, the SSH configuration, or a configuration file of fsspec"
            )
        return path

    @field_validator("language")
    @classmethod
    def _language(cls, code: str | None) -> str | None:
        return _checked_language(code)


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

    @field_validator("base_url")
    @classmethod
    def _http_address(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^/\s]", url):
            raise ValueError("an address starts with http:// or https:// and names a server")
        return url

    @field_validator("api_key_env")
    @classmethod
    def _variable_name(cls, name: str | None) -> str | None:
        return _checked_variable_name(name)


class EmbeddingSettings(_Section):
    """The model that turns chunks and questions into vectors."""

    provider: str = Field(default="embedded", description="A name below models.providers, `openai` or `embedded`.")
    model: str = Field(default=EMBEDDED_EMBEDDING_MODEL, description="The model's name as its provider knows it.")
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
    model: str = Field(default=EMBEDDED_CHAT_MODEL, description="The model's name as its provider knows it.")
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

    @model_validator(mode="after")
    def _models_of_their_providers(self) -> ModelSettings:
        """Where provider or model was changed and the other forgotten, only the first request would tell."""
        for key, role, embedded_model in (
            ("embedding", self.embedding, EMBEDDED_EMBEDDING_MODEL),
            ("chat", self.chat, EMBEDDED_CHAT_MODEL),
        ):
            provider = self.all_providers()[role.provider]
            if provider.kind == "embedded" and role.model != embedded_model:
                fix = f"Set models.{key}.provider to the one that has it, or remove models.{key}.model."
                raise _not_its_model(key, role, f"has {embedded_model!r} alone", fix)
            # Other servers do offer the embedding model by its name; OpenAI itself is known to lack it.
            elsewhere = key == "embedding" and provider.base_url is not None
            if provider.kind == "openai" and role.model == embedded_model and not elsewhere:
                fix = f"Set models.{key}.model to one of its models, or remove models.{key}.provider."
                raise _not_its_model(key, role, "does not have it", fix)
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
    """How passages are found; part of a release. `bench/README.md` has the measurements behind the defaults.

    `min_score` is in the scale of what ranks: the cosine (at most 1) with `mode: vector`, BM25 (no upper bound) with
    `mode: text`, and from 0 to 1 with either fusion and with a reranker. `language`, `stemming` and `stop_words` are
    built into the index: a change builds its full text part anew with the next snapshot, and earlier ones keep theirs.
    A language without a stemmer has neither endings nor common words taken off.
    """

    language: str = Field(default="en", description="ISO 639-1 code of most documents: stemmer and stop words.")
    stemming: bool = Field(default=True, description="Full text search finds other forms of a word, by `language`.")
    stop_words: bool = Field(default=True, description="Full text search leaves out the common words of `language`.")
    mode: Literal["hybrid", "vector", "text"] = Field(default="hybrid", description="Which sides search.")
    fusion: Literal["convex", "rrf"] = Field(default="convex", description="How hybrid joins them: scores, or ranks.")
    vector_weight: float = Field(
        default=0.7, ge=0, le=1, description="Convex fusion: part of the cosine; BM25 has the rest."
    )
    title_weight: float = Field(default=0.3, ge=0, le=10, description="BM25 of the title, added to that of the text.")
    phrase_weight: float = Field(default=0.25, ge=0, le=1, description="Convex fusion: word pairs of the query.")
    feedback_weight: float = Field(default=0.5, ge=0, le=1, description="Convex fusion: pull of the best passages.")
    rrf_k: int = Field(default=60, ge=1, description="Reciprocal rank fusion: the constant k.")
    reranker: Literal["none", "late_interaction"] = Field(
        default="none", description="What orders the best anew: nothing, or token vectors of all-MiniLM-L6-v2."
    )
    rerank_candidates: int = Field(default=10, ge=1, le=100, description="How many of the best are reranked.")
    rerank_weight: float = Field(default=2.0, gt=0, le=100, description="Of the reranker; the fused score has 1.")
    candidates: int = Field(
        default=100, ge=1, le=1_000, description="Rows taken from each side before fusion; as many as `k` at least."
    )
    k: int = Field(default=5, ge=1, le=100, description="Passages returned.")
    min_score: float = Field(default=0.0, ge=0, description="Passages that score less are left out; 0 leaves out none.")
    neighbours: int = Field(
        default=0, ge=0, le=10, description="Chunks before and after each passage that a prompt gets too."
    )
    neighbour_tokens: int = Field(default=1_000, ge=1, description="The most tokens of neighbours in one prompt.")
    nprobes: int = Field(default=40, ge=1, le=4_096, description="Partitions read of a vector index.")
    refine_factor: int = Field(default=4, ge=1, le=100, description="Times `candidates` rescored with exact vectors.")

    @field_validator("language")
    @classmethod
    def _language(cls, code: str) -> str | None:
        return _checked_language(code)


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


class JudgeSettings(_Section):
    """A generative model that says whether an answer is right."""

    provider: str = Field(description="A name below models.providers, or `openai`.")
    model: str = Field(description="The model's name as its provider knows it.")
    max_output_tokens: int = Field(default=300, gt=0, description="The longest verdict.")


class EvaluationSettings(_Section):
    """What a snapshot is asked before it is released, and what it must reach."""

    questions: tuple[str, ...] = Field(
        default=(), description="Golden questions: files or glob patterns; JSON lines, CSV or SQuAD's JSON."
    )
    primary_metric: MetricName = Field(default="mrr_at_10", description="The metric that must not become worse.")
    minima: dict[MetricName, float] = Field(default_factory=dict, description="Metric → the least it must reach.")
    max_regression: float = Field(
        default=0.0, ge=0, le=1, description="The primary metric may truly be this much lower than what served."
    )
    false_alarm_rate: float = Field(
        default=0.05, gt=0, le=0.5, description="How often the regression gate may stop what is not worse."
    )
    max_orphaned_fraction: float = Field(
        default=0.2, ge=0, le=1, description="Share of questions that may have lost their expected documents."
    )
    questions_enough: int = Field(default=50, ge=1, description="With fewer, the report warns that they tell little.")
    bootstrap_samples: int = Field(default=2_000, ge=100, le=100_000, description="Resamples behind every interval.")
    judge: JudgeSettings | None = Field(default=None, description="A model that grades answers; none by default.")


class AutomationSettings(_Section):
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
        return _checked_cron(line)

    @field_validator("webhook_url_env")
    @classmethod
    def _variable_name(cls, name: str | None) -> str | None:
        return _checked_variable_name(name)


class ReleaseSettings(_Section):
    """How long former releases can be gone back to."""

    keep: int = Field(default=10, ge=1, description="Newest releases kept, however old.")
    keep_days: int = Field(default=30, ge=0, description="Releases are kept for these days since they last served.")


class StoreSettings(_Section):
    """Where the tables are."""

    uri: str | None = Field(default=None, description="A folder or object-store URL; default `<data_dir>/lancedb`.")
    lock_timeout_seconds: float = Field(default=600.0, ge=0, description="Longest wait for another writer.")


class LedgerSettings(_Section):
    """Where the ledger is. The URL of a server carries a password, so it is named by a variable, never written here."""

    url_env: str | None = Field(default=None, description="Environment variable that holds a SQLAlchemy URL.")

    @field_validator("url_env")
    @classmethod
    def _variable_name(cls, name: str | None) -> str | None:
        return _checked_variable_name(name)


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
    evaluation: EvaluationSettings = EvaluationSettings()
    releases: ReleaseSettings = ReleaseSettings()
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


def _not_its_model(key: str, role: EmbeddingSettings | ChatSettings, why: str, fix: str) -> PydanticCustomError:
    problem = f"models.{key}.model is {role.model!r}, and the provider {role.provider!r} {why}"
    return PydanticCustomError("not_its_model", "{problem}", {"problem": problem, "fix": fix})


def check_source_name(name: str) -> str:
    """Returns `name` when it can be a partition key, a table name and a folder name. Raises `ValueError`."""
    if not SOURCE_NAME_PATTERN.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a source name: use lower-case letters, digits, '-' and '_', at most 64, "
            "starting with a letter or digit"
        )
    return name
