"""Routes of Microsoft.Security and Microsoft.Subscription."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.security import responses

S = "/subscriptions/{s}"
G = f"{S}/resourceGroups/{{g}}"
D = "providers/Microsoft.Security"


def _alerts(scope: str) -> list[Route]:
    one = f"{scope}/{D}/locations/{{l}}/alerts/{{name}}"
    return [
        route("GET", f"{scope}/{D}/alerts", responses.list_alerts, "Microsoft.Security/alerts/read"),
        route("GET", one, responses.get_alert, "Microsoft.Security/locations/alerts/read"),
        *(
            route(
                "POST", f"{one}/{verb}", responses.set_alert_state, f"Microsoft.Security/locations/alerts/{verb}/action"
            )
            for verb in ("dismiss", "resolve", "inProgress", "activate")
        ),
    ]


ROUTES: list[Route] = [
    route("GET", f"{S}/{D}/pricings", responses.list_pricings, "Microsoft.Security/pricings/read"),
    route("GET", f"{S}/{D}/pricings/{{name}}", responses.get_pricing, "Microsoft.Security/pricings/read"),
    route("PUT", f"{S}/{D}/pricings/{{name}}", responses.put_pricing, "Microsoft.Security/pricings/write"),
    route("GET", f"{S}/{D}/securityContacts", responses.list_contacts, "Microsoft.Security/securityContacts/read"),
    route(
        "GET", f"{S}/{D}/securityContacts/{{name}}", responses.get_contact, "Microsoft.Security/securityContacts/read"
    ),
    route(
        "PUT", f"{S}/{D}/securityContacts/{{name}}", responses.put_contact, "Microsoft.Security/securityContacts/write"
    ),
    route(
        "DELETE",
        f"{S}/{D}/securityContacts/{{name}}",
        responses.delete_contact,
        "Microsoft.Security/securityContacts/delete",
    ),
    route("GET", f"{S}/{D}/secureScores", responses.list_scores, "Microsoft.Security/secureScores/read"),
    route("GET", f"{S}/{D}/secureScores/{{name}}", responses.get_score, "Microsoft.Security/secureScores/read"),
    route(
        "GET", f"{S}/{D}/secureScoreControls", responses.list_controls, "Microsoft.Security/secureScoreControls/read"
    ),
    *_alerts(S),
    *_alerts(G),
    route(
        "POST",
        f"{S}/providers/Microsoft.Subscription/cancel",
        responses.cancel_subscription,
        "Microsoft.Subscription/cancel/action",
    ),
    route(
        "POST",
        f"{S}/providers/Microsoft.Subscription/enable",
        responses.enable_subscription,
        "Microsoft.Subscription/enable/action",
    ),
    route(
        "POST",
        f"{S}/providers/Microsoft.Subscription/rename",
        responses.rename_subscription,
        "Microsoft.Subscription/rename/action",
    ),
]
