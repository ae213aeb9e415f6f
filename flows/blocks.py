"""Prefect block types of ours, found by Prefect through the entry point `prefect.collections`: mail over SMTP, which Prefect has none for.

Create one in the Prefect UI (Blocks, *Firebreak Mail*) or in Python:

    Mail(host="smtp.example.com", sender="firebreak@example.com", recipients=["oncall@example.com"], user="u", password="p").save("oncall")
"""

from __future__ import annotations

import asyncio
from typing import Literal

from prefect.blocks.abstract import NotificationBlock, NotificationError
from pydantic import Field, SecretStr

from flows.mail import MailError, MailServer, deliver


class NotMailedError(NotificationError):
    """A mail did not go; `log` is a sentence of ours that names no address and no password."""


class Mail(NotificationBlock):
    """Sends notifications as plain text mail over SMTP."""

    _block_type_name = "Firebreak Mail"
    _block_type_slug = "firebreak-mail"
    _description = "Sends notifications as plain text mail over SMTP."

    host: str = Field(title="Host", description="The SMTP server.", pattern=r"^[A-Za-z0-9.:_\[\]-]+$")
    port: int = Field(default=587, title="Port", ge=1, le=65535)
    security: Literal["starttls", "ssl", "none"] = Field(
        default="starttls",
        title="Security",
        description="How the connection is encrypted; `none` for a local relay only.",
    )
    user: str = Field(default="", title="User", description="Empty: no sign-in.")
    password: SecretStr = Field(default=SecretStr(""), title="Password")
    sender: str = Field(title="Sender", description="The address that mails come from.")
    recipients: list[str] = Field(title="Recipients", description="Who gets them.", min_length=1)
    ca_bundle: str = Field(
        default="",
        title="Certificate authorities",
        description="A file on the host that sends, for a server whose certificate the system does not trust. Empty: the system's.",
    )

    async def notify(self, body: str, subject: str | None = None) -> None:
        """Send one mail to each recipient.

        Raises:
            NotMailedError: it did not go to everybody, within `raise_on_failure`.
        """
        server = MailServer(
            self.host, self.port, self.security, self.user, self.password.get_secret_value(), self.ca_bundle
        )
        try:
            await asyncio.to_thread(
                deliver,
                server,
                sender=self.sender,
                recipients=self.recipients,
                subject=subject or "Firebreak",
                body=body,
            )
        except MailError as error:
            self.logger.warning("A mail did not go: %s", error)
            if self._raise_on_failure:
                raise NotMailedError(log=str(error)) from None
