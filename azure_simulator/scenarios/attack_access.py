"""Steps of an attack that prepare the ground: keys, providers, roles, policies, quota, locks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.scenarios import access, commerce, documents, ids
from azure_simulator.scenarios.attack import Attack, Step
from azure_simulator.scenarios.log import AT_ONCE, Caller, creation_bodies
from azure_simulator.services.authorization import eligibility
from azure_simulator.services.compute.sizes import SIZES
from azure_simulator.world import Document


def list_keys(attack: Attack, row: dict[str, Any]) -> None:
    """Look around: list the keys of a few storage accounts."""
    by = attack.intruders[row["by"]].caller(attack.chance)
    for index, account in enumerate(attack.chance.sample(attack.estate.storage, row["count"])):
        attack.told_keys.append(account["id"])
        attack.log.operation(
            attack.at(row["after"] + index),
            "Microsoft.Storage/storageAccounts/listKeys/action",
            account["id"],
            by,
            steps=AT_ONCE,
        )


def register_providers(attack: Attack, row: dict[str, Any]) -> None:
    """Register what the tenant never used."""
    by = attack.intruders[row["by"]].caller(attack.chance)
    for index, namespace in enumerate(row["namespaces"]):
        attack.log.operation(
            attack.at(row["after"] + index * 0.5),
            f"{namespace}/register/action",
            f"{ids.SUBSCRIPTION}/providers/{namespace}",
            by,
            steps=AT_ONCE,
        )
        attack.world.registered_providers[ids.SUBSCRIPTION_GUID].add(namespace.lower())


def grant(attack: Attack, row: dict[str, Any]) -> None:
    """Give the accomplice a role in the subscription, with the victim's right to assign roles."""
    giver, taker = attack.intruders[row["by"]], attack.intruders[row["to"]]
    taker.role = row["role"]
    taker.since = attack.at(row["after"])
    document = access.grant(
        attack.world,
        attack.chance,
        row["role"],
        ids.SUBSCRIPTION,
        (taker.principal.object_id, taker.principal.kind),
        taker.since,
        giver.principal.object_id,
    )
    take_grant(attack, document, taker.since, giver.caller(attack.chance, role=giver.governing_role))


def make_eligible(attack: Attack, row: dict[str, Any]) -> None:
    """Let the accomplice take up a role in the subscription whenever they want: no role assignment shows it."""
    giver, taker = attack.intruders[row["by"]], attack.intruders[row["to"]]
    at, requested = attack.at(row["after"]), attack.chance.guid()
    role = access.role_definition_id(attack.world, row["role"])
    who = (taker.principal.object_id, taker.principal.kind)
    document = eligibility.add(
        attack.world, ids.SUBSCRIPTION, *who, role, name=attack.chance.guid(), requested=requested, at=stamp(at)
    )
    attack.rogue_eligible.append(document["id"])
    body = {"properties": {"principalId": who[0], "roleDefinitionId": role, "requestType": "AdminAssign"}}
    attack.log.operation(
        at,
        f"{eligibility.REQUEST}/write",
        f"{ids.SUBSCRIPTION}/providers/{eligibility.REQUEST}/{requested}",
        giver.caller(attack.chance, role=giver.governing_role),
        steps=AT_ONCE,
        request=body,
        sub_status="Created",
    )


def take_grant(attack: Attack, document: Document, at: datetime, by: Caller) -> None:
    """Remember a role assignment as the attacker's and write its creation into the log."""
    attack.rogue_grants.append(document["id"])
    properties = document["properties"]
    body = {"properties": {key: properties[key] for key in ("roleDefinitionId", "principalId", "principalType")}}
    attack.log.operation(
        at,
        "Microsoft.Authorization/roleAssignments/write",
        document["id"],
        by,
        steps=AT_ONCE,
        request=body,
        response=body | {"id": document["id"]},
        sub_status="Created",
    )


