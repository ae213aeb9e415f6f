"""Bundles made by somebody who means harm, and bundles that were damaged: each is refused, with the file named."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.bundle import Limits, open_bundle, write_bundle
from firebreak.bundle.containers import is_safe_name
from firebreak.errors import BundleError, IntegrityError
from tests.unit.firebreak.bundle.bundled import files_of, zipped

REFUSED = (BundleError, IntegrityError)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(tmp_path_factory.mktemp("plain"))


@pytest.fixture
def folder(files: dict[str, bytes], tmp_path: Path) -> Path:
    return write_bundle(files, tmp_path / "b")


def test_each_file_must_be_there_and_be_itself(files: dict[str, bytes], tmp_path: Path) -> None:
    for name in files:
        path = zipped({k: v for k, v in files.items() if k != name}, tmp_path / "less.zip")
        with pytest.raises(REFUSED, match=name.replace(".", r"\.")):
            open_bundle(path)
        if name != "incident.yaml" and files[name]:
            path = zipped({**files, name: files[name][:-1] + bytes([files[name][-1] ^ 1])}, tmp_path / "changed.zip")
            with pytest.raises(REFUSED, match=name.replace(".", r"\.")):
                open_bundle(path)


def test_answers_that_are_checked_later_are_checked_when_read_and_at_the_end(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    name = next(
        name for name in sorted(files) if name.startswith("evidence/") and name.count("/") == 1 and len(name) > 70
    )
    broken = {**files, name: files[name][:-1] + bytes([files[name][-1] ^ 1])}
    path = zipped(broken, tmp_path / "changed.zip")
    with open_bundle(path, check_evidence=False) as bundle:
        (entry, *_) = [one for one in bundle.evidence if name.endswith(one.digest)]
        for read in (lambda: bundle.body(entry), bundle.check_evidence):
            with pytest.raises(IntegrityError, match=name):
                read()
    with open_bundle(zipped(files, tmp_path / "whole.zip"), check_evidence=False) as bundle:
        bundle.check_evidence()


@settings(max_examples=60, deadline=None)
@given(place=st.integers(min_value=0), byte=st.integers(1, 255))
def test_any_flipped_byte_of_a_zip_is_found_or_changes_no_file(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    path = write_bundle(files, folder / "b.zip")
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= byte
    path.write_bytes(content)
    try:
        bundle = open_bundle(path)
    except REFUSED:
        return
    # What is left are bytes that say nothing of the files: times, versions, permissions.
    with bundle:
        assert {name: bundle._container.read(name) for name in bundle._container.sizes} == files


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "evidence/../../evil",
        "evidence\\..\\evil",
        "C:evil",
        "a//b",
        "./a",
        "evidence/",
        "a\x00b",
        "NUL",
        "evidence/con.txt",
        "evil.",
        "e\u0301vil",
        "a/b/c/d",
        "-rf",
        "x" * 300,
    ],
)
def test_names_that_lead_elsewhere_are_refused(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    if name != "evidence/":  # a folder's own entry is no file
        assert not is_safe_name(name)
        with pytest.raises(BundleError, match=r"not plain|twice|no part"):
            open_bundle(zipped({**files, name: b"x"}, tmp_path / "b.zip"))
    with pytest.raises(BundleError):
        write_bundle({name: b"x"}, tmp_path / "new")
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "b.zip") == []


def test_a_name_that_a_zip_hides_behind_a_zero_byte_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    path = zipped({**files, "evidence/zero-x": b"x"}, tmp_path / "b.zip")
    path.write_bytes(path.read_bytes().replace(b"evidence/zero-x", b"evidence/zero\x00x"))
    with pytest.raises(BundleError, match="not plain"):
        open_bundle(path)


def test_a_file_that_is_there_twice_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    for name in ("alert.json", "ALERT.json"):
        path = zipped(files, tmp_path / "b.zip")
        with zipfile.ZipFile(path, "a") as archive:
            if name == "alert.json":
                with pytest.warns(UserWarning, match="Duplicate"):
                    archive.writestr(name, b"{}")
            else:
                archive.writestr(name, b"{}")
        with pytest.raises(BundleError, match="twice"):
            open_bundle(path)


def test_a_file_that_nobody_named_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="extra"):
        open_bundle(zipped({**files, "extra": b"x"}, tmp_path / "b.zip"))


def test_links_are_refused_in_folders(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes((folder / "alert.json").read_bytes())
    (folder / "alert.json").unlink()
    (folder / "alert.json").symlink_to(secret)
    with pytest.raises(BundleError, match=r"alert\.json.*link"):
        open_bundle(folder)


def test_a_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "plans").rename(tmp_path / "plans")
    (folder / "plans").symlink_to(tmp_path / "plans")
    with pytest.raises(BundleError, match=r"plans.*link"):
        open_bundle(folder)


def test_a_link_put_there_after_the_check_is_not_followed(folder: Path, tmp_path: Path) -> None:
    bundle = open_bundle(folder)
    name = folder / "evidence" / bundle.evidence[0].digest
    name.rename(tmp_path / "moved")
    name.symlink_to(tmp_path / "moved")
    with pytest.raises(BundleError, match=bundle.evidence[0].digest):
        bundle.body(bundle.evidence[0])


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    (folder / "alert.json").unlink()
    os.mkfifo(folder / "alert.json")
    with pytest.raises(BundleError, match=r"alert\.json"):
        open_bundle(folder)


def test_links_are_refused_in_zips(files: dict[str, bytes], tmp_path: Path) -> None:
    path = zipped(files, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("expected.yaml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BundleError, match=r"expected\.yaml.*link"):
        open_bundle(path)


def test_a_zip_bomb_is_refused_by_its_declared_size(files: dict[str, bytes], tmp_path: Path) -> None:
    path = zipped({**files, "expected.yaml": bytes(200_000)}, tmp_path / "b.zip")
    with pytest.raises(BundleError, match=r"expected\.yaml.*200,000"):
        open_bundle(path, limits=Limits(file_bytes=100_000))
    with pytest.raises(BundleError, match="more than"):
        open_bundle(path, limits=Limits(total_bytes=150_000))
    with pytest.raises(BundleError, match="more than 3 files"):
        open_bundle(path, limits=Limits(files=3))


def test_a_zip_that_lies_about_a_size_is_not_unpacked_beyond_it(files: dict[str, bytes], tmp_path: Path) -> None:
    path = zipped({**files, "expected.yaml": bytes(50_000_000)}, tmp_path / "b.zip")
    true, lie = struct.pack("<L", 50_000_000), struct.pack("<L", 100)
    path.write_bytes(path.read_bytes().replace(true, lie))
    with pytest.raises(BundleError, match=r"expected\.yaml"):
        open_bundle(path)


def _with_directory(path: Path, content: bytes, *, said: int, holes: int = 0) -> Path:
    """A file that ends like a zip whose directory has `said` bytes."""
    with path.open("wb") as file:
        file.truncate(holes)
        file.seek(holes)
        file.write(content + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, said, 0, 0))
    return path


def test_a_directory_of_half_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    half = 512 * 1024 * 1024
    path = _with_directory(tmp_path / "long.zip", b"", said=half, holes=half)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="536,870,912 bytes, more than that of any bundle"):
            open_bundle(path)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_directory_of_many_entries_is_refused_before_one_of_them_is_kept(tmp_path: Path) -> None:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    content = entry * 1_000_000
    path = _with_directory(tmp_path / "many.zip", content, said=len(content))
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="1,000,000 entries, more than any bundle"):
            open_bundle(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(content)
    finally:
        tracemalloc.stop()


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(b"PK\x05\x06 no")
    with pytest.raises(BundleError, match=r"b\.zip is no zip"):
        open_bundle(path)
    with pytest.raises(BundleError, match="no bundle at"):
        open_bundle(tmp_path / "gone.zip")


@pytest.mark.parametrize(
    ("was", "now", "message"),
    [
        ("version: 1", "version: 2", "newer"),
        ("version: 1", "version: yes", "no version"),
        ("format: firebreak-bundle", "format: other", "format"),
        ("mode: live", "mode: wet", "mode"),
        ("format: firebreak-bundle", "format: &a firebreak-bundle", "anchor"),
        ("format: firebreak-bundle", "format: !!python/name:os.system firebreak-bundle", "tag"),
        ("format: firebreak-bundle", "format: firebreak-bundle\nx: " + "[" * 300, "nested"),
        ("format: firebreak-bundle", "\x00", "no YAML"),
    ],
)
def test_a_bad_incident_file_is_refused(
    files: dict[str, bytes], tmp_path: Path, was: str, now: str, message: str
) -> None:
    changed = files["incident.yaml"].replace(was.encode(), now.encode(), 1)
    assert changed != files["incident.yaml"]
    with pytest.raises(BundleError, match=rf"incident\.yaml.*{message}"):
        open_bundle(zipped({**files, "incident.yaml": changed}, tmp_path / "b.zip"))


def test_laughs_are_not_multiplied(files: dict[str, bytes], tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [{'*a, ' * 9}*a]\n" for n in range(9))
    with pytest.raises(BundleError, match="alias"):
        open_bundle(zipped({**files, "expected.yaml": bomb.encode()}, tmp_path / "b.zip"))


def test_hidden_files_of_file_managers_are_passed_over(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"x")
    assert open_bundle(folder).incident.id
