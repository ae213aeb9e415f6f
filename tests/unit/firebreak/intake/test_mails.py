"""Notification mails: who wrote them, and what only the own mail server may say of that."""

from __future__ import annotations

import pytest

from firebreak.errors import ContentError
from firebreak.intake.mails import LARGEST, Mail, read_mail

SENDERS = ("no-reply@microsoft.com",)
RECEIVERS = ("mx.contoso.example",)
PASS = "mx.contoso.example; spf=pass smtp.mailfrom=microsoft.com; dkim=pass header.d=microsoft.com;\r\n dmarc=pass (p=reject dis=none) header.from=microsoft.com"
FROM = "Microsoft Azure <no-reply@microsoft.com>"
ID = "33333333-3333-4333-8333-333333333333"


def written(*headers: tuple[str, str], body: str = f"Subscription: {ID.upper()} https://evil.example/{ID}") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{lines}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n".encode()


def read(*headers: tuple[str, str], **more: str) -> Mail:
    return read_mail(written(*headers, **more), senders=SENDERS, receivers=RECEIVERS)


def test_a_mail_with_the_right_sender_and_a_result_of_the_own_server_has_no_problem() -> None:
    mail = read(("Authentication-Results", PASS), ("From", FROM))
    assert mail.problems == ()
    assert (mail.sender, mail.dmarc, mail.checked_by) == ("no-reply@microsoft.com", "pass", "mx.contoso.example")
    assert mail.ids == (ID,)


@pytest.mark.parametrize(
    "sender",
    [
        "no-reply@microsoft.com.evil.example",
        '"no-reply@microsoft.com" <attacker@evil.example>',
        "no-reply@microsoft.com <attacker@evil.example>",
        "no-reply@microsoft.com, attacker@evil.example",
        "no-reply@micros\N{CYRILLIC SMALL LETTER O}ft.com",
        "no-reply@mail.microsoft.com",
        "billing@microsoft.com",
        "<no-reply@microsoft.com> <attacker@evil.example>",
        "",
    ],
)
def test_another_sender_is_not_microsoft(sender: str) -> None:
    assert len(read(("Authentication-Results", PASS), ("From", sender)).problems) == 1


def test_two_from_headers_are_none() -> None:
    mail = read(("Authentication-Results", PASS), ("From", FROM), ("From", "attacker@evil.example"))
    assert "2 From headers" in mail.problems[0]


@pytest.mark.parametrize(
    "results",
    [
        ["evil.example; dmarc=pass header.from=microsoft.com"],
        ["mx.contoso.example.evil.example; dmarc=pass header.from=microsoft.com"],
        ["mx.contoso.example; dmarc=fail header.from=microsoft.com"],
        ["mx.contoso.example; dmarc=pass header.from=evil.example"],
        ["mx.contoso.example; dmarc=none; dmarc=pass header.from=microsoft.com"],
        ["mx.contoso.example; spf=pass (dmarc=pass header.from=microsoft.com)"],
        ['mx.contoso.example; spf=pass reason="x; dmarc=pass" smtp.mailfrom=evil.example'],
        ['mx.contoso.example; spf=pass reason="x; dmarc=pass header.from=microsoft.com"'],
        ["mx.contoso.example; dmarc=fail header.from=microsoft.com", PASS],
        ["mx.contoso.example; dkim=pass header.d=microsoft.com"],
        [],
    ],
)
def test_only_a_pass_of_the_own_server_for_microsofts_domain_counts(results: list[str]) -> None:
    headers = [("Authentication-Results", one) for one in results]
    assert read(*headers, ("From", FROM)).problems


def test_the_domain_may_be_quoted() -> None:
    results = 'mx.contoso.example 1; dmarc=pass header.from="microsoft.com"'
    assert read(("Authentication-Results", results), ("From", FROM)).problems == ()


def test_without_a_known_mail_server_nothing_is_believed() -> None:
    mail = read_mail(written(("Authentication-Results", PASS), ("From", FROM)), senders=SENDERS, receivers=())
    assert "which mail server is yours" in mail.problems[0]


def test_ids_are_found_in_encoded_parts_and_no_more_than_twenty() -> None:
    many = " ".join(f"{number:08d}-0000-4000-8000-000000000000" for number in range(30))
    assert len(read(("From", FROM), body=many).ids) == 20
    raw = (
        "From: x@y.example\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
        "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        f'<a href=3D"https://evil.example">{ID[:20]}=\r\n{ID[20:]}</a>\r\n--b--\r\n'
    )
    assert read_mail(raw.encode(), senders=SENDERS, receivers=RECEIVERS).ids == (ID,)


@pytest.mark.parametrize("raw", [b"", b"no mail at all", b"\n\nbody", b"x" * (LARGEST + 1)])
def test_what_is_no_mail_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(ContentError):
        read_mail(raw, senders=SENDERS, receivers=RECEIVERS)


@pytest.mark.parametrize(
    "raw", [b"From: \xff\xfe\n\n", b"From: =?utf-8?q?=FF?= <a@b>\n\n\xff", b"From:\n Content-Type: x\n\n"]
)
def test_broken_headers_are_a_problem_and_no_fault(raw: bytes) -> None:
    assert read_mail(raw, senders=SENDERS, receivers=RECEIVERS).problems
