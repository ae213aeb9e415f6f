"""The doctor tries what the identity review reads, and tells a missing permission from a missing licence."""

from __future__ import annotations

from datetime import UTC, datetime

from firebreak.cli.doctor import identity_reads
from tasks import directory
from tests.steps.fakes import FakeEyes

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


async def test_permission_fails_licence_does_not_and_absence_is_not_taken_for_readable() -> None:
    answers = {read.path: {"value": []} for read in directory.PROBED} | {
        "/v1.0/auditLogs/directoryAudits": {"error": "forbidden"},
        "/v1.0/identityProtection/riskyUsers": {"error": "unlicensed"},
        "/v1.0/subscribedSkus": None,
    }
    eyes = FakeEyes({"graph": answers}, now=NOW, subscription_id="s")
    checks = {check.name.removeprefix("identities: "): check for check in await identity_reads(eyes, "/beta")}
    assert set(checks) == {read.what for read in directory.PROBED}
    assert not checks["changes of the directory"].ok
    assert "AuditLog.Read.All and Directory.Read.All" in checks["changes of the directory"].hint
    assert checks["people at risk"].ok
    assert "Entra ID P2" in checks["people at risk"].detail
    assert not checks["the licences of the tenant"].ok
    bad = {"changes of the directory", "the licences of the tenant"}
    assert all(check.ok for name, check in checks.items() if name not in bad)
    assert "/beta/auditLogs/signIns?$top=1" in eyes.graph.asked
