"""Engines, transactions and migrations. SQLite writes begin with the write lock held, PostgreSQL takes row locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from firebreak.errors import SettingsError

Clock = Callable[[], datetime]

_BUSY_MILLISECONDS = 30_000
_MIGRATION_LOCK = 7_316_204_551  # any fixed number: PostgreSQL's advisory lock around migrations


def utc_now() -> datetime:
    """The wall clock, as everything in the store wants it: aware and UTC."""
    return datetime.now(UTC)


def make_engine(url: str, *, lasting: bool = True) -> Engine:
    """Return an engine for `url`; makes the folder of a SQLite file, which loses its last writes with the power when it is not `lasting`.

    Raises:
        SettingsError: the URL is not one of SQLite (a file) or PostgreSQL.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed, pool_pre_ping=True, pool_size=5, max_overflow=15)
    Path(str(parsed.database)).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_MILLISECONDS / 1000})
    event.listen(engine, "connect", _prepare_sqlite if lasting else _prepare_scratch)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction: committed on leaving, rolled back by any exception."""
    with engine.connect() as tx:
        tx = tx.execution_options(firebreak_begin="BEGIN IMMEDIATE")
        with tx.begin():
            yield tx


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent read."""
    with engine.connect() as tx, tx.begin():
        yield tx


def insert_once(tx: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key exists; return whether it was inserted. Safe against a concurrent insert of the same key."""
    insert = sqlite_insert if tx.dialect.name == "sqlite" else postgresql_insert
    # RETURNING and not rowcount: PostgreSQL's driver does not count inserted rows.
    inserted = insert(table).values(**values).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return tx.execute(inserted).first() is not None


def migrate(engine: Engine) -> None:
    """Bring the database to the newest schema; does nothing when it is there already. Safe when many processes open at once.

    Raises:
        SettingsError: the database was written by a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(files("firebreak.store") / "migrations"))
    script = ScriptDirectory.from_config(config)
    with reading(engine) as tx:
        if MigrationContext.configure(tx).get_current_heads() == tuple(script.get_heads()):
            return
    with writing(engine) as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = tx
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SettingsError(
                "The incident store has a schema that this version does not know.",
                hint="It was opened by a newer Firebreak; upgrade this one, or point FIREBREAK_DATABASE_URL elsewhere.",
            ) from error


def _parse(url: str) -> URL:
    hint = "Use sqlite:////folder/store.db or postgresql://user@host/database."
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError as error:
        raise SettingsError("The database URL cannot be read.", hint=hint) from error
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise SettingsError(f"The database URL names {backend!r}, which the incident store cannot use.", hint=hint)
    if parsed.database in (None, "", ":memory:"):
        raise SettingsError("The incident store cannot live in memory: it must outlive the process.", hint=hint)
    return parsed


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # pysqlite must not open transactions by itself: `_begin_sqlite` does, with the lock the caller needs.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: a committed "started" row must survive a power cut, because the request leaves right after it.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _prepare_scratch(connection: Any, record: Any) -> None:
    _prepare_sqlite(connection, record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=MEMORY")
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


def _begin_sqlite(tx: Connection) -> None:
    tx.exec_driver_sql(tx.get_execution_options().get("firebreak_begin", "BEGIN"))
