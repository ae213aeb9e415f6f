"""Letters of a whole response on the embedded Azure: what they say is what was done there, and hostile names stay on their line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from firebreak.model.mode import Mode
from firebreak.report.letters import KINDS, LANGUAGES, facts_of, write_letter
from tests.flows.room_in_process import alert_bytes, engine_room_of, respond_in

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@pytest.mark.parametrize("scenario", ["crypto-mining", pytest.param("hostile-names", marks=pytest.mark.slow)])
def test_letters_tell_the_incident_as_it_is(scenario: str, tmp_path: Path) -> None:
    world = build(scenario, seed=7, now=NOW)
    with engine_room_of(world, tmp_path) as room:
        ran = respond_in(room, world, alert_bytes(world), mode=Mode.DRY_RUN)
        facts = facts_of(ran.dossier, partner_tenant=room.settings.credential.partner_tenant)
    found = ran.dossier.attribution
    assert found is not None
    assert facts.resources_in_all == sum(str(judged.cls) == "attacker" for judged in found.resources) > 0
    assert facts.subscription == ran.dossier.incident.subscription_id
    assert facts.partner_tenant == world.partner_tenant_id
    assert facts.stopped == facts.removed == 0, "a dry run did nothing"
    for kind in KINDS:
        for language in LANGUAGES:
            letter = write_letter(facts, kind=kind, language=language)
            text = letter.subject + letter.body
            assert all(c.isprintable() or c in "\n\xa0\u202f" for c in text), "spaces that do not break are Babel's"
            assert not {"\u202e", "\u2066"} & set(text)
