"""A connection as a Prefect block: operators say in the Prefect UI which cloud, tenants and credential an installation uses.

`FIREBREAK_CONNECTION_BLOCK` names the block. What it says wins over the settings, what it leaves empty stays as the settings have it. Register the
type with `prefect block register --module flows.connection`; the runner of `firebreak up` does so by itself.
"""

from __future__ import annotations

from typing import Any, Literal

import httpx
from prefect.blocks.core import Block
from prefect.exceptions import ObjectNotFound
from pydantic import Field, SecretStr, ValidationError

from firebreak.clients.policies.redaction import know_secret
from firebreak.errors import ResponseError, SettingsError, UnreachableError
from firebreak.settings import CredentialSettings, CustomerSettings, Settings

_REFERENCES = ("env:", "file:", "keyvault:")
_SECRETS = ("client_secret", "certificate", "certificate_password", "refresh_token")
_REFERENCE = (
    "Better a reference than the value: file:/path, env:NAME, keyvault:https://VAULT.vault.azure.net/secrets/NAME."
)


class FirebreakConnection(Block):
    """Which cloud, whose tenants, and who signs in. Secrets are never shown; references are followed where the run is."""

    _block_type_name = "Firebreak connection"
    _block_type_slug = "firebreak-connection"
    _description = "Cloud, tenants and credential that Firebreak works with."

    cloud: Literal["", "public", "usgovernment", "china", "simulator"] = Field(
        "", description="Fills every address that the settings do not name."
    )
    kind: Literal["", "default", "client_secret", "certificate", "managed_identity", "secure_application_model"] = (
        Field("", description="How to sign in.")
    )
    tenant_id: str = Field("", description="The customer's tenant: Azure Resource Manager and its Graph.")
    partner_tenant_id: str = Field("", description="The partner's tenant: Partner Center and partner alerts.")
    client_id: str = Field("", description="The application's id.")
    client_secret: SecretStr | None = Field(None, description=_REFERENCE)
    certificate: SecretStr | None = Field(
        None, description=f"PEM with key, or the path of a PEM or PFX file. {_REFERENCE}"
    )
    certificate_password: SecretStr | None = Field(None, description=_REFERENCE)
    refresh_token: SecretStr | None = Field(
        None,
        description="Of the secure application model: a file: or keyvault: reference, where renewed tokens are kept.",
    )

    def over(self, settings: Settings) -> Settings:
        """Return the settings with what this block says.

        Raises:
            SettingsError: together they are not complete; names the key, never a value.
        """
        return Settings.load(
            connection_block=settings.connection_block,
            home=settings.home,
            credential=self._credential(),
            cloud={"preset": self.cloud} if self.cloud else {},
        )

    def for_tenant(self, tenant_id: str) -> CredentialSettings:
        """Return the credential of this block alone, for a customer's tenant, whatever tenant it names itself.

        Raises:
            SettingsError: it is not complete.
        """
        try:
            return CredentialSettings.model_validate({**self._credential(), "tenant_id": tenant_id})
        except ValidationError as error:
            raise SettingsError(
                f"The block is not complete: {error.errors(include_input=False, include_url=False)[0]['msg']}.",
                hint="Open it in the Prefect UI, under Blocks.",
            ) from None

    def _credential(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("kind", "tenant_id", "partner_tenant_id", "client_id"):
            if value := getattr(self, name).strip():
                found[name] = value
        for name in _SECRETS:
            secret: SecretStr | None = getattr(self, name)
            if secret is None or not (text := secret.get_secret_value().strip()):
                continue
            if not text.startswith(_REFERENCES):
                know_secret(text)
            found[name] = text
        return found


async def connected_settings(settings: Settings | None = None) -> Settings:
    """The settings of this installation, with those of its connection block if it names one, and of each customer's that names one.

    A customer whose block cannot be read is noted as unusable, with the reason: nothing is done for that one, and the others go on.

    Raises:
        SettingsError: there is no such block, or what it says cannot be used.
        UnreachableError: Prefect's server does not answer.
    """
    found = settings or Settings.load()
    if name := found.connection_block:
        found = (await _block(name, "FIREBREAK_CONNECTION_BLOCK")).over(found)
    if any(one.connection_block for one in found.customers):
        theirs = tuple([await _connected(one) for one in found.customers])
        found = found.model_copy(update={"customers": theirs})
    return found


async def _connected(customer: CustomerSettings) -> CustomerSettings:
    """A customer with the credential of the block that it names."""
    if not customer.connection_block or customer.credential is not None:
        return customer
    try:
        block = await _block(customer.connection_block, f"The customer {customer.name or customer.tenant_id}")
        credential = block.for_tenant(customer.tenant_id)
    except ResponseError as error:
        return customer.model_copy(update={"problem": error.message})
    return customer.model_copy(update={"credential": credential})


async def _block(name: str, who: str) -> FirebreakConnection:
    try:
        block: FirebreakConnection = await FirebreakConnection.aload(name)
    except ValueError as error:
        if not isinstance(error.__cause__ or error.__context__, ObjectNotFound):
            raise SettingsError(
                f"The block {name!r} cannot be read: {type(error).__name__}.",
                hint="Open it in the Prefect UI and save it.",
            ) from error
        raise SettingsError(
            f"{who} names the block {name!r}, which is not there.",
            hint="Make it in the Prefect UI under Blocks, of the type Firebreak connection.",
        ) from error
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"The block {name!r} cannot be read: Prefect's server does not answer ({type(error).__name__}).",
            hint="Is it up? See PREFECT_API_URL.",
        ) from error
    return block
