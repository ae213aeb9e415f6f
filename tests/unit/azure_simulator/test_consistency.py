"""Lists that are behind: what they show of creation, change and deletion, and when they catch up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from azure_simulator.__main__ import main
from azure_simulator.app import call_as, dispatch, empty_world
from azure_simulator.consistency import LONGEST_LAG
from azure_simulator.faults import ConnectionDropped, Fault
from azure_simulator.http import Request, Response
from azure_simulator.services.signin import models as signin
from azure_simulator.world import World

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
LAG = 30
SIMPLE = (
    "Microsoft.Compute/disks",
    "Microsoft.Compute/snapshots",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/publicIPAddresses",
)


@dataclass
class Late:
    """A world whose lists are behind, and its owner."""

    world: World

    @property
    def subscription(self) -> str:
        return str(next(iter(self.world.subscriptions.values()))["id"])

    @property
    def group(self) -> str:
        return f"{self.subscription}/resourceGroups/rg-app"

    def call(self, method: str, path: str, body: Any = None) -> Response:
        """Call a path below the group, or an absolute one."""
        where = path if path.startswith("/") else f"{self.group}/providers/{path}"
        owner = next(p.object_id for p in self.world.principals.values() if p.kind == "User")
        response = call_as(self.world, owner, method, where, body)
        assert response.status < 400 or response.status == 404, response.body
        return response

    def get(self, path: str) -> Any:
        """The document, None when there is none."""
        response = self.call("GET", path)
        return None if response.status == 404 else json.loads(json.dumps(response.body))

    def rows(self, path: str) -> dict[str, Any]:
        """What a list below the subscription shows, by name."""
        found = self.get(f"{self.subscription}/{path}")["value"]
        return {row["name"]: row for row in found}

    def make(self, kind: str, name: str, **fields: Any) -> None:
        body = {"location": "westeurope", "properties": {}} | fields
        if kind.endswith(("disks", "snapshots")):
            body["properties"] = {"diskSizeGB": 32, "creationData": {"createOption": "Empty"}}
        if kind.endswith("virtualMachines"):
            body["properties"] = {
                "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
                "storageProfile": {"osDisk": {"createOption": "FromImage", "name": f"{name}-os"}},
            }
        self.call("PUT", f"{kind}/{name}", body)

    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.world.settle()


@pytest.fixture
def late() -> Late:
    cloud = Late(empty_world(NOW, 7))
    cloud.call("PUT", cloud.group, {"location": "westeurope"})
    cloud.make("Microsoft.Compute/virtualMachines", "old")
    cloud.make("Microsoft.Compute/disks", "old-disk")
    cloud.world.list_lag_seconds = LAG
    return cloud


MACHINES = "providers/Microsoft.Compute/virtualMachines"


def power(row: Any) -> str:
    return next(str(s["code"]) for s in row["properties"]["instanceView"]["statuses"] if "Power" in s["code"])


@pytest.mark.parametrize("kind", SIMPLE)
def test_a_new_resource_can_be_read_at_once_and_is_listed_after_the_lag(late: Late, kind: str) -> None:
    late.make(kind, "new")
    assert late.get(f"{kind}/new")["name"] == "new"
    for path in (f"providers/{kind}", "resources", f"resourceGroups/rg-app/providers/{kind}"):
        assert "new" not in late.rows(path)
    late.wait(LAG - 1)
    assert "new" not in late.rows(f"providers/{kind}")
    late.wait(1)
    for path in (f"providers/{kind}", "resources", f"resourceGroups/rg-app/providers/{kind}"):
        assert "new" in late.rows(path)


@pytest.mark.parametrize("kind", SIMPLE)
def test_a_deleted_resource_stays_listed_for_the_lag(late: Late, kind: str) -> None:
    late.make(kind, "gone")
    late.wait(LAG)
    late.call("DELETE", f"{kind}/gone")
    assert late.get(f"{kind}/gone") is None
    assert "gone" in late.rows(f"providers/{kind}")
    assert "gone" in late.rows("resources")
    late.wait(LAG)
    assert "gone" not in late.rows(f"providers/{kind}")
    assert "gone" not in late.rows("resources")


def test_power_is_listed_late_and_read_at_once(late: Late) -> None:
    late.call("POST", "Microsoft.Compute/virtualMachines/old/deallocate")
    one = late.get("Microsoft.Compute/virtualMachines/old?$expand=instanceView")
    assert power(one) == "PowerState/deallocated"
    assert late.get("Microsoft.Compute/disks/old-os")["properties"]["diskState"] == "Reserved"
    assert power(late.rows(f"{MACHINES}?statusOnly=true")["old"]) == "PowerState/running"
    assert late.rows("providers/Microsoft.Compute/disks")["old-os"]["properties"]["diskState"] == "Attached"
    late.wait(LAG)
    assert power(late.rows(f"{MACHINES}?statusOnly=true")["old"]) == "PowerState/deallocated"
    assert late.rows("providers/Microsoft.Compute/disks")["old-os"]["properties"]["diskState"] == "Reserved"


def test_each_step_of_a_long_operation_is_listed_a_lag_after_it_happened(late: Late) -> None:
    late.world.operation_seconds = 10
    late.call("POST", "Microsoft.Compute/virtualMachines/old/deallocate")
    late.wait(10)
    seen = []
    for _ in range(4):
        seen.append(power(late.rows(f"{MACHINES}?statusOnly=true")["old"]).split("/")[1])
        late.wait(10)
    assert seen == ["running", "running", "deallocating", "deallocated"]


def test_a_scale_set_and_tags_are_listed_late(late: Late) -> None:
    kind = "Microsoft.Compute/virtualMachineScaleSets"
    late.make(kind, "set", sku={"name": "Standard_D2s_v5", "capacity": 2})
    late.wait(LAG)
    late.call("PATCH", f"{kind}/set", {"sku": {"capacity": 5}, "tags": {"owner": "ops"}})
    shown = late.rows(f"providers/{kind}")["set"]
    assert (shown["sku"]["capacity"], "tags" in shown) == (2, False)
    assert late.get(f"{kind}/set")["sku"]["capacity"] == 5
    assert late.rows("resources?$filter=tagName eq 'owner'") == {}
    late.wait(LAG)
    assert late.rows(f"providers/{kind}")["set"]["sku"]["capacity"] == 5
    assert list(late.rows("resources?$filter=tagName eq 'owner'")) == ["set"]


def test_groups_are_listed_late(late: Late) -> None:
    late.call("PUT", f"{late.subscription}/resourceGroups/rg-new", {"location": "westeurope"})
    assert list(late.rows("resourceGroups")) == ["rg-app"]
    late.wait(LAG)
    assert list(late.rows("resourceGroups")) == ["rg-app", "rg-new"]
    late.world.operation_seconds = 10
    late.call("DELETE", late.group)
    late.wait(10)
    assert late.get(late.group) is None
    states = []
    for _ in range(4):
        row = late.rows("resourceGroups").get("rg-app")
        states.append(row["properties"]["provisioningState"] if row else "absent")
        late.wait(10)
    assert states == ["Succeeded", "Succeeded", "Deleting", "absent"]
    assert "old" not in late.rows("resources")


def test_what_was_deleted_and_made_again_is_listed_as_it_was_at_each_moment(late: Late) -> None:
    path = "Microsoft.Compute/disks/old-disk"
    first = late.get(path)["properties"]["uniqueId"]
    late.call("DELETE", path)
    late.wait(10)
    late.make("Microsoft.Compute/disks", "old-disk")
    second = late.get(path)["properties"]["uniqueId"]
    assert first != second
    seen = []
    for _ in range(5):
        row = late.rows("providers/Microsoft.Compute/disks").get("old-disk")
        seen.append(row["properties"]["uniqueId"] if row else None)
        late.wait(10)
    assert seen == [first, first, None, second, second]


def test_a_write_whose_answer_was_lost_is_listed_late_as_well(late: Late) -> None:
    world = late.world
    world.faults.append(Fault("drop_after", method="DELETE", url="/disks/", times=1))
    acting = next(p for p in world.principals.values() if p.secrets)
    token = signin.issue(world, acting, tenant=world.tenant_id, audience=f"{world.base_url}/")
    path = f"{late.group}/providers/Microsoft.Compute/disks/old-disk"
    request = Request("DELETE", path, {"api-version": "2024-03-02"}, {"authorization": f"Bearer {token}"}, b"")
    with pytest.raises(ConnectionDropped):
        dispatch(world, request)
    late.wait(LAG - 1)
    assert late.get(path) is None
    assert "old-disk" in late.rows("resources")
    late.wait(1)
    assert "old-disk" not in late.rows("resources")


def test_a_list_is_not_changed_by_what_was_listed(late: Late) -> None:
    late.call("POST", "Microsoft.Compute/virtualMachines/old/deallocate")
    late.rows(MACHINES)["old"]["properties"].clear()
    assert late.rows(MACHINES)["old"]["properties"]["vmId"]
    assert late.get("Microsoft.Compute/virtualMachines/old")["properties"]["vmId"]


def test_the_switch_is_a_control_route_and_lists_catch_up_when_it_is_off(late: Late) -> None:
    def settings(method: str, body: Any = None) -> Response:
        content = b"" if body is None else json.dumps(body).encode()
        return dispatch(late.world, Request(method, "/_simulator/settings", {}, {}, content))

    assert settings("GET").body["list_lag_seconds"] == LAG
    late.call("DELETE", "Microsoft.Compute/disks/old-disk")
    assert "old-disk" in late.rows("resources")
    assert settings("POST", {"list_lag_seconds": 0}).status == 200
    assert "old-disk" not in late.rows("resources")
    assert late.world.resources.past.last_seen is None
    assert settings("POST", {"list_lag_seconds": 5}).body["list_lag_seconds"] == 5
    late.make("Microsoft.Compute/disks", "new")
    assert {"new", "old-disk"}.isdisjoint(late.rows("resources"))
    late.wait(5)
    assert "new" in late.rows("resources")
    for wrong in (-1, "5", True, None, LONGEST_LAG + 1):
        assert settings("POST", {"list_lag_seconds": wrong}).status == 400
    assert settings("POST", {"list_lag_seconds": 1, "other": 2}).status == 400
    assert settings("GET").body["list_lag_seconds"] == 5


@pytest.mark.parametrize("lag", ["-1", "soon", "nan", "1e9"])
def test_the_command_refuses_an_impossible_lag(lag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--list-lag", lag])
    assert "--list-lag" in capsys.readouterr().err


def test_what_a_list_can_no_longer_show_is_not_kept(late: Late) -> None:
    for number in range(5):
        late.make("Microsoft.Compute/disks", f"d{number}")
        late.wait(LAG)
    late.rows("resources")
    assert late.world.resources.past.changes == []


def test_without_a_lag_nothing_is_kept(late: Late) -> None:
    late.world.list_lag_seconds = 0
    late.make("Microsoft.Compute/disks", "new")
    assert "new" in late.rows("resources")
    assert late.world.resources.past.last_seen is None
    assert late.world.resources.past.changes == []
