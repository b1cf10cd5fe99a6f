"""What a release is made of: everything an answer depends on, known before there is a release of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rag_assets.config import AnsweringSettings, ChatSettings, EmbeddingSettings, ModelSettings, RetrievalSettings
from rag_assets.errors import ConfigurationError
from rag_assets.ledger import Ledger, Release, Snapshot, release_content_hash
from rag_assets.ledger.releases import DERIVED_ID_LENGTH
from rag_assets.prompts import Prompts


@dataclass(frozen=True)
class ReleaseContent:
    """A snapshot with the prompts, models and settings that answer from it.

    Equal content has an equal `release_id`, be it a candidate or a variation that is only tried. What was released
    keeps the name that the ledger has for it: settings that this version of the code added since would give another.
    """

    snapshot: Snapshot
    prompts: Prompts
    chat: ChatSettings
    embedding: EmbeddingSettings
    retrieval: RetrievalSettings
    answering: AnsweringSettings
    release: Release | None = None

    @classmethod
    def of(cls, release: Release, ledger: Ledger) -> ReleaseContent:
        """The content of a release that exists."""
        values = {
            "snapshot_id": release.snapshot_id,
            "prompts": release.prompts,
            "retrieval": release.retrieval,
            "answering": release.answering,
            "details": release.details,
        }
        return replace(cls.of_values(values, ledger), release=release)

    @classmethod
    def of_values(cls, values: Mapping[str, Any], ledger: Ledger) -> ReleaseContent:
        """The inverse of `values`, for a snapshot that `ledger` has."""
        snapshot = ledger.snapshot(values["snapshot_id"])
        assert snapshot is not None, "a foreign key holds every release and evaluation to its snapshot"
        return cls(
            snapshot=snapshot,
            prompts=Prompts(**values["prompts"]),
            chat=ChatSettings.model_validate(values["details"]["chat"]),
            embedding=EmbeddingSettings.model_validate(values["details"]["embedding"]),
            retrieval=RetrievalSettings.model_validate(values["retrieval"]),
            answering=AnsweringSettings.model_validate(values["answering"]),
        )

    @cached_property
    def values(self) -> dict[str, Any]:
        """As plain values, in the form the ledger keeps."""
        if self.release is not None:
            return {
                "snapshot_id": self.release.snapshot_id,
                "prompts": self.release.prompts,
                "chat_model": self.release.chat_model,
                "retrieval": self.release.retrieval,
                "answering": self.release.answering,
                "details": self.release.details,
            }
        return {
            "snapshot_id": self.snapshot.snapshot_id,
            "prompts": {"system": self.prompts.system, "user": self.prompts.user, "refusal": self.prompts.refusal},
            "chat_model": self.chat.model,
            "retrieval": self.retrieval.model_dump(mode="json"),
            "answering": self.answering.model_dump(mode="json"),
            "details": {
                "chat": self.chat.model_dump(mode="json"),
                "embedding": self.embedding.model_dump(mode="json"),
            },
        }

    @cached_property
    def content_hash(self) -> str:
        return self.release.content_hash if self.release is not None else release_content_hash(self.values)

    @property
    def release_id(self) -> str:
        """The id of the release that has this content, whether it exists yet or not."""
        return self.release.release_id if self.release is not None else self.content_hash[:DERIVED_ID_LENGTH]

    def create(self, ledger: Ledger) -> Release:
        """Makes the release, or returns the one that has this content."""
        return ledger.create_release(
            None,
            self.snapshot.snapshot_id,
            self.values["prompts"],
            self.chat.model,
            retrieval=self.values["retrieval"],
            answering=self.values["answering"],
            details=self.values["details"],
        )


def models_of(content: ReleaseContent, models: ModelSettings) -> ModelSettings:
    """The models that `content` names, at the providers of `models`, which are those of now.

    Raises `ConfigurationError` where one of them is not declared any more.
    """
    for role in (content.embedding, content.chat):
        if role.provider not in models.all_providers():
            raise ConfigurationError(
                f"Release {content.release_id} uses {role.model!r} of the provider {role.provider!r}, which the "
                "configuration does not declare any more.",
                fix=f"Declare models.providers.{role.provider} again, or run: rag-assets ingest --all",
            )
    embedding = content.embedding.model_copy(update={"device": models.embedding.device})
    return models.model_copy(update={"chat": content.chat, "embedding": embedding})
