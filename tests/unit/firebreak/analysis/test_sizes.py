"""Names of machine sizes, taken apart."""

from __future__ import annotations

import pytest

from firebreak.analysis.sizes import parse_size, quota_family


@pytest.mark.parametrize(
    ("name", "family", "cpus", "gpu", "expensive"),
    [
        ("Standard_NC24ads_A100_v4", "nc", 24, True, True),
        ("standard_nc6s_v3", "nc", 6, True, True),
        ("Standard_ND96asr_v4", "nd", 96, True, True),
        ("Standard_HB120rs_v3", "hb", 120, False, True),
        ("Standard_F72s_v2", "f", 72, False, True),
        ("Standard_D4s_v5", "d", 4, False, False),
        ("Standard_E64-16ds_v4", "e", 64, False, True),
        ("Standard_G5", "g", 32, False, True),
        ("Basic_A0", "a", 0, False, False),
        ("made up by somebody", "", 0, False, False),
        ("", "", 0, False, False),
    ],
)
def test_sizes(name: str, family: str, cpus: int, gpu: bool, expensive: bool) -> None:
    size = parse_size(name)
    assert (size.family, size.cpus, size.is_gpu, size.is_expensive()) == (family, cpus, gpu, expensive)


def test_the_quota_name_of_a_size() -> None:
    assert quota_family("Standard_NC24ads_A100_v4") == "standardNCADSA100v4Family".lower()
    assert quota_family("Standard_D4s_v5") == "standarddsv5family"
    assert quota_family("???") == ""
