"""The sign-in log: what a scenario wrote into it, what the sign-in endpoint adds, and one sign-in for each access token of the activity log.

Rows are made when somebody first asks. `graph.signIns` holds those that were written, the world's memory those that follow from the activity
log, `graph.signInDetails` what is laid over a row by the id of its sign-in. Applications of Microsoft sign in elsewhere and leave none.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from azure_simulator.clock import stamp
from azure_simulator.services.graph import licences, sign_in_rows
from azure_simulator.services.graph.sign_in_rows import SignIn
from azure_simulator.services.graph.store import put, table
from azure_simulator.world import Document, Principal, World

RETENTION = timedelta(days=30)
LAG = timedelta(minutes=3)  # logs are minutes behind
SESSION = timedelta(hours=12)  # how long a browser or tool goes on without asking its person again
_OBJECT = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"
_MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
_PORTAL = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"


def shown(world: World, tenant: str) -> list[Document]:
    """The sign-ins of a tenant that its log has now, newest first; risks are hidden without P2."""
    _catch_up(world)
    now = world.clock.now()
    oldest, newest = stamp(now - RETENTION)[:19] + "Z", stamp(now - LAG)[:19] + "Z"
    found = [row for row in _sorted(world) if row["_tenant"] == tenant and oldest <= row["createdDateTime"] <= newest]
    return found if licences.has(world, tenant, "protection") else [_hidden(row) for row in found]


def write(world: World, sign_in: SignIn) -> str:
    """Add a sign-in to the log, unless its token has one; returns its id."""
    guid = sign_in_rows.identity(sign_in.token)
    rows = table(world, "signIns")
    if guid not in rows:
        row = sign_in_rows.document(world, sign_in)
        put(world, "signIns", guid, row, tenant=row["_tenant"])
    return guid


def last_activity(world: World, user: Principal, tenant: str) -> Document | None:
    """`signInActivity` of a person, None of somebody who never signed in while the log goes back."""
    rows = shown(world, tenant)
    state = (len(rows), rows[0]["id"] if rows else "")
    cached = world.memory.get(f"graph.activity/{tenant}")
    if cached is None or cached[0] != state:
        cached = world.memory[f"graph.activity/{tenant}"] = (state, _latest(rows))
    kinds: dict[str, Document] | None = cached[1].get(user.object_id)
    if not kinds:
        return None
    found: Document = {}
    for name, kind in (("lastSignIn", "any"), ("lastNonInteractiveSignIn", "other"), ("lastSuccessfulSignIn", "good")):
        found[f"{name}DateTime"] = kinds[kind]["createdDateTime"] if kind in kinds else None
        found[f"{name}RequestId"] = kinds[kind]["id"] if kind in kinds else None
    return found


def _latest(rows: list[Document]) -> dict[str, dict[str, Document]]:
    """By person the newest sign-in that was interactive ("any"), that was not ("other"), and that succeeded ("good")."""
    latest: dict[str, dict[str, Document]] = {}
    for row in rows:
        kinds = latest.setdefault(row["userId"], {})
        kinds.setdefault("any" if row["isInteractive"] else "other", row)
        if row["status"]["errorCode"] == 0:
            kinds.setdefault("good", row)
    return latest


def _sorted(world: World) -> list[Document]:
    """Every row with what is laid over it, newest first."""
    rows, details, derived = table(world, "signIns"), table(world, "signInDetails"), _derived(world)
    state = (len(rows), len(details), len(derived))
    cached = world.memory.get("graph.sorted_sign_ins")
    if cached is None or cached[0] != state:
        merged = [row | (details.get(row["id"]) or {}) for row in (*rows.values(), *derived.values())]
        merged.sort(key=lambda row: (row["createdDateTime"], row["id"]), reverse=True)
        cached = world.memory["graph.sorted_sign_ins"] = (state, merged)
    found: list[Document] = cached[1]
    return found


def _derived(world: World) -> dict[str, Document]:
    """The rows that follow from the activity log, by id."""
    found: dict[str, Document] = world.memory.setdefault("graph.derived_sign_ins", {})
    return found


def _derive(world: World, sign_in: SignIn) -> None:
    guid = sign_in_rows.identity(sign_in.token)
    if guid not in table(world, "signIns"):
        _derived(world)[guid] = sign_in_rows.document(world, sign_in)


def _hidden(row: Document) -> Document:
    return row | {
        "riskDetail": "hidden",
        "riskLevelAggregated": "hidden",
        "riskLevelDuringSignIn": "hidden",
        "riskEventTypes": ["generic"] if row["riskEventTypes"] else [],
        "riskEventTypes_v2": ["generic"] if row["riskEventTypes_v2"] else [],
    }


def _catch_up(world: World) -> None:
    """Fill what is to be filled at the first question, then go through the activity log from where it was left."""
    world.fill("graph.signIns")
    state = world.memory.setdefault("graph.tokens", {"next": 0, "seen": set(), "asked": {}})
    begun = stamp(world.clock.now() - RETENTION - timedelta(days=1))
    for event in world.events[state["next"] :]:
        claims = event["claims"]
        token = claims.get("uti")
        if not token or token in state["seen"]:
            continue
        state["seen"].add(token)
        principal = world.principals.get(claims.get(_OBJECT, ""))
        if principal is None:
            continue
        at = datetime.fromisoformat(event["eventTimestamp"][:26] + "+00:00")
        fresh = _is_fresh(state["asked"], (principal.object_id, claims["appid"], claims["ipaddr"]), at)
        if event["eventTimestamp"] >= begun:
            _from_token(world, principal, claims, at, fresh=fresh)
    state["next"] = len(world.events)


def _is_fresh(asked: dict[tuple[str, str, str], datetime], session: tuple[str, str, str], at: datetime) -> bool:
    """Whether a person was asked for a factor: not again within the session."""
    before = asked.get(session)
    if before is not None and at - before < SESSION:
        return False
    asked[session] = at
    return True


def _from_token(world: World, principal: Principal, claims: Document, at: datetime, *, fresh: bool) -> None:
    """The sign-in that issued a token of the activity log, some seconds before its first use."""
    token = str(claims["uti"])
    before = at - timedelta(seconds=3 + int(sign_in_rows.identity(token)[:2], 16) % 50)
    address = str(claims["ipaddr"])
    if principal.kind == "User":
        mfa = "mfa" in str(claims.get(_METHODS, ""))
        browser = claims["appid"] == _PORTAL
        _derive(
            world,
            SignIn(
                principal,
                before,
                address,
                str(claims["appid"]),
                token,
                kind=sign_in_rows.INTERACTIVE if fresh else sign_in_rows.REFRESHED,
                client=sign_in_rows.BROWSER if browser else sign_in_rows.DESKTOP,
                mfa=mfa,
                device=None if mfa else {"operatingSystem": "Windows 10", "browser": "Chrome 142.0.0"},
                protocol="oAuth2" if not fresh else "none",
            ),
        )
        return
    profile = table(world, "servicePrincipals").get(principal.object_id) or {}
    if profile.get("appOwnerOrganizationId") == _MICROSOFT:
        return
    managed = profile.get("servicePrincipalType") == "ManagedIdentity"
    _derive(
        world,
        SignIn(
            principal,
            before,
            "" if managed else address,
            principal.app_id,
            token,
            kind=sign_in_rows.MANAGED if managed else sign_in_rows.APPLICATION,
            key_id="" if managed else key_of(world, principal, stamp(before)),
        ),
    )


def key_of(world: World, principal: Principal, at: str) -> str:
    """The credential that an application signed in with at a moment (a stamp), when nothing else is said."""
    for application in table(world, "applications").values():
        if application["appId"] == principal.app_id:
            earlier = [key for until, key in application.get("_signed_in_with", ()) if at < until]
            return str(earlier[0] if earlier else application.get("_signs_in_with") or "")
    return ""
