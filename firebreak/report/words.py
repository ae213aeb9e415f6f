"""Words of the pages: counts in proper English, and what the abbreviations mean, for whoever was woken and is no specialist."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

TERMS: Final = MappingProxyType(
    {
        "CSP": "Cloud Solution Provider: the partner who sells the subscription and answers for its bill",
        "DMARC": "a check that a mail really comes from the domain it names",
        "Entra": "Microsoft Entra ID, the directory of a tenant's users and applications",
        "GPU": "graphics processor; machines with one are the dearest, and miners want them",
        "MFA": "multi-factor authentication: a second proof beside the password",
        "NSG": "network security group, the firewall rules of a network",
        "RBAC": "role-based access control: who may do what",
        "SKU": "the size or kind of a resource, as it is priced",
        "Spot": "spare capacity at a lower price, with a quota of its own",
        "UTC": "coordinated universal time; all times here are in it",
        "deallocate": "stop a machine so that it costs nothing more; merely stopping it does not end the bill",
        "quota": "how much of something a subscription may start; an attacker can go as far as it reaches",
        "service principal": "the identity of an application, as a user is of a person",
        "session": "one way somebody works: account, address and client application together",
        "tenant": "a customer's or partner's directory in Microsoft's cloud",
        "vCPU": "virtual processor: sizes of machines and quotas are counted in them",
    }
)
_TECHNIQUE = re.compile(r"\bT1\d{3}(?:\.\d{3})?\b")
_TECHNIQUES = ("T1…", "a technique of attackers in MITRE ATT&CK, the public catalogue: attack.mitre.org")


def counted(number: int, one: str, many: str = "") -> str:
    """`3 machines`, `1 machine`, `1,200 operations`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def terms_in(text: str) -> list[tuple[str, str]]:
    """The terms that a page uses, with what they mean, in the order of the alphabet."""
    found = [
        (term, meaning)
        for term, meaning in TERMS.items()
        if re.search(rf"\b{re.escape(term)}(?:s|d)?\b", text, 0 if term.isupper() else re.IGNORECASE)
    ]
    return [*found, _TECHNIQUES] if _TECHNIQUE.search(text) else found
