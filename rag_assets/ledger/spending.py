"""Money: what was spent in a month, what is set aside, and budgets that hold before anything is paid.

Each dollar counts in one place. What was spent is the cost of the rows of `usage`, in the calendar month (UTC) in which
they were recorded; each goes into the month's sum in the transaction that inserts it. What is set aside is the amount
of the open reservations, whatever month they are of, for it is from now on that they will be paid. A reservation ends
in the transaction that records what it was made for, so that no moment sees the money twice or not at all. Calls whose
price is unknown count nothing, which is why a budget refuses them.

A reservation of one call expires, so that a process that died sets nothing aside for ever; one without `expires_at`
(a tuning job) is held until it is settled or released.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, ScalarSelect, delete, func, or_, select, text, update

from rag_assets.errors import LedgerError
from rag_assets.ledger.budgets import Budget, refusal, unknown_price
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.tuning_tables import monthly_spend
from rag_assets.ledger.tuning_tables import reservations as table
from rag_assets.ledger.usage import UsageRows, month_of

if TYPE_CHECKING:
    from rag_assets.config import SpendSettings
    from rag_assets.models.usage import Usage

BUDGET_LOCK_KEY = 0x72616724  # any constant of its own among PostgreSQL's advisory locks


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside. `actual_usd` is what was paid in the end: None while it is open, or where no price is known."""

    reservation_id: str
    month: str
    asset: str
    source: str | None
    model: str
    run_id: str | None
    amount_usd: float
    actual_usd: float | None
    created_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None


