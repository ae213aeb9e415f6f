"""Settings: where the clouds are, who signs in, where the state lives. From the environment (`FIREBREAK_*`), else a settings file.

The file is `FIREBREAK_SETTINGS_FILE`, or `settings.yaml` in the home folder; the environment wins over it. Unknown keys are errors. Every
secret may be the value itself or a reference: `env:NAME`, `file:/path`, `keyvault:https://vault.vault.azure.net/secrets/name`.

    FIREBREAK_CLOUD__PRESET=public FIREBREAK_CREDENTIAL__KIND=client_secret FIREBREAK_CREDENTIAL__CLIENT_SECRET=env:APP_SECRET
    settings = Settings.load()
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError
from pydantic_settings.sources import InitSettingsSource
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from firebreak.errors import SettingsError
from firebreak.model.plan import Protection

PREFIX = "FIREBREAK_"
FILE_VARIABLE = "FIREBREAK_SETTINGS_FILE"

Preset = Literal["public", "usgovernment", "china", "simulator"]
LogFormat = Literal["text", "json"]
PollSource = Literal["graph", "audit-records", "cost-alerts"]
LogLevel = Literal["debug", "info", "warning", "error"]
Kind = Literal["default", "client_secret", "certificate", "managed_identity", "secure_application_model"]

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ADDRESS = r"^[^\s@;,<>]+@[^\s@;,<>]+$"
_BLOCK = r"^[a-z0-9-]+/[a-z0-9-]+$"
_SIMULATOR = "https://localhost:8443"
_ENDPOINTS: dict[str, dict[str, str]] = {
    "public": {
        "resource_manager": "https://management.azure.com",
        "login": "https://login.microsoftonline.com",
        "graph": "https://graph.microsoft.com",
        "partner_center": "https://api.partnercenter.microsoft.com",
        "prices": "https://prices.azure.com",
        "audience": "https://management.azure.com",
        "storage_suffixes": "core.windows.net storage.azure.net",
        "vault_suffix": "vault.azure.net",
    },
    "usgovernment": {
        "resource_manager": "https://management.usgovcloudapi.net",
        "login": "https://login.microsoftonline.us",
        "graph": "https://graph.microsoft.us",
        "partner_center": "https://api.partnercenter.microsoft.com",
        "prices": "https://prices.azure.com",
        "audience": "https://management.usgovcloudapi.net",
        "storage_suffixes": "core.usgovcloudapi.net",
        "vault_suffix": "vault.usgovcloudapi.net",
    },
    "china": {
        "resource_manager": "https://management.chinacloudapi.cn",
        "login": "https://login.partner.microsoftonline.cn",
        "graph": "https://microsoftgraph.chinacloudapi.cn",
        "partner_center": "https://partner.partnercenterapi.microsoftonline.cn",
        "prices": "https://prices.azure.com",
        "audience": "https://management.chinacloudapi.cn",
        "storage_suffixes": "core.chinacloudapi.cn",
        "vault_suffix": "vault.azure.cn",
    },
    "simulator": {
        "resource_manager": _SIMULATOR,
        "login": _SIMULATOR,
        "graph": _SIMULATOR,
        "partner_center": _SIMULATOR,
        "prices": _SIMULATOR,
        "audience": "https://management.azure.com",
        "storage_suffixes": "core.windows.net",
        "vault_suffix": "vault.azure.net",
    },
}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CloudSettings(_Section):
    """Addresses. A preset fills what is not named. `ca_bundle` replaces the system's certificate authorities.

    `audience` is the resource ARM tokens are asked for, `graph_audience` and `partner_center_audience` likewise (default: the preset's).
    """

    preset: Preset = "public"
    resource_manager: str = ""
    login: str = ""
    graph: str = ""
    partner_center: str = ""
    prices: str = ""
    partner_certificates: str = ""
    ca_bundle: Path | None = None
    audience: str = ""
    graph_audience: str = ""
    partner_center_audience: str = ""
    storage_suffixes: tuple[str, ...] = ()
    vault_suffix: str = ""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        values = {key: value for key, value in given.items() if value not in ("", None)}
        preset = _ENDPOINTS.get(str(values.get("preset", "public")).lower())
        if preset is None:
            return values
        for name in ("resource_manager", "login", "graph", "partner_center", "prices", "audience", "vault_suffix"):
            values.setdefault(name, preset[name])
        values.setdefault("storage_suffixes", tuple(preset["storage_suffixes"].split()))
        known = _ENDPOINTS["public"] if preset is _ENDPOINTS["simulator"] else preset
        values.setdefault("graph_audience", known["graph"])
        values.setdefault("partner_center_audience", known["partner_center"])
        return values

    @field_validator("preset", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("resource_manager", "login", "graph", "partner_center", "prices", "partner_certificates")
    @classmethod
    def _plain_https(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("must be an https:// address without user, query or fragment")
        return value.rstrip("/")

    @field_validator("ca_bundle")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.expanduser().is_file():
            raise ValueError(f"no file at {value}")
        return value.expanduser() if value else None

    @property
    def is_known_authority(self) -> bool:
        """Whether `login` is one of Microsoft's: otherwise instance discovery must be off."""
        return self.login in {preset["login"] for name, preset in _ENDPOINTS.items() if name != "simulator"}


class CredentialSettings(_Section):
    """Who signs in. `tenant_id` is the customer's, `partner_tenant_id` the partner's (default: the same).

    `client_secret`, `certificate` (path of a PEM or PFX file, or the PEM itself), `certificate_password` and `refresh_token` may be
    references (module docstring); `firebreak.clients.secrets` resolves them.
    """

    kind: Kind = "default"
    tenant_id: str = ""
    partner_tenant_id: str = ""
    client_id: str = ""
    client_secret: SecretStr | None = None
    certificate: SecretStr | None = None
    certificate_password: SecretStr | None = None
    refresh_token: SecretStr | None = None

    @model_validator(mode="after")
    def _complete(self) -> CredentialSettings:
        needs = {
            "client_secret": ("tenant_id", "client_id", "client_secret"),
            "certificate": ("tenant_id", "client_id", "certificate"),
            "secure_application_model": ("tenant_id", "client_id", "client_secret", "refresh_token"),
        }.get(self.kind, ())
        missing = [f"{PREFIX}CREDENTIAL__{name.upper()}" for name in needs if not getattr(self, name)]
        if missing:
            raise ValueError(f"kind {self.kind} also needs {', '.join(missing)}")
        return self

    @property
    def partner_tenant(self) -> str:
        return self.partner_tenant_id or self.tenant_id


class CustomerSettings(_Section):
    """A further customer whose subscriptions this installation responds for, beside the one of `credential.tenant_id`.

    `credential` or `connection_block` say who signs in there; without them it is the installation's own credential, in this tenant. `problem`
    is why the block could not be read: nothing is done for this customer then, and the others go on.
    """

    tenant_id: str = Field(pattern=_GUID.pattern)
    name: str = Field(default="", max_length=100)
    credential: CredentialSettings | None = None
    connection_block: str = Field(default="", pattern=r"^([a-z0-9-]{1,100})?$")
    problem: str = ""

    @field_validator("tenant_id")
    @classmethod
    def _lower_case(cls, value: str) -> str:
        return value.lower()

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> CustomerSettings:
        if self.credential is not None and self.connection_block and not self.problem:
            raise ValueError("an entry names both a credential and a connection block")
        return self


class ThrottleSettings(_Section):
    """Token buckets of Azure Resource Manager per subscription and principal: size, and refill per second (published numbers)."""

    reads: int = Field(default=250, gt=0)
    reads_per_second: float = Field(default=25, gt=0)
    writes: int = Field(default=200, gt=0)
    writes_per_second: float = Field(default=10, gt=0)
    deletes: int = Field(default=200, gt=0)
    deletes_per_second: float = Field(default=10, gt=0)


class GraphThrottleSettings(_Section):
    """Token buckets of Microsoft Graph per tenant: size, and refill per second (published numbers).

    `reports` are sign-ins, audits and registrations (5 requests in 10 seconds), `protection` Identity Protection and conditional access (one
    a second, shared by every application of the tenant): https://learn.microsoft.com/graph/throttling-limits
    """

    reports: int = Field(default=5, gt=0)
    reports_per_second: float = Field(default=0.5, gt=0)
    protection: int = Field(default=1, gt=0)
    protection_per_second: float = Field(default=1, gt=0)


class OperationSettings(_Section):
    """How requests behave. Seconds are wall-clock; `total_seconds` bounds one call with all its retries and waits."""

    connect_timeout_seconds: float = Field(default=10, gt=0)
    read_timeout_seconds: float = Field(default=60, gt=0)
    attempt_timeout_seconds: float = Field(default=120, gt=0)
    total_seconds: float = Field(default=600, gt=0)
    attempts: int = Field(default=5, ge=1)
    longest_wait_seconds: float = Field(default=120, gt=0)
    connections: int = Field(default=64, gt=0)
    max_pages: int = Field(default=10_000, gt=0)
    throttle: ThrottleSettings = ThrottleSettings()
    graph_throttle: GraphThrottleSettings = GraphThrottleSettings()
    graph_read_seconds: float = Field(default=60, gt=0)
    alerts_api: str = "/beta"
    sign_ins_api: str = Field(default="/beta", pattern=r"^/(v1\.0|beta)$")
    security_score_api: str = Field(
        default="/beta/security/partner/securityScore", pattern=r"^/(v1\.0|beta)/security/partner/[A-Za-z]+$"
    )
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    fallback_machine_per_hour: Decimal | None = None
    reactivation_days: int = Field(default=30, ge=0, le=365)


class ContactSettings(_Section):
    """Whom Microsoft may call back about a support ticket. Without it no ticket is filed; its text is prepared for a person.

    `country` is ISO 3166 alpha-3, `time_zone` a Windows name such as "W. Europe Standard Time", `language` such as "en-US".
    """

    first_name: str
    last_name: str
    email: str
    phone: str | None = None
    time_zone: str = "UTC"
    country: str = Field(pattern=r"^[A-Z]{3}$")
    language: str = "en-US"


class ProtectionSettings(_Section):
    """What no plan of this installation may touch, whatever its playbook says; the playbook's own guard rails come on top.

    Lists: in the environment as JSON, such as `["firebreak=protected"]`. `tags` are `key` or `key=value`, `groups` names or ids of resource
    groups, `resources` ids or names, `principals` object ids. All are compared without case.
    """

    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    respect_locks: bool = False

    @field_validator("tags", "groups", "resources", "principals")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # An entry of nothing would match everything or nothing, and nobody would know which.
        if any(not entry.strip().strip("/=") for entry in value):
            raise ValueError("an entry is empty")
        return tuple(entry.strip() for entry in value)

    def as_protection(self) -> Protection:
        """As planning and guard rails read it."""
        return Protection(
            tags=self.tags,
            groups=self.groups,
            resources=self.resources,
            principals=self.principals,
            respect_locks=self.respect_locks,
        )


class KnownGoodSettings(_Section):
    """What is known to be good at some customers, for attribution: see `firebreak.analysis.known_good`."""

    customers: tuple[str, ...] = Field(min_length=1)
    what: str = Field(min_length=1, max_length=200)
    identities: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @field_validator("addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ipaddress.ip_network(one, strict=False)
        return value

    @model_validator(mode="after")
    def _of_somebody(self) -> KnownGoodSettings:
        if not (self.identities or self.addresses):
            raise ValueError("an entry names neither identities nor addresses")
        if any(not entry.strip() for entry in (*self.customers, *self.identities)):
            raise ValueError("an entry is empty")
        return self


class IntakeSettings(_Section):
    """How deliveries are taken, and from whom. `join_hours`: for how long after its opening a running incident takes further alerts of its
    subscription in. `keep_days`: for how long raw bytes are kept after they were processed, 0 for ever. `subscriptions`: those that this installation responds for, lower-case, or `*`.
    """

    join_hours: float = Field(default=72, ge=0)
    keep_days: int = Field(default=365, ge=0)
    body_seconds: float = Field(default=10, gt=0)
    requests_per_second: float = Field(default=300, gt=0)
    public_url: str = ""
    subscriptions: tuple[str, ...] = ()
    certificate_hosts: tuple[str, ...] = ("3psostorageacct.blob.core.windows.net",)
    mail_senders: tuple[str, ...] = ("no-reply@microsoft.com", "azure-noreply@microsoft.com")
    mail_receivers: tuple[str, ...] = ()
    issuer_hosts: tuple[str, ...] = ("www.microsoft.com", "caissuers.microsoft.com", "cacerts.digicert.com")
    partner_roots: Path | None = None
    partner_intermediates: Path | None = None
    shared_key: SecretStr | None = None
    entra_audience: str = ""
    entra_tenant_id: str = ""
    entra_applications: tuple[str, ...] = ("461e8683-5575-4561-ac7f-899cc907d62a",)

    @field_validator("keep_days")
    @classmethod
    def _long_enough(cls, value: int) -> int:
        # Polls compare what they find with the webhooks of the last days.
        if 0 < value < 30:
            raise ValueError("must be 0, for ever, or at least 30")
        return value

    @field_validator("subscriptions")
    @classmethod
    def _guids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one != "*" and not _GUID.fullmatch(one):
                raise ValueError('an entry is no GUID and not "*"')
        return tuple(one.lower() for one in value)

    def may_respond_for(self, subscription: str, *, unless_listed: bool) -> bool:
        """Whether deliveries about a subscription open incidents here. `unless_listed` is the answer while nothing is listed."""
        if not self.subscriptions:
            return unless_listed
        return "*" in self.subscriptions or subscription.lower() in self.subscriptions


class HardeningSettings(_Section):
    """What the playbook `harden-subscription` sets up. `emails` are told of alerts, budgets and security notices."""

    emails: tuple[Annotated[str, Field(pattern=_ADDRESS)], ...] = ()


class HandOverSettings(_Section):
    """Where new secrets of applications are handed over, so that nobody sees one: `vault` is the address of a Key Vault of the customer's."""

    vault: str = ""

    @field_validator("vault")
    @classmethod
    def _plain_https(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment):
            raise ValueError("must be the https:// address of a vault, such as https://NAME.vault.azure.net")
        return value.rstrip("/")


class AftercareSettings(_Section):
    """How subscriptions are watched after an incident has ended. `days` 0: never; `every_hours` 0: only when asked."""

    days: float = Field(default=30, ge=0, le=90)
    every_hours: float = Field(default=6, ge=0)


class PollSettings(_Section):
    """How Microsoft is asked for alerts that no webhook brought. Hours and days are of the alert's own time of detection.

    `all_customers`: ask for the cost alerts of every customer that Partner Center lists. `opens_days`: how far back the first poll opens incidents; what is open and older is the backlog. `digest_hour` is UTC, -1 for never.
    """

    every_minutes: float = Field(default=10, ge=0)
    sources: tuple[PollSource, ...] = ("graph", "audit-records", "cost-alerts")
    fraud_events: bool = False
    all_customers: bool = False
    overlap_hours: float = Field(default=24, ge=0)
    opens_days: float = Field(default=7, ge=0)
    digest_hour: int = Field(default=6, ge=-1, le=23)
    escalate_days: int = Field(default=50, ge=0, le=59)


class NotifySettings(_Section):
    """Who is told, and how: notification blocks of the Prefect server, as `TYPE/NAME`. Each list is tried in turn until a channel takes the message.

    `channels` are told everything; `urgent` besides what needs a person at once. Tokens and addresses are in the blocks, not here.
    """

    channels: tuple[Annotated[str, Field(pattern=_BLOCK)], ...] = ()
    urgent: tuple[Annotated[str, Field(pattern=_BLOCK)], ...] = ()
    ui_url: str = ""

    @field_validator("ui_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be an http:// or https:// address without query or fragment")
        return value.rstrip("/").removesuffix("/v2")

    @property
    def all_channels(self) -> tuple[str, ...]:
        """Every channel once, in order."""
        return tuple(dict.fromkeys((*self.channels, *self.urgent)))


class Settings(BaseSettings):
    """All settings of the engine. Use `Settings.load()`; nothing here shows a secret in its repr."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    home: Path = Path("~/.firebreak")
    database_url: str = Field(default="", repr=False)
    evidence_url: str = Field(default="", repr=False)
    approvers_file: Path | None = None
    pre_authorised_playbooks: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*:[0-9a-f]{64}$")], ...] = ()
    watch_gates_every_seconds: int = Field(default=60, ge=0)
    secret_key: SecretStr | None = None
    intake_key: SecretStr | None = None
    audit_signing_key: SecretStr | None = None
    log_format: LogFormat = "text"
    log_level: LogLevel = "warning"
    contact: ContactSettings | None = None
    connection_block: str = Field(default="", pattern=r"^([a-z0-9-]{1,100})?$")
    cloud: CloudSettings = CloudSettings()
    credential: CredentialSettings = CredentialSettings()
    operations: OperationSettings = OperationSettings()
    protection: ProtectionSettings = ProtectionSettings()
    customers: tuple[CustomerSettings, ...] = ()
    known_good: tuple[KnownGoodSettings, ...] = ()
    intake: IntakeSettings = IntakeSettings()
    poll: PollSettings = PollSettings()
    notify: NotifySettings = NotifySettings()
    hardening: HardeningSettings = HardeningSettings()
    hand_over: HandOverSettings = HandOverSettings()
    aftercare: AftercareSettings = AftercareSettings()

    @field_validator("home", "approvers_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @model_validator(mode="after")
    def _state_in_home(self) -> Settings:
        home = self.home.expanduser().absolute()
        for name, value in (
            ("home", home),
            (
                "database_url",
                self.database_url or f"sqlite:///{home / 'firebreak.db'}",
            ),
            ("evidence_url", self.evidence_url or (home / "evidence").as_uri()),
        ):
            object.__setattr__(self, name, value)
        return self

    @model_validator(mode="after")
    def _each_customer_once(self) -> Settings:
        tenants = self.customer_tenants
        if len(tenants) != len(set(tenants)):
            raise ValueError("a customer's tenant is named twice: in customers, or also as credential.tenant_id")
        return self

    @property
    def customer_tenants(self) -> tuple[str, ...]:
        """The tenants of all customers, the one of `credential.tenant_id` first; "" stands for the credential's own where none is named."""
        own, further = self.credential.tenant_id.lower(), tuple(one.tenant_id for one in self.customers)
        return (own, *further) if own or not further else further

    def for_customer(self, tenant_id: str) -> Settings:
        """Return the settings as they are for what belongs to a customer: the credential is theirs, or this installation's in their tenant.

        A customer that is not listed is reached by a partner's credential only: where no partner's tenant is set, this installation has one
        customer, and these settings are for whatever comes.

        Raises:
            SettingsError: the customer's connection cannot be used.
        """
        wanted, own = tenant_id.lower(), self.credential
        listed = next((one for one in self.customers if one.tenant_id == wanted), None)
        if listed is not None and listed.problem:
            raise SettingsError(
                f"The connection of customer {listed.name or wanted} cannot be used: {listed.problem}",
                hint="Other customers are not concerned. See the settings of customers.",
            )
        if wanted in ("", own.tenant_id.lower()) or (listed is None and not own.partner_tenant_id):
            return self
        theirs = listed.credential if listed is not None and listed.credential is not None else own
        partner = theirs.partner_tenant_id or own.partner_tenant_id
        credential = theirs.model_copy(update={"tenant_id": wanted, "partner_tenant_id": partner})
        return self.model_copy(update={"credential": credential})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=_read_file())

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read the environment and the settings file; `overrides` win over both.

        Raises:
            SettingsError: a variable or key is unknown, missing or wrong; it is named, its value is not shown.
        """
        _refuse_unknown_variables()
        try:
            return cls(**overrides)
        except ValidationError as exc:
            raise SettingsError(_explain(exc), hint="See the settings reference, or run 'firebreak doctor'.") from None
        except SourceError as exc:
            raise SettingsError(
                f"A setting cannot be read: {exc}.",
                hint="Sections are set key by key, as in FIREBREAK_CLOUD__PRESET=public.",
            ) from None

    def that_shape_a_plan(self) -> dict[str, Any]:
        """The settings that a plan depends on, without secrets and without what is of this machine alone, as JSON values: kept with each
        round, so that a replay can have the same.
        """
        cloud = self.cloud.model_dump(mode="json", exclude={"ca_bundle", "partner_certificates"})
        contact = self.contact.model_dump(mode="json", exclude_none=True) if self.contact else None
        price = self.operations.fallback_machine_per_hour
        return {
            "cloud": cloud,
            "tenant_id": self.credential.tenant_id,
            "partner_tenant_id": self.credential.partner_tenant,
            "alerts_api": self.operations.alerts_api,
            "sign_ins_api": self.operations.sign_ins_api,
            "currency": self.operations.currency,
            "max_pages": self.operations.max_pages,
            "fallback_machine_per_hour": None if price is None else str(price),
            "reactivation_days": self.operations.reactivation_days,
            "contact": contact,
            "protection": self.protection.model_dump(mode="json"),
            **({"known_good": [entry.model_dump(mode="json") for entry in self.known_good]} if self.known_good else {}),
            **({"hardening": self.hardening.model_dump(mode="json")} if self.hardening.emails else {}),
            **({"hand_over": self.hand_over.model_dump(mode="json")} if self.hand_over.vault else {}),
        }

    @classmethod
    def as_shaped(cls, shape: Mapping[str, Any], home: Path) -> Settings:
        """Return settings in which a plan comes out as it did with `shape`, which `that_shape_a_plan` gave; nothing of this machine is read.

        Keys that are not known are passed over: a later version may have added them.

        Raises:
            SettingsError: a value cannot be used.
        """
        values: dict[str, Any] = {
            "home": home,
            # A shape may come with a bundle from anybody: no file and no secret is named by it.
            "cloud": {
                k: v
                for k, v in _known(shape.get("cloud"), CloudSettings).items()
                if k not in ("ca_bundle", "partner_certificates")
            },
            "credential": {name: shape[name] for name in ("tenant_id", "partner_tenant_id") if name in shape}
            | _signed_in_by(shape),
            "customers": [
                {"tenant_id": tenant} for tenant in shape.get("customers") or () if tenant != shape.get("tenant_id")
            ],
            "operations": _known(shape, OperationSettings),
            "contact": _known(shape["contact"], ContactSettings) if shape.get("contact") else None,
            "protection": _known(shape.get("protection"), ProtectionSettings),
            "known_good": [_known(entry, KnownGoodSettings) for entry in shape.get("known_good") or ()],
            "hardening": _known(shape.get("hardening"), HardeningSettings),
            "hand_over": _known(shape.get("hand_over"), HandOverSettings),
        }
        try:
            return _Alone(**values)
        except ValidationError as exc:
            raise SettingsError(_explain(exc), hint="They were kept with a round of an incident.") from None

    def seal_key(self, reveal: Callable[[SecretStr, str], str] | None = None) -> bytes:
        """Return the key that seals approvers' seeds: 32 bytes as url-safe base64, from `secret_key`, else from `secret.key` in the home
        folder, which is made on first use and readable by its owner alone. `reveal` follows references that need the network.

        Raises:
            SettingsError: it is not such a key, or others may read the file.
        """
        if self.secret_key is not None:
            key = (reveal or plain_secret)(self.secret_key, "FIREBREAK_SECRET_KEY")
            return checked_key(key.encode(), "FIREBREAK_SECRET_KEY")
        path = self.home / "secret.key"
        return checked_key(_own_key(path), str(path))

    def shared_key(self) -> bytes | None:
        """Return the secret that senders without a signature show, None when none is set.

        Raises:
            SettingsError: it is shorter than 16 bytes.
        """
        if self.intake.shared_key is None:
            return None
        secret = plain_secret(self.intake.shared_key, "FIREBREAK_INTAKE__SHARED_KEY").encode()
        if len(secret) < 16:
            raise SettingsError(
                "The shared key of the intake is shorter than 16 bytes.",
                hint="Set a longer FIREBREAK_INTAKE__SHARED_KEY.",
            )
        return secret

    def intake_secret(self) -> bytes:
        """Return the secret that signs deliveries to the intake: `intake_key`, else `intake.key` in the home folder, made on first use and
        readable by its owner alone.

        Raises:
            SettingsError: it is shorter than 16 bytes, or others may read the file.
        """
        secret = (
            plain_secret(self.intake_key, "FIREBREAK_INTAKE_KEY").encode()
            if self.intake_key is not None
            else _own_key(self.home / "intake.key")
        )
        if len(secret) < 16:
            raise SettingsError(
                "The secret of the intake is shorter than 16 bytes.", hint="Set a longer FIREBREAK_INTAKE_KEY."
            )
        return secret


def _signed_in_by(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The kind of credential that plans were made with. Nobody signs in with it again: what the kind needs beside is no secret of anybody's."""
    if "credential_kind" not in shape:
        return {}
    names = ("client_id", "client_secret", "refresh_token", "certificate")
    return {"kind": shape["credential_kind"], **dict.fromkeys(names, "not used in a replay")}


class _Alone(Settings):
    """Settings that nothing but the arguments shapes."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _known(values: object, section: type[BaseModel]) -> dict[str, Any]:
    """The keys that a section has."""
    return {k: v for k, v in values.items() if k in section.model_fields} if isinstance(values, Mapping) else {}


def plain_secret(secret: SecretStr, name: str) -> str:
    """Return a secret, following `env:` and `file:` references. `keyvault:` needs the network and is refused here.

    Raises:
        SettingsError: the reference leads nowhere; `name` is the setting to name in the message.
    """
    text = secret.get_secret_value()
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in ("env", "file", "keyvault"):
        return text
    if scheme == "env":
        value = os.environ.get(rest, "")
        if not value:
            raise SettingsError(
                f"{name} refers to the environment variable {rest}, which is not set.", hint=f"Set {rest}."
            )
        return value
    if scheme == "file":
        path = Path(rest).expanduser()
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(
                f"{name} refers to the file {path}, which cannot be read as text ({type(exc).__name__}).",
                hint="Check the path and who may read it.",
            ) from exc
    raise SettingsError(f"{name} refers to Key Vault, which this setting cannot.", hint="Use env: or file:.")


def _own_key(path: Path) -> bytes:
    """Read a key file of the home folder, made on first use with 32 random bytes; two processes that start at once agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(32)))
        try:
            os.link(fresh, path)  # unlike a rename, this never replaces the key that another process has just made
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"Others may read the key file {path}.", hint=f"Run: chmod 600 {path}")
    return path.read_bytes().strip()


