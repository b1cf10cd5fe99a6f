"""What `rag-assets doctor` says of tuned models: whether the one that serves is there, and could be followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag_assets.cli.doctor import Finding
    from rag_assets.config import Settings


def look_at_models(settings: Settings) -> Iterator[Finding]:
    """The tuned model of the serving release, asked for at its provider, and whether what is tuned could serve."""
    from rag_assets.cli.doctor import Finding
    from rag_assets.ledger import Ledger
    from rag_assets.releasing.champion import check_presence, fits, same_family
    from rag_assets.tuning.tuned_base import tuned_base

    chat = settings.models.chat
    with Ledger(settings.ledger_url) as ledger:
        serving = ledger.serving()
        model = ledger.tuned_model(serving.chat_model) if serving is not None else None
        if model is not None:
            has = check_presence(ledger, settings.models, model.model_id)
            known = ledger.tuned_model(model.model_id) or model
            there = known.missing_since is None
            since = f"{known.missing_since:%Y-%m-%d %H:%M} UTC" if known.missing_since else ""
            detail = f"{model.model_id} serves" if there else f"{model.model_id} is gone since {since}"
            detail += "" if has is not None else f"; {model.provider} could not be asked whether it has it"
            detail += "" if there else f": {model.base_model} answers"
            fix = "Run: rag-assets ingest, which releases the base model, or rag-assets tune for another."
            yield Finding("champion", there, detail, fix)
            if not fits(model, settings.models):
                said = f"{model.model_id} was tuned from {model.base_model}, and models.chat is {chat.model}"
                fix = "The next release answers with models.chat; run: rag-assets ingest"
                yield Finding("champion's base", False, said, fix)
    if not settings.examples:
        return
    base = tuned_base(settings)
    able = base.provider == chat.provider and same_family(base.model, chat.model)
    other = "" if able else f", and models.chat is {chat.model} of {chat.provider}"
    fix = "What is tuned can only take the place of the model that models.chat names."
    yield Finding("tuned base", able, f"{base.model} of {base.provider}{other}", fix)
