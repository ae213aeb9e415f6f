"""What the identity review produces: facts about sign-ins, changes of the directory, administrators, applications, risk and delegated access.

Like the other facts (`firebreak.model.facts`) they say what was not looked at. Names stand as the directory has them: hostile text.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from firebreak.model.facts import Facts

# investigate.tenant_protection -------------------------------------------------------------------------------------------


class AccessPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A conditional access policy. `state` is enabled, disabled or enabledForReportingButNotEnforced (reports, enforces nothing).

    `users`, `excluded` and `applications` name ids or All, GuestsOrExternalUsers and the like, `roles` template ids of directory roles;
    `controls` are mfa, block, passwordChange, compliantDevice, ... ; `strength` is the name of a required authentication strength.
    `narrowed` names further conditions that make it hold for some sign-ins only (clients, platforms, locations, risk).
    """

    id: str
    name: str
    state: str
    created_at: datetime | None = None
    changed_at: datetime | None = None
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    any_control: bool = False  # one of the controls is enough
    strength: str = ""
    clients: tuple[str, ...] = ()
    user_risk: tuple[str, ...] = ()
    sign_in_risk: tuple[str, ...] = ()
    narrowed: tuple[str, ...] = ()


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A named location of conditional access. `ranges` are its addresses, `countries` its countries."""

    id: str
    name: str
    trusted: bool = False
    ranges: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    created_at: datetime | None = None
    changed_at: datetime | None = None


class TenantProtection(Facts, frozen=True, kw_only=True):
    """What stands between a password and the tenant. None: not read.

    `plans` are the names of the licensed service plans (such as AAD_PREMIUM_P2). `window_start` is where the review begins.
    """

    window_start: datetime
    plans: tuple[str, ...] | None = None
    security_defaults: bool | None = None
    policies: tuple[AccessPolicy, ...] | None = None
    locations: tuple[Location, ...] | None = None

    def has_plan(self, *names: str) -> bool | None:
        """Whether one of these service plans is licensed; None when that was not read."""
        return None if self.plans is None else bool({plan.upper() for plan in self.plans} & set(names))


# investigate.directory_changes -------------------------------------------------------------------------------------------


class ChangeTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed: `kind` as the log has it (User, Role, Application, ServicePrincipal, Policy, ...)."""

    kind: str
    id: str = ""
    name: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the directory's audit log that a detection fell on.

    `result` is succeeded or failed. `actor` is the UPN of a person or the name of an application (`by_application`). `details` say what became of the
    properties that matter, as text. `usual`: the same actor did the same before the window on other days. `familiar`: the same actor, or several others,
    changed the directory from the same address before the window on other days.
    """

    id: str
    at: datetime
    name: str
    result: str
    actor: str = ""
    actor_id: str = ""
    by_application: bool = False
    app_id: str = ""
    address: str = ""
    targets: tuple[ChangeTarget, ...] = ()
    details: dict[str, str] = {}
    matched: tuple[str, ...] = ()
    usual: bool = False
    familiar: bool = False


class DirectoryChanges(Facts, frozen=True, kw_only=True):
    """The directory's audit log of the window, as far as detections fell on it; `records` counts all that were read, `from_time` is how far back they go."""

    window_start: datetime
    from_time: datetime
    records: int = 0
    changes: tuple[Change, ...] = ()


# investigate.administrators ----------------------------------------------------------------------------------------------


class RoleHolding(msgspec.Struct, frozen=True, kw_only=True):
    """A directory role that a principal holds, active or eligible (may be taken up). `through` is the group it is held by, or "".

    `activated`: taken up for a while by somebody eligible. `since` is when it began, as far as the directory says; `scope` is "/" for the
    whole directory.
    """

    role: str
    role_id: str
    privileged: bool
    eligible: bool
    activated: bool = False
    scope: str = "/"
    through: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A way to sign in or to recover an account: `kind` is phone, mail, authenticator, fido2, hello, code, pass, password, other."""

    kind: str
    detail: str = ""
    added_at: datetime | None = None


class Administrator(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a directory role or full rights in the subscription. None stands for what was not read.

    `kind` is user, servicePrincipal or group. `azure_roles` are the full roles (Owner, User Access Administrator, ...) in the subscription.
    """

    id: str
    name: str
    kind: str
    roles: tuple[RoleHolding, ...] = ()
    azure_roles: tuple[str, ...] = ()
    enabled: bool | None = None
    guest: bool = False
    synced: bool = False
    created_at: datetime | None = None
    password_changed_at: datetime | None = None
    mfa_registered: bool | None = None
    mfa_capable: bool | None = None
    other_mails: tuple[str, ...] | None = None
    phones: tuple[str, ...] | None = None
    methods: tuple[Method, ...] | None = None

    @property
    def is_privileged(self) -> bool:
        """Whether a role leads to everything else; roles in the subscription do."""
        return bool(self.azure_roles) or any(holding.privileged for holding in self.roles)


class Administrators(Facts, frozen=True, kw_only=True):
    """Everybody who rules the directory or the subscription. `eligible_read`: those who may take a role up are among them."""

    window_start: datetime
    administrators: tuple[Administrator, ...] = ()
    eligible_read: bool = False

    def of(self, principal_id: str) -> Administrator | None:
        wanted = principal_id.lower()
        return next((one for one in self.administrators if one.id.lower() == wanted), None) if wanted else None


