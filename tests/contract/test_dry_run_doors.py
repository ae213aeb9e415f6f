"""P2 by every door: each step of each shipped playbook runs in a dry run, with hands that try to write wherever a request could leave.

The judge is the simulator's request log: after all of it nothing but reads is in there. Doors are generated from what there is: the SDK's methods,
the clients' channels, the steps' own actions; a new SDK version or step brings its doors along.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from azure_simulator import AsgiApp
from azure_simulator.chance import Chance
from azure_simulator.clock import Clock
from azure_simulator.world import LoggedRequest, World
from firebreak.clients import Connection, connect
from firebreak.clients.inprocess import in_process
from firebreak.clients.policies.exchange import Call
from firebreak.errors import ResponseError, ScopeError, WriteRefusedError
from firebreak.model.case import Case
from firebreak.model.mode import Mode
from firebreak.model.plan import Action
from firebreak.playbook import find_playbooks
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import NOW, STEPS, world_of
from tests.steps.investigation import alert_of, incident_for
from tests.support.inprocess import SimulatedToken, responder, settings_for, sleeping, subscription_of

STEPS_OF = [
    pytest.param(playbook.id, step, id=f"{playbook.id}:{step}")
    for playbook in find_playbooks(steps=STEPS).values()
    for stage in playbook.stages
    for step in stage.steps
]
READING_POSTS = re.compile(
    r".*/providers/microsoft\.(costmanagement/query|resourcegraph/resources|support/checknameavailability)"
    r"|.*/v1\.0/directoryobjects/getbyids",
    re.IGNORECASE,
)
# They read what a deed in the log points to, and this world's attacker did nothing of the kind.
ASKS_ABOUT_DEEDS_ALONE = {"investigate.vaults"}
_WORLD: list[World] = []
_FACTS: dict[str, Any] = {}  # by step; reading steps of both playbooks are the same code over the same world


class Redirecting:
    """The simulator behind something that answers reading POSTs and marked GETs with a redirect into a write."""

    def __init__(self, world: World) -> None:
        self._app, self.to = AsgiApp(world), ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query = bytes(scope.get("query_string", b""))
        if not self.to or b"redirect=30" not in query:
            await self._app(scope, receive, send)
            return
        status = int(query[query.index(b"redirect=") + 9 :][:3])
        await send({"type": "http.response.start", "status": status, "headers": [(b"location", self.to.encode())]})
        await send({"type": "http.response.body", "body": b""})


class DryRun:
    """A dry run's connection to the shared world, and what the world was asked since it was opened."""

    def __init__(self, world: World, app: Redirecting, connection: Connection) -> None:
        self.world, self.app, self.connection = world, app, connection
        self.began = len(world.requests)
        self.subscription = f"/subscriptions/{subscription_of(world)}"
        self.machine = next(
            k for k, row in world.resources.items() if str(row["type"]).lower().endswith("/virtualmachines")
        )
        self.base = world.base_url

    def writes(self) -> list[str]:
        found = []
        for row in self.world.requests[self.began :]:
            reads = row.method in ("GET", "HEAD") or READING_POSTS.fullmatch(row.url.split("?")[0])
            overridden = [name for name in row.headers if "override" in name.lower() or name.lower() == "x-http-method"]
            if row.service != "login" and (not reads or overridden):
                found.append(f"{row.method} {row.url} {overridden}")
        return found


@pytest.fixture
async def dry() -> AsyncIterator[DryRun]:
    if not _WORLD:
        _WORLD.append(world_of("crypto-mining"))
    world = _WORLD[0]
    app, acting = Redirecting(world), responder(world)
    transports = in_process(app, credential=lambda tenant: SimulatedToken(world, acting, tenant or world.tenant_id))
    async with connect(
        settings_for(world),
        subscription_id=subscription_of(world),
        mode=Mode.DRY_RUN,
        correlation_id="aaaaaaaa-0000-4000-8000-000000000002",
        transport=transports,
        clock=world.clock.now,
        sleep=sleeping(world),
        monotonic=lambda: world.clock.now().timestamp(),
    ) as connection:
        yield DryRun(world, app, connection)


async def refused(attempt: Any) -> None:
    """Await one try to write: it must end in a refusal of ours, before anything leaves."""
    with pytest.raises((WriteRefusedError, ScopeError)):
        await attempt


