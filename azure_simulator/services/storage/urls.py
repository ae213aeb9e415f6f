"""Routes of Microsoft.Storage and of the blob data plane."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.compute.documents import paths
from azure_simulator.services.storage import data_plane, responses
from azure_simulator.services.storage.data_plane import served
from azure_simulator.services.storage.models import ACCOUNT, BLOB_SERVICE

_ALL, _IN_GROUP, _ONE = paths(ACCOUNT)
_BLOB = "/blob/{account}/{container}/{name...}"

ROUTES: list[Route] = [
    route("GET", _ALL, responses.list_accounts, f"{ACCOUNT}/read"),
    route("GET", _IN_GROUP, responses.list_accounts, f"{ACCOUNT}/read"),
    route("GET", _ONE, responses.get_account, f"{ACCOUNT}/read"),
    route("PUT", _ONE, responses.put_account, f"{ACCOUNT}/write"),
    route("PATCH", _ONE, responses.patch_account, f"{ACCOUNT}/write"),
    route("DELETE", _ONE, responses.delete_account, f"{ACCOUNT}/delete"),
    route("POST", f"{_ONE}/listKeys", responses.list_keys, f"{ACCOUNT}/listKeys/action"),
    route("POST", f"{_ONE}/regenerateKey", responses.regenerate_key, f"{ACCOUNT}/regenerateKey/action"),
    route("POST", f"{_ONE}/ListAccountSas", responses.list_account_sas, f"{ACCOUNT}/listAccountSas/action"),
    route("POST", f"{_ONE}/ListServiceSas", responses.list_service_sas, f"{ACCOUNT}/listServiceSas/action"),
    route("GET", f"{_ONE}/blobServices/default", responses.get_blob_service, f"{BLOB_SERVICE}/read"),
    route("PUT", f"{_ONE}/blobServices/default", responses.put_blob_service, f"{BLOB_SERVICE}/write"),
    route("GET", "/blob/{account}", served(data_plane.account_level), kind="blob"),
    route("GET", "/blob/{account}/{container}", served(data_plane.container_level), kind="blob"),
    route("HEAD", _BLOB, served(data_plane.head_blob), kind="blob"),
    route("DELETE", _BLOB, served(data_plane.delete_blob), kind="blob"),
    route("PUT", _BLOB, served(data_plane.put_blob), kind="blob"),
]
