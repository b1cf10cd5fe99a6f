"""The ledger's tables. `migrations/` builds them; a test holds the two equal.

Times are aware and in UTC. Money is US dollars as a float, and null where the price is not known. JSON columns hold
what is read back as a whole and never searched by.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
)

from rag_assets.ledger.columns import AnyText, UtcDateTime, counter, metadata

SCHEMA_VERSION = (
    "0007"  # the newest revision in migrations/versions; revisions are numbered, so text order is their order
)


snapshots = Table(
    "snapshots",
    metadata,
    Column("snapshot_id", String(64), primary_key=True),
    Column("generation", String(64), nullable=False),
    Column("table", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("space", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("retrieval", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("details", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("unpinned_at", UtcDateTime, nullable=True),
)

releases = Table(
    "releases",
    metadata,
    Column("release_id", String(64), primary_key=True),
    Column("snapshot_id", ForeignKey("snapshots.snapshot_id"), nullable=False),
    Column("content_hash", String(64), nullable=False, unique=True),
    Column("prompts", JSON, nullable=False),
    Column("chat_model", Text, nullable=False),
    Column("retrieval", JSON, nullable=False),
    Column("answering", JSON, nullable=False),
    Column("details", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "snapshot_id"),
)

# One row, made by the migration, so that a flip always has a row to lock.
serving = Table(
    "serving",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("release_id", ForeignKey("releases.release_id"), nullable=True),
    CheckConstraint("id = 1", name="one_row"),
)

serving_history = Table(
    "serving_history",
    metadata,
    counter(),
    Column("release_id", ForeignKey("releases.release_id"), nullable=False),
    Column("previous_release_id", ForeignKey("releases.release_id"), nullable=True),
    Column("reason", AnyText, nullable=False),
    Column("served_by", AnyText, nullable=False),
    Column("rollback", Boolean, nullable=False),
    Column("served_at", UtcDateTime, nullable=False),
    Column("forced", Boolean, nullable=False, server_default=false()),
)

verdicts = Table(
    "verdicts",
    metadata,
    counter(),
    Column("gate", String(128), nullable=False),
    Column("subject", Text, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("details", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "gate", "subject"),
)

failures = Table(
    "failures",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("uri", AnyText, primary_key=True),
    Column("document_id", String(32), nullable=False),
    Column("stage", String(32), nullable=False),
    Column("error", AnyText, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("gate", AnyText, nullable=False, server_default=""),
    Column("retry_after", UtcDateTime, nullable=True),
    Column("state", String(16), nullable=False, server_default="failed"),
)

refused_inputs = Table(
    "refused_inputs",
    metadata,
    Column("space", String(128), primary_key=True),
    Column("input_hash", String(64), primary_key=True),
    Column("error", AnyText, nullable=False),
    Column("refused_at", UtcDateTime, nullable=False),
)

denied_documents = Table(
    "denied_documents",
    metadata,
    Column("document_id", String(32), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("uri", AnyText, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("denied_at", UtcDateTime, nullable=False),
    Index(None, "source"),
)

denied_sources = Table(
    "denied_sources",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("reason", AnyText, nullable=False),
    Column("denied_at", UtcDateTime, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("reason", AnyText, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("listed", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("held_at", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime, nullable=True),
)

answers = Table(
    "answers",
    metadata,
    Column("answer_id", String(32), primary_key=True),
    Column("release_id", ForeignKey("releases.release_id"), nullable=False),
    Column("question", AnyText, nullable=False),
    Column("answer", AnyText, nullable=False),
    Column("answerable", Boolean, nullable=False),
    Column("citations", JSON, nullable=False),
    Column("model", Text, nullable=False),
    Column("usage", JSON, nullable=False),
    Column("cost_usd", Float, nullable=True),
    Column("latency_ms", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "release_id"),
    Index(None, "created_at"),
)

# `answer_id` is no foreign key: a call is recorded when it is paid for, its answer when it is complete.
usage = Table(
    "usage",
    metadata,
    counter(),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("operation", String(32), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("cost_usd", Float, nullable=True),
    Column("latency_ms", Float, nullable=False),
    Column("request_id", Text, nullable=True),
    Column("estimated", Boolean, nullable=False),
    Column("run_id", String(64), nullable=True),
    Column("source", String(64), nullable=True),
    Column("asset", String(128), nullable=True),
    Column("answer_id", String(32), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "run_id"),
    Index(None, "answer_id"),
    Index(None, "created_at"),
)

# One measurement of one release content with one set of questions. `measured_id` names the content and how it was
# measured; `release_id` is the release that this content is or would be, so it is no foreign key.
evaluations = Table(
    "evaluations",
    metadata,
    Column("evaluation_id", String(64), primary_key=True),
    Column("measured_id", String(64), nullable=False),
    Column("release_id", String(64), nullable=False),
    Column("snapshot_id", ForeignKey("snapshots.snapshot_id"), nullable=False),
    Column("questions_version", String(64), nullable=False),
    Column("questions", Integer, nullable=False),
    Column("content", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("details", JSON, nullable=False),
    Column("report", Text, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "measured_id"),
    Index(None, "release_id"),
    Index(None, "created_at"),
)

# The result of one question, kept by what was measured and by the question's content: the same is never asked twice.
evaluation_items = Table(
    "evaluation_items",
    metadata,
    Column("measured_id", String(64), primary_key=True),
    Column("question_hash", String(64), primary_key=True),
    Column("question_id", AnyText, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("result", JSON, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("cost_usd", Float, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
)

# What a chat model said to exactly one request, kept for evaluations so that an equal request is paid for once.
completions = Table(
    "completions",
    metadata,
    Column("request_hash", String(64), primary_key=True),
    Column("model", Text, nullable=False),
    Column("text", AnyText, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=True),
    Column("latency_ms", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)

# Who is embedding which inputs now. `place` names where the lock of `owner` can be looked at.
embedding_claims = Table(
    "embedding_claims",
    metadata,
    Column("space", String(128), primary_key=True),
    Column("input_hash", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("place", String(64), nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "owner"),
)

ratings = Table(
    "ratings",
    metadata,
    counter(),
    Column("answer_id", ForeignKey("answers.answer_id"), nullable=False),
    Column("release_id", ForeignKey("releases.release_id"), nullable=False),
    Column("rating", String(8), nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("rated_by", AnyText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "answer_id"),
    Index(None, "release_id"),
)

# Every version of a document that was ever stored: from the row hash in an index back to the bytes of the file.
document_versions = Table(
    "document_versions",
    metadata,
    Column("document_id", String(32), primary_key=True),
    Column("document_hash", String(64), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("uri", AnyText, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("parser", Text, nullable=False),
    Column("run_id", String(64), nullable=True),
    Column("loaded_at", UtcDateTime, nullable=False),
    Index(None, "source"),
)

# Which run brought a stage of a source (or of all, when source is "") to which state.
stage_runs = Table(
    "stage_runs",
    metadata,
    counter(),
    Column("asset", String(128), nullable=False),
    Column("source", String(64), nullable=False),
    Column("data_version", String(128), nullable=False),
    Column("table_version", BigInteger, nullable=True),
    Column("run_id", String(64), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "asset", "source"),
)

# What the watch of a source saw last, and whether it is paused.
watched_sources = Table(
    "watched_sources",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("files", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", AnyText, nullable=False),
    Column("checked_at", UtcDateTime, nullable=False),
    Column("launched_at", UtcDateTime, nullable=True),
    Column("verified_at", UtcDateTime, nullable=True),
    Column("paused_at", UtcDateTime, nullable=True),
)

# When each provider's next request may leave, in seconds since 1970; what the fields mean: `models.rate.RateState`.
provider_limits = Table(
    "provider_limits",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("requests_full_at", Float, nullable=False),
    Column("tokens_full_at", Float, nullable=False),
    Column("resume_at", Float, nullable=False),
)
