"""Find planted secrets, however they are spelled and wherever they are packed.

planted = Canaries({"client secret": "k7~..."})
planted.look("report.html", content)        # content may be text, bytes, a gzip or a zip
assert planted.found == []
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import create_engine, inspect, make_url, text

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")


def spellings(secret: str) -> set[bytes]:
    """The secret as it is, and as URLs, JSON, HTML and base64 (at each of the three offsets, both alphabets) write it."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()}
    found |= {secret.replace("&", "&amp;").encode(), secret.replace("/", "\\/").encode()}
    for offset in range(3):
        # What surrounds it decides the first and last characters: only those in between are sure.
        coded = base64.b64encode(b"\0" * offset + raw)[offset and 4 : -4]
        found |= {coded, coded.replace(b"+", b"-").replace(b"/", b"_")} if len(coded) >= 10 else set()
    return found


@dataclass
class Canaries:
    """Planted secrets by what they are, and where they turned up."""

    planted: Mapping[str, str]
    kept_as_it_came: bytes = b""  # what is kept byte for byte by promise: passed over wherever it stands whole
    found: list[str] = field(default_factory=list)
    looked_at: int = 0

    def __post_init__(self) -> None:
        assert all(len(secret) >= 10 for secret in self.planted.values()), "too short to be sure of"
        self._spellings = {name: spellings(secret) for name, secret in self.planted.items()}

    def look(self, place: str, content: bytes | str) -> None:
        """Look for every secret in `content`, also in what is packed in it."""
        content = content.encode() if isinstance(content, str) else content
        if self.kept_as_it_came:
            content = content.replace(self.kept_as_it_came, b"")
        self.looked_at += 1
        for name, ways in self._spellings.items():
            if any(way in content for way in ways):
                self.found.append(f"{name} in {place}")
        if content[:2] == b"\x1f\x8b":
            try:
                self.look(f"{place} (unpacked)", gzip.decompress(content))
            except (OSError, EOFError, zlib.error):
                return
        elif content[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    self.look(f"{place}:{name}", archive.read(name))

    def look_into_database(self, url: str) -> None:
        """Look at every value of every table that a connection to this database sees; the place is table and column."""
        engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg") if url.startswith("postgres") else url
        )
        try:
            with engine.connect() as connection:
                for table in inspect(connection).get_table_names():
                    rows = connection.execute(text(f'SELECT * FROM "{table}"')).mappings().all()  # noqa: S608 - the database's own names
                    for column in rows[0] if rows else ():
                        self.look(f"{table}.{column}", b"\n".join(_as_bytes(row[column]) for row in rows))
        finally:
            engine.dispose()


def _as_bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
