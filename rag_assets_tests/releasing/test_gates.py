"""A gate that refuses leads to what mends it."""

from __future__ import annotations

import pytest

from rag_assets.errors import GateError
from rag_assets.releasing import QUALITY
from rag_assets.releasing.gates import require
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import candidate, ingest, quality


def test_a_refusal_for_quality_names_its_report_and_the_next_steps(small_project: SmallProject) -> None:
    small_project.configure(wiki="")
    small_project.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at ninety degrees.\n")
    with small_project.open() as project:
        ingest(project)
        content, ledger = candidate(project), project.ledger
        ledger.record_evaluation(
            evaluation_id="e1", measured_id="m1", release_id=content.release_id,
            snapshot_id=content.snapshot.snapshot_id, questions_version="q1", questions=9, content={}, metrics={},
            details={},
        )  # fmt: skip
        ledger.set_report("e1", "e1")
        ledger.record_verdict(QUALITY, quality(content), False, {"reason": "it got worse", "evaluation": "e1"})
        with pytest.raises(GateError, match="it got worse") as refused:
            require(ledger, [QUALITY], quality(content))
    assert "e1/ in the folder reports of data_dir" in refused.value.fix
    assert "Edit the questions it names, or mend" in refused.value.fix
    assert f"rag-assets releases promote {content.release_id} --force --reason TEXT" in refused.value.fix
