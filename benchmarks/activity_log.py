"""The activity log of a busy subscription with an attack in it, as Azure sends it: newest first, about 3 kB an event.

People from their offices and homes, pipelines from fixed and from ever new addresses, managed identities whose address the log does not
name, Azure Policy; operations of one to three events, some refused, on resources that come back every day. In the last days somebody
works with a stolen identity. Everything follows from the seed.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

END = datetime(2026, 10, 31, tzinfo=UTC)
DAYS = 30
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
REGIONS = ("westeurope", "northeurope")

# The attack: who, from where, what. `STOLEN` is one of the people, `PLANTED` a principal that it gives a role.
STOLEN = "person17@contoso.example"
PLANTED = "77777777-7777-4777-8777-777777777777"
ATTACKERS_ADDRESS = "185.220.101.4"
ATTACK_AT = END - timedelta(days=2, hours=3)
_AWAY = ("brazilsouth", "japaneast", "southafricanorth", "centralindia", "koreacentral", "uaenorth")


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who works in the subscription. Without `addresses` the log names none; with `roams` every run has a new one."""

    caller: str
    object_id: str
    app_id: str
    addresses: tuple[str, ...] = ()
    roams: bool = False
    methods: str = ""
    work: tuple[tuple[str, int, int], ...] = ()  # operation, share, events it shows as
    share: int = 1


_VM, _NET, _STORE = "Microsoft.Compute/virtualMachines", "Microsoft.Network", "Microsoft.Storage/storageAccounts"
_PERSON = (
    (f"{_VM}/start/action", 10, 3),
    (f"{_VM}/deallocate/action", 10, 3),
    (f"{_VM}/restart/action", 4, 3),
    ("Microsoft.Resources/tags/write", 8, 1),
    (f"{_STORE}/listKeys/action", 4, 1),
    (f"{_NET}/networkInterfaces/write", 3, 3),
    (f"{_NET}/networkSecurityGroups/securityRules/write", 1, 3),
    (f"{_STORE}/write", 1, 3),
    ("Microsoft.Compute/disks/write", 2, 3),
    ("Microsoft.Insights/metricAlerts/write", 1, 1),
    ("Microsoft.Authorization/roleAssignments/write", 1, 2),
)
_PIPELINE = (
    ("Microsoft.Resources/deployments/validate/action", 8, 1),
    ("Microsoft.Resources/deployments/write", 12, 3),
    (f"{_VM}/write", 8, 3),
    (f"{_NET}/networkInterfaces/write", 8, 3),
    ("Microsoft.Compute/disks/write", 6, 3),
    (f"{_VM}/delete", 6, 3),
    (f"{_NET}/networkInterfaces/delete", 6, 3),
    (f"{_VM}/extensions/write", 4, 3),
    ("Microsoft.Web/sites/config/write", 6, 1),
    (f"{_STORE}/listKeys/action", 8, 1),
)
_MACHINE = (
    ("Microsoft.Compute/virtualMachineScaleSets/write", 10, 3),
    (f"{_NET}/loadBalancers/write", 6, 3),
    (f"{_NET}/publicIPAddresses/write", 2, 3),
    ("Microsoft.Compute/snapshots/write", 4, 3),
    ("Microsoft.Compute/snapshots/delete", 4, 3),
)
_INSIDE = (("Microsoft.Compute/virtualMachineScaleSets/write", 10, 3), ("Microsoft.Insights/metricAlerts/write", 4, 1))
_POLICY = (
    ("Microsoft.Authorization/policies/audit/action", 10, 1),
    ("Microsoft.Authorization/policies/auditIfNotExists/action", 10, 1),
)


def workers() -> list[Worker]:
    people = [
        Worker(
            caller=f"person{n:02}@contoso.example",
            object_id=f"33333333-3333-4333-8333-{n:012}",
            app_id="c44b4083-3bb0-49c1-b47d-974e53cbdf3c" if n % 3 else "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            addresses=(f"198.51.100.{n % 4}",) * 4 + (f"203.0.113.{n}",),
            methods="pwd,mfa",
            work=_PERSON,
        )
        for n in range(40)
    ]
    pipelines = [
        Worker(
            caller=f"44444444-4444-4444-8444-{n:012}",
            object_id=f"44444444-4444-4444-8444-{n:012}",
            app_id=f"55555555-5555-4555-8555-{n:012}",
            addresses=(f"192.0.2.{n}",),
            roams=n >= 6,
            work=_PIPELINE,
            share=4,
        )
        for n in range(8)
    ]
    machines = [
        Worker(
            caller=f"66666666-6666-4666-8666-{n:012}",
            object_id=f"66666666-6666-4666-8666-{n:012}",
            app_id=f"88888888-8888-4888-8888-{n:012}",
            addresses=(f"192.0.2.{100 + n}",) if n else (),
            work=_MACHINE if n else _INSIDE,
            share=3,
        )
        for n in range(6)
    ]
    policy = Worker(
        caller="99999999-9999-4999-8999-000000000001",
        object_id="99999999-9999-4999-8999-000000000001",
        app_id="1d78a85d-813d-46f0-b496-dd72f50a3ec0",
        work=_POLICY,
        share=12,
    )
    return [*people, *pipelines, *machines, policy]