class Spending(UsageRows):
    """Budgets of the present month. `limits` are always the caller's: settings are read per run."""

    def reserve(
        self,
        asset: str,
        amount_usd: float | None,
        *,
        model: str,
        limits: SpendSettings,
        source: str | None = None,
        run_id: str | None = None,
        expires_in: timedelta | None = None,
        reservation_id: str | None = None,
    ) -> str:
        """Sets `amount_usd` aside for `asset` and returns the reservation's id.

        Of any number of processes that ask at once, as many get it as the budgets have room for. Raises `BudgetError`,
        with the figures, where the month's budget or the asset's has less left; also where `amount_usd` is None, an
        unknown price, and a budget applies. Without `expires_in` it is held until it is settled or released. A
        `reservation_id` that is there already stands as it is: a second try sets nothing aside again.
        """
        if amount_usd is None and limits.limits(asset):
            raise unknown_price(model, asset)
        now = utc_now()
        row = Reservation(
            reservation_id=reservation_id or uuid.uuid4().hex,
            month=month_of(now),
            asset=asset,
            source=source,
            model=model,
            run_id=run_id,
            amount_usd=amount_usd or 0.0,
            actual_usd=None,
            created_at=now,
            expires_at=None if expires_in is None else now + expires_in,
            settled_at=None,
        )
        with self.writing() as connection:
            if not self._is_sqlite:  # there, whoever writes is alone already
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": BUDGET_LOCK_KEY})
            connection.execute(delete(table).where(table.c.settled_at.is_(None), table.c.expires_at <= now))
            if reservation_id is not None and _exists(connection, reservation_id):
                return reservation_id
            for budget in self._budgets(connection, limits, now, [asset]):
                if row.amount_usd > budget.left_usd + budget.rounding_usd:
                    raise refusal(budget, asset, model, row.amount_usd, now)
            connection.execute(table.insert(), asdict(row))
        return row.reservation_id

    def settle(self, reservation_id: str, usage: Usage | None) -> bool:
        """Ends a reservation with what was used, and records that as a call of its asset, source and run.

        None: nothing was paid. Doing it again changes nothing; False when it was done before. Raises `LedgerError`
        where there is no such reservation.
        """
        now = utc_now()
        with self.writing() as connection:
            found = connection.execute(select(table).where(table.c.reservation_id == reservation_id).with_for_update())
            row = found.one_or_none()
            if row is None:
                raise LedgerError(f"There is no reservation {reservation_id!r}.", fix="See: rag-assets costs")
            if row.settled_at is not None:
                return False
            if usage is not None:
                self._insert_usage(connection, [usage], run_id=row.run_id, source=row.source, asset=row.asset)
            values = {"settled_at": now, "actual_usd": usage.cost_usd if usage else 0.0}
            connection.execute(update(table).where(table.c.reservation_id == reservation_id).values(values))
        return True

    def release_reservation(self, reservation_id: str) -> bool:
        """Gives back what was set aside for something that was not paid; False when there is nothing to give back."""
        with self.writing() as connection:
            found = delete(table).where(table.c.reservation_id == reservation_id, table.c.settled_at.is_(None))
            return connection.execute(found).rowcount > 0

    def release_reservations_of(self, run_id: str) -> int:
        """Gives back what the calls of a run that ended had set aside; returns how many. Jobs that go on are kept."""
        left = (table.c.run_id == run_id, table.c.settled_at.is_(None), table.c.expires_at.is_not(None))
        with self.reading() as connection:
            if connection.execute(select(func.count()).select_from(table).where(*left)).scalar_one() == 0:
                return 0
        with self.writing() as connection:
            return connection.execute(delete(table).where(*left)).rowcount

    def reservation(self, reservation_id: str) -> Reservation | None:
        """One reservation; None when it is unknown, expired long ago, or was of a call that has ended."""
        with self.reading() as connection:
            row = connection.execute(select(table).where(table.c.reservation_id == reservation_id)).one_or_none()
        return Reservation(**row._mapping) if row else None

    def open_reservations(self) -> list[Reservation]:
        """What is set aside now, oldest first."""
        statement = select(table).where(*_open(utc_now())).order_by(table.c.created_at)
        with self.reading() as connection:
            return [Reservation(**row._mapping) for row in connection.execute(statement)]

    def spent_this_month(self, asset: str | None = None) -> float:
        """US dollars spent in this calendar month (UTC), by one asset or by all."""
        with self.reading() as connection:
            return float(connection.execute(select(_spent(month_of(utc_now()), asset))).scalar_one())

    def left_this_month(self, limits: SpendSettings, asset: str) -> float | None:
        """US dollars that `asset` may still spend this month, by its own budget and all's; None where none applies."""
        with self.reading() as connection:
            budgets = self._budgets(connection, limits, utc_now(), [asset])
        return min((budget.left_usd for budget in budgets), default=None)

    def budgets(self, limits: SpendSettings) -> list[Budget]:
        """Every budget of this month: that of all first, then those of assets, by name."""
        with self.reading() as connection:
            return self._budgets(connection, limits, utc_now(), sorted(limits.assets))

    def _budgets(self, connection: Connection, limits: SpendSettings, now: datetime, assets: list[str]) -> list[Budget]:
        """The month's budget and those of `assets`, where there are any, as of one moment."""
        wanted: list[tuple[str | None, float]] = [] if limits.month_usd is None else [(None, limits.month_usd)]
        wanted += [(asset, limits.assets[asset]) for asset in assets if asset in limits.assets]
        if not wanted:
            return []
        month = month_of(now)
        # One statement: on PostgreSQL two would see what is settled in between in neither of the sums.
        figures = [figure for asset, _ in wanted for figure in (_spent(month, asset), _set_aside(now, asset))]
        values = connection.execute(select(*figures)).one()
        return [
            Budget(asset, month, limit, float(values[2 * at]), float(values[2 * at + 1]))
            for at, (asset, limit) in enumerate(wanted)
        ]


def _exists(connection: Connection, reservation_id: str) -> bool:
    found = select(table.c.reservation_id).where(table.c.reservation_id == reservation_id)
    return connection.execute(found).first() is not None


def _spent(month: str, asset: str | None) -> ScalarSelect[float]:
    total = select(func.coalesce(func.sum(monthly_spend.c.cost_usd), 0.0)).where(monthly_spend.c.month == month)
    return (total if asset is None else total.where(monthly_spend.c.asset == asset)).scalar_subquery()


def _set_aside(now: datetime, asset: str | None) -> ScalarSelect[float]:
    total = select(func.coalesce(func.sum(table.c.amount_usd), 0.0)).where(*_open(now))
    return (total if asset is None else total.where(table.c.asset == asset)).scalar_subquery()


def _open(now: datetime) -> list[ColumnElement[bool]]:
    return [table.c.settled_at.is_(None), or_(table.c.expires_at.is_(None), table.c.expires_at > now)]
