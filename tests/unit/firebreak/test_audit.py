"""The audit chain finds every changed byte, every missing line, and edits in the database."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from firebreak.audit import AuditLog, verify, verify_bytes
from firebreak.errors import IntegrityError
from firebreak.signatures import SigningKey
from firebreak.store import Store
from tests.unit.firebreak.execution.builders import FakeClock
from tests.unit.firebreak.store.databases import sqlite_url, store_url

__all__ = ["store_url"]


KEY = SigningKey.parse(base64.urlsafe_b64encode(bytes(range(32))).decode(), "KEY")
OTHER_KEY = SigningKey.parse(base64.urlsafe_b64encode(bytes(32)).decode(), "KEY")


def written(folder: Path, text: str, key: SigningKey | None) -> bytes:
    with Store.open(sqlite_url(folder)) as store:
        log = AuditLog(store, FakeClock())
        for number in range(4):
            log.append("INC-1", "action.ended", who="engine", data={"n": number, "text": text})
        return log.exported("INC-1", key)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("signed"), "ü\u2028\\n", KEY)


@pytest.fixture
def log(store_url: str) -> Iterator[AuditLog]:
    with Store.open(store_url) as store:
        yield AuditLog(store, FakeClock())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("audit")
    with Store.open(sqlite_url(folder)) as store:
        log = AuditLog(store, FakeClock())
        for number in range(4):
            log.append(
                "INC-1", "action.ended", who="engine", data={"n": number, "text": "ü\u2028\\n", "x": [None, True]}
            )
        log.export("INC-1", folder / "audit.jsonl")
    return (folder / "audit.jsonl").read_bytes()


def test_export_verifies_from_the_file_alone(log: AuditLog, tmp_path: Path) -> None:
    for number in range(3):
        log.append("INC-1", "kind", who="Ann", data={"n": number, "money": Decimal("1.50")})
    log.append("INC-2", "kind", who="Ann")
    chain = log.export("INC-1", tmp_path / "audit.jsonl")
    assert verify(tmp_path / "audit.jsonl") == chain
    assert (chain.incident, chain.records) == ("INC-1", 3)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    assert lines[0]["data"] == {"n": 0, "money": "1.50"}
    assert chain.head == lines[2]["hash"] == log.records("INC-1")[-1].hash


def test_an_incident_without_records_exports_and_verifies(log: AuditLog, tmp_path: Path) -> None:
    assert log.export("INC-9", tmp_path / "audit.jsonl").records == 0


def test_the_log_goes_on_after_an_export(log: AuditLog, tmp_path: Path) -> None:
    log.append("INC-1", "a", who="Ann")
    log.export("INC-1", tmp_path / "1.jsonl")
    log.append("INC-1", "b", who="Ann")
    assert log.export("INC-1", tmp_path / "2.jsonl").records == 2


def test_any_flipped_byte_is_found(exported: bytes, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    for place in range(len(exported)):
        changed = bytearray(exported)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(IntegrityError):
            verify(file)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(min_value=0), byte=st.integers(0, 255), how=st.sampled_from(["replace", "insert", "delete"]))
def test_any_edit_of_one_byte_is_found(exported: bytes, tmp_path: Path, place: int, byte: int, how: str) -> None:
    place %= len(exported)
    new = b"" if how == "delete" else bytes([byte])
    changed = exported[:place] + new + exported[place + (how != "insert") :]
    file = tmp_path / "audit.jsonl"
    file.write_bytes(changed)
    if changed == exported:
        assert verify(file).records == 4
    else:
        with pytest.raises(IntegrityError):
            verify(file)


@pytest.mark.parametrize("gone", [[0], [1], [4], [3, 4], [0, 1, 2, 3, 4]])
def test_missing_lines_are_found(exported: bytes, tmp_path: Path, gone: list[int]) -> None:
    lines = exported.splitlines(keepends=True)
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(line for number, line in enumerate(lines) if number not in gone))
    with pytest.raises(IntegrityError):
        verify(file)


def test_the_error_names_the_line(exported: bytes, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(exported.replace(b'"n":2', b'"n":7'))
    with pytest.raises(IntegrityError, match=r"audit\.jsonl:3"):
        verify(file)


def test_lines_in_another_order_are_found(exported: bytes, tmp_path: Path) -> None:
    first, second, *rest = exported.splitlines(keepends=True)
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join([second, first, *rest]))
    with pytest.raises(IntegrityError):
        verify(file)


@pytest.mark.parametrize("statement", ["UPDATE audit SET body = '{}'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_the_log(store_url: str, statement: str) -> None:
    with Store.open(store_url) as store:
        AuditLog(store, FakeClock()).append("INC-1", "kind", who="Ann")
        with pytest.raises(DatabaseError, match="append-only"), store.write() as tx:
            tx.execute(text(statement))


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE audit SET body = replace(body, 'Ann', 'Eve') WHERE seq = 1",
    ],
)
def test_edits_behind_the_triggers_are_found(tmp_path: Path, edit: str) -> None:
    with Store.open(sqlite_url(tmp_path)) as store:
        log = AuditLog(store, FakeClock())
        for _ in range(3):
            log.append("INC-1", "kind", who="Ann")
        with store.write() as tx:
            tx.execute(text("DROP TRIGGER audit_no_update"))
            tx.execute(text("DROP TRIGGER audit_no_delete"))
            tx.execute(text(edit))
        with pytest.raises(IntegrityError):
            log.export("INC-1", tmp_path / "audit.jsonl")
        assert not (tmp_path / "audit.jsonl").exists()


def test_a_float_is_refused_before_it_is_written(log: AuditLog) -> None:
    with pytest.raises(TypeError, match="float"):
        log.append("INC-1", "kind", who="Ann", data={"x": 0.1})
    assert log.records("INC-1") == []


def test_writers_at_the_same_time_make_one_chain(log: AuditLog, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: log.append("INC-1", "kind", who=f"w{n}"), range(20)))
    assert log.export("INC-1", tmp_path / "audit.jsonl").records == 20


def test_a_signed_log_says_what_was_proven_with_and_without_the_key(signed: bytes) -> None:
    with_key, without = verify_bytes(signed, "f", KEY.public), verify_bytes(signed, "f")
    assert (with_key.signed_by, without.signed_by) == (KEY.public.fingerprint, "")
    assert with_key.proven == f"chain intact and signed by key fingerprint {KEY.public.fingerprint}"
    assert without.proven.startswith("chain intact; the signature by key fingerprint")
    assert "was not checked" in without.proven


def test_an_unsigned_log_is_refused_when_a_key_is_given(exported: bytes) -> None:
    assert verify_bytes(exported, "f").proven == "chain intact; not signed"
    with pytest.raises(IntegrityError, match="f is not signed"):
        verify_bytes(exported, "f", KEY.public)


def test_a_whole_new_chain_without_the_key_is_refused(signed: bytes, tmp_path: Path) -> None:
    for key in (None, OTHER_KEY):
        forged = written(tmp_path / str(key), "as if nothing had happened", key)
        assert verify_bytes(forged, "f").records == 4
        with pytest.raises(IntegrityError, match=r"not signed|another key"):
            verify_bytes(forged, "f", KEY.public)
    # The true signature and fingerprint, moved to the forged chain, whose hashes add up.
    end = json.loads(signed.splitlines()[-1])
    forged = written(
        tmp_path / "moved", "as if nothing had happened", _Stolen(end["data"]["key"], end["data"]["signature"])
    )
    assert verify_bytes(forged, "f").claimed_key == KEY.public.fingerprint
    with pytest.raises(IntegrityError, match="not over this chain"):
        verify_bytes(forged, "f", KEY.public)


class _Stolen(SigningKey):
    """A signature seen elsewhere, without the key."""

    def __init__(self, fingerprint: str, signature: str) -> None:
        self._fingerprint, self._signature = fingerprint, signature

    @property
    def public(self) -> Any:
        return SimpleNamespace(fingerprint=self._fingerprint)

    def sign(self, statement: bytes) -> str:
        return self._signature


@settings(max_examples=300, deadline=None)
@given(
    place=st.integers(min_value=0),
    byte=st.integers(0, 255),
    how=st.sampled_from(["replace", "insert", "delete", "cut", "swap", "repeat"]),
)
def test_any_edit_of_a_signed_log_is_found(signed: bytes, place: int, byte: int, how: str) -> None:
    lines = signed.splitlines(keepends=True)
    at, line = place % len(signed), place % len(lines)
    if how == "cut":
        changed = signed[:at]
    elif how == "swap":
        lines[line], lines[byte % len(lines)] = lines[byte % len(lines)], lines[line]
        changed = b"".join(lines)
    elif how == "repeat":
        changed = b"".join([*lines[: line + 1], *lines[line:]])
    else:
        new = b"" if how == "delete" else bytes([byte])
        changed = signed[:at] + new + signed[at + (how != "insert") :]
    if changed == signed:
        assert verify_bytes(changed, "f", KEY.public).records == 4
        return
    for key in (None, KEY.public):
        with pytest.raises(IntegrityError):
            verify_bytes(changed, "f", key)


@pytest.mark.parametrize("depth", [100, 200_000])
def test_a_hostile_line_is_an_error_and_not_a_crash(signed: bytes, depth: int) -> None:
    first = json.loads(signed.splitlines()[0])
    nested = json.dumps({**first, "data": "@"}).replace('"@"', '{"a":' + "[" * depth + "]" * depth + "}")
    huge = json.dumps({**first, "hash": "", "data": {"n": 1.5}})
    for line in (nested, huge):
        with pytest.raises(IntegrityError):
            verify_bytes(line.encode() + b"\n" + signed, "f")