def events(count: int, seed: int = 7, *, attack: bool = True) -> Iterator[dict[str, Any]]:
    """`count` events, newest first, the attack's (about 200, whatever the count) among them."""
    laid_in = list(_attack(random.Random(seed))) if attack else []
    everybody = workers()
    shares = [worker.share for worker in everybody]
    works = {worker.caller: [[name, times] for name, _, times in worker.work] for worker in everybody}
    often = {worker.caller: [share for _, share, _ in worker.work] for worker in everybody}
    left = max(count - len(laid_in), 0)
    hours = DAYS * 24
    for hour in range(hours):
        dice = random.Random(seed * 1_000_003 + hour)
        begin = END - timedelta(hours=hour + 1)
        quota = left * (hour + 1) // hours - left * hour // hours
        found: list[tuple[datetime, dict[str, Any]]] = []
        while len(found) < quota:
            worker = dice.choices(everybody, shares)[0]
            name, times = dice.choices(works[worker.caller], often[worker.caller])[0]
            at = begin + timedelta(seconds=dice.random() * 3500)
            found += _operation(dice, worker, name, times, at)[: quota - len(found)]
        found += [one for one in laid_in if begin <= one[0] < begin + timedelta(hours=1)]
        found.sort(key=lambda one: one[0], reverse=True)
        yield from (event for _, event in found)


def _operation(
    dice: random.Random, worker: Worker, name: str, times: int, at: datetime
) -> list[tuple[datetime, dict[str, Any]]]:
    kind, _, verb = name.rpartition("/")
    if verb == "action":
        kind = kind.rpartition("/")[0]
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{dice.randrange(40):03}"
    number = dice.randrange(300)
    if kind == "Microsoft.Resources/deployments":
        leaf = f"release-{at:%Y%m%d}-{dice.getrandbits(32):08x}"
    else:
        leaf = f"{kind.rpartition('/')[2].lower()[:12]}-{number:04}"
    if kind.count("/") > 1:
        provider, first, kind_below = kind.split("/", 2)
        target = f"{group}/providers/{provider}/{first}/{first[:6].lower()}-{number:04}/{kind_below}/{leaf}"
    else:
        target = f"{group}/providers/{kind}/{leaf}"
    return told(dice, worker, name, times, at, target, body=_body(dice, name, number))


def told(
    dice: random.Random,
    worker: Worker,
    name: str,
    times: int,
    at: datetime,
    target: str,
    *,
    body: dict[str, Any] | None,
    refused: bool | None = None,
) -> list[tuple[datetime, dict[str, Any]]]:
    """The events of one operation with their times, oldest first."""
    correlation = _uuid(dice)
    fails = dice.random() < 0.02 if refused is None else refused
    end = "Failed" if fails else "Succeeded"
    statuses = {1: (end,), 2: ("Started", end), 3: ("Started", "Failed") if fails else ("Started", "Accepted", end)}
    if worker.roams:
        # A run of a hosted agent keeps its address for the hour.
        run = dice.randrange(2)
        address = f"20.{int(at.timestamp()) // 3600 % 200}.{worker.object_id[-1:]}.{run + 10}"
    else:
        # Where somebody works from changes from day to day, not from one operation to the next.
        address = worker.addresses[_day_of(worker, at) % len(worker.addresses)] if worker.addresses else ""
    made = refused is not None or dice.random() < 0.5
    found = []
    for status in statuses[times]:
        found.append((at, _event(dice, worker, name, status, target, correlation, at, address, body, made)))
        at += timedelta(seconds=dice.random() * 90)
    return found


def _day_of(worker: Worker, at: datetime) -> int:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{worker.caller}{at:%Y-%m-%d}").int


