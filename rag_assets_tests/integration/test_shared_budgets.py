"""Real processes of one project at once, under one budget: together they never spend more, and none pays twice."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag_assets.tuning.gates import require_training_file
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import FineTuningServer, fine_tuning_server
from rag_assets_tests.integration.gateway import gateway_settings, use_gateway
from rag_assets_tests.integration.test_budgets import DOLLAR_A_TOKEN, model_calls
from rag_assets_tests.openai_server import OpenAIServer, openai_server
from rag_assets_tests.tuning import drills

__all__ = ["fine_tuning_server", "openai_server"]

pytestmark = pytest.mark.slow
ROUNDS = 2
ROOT = Path(__file__).parents[2]
ASK = """
    import sys
    from rag_assets.errors import BudgetError
    from rag_assets.project import Project

    with Project.open() as project:
        sink = project.ledger.usage_sink(asset="embeddings", limits=project.settings.spend)
        with project.embedder(sink) as embedder:
            texts = [f"{sys.argv[1]} text {number}" for number in range(40)]
            embedder.count_tokens(texts[0])
            print("ready", flush=True)
            sys.stdin.readline()
            try:
                print(sum(len(batch.indices) for batch in embedder.embed_documents(texts)))
            except BudgetError:
                print("refused")
"""
TUNE = """
    import sys
    from rag_assets.errors import BudgetError, GateError
    from rag_assets.project import Project
    from rag_assets.tuning.gates import judge_training_file
    from rag_assets.tuning.jobs import submit
    from rag_assets_tests.tuning.drills import passed_file

    with Project.open() as project:
        file = passed_file(project, sys.argv[1])
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            print(submit(project, file).how)
        except (BudgetError, GateError):
            print("refused")
"""


def at_once(program: str, arguments: Sequence[str]) -> list[str]:
    """What processes of `program` printed last that were all told to go on at the same moment."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen([*command, one], stdin=pipe, stdout=pipe, text=True, env=environment) for one in arguments
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0].split()[-1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return said


def test_three_processes_never_spend_more_than_the_budget(
    small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_gateway(small_project, openai_server, monkeypatch)
    settings = gateway_settings(openai_server, batch_size=1) + DOLLAR_A_TOKEN
    small_project.configure(settings + "spend: {month_usd: 200}\n", wiki="")
    said = at_once(ASK, ["left", "middle", "right"])  # each wants 40 texts of four or five dollars
    assert "refused" in said
    with small_project.open() as project:
        assert project.ledger.spent_this_month() <= 200
        assert project.ledger.usage_totals().calls == model_calls(openai_server)
        assert project.ledger.open_reservations() == []


def test_of_two_tunings_that_fit_alone_exactly_one_starts(
    small_project: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    for turn in range(ROUNDS):
        drills.configure(small_project, fine_tuning_server, timeout_seconds=20)
        text = small_project.config_file.read_text("utf-8")
        with small_project.open() as project:
            file = drills.passed_file(project, "winter")
            cost = require_training_file(project, file).cost_usd or 0.0
            taken = project.ledger.spent_this_month() + sum(
                one.amount_usd for one in project.ledger.open_reservations()
            )
        small_project.config_file.write_text(f"{text}\nspend: {{month_usd: {taken + 1.5 * cost}}}\n", "utf-8")
        jobs = len(fine_tuning_server.jobs)
        assert sorted(at_once(TUNE, [f"autumn {turn}", f"spring {turn}"])) == ["refused", "submitted"]
        assert len(fine_tuning_server.jobs) == jobs + 1
