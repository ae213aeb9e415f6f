"""Storage accounts and the blob data plane of the embedded Azure. Signatures are computed here from the public definition."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256
from xml.etree import ElementTree

import pytest

from azure_simulator.app import assign, dispatch
from azure_simulator.http import Request
from azure_simulator.services.signin.models import issue
from azure_simulator.world import Principal

READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


@pytest.fixture
def account(cloud):
    cloud.json(
        "PUT",
        "Microsoft.Storage/storageAccounts/contosovhds",
        {"location": "westeurope", "sku": {"name": "Standard_LRS"}},
    )
    for name, leased in (("free.vhd", False), ("in use & <kept>.vhd", True)):
        cloud.world.blobs[f"contosovhds/vhds/{name}"] = {
            "account": "contosovhds",
            "container": "vhds",
            "name": name,
            "size": 32213303808,
            "blob_type": "PageBlob",
            "leased": leased,
            "etag": "0x8DA1",
            "created": "2026-11-19T22:00:00.0000000Z",
            "snapshots": [],
        }
    return cloud.stored("Microsoft.Storage/storageAccounts/contosovhds")


def send(cloud, method, target, **headers):
    path, _, query = target.partition("?")
    pairs = dict(p.split("=", 1) for p in query.split("&") if p)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return dispatch(cloud.world, Request(method, path.replace("%20", " "), pairs, named, b"", target=target))


def signed(cloud, account, method, target, prefix="/blob/contosovhds", **headers):
    """Sign as documented: verb, eleven standard headers, x-ms headers, resource with sorted query."""
    named = {"x-ms-date": "Fri, 20 Nov 2026 03:00:00 GMT", "x-ms-version": "2021-12-02"}
    named |= {k.replace("_", "-"): v for k, v in headers.items()}
    path, _, query = target.partition("?")
    resource = "/contosovhds" + prefix + path.removeprefix("/blob/contosovhds")
    for pair in sorted(p for p in query.split("&") if p):
        name, _, value = pair.partition("=")
        resource += f"\n{name}:{value}"
    lines = [method, "", "", "", "", "", "", "", named.get("if-match", ""), "", "", ""]
    lines += [f"{name}:{named[name]}" for name in sorted(named) if name.startswith("x-ms-")]
    text = "\n".join([*lines, resource])
    key = cloud.json("POST", "Microsoft.Storage/storageAccounts/contosovhds/listKeys")["keys"][0]["value"]
    mark = b64encode(hmac.new(b64decode(key), text.encode(), sha256).digest()).decode()
    return send(cloud, method, target, authorization=f"SharedKey contosovhds:{mark}", **named)


def xml(response):
    return ElementTree.fromstring(response.body)  # noqa: S314  # our own simulator wrote it


def code(response):
    return response.status, xml(response).findtext("Code")


def test_the_accounts_endpoint_is_the_simulators_and_its_keys_are_not_shown(cloud, account):
    answer = cloud.json("GET", "Microsoft.Storage/storageAccounts/contosovhds")
    assert answer["properties"]["primaryEndpoints"]["blob"] == f"{cloud.world.base_url}/blob/contosovhds/"
    assert account["_keys"][0] not in str(answer)


@pytest.mark.parametrize("prefix", ["/blob/contosovhds", ""])
def test_blobs_are_listed_under_a_shared_key(cloud, account, prefix):
    response = signed(cloud, account, "GET", "/blob/contosovhds/vhds?comp=list&restype=container", prefix)
    assert response.status == 200, response.body
    rows = xml(response).findall("Blobs/Blob")
    found = {
        r.findtext("Name"): (r.findtext("Properties/LeaseStatus"), r.findtext("Properties/LeaseState")) for r in rows
    }
    assert found == {"free.vhd": ("unlocked", "available"), "in use & <kept>.vhd": ("locked", "leased")}
    first = rows[0].find("Properties")
    assert (first.findtext("BlobType"), first.findtext("Content-Length"), first.findtext("Etag")) == (
        "PageBlob",
        "32213303808",
        "0x8DA1",
    )
    assert first.findtext("Creation-Time") == "Thu, 19 Nov 2026 22:00:00 GMT"


def test_lists_go_on_at_the_marker(cloud, account):
    base = "/blob/contosovhds/vhds?comp=list&maxresults=1&restype=container"
    first = xml(signed(cloud, account, "GET", base))
    marker = first.findtext("NextMarker")
    second = xml(signed(cloud, account, "GET", base.replace("&max", f"&marker={marker}&max")))
    assert [b.findtext("Name") for page in (first, second) for b in page.findall("Blobs/Blob")] == [
        "free.vhd",
        "in use & <kept>.vhd",
    ]
    assert not second.findtext("NextMarker")


def test_containers_are_listed(cloud, account):
    answer = xml(signed(cloud, account, "GET", "/blob/contosovhds?comp=list"))
    assert [c.findtext("Name") for c in answer.findall("Containers/Container")] == ["vhds"]


def test_a_leased_blob_is_not_deleted_and_a_free_one_is(cloud, account):
    leased = signed(cloud, account, "DELETE", "/blob/contosovhds/vhds/in%20use%20&%20<kept>.vhd")
    assert code(leased) == (412, "LeaseIdMissing")
    assert leased.headers["x-ms-error-code"] == "LeaseIdMissing"
    head = signed(cloud, account, "HEAD", "/blob/contosovhds/vhds/free.vhd")
    assert (head.status, head.headers["x-ms-lease-status"], head.headers["ETag"]) == (200, "unlocked", '"0x8DA1"')
    assert code(signed(cloud, account, "DELETE", "/blob/contosovhds/vhds/free.vhd", if_match='"0xOLD"')) == (
        412,
        "ConditionNotMet",
    )
    assert signed(cloud, account, "DELETE", "/blob/contosovhds/vhds/free.vhd", if_match='"0x8DA1"').status == 202
    assert "contosovhds/vhds/free.vhd" not in cloud.world.blobs
    assert code(signed(cloud, account, "DELETE", "/blob/contosovhds/vhds/free.vhd")) == (404, "BlobNotFound")


def test_a_blob_with_snapshots_needs_to_be_told(cloud, account):
    taken = signed(cloud, account, "PUT", "/blob/contosovhds/vhds/free.vhd?comp=snapshot")
    assert (taken.status, taken.headers["x-ms-snapshot"]) == (201, "2026-11-20T03:00:00.0000000Z")
    assert code(signed(cloud, account, "DELETE", "/blob/contosovhds/vhds/free.vhd")) == (409, "SnapshotsPresent")
    rows = xml(
        signed(cloud, account, "GET", "/blob/contosovhds/vhds?comp=list&include=snapshots&restype=container")
    ).findall("Blobs/Blob")
    assert [r.findtext("Snapshot") for r in rows if r.findtext("Name") == "free.vhd"] == [
        "2026-11-20T03:00:00.0000000Z",
        None,
    ]
    assert (
        signed(cloud, account, "DELETE", "/blob/contosovhds/vhds/free.vhd", x_ms_delete_snapshots="include").status
        == 202
    )


def test_soft_deleted_blobs_can_be_seen_and_brought_back(cloud, account):
    path = "Microsoft.Storage/storageAccounts/contosovhds/blobServices/default"
    assert cloud.json("GET", path)["properties"]["deleteRetentionPolicy"] == {"enabled": False}
    cloud.json("PUT", path, {"properties": {"deleteRetentionPolicy": {"enabled": True, "days": 7}}})
    assert cloud.json("GET", path)["properties"]["deleteRetentionPolicy"] == {"enabled": True, "days": 7}
    assert signed(cloud, account, "DELETE", "/blob/contosovhds/vhds/free.vhd").status == 202
    listing = "/blob/contosovhds/vhds?comp=list&restype=container"
    assert b"free.vhd" not in signed(cloud, account, "GET", listing).body
    assert (
        b"<Deleted>true</Deleted>"
        in signed(cloud, account, "GET", listing.replace("&rest", "&include=deleted&rest")).body
    )
    assert signed(cloud, account, "PUT", "/blob/contosovhds/vhds/free.vhd?comp=undelete").status == 200
    assert b"free.vhd" in signed(cloud, account, "GET", listing).body


def test_wrong_signatures_and_forbidden_keys_are_refused(cloud, account):
    version = {"x_ms_version": "2021-12-02", "x_ms_date": "Fri, 20 Nov 2026 03:00:00 GMT"}
    target = "/blob/contosovhds?comp=list"
    assert code(send(cloud, "GET", target, authorization="SharedKey contosovhds:AAAA", **version)) == (
        403,
        "AuthenticationFailed",
    )
    assert code(send(cloud, "GET", target, **version)) == (401, "NoAuthenticationInformation")
    assert code(send(cloud, "GET", target, authorization="SharedKey contosovhds:AAAA")) == (
        400,
        "MissingRequiredHeader",
    )
    cloud.json(
        "PATCH", "Microsoft.Storage/storageAccounts/contosovhds", {"properties": {"allowSharedKeyAccess": False}}
    )
    assert code(signed(cloud, account, "GET", target)) == (403, "KeyBasedAuthenticationNotPermitted")


def test_an_account_tells_when_each_key_was_made_and_an_unknown_key_is_refused(cloud, account):
    path = "Microsoft.Storage/storageAccounts/contosovhds"
    made = cloud.json("GET", path)["properties"]["keyCreationTime"]
    cloud.wait(3600)
    answer = cloud.json("POST", f"{path}/regenerateKey", {"keyName": "key2"})
    now = cloud.json("GET", path)["properties"]["keyCreationTime"]
    assert now["key1"] == made["key1"]
    assert now["key2"] > made["key2"]
    assert [row["creationTime"] for row in answer["keys"]] == [now["key1"], now["key2"]]
    assert cloud.error("POST", f"{path}/regenerateKey", {"keyName": "key3"})[0] == 400
    assert cloud.error("POST", f"{path}/regenerateKey", {})[0] == 400


def test_links_are_signed_with_the_key_that_is_named(cloud, account):
    path, link = "Microsoft.Storage/storageAccounts/contosovhds", {"signedServices": "b", "signedResourceTypes": "sco"}
    first = cloud.json("POST", f"{path}/ListAccountSas", {**link, "keyToSign": "key1"})["accountSasToken"]
    other = cloud.json("POST", f"{path}/ListAccountSas", {**link, "keyToSign": "key2"})["accountSasToken"]
    assert first.partition("&sig=")[0] == other.partition("&sig=")[0]
    assert first != other
    cloud.json("POST", f"{path}/regenerateKey", {"keyName": "key1"})
    assert cloud.json("POST", f"{path}/ListAccountSas", {**link, "keyToSign": "key1"})["accountSasToken"] != first
    assert cloud.error("POST", f"{path}/ListServiceSas", {"keyToSign": "key1"})[0] == 400


def test_a_regenerated_key_ends_the_old_ones_signatures(cloud, account):
    old = account["_keys"][0]
    cloud.json("POST", "Microsoft.Storage/storageAccounts/contosovhds/regenerateKey", {"keyName": "key1"})
    assert old not in account["_keys"]
    assert signed(cloud, account, "GET", "/blob/contosovhds?comp=list").status == 200


def test_tokens_need_a_data_role(cloud, account):
    world = cloud.world
    someone = Principal(
        world.chance.guid(), "ServicePrincipal", "scanner", app_id=world.chance.guid(), tenant_id=world.tenant_id
    )
    world.principals[someone.object_id] = someone
    token = issue(world, someone)

    def call(method, target):
        return send(cloud, method, target, authorization=f"Bearer {token}", x_ms_version="2021-12-02")

    target = "/blob/contosovhds/vhds?comp=list&restype=container"
    assert code(call("GET", target)) == (403, "AuthorizationPermissionMismatch")
    assign(world, someone, READER, account["id"])
    assert call("GET", target).status == 200
    assert code(call("DELETE", "/blob/contosovhds/vhds/free.vhd")) == (403, "AuthorizationPermissionMismatch")
    assign(world, someone, CONTRIBUTOR, cloud.group)
    assert call("DELETE", "/blob/contosovhds/vhds/free.vhd").status == 202
    assert code(send(cloud, "GET", target, authorization="Bearer nonsense", x_ms_version="2021-12-02")) == (
        403,
        "AuthenticationFailed",
    )


def test_an_account_with_a_leased_disk_is_not_deleted(cloud, account):
    path = "Microsoft.Storage/storageAccounts/contosovhds"
    assert cloud.call("DELETE", path).status == 409
    cloud.world.blobs["contosovhds/vhds/in use & <kept>.vhd"]["leased"] = False
    assert cloud.call("DELETE", path).status == 200
    assert not list(cloud.world.blobs)
