"""Configuration as validated values: what `rag_assets.yaml` can say, with its defaults.

`config_file.py` reads it. Secrets never stand in it: a key is named by the environment variable that holds it.
"""

from rag_assets.config.answering import (
    INDEX_SETTINGS,
    AnsweringSettings,
    ChunkingSettings,
    RetrievalSettings,
)
from rag_assets.config.models import (
    EMBEDDED_CHAT_MODEL,
    EMBEDDED_EMBEDDING_MODEL,
    TUNED_EMBEDDED_CHAT_MODEL,
    ChatSettings,
    EmbeddingSettings,
    ImageSettings,
    ModelSettings,
    Price,
    ProviderSettings,
)
from rag_assets.config.operations import (
    AutomationSettings,
    LedgerSettings,
    StoreSettings,
)
from rag_assets.config.quality import (
    CheckSettings,
    EvaluationSettings,
    JudgeSettings,
    MetricName,
    ReleaseSettings,
)
from rag_assets.config.settings import (
    CONFIG_FILE_NAME,
    Settings,
)
from rag_assets.config.sources import (
    SOURCE_NAME_PATTERN,
    SOURCES_MAX,
    SOURCES_WARN_ABOVE,
    FilesSource,
    SourceSettings,
    check_set_name,
    check_source_name,
)
from rag_assets.config.tuning import (
    ComparisonSettings,
    ExampleSetSettings,
    SpendSettings,
    TuningSettings,
)

__all__ = [
    "CONFIG_FILE_NAME",
    "EMBEDDED_CHAT_MODEL",
    "EMBEDDED_EMBEDDING_MODEL",
    "INDEX_SETTINGS",
    "SOURCES_MAX",
    "SOURCES_WARN_ABOVE",
    "SOURCE_NAME_PATTERN",
    "TUNED_EMBEDDED_CHAT_MODEL",
    "AnsweringSettings",
    "AutomationSettings",
    "ChatSettings",
    "CheckSettings",
    "ChunkingSettings",
    "ComparisonSettings",
    "EmbeddingSettings",
    "EvaluationSettings",
    "ExampleSetSettings",
    "FilesSource",
    "ImageSettings",
    "JudgeSettings",
    "LedgerSettings",
    "MetricName",
    "ModelSettings",
    "Price",
    "ProviderSettings",
    "ReleaseSettings",
    "RetrievalSettings",
    "Settings",
    "SourceSettings",
    "SpendSettings",
    "StoreSettings",
    "TuningSettings",
    "check_set_name",
    "check_source_name",
]
