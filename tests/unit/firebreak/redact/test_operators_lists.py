"""What the operator lists of people and places is redacted with the bundle: nobody is named, and an address still lies in its network."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from ruamel.yaml import YAML

from firebreak.bundle import contents_of, open_bundle
from firebreak.redact import Redaction
from tests.unit.firebreak.bundle.bundled import INCIDENT, recorded_in, zipped

LISTED = {
    "customers": ["22222222-2222-4222-8222-222222222222"],
    "what": "release pipeline of Grundlage",
    "identities": ["grundlage-deploy@contoso.example"],
    "addresses": ["198.51.100.0/24", "198.51.100.77", "2001:db8:7::/48"],
}


def test_names_and_addresses_of_a_list_are_replaced_and_networks_stay_networks(tmp_path: Path) -> None:
    office, evidence = recorded_in(tmp_path)
    with office.store:
        office.store.values.set(INCIDENT, "settings-1", {"currency": "EUR", "known_good": [LISTED]})
        files = contents_of(office.store, evidence, office.audit, INCIDENT)
    with open_bundle(zipped(files, tmp_path / "whole.zip")) as bundle:
        redacted = Redaction(bundle, b"k" * 32).files()
    text = redacted["incident.yaml"].decode()
    for name in ("rundlage", "198.51.100", "2001:db8:7"):
        assert name not in text
        assert name in files["incident.yaml"].decode()
    (entry,) = YAML(typ="safe", pure=True).load(text)["rounds"][0]["settings"]["known_good"]
    network, address, ipv6 = map(ipaddress.ip_network, entry["addresses"])
    assert (network.prefixlen, address.prefixlen, ipv6.prefixlen) == (24, 32, 48)
    assert address.network_address in network
    assert entry["customers"] != LISTED["customers"]
