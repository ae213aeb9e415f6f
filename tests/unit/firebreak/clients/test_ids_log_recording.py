"""Request ids, the request log and the recording of evidence, each policy alone."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime

import pytest

from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Reply, Send
from firebreak.clients.policies.recording import Recorded, Recording
from firebreak.clients.policies.request_ids import RequestIds, correlation_guid
from firebreak.clients.policies.request_log import RequestLog

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


def answering(status: int = 200, content: bytes = b"{}", **headers: str) -> Send:
    async def send(_: Call) -> Reply:
        return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)

    return send


def read(url: str = "https://localhost/subscriptions?api-version=1") -> Call:
    return Call("GET", url, {}, is_read=True)


async def test_each_call_gets_an_id_of_its_own_and_a_retry_keeps_it() -> None:
    policy, first, second = RequestIds("INC-1"), read(), read()
    await policy(first, answering())
    kept = first.headers["x-ms-client-request-id"]
    await policy(first, answering())
    await policy(second, answering())
    assert uuid.UUID(kept)
    assert first.headers["x-ms-client-request-id"] == kept
    assert second.headers["x-ms-client-request-id"] != kept


async def test_all_calls_of_an_incident_share_one_correlation_guid() -> None:
    first, second = read(), read()
    await RequestIds("INC-1")(first, answering())
    await RequestIds("INC-1")(second, answering())
    shared = first.headers["x-ms-correlation-request-id"]
    assert shared == second.headers["x-ms-correlation-request-id"] == correlation_guid("INC-1")
    assert correlation_guid("INC-2") != shared
    assert correlation_guid(shared) == shared


async def test_header_names_are_the_services_own() -> None:
    call = read()
    await RequestIds("INC-1", names=("client-request-id", ""))(call, answering())
    assert list(call.headers) == ["client-request-id"]


async def test_the_log_has_method_address_and_status_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="firebreak.clients")
    call = read("https://user:pw@localhost/blob?sv=1&sig=topsecret")
    call.headers["Authorization"] = "Bearer topsecret"
    await RequestLog()(call, answering(status=404, content=b'{"accessSAS": "topsecret"}', x_ms_request_id="r-1"))
    assert "GET https://localhost/blob?sv=1&sig=[redacted] -> 404" in caplog.text
    assert "r-1" in caplog.text
    assert "topsecret" not in caplog.text
    assert "pw@" not in caplog.text


async def test_the_log_says_that_no_answer_came_and_lets_the_error_through(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="firebreak.clients")

    async def silent(_: Call) -> Reply:
        raise NoAnswerError("reset")

    with pytest.raises(NoAnswerError):
        await RequestLog()(read(), silent)
    assert "failed: NoAnswerError" in caplog.text


async def record(call: Call, send: Send) -> list[Recorded]:
    kept: list[Recorded] = []

    async def keep(answer: Recorded) -> None:
        kept.append(answer)

    await Recording(keep, lambda: NOW)(call, send)
    return kept


async def test_an_answer_to_a_read_is_kept_byte_for_byte_with_its_circumstances() -> None:
    body = b'{"value": [1.50, "\\u00e9"],  "x":null}'
    (kept,) = await record(read(), answering(content=body, Content_Type="application/json"))
    assert (kept.content, kept.redacted) == (body, False)
    assert (kept.at, kept.method, kept.status, kept.content_type) == (NOW, "GET", 200, "application/json")
    assert kept.url == "https://localhost/subscriptions?api-version=1"


async def test_a_secret_in_an_answer_is_taken_out_and_said() -> None:
    (kept,) = await record(read(), answering(content=b'{"accessSAS": "https://x/?sig=topsecret"}'))
    assert kept.redacted
    assert b"topsecret" not in kept.content


@pytest.mark.parametrize("status", [200, 204, 401, 403, 404, 429, 503])
async def test_every_answer_is_kept_for_a_refusal_is_evidence_too(status: int) -> None:
    assert [kept.status for kept in await record(read(), answering(status=status))] == [status]


@pytest.mark.parametrize(
    ("error", "kind"), [(NotSentError("no route"), "not sent"), (NoAnswerError("reset"), "no answer")]
)
async def test_a_read_without_an_answer_is_kept_as_such(error: Exception, kind: str) -> None:
    kept: list[Recorded] = []

    async def keep(answer: Recorded) -> None:
        kept.append(answer)

    async def silent(_: Call) -> Reply:
        raise error

    with pytest.raises(type(error)):
        await Recording(keep, lambda: NOW)(read(), silent)
    assert [(one.status, one.content, one.failure.split(":")[0]) for one in kept] == [(0, b"", kind)]


async def test_a_long_address_is_kept_whole() -> None:
    url = "https://localhost/x?$skiptoken=" + "a" * 5000
    (kept,) = await record(read(url), answering())
    assert kept.url == url


async def test_answers_to_writes_and_to_unrecorded_reads_are_not_kept() -> None:
    write = Call("POST", "https://localhost/listKeys", {})
    assert await record(write, answering()) == []
    assert await record(Call("GET", "https://localhost/x", {}, is_read=True, records=False), answering()) == []


async def test_a_recorder_that_fails_fails_the_read() -> None:
    async def full(_: Recorded) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await Recording(full, lambda: NOW)(read(), answering())
