"""Every error a user can meet, as one tree.

A message says what was wrong and where; `fix` says what to do next. The command line prints both on one line and
exits with a code other than 0; no traceback is shown for a `RagAssetsError`.

    RagAssetsError
    ├── ConfigurationError          a bad key, value or file in the configuration
    │   ├── QuestionsError          files of golden questions that cannot be loaded as they are
    │   └── ExamplesError           files of examples that cannot be loaded as they are
    ├── MissingDependencyError      an optional package is absent; `fix` is the install command
    ├── SourceError
    │   ├── UnknownSourceError      a name that the configuration does not have
    │   ├── SourceUnavailableError  the root of a source cannot be listed
    │   └── SourceHeldError         too much of a source vanished at once; a person must confirm
    ├── DocumentError               one document failed; the others go on
    │   ├── LoadError               it could not be read
    │   │   └── UnfitDocumentError  it is no file that its source takes, whenever it is read
    │   ├── ParseError              it could not be understood
    │   └── ChunkError              it could not be cut within the token limit
    ├── ModelError
    │   ├── WeightsError            the weights of an embedded model are missing or not the published ones
    │   ├── AuthenticationError     the provider refused the key
    │   ├── QuotaError              the provider's quota or credit is used up; retrying is pointless
    │   ├── RateLimitError          the provider asked to slow down and the retries are used up
    │   ├── ProviderUnavailableError  timeouts, cut connections and 5xx answers, after the retries
    │   ├── InvalidRequestError     the provider refused the request itself
    │   │   └── ModelNotFoundError  it does not have the model, or has it no more
    │   └── InvalidVectorError      a null, zero, NaN or wrong-dimension vector came back
    ├── StoreError
    │   ├── TableLockedError        another process writes to the table and did not finish in time
    │   ├── RunLockedError          another run has the source, or releases, and shows no sign of life
    │   └── WriteVerificationError  a write did not change the rows it should have
    ├── LedgerError
    │   └── LedgerUnwritableError   its disk is full, read-only or failing; it may still be read
    ├── RecordsError                Dagster's own records of its runs cannot be read or written
    ├── GateError                   a verdict is missing or negative for exactly these inputs
    ├── NoReleaseError              nothing is released yet, or not the release that was asked for
    ├── ServerError                 Dagster's server cannot be reached, or it answered with an error
    │   └── AccessRefusedError      it wants another login, is read-only, or refuses this caller
    ├── WorkerError                 a process that parses or cuts documents cannot be started
    ├── ReportError                 the report of an evaluation cannot be written
    ├── RunError                    a run cannot be launched, found or cancelled as asked
    │   └── RunTimeoutError         it had not ended in time; it goes on
    ├── QueryError                  a question that cannot be answered or searched for as it stands
    ├── TuningError                 a training file, job or tuned model is not there, or not usable as asked
    └── BudgetError                 what would be spent is over a budget; nothing was spent
"""

from __future__ import annotations

import errno

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write to a full disk ends in, be it of results, of the ledger or of a lock."""


class RagAssetsError(Exception):
    """Base of all errors that a user can act on.

    `problem` is one sentence: what was wrong, and where. `fix` is one sentence or command: what to do next.
    """

    def __init__(self, problem: str, *, fix: str = "") -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(f"{problem} {fix}".strip())

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.problem, self.fix))


def _rebuild(kind: type[RagAssetsError], problem: str, fix: str) -> RagAssetsError:
    return kind(problem, fix=fix)


class ConfigurationError(RagAssetsError):
    """A bad key, value or file in the configuration."""


class QuestionsError(ConfigurationError):
    """Files of golden questions that cannot be loaded as they are; the message has every mistake with its place."""


class MissingDependencyError(RagAssetsError):
    """An optional package is absent; `fix` is the install command."""


class SourceError(RagAssetsError):
    """A source cannot be used as it is."""


class UnknownSourceError(SourceError):
    """A source name that the configuration does not have."""


class SourceUnavailableError(SourceError):
    """The root of a source cannot be listed."""


class SourceHeldError(SourceError):
    """Too much of a source vanished at once; a person must confirm before anything is removed."""


class DocumentError(RagAssetsError):
    """One document failed; it keeps its previous rows and the others go on."""


class LoadError(DocumentError):
    """A document could not be read."""


class UnfitDocumentError(LoadError):
    """A document is no file that its source takes: too large, no regular file, or a link that leads elsewhere."""


class ParseError(DocumentError):
    """A document could not be understood."""


class ChunkError(DocumentError):
    """A document could not be cut into chunks within the token limit."""


class ModelError(RagAssetsError):
    """A model or its provider failed."""


class WeightsError(ModelError):
    """The weights of an embedded model are missing or are not the published ones."""


class AuthenticationError(ModelError):
    """The provider refused the key."""


class QuotaError(ModelError):
    """The provider's quota or credit is used up; retrying is pointless."""


class RateLimitError(ModelError):
    """The provider asked to slow down and the retries are used up."""


class ProviderUnavailableError(ModelError):
    """Timeouts, cut connections and 5xx answers, after the retries."""


class InvalidRequestError(ModelError):
    """The provider refused the request itself."""


class InvalidVectorError(ModelError):
    """A null, zero, NaN or wrong-dimension vector came back."""


class StoreError(RagAssetsError):
    """The tables cannot be read or written."""


class TableLockedError(StoreError):
    """Another process writes to the table and did not finish in time."""


class RunLockedError(StoreError):
    """Another run works on the source, or releases, and shows no sign of life."""


class WriteVerificationError(StoreError):
    """A write did not change the rows it should have changed."""


class LedgerError(RagAssetsError):
    """The ledger database cannot be used."""


class LedgerUnwritableError(LedgerError):
    """The ledger's disk takes no writes: it is full, read-only or failing. What it holds may still be read."""


class RecordsError(RagAssetsError):
    """Dagster's own records of its runs cannot be read or written."""


class GateError(RagAssetsError):
    """A verdict is missing or negative for exactly these inputs."""


class NoReleaseError(RagAssetsError):
    """Nothing is released yet, or not the release that was asked for."""


class ServerError(RagAssetsError):
    """Dagster's server cannot be reached, or it answered with an error."""


class AccessRefusedError(ServerError):
    """The server wants another login, is read-only, or refuses this caller."""


class WorkerError(RagAssetsError):
    """A process that parses or cuts documents cannot be started."""


class ReportError(RagAssetsError):
    """The report of an evaluation cannot be written."""


class RunError(RagAssetsError):
    """A run cannot be launched, found or cancelled as asked."""


class RunTimeoutError(RunError):
    """A run had not ended in time; it goes on."""


class QueryError(RagAssetsError):
    """A question that cannot be answered or searched for as it stands."""


class TuningError(RagAssetsError):
    """A training file, a tuning job, or a tuned model is not there, or cannot be used as asked."""


class ExamplesError(ConfigurationError):
    """A file of examples has mistakes; the message has each of them with its line."""


class BudgetError(RagAssetsError):
    """What would be spent is over a budget; nothing was spent."""


class ModelNotFoundError(InvalidRequestError):
    """The provider does not have the model, or has it no more."""
