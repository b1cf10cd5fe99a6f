"""The asset `model_comparison`: a winner serves, the check says why, and the report stands beside the others."""

from __future__ import annotations

from typing import Any

import dagster as dg

from rag_assets.assets.comparison import model_comparison
from rag_assets.checks.comparison import comparison_decides
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.openai_server import OpenAIServer, openai_server
from rag_assets_tests.tuning.arena import ONE, TWO, answering, arena, chats
from rag_assets_tests.tuning.champions import BASE, FACTS

__all__ = ["openai_server"]

COMPARE = dg.define_asset_job("compare", selection=dg.AssetSelection.assets(model_comparison))


def compare(small: SmallProject, model: str = "", *, raises: bool = True) -> dg.ExecuteInProcessResult:
    code = dg.Definitions(
        assets=[model_comparison],
        asset_checks=[comparison_decides],
        jobs=[COMPARE],
        resources={"project": ProjectResource()},
    )
    config = {"ops": {"model_comparison": {"config": {"model": model}}}}
    job = code.resolve_job_def("compare")
    return job.execute_in_process(instance=small.instance, run_config=config, raise_on_error=raises)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node("model_comparison")
    return {name: value.value for name, value in event.metadata.items()}


def test_a_winner_serves_and_the_next_runs_say_what_is_the_case(
    small_project: SmallProject, openai_server: OpenAIServer
):
    arena(small_project, openai_server)
    openai_server.reply = answering({BASE: (1, 2), ONE: range(1, 8), TWO: (1, 2)})
    found = compare(small_project, ONE)
    said = metadata(found)
    assert (said["decision"], said["challenger"], said["champion"]) == ("promoted", ONE, BASE)
    assert (said["primary_n"], said["primary_difference"], said["wins"], said["losses"]) == (len(FACTS), 0.625, 5, 0)
    (check,) = found.get_asset_check_evaluations()
    assert check.passed and check.description is not None and check.description.startswith(f"{ONE} is promoted")
    assert check.metadata["primary_difference"].value == 0.625
    with small_project.open() as project:
        assert project.release().chat_model == ONE
        assert project.ledger.decisions(ONE)[0].decided_by == f"run {found.run_id}"
        reports = project.settings.data_path / "reports"
    page = (reports / said["report_link"].removeprefix("/reports/")).read_text("utf-8")
    assert "Largest wins of the challenger" in page and "shade number 777" in page
    assert said["report_link"].removeprefix("/reports/") in (reports / "index.html").read_text("utf-8")

    tie = compare(small_project, TWO)  # against the new champion
    assert metadata(tie)["decision"] == "rejected"
    assert metadata(tie)["champion"] == ONE
    asked = chats(openai_server)
    again = compare(small_project, ONE)  # it serves already
    assert metadata(again)["decision"] == "promoted"
    assert chats(openai_server) == asked
    with small_project.open() as project:
        project.ledger.retire_model(TWO)
    nothing = compare(small_project)
    assert metadata(nothing)["decision"] == "nothing to compare"
    failed = compare(small_project, "ft:unknown", raises=False)
    assert not failed.success
    assert not failed.asset_materializations_for_node("model_comparison")
