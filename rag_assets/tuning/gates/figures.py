"""The figures of the verdicts on a training file, as plain numbers with stable names: what is shown and plotted."""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.verdicts import BUDGET, FORMAT, LEAKAGE, PRIVACY, TOKENS

_FIGURES: dict[str, dict[str, str]] = {
    FORMAT: {"errors_total": "format_errors"},
    LEAKAGE: {"leaks_total": "leaks"},
    TOKENS: {
        name: name
        for name in (
            "example_tokens_min",
            "example_tokens_p50",
            "example_tokens_p95",
            "example_tokens_max",
            "max_example_tokens",
        )
    },
    PRIVACY: {"secrets": "secrets", "personal_data": "personal_data"},
    BUDGET: {
        name: name
        for name in (
            "train_tokens",
            "validation_tokens",
            "epochs",
            "billed_tokens",
            "price_per_million_usd",
            "estimated_cost_usd",
        )
    },
}
"""Gate → a figure among its details → the name that it is shown by."""


def training_figures(verdicts: Sequence[GateVerdict]) -> dict[str, float]:
    """What a file holds, what it would cost, and what is wrong with it. A figure that is not known is left out."""
    figures: dict[str, float] = {"gates_failed": sum(not verdict.passed for verdict in verdicts)}
    for verdict in verdicts:
        for name, shown in _FIGURES.get(verdict.gate, {}).items():
            value = verdict.details.get(name)
            if value is not None:
                figures[shown] = value
    return figures


def token_histogram(verdicts: Sequence[GateVerdict]) -> dict[str, int]:
    """Lengths of examples in tokens → how many there are, shortest first."""
    return next((dict(one.details["histogram"]) for one in verdicts if one.gate == TOKENS), {})
