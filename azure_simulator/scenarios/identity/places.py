"""Where addresses are: the office, people's homes, runners, hotels nearby; and where nobody of the tenant ever was."""

from __future__ import annotations

import hashlib

from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.world import Document

HOTELS = range(200, 250)  # of 203.0.113.0/24, where people work now and then
_FIRST_ASN = 64496  # the sixteen that are reserved for documentation


def settle(directory: Directory) -> None:
    """Give every known address of the tenant a place."""
    company = directory.staff.company
    cities = directory.material["places"][company.country]
    for address in (company.office, company.vpn):
        _put(directory, address, (*cities[0], company.country))
    runners = directory.material["regions"][company.regions[0]]
    for actor in directory.staff.actors.values():
        if actor.person:
            _put(directory, actor.addresses[2], (*directory.chance.choice(cities), company.country))
        else:
            for address in actor.addresses:
                _put(directory, address, tuple(runners))
    for host in HOTELS:
        _put(directory, f"203.0.113.{host}", (*directory.chance.choice(cities), company.country))


def home_of(directory: Directory, number: int) -> str:
    """The address at home of somebody without a role in Azure."""
    address = f"2001:db8:{number:x}::7"
    at_home(directory, address)
    return address


def at_home(directory: Directory, address: str) -> Document:
    """Put an address into the country of the tenant."""
    company = directory.staff.company
    return _put(
        directory, address, (*directory.chance.choice(directory.material["places"][company.country]), company.country)
    )


def abroad(directory: Directory, address: str) -> Document:
    """Put an address where people of the tenant travel to."""
    home = directory.staff.company.country
    return _put(
        directory, address, tuple(directory.chance.choice([p for p in directory.material["travel"] if p[2] != home]))
    )


def unfamiliar(directory: Directory, address: str, *, number: int = -1) -> Document:
    """Put an address where nobody of the tenant ever was."""
    choices = directory.material["unfamiliar"]
    chosen = choices[number % len(choices)] if number >= 0 else directory.chance.choice(choices)
    return _put(directory, address, tuple(chosen))


def _put(directory: Directory, address: str, where: tuple[str, ...]) -> Document:
    city, state, country = where
    asn = _FIRST_ASN + hashlib.sha256(f"{city}/{address[:9]}".encode()).digest()[0] % 16
    return directory.put("places", address, {"city": city, "state": state, "countryOrRegion": country, "_asn": asn})
