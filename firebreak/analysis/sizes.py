"""Machine sizes: vCPUs, family, whether it is a GPU or a many-core size that miners prefer. Pure text work, no catalogue needed."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

_SIZE = re.compile(
    r"^(?:(?:standard|basic|internal)_)?"
    r"(?P<family>[a-z]+)"
    r"(?P<cpus>\d+)"
    r"(?:-(?P<constrained>\d+))?"
    r"(?P<features>[a-z]*)"
    r"(?P<rest>(?:_[a-z0-9]+)*)$"
)
_GPU = frozenset({"nc", "nd", "ng", "nv", "np", "nm"})
_HPC = frozenset({"hb", "hc", "hx", "h"})
# Old G sizes count by position, not by vCPU: G5 has 32.
_OLD_G = {"1": 2, "2": 4, "3": 8, "4": 16, "5": 32}

MANY_CORES = 32


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """A size taken apart. `family` is lower case (`nc`, `d`); `cpus` is 0 when the name does not say."""

    name: str
    family: str = ""
    cpus: int = 0
    accelerator: str = ""
    version: str = ""
    features: str = ""

    @property
    def is_gpu(self) -> bool:
        return self.family in _GPU

    @property
    def is_hpc(self) -> bool:
        return self.family in _HPC

    def is_expensive(self, many_cores: int = MANY_CORES) -> bool:
        """Whether miners favour it: GPU, high-performance or at least `many_cores` vCPUs."""
        return self.is_gpu or self.is_hpc or self.cpus >= many_cores


@lru_cache(maxsize=2048)
def parse_size(name: str) -> Size:
    """Take an Azure size name apart; an unknown form gives a Size with the name alone."""
    match = _SIZE.match(name.strip().lower())
    if not match:
        return Size(name=name)
    family, cpus = match["family"], int(match["cpus"])
    if family in {"g", "gs"} and match["cpus"] in _OLD_G and not match["rest"]:
        cpus = _OLD_G[match["cpus"]]
    parts = [part for part in match["rest"].split("_") if part]
    version = next((part for part in parts if re.fullmatch(r"v\d+", part)), "")
    accelerator = "_".join(part for part in parts if part != version)
    return Size(
        name=name, family=family, cpus=cpus, accelerator=accelerator, version=version, features=match["features"]
    )


def quota_family(name: str) -> str:
    """The vCPU quota's name for a size (`standardNCADSA100v4Family`), compared in lower case; "" when the size is not understood.

    Azure has no rule for these names without exception: use it to connect findings, not to change a quota.
    """
    size = parse_size(name)
    if not size.family:
        return ""
    return f"standard{size.family}{size.features}{size.accelerator.replace('_', '')}{size.version}family"
