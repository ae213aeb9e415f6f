"""Pseudonyms of IP addresses: keyed, in the same family and order, and with the same networks.

Two addresses that share their first bits share as many afterwards, so that what lay in one network, range or list of ranges still does. Bits are
turned only where every address of the bundle goes the same way, so that their order stays. Private and special ranges keep their prefix; the
first octet of other addresses becomes another that is public. An IPv6 address keeps its first 16 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_KEPT = tuple(
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "168.63.129.16/32", "::/127", "ff00::/8")
)
_PREFIX_KEPT = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "64:ff9b::/96",
    )
)
_RESERVED_OCTETS = frozenset({10, 100, 127, 169, 172, 192, 198, 203})
_V6_KEPT_BITS = 16
_TRIES = 200


class Addresses:
    """Collects addresses, then maps them: `note` all, `settle` once, `of` any that was noted."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._noted: dict[str, tuple[Address, int]] = {}
        self._found: dict[str, str] = {}
        self._nodes: set[tuple[int, int, int]] = set()
        self._octets: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._found)

    @staticmethod
    def read(text: str) -> tuple[Address, int] | None:
        """The address and how many of its bits are meant: a network stands for its prefix. None: it is no address."""
        try:
            if "/" not in text:
                address = ipaddress.ip_address(text)
                address = getattr(address, "ipv4_mapped", None) or address
                return address, address.max_prefixlen
            whole = ipaddress.ip_interface(text)
        except ValueError:
            return None
        is_network = whole.ip == whole.network.network_address
        return whole.ip, whole.network.prefixlen if is_network else whole.max_prefixlen

    def note(self, text: str) -> None:
        """Remember one that `read` can read."""
        if (found := self.read(text)) is not None:
            self._noted[text] = found

    def of(self, text: str) -> str:
        """The pseudonym of one that was noted; as it is when there is nothing to hide in it."""
        return self._found.get(text, text)

    def originals(self) -> Iterable[str]:
        """Those that have a pseudonym other than themselves."""
        return (text for text, other in self._found.items() if text != other)

    def settle(self) -> None:
        """Give everything its pseudonym; none is an address that was noted."""
        mine = {address for address, _ in self._noted.values()}
        for address, bits in self._noted.values():
            for depth in range(bits + 1):
                self._nodes.add((address.version, depth, _bits(address, depth)))
        self._octets = self._public_octets()
        for turn in range(_TRIES):
            self._found = {text: self._mapped(text, *found, turn) for text, found in self._noted.items()}
            moved = (ipaddress.ip_interface(new).ip for text, new in self._found.items() if new != text)
            if not any(address in mine for address in moved):
                return

    def _public_octets(self) -> dict[int, int]:
        public = [a for a, bits in self._noted.values() if a.version == 4 and bits >= 8 and not _prefix_of(a)]
        if any(a.version == 4 and 0 < bits < 8 for a, bits in self._noted.values()):
            return {}  # a range wider than an octet: moving octets about would move addresses out of it
        octets = sorted({int(a) >> 24 for a in public})
        free = [n for n in range(1, 224) if n not in _RESERVED_OCTETS]
        others = [n for n in free if n not in octets]
        pool = others if len(others) >= len(octets) else free
        chosen = sorted(sorted(pool, key=lambda n: self._chance(f"octet {n}"))[: len(octets)])
        return dict(zip(octets, chosen, strict=False))

    def _mapped(self, text: str, address: Address, bits: int, turn: int) -> str:
        if bits == 0 or any(address in network for network in _KEPT if network.version == address.version):
            return text
        size, value, start = address.max_prefixlen, int(address), _prefix_of(address)
        result = 0
        if not start and address.version == 4 and bits >= 8:
            octet = value >> 24
            result, start = self._octets.get(octet, octet), 8
        else:
            start = min(bits, start or _V6_KEPT_BITS)
            result = value >> (size - start)
        for depth in range(start, bits):
            bit = (value >> (size - depth - 1)) & 1
            prefix = _bits(address, depth)
            branches = {(address.version, depth + 1, prefix << 1 | one) in self._nodes for one in (0, 1)} == {True}
            flip = 0 if branches else self._chance(f"{address.version} {depth} {prefix} {turn}")[0] & 1
            result = result << 1 | (bit ^ flip)
        result <<= size - bits
        kind = ipaddress.IPv4Address if address.version == 4 else ipaddress.IPv6Address
        mapped = "::ffff:" if ":" in text and address.version == 4 else ""
        return mapped + str(kind(result)) + (f"/{text.partition('/')[2]}" if "/" in text else "")

    def _chance(self, what: str) -> bytes:
        return hmac.digest(self._key, f"address {what}".encode(), hashlib.sha256)


def _bits(address: Address, depth: int) -> int:
    return int(address) >> (address.max_prefixlen - depth)


def _prefix_of(address: Address) -> int:
    """How many first bits a special range keeps, 0 for a public address."""
    return next((n.prefixlen for n in _PREFIX_KEPT if n.version == address.version and address in n), 0)
