"""Small JSON values of an incident by key: the flow run's URL, report paths and the like. Never secrets, never decisions."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, select, update

from firebreak.store.database import insert_once, reading, writing
from firebreak.store.schema import incident_values as table


class ValueRepository:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set(self, incident: str, key: str, value: Any, *, tx: Connection | None = None) -> None:
        """Keep a JSON value, replacing an earlier one. `tx`: the caller's transaction."""
        if tx is None:
            with writing(self._engine) as own:
                return self.set(incident, key, value, tx=own)
        body = msgspec.json.encode(value).decode()
        if not insert_once(tx, table, {"incident": incident, "key": key, "body": body}):
            tx.execute(update(table).where(table.c.incident == incident, table.c.key == key).values(body=body))
        return None

    def get(self, incident: str, key: str, default: Any = None) -> Any:
        """Return the value as plain JSON types, or `default`."""
        with reading(self._engine) as tx:
            body = tx.execute(select(table.c.body).where(table.c.incident == incident, table.c.key == key)).scalar()
        return default if body is None else msgspec.json.decode(body)

    def all(self, incident: str) -> dict[str, Any]:
        """Every value of an incident by key."""
        wanted = select(table.c.key, table.c.body).where(table.c.incident == incident).order_by(table.c.key)
        with reading(self._engine) as tx:
            return {row.key: msgspec.json.decode(row.body) for row in tx.execute(wanted)}
