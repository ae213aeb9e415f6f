"""What a served world tells its users: endpoints, credentials, an alert to start from, people who may approve; also as files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from azure_simulator.app import endpoints
from azure_simulator.services.partner_center.signing import signers
from azure_simulator.world import Principal, World

APPROVERS = ("alice@partner.example", "bob@partner.example")


def responder(world: World) -> Principal:
    """The service principal that responders sign in with: the one called so, else the first that has a secret.

    Raises:
        LookupError: the scenario has none.
    """
    able = [p for p in world.principals.values() if p.kind == "ServicePrincipal" and p.secrets and p.enabled]
    named = [p for p in able if "responder" in p.name.lower() or "firebreak" in p.name.lower()]
    if not able:
        raise LookupError(f"The scenario '{world.scenario}' has no service principal with a secret to sign in with.")
    own = [p for p in named if p.tenant_id.lower() == world.tenant_id.lower()]
    return (own or named or able)[0]


def approvers(world: World) -> list[dict[str, Any]]:
    """Two people with one-time-code seeds made from the world's seed."""
    return [
        {
            "name": name,
            "roles": ["responder", "lead"],
            "totp_secret": base64.b32encode(world.chance.child(f"totp/{name}").randbytes(20)).decode(),
        }
        for name in APPROVERS
    ]


def write(world: World, folder: Path, ca_bundle: str) -> dict[str, Any]:
    """Write the alert and approver files and return the one line that is printed when the server is ready."""
    identity, people = responder(world), approvers(world)
    alert_file, approvers_file = folder / "alert.json", folder / "approvers.json"
    alert = world.memory.get("recorded_alert") or next(iter(world.alerts.values()), {})
    alert_file.write_text(json.dumps(alert, indent=2) + "\n", encoding="utf-8")
    approvers_file.touch(mode=0o600)
    approvers_file.write_text(json.dumps(people, indent=2) + "\n", encoding="utf-8")
    roots_file = folder / "partner-roots.pem"
    roots_file.write_bytes(signers(world).root.pem)
    places = endpoints(world)
    subscription = _attacked(world)
    return {
        **places,
        "ca_bundle": ca_bundle,
        "tenant_id": world.tenant_id,
        "partner_tenant_id": world.partner_tenant_id,
        "subscription_id": subscription,
        "client_id": identity.app_id,
        "client_secret": identity.secrets[0],
        "alert_file": str(alert_file),
        "approvers": [{"name": one["name"], "totp_secret": one["totp_secret"]} for one in people],
        "env": {
            "FIREBREAK_CLOUD__RESOURCE_MANAGER": places["resource_manager"],
            "FIREBREAK_CLOUD__LOGIN": places["login"],
            "FIREBREAK_CLOUD__GRAPH": places["graph"],
            "FIREBREAK_CLOUD__PARTNER_CENTER": places["partner_center"],
            "FIREBREAK_CLOUD__PRICES": places["prices"],
            "FIREBREAK_CLOUD__PARTNER_CERTIFICATES": f"{world.base_url}/webhook-certificates",
            "FIREBREAK_CLOUD__CA_BUNDLE": ca_bundle,
            "FIREBREAK_CREDENTIAL__KIND": "client_secret",
            "FIREBREAK_CREDENTIAL__TENANT_ID": world.tenant_id,
            "FIREBREAK_CREDENTIAL__PARTNER_TENANT_ID": world.partner_tenant_id,
            "FIREBREAK_CREDENTIAL__CLIENT_ID": identity.app_id,
            "FIREBREAK_CREDENTIAL__CLIENT_SECRET": identity.secrets[0],
            "FIREBREAK_INTAKE__PARTNER_ROOTS": str(roots_file),
            # A drill begins when its webhook is sent, not when a poll finds the alert.
            "FIREBREAK_POLL__EVERY_MINUTES": "0",
            "FIREBREAK_APPROVERS_FILE": str(approvers_file),
        },
    }


def text(line: dict[str, Any]) -> str:
    """The same for people."""
    rows = [f"{name:18} {value}" for name, value in line.items() if isinstance(value, str) and name != "client_secret"]
    return "\n".join(["The embedded Azure is ready (Ctrl-C ends it):", *rows])


def _attacked(world: World) -> str:
    """The subscription the alert is about, else the first."""
    alert = next(iter(world.alerts.values()), {})
    for key in ("subscriptionId", "azureSubscriptionId"):
        if alert.get(key):
            return str(alert[key])
    first = next(iter(world.subscriptions.values()), {})
    return str(first.get("subscriptionId", ""))
