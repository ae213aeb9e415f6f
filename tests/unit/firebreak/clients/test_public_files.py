"""What strangers point at is fetched from public addresses only, and the address that was checked is the one that is used."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from firebreak.clients.public_files import PublicFiles, PublicResolver, is_public
from firebreak.errors import UnreachableError
from firebreak.settings import Settings

HOST = "3psostorageacct.blob.core.windows.net"


class Names(AbstractResolver):
    """Answers each question with the next of these lists of addresses."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0)
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0) for one in found
        ]

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "ff02::1",
        "64:ff9b:1::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "2002:7f00:1::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
async def test_a_name_that_leads_inside_is_not_connected_to(address: str, tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path)
    for answer in ([address], ["20.60.1.1", address]):
        async with PublicFiles(settings, resolver=Names(answer)) as files:
            with pytest.raises(UnreachableError, match="cannot be fetched"):
                await files.fetch(f"https://{HOST}/cert/a.cer")


async def test_a_public_address_is_passed_on_as_it_was_checked() -> None:
    resolver = PublicResolver(Names(["20.60.1.1"], ["127.0.0.1"]))
    assert [one["host"] for one in await resolver.resolve(HOST, 443)] == ["20.60.1.1"]
    with pytest.raises(OSError, match="not a public address"):
        await resolver.resolve(HOST, 443)


@pytest.mark.parametrize("address", ["20.60.1.1", "2603:1030:a::1", "64:ff9b::20.60.1.1", "::ffff:20.60.1.1"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)
