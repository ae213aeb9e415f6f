from __future__ import annotations

from decimal import Decimal

import pytest

from firebreak.errors import RejectedError, RemoteError, ScopeError
from tests.support.tiny_service import BASE, TinyService, tiny

PRICES = "/prices/api/retail/prices"
ACCOUNT = f"{BASE}/blob/acct1"


def price(amount: float, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "retailPrice": amount, "unitOfMeasure": "1 Hour", "type": "Consumption", "skuName": "D2s v5", "meterName": "D2s v5",
        "productName": "Virtual Machines Dsv5 Series", "armSkuName": "Standard_D2s_v5",
    }  # fmt: skip
    return row | changes


async def test_a_plan_of_defender_costs_what_its_own_meter_says_here() -> None:
    def row(amount: object, region: str, **changes: object) -> dict[str, object]:
        return price(0, armRegionName=region, meterName="Standard P2 Node", **changes) | {"retailPrice": amount}

    rows = [
        row(0.02, "westeurope"), row(0.025, "brazilsouth"), row(0.03, "US Gov"), row(0.01, "Global"), row(0, "westeurope"),
        row(9, "westeurope") | {"meterName": "Standard P1 Node"}, row(5, "eastus", unitOfMeasure="10K"), row(True, "eastus"),
        row(7, "japaneast", unitOfMeasure="1/Month"),
    ]  # fmt: skip
    service = TinyService().answer("GET", PRICES, {"Items": rows, "NextPageLink": None})
    async with tiny(service) as connection:
        prices = connection.eyes.prices
        for regions, expected in (
            (("westeurope",), "14.60"),
            (("WestEurope", "brazilsouth"), "18.25"),
            (("nowhere",), "7.30"),
            (("japaneast",), "7.00"),
            (("eastus",), None),
        ):
            found = await prices.defender_per_month("Microsoft Defender for Servers", "Standard P2 Node", regions)
            assert found == (Decimal(expected) if expected else None), regions
        assert (
            await prices.defender_per_month("Microsoft Defender for Servers", "Standard P3 Node", ("eastus",)) is None
        )
    assert len(service.arrived) == 1


async def test_the_price_of_a_machine_depends_on_spot_and_windows_and_is_asked_once() -> None:
    rows = [
        price(0.096), price(0.0), price(0.1), price(0.02, skuName="D2s v5 Spot"), price(0.03, meterName="D2s v5 Low Priority"),
        price(0.188, productName="Virtual Machines Dsv5 Series Windows"), price(50, unitOfMeasure="1 Month"), price(0.01, type="DevTestConsumption"),
    ]  # fmt: skip
    service = TinyService().answer("GET", PRICES, {"Items": rows[:4], "NextPageLink": f"{BASE}{PRICES}2?$skip=4"})
    service.answer("GET", f"{PRICES}2", {"Items": rows[4:], "NextPageLink": None})
    async with tiny(service) as connection:
        prices = connection.eyes.prices
        for spot, windows, expected in (
            (False, False, "0.096"),
            (True, False, "0.02"),
            (False, True, "0.188"),
            (True, True, None),
        ):
            found = await prices.machine_per_hour("westeurope", "Standard_D2s_v5", spot=spot, windows=windows)
            assert found == (Decimal(expected) if expected else None)
    assert len(service.arrived) == 2
    assert "authorization" not in service.arrived[0].headers


async def test_a_disk_is_billed_by_the_tier_above_its_size() -> None:
    row = price(
        19.71,
        unitOfMeasure="1/Month",
        meterName="P10 LRS Disk",
        skuName="P10 LRS",
        productName="Premium SSD Managed Disks",
    )
    service = TinyService().answer("GET", PRICES, {"Items": [row], "NextPageLink": None})
    async with tiny(service) as connection:
        prices = connection.eyes.prices
        assert await prices.disk_per_month("westeurope", "Premium_LRS", 100) == Decimal("19.71")
        assert await prices.disk_per_month("westeurope", "UltraSSD_LRS", 100) is None
        assert await prices.disk_per_month("westeurope", "Premium_LRS", 99_999) is None
    assert "P10%20LRS" in service.arrived[0].query


async def test_a_price_list_that_is_none_is_an_error() -> None:
    service = TinyService().answer("GET", PRICES, {"Error": {}})
    async with tiny(service) as connection:
        with pytest.raises(RemoteError):
            await connection.eyes.prices.machine_per_hour("x", "y'; drop", spot=False, windows=False)


CONTAINERS = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Containers><Container><Name>vhds</Name></Container><Container><Name>../x</Name></Container></Containers><NextMarker/></EnumerationResults>'


