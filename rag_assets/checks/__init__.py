"""Asset checks: what the gates decided, and what is worth a warning, shown beside each asset.

A blocking check stops the rest of its own run. What holds across runs is the verdict in the ledger, which the next
asset reads in its body; the checks display exactly that verdict.
"""

from rag_assets.checks.comparison import COMPARISON_CHECKS
from rag_assets.checks.gates import GATE_CHECKS
from rag_assets.checks.quality import QUALITY_CHECKS
from rag_assets.checks.tuning import TUNING_CHECKS
from rag_assets.checks.warnings import WARNING_CHECKS

CHECKS = [*GATE_CHECKS, *QUALITY_CHECKS, *TUNING_CHECKS, *COMPARISON_CHECKS, *WARNING_CHECKS]

__all__ = ["CHECKS"]
