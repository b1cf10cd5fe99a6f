"""The provider resource in real Dagster runs, against a real server. Each defect of the stock class has its test."""

# No `from __future__ import annotations`: Dagster reads the annotations of functions defined inside functions.
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dagster as dg
import pytest

from rag_assets.project import Project
from rag_assets.resources.openai import ProviderResource
from rag_assets_tests.openai_server import API_KEY, UNAUTHORIZED, Fault, OpenAIServer

MESSAGES: Any = [{"role": "user", "content": "What is a chunk?"}]  # four words: the server reports four tokens
CHAT: Any = {"model": "gpt-4o-mini", "messages": MESSAGES}
KEY = "openai.gpt-4o-mini"


@pytest.fixture(scope="module")
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def _resource(server: OpenAIServer, **fields: Any) -> ProviderResource:
    defaults: dict[str, Any] = {"api_key": API_KEY, "base_url": server.base_url, "max_retries": 0}
    return ProviderResource(**defaults | fields)


def _run(instance: dg.DagsterInstance, resource: ProviderResource, *assets: Any, **options: Any) -> Any:
    return dg.materialize(list(assets), resources={"models": resource}, instance=instance, **options)


def _metadata(result: Any, name: str) -> dict[str, Any]:
    [event] = result.asset_materializations_for_node(name)
    return {key: value.value for key, value in event.metadata.items()}


def test_two_assets_share_the_resource_in_one_process(instance, openai_server):
    """Defect 1: the second asset fails, since the first one's wrapper is still on the shared client."""

    @dg.asset
    def one(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)

    @dg.asset(deps=[one])
    def two(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)
            client.embeddings.create(model="text-embedding-3-small", input=["three words here"])

    result = _run(instance, _resource(openai_server), one, two)
    assert _metadata(result, "one")[f"{KEY}.calls"] == 1
    metadata = _metadata(result, "two")
    assert metadata[f"{KEY}.calls"] == 1
    assert metadata[f"{KEY}.prompt_tokens"] == 4
    assert metadata[f"{KEY}.completion_tokens"] == 3
    assert metadata[f"{KEY}.total_tokens"] == 7
    assert metadata[f"{KEY}.cost_usd"] == pytest.approx((4 * 0.15 + 3 * 0.60) / 1e6)
    assert metadata["openai.text-embedding-3-small.total_tokens"] == 3


def test_a_client_taken_many_times_counts_each_call_once(instance, openai_server):
    """Defect 2: n calls were counted n(n+1)/2 times."""

    @dg.asset
    def looped(context: dg.AssetExecutionContext, models: ProviderResource) -> Any:
        for _ in range(5):
            with models.get_client(context) as client:
                client.chat.completions.create(**CHAT)
        return dg.MaterializeResult(metadata={"mine": 1})

    metadata = _metadata(_run(instance, _resource(openai_server), looped), "looped")
    assert (metadata[f"{KEY}.calls"], metadata[f"{KEY}.total_tokens"], metadata["mine"]) == (5, 35, 1)
    assert len(openai_server.requests) == 5


def test_a_stream_is_counted(instance, openai_server):
    """Defect 3: a stream failed with AttributeError."""

    @dg.asset
    def streamed(context: dg.AssetExecutionContext, models: ProviderResource) -> str:
        with models.get_client(context) as client:
            chunks = client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **CHAT)
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    result = _run(instance, _resource(openai_server), streamed)
    assert result.output_for_node("streamed") == "A scripted answer."
    metadata = _metadata(result, "streamed")
    assert (metadata[f"{KEY}.total_tokens"], metadata[f"{KEY}.estimated_calls"]) == (7, 0)


