"""Prefect block types of ours, found by Prefect through the entry point `prefect.collections`: mail over SMTP, which Prefect has none for.

Create one in the Prefect UI (Blocks, *Firebreak Mail*) or in Python:

    Mail(host="smtp.example.com", sender="firebreak@example.com", recipients=["oncall@example.com"], user="u", password="p").save("oncall")
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlencode

from prefect.blocks.notifications import AbstractAppriseNotificationBlock
from pydantic import Field, SecretStr


class Mail(AbstractAppriseNotificationBlock):
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

    def block_initialization(self) -> None:
        """Make the Apprise client: https://appriseit.com/services/email/"""
        secret = self.password.get_secret_value()
        sign_in = f"{quote(self.user, safe='')}:{quote(secret, safe='')}@" if self.user else ""
        options = {
            "smtp": self.host,
            "from": self.sender,
            "to": ",".join(self.recipients),
            "mode": {"ssl": "ssl", "starttls": "starttls", "none": "insecure"}[self.security],
            # Names from Azure are no HTML.
            "format": "text",
        }
        scheme = "mailto" if self.security == "none" else "mailtos"
        self._start_apprise_client(SecretStr(f"{scheme}://{sign_in}{self.host}:{self.port}/?{urlencode(options)}"))
