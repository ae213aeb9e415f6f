from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firebreak.clients import Recorded
from firebreak.errors import IntegrityError, ScopeError, SettingsError
from firebreak.evidence import EvidenceStore
from firebreak.model.mode import Mode
from tests.support.tiny_service import SUBSCRIPTION, TinyService, tiny

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path.as_uri())


def only_object(folder: Path) -> Path:
    (found,) = (folder / "objects").rglob("*.gz")
    return found


def test_bytes_come_back_and_equal_bytes_are_kept_once(store: EvidenceStore, tmp_path: Path) -> None:
    digest = store.put(b'{"value": []}')
    assert store.put(b'{"value": []}') == digest
    assert store.get(digest) == b'{"value": []}'
    assert only_object(tmp_path).name == f"{digest}.gz"


def test_equal_bytes_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        EvidenceStore(str(tmp_path / name)).put(b"x" * 1000)
    assert only_object(tmp_path / "a").read_bytes() == only_object(tmp_path / "b").read_bytes()


def test_every_changed_byte_of_a_file_is_found(store: EvidenceStore, tmp_path: Path) -> None:
    digest = store.put(b"the raw answer")
    path = only_object(tmp_path)
    whole = path.read_bytes()
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        try:
            # Some bytes of the gzip header (time, system) carry nothing: then the content must be the same.
            assert store.get(digest) == b"the raw answer"
        except IntegrityError:
            continue
    path.write_bytes(whole[:-5])
    with pytest.raises(IntegrityError, match="damaged"):
        store.get(digest)
    path.write_bytes(gzip.compress(b"another answer"))
    with pytest.raises(IntegrityError, match="was changed"):
        store.get(digest)
    path.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        store.get(digest)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "a" * 63, "A" * 64, "g" * 64])
def test_what_is_no_digest_is_refused(store: EvidenceStore, digest: str) -> None:
    with pytest.raises(IntegrityError):
        store.get(digest)


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a..b", "\n", "x" * 200, ".hidden"])
def test_an_incident_id_is_never_a_path(store: EvidenceStore, name: str) -> None:
    with pytest.raises(ScopeError):
        store.recorder(name, "s")
    with pytest.raises(ScopeError):
        store.manifest(name)


async def test_a_manifest_tells_what_was_read_in_order(store: EvidenceStore) -> None:
    record = store.recorder("INC-7", "investigate.inventory")
    for number in range(250):
        await record(
            Recorded(
                at=AT.replace(microsecond=number),
                method="GET",
                url=f"https://x/{number}",
                status=200,
                content=b"%d" % number,
            )
        )
    entries = store.manifest("INC-7")
    assert [store.get(entry.digest) for entry in entries] == [b"%d" % n for n in range(250)]
    assert {entry.step for entry in entries} == {"investigate.inventory"}
    assert store.manifest("INC-8") == []
    assert store.verify("INC-7") == []


async def test_verify_names_what_is_missing(store: EvidenceStore, tmp_path: Path) -> None:
    await store.recorder("INC-7", "s")(Recorded(at=AT, method="GET", url="u", status=200, content=b"x"))
    only_object(tmp_path).unlink()
    (fault,) = store.verify("INC-7")
    assert "missing" in fault


async def test_a_damaged_manifest_is_told(store: EvidenceStore, tmp_path: Path) -> None:
    await store.recorder("INC-7", "s")(Recorded(at=AT, method="GET", url="u", status=200, content=b"x"))
    (path,) = (tmp_path / "manifests" / "INC-7").iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(IntegrityError, match="Line 1"):
        store.manifest("INC-7")


async def test_another_file_system_works_the_same() -> None:
    store = EvidenceStore("memory://evidence-test")
    await store.recorder("INC-7", "s")(Recorded(at=AT, method="GET", url="u", status=200, content=b"x"))
    assert [store.get(entry.digest) for entry in store.manifest("INC-7")] == [b"x"]


def test_an_unknown_file_system_is_a_settings_error() -> None:
    with pytest.raises(SettingsError):
        EvidenceStore("nosuch://x")


async def test_reads_through_a_connection_are_kept_raw_and_writes_are_not(store: EvidenceStore) -> None:
    disks = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/disks"
    keys = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/a/listKeys"
    query = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CostManagement/query"
    raw = b'{ "value" : [ {"unknownField": 1.50} ] }'
    service = TinyService().answer("GET", disks, raw).answer("POST", keys, {"keys": [{"value": "topsecretkey"}]})
    service.answer("POST", query, {"properties": {"rows": []}})
    recorder = store.recorder("INC-7", "investigate.inventory")
    async with tiny(service, recorder=recorder, mode=Mode.LIVE) as connection:
        await connection.eyes.arm.list(disks, "2026-03-02")
        await connection.hands.arm.post(keys, "1")
        await connection.eyes.arm.query(query, "1", {"type": "ActualCost"})
        assert await connection.eyes.arm.get(f"{disks}/gone", "1") is None
    listed, asked, absent = store.manifest("INC-7")
    assert (listed.method, listed.status, listed.redacted) == ("GET", 200, False)
    assert store.get(listed.digest) == raw
    assert store.get(asked.request) == b'{"type":"ActualCost"}'
    assert absent.status == 404


async def test_a_secret_in_an_answer_is_taken_out_and_said_so(store: EvidenceStore) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r/providers/Microsoft.Compute/disks/d"
    service = TinyService().answer(
        "GET", path, {"accessSAS": "https://a.blob/x?sig=abc", "uri": "https://a/x?sv=1&sig=def&se=2", "n": 1}
    )
    async with tiny(service, recorder=store.recorder("INC-7", "s")) as connection:
        seen = await connection.eyes.arm.get(path, "1")
    assert seen is not None
    assert seen["accessSAS"].endswith("sig=abc")
    (entry,) = store.manifest("INC-7")
    assert entry.redacted
    kept = store.get(entry.digest)
    assert b"abc" not in kept
    assert b"def" not in kept
    assert b"se=2" in kept