def blob_page(name: str, kind: str = "PageBlob", lease: str = "unlocked", marker: str = "") -> bytes:
    return (
        f"<?xml version='1.0'?><EnumerationResults><Blobs><Blob><Name>{name}</Name><Properties><Creation-Time>Fri, 20 Nov 2026 02:11:05 GMT</Creation-Time>"
        f"<Etag>0x8D</Etag><Content-Length>1024</Content-Length><BlobType>{kind}</BlobType><LeaseStatus>{lease}</LeaseStatus>"
        f"<LeaseState>{'leased' if lease == 'locked' else 'available'}</LeaseState></Properties></Blob></Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    ).encode()


async def test_page_blobs_of_all_containers_are_listed() -> None:
    service, asked = TinyService(), list[tuple[str, str]]()
    service.answer("GET", "/blob/acct1", CONTAINERS)
    service.answer("GET", "/blob/acct1/vhds", blob_page("os disk.vhd", marker="m1"))
    service.answer("GET", "/blob/acct1/vhds", blob_page("leased.vhd", lease="locked", marker="m2"))
    service.answer("GET", "/blob/acct1/vhds", blob_page("notes.txt", kind="BlockBlob"))
    async with tiny(service, asked=asked) as connection:
        first, second = await connection.eyes.blobs.page_blobs(ACCOUNT + "/")
    assert first == {
        "name": "os disk.vhd", "container": "vhds", "url": f"{ACCOUNT}/vhds/os%20disk.vhd", "size": 1024, "leased": False, "etag": "0x8D",
        "created_at": "2026-11-20T02:11:05Z", "blob_type": "PageBlob",
    }  # fmt: skip
    assert second["leased"]
    assert {scope for _, scope in asked} == {"https://storage.azure.com/.default"}
    assert "marker=m1" in service.arrived[2].query


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/vhds/a.vhd",
        "http://acct.blob.core.windows.net/vhds/a.vhd",
        "https://core.windows.net.evil.example/a",
        "https://acct.blob.core.windows.net:444/a",
        "https://acct.blob.core.windows.net/a?sv=1&sig=x",
        "https://acct.blob.core.windows.net/../a",
        "https://u@acct.blob.core.windows.net/a",
        "https://evilcore.windows.net/a",
    ],
)
async def test_no_token_goes_to_a_host_that_is_not_storage(url: str) -> None:
    service, asked = TinyService(), list[tuple[str, str]]()
    async with tiny(service, asked=asked) as connection:
        for attempt in (
            connection.eyes.blobs.page_blobs(url),
            connection.eyes.blobs.blob(url),
            connection.hands.blobs.delete(url, "e"),
        ):
            with pytest.raises(ScopeError):
                await attempt
    assert service.seen == []
    assert asked == []


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", b"<EnumerationResults><Contain", b"{}", b""]
)
async def test_xml_with_entities_or_cut_off_is_refused(content: bytes) -> None:
    service = TinyService().answer("GET", "/blob/acct1", content, headers={"content-type": "application/xml"})
    async with tiny(service) as connection:
        with pytest.raises(RemoteError, match="unreadable"):
            await connection.eyes.blobs.page_blobs(ACCOUNT)


async def test_a_blob_is_deleted_only_as_it_was_seen() -> None:
    path = "/blob/acct1/vhds/a.vhd"
    service = TinyService()
    service.answer("PUT", path, status=201, headers={"x-ms-snapshot": "2026-11-20T03:00:00.0000000Z"})
    service.answer(
        "DELETE",
        path,
        b"<?xml version='1.0'?><Error><Code>ConditionNotMet</Code><Message>changed</Message></Error>",
        status=412,
    )
    service.answer("DELETE", path, status=202)
    service.answer(
        "HEAD",
        path,
        headers={"Content-Length": "0", "ETag": '"e"', "x-ms-lease-status": "locked", "x-ms-blob-type": "PageBlob"},
    )
    async with tiny(service) as connection:
        url = f"{BASE}{path}"
        looked = await connection.eyes.blobs.blob(url)
        assert looked is not None
        assert looked | {"url": "", "created_at": ""} == {
            "name": "a.vhd", "container": "vhds", "url": "", "size": 0, "leased": True, "etag": "e", "created_at": "", "blob_type": "PageBlob",
        }  # fmt: skip
        assert "2026" in (await connection.hands.blobs.snapshot(url)).note
        with pytest.raises(RejectedError, match="ConditionNotMet: changed"):
            await connection.hands.blobs.delete(url, "e")
        assert (await connection.hands.blobs.delete(url, "e")).status == 202
        assert await connection.eyes.blobs.blob(f"{BASE}/blob/acct1/vhds/gone.vhd") is None
    assert service.arrived[1].query == "comp=snapshot"
    assert service.arrived[2].headers["if-match"] == '"e"'
