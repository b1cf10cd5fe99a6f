"""What the ledger's columns are made of: times, texts, counters, and how constraints are named."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Identity, Integer, MetaData, Text, TypeDecorator


def utc_now() -> datetime:
    """This moment, aware and in UTC."""
    return datetime.now(UTC)


def storable(text: str) -> str:
    """`text` as every database can hold it: NUL and lone surrogates become replacement characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC also where the database forgets time zones (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times in the ledger must carry a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AnyText(TypeDecorator[str]):
    """Text from outside (questions, file names, error messages), made `storable`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def counter() -> Column[int]:
    # SQLite numbers rows by itself only in a column declared INTEGER.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)