async def case_before(dry: DryRun, playbook_id: str, step: str) -> Case:
    """The case that the step is handed, all steps before it read in this dry run."""
    playbook = find_playbooks(steps=STEPS)[playbook_id]
    alert, eyes = alert_of(dry.world), dry.connection.eyes
    names = [name for stage in playbook.stages for name in stage.steps]
    facts: dict[type[Any], Any] = {}
    for name in names[: names.index(step)]:
        loaded = load_steps()[name]
        if loaded.step.produces is None:
            continue
        case = Case(incident=incident_for(alert, eyes.now()), playbook=playbook, now=eyes.now(), facts=facts)
        if name not in _FACTS:
            _FACTS[name] = await loaded.collect(eyes, case) if loaded.collect else loaded.conclude(case)  # type: ignore[misc]
        facts[type(_FACTS[name])] = _FACTS[name]
    return Case(incident=incident_for(alert, eyes.now()), playbook=playbook, now=eyes.now(), facts=facts)


@pytest.mark.parametrize(("playbook", "step"), STEPS_OF)
async def test_a_step_in_a_dry_run_reaches_azure_with_reads_alone(dry: DryRun, playbook: str, step: str) -> None:
    case = await case_before(dry, playbook, step)
    loaded = load_steps()[step]
    asked = len(dry.world.requests)
    if loaded.collect is not None and step not in _FACTS:
        _FACTS[step] = await loaded.collect(dry.connection.eyes, case)
        asks = step not in ASKS_ABOUT_DEEDS_ALONE
        assert not asks or len(dry.world.requests) > asked, "the step asked nothing: nothing was tried beside it"
    if loaded.plan is not None:
        await own_actions(dry, loaded, case)
    for door in (raw_requests, channels, hands, operations, redirects):
        await door(dry)
    assert dry.writes() == []


async def own_actions(dry: DryRun, loaded: Any, case: Case) -> None:
    """The step's own writes, one of each kind, and what would take them back."""
    actions = {a.kind: a for a in loaded.plan(case) if isinstance(a, Action)} or {"made up": made_up(loaded, dry)}
    seen = await loaded.look([a for k, a in actions.items() if k != "made up"], dry.connection.eyes)
    for action in actions.values():
        try:
            await refused(loaded.apply(action, dry.connection.hands))
        except (KeyError, ValueError, TypeError):
            assert "made up" in actions  # an action without this step's own parameters does not get as far as a request
        prior = seen[action.id].prior if action.id in seen else {}
        inverse = loaded.undo(action, prior) if loaded.undo and action.id in seen else None
        if isinstance(inverse, Action):
            # Whoever carries it out looks again first, and hands over the version that was seen then.
            inverse = msgspec.structs.replace(inverse, params={"etag": '"e"', **inverse.params})
            await refused(loaded.apply(inverse, dry.connection.hands))


def made_up(loaded: Any, dry: DryRun) -> Action:
    """An action for a step that has nothing to do in this world."""
    step = loaded.step
    params = {"document": {}, "case": "c", "round": 1, "url": "https://a.blob.core.windows.net/c/b", "etag": '"e"'}
    params |= {"status": "resolved", "resolvedReason": "fraud", "limit": 0, "name": "x"}
    return Action(
        id="x", step=step.id, kind="x.x", target=dry.machine, title="t", effect=step.effect, reasons=(), params=params
    )


async def hands(dry: DryRun) -> None:
    own, vm = dry.connection.hands, dry.machine
    blob = f"{dry.base}/blob/account/vhds/a.vhd"
    await refused(own.arm.put(vm, "2026-04-01", {}))
    await refused(own.arm.patch(vm, "2026-04-01", {}))
    await refused(own.arm.post(f"{vm}/deallocate", "2026-04-01"))
    await refused(own.arm.delete(vm, "2026-04-01"))
    await refused(own.graph.post("/v1.0/users/u/revokeSignInSessions", None, request_id="r"))
    await refused(own.graph.patch("/v1.0/users/u", {}, request_id="r"))
    await refused(own.partner_center.post("/v1/customers/c/x/cancel", {}, request_id="r"))
    await refused(own.partner_center.patch("/v1/customers/c", {}, request_id="r"))
    await refused(own.blobs.snapshot(blob))
    await refused(own.blobs.delete(blob, '"e"'))


