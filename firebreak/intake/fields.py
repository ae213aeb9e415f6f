"""Reading documents of others: names in any case, values of any kind, one alert for each subscription that is named. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from firebreak.errors import AlertError, ScopeError
from firebreak.intake.documents import is_resource_id
from firebreak.model.alert import Alert
from firebreak.model.ids import guid

_MOST_RESOURCES: Final = 1000
_LONGEST: Final = 2000


class Fields:
    """A JSON object whose keys are found in any case; what is missing or of another kind is empty."""

    def __init__(self, document: object) -> None:
        self._values = {str(k).lower(): v for k, v in document.items()} if isinstance(document, Mapping) else {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, *names: str) -> str:
        """The first of these that is a text or a number, at most 2,000 characters."""
        for name in names:
            value = self._values.get(name.lower())
            if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value):
                return str(value)[:_LONGEST]
        return ""

    def at(self, name: str) -> Fields:
        """The object below a name."""
        return Fields(self._values.get(name.lower()))

    def each(self, name: str) -> list[Fields]:
        """The objects of a list."""
        value = self._values.get(name.lower())
        return [Fields(one) for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []

    def texts(self, name: str) -> list[str]:
        """The texts of a list; a text alone is a list of one."""
        value = self._values.get(name.lower())
        rows = value if isinstance(value, list) else [value]
        return [one for one in rows if isinstance(one, str) and one]


def moment(text: str, place: str) -> datetime | None:
    """A time as ISO 8601, UTC when it says nothing else; None for no text.

    Raises:
        AlertError: it is no time.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise AlertError(
            f"{place}: {text!r:.60} is not a time.", hint="Times look like 2026-03-02T04:09:57Z."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def by_subscription(resources: Iterable[str], *, place: str, otherwise: str = "") -> dict[str, tuple[str, ...]]:
    """Subscriptions that Azure ids name, each with its own ids; ids with tricks are left out. `otherwise` is an id to take when none is named.

    Raises:
        AlertError: no subscription is named.
    """
    found: dict[str, list[str]] = {}
    for text in resources:
        if subscription := _subscription(text):
            found.setdefault(subscription, []).append(text)
    if not found and (subscription := _subscription(otherwise)):
        found[subscription] = []
    if not found:
        raise AlertError(
            f"{place}: the alert names no Azure subscription.",
            hint="An Azure resource id or a subscription id must be in it.",
        )
    return {one: tuple(i for i in ids if is_resource_id(i))[:_MOST_RESOURCES] for one, ids in found.items()}


def alerts_of(
    subjects: Mapping[str, tuple[str, ...]], raw: bytes, *, tenant: str, place: str, template: Mapping[str, Any]
) -> list[Alert]:
    """One alert for each subscription. `template` are the fields of `Alert` that all have.

    Raises:
        AlertError: the customer's tenant is not known.
    """
    try:
        customer = guid(tenant, "the customer's tenant")
    except ScopeError as error:
        raise AlertError(
            f"{place}: {error.message}", hint="Set FIREBREAK_CREDENTIAL__TENANT_ID: this channel names no tenant."
        ) from error
    digest = hashlib.sha256(raw).hexdigest()
    made = []
    for subscription, resources in subjects.items():
        fields = {**template, "id": template["id"] or digest[:32]}
        made.append(
            Alert(
                **fields,
                subscription_id=subscription,
                customer_tenant_id=customer,
                affected_resources=resources,
                raw_digest=digest,
            )
        )
    return [msgspec.structs.replace(one, details={k: v for k, v in one.details.items() if v}) for one in made]


def _subscription(text: str) -> str:
    parts = text.strip("/").split("/")
    candidate = parts[1] if len(parts) >= 2 and parts[0].lower() == "subscriptions" else text
    try:
        return guid(candidate, "subscription")
    except ScopeError:
        return ""
