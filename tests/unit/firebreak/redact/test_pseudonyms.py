"""Pseudonyms keep what analysis and plans read: equality, case, order, networks, and what two names have in common."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.redact.addresses import Addresses
from firebreak.redact.documents import Documents
from firebreak.redact.pseudonyms import Pseudonyms

SUBSCRIPTION = "9a1b7c3d-1111-4222-8333-abcdefabcdef"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Rg-Contoso/providers/Microsoft.Compute/virtualMachines/web-contoso-07"


def settled(*documents: object) -> Documents:
    """The texts of a bundle that holds these documents."""
    texts = Documents(Pseudonyms(b"k" * 32))
    for document in documents:
        texts.document(document)
    texts.settled()
    texts.names.settle(frozenset())
    return texts


@given(st.lists(st.ip_addresses(v=4) | st.ip_addresses(v=6), min_size=2, max_size=30, unique=True))
@settings(max_examples=60)
def test_addresses_keep_their_family_order_and_networks(
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    book = Addresses(b"k" * 32)
    for one in found:
        book.note(str(one))
    book.settle()
    new = {one: ipaddress.ip_address(book.of(str(one))) for one in found}
    for one in found:
        assert new[one].version == one.version
        assert new[one].is_multicast == one.is_multicast
        assert (str(one).startswith(("10.", "192.168."))) == (str(new[one]).startswith(("10.", "192.168.")))
        for other in found:
            if one.version == other.version == 4 and new[one] != one and new[other] != other:
                assert (common(one, other) >= 24) == (common(new[one], new[other]) >= 24)


def common(
    one: ipaddress.IPv4Address | ipaddress.IPv6Address, other: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> int:
    """How many first bits two addresses share."""
    return one.max_prefixlen - (int(one) ^ int(other)).bit_length()


def test_an_address_stays_in_the_ranges_that_a_policy_names() -> None:
    texts = settled(["10.4.0.0/16", "10.4.7.9", "10.5.7.9", "151.20.0.0/20", "151.20.15.1", "151.20.16.1"])
    wide, inside, outside = (texts.text(one) for one in ("10.4.0.0/16", "10.4.7.9", "10.5.7.9"))
    assert ipaddress.ip_address(inside) in ipaddress.ip_network(wide)
    assert ipaddress.ip_address(outside) not in ipaddress.ip_network(wide)
    assert wide.startswith("10.")
    wide, inside, outside = (texts.text(one) for one in ("151.20.0.0/20", "151.20.15.1", "151.20.16.1"))
    assert ipaddress.ip_address(inside) in ipaddress.ip_network(wide)
    assert ipaddress.ip_address(outside) not in ipaddress.ip_network(wide)
    assert not wide.startswith("151.")


def test_names_keep_equality_order_case_and_their_parts() -> None:
    names = ["web-contoso-07", "WEB-CONTOSO-07", "web-contoso-07_OsDisk_1_ab12", "alpha", "zulu", "mike"]
    texts = settled(names)
    one, upper, disk, *rest = (texts.text(name) for name in names)
    assert one == upper.lower()
    assert disk.startswith(f"{one}_")
    assert rest[0] < rest[2] < rest[1]
    assert "contoso" not in " ".join([one, disk])


@pytest.mark.parametrize(
    "text",
    [
        MACHINE,
        MACHINE.upper(),
        f"https://management.azure.com{MACHINE.replace('-', '%2D')}/instanceView?api-version=2026-04-01",
        "https://stcontoso01.blob.core.windows.net/vhds/web-contoso-07.vhd",
        "https://graph.microsoft.com/v1.0/users?$filter=userPrincipalName%20eq%20'ann.contoso@contoso.example'&$skiptoken=eyJ1IjoiYW5uLmNvbnRvc28ifQ%3D%3D",
        json.dumps({"tags": {"contoso-owner": "ann.contoso@contoso.example"}, "ip": "151.20.3.4"}),
        "Ann Contoso (+31 6 1234 5678) asked for web-contoso-07",
    ],
)
def test_nothing_of_a_name_is_left_in_any_spelling(text: str) -> None:
    document = {"value": text}
    new = str(settled(document).document(document)["value"])
    assert new != text
    assert not re.search(r"contoso|\bann\b|1234|151\.20|9a1b7c3d|YW5u", new, re.IGNORECASE)


def test_the_clouds_own_words_stay() -> None:
    document = {
        "location": "westeurope",
        "type": "Microsoft.Compute/virtualMachines",
        "operationName": {"value": "Microsoft.Compute/virtualMachines/write"},
        "hardwareProfile": {"vmSize": "Standard_ND40rs_v2"},
        "createdTime": "2026-11-18T23:37:23Z",
        "properties": {
            "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
        },
    }
    assert settled(document).document(document) == document
    assert MACHINE.split("/")[5:8] == settled(MACHINE).text(MACHINE).split("/")[5:8]


def test_a_pseudonym_is_as_long_as_its_word_but_never_shorter_than_four_letters() -> None:
    words = ["ab", "bob", "anna", "frank", "contoso", "x" * 500]
    texts = settled(words)
    assert [len(texts.text(word)) for word in words] == [4, 4, 4, 5, 7, 500]
    assert len({texts.text(word) for word in words}) == len(words)


def test_no_pseudonym_is_a_word_of_the_bundle_or_of_the_engine() -> None:
    texts = Documents(Pseudonyms(b"k" * 32))
    words = [f"{one}{other}{n}" for n in range(10) for one in "abcdefghij" for other in "klmnopqrst"]
    texts.document(words)
    texts.settled()
    avoid = frozenset(chr(97 + a) * 2 + chr(97 + b) * 2 for a in range(26) for b in range(26))
    texts.names.settle(avoid)
    late = texts.text("nobodyknewthis")
    found = {texts.text(word) for word in words} | {late}
    assert len(found) == len(words) + 1
    assert not found & ({*words} | avoid)


def test_a_telephone_number_keeps_its_shape() -> None:
    document = {"phone": "+31 6 1234 5678"}
    new = settled(document).document(document)["phone"]
    assert re.fullmatch(r"\+99 9 \d{4} \d{4}", new)


def test_the_id_of_a_token_is_the_same_in_both_of_its_spellings() -> None:
    guid = UUID("1b4e28ba-2fa1-41d2-883f-0016d3cca427")
    document = {"claims": {"uti": "uihOG6Ev0kGIPwAW08ykJw"}, "uniqueTokenIdentifier": str(guid)}
    texts = settled(document)
    new = texts.document(document)
    assert texts.names.table()[new["claims"]["uti"]] == document["claims"]["uti"]
    raw = base64.urlsafe_b64decode(new["claims"]["uti"] + "==")
    assert str(UUID(bytes_le=raw)) == new["uniqueTokenIdentifier"] != str(guid)