def tries(dry: DryRun) -> list[tuple[str, str, dict[str, str]]]:
    """Method, URL and headers of requests that change something, or would if somebody down the line were tricked."""
    vm, query = f"{dry.base}{dry.machine}", f"{dry.base}{dry.subscription}/providers/Microsoft.CostManagement/query"
    version = "?api-version=2026-04-01"
    found: list[tuple[str, str, dict[str, str]]] = [
        (method, vm + version, {}) for method in ("PUT", "PATCH", "DELETE", "MERGE", "delete", "Post", "PURGE", "MOVE")
    ]
    names = ("X-HTTP-Method-Override", "x-http-method", "X-METHOD-OVERRIDE", "X-Http-Method-override")
    found += [("GET", vm + version, {name: "DELETE"}) for name in names]
    found += [("POST", f"{vm}/{verb}{version}", {}) for verb in ("deallocate", "start", "runCommand", "powerOff")]
    found += [
        ("POST", f"{dry.base}{dry.subscription}/providers/{path}{version}", {})
        for path in (
            "Microsoft.Compute/register",
            "Microsoft.CostManagement/query/../../Microsoft.Compute/register",
            "Microsoft.CostManagement/query%2f..%2fregister",
            "Microsoft.CostManagement/generateDetailedCostReport",
            "Microsoft.Support/checkNameAvailability/x",
            "Microsoft.ResourceGraph/resources",
        )
    ]
    found += [("POST", f"{vm}/deallocate{version}&x={query}", {}), ("PUT", query + version, {}), ("DELETE", query, {})]
    found += [("POST", f"{dry.base}/providers/Microsoft.Authorization/elevateAccess{version}", {})]
    found += [("POST", query + version, {name: "PUT"}) for name in names[:2]]
    return found


async def raw_requests(dry: DryRun) -> None:
    management = dry.connection.management
    ways: tuple[Callable[..., Any], ...] = (
        management.compute.send_request,
        management.resources.send_request,
        management.monitor._send_request,
    )
    for number, (method, url, headers) in enumerate(tries(dry)):
        # Each way carries the same pipeline: every try by one of them, and deletion by all.
        for way in ways if method == "DELETE" else (ways[number % len(ways)],):
            await refused(way(HttpRequest(method, url, headers=headers)))
    await refused(management.send(Call("DELETE", f"{dry.base}{dry.machine}?api-version=2026-04-01", {}, is_read=True)))


async def channels(dry: DryRun) -> None:
    """The channels below Graph, Partner Center, blobs and prices, with calls that say of themselves that they only read."""
    eyes, own = dry.connection.eyes, dry.connection.hands
    for client in (eyes.graph, eyes.partner_center, eyes.blobs, eyes.prices, own.graph, own.partner_center, own.blobs):
        channel = client._channel  # type: ignore[union-attr]
        for method, headers in (
            ("DELETE", {}),
            ("POST", {}),
            ("PUT", {}),
            ("GET", {"X-HTTP-Method-Override": "DELETE"}),
        ):
            await refused(channel.send(Call(method, f"{dry.base}/graph/v1.0/users/u", dict(headers), is_read=True)))


async def operations(dry: DryRun) -> None:
    """What follows an operation asks with GET alone, whatever address it was given for it, and is not sent on into a write."""
    dry.app.to = f"{dry.base}{dry.machine}/deallocate?api-version=2026-04-01"
    own, version = (
        f"{dry.base}{dry.subscription}/providers/Microsoft.Compute/locations/westeurope/operations/x",
        "2026-04-01",
    )
    before = len(dry.world.requests)
    for link in (f"{own}?api-version={version}", f"{dry.base}{dry.machine}/deallocate?api-version={version}"):
        with contextlib.suppress(ResponseError):  # there is no such operation
            await dry.connection.hands.arm.operation(link)
    assert [row.method for row in dry.world.requests[before:]] == ["GET", "GET"]
    for status in ("302", "307", "308"):
        with pytest.raises(ResponseError):
            await dry.connection.hands.arm.operation(f"{own}?api-version={version}&redirect={status}")
    assert len(dry.world.requests) == before + 2
    dry.app.to = ""


async def redirects(dry: DryRun) -> None:
    """A GET or reading POST that is sent on with 307 or 308 does not arrive as a write, and is not followed at all."""
    dry.app.to = f"{dry.base}{dry.machine}/deallocate?api-version=2026-04-01"
    path = f"{dry.subscription}/providers/Microsoft.CostManagement/query"
    for status in ("301", "302", "303", "307", "308"):
        url = f"{dry.base}{path}?api-version=2025-03-01&redirect={status}"
        before = len(dry.world.requests)
        answer = await dry.connection.management.send(Call("POST", url, {}, content=b"{}", is_read=True))
        assert answer.status == int(status)
        assert len(dry.world.requests) == before
        with pytest.raises(ResponseError):
            await dry.connection.eyes.arm.get(dry.machine, "2026-04-01", {"redirect": status})
    dry.app.to = ""


