"""What stops, what is gone, and what hangs on it: read from documents alone."""

from __future__ import annotations

from typing import Any

from firebreak.replay.world.effects import effects_of

RG = "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg"
VM = f"{RG}/providers/Microsoft.Compute/virtualMachines/vm1"
OTHER = f"{RG}/providers/Microsoft.Compute/virtualMachines/vm2"
SET = f"{RG}/providers/Microsoft.Compute/virtualMachineScaleSets/pool"
NIC = f"{RG}/providers/Microsoft.Network/networkInterfaces/nic1"
ADDRESS = f"{RG}/providers/Microsoft.Network/publicIPAddresses/ip1"
DISK = f"{RG}/providers/Microsoft.Compute/disks/disk1"
BALANCER = f"{RG}/providers/Microsoft.Network/loadBalancers/lb1"
ALERT = f"{RG}/providers/Microsoft.Insights/metricAlerts/cpu"


def row(name: str, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "/".join(name.split("/")[6:8]), "properties": properties or {}, **more}


def state(*gone: str, off: tuple[str, ...] = (), instances: int = 2, **tables: list[Any]) -> dict[str, Any]:
    rows = [
        row(VM, {"networkProfile": {"networkInterfaces": [{"id": NIC}]}}),
        row(OTHER),
        row(SET),
        row(NIC, {"ipConfigurations": [{"properties": {"publicIPAddress": {"id": ADDRESS}}}]}),
        row(ADDRESS),
        row(DISK, managedBy=VM.upper()),
        row(BALANCER, {"backendAddressPools": [{"properties": {"members": [{"id": f"{NIC}/ipConfigurations/one"}]}}]}),
        row(ALERT, {"scopes": [VM]}),
    ]
    left = [each for each in rows if each["id"] not in gone]
    machines = [
        {"id": each["id"], "powerState": "deallocated" if each["id"] in off else "running"}
        for each in left
        if each["id"] in (VM, OTHER)
    ]
    sets = [{"id": SET, "instances": [{"powerState": "running"} for _ in range(instances)]}]
    empty: dict[str, list[Any]] = {"role_assignments": [], "locks": [], "policy_assignments": []}
    return {"resources": left, "machines": machines, "scale_sets": sets, **empty, **tables}


def whose(name: str) -> str:
    return "attacker" if name == VM.lower() else "legitimate"


def test_a_stopped_machine_is_told_with_all_that_is_left_standing_and_hung_on_it() -> None:
    found = effects_of(state(), state(off=(VM,)), whose)
    assert [(one.id, one.what, one.whose) for one in found.stopped] == [(VM, "stopped", "attacker")]
    hung = {one.id: (one.of, one.how) for one in found.dependents}
    assert hung == {
        NIC: (VM, "held as properties.networkProfile.networkInterfaces.id"),
        DISK: (VM, "managedBy"),
        ALERT: (VM, "properties.scopes"),
        ADDRESS: (VM, "held as properties.ipConfigurations.properties.publicIPAddress.id, through nic1"),
        BALANCER: (VM, "properties.backendAddressPools.properties.members.id, through nic1"),
    }
    assert {one.whose for one in found.dependents} == {"legitimate"}


def test_what_was_deleted_with_it_is_no_dependent() -> None:
    found = effects_of(state(), state(VM, NIC, DISK), whose)
    assert {one.id for one in found.stopped} == {VM, NIC, DISK}
    assert {one.what for one in found.stopped} == {"deleted"}
    assert {one.id for one in found.dependents} == {ALERT, ADDRESS, BALANCER}


def test_a_scale_set_with_fewer_instances_at_work_has_stopped_and_nothing_else_has() -> None:
    assert [one.id for one in effects_of(state(), state(instances=1), whose).stopped] == [SET]
    assert effects_of(state(), state(), whose).stopped == ()
    assert effects_of(state(off=(VM,)), state(off=(VM,)), whose).stopped == ()


def test_roles_locks_and_policies_that_came_or_went_are_told() -> None:
    before = state(role_assignments=[{"id": f"{RG}/roles/a"}], locks=[{"id": f"{RG}/locks/x"}])
    after = state(policy_assignments=[{"id": f"{RG}/policies/deny"}], locks=[{"id": f"{RG}/locks/x"}])
    assert effects_of(before, after, whose).access == ((f"{RG}/roles/a", "gone"), (f"{RG}/policies/deny", "new"))
