"""A fresh database per trial, as the scene left it: a copied file, or a copy that PostgreSQL makes of a template."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import create_engine

from firebreak.store import Store
from firebreak.store.database import make_engine
from firebreak.store.schema import metadata
from tests.torture.scene import Scene

SERVER = "host=127.0.0.1 port=5432 user=postgres connect_timeout=3"
DATABASES = ("sqlite", "postgresql")


def has_postgresql() -> bool:
    try:
        psycopg.connect(f"{SERVER} dbname=test").close()
    except psycopg.OperationalError:
        return False
    return True


class Template:
    """The scene's store in one kind of database."""

    def __init__(self, scene: Scene, kind: str) -> None:
        self.kind, self._file = kind, scene.home / "firebreak.db"
        self._name = f"torture_{os.getpid()}_{scene.name.replace(' ', '_').replace('-', '_')}"
        if kind == "postgresql":
            self._create(self._name)
            Store.open(_url(self._name)).close()
            self._fill()

    @contextmanager
    def copy(self, folder: Path, trial: str) -> Iterator[str]:
        """Yield the URL of a fresh copy; it goes with the block. `folder` becomes a home that can read it."""
        shutil.copy(self._file.parent / "secret.key", folder)
        if self.kind == "sqlite":
            target = folder / "firebreak.db"
            shutil.copy(self._file, target)
            yield f"sqlite:///{target}"
            return
        name = f"{self._name}_{trial}"
        self._create(name, template=self._name)
        try:
            yield _url(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        if self.kind == "postgresql":
            self._drop(self._name)

    def _create(self, name: str, template: str = "template0") -> None:
        with psycopg.connect(f"{SERVER} dbname=test", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def _drop(self, name: str) -> None:
        with psycopg.connect(f"{SERVER} dbname=test", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _fill(self) -> None:
        source, target = create_engine(f"sqlite:///{self._file}"), make_engine(_url(self._name))
        with source.connect() as rows, target.begin() as tx:
            for table in metadata.sorted_tables:
                found = [dict(row._mapping) for row in rows.execute(table.select())]
                if found:
                    tx.execute(table.insert(), found)
        source.dispose()
        target.dispose()


def _url(name: str) -> str:
    return f"postgresql://postgres@127.0.0.1:5432/{name}"