SDK_WRITES = re.compile(
    r"begin_|create|delete|update|put|patch|register|unregister|move|start|stop|restart|deallocate|power|run_command|reimage|redeploy|export"
    r"|generalize|capture|assign|revoke|grant|cancel|validate|convert|enable|disable|post|set_|perform|simulate|purge|attach|detach"
)


def sdk_methods(client: Any) -> list[tuple[str, Callable[..., Any]]]:
    """Every public method of the client's operation groups whose name says that it changes something."""
    found = []
    for name, group in sorted(vars(client).items()):
        if name.startswith("_") or not type(group).__name__.endswith("Operations"):
            continue
        for method in sorted(n for n in dir(group) if not n.startswith("_") and SDK_WRITES.match(n)):
            found.append((f"{name}.{method}", getattr(group, method)))
    return found


@pytest.mark.parametrize("client", ["compute", "resources", "monitor"])
async def test_no_method_of_an_sdk_writes_in_a_dry_run(dry: DryRun, client: str) -> None:
    methods = sdk_methods(getattr(dry.connection.management, client))
    assert len(methods) > 20
    refusals, others = 0, list[str]()
    for name, method in methods:
        given = {
            p.name: {} if p.name in ("parameters", "resource", "body", "properties") or "param" in p.name else "x1"
            for p in inspect.signature(method).parameters.values()
            if p.default is inspect.Parameter.empty and p.kind is not inspect.Parameter.VAR_KEYWORD
        }
        try:
            result = method(**given)
            if inspect.isawaitable(result):
                await result
        except WriteRefusedError:
            refusals += 1
        except (AzureError, ValueError, TypeError, AttributeError, KeyError):
            others.append(name)  # the SDK itself refuses these made-up arguments; the log judges
    assert dry.writes() == []
    assert refusals > len(methods) * 0.6, f"only {refusals} of {len(methods)} got as far as the guard: {others}"


async def test_an_sdk_with_its_own_policies_registers_no_provider_and_follows_no_redirect(dry: DryRun) -> None:
    """Microsoft's default pipeline (registration, redirects, retries) over our transport."""
    from azure.mgmt.compute.aio import ComputeManagementClient

    management = dry.connection.management
    stock = ComputeManagementClient(
        management._credential,
        subscription_of(dry.world),
        base_url=dry.base,
        credential_scopes=[management._scope],
        transport=management._transport,
    )
    registered = dry.world.registered_providers[subscription_of(dry.world)]
    registered.discard("microsoft.compute")
    try:
        with pytest.raises(WriteRefusedError):
            await stock.virtual_machines.get("rg", "vm")
        dry.app.to = f"{dry.base}{dry.machine}/deallocate?api-version=2026-04-01"
        for status in (307, 308):
            url = f"{dry.base}{dry.subscription}/providers/Microsoft.CostManagement/query?api-version=2025-03-01&redirect={status}"
            with pytest.raises(WriteRefusedError):
                await stock.send_request(HttpRequest("POST", url, json={}))
        with pytest.raises(WriteRefusedError):
            await stock.virtual_machines.begin_deallocate("rg", "vm")
    finally:
        registered.add("microsoft.compute")
        dry.app.to = ""
    assert dry.writes() == []


def test_the_log_would_show_a_write() -> None:
    """The judge is not blind: the same requests, let through, are found."""
    dry = DryRun.__new__(DryRun)
    dry.world = world = World(seed=1, clock=Clock(NOW), chance=Chance(1))
    dry.began = 0
    for method, url, headers in (
        ("DELETE", "/x?y", {}),
        ("POST", "/subscriptions/s/providers/Microsoft.Compute/register?x", {}),
        ("GET", "/x", {"x-http-method-override": "DELETE"}),
    ):
        world.requests.append(LoggedRequest(at="", method=method, url=url, status=200, service="arm", headers=headers))
    world.requests.append(LoggedRequest(at="", method="GET", url="/x", status=200, service="arm"))
    assert len(dry.writes()) == 3