def checked_key(key: bytes, place: str) -> bytes:
    """Return the key if it is 32 bytes as url-safe base64.

    Raises:
        SettingsError: it is not; `place` is where it came from.
    """
    try:
        sound = len(base64.urlsafe_b64decode(key)) == 32
    except (binascii.Error, ValueError):
        sound = False
    if not sound:
        raise SettingsError(
            f"The key in {place} is not 32 bytes in url-safe base64.",
            hint="Make one: python -c 'import base64,secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())'",
        )
    return key


def _read_file() -> dict[str, Any]:
    named = os.environ.get(FILE_VARIABLE, "")
    path = Path(named or Path(os.environ.get(f"{PREFIX}HOME", "") or "~/.firebreak") / "settings.yaml").expanduser()
    if not path.exists():
        if named:
            raise SettingsError(
                f"{FILE_VARIABLE} names {path}, which does not exist.", hint="Correct the path or unset it."
            )
        return {}
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise SettingsError(
            f"The settings file {path} cannot be read{place}.", hint="It must be YAML in UTF-8."
        ) from exc
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(
            f"The settings file {path} must hold keys and values.", hint="For example: cloud: {preset: public}"
        )
    return {str(key): value for key, value in content.items()}


def _refuse_unknown_variables() -> None:
    known = {FILE_VARIABLE}
    for name, field in Settings.model_fields.items():
        known |= _variables(f"{PREFIX}{name.upper()}", field.annotation)
    unknown = sorted(v for v in os.environ if v.upper().startswith(PREFIX) and v.upper() not in known)
    if unknown:
        raise SettingsError(
            f"Unknown setting{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}.",
            hint="Sections and keys are joined by two underscores, as in FIREBREAK_CLOUD__PRESET.",
        )


def _variables(name: str, kind: Any) -> set[str]:
    kind = (
        next((part for part in get_args(kind) if part is not type(None)), kind)
        if type(None) in get_args(kind)
        else kind
    )
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        inner = (_variables(f"{name}__{key.upper()}", field.annotation) for key, field in kind.model_fields.items())
        return set().union({name}, *inner)
    return {name}


def _explain(exc: ValidationError) -> str:
    lines = []
    for error in exc.errors(include_input=False, include_url=False, include_context=False):
        variable = PREFIX + "__".join(str(part).upper() for part in error["loc"] if not isinstance(part, int))
        message = error["msg"].removeprefix("Value error, ")
        lines.append(f"{variable.rstrip('_')}: {'unknown key' if error['type'] == 'extra_forbidden' else message}")
    return "Settings are wrong: " + "; ".join(lines) + "."
