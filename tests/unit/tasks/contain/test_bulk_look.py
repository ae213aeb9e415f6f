"""How many requests a look costs, and that a list which lags behind is not believed blindly."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from firebreak.model.plan import Action, action_id
from firebreak.model.step import Effect, Sent
from tasks.contain import deallocate_machines, disable_autoscale
from tasks.entitlement import CANCEL, change_entitlement
from tests.steps.changing_cases import SCOPE, SUBSCRIPTION

Document = dict[str, Any]


class Arm:
    """Documents to read, one list of them that may differ, and a log of what was asked."""

    subscription_id = SUBSCRIPTION

    def __init__(self, documents: Mapping[str, Document], listed: list[Document] | None = None) -> None:
        self.documents = {key.lower(): value for key, value in documents.items()}
        self.listed = list(documents.values()) if listed is None else listed
        self.asked: list[tuple[str, str, Mapping[str, str] | None]] = []

    async def get(self, path: str, api_version: str, params: Mapping[str, str] | None = None) -> Document | None:
        self.asked.append(("get", path, params))
        return self.documents.get(path.lower())

    async def list(self, path: str, api_version: str, params: Mapping[str, str] | None = None) -> list[Document]:
        self.asked.append(("list", path, params))
        return self.listed


def eyes_on(arm: Arm) -> Any:
    return SimpleNamespace(arm=arm)


def machine(name: str, power: str = "running", vm_id: str = "") -> Document:
    statuses = [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power}"}]
    path = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    return {"id": path, "properties": {"vmId": vm_id or f"vm-{name}", "instanceView": {"statuses": statuses}}}


def stop(document: Document) -> Action:
    return Action(
        id=action_id(deallocate_machines.STEP.id, deallocate_machines.DEALLOCATE, document["id"]),
        step=deallocate_machines.STEP.id,
        kind=deallocate_machines.DEALLOCATE,
        target=document["id"].upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"),
        title="Stop it",
        effect=Effect.REVERSIBLE,
        reasons=("Because.",),
        fingerprint={"vmId": document["properties"]["vmId"]},
    )


async def test_a_few_machines_are_read_one_by_one_with_their_power() -> None:
    rows = [machine("a"), machine("b", "deallocated"), machine("c", "deallocating")]
    arm = Arm({row["id"]: row for row in rows})
    found = await deallocate_machines.look([stop(row) for row in rows], eyes_on(arm))
    assert [(t.already_so, t.in_progress, t.state) for t in found.values()] == [
        (False, False, "running"),
        (True, False, "deallocated"),
        (False, True, "deallocating"),
    ]
    assert [(verb, params) for verb, _, params in arm.asked] == [("get", {"$expand": "instanceView"})] * 3


async def test_many_machines_cost_one_status_list() -> None:
    rows = [machine(f"m{n}") for n in range(200)]
    arm = Arm({row["id"]: row for row in rows})
    found = await deallocate_machines.look([stop(row) for row in rows], eyes_on(arm))
    assert len(found) == 200
    assert arm.asked == [("list", f"{SCOPE}/providers/Microsoft.Compute/virtualMachines", {"statusOnly": "true"})]


async def test_the_last_few_that_a_list_shows_unchanged_are_read_again() -> None:
    real = [machine(f"m{n}", "deallocated") for n in range(50)]
    lagging = [*real[:47], *(machine(f"m{n}", "running") for n in (47, 48, 49))]
    arm = Arm({row["id"]: row for row in real}, lagging)
    found = await deallocate_machines.look([stop(row) for row in real], eyes_on(arm))
    assert all(target.already_so for target in found.values())
    assert [verb for verb, _, _ in arm.asked] == ["list", "get", "get", "get"]


async def test_a_machine_missing_from_the_list_is_asked_for_before_it_counts_as_gone() -> None:
    real = [machine(f"m{n}") for n in range(30)]
    arm = Arm({row["id"]: row for row in real}, real[1:])
    found = await deallocate_machines.look([stop(row) for row in real], eyes_on(arm))
    assert not any(target.already_so for target in found.values())


async def test_a_status_list_without_identities_is_completed_from_the_list_of_models() -> None:
    rows = [machine(f"m{n}", "deallocated" if n < 3 else "running") for n in range(40)]
    actions = [stop(row) for row in rows]
    thin = [{**row, "properties": {k: v for k, v in row["properties"].items() if k != "vmId"}} for row in rows]
    anew = rows[7]["properties"]
    anew["vmId"] = "made-anew"

    class Thin(Arm):
        async def list(self, path: str, version: str, params: Any = None) -> Any:
            found = await super().list(path, version, params)
            return thin if params else found

    arm = Thin({row["id"]: row for row in rows})
    found = await deallocate_machines.look(actions, eyes_on(arm))
    assert found[actions[7].id].fingerprint == {"vmId": "made-anew"}
    others = [a for n, a in enumerate(actions) if n not in (0, 1, 2, 7)]
    assert all(found[a.id].fingerprint == a.fingerprint for a in others)
    assert [(verb, params) for verb, _, params in arm.asked] == [("list", {"statusOnly": "true"}), ("list", None)]


async def test_a_machine_that_tells_no_identity_is_not_taken_for_the_approved_one() -> None:
    row = machine("a")
    action = stop(row)
    del row["properties"]["vmId"]
    found = await deallocate_machines.look([action], eyes_on(Arm({row["id"]: row})))
    assert not found[action.id].fingerprint


async def test_an_autoscale_setting_that_targets_something_else_no_longer_fits() -> None:
    path = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Insights/autoscaleSettings/a"
    action = Action(
        id=action_id(disable_autoscale.STEP.id, disable_autoscale.DISABLE, path),
        step=disable_autoscale.STEP.id,
        kind=disable_autoscale.DISABLE,
        target=path,
        title="Off",
        effect=Effect.REVERSIBLE,
        reasons=("Because.",),
        fingerprint={"scales": disable_autoscale.ROGUE},
        params={"scale_sets": ["/x/POOL"]},
    )
    for scaled, fits in (("/X/pool", True), ("/x/web", False)):
        document = {"id": path, "properties": {"enabled": True, "targetResourceUri": scaled}}
        found = await disable_autoscale.look([action], eyes_on(Arm({path: document})))
        assert (found[action.id].fingerprint == action.fingerprint) is fits


async def test_a_cancellation_keeps_its_request_id_for_one_incident_and_changes_it_for_the_next() -> None:
    sent: list[tuple[str, Any, str]] = []

    class Partner:
        async def post(self, path: str, body: Any, *, request_id: str) -> Sent:
            sent.append((path, body, request_id))
            return Sent(status=202)

    hands: Any = SimpleNamespace(partner_center=Partner())
    for case in ("INC-1", "INC-1", "INC-2"):
        action = Action(
            id=action_id("contain.cancel_entitlement", CANCEL, "/v1/e"),
            step="contain.cancel_entitlement",
            kind=CANCEL,
            target="/v1/e",
            title="Cancel",
            effect=Effect.IRREVERSIBLE,
            reasons=("Because.",),
            params={"case": case, "round": 1},
        )
        await change_entitlement(action, hands)
    assert {path for path, _, _ in sent} == {"/v1/e/cancel"}
    assert {body["cancellationReason"] for _, body, _ in sent} == {"compromise"}
    assert sent[0][2] == sent[1][2] != sent[2][2]
