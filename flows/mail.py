"""One plain text mail to each of some people over SMTP, and why it did not go in a sentence of our own: servers' words may hold anything.

    deliver(server, sender="firebreak@contoso.example", recipients=[...], subject="...", body="...")     # MailError says what to correct

https://www.rfc-editor.org/rfc/rfc5321, with TLS from the start or by STARTTLS, and certificates that are always checked.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate, make_msgid
from ipaddress import ip_address
from typing import Final, Literal

SECONDS: Final = 8
Security = Literal["starttls", "ssl", "none"]


class MailError(Exception):
    """The mail did not go, or not to everybody. Its message is ours, and names no address and no password."""


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in. `user` is "" where nobody signs in; `ca_bundle` is a file of certificate authorities, "" for the system's."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)
    ca_bundle: str = ""


def deliver(server: MailServer, *, sender: str, recipients: Sequence[str], subject: str, body: str) -> None:
    """Hand in one mail for each recipient.

    Raises:
        MailError: nothing went, or some recipients were refused; the others have it.
    """
    try:
        with _signed_in(server) as session:
            refused = [code for one in recipients if (code := _send(session, _written(sender, one, subject, body)))]
            # The mails are handed in: how the server says goodbye changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                session.quit()
    except MailError:
        raise
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise MailError(_why(error, server)) from None
    if refused:
        which = (
            "every recipient" if len(refused) == len(recipients) else f"{len(refused)} of {len(recipients)} recipients"
        )
        rest = "" if len(refused) == len(recipients) else " The others have it."
        raise MailError(f"The mail server refused {which} ({refused[0]}).{rest}")


def _signed_in(server: MailServer) -> smtplib.SMTP:
    if server.user and server.security == "none" and not _is_here(server.host):
        raise MailError("A password is not sent without encryption: set security to starttls or ssl.")
    host = server.host.strip("[]")
    if server.security == "ssl":
        session: smtplib.SMTP = smtplib.SMTP_SSL(host, server.port, timeout=SECONDS, context=_trust(server))
    else:
        session = smtplib.SMTP(host, server.port, timeout=SECONDS)
    try:
        if server.security == "starttls":
            session.starttls(context=_trust(server))
        if server.user:
            session.login(server.user, server.password)
    except BaseException:
        session.close()
        raise
    return session


def _trust(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca_bundle or None)
    except OSError:
        raise MailError("The file of certificate authorities (ca_bundle) cannot be read.") from None


def _send(session: smtplib.SMTP, message: EmailMessage) -> int:
    """Hand in one mail; the code with which its recipient was refused, 0 when it was taken."""
    try:
        session.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        return next((code for code, _ in error.recipients.values()), 550)
    return 0


def _written(sender: str, recipient: str, subject: str, body: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr(("Firebreak", sender))
    message["To"] = recipient
    # A line break would begin another header.
    message["Subject"] = "".join(one if one.isprintable() else " " for one in subject)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="firebreak.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


def _why(error: Exception, server: MailServer) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"The mail server's certificate is not trusted: {error.verify_message.strip().rstrip('.')[:160]}."
        case ssl.SSLError():
            return f"No encrypted connection with the mail server at port {server.port}: is security ({server.security}) right for it?"
        case smtplib.SMTPAuthenticationError(smtp_code=code):
            return f"The mail server refused the sign-in ({code}): user or password is wrong, or may not send mail so."
        case smtplib.SMTPNotSupportedError() if server.security == "starttls" and "STARTTLS" in str(error):
            return "The mail server offers no STARTTLS, so nothing was sent: is it ssl at port 465?"
        case smtplib.SMTPNotSupportedError():
            return "The mail server offers no sign-in here: leave user empty, or set security to starttls or ssl."
        case smtplib.SMTPSenderRefused(smtp_code=530):
            return "The mail server wants encryption or a sign-in first (530): set security, user and password."
        case smtplib.SMTPSenderRefused(smtp_code=code):
            return f"The mail server refused the sender's address ({code})."
        case smtplib.SMTPResponseException(smtp_code=code):
            return f"The mail server refused the mail ({code})."
        case smtplib.SMTPServerDisconnected():
            return f"The mail server ended the connection at port {server.port}: is security ({server.security}) right for it?"
        case TimeoutError():
            return f"The mail server did not answer within {SECONDS} seconds: is security ({server.security}) right for port {server.port}?"
        case ValueError():
            return "The sender's or a recipient's address is none."
        case _:
            return f"The mail server cannot be reached ({type(error).__name__})."


def _is_here(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
