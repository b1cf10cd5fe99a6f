from __future__ import annotations

from dataclasses import replace

from rag_assets.models.usage import Usage, UsageMeter, UsageTotal

CALL = Usage(
    provider="team",
    model="a",
    operation="chat",
    input_tokens=10,
    output_tokens=2,
    requests=1,
    cost_usd=0.5,
    latency_ms=3.0,
)


def test_a_meter_sums_by_model_and_passes_on():
    outer = UsageMeter()
    meter = UsageMeter([outer])
    for usage in (CALL, replace(CALL, requests=3), replace(CALL, model="b", cost_usd=None, estimated=True)):
        meter.record(usage)
    assert meter.total == UsageTotal(
        calls=3, requests=5, input_tokens=30, output_tokens=6, cost_usd=1.0, unpriced_calls=1, estimated_calls=1
    )
    assert meter.by_model()["a"].calls == 2
    assert meter.by_model()["b"].unpriced_calls == 1
    assert outer.total == meter.total
