"""`Store`: one open database with its repositories. Thread-safe; open one per process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from sqlalchemy import Connection, Engine

from firebreak.store.cases import CaseRepository
from firebreak.store.database import Clock, make_engine, migrate, reading, utc_now, writing
from firebreak.store.facts import FactsRepository
from firebreak.store.incidents import IncidentRepository
from firebreak.store.plans import PlanRepository
from firebreak.store.steps import StepRepository
from firebreak.store.values import ValueRepository


class Store:
    """Repositories by noun; `read` and `write` give transactions to the packages that own other tables."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.incidents = IncidentRepository(engine, clock)
        self.cases = CaseRepository(engine, self.incidents)
        self.steps = StepRepository(engine, clock)
        self.facts = FactsRepository(engine, clock)
        self.plans = PlanRepository(engine, clock)
        self.values = ValueRepository(engine)

    @classmethod
    def open(cls, url: str, *, clock: Clock = utc_now, lasting: bool = True) -> Store:
        """Open the store at `url`, make its folder and bring its schema up to date.

        A SQLite file that is not `lasting` is thrown away with the process: nothing waits for the disk.

        Raises:
            SettingsError: the URL cannot be used, or the database belongs to a newer version.
        """
        engine = make_engine(url, lasting=lasting)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, clock)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent read."""
        with reading(self.engine) as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction; any exception rolls all of it back."""
        with writing(self.engine) as tx:
            yield tx

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
