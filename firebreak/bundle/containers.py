"""Folders and zips that may come from anybody: names, kinds and sizes are checked before a byte is believed, and nothing is unpacked to disk."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path

import msgspec

from firebreak.errors import BundleError

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,119})"
_NAME = re.compile(rf"{_PART}(?:/{_PART}){{0,2}}")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SAFE = "A bundle holds plain files with plain names only. Do not use it; ask where it comes from."
# What file managers leave behind; never read.
_LITTER = ("__MACOSX/",)
_ENTRY = b"PK\x01\x02"  # begins each entry of a zip's directory
_ENTRY_BYTES = 256  # an entry with a name of ours has half of it


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a bundle may hold: number of files, bytes of one file and of all, unpacked."""

    files: int = 100_000
    file_bytes: int = 64 * 1024 * 1024
    total_bytes: int = 2 * 1024 * 1024 * 1024


def is_safe_name(name: str) -> bool:
    """Whether a name is relative, plain ASCII, at most three parts deep and leads nowhere else on any file system."""
    return (
        _NAME.fullmatch(name) is not None
        and ".." not in name
        and not any(part.endswith(".") or _is_device(part) for part in name.split("/"))
    )


def _is_device(part: str) -> bool:
    return (
        part.split(".")[0].upper() in {"CON", "PRN", "AUX", "NUL"}
        or re.fullmatch(r"(?i)(COM|LPT)\d(\..*)?", part) is not None
    )


class Container(ABC):
    """The files of a bundle by name, with their sizes as declared. `read` never returns more than that."""

    def __init__(self, place: Path, limits: Limits) -> None:
        self.place = place
        self._limits = limits
        self.sizes: dict[str, int] = {}
        self._seen: set[str] = set()
        self._total = 0

    def read(self, name: str) -> bytes:
        """Return one file.

        Raises:
            BundleError: it is missing, damaged, or not of the size it is said to have.
        """
        if name not in self.sizes:
            raise BundleError(f"{self.place}: {name} is missing.", hint="Get the bundle again, whole.")
        content = self._content(name)
        if len(content) != self.sizes[name]:
            raise BundleError(f"{self.place}: {name} has another size than it is said to have.", hint=_SAFE)
        return content

    def close(self) -> None:  # noqa: B027 - a folder holds nothing open
        """Let go of the file."""

    @abstractmethod
    def _content(self, name: str) -> bytes: ...

    def _enter(self, name: str, size: int) -> None:
        shown = name.encode("unicode_escape").decode()[:120]
        if not is_safe_name(name):
            raise BundleError(f"{self.place}: the file name {shown!r} is not plain.", hint=_SAFE)
        if name.lower() in self._seen:
            raise BundleError(f"{self.place}: {shown} is there twice.", hint=_SAFE)
        limits = self._limits
        if size > limits.file_bytes:
            raise BundleError(
                f"{self.place}: {shown} has {size:,} bytes, more than the {limits.file_bytes:,} of one file.",
                hint=_SAFE,
            )
        self._seen.add(name.lower())
        self._total += size
        self.sizes[name] = size
        if len(self.sizes) > limits.files or self._total > limits.total_bytes:
            raise BundleError(
                f"{self.place}: more than {limits.files:,} files or {limits.total_bytes:,} bytes, at {shown}.",
                hint=_SAFE,
            )


