"""What tuning on a training file will cost: tokens times epochs times the price of training.

OpenAI counts the training tokens of every epoch. It measures the validation file while it trains; the tokens of that
are taken at the same price for every epoch, so that a job never costs more than was foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rag_assets.models import catalog
from rag_assets.tuning.tuned_base import TunedBase, tuned_base

if TYPE_CHECKING:
    from rag_assets.config import Settings

TARGET_EPOCHS = 3
LEAST_EXAMPLES_SEEN = 100
MOST_EXAMPLES_SEEN = 25_000
MOST_EPOCHS = 25
"""OpenAI's cookbook, "Data preparation and analysis for chat model fine-tuning": its default number of epochs."""


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """What a job would train on, and for how much. `price_usd` is for a million tokens, None where it is not known.

    `epochs` is None where the provider chooses and does not say beforehand how many.
    """

    base: TunedBase
    train_examples: int
    validation_examples: int
    train_tokens: int
    validation_tokens: int
    epochs: int | None
    price_usd: float | None

    @property
    def billed_tokens(self) -> int | None:
        """All tokens of all epochs."""
        return None if self.epochs is None else (self.train_tokens + self.validation_tokens) * self.epochs

    @property
    def cost_usd(self) -> float | None:
        """US dollars; None where the price is not known, which is not the same as free."""
        if self.price_usd is None:
            return None
        if self.price_usd == 0:
            return 0.0
        return None if self.billed_tokens is None else self.billed_tokens * self.price_usd / 1_000_000


def default_epochs(examples: int) -> int:
    """How many epochs OpenAI trains on so many examples when it is not told: 3, and more or fewer so that between 100
    and 25,000 examples are seen, but never more than 25."""
    if examples < 1:
        return TARGET_EPOCHS
    if examples * TARGET_EPOCHS < LEAST_EXAMPLES_SEEN:
        return min(MOST_EPOCHS, LEAST_EXAMPLES_SEEN // examples)
    if examples * TARGET_EPOCHS > MOST_EXAMPLES_SEEN:
        return max(1, MOST_EXAMPLES_SEEN // examples)
    return TARGET_EPOCHS


def expected_epochs(settings: Settings, examples: int) -> int | None:
    """The configured number of epochs, else what OpenAI's rule makes of `examples`; None for the embedded provider,
    which stops when it gets no better."""
    if settings.tuning.epochs is not None:
        return settings.tuning.epochs
    kind: Literal["openai", "embedded"] = tuned_base(settings).kind
    return None if kind == "embedded" else default_epochs(examples)


def training_cost(settings: Settings, *, train: Sequence[int], validation: Sequence[int]) -> TrainingCost:
    """The cost of a job. `train`, `validation`: the tokens of every example."""
    base = tuned_base(settings)
    return TrainingCost(
        base=base,
        train_examples=len(train),
        validation_examples=len(validation),
        train_tokens=sum(train),
        validation_tokens=sum(validation),
        epochs=expected_epochs(settings, len(train)),
        price_usd=catalog.training_price_usd(base.model, settings.models.prices, kind=base.kind),
    )
