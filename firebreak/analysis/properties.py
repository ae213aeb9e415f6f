"""Facts of an operation that no single field says: ports opened to the Internet, the role and where it was granted, the machine's size.

They stand in the normal event beside its fields, so that rules can ask for them. Normal document in, more of it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from firebreak.analysis.normal import Document, body_of, properties_of
from firebreak.analysis.sizes import parse_size

ROLES = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "Virtual Machine Contributor",
    "1c0163c0-47e6-4577-8991-ea5c82e286e4": "Virtual Machine Administrator Login",
    "17d1049b-9a84-46fb-8f53-869881c3d3ab": "Storage Account Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
    "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59": "Managed Identity Contributor",
    "f353d9bd-d4a6-484e-a77a-8050b599b867": "Automation Contributor",
    "4d97b98b-1d4f-4787-a291-c67834d212e7": "Network Contributor",
    "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b": "Azure Kubernetes Service RBAC Cluster Admin",
    "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8": "Azure Kubernetes Service Cluster Admin Role",
    "fb1c8493-542b-48eb-b624-b4c8fea62acd": "Security Admin",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
}
_FULL = {"owner", "user access administrator", "role based access control administrator"}
_READING = re.compile(r"\b(reader|viewer)\b|^monitoring reader$|^acrpull$", re.IGNORECASE)
_SENSITIVE_DATA = re.compile(r"secret|key vault|blob data|crypto|certificate", re.IGNORECASE)
_ANYWHERE = {"*", "0.0.0.0", "0.0.0.0/0", "::/0", "internet", "any"}  # noqa: S104  addresses in a log, nothing binds to them
_ADMINISTRATION = {22, 3389, 5985, 5986, 23, 445, 135, 1433, 3306, 5432, 6379, 27017, 2375, 2376, 10250, 6443}


def facts_of(document: Document, name: str, event: Mapping[Any, Any]) -> dict[str, str]:
    """Facts under their field names; `name` is the operation's, lower case, `event` the raw event that the document was made of."""
    found: dict[str, str] = {}
    if "roleassignment" in name or "roleeligibility" in name:
        found |= _role(document)
    if "networksecuritygroups" in name and name.endswith("/write"):
        ports = _opened(event)
        if ports:
            found["opens"] = "any" if "any" in ports else ",".join(sorted(ports, key=lambda p: (len(p), p)))
            if "any" in ports or any(_is_administration(port) for port in ports):
                found["opensadministration"] = "true"
    if "firewallrules" in name and name.endswith("/write"):
        found |= _address_range(document)
    size = _first(
        document, "body.hardwareprofile.vmsize", "body.sku.name", "body.vmsize", "body.agentpoolprofiles.vmsize"
    )
    if size and parse_size(size).is_expensive():
        found["expensive"] = "true"
    return found


def _first(document: Document, *names: str) -> str:
    return next((values[0] for name in names if (values := document.get(name)) and values[0]), "")


def _role(document: Document) -> dict[str, str]:
    definition = _first(document, "body.roledefinitionid", "roledefinitionid", "body.roledefinition.id")
    identifier = definition.rsplit("/", 1)[-1].lower()
    named = _first(document, "body.rolename", "body.roledefinitionname", "rolename", "detail.rolename")
    role = ROLES.get(identifier) or named or identifier
    if not role:
        return {}
    found = {"role": role}
    lowered = role.lower()
    if lowered in _FULL:
        found["rolekind"] = "full"
    elif lowered == "contributor":
        found["rolekind"] = "broad"
    elif _READING.search(lowered) and not _SENSITIVE_DATA.search(lowered):
        found["rolekind"] = "reading"
    else:
        found["rolekind"] = "narrow"
    found["rolescope"] = scope_kind(_first(document, "body.scope", "resourceid", "authorization.scope"))
    return found


def scope_kind(resource: str) -> str:
    """What a role that is given there reaches: managementgroup, root, subscription, resourcegroup or resource."""
    scope = resource.lower().split("/providers/microsoft.authorization/")[0].rstrip("/")
    if scope.startswith("/providers/microsoft.management/"):
        return "managementgroup"
    parts = scope.strip("/").split("/")
    if parts == [""]:
        return "root"
    if parts[0] == "subscriptions" and len(parts) <= 2:
        return "subscription"
    return "resourcegroup" if len(parts) == 4 and parts[2] == "resourcegroups" else "resource"


def _rules_in(body: Any) -> Iterable[Mapping[str, Any]]:
    if not isinstance(body, Mapping):
        return
    inner = next((v for k, v in body.items() if str(k).lower() == "properties"), body)
    lowered = {str(k).lower(): v for k, v in inner.items()} if isinstance(inner, Mapping) else {}
    if isinstance(lowered.get("securityrules"), list):
        for rule in lowered["securityrules"]:
            yield from _rules_in(rule)
    elif "access" in lowered or "direction" in lowered:
        yield lowered


def _opened(event: Mapping[Any, Any]) -> set[str]:
    """Ports that a security rule opens to everybody. Read from the body itself: in the flat form a rule's fields do not stand together."""
    ports: set[str] = set()
    for rule in _rules_in(body_of(properties_of(event))):
        said = {key: str(rule.get(key, "")).lower() for key in ("access", "direction")}
        if said["access"] != "allow" or said["direction"] not in {"inbound", ""}:
            continue
        sources = _texts(rule.get("sourceaddressprefix")) | _texts(rule.get("sourceaddressprefixes"))
        if sources & _ANYWHERE:
            found = _texts(rule.get("destinationportrange")) | _texts(rule.get("destinationportranges"))
            ports |= {"any" if port in {"*", "0-65535", "1-65535"} else port for port in found} or {"any"}
    return ports


def _texts(value: Any) -> set[str]:
    items = value if isinstance(value, list) else [value]
    return {str(item).strip().lower() for item in items if item not in (None, "")}


def _is_administration(port: str) -> bool:
    low, _, high = port.partition("-")
    try:
        first, last = int(low), int(high or low)
    except ValueError:
        return False
    return any(first <= one <= last for one in _ADMINISTRATION)


def _address_range(document: Document) -> dict[str, str]:
    start = _first(document, "body.startipaddress")
    end = _first(document, "body.endipaddress")
    if not start:
        return {}
    if start == "0.0.0.0" and end in {"255.255.255.255", ""}:  # noqa: S104  an address in a log, nothing binds to it
        return {"opens": "any"}
    if start == end == "0.0.0.0":  # noqa: S104
        return {"opens": "azure"}
    return {"opens": "wide"} if start.split(".")[:1] != end.split(".")[:1] else {}