# investigate.applications ------------------------------------------------------------------------------------------------


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A secret, certificate or outside issuer (`federated`) with which an application signs in. `detail` is the issuer and subject of the last."""

    id: str
    kind: str
    name: str = ""
    detail: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A right of an application on another: `kind` is application (it acts by itself) or delegated (on behalf of people: `consent` AllPrincipals or Principal).

    `strong`: it leads to roles, applications, users' sign-in methods, mail or files of everybody.
    """

    right: str
    resource: str
    kind: str
    consent: str = ""
    since: datetime | None = None
    strong: bool = False


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application with its service principal here (`principal_id`, "" when there is none).

    `foreign`: registered in another tenant. `credentials` are those of both objects; `held_by` of a credential is not kept, since either one signs in.
    """

    app_id: str
    name: str
    principal_id: str = ""
    object_id: str = ""
    enabled: bool = True
    foreign: bool = False
    owner_tenant: str = ""
    created_at: datetime | None = None
    credentials: tuple[Credential, ...] = ()
    grants: tuple[Grant, ...] = ()


class Applications(Facts, frozen=True, kw_only=True):
    """The applications that matter: with a credential or right of the window, with strong rights, or at work in the subscription. `seen` counts all."""

    window_start: datetime
    seen: int = 0
    applications: tuple[Application, ...] = ()

    def with_credential(self, key_id: str) -> tuple[Application, Credential] | None:
        """The application and the credential of this key id."""
        wanted = key_id.lower()
        found = ((app, c) for app in self.applications for c in app.credentials if c.id.lower() == wanted)
        return next(found, None) if wanted else None


# investigate.sign_ins ----------------------------------------------------------------------------------------------------


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Sign-ins of one identity that are alike: from one address with one client, to one end; `count` of them between `first` and `last`.

    `kind` is interactive, background (a token renewed without the person), application or managed. `result` is succeeded, stopped (the first factor
    was right, and something else was asked for or forbade it) or failed; `error` is Entra's number. `factor` is multi, single or "".
    `unfamiliar` names what this identity never had before the window: country, address, device, application, credential; empty with `known` False when
    its past is too short to say. `operations` are ids of activity-log operations that were done with the tokens of these sign-ins.
    """

    kind: str
    who: str
    principal_id: str
    first: datetime
    last: datetime
    count: int = 1
    result: str = "succeeded"
    error: int = 0
    guest: bool = False
    home_tenant: str = ""
    address: str = ""
    country: str = ""
    city: str = ""
    app: str = ""
    app_id: str = ""
    resource: str = ""
    client: str = ""
    protocol: str = ""
    device_id: str = ""
    device: str = ""
    managed: bool = False
    factor: str = ""
    risk: str = ""
    credential_id: str = ""
    ids: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    known: bool = False
    unfamiliar: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    used_from: tuple[str, ...] = ()  # addresses that used these tokens and that the identity never signed in from


class Habit(msgspec.Struct, frozen=True, kw_only=True):
    """How an identity signed in before the window: successful sign-ins by address, country, device and application, and with how many factors."""

    who: str
    principal_id: str
    first: datetime
    sign_ins: int
    days: int
    addresses: dict[str, int] = {}
    countries: dict[str, int] = {}
    devices: dict[str, int] = {}
    applications: dict[str, int] = {}
    credentials: dict[str, int] = {}
    multi: int = 0
    single: int = 0


class SignIns(Facts, frozen=True, kw_only=True):
    """The sign-ins of the window that mean something, and the habits of their identities. `records` counts all that were read.

    `from_time` is how far back the oldest record goes. `tokens_seen` of `tokens` are access tokens of the activity log's window whose
    sign-in was found: the others were issued by other tenants, too long ago, or their record has not arrived yet. `one_factor` counts the
    window's interactive sign-ins with one factor by person.
    """

    window_start: datetime
    from_time: datetime
    records: int = 0
    sign_ins: tuple[SignIn, ...] = ()
    habits: tuple[Habit, ...] = ()
    tokens: int = 0
    tokens_seen: int = 0
    one_factor: dict[str, int] = msgspec.field(default_factory=dict)

    def habit_of(self, principal_id: str) -> Habit | None:
        return next((habit for habit in self.habits if habit.principal_id == principal_id), None)


# investigate.identity_risk -----------------------------------------------------------------------------------------------


class RiskyIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A user or application that Identity Protection holds for compromised or at risk. `kind` is user or application."""

    id: str
    name: str
    kind: str
    level: str
    state: str
    detail: str = ""
    updated_at: datetime | None = None


class RiskSign(msgspec.Struct, frozen=True, kw_only=True):
    """One detection of Identity Protection. `event` is its name of the kind (leakedCredentials, anonymizedIPAddress, ...), generic without the licence."""

    id: str
    principal_id: str
    who: str
    kind: str
    event: str
    level: str
    state: str
    at: datetime
    address: str = ""
    country: str = ""
    request_id: str = ""


class IdentityRisk(Facts, frozen=True, kw_only=True):
    """What Identity Protection says. `users_read` and `applications_read` tell "no risk" from "not looked at"."""

    window_start: datetime
    users_read: bool = False
    applications_read: bool = False
    identities: tuple[RiskyIdentity, ...] = ()
    signs: tuple[RiskSign, ...] = ()


# investigate.delegated_access --------------------------------------------------------------------------------------------


class Relationship(msgspec.Struct, frozen=True, kw_only=True):
    """A granular delegated relationship of this partner with the customer. `roles` are names, or ids of roles that nobody knows."""

    id: str
    name: str
    status: str
    roles: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()
    created_at: datetime | None = None
    activated_at: datetime | None = None
    ends_at: datetime | None = None
    renews: bool = False
    groups: int | None = None  # security groups of the partner that it is given to


class DelegatedAccess(Facts, frozen=True, kw_only=True):
    """What the partner may do in the customer's tenant. `unrestricted` is delegated administration of the old kind (DAP): every right; None: not read."""

    window_start: datetime
    relationships: tuple[Relationship, ...] | None = None
    unrestricted: bool | None = None
