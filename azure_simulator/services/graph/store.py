"""The directory's objects beside principals: tables of the world called `graph.<name>`, each row of one tenant (its key `_tenant`).

put(world, "namedLocations", location["id"], location)
rows(world, "namedLocations", tenant)
"""

from __future__ import annotations

from azure_simulator.http import Request
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.world import Document, Table, World


def table(world: World, name: str) -> Table:
    return world.table(f"graph.{name}")


def put(world: World, name: str, key: str, document: Document, *, tenant: str = "") -> Document:
    """Store a row; without `tenant` it is the customer's."""
    document["_tenant"] = (tenant or world.tenant_id).lower()
    table(world, name)[key] = document
    return document


def rows(world: World, name: str, tenant: str) -> list[Document]:
    """The rows of one tenant, in the order in which they came."""
    return [row for row in table(world, name).values() if row["_tenant"] == tenant.lower()]


def seen(world: World, request: Request, name: str) -> list[Document]:
    """The rows that a token sees: its tenant's."""
    return rows(world, name, tenant_of(world, request))


def row(world: World, request: Request, name: str, key: str) -> Document:
    """One row of the token's tenant.

    Raises:
        GraphNotFoundError
    """
    found = table(world, name).get(key)
    if found is None or found["_tenant"] != tenant_of(world, request):
        raise GraphNotFoundError(key)
    return found
