"""Machine sizes: vCPUs, GPUs, memory and quota family, after the public size pages. `SIZES` is by the name as Azure spells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """One size. `family` is the quota's wire name, `title` its localized name."""

    name: str
    vcpus: int
    gpus: int
    memory_gb: float
    family: str
    title: str


# family, title, [(size without "Standard_", vCPUs, GPUs, memory in GB)]
_FAMILIES: tuple[tuple[str, str, tuple[tuple[str, int, int, float], ...]], ...] = (
    ("standardAv2Family", "Standard Av2 Family vCPUs", (("A1_v2", 1, 0, 2), ("A2_v2", 2, 0, 4))),
    (
        "standardBSFamily",
        "Standard BS Family vCPUs",
        (
            ("B1s", 1, 0, 1),
            ("B1ms", 1, 0, 2),
            ("B2s", 2, 0, 4),
            ("B2ms", 2, 0, 8),
            ("B4ms", 4, 0, 16),
            ("B8ms", 8, 0, 32),
        ),
    ),
    (
        "standardDSv2Family",
        "Standard DSv2 Family vCPUs",
        (("DS1_v2", 1, 0, 3.5), ("DS2_v2", 2, 0, 7), ("DS3_v2", 4, 0, 14)),
    ),
    (
        "standardDSv3Family",
        "Standard DSv3 Family vCPUs",
        (("D2s_v3", 2, 0, 8), ("D4s_v3", 4, 0, 16), ("D8s_v3", 8, 0, 32), ("D16s_v3", 16, 0, 64)),
    ),
    (
        "standardDSv4Family",
        "Standard DSv4 Family vCPUs",
        (("D2s_v4", 2, 0, 8), ("D4s_v4", 4, 0, 16), ("D8s_v4", 8, 0, 32)),
    ),
    (
        "standardDSv5Family",
        "Standard DSv5 Family vCPUs",
        (
            ("D2s_v5", 2, 0, 8),
            ("D4s_v5", 4, 0, 16),
            ("D8s_v5", 8, 0, 32),
            ("D16s_v5", 16, 0, 64),
            ("D32s_v5", 32, 0, 128),
            ("D48s_v5", 48, 0, 192),
            ("D64s_v5", 64, 0, 256),
            ("D96s_v5", 96, 0, 384),
        ),
    ),
    (
        "standardDADSv5Family",
        "Standard DADSv5 Family vCPUs",
        (("D2ads_v5", 2, 0, 8), ("D4ads_v5", 4, 0, 16), ("D8ads_v5", 8, 0, 32)),
    ),
    ("standardDSv6Family", "Standard DSv6 Family vCPUs", (("D2s_v6", 2, 0, 8), ("D4s_v6", 4, 0, 16))),
    (
        "standardESv3Family",
        "Standard ESv3 Family vCPUs",
        (("E2s_v3", 2, 0, 16), ("E4s_v3", 4, 0, 32), ("E8s_v3", 8, 0, 64)),
    ),
    (
        "standardESv5Family",
        "Standard ESv5 Family vCPUs",
        (
            ("E2s_v5", 2, 0, 16),
            ("E4s_v5", 4, 0, 32),
            ("E8s_v5", 8, 0, 64),
            ("E16s_v5", 16, 0, 128),
            ("E32s_v5", 32, 0, 256),
            ("E64s_v5", 64, 0, 512),
        ),
    ),
    (
        "standardFSv2Family",
        "Standard FSv2 Family vCPUs",
        (
            ("F2s_v2", 2, 0, 4),
            ("F4s_v2", 4, 0, 8),
            ("F8s_v2", 8, 0, 16),
            ("F16s_v2", 16, 0, 32),
            ("F32s_v2", 32, 0, 64),
            ("F48s_v2", 48, 0, 96),
            ("F64s_v2", 64, 0, 128),
            ("F72s_v2", 72, 0, 144),
        ),
    ),
    ("standardMSFamily", "Standard MS Family vCPUs", (("M64s", 64, 0, 1024), ("M128s", 128, 0, 2048))),
    (
        "standardNCSv3Family",
        "Standard NCSv3 Family vCPUs",
        (("NC6s_v3", 6, 1, 112), ("NC12s_v3", 12, 2, 224), ("NC24s_v3", 24, 4, 448)),
    ),
    (
        "Standard NCASv3_T4 Family",
        "Standard NCASv3_T4 Family vCPUs",
        (
            ("NC4as_T4_v3", 4, 1, 28),
            ("NC8as_T4_v3", 8, 1, 56),
            ("NC16as_T4_v3", 16, 1, 110),
            ("NC64as_T4_v3", 64, 4, 440),
        ),
    ),
    (
        "standardNCADSA100v4Family",
        "Standard NCADS_A100_v4 Family vCPUs",
        (("NC24ads_A100_v4", 24, 1, 220), ("NC48ads_A100_v4", 48, 2, 440), ("NC96ads_A100_v4", 96, 4, 880)),
    ),
    (
        "standardNCadsH100v5Family",
        "Standard NCadsH100v5 Family vCPUs",
        (("NC40ads_H100_v5", 40, 1, 320), ("NC80adis_H100_v5", 80, 2, 640)),
    ),
    ("standardNDSv2Family", "Standard NDSv2 Family vCPUs", (("ND40rs_v2", 40, 8, 672),)),
    ("standardNDASv4_A100Family", "Standard NDASv4_A100 Family vCPUs", (("ND96asr_v4", 96, 8, 900),)),
    ("standardNDAMSv4_A100Family", "Standard NDAMSv4_A100 Family vCPUs", (("ND96amsr_A100_v4", 96, 8, 1900),)),
    (
        "standardNVADSA10v5Family",
        "Standard NVADSA10v5 Family vCPUs",
        (
            ("NV6ads_A10_v5", 6, 1, 55),
            ("NV18ads_A10_v5", 18, 1, 220),
            ("NV36ads_A10_v5", 36, 1, 440),
            ("NV72ads_A10_v5", 72, 2, 880),
        ),
    ),
    ("standardHBrsv2Family", "Standard HBrsv2 Family vCPUs", (("HB120rs_v2", 120, 0, 456),)),
    ("standardHBv3Family", "Standard HBv3 Family vCPUs", (("HB120rs_v3", 120, 0, 448),)),
    ("standardHCSFamily", "Standard HCS Family vCPUs", (("HC44rs", 44, 0, 352),)),
)

SIZES: dict[str, Size] = {
    f"Standard_{name}": Size(f"Standard_{name}", vcpus, gpus, memory, family, title)
    for family, title, rows in _FAMILIES
    for name, vcpus, gpus, memory in rows
}
_BY_LOWER_NAME = {name.lower(): size for name, size in SIZES.items()}


def size_of(name: str) -> Size | None:
    """The size of that name in any case, None when it is not in the table."""
    return _BY_LOWER_NAME.get(name.lower())