def test_a_stream_without_usage_or_end_is_estimated(instance, openai_server):
    @dg.asset
    def streamed(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            list(client.chat.completions.create(stream=True, **CHAT))
            with client.chat.completions.create(stream=True, **CHAT) as stopped:
                next(iter(stopped))

    metadata = _metadata(_run(instance, _resource(openai_server), streamed), "streamed")
    assert (metadata[f"{KEY}.calls"], metadata[f"{KEY}.estimated_calls"]) == (2, 2)
    assert metadata[f"{KEY}.completion_tokens"] >= 5


def test_raw_and_streaming_responses_are_counted(instance, openai_server):
    """Defect 4: `with_raw_response` failed with AttributeError."""

    @dg.asset
    def raw(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            answer = client.chat.completions.with_raw_response.create(**CHAT)
            assert answer.parse().choices[0].message.content == "A scripted answer."
            with client.chat.completions.with_streaming_response.create(**CHAT) as response:
                assert b"scripted" in response.read()

    assert _metadata(_run(instance, _resource(openai_server), raw), "raw")[f"{KEY}.total_tokens"] == 14


def test_a_server_that_reports_no_usage_is_counted_here(instance, openai_server):
    """Defect 5: the call failed with AttributeError, as with many compatible servers."""
    openai_server.script("no_usage", "no_usage")

    @dg.asset
    def silent(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)
            client.embeddings.create(model="test-embedding", input=["three words here"])

    metadata = _metadata(_run(instance, _resource(openai_server), silent), "silent")
    assert metadata[f"{KEY}.estimated_calls"] == 1
    assert (metadata[f"{KEY}.prompt_tokens"], metadata[f"{KEY}.completion_tokens"]) == (5, 4)
    assert metadata["openai.test-embedding.prompt_tokens"] == 3
    assert "openai.test-embedding.cost_usd" not in metadata  # unknown, not zero


def test_every_way_to_call_a_model_is_counted(instance, openai_server):
    """Defect 6: parsed calls and calls of a copied client were not counted."""

    @dg.asset
    def varied(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.parse(**CHAT)
            client.with_options(timeout=5).chat.completions.create(**CHAT)
            with client.chat.completions.stream(**CHAT) as stream:
                stream.until_done()
            client.responses.create(model="gpt-5.4-mini", input="What is a chunk?")
            client.models.list()  # not a call of a model

    metadata = _metadata(_run(instance, _resource(openai_server), varied), "varied")
    assert metadata[f"{KEY}.calls"] == 3
    assert metadata["openai.gpt-5.4-mini.total_tokens"] == 7
    assert len(openai_server.requests) == 5


def test_the_attempts_before_a_retry_are_counted(instance, openai_server):
    """Defect 7: only the last attempt's usage was reported."""

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    def flaky(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)
            if context.retry_number == 0:
                raise RuntimeError("inside")
        if context.retry_number == 1:
            raise RuntimeError("outside")

    assert _metadata(_run(instance, _resource(openai_server), flaky), "flaky")[f"{KEY}.calls"] == 3
    assert len(openai_server.requests) == 3


def test_runs_do_not_share_counts(instance, openai_server):
    @dg.asset
    def again(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)

    resource = _resource(openai_server)
    for _ in range(2):
        assert _metadata(_run(instance, resource, again), "again")[f"{KEY}.calls"] == 1


def test_a_direct_call_needs_no_run(openai_server):
    """Defect 8: a context built by hand failed with DagsterInvalidPropertyError."""

    @dg.asset
    def direct(context: dg.AssetExecutionContext, models: ProviderResource) -> Any:
        with models.get_client(context) as client:
            return client.chat.completions.create(**CHAT).choices[0].message.content

    with dg.build_asset_context(resources={"models": _resource(openai_server)}) as context:
        assert direct(context) == "A scripted answer."


def test_retries_and_the_time_limit_are_fields(instance, openai_server):
    """Defect 9: two retries and 600 seconds, with no field for either."""
    openai_server.script("hang", *[Fault(status=429, headers={"retry-after-ms": "5"})] * 3)

    @dg.asset
    def patient(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)

    resource = _resource(openai_server, max_retries=4, timeout_seconds=1)
    metadata = _metadata(_run(instance, resource, patient), "patient")
    assert (metadata[f"{KEY}.calls"], metadata[f"{KEY}.requests"]) == (1, 5)


def test_threads_are_counted_exactly(instance, openai_server):
    @dg.asset
    def threaded(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client, ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: client.chat.completions.create(**CHAT), range(40)))

    assert _metadata(_run(instance, _resource(openai_server), threaded), "threaded")[f"{KEY}.total_tokens"] == 280


def test_a_multi_asset_counts_under_the_asset_that_is_named(instance, openai_server):
    @dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right")])
    def both(context: dg.AssetExecutionContext, models: ProviderResource):
        with models.get_client_for_asset(context, dg.AssetKey("left")) as client:
            client.chat.completions.create(**CHAT)
        with pytest.raises(dg.DagsterInvariantViolationError, match="get_client_for_asset"), models.get_client(context):
            pass
        return dg.MaterializeResult(asset_key="left"), dg.MaterializeResult(asset_key="right")

    left, right = _run(instance, _resource(openai_server), both).asset_materializations_for_node("both")
    assert left.metadata[f"{KEY}.calls"].value == 1
    assert f"{KEY}.calls" not in right.metadata


def test_ops_log_what_they_used(instance, openai_server):
    @dg.op
    def asking(context: dg.OpExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)

    @dg.job(resource_defs={"models": _resource(openai_server)})
    def one_op() -> None:
        asking()

    result = one_op.execute_in_process(instance=instance)
    assert any(f"{KEY}.total_tokens=7" in record.user_message for record in instance.all_logs(result.run_id))


def test_checks_log_what_they_used(instance, openai_server):
    @dg.asset
    def judged() -> None: ...

    @dg.asset_check(asset=judged)
    def judging(context: dg.AssetCheckExecutionContext, models: ProviderResource) -> dg.AssetCheckResult:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)
        return dg.AssetCheckResult(passed=True)

    result = _run(instance, _resource(openai_server), judged, judging)
    assert any(f"{KEY}.total_tokens=7" in record.user_message for record in instance.all_logs(result.run_id))


def test_the_key_is_read_when_a_run_starts_and_stays_out_of_the_event_log(instance, openai_server, monkeypatch):
    monkeypatch.delenv("TEST_KEY", raising=False)

    @dg.asset
    def secretive(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)

    resource = _resource(openai_server, api_key=dg.EnvVar("TEST_KEY"))
    definitions = dg.Definitions(assets=[secretive], resources={"models": resource})
    dg.Definitions.validate_loadable(definitions)
    with pytest.raises(dg.DagsterInvalidConfigError, match="TEST_KEY"):
        _run(instance, resource, secretive)
    monkeypatch.setenv("TEST_KEY", API_KEY)
    openai_server.script("ok", UNAUTHORIZED)
    results = [_run(instance, resource, secretive), _run(instance, resource, secretive, raise_on_error=False)]
    assert [result.success for result in results] == [True, False]
    assert openai_server.requests[0].headers["authorization"] == f"Bearer {API_KEY}"
    assert not any(API_KEY in repr(record) for record in instance.all_logs(results[0].run_id))


def test_without_fields_it_is_the_configured_embedding_provider(instance, openai_server, tmp_path, monkeypatch):
    file = tmp_path / "rag_assets.yaml"
    file.write_text(
        f"""
models:
  providers: {{team: {{base_url: "{openai_server.base_url}", api_key_env: TEST_KEY}}}}
  embedding: {{provider: team, model: text-embedding-3-small}}
  prices: {{gpt-4o-mini: {{input_usd: 1, output_usd: 0}}}}
"""
    )
    monkeypatch.setenv("TEST_KEY", API_KEY)

    @dg.asset
    def configured(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            client.chat.completions.create(**CHAT)

    result = _run(instance, ProviderResource(config_file=str(file)), configured)
    assert _metadata(result, "configured")[f"{KEY}.cost_usd"] == pytest.approx(4 / 1e6)


def test_calls_are_in_the_ledger_of_the_project_and_keep_to_its_budgets(instance, openai_server, tmp_path, monkeypatch):
    file = tmp_path / "rag_assets.yaml"
    file.write_text(
        f"""
models:
  providers: {{team: {{base_url: "{openai_server.base_url}", api_key_env: TEST_KEY}}}}
  embedding: {{provider: team, model: text-embedding-3-small}}
  prices: {{gpt-4o-mini: {{input_usd: 1000000, output_usd: 0}}}}
spend: {{assets: {{thrifty: 10}}}}
"""
    )
    monkeypatch.setenv("TEST_KEY", API_KEY)
    partitions = dg.StaticPartitionsDefinition(["wiki"])

    @dg.asset(partitions_def=partitions, retry_policy=dg.RetryPolicy(max_retries=2))
    def thrifty(context: dg.AssetExecutionContext, models: ProviderResource) -> None:
        with models.get_client(context) as client:
            for _ in range(3):  # a call is expected to cost 4 dollars for its words
                client.chat.completions.create(**CHAT)

    resource = ProviderResource(config_file=str(file))
    result = _run(instance, resource, thrifty, partition_key="wiki", raise_on_error=False)
    assert not result.success and result.retry_attempts_for_node("thrifty") == 0
    with Project.open(file) as project:
        rows = project.ledger.usage()
        assert [(row.asset, row.source, row.run_id, row.cost_usd) for row in rows] == [
            ("thrifty", "wiki", result.run_id, 4.0)
        ] * len(rows)
        assert len(rows) == len(openai_server.requests) > 0
        assert project.ledger.open_reservations() == []


def test_the_embedded_provider_needs_no_key_and_costs_nothing(instance, tmp_path):
    file = tmp_path / "rag_assets.yaml"
    file.write_text("version: 1\n")

    @dg.asset
    def offline(context: dg.AssetExecutionContext, models: ProviderResource) -> int:
        with models.get_client(context) as client:
            return len(client.embeddings.create(model="all-MiniLM-L6-v2", input=["hello world"]).data[0].embedding)

    result = _run(instance, ProviderResource(config_file=str(file)), offline)
    assert result.output_for_node("offline") == 384
    metadata = _metadata(result, "offline")
    assert metadata["openai.all-MiniLM-L6-v2.total_tokens"] == 4
    assert metadata["openai.all-MiniLM-L6-v2.cost_usd"] == 0.0
