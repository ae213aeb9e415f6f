"""Write a bundle as a folder or a zip: whole or not at all, the same bytes for the same contents."""

from __future__ import annotations

import os
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

from firebreak.bundle.containers import is_safe_name
from firebreak.errors import BundleError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name; the real times stand in the documents
_PLAIN_FILE = 0o100600


def write_bundle(files: Mapping[str, bytes], out: Path, *, replace: bool = False) -> Path:
    """Write `files` to the zip or new folder `out` and return it. Readable by its owner alone.

    Raises:
        BundleError: `out` is there already (`replace` allows another zip, never a folder), or cannot be written.
    """
    for name in files:
        if not is_safe_name(name):
            raise BundleError(
                f"{name[:80]!r} cannot be the name of a file in a bundle.", hint="This is a mistake of the engine."
            )
    is_zip = out.suffix.lower() == ".zip"
    if out.exists() and not (is_zip and replace and out.is_file()):
        raise BundleError(
            f"{out} is there already; nothing was written.",
            hint="Name another place"
            + (", or replace it with --force." if is_zip else ": a folder is never replaced."),
        )
    fresh = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if is_zip:
            _write_zip(files, fresh)
        else:
            _write_folder(files, fresh)
        fresh.replace(out)
    except OSError as error:
        raise BundleError(
            f"{out} cannot be written: {error.strerror}.", hint="Name a place that may be written."
        ) from error
    finally:
        if fresh.is_dir():
            shutil.rmtree(fresh)
        else:
            fresh.unlink(missing_ok=True)
    return out


def put_file(bundle: Path, name: str, content: bytes) -> None:
    """Add one file to a bundle that is there, or replace it; all others stay as they are.

    Raises:
        BundleError: it cannot be written; the bundle is as before.
    """
    try:
        if bundle.is_dir():
            fresh = bundle / f".{name}.{uuid.uuid4().hex}"
            fresh.write_bytes(content)
            fresh.replace(bundle / name)
            return
        with zipfile.ZipFile(bundle) as archive:
            files = {one: archive.read(one) for one in archive.namelist() if one != name and not one.endswith("/")}
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{name} cannot be written to {bundle}: {getattr(error, 'strerror', None) or error}.",
            hint="May it be written?",
        ) from error
    write_bundle({**files, name: content}, bundle, replace=True)


def _write_zip(files: Mapping[str, bytes], path: Path) -> None:
    with (
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
        zipfile.ZipFile(file, "w") as archive,
    ):
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, also where it is written on another system
            info.external_attr = _PLAIN_FILE << 16
            archive.writestr(info, files[name], compresslevel=6)


def _write_folder(files: Mapping[str, bytes], path: Path) -> None:
    path.mkdir(mode=0o700)
    for name in sorted(files):
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(files[name])