class ZipContainer(Container):
    """A zip file, read in place."""

    def __init__(self, place: Path, limits: Limits) -> None:
        super().__init__(place, limits)
        try:
            self._file = _Bounded(place, limits)
        except OSError as error:
            raise BundleError(f"{place} cannot be read: {error.strerror}.", hint="Who may read it?") from error
        try:
            self._zip = self._opened()
            for info in self._zip.infolist():
                self._check(info)
        except BaseException:
            self._file.close()
            raise

    def _opened(self) -> zipfile.ZipFile:
        try:
            opened = zipfile.ZipFile(self._file)
        except BundleError:
            raise
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            text = f"{self.place} is no zip that can be read ({error})."
            raise BundleError(text, hint="Get it again, whole.") from error
        self._file.is_bounded = False
        return opened

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    def __del__(self) -> None:  # like ZipFile, which closes what it opened itself
        if hasattr(self, "_file"):
            self._file.close()

    def _check(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        if name.startswith(_LITTER):
            return
        if info.is_dir():
            if not is_safe_name(name.rstrip("/")):
                raise BundleError(f"{self.place}: the folder name {name[:120]!r} is not plain.", hint=_SAFE)
            return
        if kind not in (0, stat.S_IFREG):
            raise BundleError(f"{self.place}: {name[:120]!r} is a link or special file.", hint=_SAFE)
        if info.flag_bits & 0x1 or info.compress_type not in _METHODS:
            raise BundleError(f"{self.place}: {name[:120]!r} is encrypted or packed in an unusual way.", hint=_SAFE)
        self._enter(name, info.file_size)

    def _content(self, name: str) -> bytes:
        try:
            with self._zip.open(name) as file:
                # One byte more than declared, so that a lie about the size is seen without unpacking the rest.
                return file.read(self.sizes[name] + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise BundleError(
                f"{self.place}: {name} is damaged ({error}).", hint="Get the bundle again, whole."
            ) from error


class _Bounded(io.BufferedReader):
    """A file of which `zipfile` reads no directory that is longer, or has more entries, than a bundle's may be: it would keep all of it in memory."""

    def __init__(self, place: Path, limits: Limits) -> None:
        super().__init__(io.FileIO(place))
        self._place, self._most = place, 2 * limits.files + 1_000  # folders and litter have entries as well
        self.is_bounded = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on; while bounded, refuse a stretch that no directory of a bundle is.

        Raises:
            BundleError: it is too long, or has too many entries.
        """
        if not self.is_bounded:
            return super().read(size)
        if (size or 0) > self._most * _ENTRY_BYTES:
            raise BundleError(
                f"{self._place}: its directory has {size:,} bytes, more than that of any bundle.", hint=_SAFE
            )
        found = super().read(size)
        if (entries := found.count(_ENTRY)) > self._most:
            raise BundleError(
                f"{self._place}: its directory has {entries:,} entries, more than any bundle.", hint=_SAFE
            )
        return found


class FolderContainer(Container):
    """A folder. Links are refused, also those put there after the check."""

    def __init__(self, place: Path, limits: Limits) -> None:
        super().__init__(place, limits)
        self._walk(place, "")

    def _walk(self, folder: Path, prefix: str) -> None:
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise BundleError(f"{folder} cannot be read: {error.strerror}.", hint="Who may read it?") from error
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.is_symlink():
                raise BundleError(f"{self.place}: {name[:120]!r} is a link.", hint=_SAFE)
            if entry.name.startswith("."):
                continue  # litter; never read
            if entry.is_dir(follow_symlinks=False):
                if not is_safe_name(name):
                    raise BundleError(f"{self.place}: the folder name {name[:120]!r} is not plain.", hint=_SAFE)
                self._walk(Path(entry.path), f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                self._enter(name, entry.stat(follow_symlinks=False).st_size)
            else:
                raise BundleError(f"{self.place}: {name[:120]!r} is no plain file.", hint=_SAFE)

    def _content(self, name: str) -> bytes:
        try:
            handle = os.open(
                self.place / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            )
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise BundleError(f"{self.place}: {name} is no plain file.", hint=_SAFE)
                return file.read(self.sizes[name] + 1)
        except OSError as error:
            raise BundleError(
                f"{self.place}: {name} cannot be read: {error.strerror}.", hint="Get it again."
            ) from error


def open_container(place: Path, limits: Limits) -> Container:
    """Open a folder or a zip, by what it is.

    Raises:
        BundleError: it is neither, or holds what no bundle holds.
    """
    if place.is_dir():
        return FolderContainer(place, limits)
    if place.is_file():
        return ZipContainer(place, limits)
    raise BundleError(
        f"There is no bundle at {place}.", hint="Name a folder or a .zip that firebreak incidents export wrote."
    )