def _uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _body(dice: random.Random, name: str, number: int) -> dict[str, Any] | None:
    if not name.endswith("/write") or name.startswith("Microsoft.Resources/tags"):
        return None
    body: dict[str, Any] = {
        "location": REGIONS[number % 2],
        "tags": {"owner": f"team-{number % 12}", "costCentre": f"{4700 + number % 30}", "environment": "production"},
        "properties": {},
    }
    properties = body["properties"]
    if name == f"{_VM}/write":
        network = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/{_NET}/networkInterfaces/nic-{number}"
        properties |= {
            "hardwareProfile": {"vmSize": ("Standard_D4s_v5", "Standard_D2s_v5", "Standard_B2ms")[number % 3]},
            "storageProfile": {
                "imageReference": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
                "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "Premium_LRS"}},
            },
            "osProfile": {"computerName": f"vm{number}", "adminUsername": "operator"},
            "networkProfile": {"networkInterfaces": [{"id": network}]},
        }
    elif name.endswith("virtualMachineScaleSets/write"):
        body["sku"] = {"name": "Standard_D4s_v5", "tier": "Standard", "capacity": dice.randrange(2, 12)}
        properties |= {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": {"priority": "Regular"}}
    elif name.endswith("extensions/write"):
        body["properties"] = {"publisher": "Microsoft.Azure.Monitor", "type": "AzureMonitorLinuxAgent"}
    elif name.endswith("securityRules/write"):
        body = {
            "properties": {
                "access": "Allow",
                "direction": "Inbound",
                "protocol": "Tcp",
                "priority": 100 + number,
                "sourceAddressPrefix": f"10.{number % 200}.0.0/16",
                "destinationAddressPrefix": "*",
                "destinationPortRange": "443",
            }
        }
    elif name.endswith("roleAssignments/write"):
        body = {
            "properties": {
                "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
                "principalId": f"33333333-3333-4333-8333-{number % 40:012}",
                "principalType": "User",
            }
        }
    elif name == f"{_STORE}/write":
        body["sku"] = {"name": "Standard_LRS"}
        properties |= {"minimumTlsVersion": "TLS1_2", "allowBlobPublicAccess": False, "publicNetworkAccess": "Disabled"}
    elif name.startswith("Microsoft.Resources/deployments"):
        link = "https://contoso.example/templates/main.json"
        body = {"properties": {"mode": "Incremental", "templateLink": {"uri": link, "contentVersion": "1.0.0.0"}}}
    else:
        properties |= {"provisioningState": "Updating", "resourceGuid": _uuid(dice), "mode": "Basic"}
    return body


_CODES = {"Started": "", "Accepted": "Accepted", "Succeeded": "OK", "Failed": "Conflict"}
_SPOKEN = {
    "Created": "Created (HTTP Status Code: 201)",
    "Accepted": "Accepted (HTTP Status Code: 202)",
    "OK": "OK (HTTP Status Code: 200)",
    "Conflict": "Conflict (HTTP Status Code: 409)",
}


def _event(
    dice: random.Random,
    worker: Worker,
    name: str,
    status: str,
    target: str,
    correlation: str,
    at: datetime,
    address: str,
    body: dict[str, Any] | None,
    made: bool,
) -> dict[str, Any]:
    is_policy = worker.work is _POLICY
    code = _CODES[status]
    if status == "Accepted" and made:
        code = "Created"
    elif status == "Succeeded" and body is not None:
        code = ""
    event_id = _uuid(dice)
    provider = target.split("/")[6]
    # Some services answer in capitals.
    spelled = target.replace("/resourceGroups/rg", "/resourcegroups/RG") if dice.random() < 0.03 else target
    properties = {
        "eventCategory": "Policy" if is_policy else "Administrative",
        "entity": target,
        "message": name,
        "hierarchy": f"{TENANT}/{SUBSCRIPTION}",
    }
    if status != "Started":
        properties |= {"statusCode": code, "serviceRequestId": _uuid(dice)}
    if is_policy:
        properties |= {
            "isComplianceCheck": "True",
            "resourceLocation": REGIONS[0],
            "ancestors": TENANT,
            "policies": '[{"policyDefinitionId":"/providers/Microsoft.Authorization/policyDefinitions/x","effect":"Audit"}]',
        }
    if body is not None and status != "Succeeded":
        if status == "Failed":
            properties["statusMessage"] = '{"error":{"code":"QuotaExceeded","message":"The quota is used up."}}'
        elif status == "Accepted":
            answer = {"name": target.rpartition("/")[2], "id": target, **body}
            properties["responseBody"] = json.dumps(answer, separators=(",", ":"))
        else:
            properties["requestbody"] = json.dumps(body, separators=(",", ":"))
    moment = f"{at:%Y-%m-%dT%H:%M:%S.%f}7Z"
    event = {
        "authorization": {"action": name, "role": "Contributor", "scope": target},
        "caller": worker.caller,
        "channels": "Operation",
        "claims": _claims(worker, at, address),
        "correlationId": correlation,
        "description": "",
        "eventDataId": event_id,
        "eventName": _value("BeginRequest" if status == "Started" else "EndRequest"),
        "category": _value("Policy" if is_policy else "Administrative"),
        "httpRequest": {"clientRequestId": correlation, "clientIpAddress": address, "method": "PUT"},
        "id": f"{target}/events/{event_id}/ticks/638993990650000000",
        "level": "Error" if status == "Failed" else "Warning" if is_policy else "Informational",
        "resourceGroupName": target.split("/")[4],
        "resourceProviderName": _value(provider),
        "resourceId": spelled,
        "resourceType": _value(name.rpartition("/")[0]),
        "operationId": correlation,
        "operationName": _value(name),
        "properties": properties,
        "status": _value(status),
        "subStatus": {"value": code, "localizedValue": _SPOKEN.get(code, "")},
        "eventTimestamp": moment,
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
    }
    if not address or (status not in {"Started", "Failed"} and dice.random() < 0.3):
        del event["httpRequest"]
    return event


def _value(text: str) -> dict[str, str]:
    return {"value": text, "localizedValue": text}


def _claims(worker: Worker, at: datetime, address: str) -> dict[str, str]:
    issued = int(at.timestamp()) // 3600 * 3600
    token = uuid.uuid5(uuid.NAMESPACE_OID, f"{worker.object_id}{address}{issued}").hex[:22]
    claims = {
        "aud": "https://management.core.windows.net/",
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": str(issued),
        "nbf": str(issued),
        "exp": str(issued + 3900),
        "aio": (token * 4)[:76],
        "appid": worker.app_id,
        "appidacr": "0" if worker.methods else "2",
        "http://schemas.microsoft.com/identity/claims/objectidentifier": worker.object_id,
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": (token * 2)[:43],
        "http://schemas.microsoft.com/identity/claims/tenantid": TENANT,
        "uti": token,
        "ver": "1.0",
        "wids": "b79fbf4d-3ef9-4689-8143-76b194e85509",
    }
    if address:
        claims["ipaddr"] = address
    if "@" in worker.caller:
        claims |= {
            "http://schemas.microsoft.com/claims/authnmethodsreferences": worker.methods,
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": worker.caller,
            "http://schemas.microsoft.com/identity/claims/scope": "user_impersonation",
            "name": worker.caller.partition("@")[0],
            "puid": "1003200" + worker.object_id[-9:],
        }
    else:
        claims |= {"idtyp": "app", "xms_mirid": f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-ids/id"}
    return claims


def _attack(dice: random.Random) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """A stolen identity gives a new principal the Owner role, blinds the log, asks for quota and makes GPU machines far away."""
    thief = Worker(
        caller=STOLEN,
        object_id="33333333-3333-4333-8333-000000000017",
        app_id="04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        addresses=(ATTACKERS_ADDRESS,),
        methods="pwd",
    )
    planted = Worker(
        caller=PLANTED,
        object_id=PLANTED,
        app_id="cccccccc-cccc-4ccc-8ccc-cccccccccccc",
        addresses=(ATTACKERS_ADDRESS,),
    )
    top = f"/subscriptions/{SUBSCRIPTION}"
    group = f"{top}/resourceGroups/rg-compute-tmp"
    at = ATTACK_AT

    def done(
        worker: Worker, name: str, target: str, times: int, body: dict[str, Any] | None = None, refused: bool = False
    ) -> Iterator[tuple[datetime, dict[str, Any]]]:
        nonlocal at
        at += timedelta(seconds=20)
        yield from told(dice, worker, name, times, at, target, body=body, refused=refused)

    owner = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    grant = {"properties": {"roleDefinitionId": owner, "principalId": PLANTED, "principalType": "ServicePrincipal"}}
    assignment = f"{top}/providers/Microsoft.Authorization/roleAssignments/{_uuid(dice)}"
    yield from done(thief, "Microsoft.Authorization/roleAssignments/write", assignment, 2, grant)
    yield from done(
        thief,
        "Microsoft.Insights/diagnosticSettings/delete",
        f"{top}/providers/Microsoft.Insights/diagnosticSettings/all",
        1,
    )
    yield from done(
        thief, "Microsoft.Authorization/locks/delete", f"{top}/providers/Microsoft.Authorization/locks/keep", 1
    )
    for region in _AWAY:
        quota = f"{top}/providers/Microsoft.Compute/locations/{region}/providers/Microsoft.Quota/quotas/standardNDSH100v5Family"
        yield from done(
            planted, "Microsoft.Quota/quotas/write", quota, 3, {"properties": {"limit": {"value": 960}}}, False
        )
        for number in range(10):
            body = {
                "location": region,
                "properties": {
                    "hardwareProfile": {"vmSize": "Standard_ND96isr_H100_v5"},
                    "priority": "Regular",
                    "osProfile": {"computerName": "w", "adminUsername": "u"},
                },
            }
            machine = f"{group}/providers/{_VM}/w-{region}-{number}"
            yield from done(planted, f"{_VM}/write", machine, 3, body, number == 9)
