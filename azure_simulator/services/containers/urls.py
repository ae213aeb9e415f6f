"""Routes of Kubernetes, Container Instances, Batch, Machine Learning, App Service and Recovery Services."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.compute.documents import getter, patcher, paths, putter, simple_routes
from azure_simulator.services.containers import creation, models, responses


def _cluster_routes() -> list[Route]:
    kind = models.CLUSTER
    _, _, one = paths(kind)
    return [
        *simple_routes(kind, changes=False),
        route("PUT", one, creation.created(kind), f"{kind}/write"),
        route("PATCH", one, patcher(kind), f"{kind}/write"),
        route("DELETE", one, responses.delete_cluster, f"{kind}/delete"),
        route("POST", f"{one}/stop", responses.stop_cluster, f"{kind}/stop/action"),
        route("POST", f"{one}/start", responses.start_cluster, f"{kind}/start/action"),
    ]


def _container_group_routes() -> list[Route]:
    kind = models.CONTAINER_GROUP
    everywhere, in_group, one = paths(kind)
    return [
        route("GET", everywhere, responses.list_groups, f"{kind}/read"),
        route("GET", in_group, responses.list_groups, f"{kind}/read"),
        route("GET", one, getter(kind), f"{kind}/read"),
        route("PUT", one, creation.created(kind), f"{kind}/write"),
        route("DELETE", one, responses.delete_group, f"{kind}/delete"),
        route("POST", f"{one}/stop", responses.switch_group("Stopped", 204), f"{kind}/stop/action"),
        route("POST", f"{one}/start", responses.switch_group("Running", 202), f"{kind}/start/action"),
    ]


def _batch_routes() -> list[Route]:
    account, pool = models.BATCH_ACCOUNT, models.BATCH_POOL
    _, _, one = paths(account)
    child = f"{one}/pools/{{child}}"
    return [
        *simple_routes(account, changes=False),
        route("PUT", one, putter(account), f"{account}/write"),
        route("DELETE", one, responses.delete_long(account, "batch_account.deleted"), f"{account}/delete"),
        route("GET", f"{one}/pools", responses.list_children(account, pool), f"{pool}/read"),
        route("GET", child, getter(pool), f"{pool}/read"),
        route("PUT", child, creation.created(pool, tracked=False), f"{pool}/write"),
        route("PATCH", child, responses.patch_pool, f"{pool}/write"),
        route("POST", f"{child}/stopResize", responses.stop_resize, f"{pool}/write"),
        route("DELETE", child, responses.delete_long(pool, "batch_pool.deleted"), f"{pool}/delete"),
    ]


def _machine_learning_routes() -> list[Route]:
    workspace, compute = models.WORKSPACE, models.ML_COMPUTE
    _, _, one = paths(workspace)
    child = f"{one}/computes/{{child}}"
    return [
        *simple_routes(workspace, changes=False),
        route("PUT", one, putter(workspace), f"{workspace}/write"),
        route("DELETE", one, responses.delete_long(workspace, "ml_workspace.deleted"), f"{workspace}/delete"),
        route("GET", f"{one}/computes", responses.list_children(workspace, compute), f"{compute}/read"),
        route("GET", child, getter(compute), f"{compute}/read"),
        route("PUT", child, creation.created(compute, tracked=False), f"{compute}/write"),
        route("PATCH", child, responses.patch_compute, f"{compute}/write"),
        route("POST", f"{child}/stop", responses.switch_compute("Stopped"), f"{compute}/stop/action"),
        route("POST", f"{child}/start", responses.switch_compute("Running"), f"{compute}/start/action"),
        route("DELETE", child, responses.delete_long(compute, "ml_compute.deleted"), f"{compute}/delete"),
    ]


def _site_and_vault_routes() -> list[Route]:
    site, plan, vault = models.SITE, models.PLAN, models.VAULT
    _, _, one_site = paths(site)
    _, _, one_plan = paths(plan)
    _, _, one_vault = paths(vault)
    return [
        *simple_routes(site, changes=False),
        route("PUT", one_site, creation.created(site), f"{site}/write"),
        route("DELETE", one_site, responses.delete_site, f"{site}/delete"),
        route("POST", f"{one_site}/stop", responses.switch_site("Stopped"), f"{site}/stop/action"),
        route("POST", f"{one_site}/start", responses.switch_site("Running"), f"{site}/start/action"),
        *simple_routes(plan, changes=False),
        route("PUT", one_plan, putter(plan), f"{plan}/write"),
        route("DELETE", one_plan, responses.delete_plan, f"{plan}/delete"),
        *simple_routes(vault),
        route(
            "GET",
            f"{one_vault}/backupProtectedItems",
            responses.list_protected_items,
            f"{vault}/backupProtectedItems/read",
        ),
    ]


ROUTES: list[Route] = [
    *_cluster_routes(),
    *_container_group_routes(),
    *_batch_routes(),
    *_machine_learning_routes(),
    *_site_and_vault_routes(),
]
