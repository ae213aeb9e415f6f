"""Secrets in addresses, in what is sent and in what ends an operation; secrets of our own are known from their first use (P11)."""

from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from firebreak.clients.failures import unreadable
from firebreak.clients.policies.exchange import Call, NoAnswerError, Reply
from firebreak.clients.policies.recording import Recorded, Recording
from firebreak.clients.policies.redaction import SecretFilter, without_secrets
from firebreak.clients.refresh_token import RefreshToken
from firebreak.clients.refresh_token_store import MemoryStore
from firebreak.clients.secrets import reveal
from tests.support.tiny_service import BASE, SUBSCRIPTION, TinyService, tiny, tiny_settings
from tests.unit.firebreak.execution.builders import NOON

SECRET = "cAnArYsEcReT0123456789"
DIRTY = f"{BASE}/blob?sv=2024-11-04&sig={SECRET}"


@pytest.mark.parametrize("answers", [True, False])
async def test_evidence_keeps_no_secret_of_an_address_a_request_or_a_failure(answers: bool) -> None:
    kept: list[Recorded] = []

    async def keep(answer: Recorded) -> None:
        kept.append(answer)

    async def send(_: Call) -> Reply:
        if answers:
            return Reply(200, {}, b"{}")
        raise NoAnswerError(f"{DIRTY} was reset")

    call = Call("POST", DIRTY, {}, content=b'{"password": "%s"}' % SECRET.encode(), is_read=True)
    try:
        await Recording(keep, lambda: NOON)(call, send)
    except NoAnswerError:
        assert not answers
    assert SECRET not in repr(kept)
    assert "[redacted]" in kept[0].url


def test_an_unreadable_answer_is_told_without_the_secret_of_its_address() -> None:
    said = str(unreadable(Call("GET", DIRTY, {}, is_read=True), "no JSON"))
    assert SECRET not in said
    assert "sig=[redacted]" in said


async def test_the_error_that_ends_an_operation_is_told_without_secrets() -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/operations/1"
    error = {"code": f"Bearer {SECRET}", "message": DIRTY}
    service = TinyService().answer("GET", path, {"status": "Failed", "error": error})
    async with tiny(service) as connection:
        found = await connection.hands.arm.operation(f"{BASE}{path}?api-version=1")
    assert found["status"] == "Failed"
    assert SECRET not in repr(found)


async def test_own_secrets_are_known_from_their_first_use() -> None:
    configured, renewed = "own-client-secret-0123456789", "own-refresh-token-0123456789"
    assert await reveal(SecretStr(configured), "X", tiny_settings()) == configured
    await RefreshToken(MemoryStore(SecretStr("old-refresh-token-0123456789"))).renew(renewed)
    assert without_secrets(f"a {configured} b {renewed}") == "a [redacted] b [redacted]"


@pytest.mark.parametrize("name", ["httpx", "azure.identity", "msal"])
async def test_connecting_cleans_the_libraries_logs(name: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(name)
    logger.filters[:] = [each for each in logger.filters if not isinstance(each, SecretFilter)]
    async with tiny(TinyService()):
        with caplog.at_level(logging.INFO, logger=name):
            logger.info("GET %s", DIRTY)
    assert SECRET not in caplog.text
    assert "[redacted]" in caplog.text
