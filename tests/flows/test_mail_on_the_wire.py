"""Mail over real sockets to a real mail server: sign-in, STARTTLS and TLS from the start; what goes wrong is said in a sentence that helps."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from azure_simulator import tls
from firebreak.cli.processes import free_port
from firebreak.report.messages import Message
from flows import channels
from flows.blocks import Mail, NotMailedError
from flows.mail import MailError, MailServer, deliver

# aiosmtpd does not know that the connection is encrypted from the start.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

PASSWORD = "mailCANARYpassw0rd/with:signs@0123"
ADA, BOSS, NOBODY = "ada@contoso.example", "boss@contoso.example", "nobody@contoso.example"
HOSTILE = "Gate waits\r\nBcc: thief@evil.example\r\n\r\nno mail of ours"


@dataclass
class PostOffice:
    """A mail server that keeps what it takes. It refuses `NOBODY`, and what is not signed in where `wants` says so."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the names are aiosmtpd's
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address == NOBODY:
            return "550 no such user, ask thief@evil.example"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None)
        return "250 taken"

    def check(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login.decode())
        return AuthResult(success=data.password.decode() == PASSWORD and data.login == b"firebreak", handled=False)


@contextmanager
def post_office(certificate: Path | None, *, implicit: bool = False, sign_in: bool = True) -> Iterator[PostOffice]:
    office = PostOffice(free_port())
    context = None
    if certificate is not None:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    more: dict[str, Any] = {}
    if sign_in:
        more = {"authenticator": office.check, "auth_required": True, "auth_require_tls": not implicit}
    if context is not None and implicit:
        more["ssl_context"] = context
    elif context is not None:
        more |= {"tls_context": context, "require_starttls": True}
    controller = Controller(office, hostname="127.0.0.1", port=office.port, **more)
    controller.start()
    try:
        yield office
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A certificate with its key for this machine, and the authority that signed it."""
    folder = tmp_path_factory.mktemp("tls")
    made = tls.write(folder)
    both = folder / "both.pem"
    both.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
    return both, str(made.ca)


def certificate_of(name: str, folder: Path, *, ended: bool = False) -> Path:
    """A certificate that signed itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    names = [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=-1 if ended else 9))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + private)
    return file


def send(office: PostOffice, *recipients: str, **more: Any) -> None:
    given = {"host": "localhost", "security": "starttls", "user": "firebreak", "password": PASSWORD} | more
    server = MailServer(port=office.port, **given)
    deliver(
        server, sender="firebreak@contoso.example", recipients=recipients or [ADA], subject=HOSTILE, body="It waits."
    )


@pytest.mark.parametrize("implicit", [False, True])
def test_it_arrives_signed_in_and_encrypted_one_for_each(trusted: tuple[Path, str], implicit: bool) -> None:
    certificate, ca = trusted
    with post_office(certificate, implicit=implicit) as office:
        send(office, ADA, BOSS, security="ssl" if implicit else "starttls", ca_bundle=ca)
    assert office.recipients == [ADA, BOSS]
    assert (office.users[0], office.encrypted) == ("firebreak", [True, True])
    first, second = office.mails
    assert (first["To"], second["To"], first["Bcc"], first["Auto-Submitted"]) == (ADA, BOSS, None, "auto-generated")
    assert first["Subject"].startswith("Gate waits")
    assert first.get_content().strip() == "It waits."


def why(office: PostOffice, *recipients: str, **more: Any) -> str:
    with pytest.raises(MailError) as caught:
        send(office, *recipients, **more)
    assert PASSWORD not in str(caught.value)
    assert "evil" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("implicit", [False, True])
def test_a_wrong_password_is_said_and_nothing_is_sent(trusted: tuple[Path, str], implicit: bool) -> None:
    certificate, ca = trusted
    with post_office(certificate, implicit=implicit) as office:
        said = why(office, security="ssl" if implicit else "starttls", ca_bundle=ca, password="wrong")
    assert "refused the sign-in (535): user or password is wrong" in said
    assert office.mails == []


def test_a_certificate_that_nobody_trusts_is_refused_before_the_password_is_sent(
    trusted: tuple[Path, str], tmp_path: Path
) -> None:
    certificate, _ = trusted
    for implicit in (False, True):
        security = "ssl" if implicit else "starttls"
        with post_office(certificate, implicit=implicit) as office:
            assert "certificate is not trusted: self-signed certificate" in why(office, security=security)
        assert (office.users, office.mails) == ([], [])
    other = certificate_of("mail.example", tmp_path)
    with post_office(other) as office:
        assert "certificate is not trusted: Hostname mismatch" in why(office, ca_bundle=str(other))
    assert office.users == []


def test_a_certificate_that_has_ended_is_refused(tmp_path: Path) -> None:
    ended = certificate_of("localhost", tmp_path, ended=True)
    with post_office(ended) as office:
        assert "certificate is not trusted: certificate has expired" in why(office, ca_bundle=str(ended))


def test_refused_recipients_are_counted_and_the_others_have_it(trusted: tuple[Path, str]) -> None:
    certificate, ca = trusted
    with post_office(certificate) as office:
        assert why(office, NOBODY, ca_bundle=ca) == "The mail server refused every recipient (550)."
        said = why(office, NOBODY, ADA, ca_bundle=ca)
    assert said == "The mail server refused 1 of 2 recipients (550). The others have it."
    assert office.recipients == [ADA]


def test_a_server_without_starttls_or_sign_in_gets_nothing(trusted: tuple[Path, str]) -> None:
    with post_office(None, sign_in=False) as office:
        assert "offers no STARTTLS, so nothing was sent" in why(office)
        assert "offers no sign-in here" in why(office, security="none", host="127.0.0.1")
        assert "is security (ssl) right for it?" in why(office, security="ssl")
    assert office.mails == []


def test_a_password_does_not_leave_without_encryption() -> None:
    server = MailServer("mail.contoso.example", 25, "none", "firebreak", PASSWORD)
    with pytest.raises(MailError, match="not sent without encryption"):
        deliver(server, sender="f@contoso.example", recipients=[ADA], subject="s", body="b")


def test_a_server_that_wants_a_sign_in_and_one_that_is_not_there_are_told_apart(trusted: tuple[Path, str]) -> None:
    certificate, ca = trusted
    with post_office(certificate) as office:
        assert "wants encryption or a sign-in first (530)" in why(office, user="", ca_bundle=ca)
    assert "cannot be reached (ConnectionRefusedError)" in why(office)
    assert "ca_bundle" in why(PostOffice(1), security="ssl", ca_bundle="/nowhere.pem")


async def test_the_block_says_the_same_to_the_channels_and_to_the_prefect_server(
    trusted: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    certificate, ca = trusted
    with post_office(certificate) as office:
        block = Mail(
            host="localhost",
            port=office.port,
            user="firebreak",
            password="wrong",  # type: ignore[arg-type]
            sender="firebreak@contoso.example",
            recipients=[ADA],
            ca_bundle=ca,
        )

        async def load(channel: str) -> Mail:
            return block

        monkeypatch.setattr(channels, "_load", load)
        message = Message(subject="A gate waits", lines=("It waits.",))
        assert "refused the sign-in (535)" in await channels.send("firebreak-mail/oncall", message)
        with block.raise_on_failure(), pytest.raises(NotMailedError):
            await block.notify("body", "subject")  # as the server's own automations call it
        block.password = type(block.password)(PASSWORD)
        assert await channels.send("firebreak-mail/oncall", message) == ""
    assert [mail["Subject"] for mail in office.mails] == ["A gate waits"]
    assert PASSWORD not in caplog.text
