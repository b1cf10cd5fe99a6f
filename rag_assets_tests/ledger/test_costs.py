"""Costs summed by source, model, asset and day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rag_assets.ledger import Ledger, usage
from rag_assets_tests.ledger import test_calls

MIDNIGHT = datetime(2026, 11, 2, tzinfo=UTC)


def test_costs_by_each_dimension(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    for seconds, asset, source, cost_usd in (
        (-1, "embeddings", "wiki", 0.5),
        (0, "answers", None, 0.25),
        (1, "embeddings", "wiki", None),
    ):
        monkeypatch.setattr(usage, "utc_now", lambda seconds=seconds: MIDNIGHT + timedelta(seconds=seconds))
        ledger.record_usage([test_calls.usage(cost_usd=cost_usd)], asset=asset, source=source)
    costs = {key: total.cost_usd for key, total in ledger.costs(["day", "asset"]).items()}
    assert costs == {
        ("2026-11-01", "embeddings"): 0.5,
        ("2026-11-02", "answers"): 0.25,
        ("2026-11-02", "embeddings"): 0.0,
    }
    assert ledger.costs(["source"])["wiki",].unpriced_calls == 1
    assert list(ledger.costs(["source"])) == [("",), ("wiki",)]
    assert ledger.costs(["model"], since=MIDNIGHT)["text-embedding-3-small",].calls == 2
    assert ledger.costs(["model"], until=MIDNIGHT)["text-embedding-3-small",].calls == 1
    assert ledger.costs(["model"], since=MIDNIGHT + timedelta(days=1)) == {}
