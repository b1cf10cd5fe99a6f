"""The ledger: the database of everything paid for, decided, released, answered and revoked.

`Ledger(url)` opens it and migrates its schema to the newest version. Every method is one transaction and returns frozen
values; times are aware and in UTC. SQLite by default, PostgreSQL by URL.
"""

from __future__ import annotations

from rag_assets.ledger.answers import Answer, Answers, new_answer_id
from rag_assets.ledger.failures import Failure, Failures
from rag_assets.ledger.holds import Hold, Holds
from rag_assets.ledger.releases import Release, Releases, ServingChange
from rag_assets.ledger.revocations import Denied, Revocations
from rag_assets.ledger.snapshots import Snapshot, Snapshots
from rag_assets.ledger.usage import LedgerUsageSink, UsageRow, UsageRows
from rag_assets.ledger.verdicts import Verdict, Verdicts

__all__ = [
    "Answer",
    "Denied",
    "Failure",
    "Hold",
    "Ledger",
    "LedgerUsageSink",
    "Release",
    "ServingChange",
    "Snapshot",
    "UsageRow",
    "Verdict",
    "new_answer_id",
]


class Ledger(Snapshots, Releases, Verdicts, Failures, Revocations, Holds, Answers, UsageRows):
    """The face of the ledger: one group of queries per base class, all over one `Database`.

    Also a context manager that closes its connections. Raises `LedgerError` where the database fails.
    """

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