def remove_policy(attack: Attack, row: dict[str, Any]) -> None:
    """Remove the policy assignment that stands in the way."""
    remover = attack.intruders[row["by"]]
    identity = f"{ids.SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/{row['name']}"
    attack.removed.append(attack.world.policy_assignments[identity])
    del attack.world.policy_assignments[identity]
    attack.log.operation(
        attack.at(row["after"]),
        "Microsoft.Authorization/policyAssignments/delete",
        identity,
        remover.caller(attack.chance, role=remover.governing_role),
        steps=AT_ONCE,
    )


def raise_quota(attack: Attack, row: dict[str, Any]) -> None:
    """Ask for more of each family in every region that is to be used; one request is refused at first."""
    by = attack.intruders[row["by"]].caller(attack.chance)
    families = list(dict.fromkeys(SIZES[name].family for name in row["families"]))
    titles = {size.family: size.title for size in SIZES.values()} | commerce.REGIONAL
    minute = float(row["after"])
    # Azure takes no request before the provider is registered; the portal does that without being asked.
    attack.world.registered_providers[ids.SUBSCRIPTION_GUID].add("microsoft.quota")
    for region in attack.regions:
        for family in [*commerce.REGIONAL, *families]:
            minute += 0.6
            commerce.put_quota(attack.world, region, family, titles[family], row["limit"] * attack.scale)
            target = f"{ids.SUBSCRIPTION}/providers/Microsoft.Compute/locations/{region}/providers/Microsoft.Quota/quotas/{family}"
            body = {
                "properties": {
                    "limit": {"limitObjectType": "LimitValue", "value": row["limit"] * attack.scale},
                    "name": {"value": family},
                }
            }
            if family == families[-1] and region == attack.regions[0]:
                attack.log.operation(
                    attack.at(minute - 0.4),
                    "Microsoft.Quota/quotas/write",
                    target,
                    by,
                    steps=("Started", "Accepted", "Failed"),
                    request=body,
                    failure=(
                        "QuotaNotAvailableForResource",
                        "The requested quota is not available at this time. Try again.",
                    ),
                )
            attack.log.operation(
                attack.at(minute), "Microsoft.Quota/quotas/write", target, by, request=body, seconds=25
            )
            identity = f"{target.rsplit('/quotas/', 1)[0]}/quotaRequests/{attack.chance.guid()}"
            attack.world.quota_requests[identity] = {
                "id": identity,
                "name": identity.rsplit("/", 1)[1],
                "type": "Microsoft.Quota/quotaRequests",
                "properties": {
                    "provisioningState": "Succeeded",
                    "message": "Request succeeded.",
                    "requestSubmitTime": attack.at(minute).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "value": [
                        {
                            "name": {"value": family, "localizedValue": titles[family]},
                            "limit": {"limitObjectType": "LimitValue", "value": row["limit"] * attack.scale},
                            "provisioningState": "Succeeded",
                            "subRequestId": attack.chance.guid(),
                        }
                    ],
                },
            }


def lock_own_group(attack: Attack, row: dict[str, Any]) -> None:
    """Lock an own group, as if it were production: against deletion or, with `level: ReadOnly`, against every change."""
    locker = attack.intruders[row["by"]]
    group = attack.groups[next(iter(attack.groups))]
    moment = attack.at(row["after"])
    level = row.get("level", "CanNotDelete")
    document = documents.lock(ids.group_id(group), "DoNotDelete", level, "Production workload", moment)
    attack.world.locks[document["id"]] = document
    attack.rogue_locks.append(document["id"])
    request, response = creation_bodies(document)
    attack.log.operation(
        moment + timedelta(seconds=1),
        "Microsoft.Authorization/locks/write",
        document["id"],
        locker.caller(attack.chance, role=locker.governing_role),
        steps=AT_ONCE,
        request=request,
        response=response,
        sub_status="Created",
    )


STEPS: dict[str, Step] = {
    "list_keys": list_keys,
    "register_providers": register_providers,
    "grant": grant,
    "make_eligible": make_eligible,
    "remove_policy": remove_policy,
    "raise_quota": raise_quota,
    "lock_own_group": lock_own_group,
}
