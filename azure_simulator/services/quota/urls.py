"""Routes of Microsoft.Quota, an extension of a provider's location."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.quota import responses

BASE = "/subscriptions/{s}/providers/{p}/locations/{l}/providers/Microsoft.Quota"

ROUTES: list[Route] = [
    route("GET", f"{BASE}/quotas", responses.list_quotas, "Microsoft.Quota/quotas/read"),
    route("GET", f"{BASE}/quotas/{{name}}", responses.get_quota, "Microsoft.Quota/quotas/read"),
    route("PUT", f"{BASE}/quotas/{{name}}", responses.change_quota, "Microsoft.Quota/quotas/write"),
    route("PATCH", f"{BASE}/quotas/{{name}}", responses.change_quota, "Microsoft.Quota/quotas/write"),
    route("GET", f"{BASE}/usages", responses.list_usages, "Microsoft.Quota/usages/read"),
    route("GET", f"{BASE}/usages/{{name}}", responses.get_usage, "Microsoft.Quota/usages/read"),
    route("GET", f"{BASE}/quotaRequests", responses.list_requests, "Microsoft.Quota/quotaRequests/read"),
    route("GET", f"{BASE}/quotaRequests/{{name}}", responses.get_request, "Microsoft.Quota/quotaRequests/read"),
]
