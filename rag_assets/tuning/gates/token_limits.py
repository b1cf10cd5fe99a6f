"""The gate of the tokens: no example is longer than the base model is trained on, so that none is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_assets.config import TuningSettings
from rag_assets.models import catalog
from rag_assets.models.chat_tokens import example_tokens
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.reading import Contents
from rag_assets.tuning.gates.verdicts import TOKENS, Findings
from rag_assets.tuning.training_file import Split
from rag_assets.tuning.tuned_base import TunedBase

RULES = "tokens@1"
HISTOGRAM_EDGES = (256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536)


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The tokens of every example that could be read, by its place, in the order of the file."""

    encoding: str
    by_place: Mapping[tuple[Split, int], int]

    def of(self, split: Split) -> list[int]:
        """The tokens of each example of `split`."""
        return [tokens for (its_split, _), tokens in self.by_place.items() if its_split == split]


def count_tokens(contents: Contents, base: TunedBase) -> TokenCounts:
    """Counts by the encoding of the base model; for a model unknown here, the nearest guess."""
    encoding = catalog.chat_encoding(base.model)
    tokenizer = load_tokenizer(encoding)
    counts = {(line.split, line.number): example_tokens(example, tokenizer) for line, example in contents.examples}
    return TokenCounts(encoding, counts)


def max_example_tokens(settings: TuningSettings, base: TunedBase) -> int | None:
    """What one example is held to: the lower of the setting and what training the model reads.

    The embedded trainer cuts nothing. None: no limit is known, so that a longer example may be cut without a word.
    """
    known = catalog.max_training_tokens(base.model)
    limits = [limit for limit in (settings.max_example_tokens, known) if limit is not None]
    return min(limits, default=None)


def judge_tokens(
    contents: Contents, counts: TokenCounts, base: TunedBase, settings: TuningSettings, subject: str
) -> GateVerdict:
    """No example over the limit. `details` hold the distribution."""
    limit = max_example_tokens(settings, base)
    findings = Findings()
    if limit is not None:
        for (split, number), tokens in counts.by_place.items():
            if tokens > limit:
                findings.add("too_long", f"{split}.jsonl:{number} has {tokens:,} tokens")
    reasons = []
    if findings:
        reasons.append(f"{findings.total:,} examples are longer than {limit:,} tokens and would be cut: {findings}")
    if contents.unreadable:
        reasons.append(f"{contents.unreadable:,} lines or files hold no example that could be counted")
    if limit is None and base.kind != "embedded":
        reasons.append(f"how long an example {base.model!r} is trained on is not known; set tuning.max_example_tokens")
    figures = distribution(list(counts.by_place.values()))
    held_to = "" if limit is None else f", each within {limit:,}"
    return GateVerdict(
        gate=TOKENS,
        subject=subject,
        passed=not reasons,
        reason="; ".join(reasons) or f"{figures['tokens']:,} tokens in {len(counts.by_place):,} examples{held_to}",
        details={
            "max_example_tokens": limit,
            "encoding": counts.encoding,
            "train_tokens": sum(counts.of("train")),
            "validation_tokens": sum(counts.of("validation")),
            **figures,
            "errors": findings.details(),
        },
    )


def distribution(tokens: list[int]) -> dict[str, Any]:
    """All of `tokens`; the shortest, median, 95th percentile and longest example; a histogram of their lengths."""
    ranked = sorted(tokens)

    def at(share: float) -> int:
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0

    histogram: dict[str, int] = {}
    below = 0
    for edge in HISTOGRAM_EDGES:
        histogram[f"up to {edge:,}"] = sum(below < count <= edge for count in ranked)
        below = edge
    histogram["more"] = sum(count > below for count in ranked)
    return {
        "tokens": sum(ranked),
        "example_tokens_min": at(0.0),
        "example_tokens_p50": at(0.5),
        "example_tokens_p95": at(0.95),
        "example_tokens_max": ranked[-1] if ranked else 0,
        "histogram": {bin_: count for bin_, count in histogram.items() if count},
    }
