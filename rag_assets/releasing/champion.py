"""The champion: the tuned model that the serving release answers with, and what stands in for one that is gone.

There is no other record of which model is the champion, so that a rollback of the release is a rollback of the model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rag_assets.config import ChatSettings, ModelSettings
from rag_assets.errors import LedgerUnwritableError
from rag_assets.ledger import Ledger, Release, TunedModel
from rag_assets.models.catalog import base_model, undated

if TYPE_CHECKING:
    from rag_assets.models.chat import Chat
    from rag_assets.models.pacing import SharedLimits
    from rag_assets.models.usage import UsageSink

LOGGER = logging.getLogger("rag_assets.releasing")


def fits(model: TunedModel, models: ModelSettings) -> bool:
    """Whether `model` can answer in the place of `models.chat`: it is of the same provider and was tuned from it.

    A base with the date of its version and one without are the same.
    """
    return model.provider == models.chat.provider and same_family(model.base_model, models.chat.model)


def same_family(one: str, other: str) -> bool:
    """Whether two models are of one base, however often they were tuned, whatever the dates of their versions."""
    return undated(base_model(one)) == undated(base_model(other))


def recorded_champion(ledger: Ledger, models: ModelSettings) -> TunedModel | None:
    """The tuned model that answers in the place of `models.chat`, by the ledger alone; None: the base model answers."""
    return champion_of(ledger, models, ledger.serving())


def champion_of(ledger: Ledger, models: ModelSettings, release: Release | None) -> TunedModel | None:
    """What `recorded_champion` is where `release` serves."""
    model = ledger.tuned_model(release.chat_model) if release is not None else None
    if release is None or model is None or not fits(model, models) or model.missing_since is not None:
        return None
    return model if release.details.get("chat", {}).get("provider") == model.provider else None


def present_champion(ledger: Ledger, models: ModelSettings) -> TunedModel | None:
    """`recorded_champion`, if the provider has it now; the ledger keeps whether it does.

    A provider that cannot be asked leaves things as they are.
    """
    serving = ledger.serving()
    if serving is not None:
        check_presence(ledger, models, serving.chat_model)
    return recorded_champion(ledger, models)


def check_presence(ledger: Ledger, models: ModelSettings, model_id: str) -> bool | None:
    """Asks the provider of a registered model whether it has it, and keeps the answer; None where that is not known."""
    from rag_assets.models.presence import provider_has

    model = ledger.tuned_model(model_id)
    if model is None:
        return None
    has = provider_has(models, model.provider, model.model_id, limits=ledger)
    with suppress(LedgerUnwritableError):
        if has is True:
            ledger.mark_model_found(model_id)
        elif has is False and ledger.mark_model_missing(model_id):
            LOGGER.warning("The provider %r does not have %s any more.", model.provider, model_id)
    return has


def answers_with(ledger: Ledger, models: ModelSettings, release: Release) -> str:
    """The model that answers where `release` serves: its own, or the base of one that its provider does not have."""
    check_presence(ledger, models, release.chat_model)
    model = ledger.tuned_model(release.chat_model)
    return model.base_model if model is not None and model.missing_since is not None else release.chat_model


def chat_of(model: TunedModel | None, models: ModelSettings) -> ChatSettings:
    """The configured chat model with the tuned one in its place, if there is one."""
    return models.chat if model is None else models.chat.model_copy(update={"model": model.model_id})


@contextmanager
def answering_chat(
    models: ModelSettings, ledger: Ledger, usage: UsageSink | None, *, limits: SharedLimits | None
) -> Iterator[Chat]:
    """The chat model of `models`; where it is a tuned one that the provider does not have, its base model answers."""
    from rag_assets.models.chat import ChatModel
    from rag_assets.models.stand_in import ChatWithStandIn

    def made(settings: ModelSettings) -> ChatModel:
        return ChatModel(settings, usage, limits=limits)

    tuned = ledger.tuned_model(models.chat.model)
    if tuned is None:
        with made(models) as chat:
            yield chat
        return
    base = models.model_copy(update={"chat": models.chat.model_copy(update={"model": tuned.base_model})})
    if tuned.missing_since is not None:
        with made(base) as chat:
            yield chat
        return

    def gone() -> None:
        LOGGER.warning("%s is gone at %r: %s answers.", tuned.model_id, tuned.provider, tuned.base_model)
        with suppress(LedgerUnwritableError):
            ledger.mark_model_missing(tuned.model_id)

    standing_in = ChatWithStandIn(made(models), lambda: made(base), gone)
    try:
        yield standing_in
    finally:
        standing_in.close()
