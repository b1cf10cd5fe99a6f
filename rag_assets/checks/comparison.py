"""The check on the comparison of models: what was decided last, with the figures."""

import dagster as dg

from rag_assets.assets.comparison import model_comparison
from rag_assets.assets.comparison_metadata import of_comparison
from rag_assets.checks.warnings import WARN
from rag_assets.resources.project import ProjectResource

FINAL = ("promoted", "rejected")


@dg.asset_check(asset=model_comparison)
def comparison_decides(project: ProjectResource) -> dg.AssetCheckResult:
    """The newest comparison decided which model answers: it had enough questions, and no gate refused the winner."""
    with project.open() as opened:
        decision = next((one for one in opened.ledger.decisions() if one.comparison_id is not None), None)
        row = opened.ledger.comparison(decision.comparison_id) if decision and decision.comparison_id else None
        if decision is None or row is None:
            return dg.AssetCheckResult(passed=False, severity=WARN, description="No comparison was decided yet.")
        return dg.AssetCheckResult(
            passed=decision.decision in FINAL,
            severity=WARN,
            description=f"{decision.model_id} is {decision.decision}: {decision.reason}",
            metadata={
                "decision": decision.decision,
                "challenger": decision.model_id,
                "champion": decision.against,
                "decided_by": decision.decided_by,
                "forced": decision.forced,
                **of_comparison(opened, row),
            },
        )


COMPARISON_CHECKS = [comparison_decides]
