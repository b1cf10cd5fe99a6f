"""The ledger: the database of everything paid for, decided, released, answered and revoked.

`Ledger(url)` opens it and migrates its schema to the newest version. Every method is one transaction and returns frozen
values; times are aware and in UTC. SQLite by default, PostgreSQL by URL.
"""

from __future__ import annotations

from rag_assets.ledger.answers import Answer, Answers, new_answer_id
from rag_assets.ledger.budgets import Budget, dollars, may_fit_now
from rag_assets.ledger.claims import Claimant, Claims
from rag_assets.ledger.comparisons import ComparisonRow, Comparisons, Outcome
from rag_assets.ledger.costs import Costs, Dimension
from rag_assets.ledger.evaluations import Completion, EvaluationItem, EvaluationRow, Evaluations
from rag_assets.ledger.failures import FailedDocument, Failure, Failures
from rag_assets.ledger.holds import Hold, Holds
from rag_assets.ledger.on_record import OnRecord
from rag_assets.ledger.origins import DocumentVersion, Origins, StageRun
from rag_assets.ledger.provider_limits import ProviderLimits
from rag_assets.ledger.ratings import Rating, Ratings
from rag_assets.ledger.refusals import Refusals
from rag_assets.ledger.releases import Release, Releases, ServingChange, release_content_hash
from rag_assets.ledger.revocations import Denials, Denied, Revocations
from rag_assets.ledger.snapshots import Snapshot, Snapshots
from rag_assets.ledger.spending import Reservation
from rag_assets.ledger.tuned_models import DecisionName, ModelDecision, Status, TunedModel, TunedModels
from rag_assets.ledger.tuning_jobs import TuningJob, TuningJobs, TuningWish
from rag_assets.ledger.usage import UsageRow
from rag_assets.ledger.usage_sink import LedgerUsageSink, UsageSinks
from rag_assets.ledger.verdicts import Verdict, Verdicts
from rag_assets.ledger.watches import Watch, Watches

__all__ = [
    "Answer",
    "Budget",
    "Claimant",
    "ComparisonRow",
    "Completion",
    "DecisionName",
    "Denials",
    "Denied",
    "Dimension",
    "DocumentVersion",
    "EvaluationItem",
    "EvaluationRow",
    "FailedDocument",
    "Failure",
    "Hold",
    "Ledger",
    "LedgerUsageSink",
    "ModelDecision",
    "OnRecord",
    "Outcome",
    "Rating",
    "Release",
    "Reservation",
    "ServingChange",
    "Snapshot",
    "StageRun",
    "Status",
    "TunedModel",
    "TuningJob",
    "TuningWish",
    "UsageRow",
    "Verdict",
    "Watch",
    "dollars",
    "may_fit_now",
    "new_answer_id",
    "release_content_hash",
]


class Ledger(
    Snapshots,
    Releases,
    Verdicts,
    Evaluations,
    Claims,
    Failures,
    Refusals,
    Revocations,
    Holds,
    Watches,
    Origins,
    Answers,
    Ratings,
    UsageSinks,
    Costs,
    ProviderLimits,
    TuningJobs,
    TunedModels,
    Comparisons,
):
    """The face of the ledger: one group of queries per base class, all over one `Database`.

    Also a context manager that closes its connections. Raises `LedgerError` where the database fails.
    """

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
