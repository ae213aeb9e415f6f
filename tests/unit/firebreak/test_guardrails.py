"""What is protected is never touched (P4) and limits hold (P5), whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from firebreak.errors import GuardRailError, ScopeError
from firebreak.guardrails import (
    check_action,
    check_before_writing,
    check_scope,
    last_administrator,
    last_owner,
    over_limits,
    protected_since,
    why_protected,
)
from firebreak.model.case import Case
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Attribution,
    Class,
    Inventory,
    Judgement,
    Lock,
    Operation,
    Resource,
    RoleAssignment,
    SubscriptionFacts,
)
from firebreak.model.identity import Administrator, Administrators, RoleHolding
from firebreak.model.ids import ResourceId
from firebreak.model.intrusion import GLOBAL_ADMINISTRATOR, Intruder, Intrusion
from firebreak.model.plan import GIVES_BACK_TO, NOTHING_MORE, UNDOES, Action, Plan, Protection
from tests.unit.firebreak.execution.builders import (
    CUSTOMER,
    NOON,
    SUBSCRIPTION,
    WIDE,
    machine_id,
    make_action,
    make_case,
    make_incident,
    make_machine,
    make_playbook,
    make_small_plan,
)

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
OTHER = SUBSCRIPTION.replace("3", "4")


def role(number: int, *, name: str = "Owner", scope: str = SCOPE, at: datetime = NOON, **fields: Any) -> RoleAssignment:
    given = {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{number}",
        "scope": scope,
        "role_definition_id": f"{SCOPE}/providers/Microsoft.Authorization/roleDefinitions/x",
        "role_name": name,
        "principal_id": f"principal-{number}",
        "principal_type": "User",
        "created_at": at,
        **fields,
    }
    return RoleAssignment(**given)


def removal(assignment: RoleAssignment) -> Action:
    return make_action(1, kind="access.remove", target=assignment.id, fingerprint={})


def lock(scope: str = SCOPE, level: str = "CanNotDelete", name: str = "l") -> Lock:
    return Lock(id=f"{scope}/providers/Microsoft.Authorization/locks/{name}", scope=scope, level=level)


def attribution(*judgements: tuple[str, Class], actors: Sequence[tuple[str, Class]] = ()) -> Attribution:
    return Attribution(
        resources=tuple(Judgement(id=i, cls=c, score=1) for i, c in judgements),
        actors=tuple(Judgement(id=i, cls=c, score=1) for i, c in actors),
    )


@pytest.mark.parametrize(
    "target",
    [
        machine_id(1).replace(SUBSCRIPTION, OTHER),
        f"/subscriptions/{SUBSCRIPTION}x/resourceGroups/rg",
        f"{SCOPE}/resourceGroups/rg/../../../{OTHER}",
        f"{SCOPE}/resourceGroups/%2e%2e/{OTHER}",
        f"{SCOPE}//resourceGroups/rg",
        f"{SCOPE}/resourceGroups/rg/",
        f"{SCOPE}/resourceGroups/rg?x=1",
        f"{SCOPE}\\resourceGroups\\rg",
        "/providers/Microsoft.Management/managementGroups/top",
        f"/subscriptions/{SUBSCRIPTION} /resourceGroups/rg",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg\x00",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg#x",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r\u200bg",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r\u202eg",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r\u00a0g",
        f"/\uff53ubscriptions/{SUBSCRIPTION}/resourceGroups/rg",
        f"/subscr\u0130ptions/{SUBSCRIPTION}/resourceGroups/rg",
        f"/subscriptions/{SUBSCRIPTION.replace('3', chr(0xFF13))}/resourceGroups/rg",
        f"/subscriptions/{SUBSCRIPTION}-0000/resourceGroups/rg",
        f"{SCOPE}/resourceGroups/rg/subscriptions/{OTHER}/resourceGroups/x",
        f"{SCOPE}/providers/Microsoft.Resources/subscriptions/{OTHER}",
        "subscriptions/x",
        "",
        f"/v1/customers/{OTHER}/subscriptions/a",
        f"/v1/customers/{CUSTOMER}/../{OTHER}/subscriptions/a",
        "/beta/users/%2e%2e/x",
        "/v1.0/users//x",
        "/v1/customers/\nx",
        "/V1/customers/x",
    ],
)
def test_targets_outside_or_with_tricks_are_out_of_scope(target: str) -> None:
    with pytest.raises(ScopeError):
        check_scope(target, make_incident())


@pytest.mark.parametrize(
    "target",
    [
        SCOPE.upper().replace("/SUBSCRIPTIONS", "/subscriptions"),
        machine_id(1),
        f"/v1/customers/{CUSTOMER.upper()}/subscriptions/a/azureEntitlements/b",
        "/beta/security/partner/securityAlerts/a",
        "/v1.0/users/a",
    ],
)
def test_the_incidents_own_targets_are_in_scope(target: str) -> None:
    check_scope(target, make_incident())


@pytest.mark.parametrize(
    "rails",
    [
        {"protected_resources": (machine_id(1).upper().replace("/SUBSCRIPTIONS", "/subscriptions"),)},
        {"protected_resources": (machine_id(1).rsplit("/", 4)[0] + "/",)},
        {"protected_resources": (machine_id(1) + "/extensions/e",)},
        {"protected_resources": ("VM-1",)},
        {"protected_groups": ("RG-MINERS",)},
        {"protected_groups": (f"{SCOPE}/resourceGroups/rg-miners",)},
        {"protected_tags": ("KEEP",)},
        {"protected_tags": ("keep=Yes",)},
    ],
)
def test_what_the_playbook_protects_is_protected(rails: dict[str, tuple[str, ...]]) -> None:
    machine = make_machine(1, tags={"Keep": "yes"})
    case = make_case(Inventory(machines=(machine,)), playbook=make_playbook(**rails))
    assert why_protected(make_action(1), case)
    assert not why_protected(make_action(1, target=machine_id(2, "rg-other")), case)


def test_a_neighbour_with_a_longer_name_is_not_protected() -> None:
    case = make_case(playbook=make_playbook(protected_resources=(machine_id(1),)))
    assert not why_protected(make_action(1, target=machine_id(1) + "0"), case)


def test_another_value_of_a_protected_tag_does_not_protect() -> None:
    case = make_case(
        Inventory(machines=(make_machine(1, tags={"keep": "no"}),)),
        playbook=make_playbook(protected_tags=("keep=yes",)),
    )
    assert not why_protected(make_action(1), case)


def test_a_tag_protects_what_is_below_and_a_group_that_holds_it() -> None:
    group = Resource(id=f"{SCOPE}/resourceGroups/rg-miners", type="x", name="rg-miners", tags={"keep": ""})
    rails = make_playbook(protected_tags=("keep",))
    assert why_protected(make_action(1), make_case(Inventory(groups=(group,)), playbook=rails))
    case = make_case(Inventory(machines=(make_machine(1, tags={"keep": ""}),)), playbook=rails)
    assert why_protected(make_action(1, target=machine_id(1) + "/extensions/e"), case)
    assert why_protected(make_action(1, target=group.id, kind="group.delete"), case)


def test_the_reason_is_the_same_whatever_the_order_of_what_is_tagged() -> None:
    machines = [make_machine(n, tags={"keep": ""}) for n in (1, 2, 3)]
    group = make_action(1, target=f"{SCOPE}/resourceGroups/rg-miners", kind="group.delete")
    rails = make_playbook(protected_tags=("keep",))
    reasons = {
        why_protected(group, make_case(Inventory(machines=tuple(order)), playbook=rails))
        for order in (machines, machines[::-1], [machines[1], machines[0], machines[2]])
    }
    assert len(reasons) == 1
    assert reasons != {""}


def test_the_partners_own_access_is_never_removed() -> None:
    partner = role(1, principal_type="ForeignGroup")
    case = make_case(AccessFacts(role_assignments=(partner, role(2))))
    assert "ForeignGroup" in why_protected(removal(partner), case)
    assert why_protected(make_action(1, target="/v1.0/tenantRelationships/delegatedAdminRelationships/x"), case)


def test_access_nobody_read_is_not_removed() -> None:
    assert why_protected(removal(role(1)), make_case())
    assert why_protected(removal(role(1)), make_case(AccessFacts(role_assignments=(role(2),))))
    restored = make_action(1, kind="access.restore", target=role(1).id, fingerprint={})
    assert not why_protected(restored, make_case(AccessFacts()))


@pytest.mark.parametrize("where", ["assignment", "params", "path"])
def test_the_own_identity_and_protected_principals_are_never_touched(where: str) -> None:
    own = SubscriptionFacts(
        subscription_id=SUBSCRIPTION, tenant_id=CUSTOMER, display_name="", state="", own_principal_ids=("PRINCIPAL-1",)
    )
    action = {
        "assignment": removal(role(1)),
        "params": make_action(1, params={"principal_id": "principal-1"}),
        "path": make_action(1, target="/v1.0/users/Principal-1", kind="user.disable"),
    }[where]
    access = AccessFacts(role_assignments=(role(1), role(2)))
    assert "runs as" in why_protected(action, make_case(access, own))
    rails = make_playbook(protected_principals=("Principal-1",))
    assert "protects principal" in why_protected(action, make_case(access, playbook=rails))
    assert not why_protected(action, make_case(access))


def test_the_last_owner_stays_and_it_is_the_oldest() -> None:
    owners = tuple(role(n, at=NOON + timedelta(days=n)) for n in (3, 1, 2))
    case = make_case(AccessFacts(role_assignments=(*owners, role(9, name="Reader"))))
    actions = [removal(owner) for owner in owners]
    assert list(last_owner(actions, case)) == [removal(owners[1]).id]
    assert last_owner(actions[:2], case) == {}
    inherited = role(7, scope="/providers/Microsoft.Management/managementGroups/top")
    assert last_owner(actions, make_case(AccessFacts(role_assignments=(*owners, inherited)))) == {}


def test_locks_of_others_are_respected_and_the_attackers_are_not() -> None:
    delete = make_action(1, kind="machine.delete")
    theirs = lock()
    honest = make_case(AccessFacts(locks=(theirs,)), attribution())
    assert why_protected(delete, honest)
    assert not why_protected(make_action(1), honest)
    assert why_protected(make_action(1), make_case(AccessFacts(locks=(lock(level="ReadOnly"),))))
    rogue = make_case(
        AccessFacts(locks=(theirs,)),
        attribution((theirs.id.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), Class.ATTACKER)),
    )
    assert not why_protected(delete, rogue)
    off = make_case(AccessFacts(locks=(theirs,)), playbook=make_playbook(respect_locks=False))
    assert not why_protected(delete, off)


def test_a_lock_on_a_child_protects_the_group_that_holds_it() -> None:
    case = make_case(AccessFacts(locks=(lock(machine_id(1)),)))
    group = make_action(1, kind="group.delete", target=f"{SCOPE}/resourceGroups/rg-miners")
    assert why_protected(group, case)
    assert not why_protected(make_action(2, kind="machine.delete"), case)


@pytest.mark.parametrize(("address", "respected"), [("192.0.2.1", True), ("203.0.113.7", False)])
def test_a_lock_of_a_stolen_identity_is_the_attackers_only_when_made_in_the_attackers_session(
    address: str, respected: bool
) -> None:
    made = lock()
    creation = Operation(
        id="1", name="Microsoft.Authorization/locks/write", status="succeeded", at=NOON, caller="dev@x", address=address
    )
    activity = ActivityFacts(
        events=1, from_time=NOON, to_time=NOON, window_start=NOON, creators={made.id.lower(): creation}
    )
    stolen = Judgement(id="dev@x", cls=Class.ATTACKER, score=100, address="203.0.113.7", established=True)
    case = make_case(AccessFacts(locks=(made,)), activity, Attribution(actors=(stolen,)))
    taking = make_action(1, kind="machine.delete")
    assert bool(why_protected(taking, case)) is respected


def test_a_lock_made_by_an_attacker_is_known_by_its_creator() -> None:
    made = lock()
    creation = Operation(
        id="1", name="Microsoft.Authorization/locks/write", status="succeeded", at=NOON, caller="Eve@x"
    )
    activity = ActivityFacts(
        events=1, from_time=NOON, to_time=NOON, window_start=NOON, creators={made.id.lower(): creation}
    )
    access = AccessFacts(locks=(made,))
    taking = make_action(1, kind="lock.remove", target=made.id, fingerprint={})
    guilty = make_case(access, activity, attribution(actors=[("eve@x", Class.ATTACKER)]))
    unclear = make_case(access, activity, attribution(actors=[("eve@x", Class.UNKNOWN)]))
    assert not why_protected(taking, guilty)
    assert why_protected(taking, unclear)
    assert why_protected(taking, make_case())


PLACED = NOON - timedelta(hours=1)


@pytest.mark.parametrize(
    ("placed", "created", "protected"),
    [
        ({}, None, True),
        ({"other": PLACED}, None, True),
        ({"lock": PLACED}, None, False),  # the activity log does not have it yet
        ({"lock": PLACED}, PLACED, False),
        ({"lock": PLACED}, PLACED + timedelta(minutes=10), True),  # somebody has placed one of the same name since
    ],
)
def test_a_lock_that_an_undo_of_this_incident_placed_may_be_removed_again(
    placed: dict[str, datetime], created: datetime | None, protected: bool
) -> None:
    made = lock(level="ReadOnly")
    log = {}
    if created is not None:
        log[made.id.lower()] = Operation(
            id="1", name="Microsoft.Authorization/locks/write", status="succeeded", at=created, caller="us"
        )
    case = make_case(
        AccessFacts(locks=(made,)),
        ActivityFacts(events=1, from_time=NOON, to_time=NOON, window_start=NOON, creators=log),
        attribution(),
        placed={made.id.lower() if key == "lock" else key: at for key, at in placed.items()},
    )
    removal = make_action(1, kind="lock.remove", target=made.id, fingerprint={}, params={UNDOES: ["lock.restore:1"]})
    below = make_action(1, params={UNDOES: ["machine.start:1"], GIVES_BACK_TO: ""})
    assert bool(why_protected(removal, case)) is protected
    assert bool(why_protected(below, case)) is protected
    assert why_protected(make_action(1), case)  # a response, and an undo that gives back, respect it as anybody's
    assert why_protected(make_action(1, params={UNDOES: ["machine.stop:1"], GIVES_BACK_TO: "customer"}), case)


@pytest.mark.parametrize(
    ("limit", "word"),
    [
        ({"max_actions": 1}, "2 actions"),
        ({"max_per_hour": Decimal("2.99")}, "3 an hour"),
        ({"max_regions": 1}, "2 regions"),
        ({"max_share": Decimal("0.4")}, "2 of the subscription's 4"),
    ],
)
def test_each_limit_is_checked(limit: dict[str, Any], word: str) -> None:
    actions = [make_action(1), make_action(2, region="eastus")]
    facts = Inventory(machines=tuple(make_machine(n) for n in range(1, 5)))
    case = make_case(facts, playbook=make_playbook(limits=msgspec.structs.replace(WIDE, **limit)))
    (problem,) = over_limits(actions, case)
    assert word in problem
    assert over_limits(actions, make_case(facts)) == ()


def test_a_plan_over_its_limits_is_refused_before_the_first_write_unless_lifted() -> None:
    case = make_case(playbook=make_playbook(limits=msgspec.structs.replace(WIDE, max_actions=1)))
    plan = make_small_plan(case=case)
    with pytest.raises(GuardRailError) as caught:
        check_before_writing(plan, plan.actions, case, limits_lifted=False)
    assert (caught.value.rail, caught.value.found) == ("limits", plan.over_limits)
    check_before_writing(plan, plan.actions, case, limits_lifted=True)
    check_before_writing(plan, plan.actions[:1], case, limits_lifted=False)


def test_a_target_protected_since_the_approval_is_refused_even_with_limits_lifted_and_the_others_go_on() -> None:
    plan = make_small_plan()
    case = make_case(playbook=make_playbook(protected_resources=(machine_id(1),)))
    refused = check_before_writing(plan, plan.actions, case, limits_lifted=True)
    assert list(refused) == [make_action(1).id]
    assert "playbook protects" in refused[make_action(1).id]


@pytest.mark.parametrize(
    "named",
    [
        {"groups": ("RG-Miners",)},
        {"tags": ("Keep=YES",)},
        {"resources": ("VM-1",)},
        {"resources": (SCOPE + "/resourceGroups/rg-miners",)},
        {"principals": ("principal-1",)},
    ],
)
def test_what_the_operator_protects_is_protected_under_every_playbook(named: dict[str, tuple[str, ...]]) -> None:
    machine = make_machine(1, tags={"keep": "yes"})
    action = make_action(1, params={"principal_id": "Principal-1"})
    operator = msgspec.structs.replace(NOTHING_MORE, **named)
    case = Case(
        incident=make_incident(),
        playbook=make_playbook(),
        now=NOON,
        facts={Inventory: Inventory(machines=(machine,))},
        operator=operator,
    )
    assert "operator" in why_protected(action, case)
    assert not why_protected(action, make_case(Inventory(machines=(machine,))))


def test_what_the_operator_protects_is_in_the_plans_digest() -> None:
    def plan(operator: Protection) -> Plan:
        case = Case(incident=make_incident(), playbook=make_playbook(), now=NOON, facts={}, operator=operator)
        return make_small_plan(case=case)

    plain = plan(NOTHING_MORE)
    for named in ({"tags": ("x",)}, {"groups": ("x",)}, {"resources": ("x",)}, {"principals": ("x",)}):
        assert plan(msgspec.structs.replace(NOTHING_MORE, **named)).digest != plain.digest
    assert plan(Protection(respect_locks=True)).protection.respect_locks


def test_a_playbook_cannot_switch_off_locks_that_the_operator_wants_respected() -> None:
    facts = {AccessFacts: AccessFacts(locks=(lock(),)), Attribution: attribution()}
    playbook = make_playbook(respect_locks=False)
    delete = make_action(1, kind="machine.delete")
    off = Case(incident=make_incident(), playbook=playbook, now=NOON, facts=facts)
    on = Case(incident=make_incident(), playbook=playbook, now=NOON, facts=facts, operator=Protection())
    assert not why_protected(delete, off)
    assert why_protected(delete, on)


KELVIN, DOTTED, DOTLESS = "\u212a", "\u0130", "\u0131"


@pytest.mark.parametrize(
    "spelled",
    [
        "bac" + KELVIN + "up-vm",
        "BACKUP-VM",
        "\uff42\uff41\uff43\uff4b\uff55\uff50-vm",  # full-width letters
    ],
)
def test_a_name_that_reads_like_a_protected_one_is_protected(spelled: str) -> None:
    target = machine_id(1).replace("vm-1", spelled)
    for entry in ("backup-vm", machine_id(1).replace("vm-1", "backup-vm")):
        case = make_case(playbook=make_playbook(protected_resources=(entry,)))
        assert "protects" in why_protected(make_action(1, target=target), case)


@pytest.mark.parametrize("spelled", ["V" + DOTTED + "PS", "v" + DOTLESS + "ps", "VIPS", " vips "])
def test_protected_tags_and_groups_survive_the_turkish_i_and_blanks(spelled: str) -> None:
    machine = make_machine(1, tags={spelled: ""})
    tagged = make_case(Inventory(machines=(machine,)), playbook=make_playbook(protected_tags=("vips",)))
    assert why_protected(make_action(1), tagged)
    grouped = make_case(playbook=make_playbook(protected_groups=(spelled,)))
    assert why_protected(make_action(1, target=machine_id(1, "vips")), grouped)


def test_two_ids_that_lower_case_cannot_tell_apart_are_both_left_alone() -> None:
    honest, trap = machine_id(1, "backups"), machine_id(1, "bac" + KELVIN + "ups")
    machines = (make_machine(1, id=honest), make_machine(2, id=trap), make_machine(3))
    case = make_case(Inventory(machines=machines))
    assert honest.lower() == trap.lower()
    for target in (honest, trap):
        assert "look-alike" in why_protected(make_action(1, target=target), case)
    assert not why_protected(make_action(3), case)


@pytest.mark.parametrize("name", ["providers", "subscriptions", "resourceGroups", "locks"])
def test_things_with_names_of_the_ids_own_words_are_judged_like_others(name: str) -> None:
    target = machine_id(1, name).replace("vm-1", name)
    assert ResourceId.parse(target).type == "microsoft.compute/virtualmachines"
    assert not why_protected(make_action(1, target=target), make_case(AccessFacts()))
    assert ResourceId.parse(f"{SCOPE}/resourceGroups/{name}").type == "microsoft.resources/resourcegroups"
    inner = ResourceId.parse(f"{target}/providers/Microsoft.Authorization/locks/{name}")
    assert inner.type == "microsoft.authorization/locks"


@pytest.mark.parametrize(
    "params",
    [
        {"disks": [machine_id(1).replace(SUBSCRIPTION, OTHER)]},
        {"snapshot": f"/subscriptions/{OTHER}/resourceGroups/rg/providers/Microsoft.Compute/snapshots/s"},
        {"snapshot": f"{SCOPE}/resourceGroups/rg/../x"},
        {"document": {"properties": {"creationData": {"sourceResourceId": f"/subscriptions/{OTHER}/x/y"}}}},
        {"document": [{"sourceUri": "https://evil.example/disk.vhd"}]},
    ],
)
def test_an_action_that_follows_an_id_into_another_place_is_out_of_scope(params: dict[str, Any]) -> None:
    action = make_action(1, params=params)
    with pytest.raises(ScopeError):
        check_action(action, make_incident())
    plan = make_small_plan(action)
    assert (plan.actions, plan.complete) == ((), False)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://vhds.blob.core.windows.net/c/a.vhd", True),
        ("https://VHDS.blob.core.windows.net/c/a.vhd", True),
        ("https://localhost:8443/blob/vhds/c/a.vhd", True),
        ("https://localhost:8443/blob/other/c/a.vhd", False),
        ("https://localhost:8443/blob/vhds2/c/a.vhd", False),
        ("https://other.blob.core.windows.net/c/a.vhd", False),
        ("https://other.blob.core.windows.net/blob/vhds/a.vhd", False),
        ("https://vhds@other.blob.core.windows.net/c/a.vhd", False),
        ("http://vhds.blob.core.windows.net/c/a.vhd", False),
        ("https://vhds.evil/../c/a.vhd", True),  # the host is checked by the blob client's list of storage hosts
    ],
)
def test_a_blob_is_reached_at_its_own_account_alone(url: str, allowed: bool) -> None:
    account = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/vhds"
    target = f"{account}/blobServices/default/containers/c/blobs/a.vhd"
    action = make_action(1, target=target, kind="blob.delete", params={"url": url})
    if allowed:
        check_action(action, make_incident())
    else:
        with pytest.raises(ScopeError):
            check_action(action, make_incident())


def test_a_machine_whose_disk_is_protected_is_not_deleted() -> None:
    disk = f"{SCOPE}/resourceGroups/rg-disks/providers/Microsoft.Compute/disks/d1"
    action = make_action(1, kind="machine.delete", params={"disks": [disk]})
    case = make_case(playbook=make_playbook(protected_groups=("rg-disks",)))
    assert "d1 goes with it" in why_protected(action, case)


def test_a_group_that_gives_the_responder_its_access_keeps_it() -> None:
    own = SubscriptionFacts(
        subscription_id=SUBSCRIPTION, tenant_id=CUSTOMER, display_name="", state="", member_of=("principal-1",)
    )
    case = make_case(AccessFacts(role_assignments=(role(1), role(2))), own)
    assert "has its access" in why_protected(removal(role(1)), case)
    assert not why_protected(removal(role(2)), case)


def test_facts_of_right_now_protect_what_the_plan_did_not_know() -> None:
    actions = (make_action(1), make_action(2), removal(role(1)), removal(role(2)))
    tagged = Inventory(resources=(Resource(id=machine_id(1).upper(), type="x", name="vm-1", tags={"keep": ""}),))
    # vm-2 got a lock; role 1 was taken away by somebody else; role 2 became the last Owner by that.
    access = AccessFacts(locks=(lock(machine_id(2), "ReadOnly"),), role_assignments=(role(2),))
    now = make_case(tagged, access, playbook=make_playbook(protected_tags=("keep",)))
    refused = protected_since(actions, now)
    assert set(refused) == {actions[0].id, actions[1].id, actions[3].id}
    assert "tag" in refused[actions[0].id]
    assert "lock" in refused[actions[1].id]
    assert "no Owner left" in refused[actions[3].id]


def _rulers(*enabled: str, disabled: tuple[str, ...] = (), eligible: tuple[str, ...] = ()) -> Administrators:
    def one(name: str) -> Administrator:
        role = RoleHolding(
            role="Global Administrator", role_id=GLOBAL_ADMINISTRATOR, privileged=True, eligible=name in eligible
        )
        return Administrator(id=name, name=name, kind="user", roles=(role,), enabled=name not in disabled)

    found = tuple(one(name) for name in (*enabled, *disabled, *eligible))
    return Administrators(window_start=NOON, administrators=found)


def _shut_out(*names: str, kind: str = "user.disable") -> list[Action]:
    return [make_action(1, target=f"/v1.0/users/{name}", kind=kind) for name in names]


def _own(*names: str) -> Intrusion:
    known = tuple(Intruder(id=name, name=name, kind="user", own=True) for name in names)
    return Intrusion(window_start=NOON, intruders=known)


def test_the_last_global_administrator_is_not_shut_out_by_any_of_the_ways() -> None:
    case = make_case().with_facts(_rulers("ada", disabled=("old",), eligible=("eve",)))
    take = make_action(
        1,
        target="/v1.0/roleManagement/directory/roleAssignments/ra",
        kind="directory_role.remove",
        params={"role_id": GLOBAL_ADMINISTRATOR, "principal_id": "ada"},
    )
    for action in (*_shut_out("ada"), *_shut_out("ada", kind="user.reset_password"), take):
        assert "No other Global Administrator" in last_administrator([action], case)[action.id]
    assert last_administrator(_shut_out("bob", "eve"), case) == {}
    assert last_administrator(_shut_out("ada", kind="user.revoke_sessions"), case) == {}


def test_the_attackers_own_administrators_go_first_and_count_for_nobody() -> None:
    case = make_case().with_facts(_rulers("thief", "ada"), _own("thief"))
    stolen, own = _shut_out("ada", "thief")
    assert set(last_administrator([stolen, own], case)) == {stolen.id}
    alone = make_case().with_facts(_rulers("thief"), _own("thief"))
    assert set(last_administrator([own], alone)) == {own.id}
    with_reserve = make_case().with_facts(_rulers("thief", "ada", "reserve"), _own("thief"))
    assert last_administrator([stolen, own], with_reserve) == {}


def test_nobody_is_shut_out_while_it_is_not_known_who_administers() -> None:
    (action,) = _shut_out("ada")
    for case in (make_case(), make_case().with_facts(_rulers())):
        assert "not read" in last_administrator([action], case)[action.id]
    assert check_before_writing(make_small_plan(), [action], make_case(), limits_lifted=False).keys() == {action.id}
