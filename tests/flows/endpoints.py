"""Five channels that lead to this machine: real blocks on a real Prefect server, real endpoints behind them.

with prefect_server(folder) as api, five_channels(api, folder) as (ends, authorities):
    ...        # send over `CHANNELS`, look at ends.slack.received
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec
from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    MicrosoftTeamsWebhook,
    PagerDutyWebHook,
    SlackWebhook,
)
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from azure_simulator import tls
from firebreak.approval import GateView
from firebreak.cli.processes import Processes, free_port
from firebreak.cli.services import prefect_environment
from firebreak.engine import EngineRoom
from firebreak.model.facts import BurnRate
from firebreak.model.mode import Mode
from flows.blocks import Mail
from flows.notices import tell_people
from tests.support.receivers import HttpReceiver, MailReceiver, http_receiver, mail_receiver
from tests.unit.firebreak.execution.builders import Office, make_gate, make_incident, make_small_plan

UI = "https://ir.example.com"
RUN = "0198f3a2-7c1e-7b52-9d14-6d1f0a7f4a10"
HOSTILE = (
    "<!channel> <@U024BE7LH> <http://evil.example|Sign in> [Sign in](http://evil.example) <at>boss</at> "
    "<img src=x onerror=alert(1)> {{ 7*7 }} {% raw %} *bold* _it_ `code` @here www.evil.example\r\nBcc: thief@evil.example\x1b[2J\u202e"
)
TOKENS = {
    "slack": "T0CANARY9/B0CANARY9/slackCANARY0123456789ab",
    "teams": "teamsCANARYsignature0123456789",
    "pager": "pagerCANARYapikey0123456789",
    "integration": "integrationCANARY012345678901234",
    "webhook": "webhookCANARYtoken0123456789",
    "password": "mailCANARYpassw0rd/with:signs@0123",
}
CHANNELS = SLACK, TEAMS, PAGER, HOOK, MAIL = (
    "slack-webhook/responders",
    "ms-teams-webhook/responders",
    "pager-duty-webhook/oncall",
    "custom-webhook/siem",
    "firebreak-mail/oncall",
)


@dataclass
class Ends:
    """Where the five channels lead."""

    slack: HttpReceiver
    teams: HttpReceiver
    pager: HttpReceiver
    hook: HttpReceiver
    mail: MailReceiver

    def forget(self) -> None:
        """Nothing came, and everything is taken."""
        for one in (self.slack, self.teams, self.pager, self.hook):
            one.received.clear()
            one.status = 200
        self.mail.mails.clear()
        self.mail.recipients.clear()
        self.mail.refuses = False


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """A Prefect server as `firebreak up` starts it; yields the address of its API."""
    with Processes(home / "logs") as processes:
        port = free_port()
        api = f"http://127.0.0.1:{port}/api"
        environment = prefect_environment(os.environ, home, api)
        processes.start(
            "prefect-server", ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)], environment
        )
        processes.wait_for("prefect-server", f"{api}/health", seconds=240)
        try:
            yield api
        finally:
            # What was not sent yet would be sent to nobody when the tests end, and each try waits.
            EventsWorker.drain_all(timeout=20)


@contextmanager
def five_channels(api: str, folder: Path) -> Iterator[tuple[Ends, Path]]:
    """The endpoints, a block for each, and the file of authorities that signed the one with TLS."""
    certificates = tls.write(folder)
    both = folder / "both.pem"
    both.write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
    with ExitStack() as stack:
        found = Ends(
            *(stack.enter_context(http_receiver(certificate=one)) for one in (None, both, None, None)),
            stack.enter_context(mail_receiver()),
        )
        with temporary_settings({PREFECT_API_URL: api}):
            _save_blocks(found)
        yield found, certificates.ca


def _save_blocks(ends: Ends) -> None:
    teams = f"{ends.teams.url.replace('127.0.0.1', 'localhost')}/workflows/flow1/triggers/manual/paths/invoke"
    query = f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={TOKENS['teams']}"
    blocks: dict[str, Block] = {
        SLACK: SlackWebhook(url=f"https://hooks.slack.com/services/{TOKENS['slack']}"),
        TEAMS: MicrosoftTeamsWebhook(url=teams + query, include_image=False),
        PAGER: PagerDutyWebHook(api_key=TOKENS["pager"], integration_key=TOKENS["integration"]),
        HOOK: CustomWebhookNotificationBlock(
            name="siem",
            url=f"{ends.hook.url}/{{{{token}}}}",
            secrets={"token": TOKENS["webhook"]},
            json_data={"title": "{{subject}}", "text": "{{body}}"},
        ),
        MAIL: Mail(
            host="127.0.0.1",
            port=ends.mail.port,
            security="none",
            sender="firebreak@contoso.example",
            recipients=["oncall@contoso.example", "boss@contoso.example"],
        ),
    }
    for place, block in blocks.items():
        block.save(place.partition("/")[2], overwrite=True)


@dataclass
class Installation:
    """An engine room on a fake clock, with people, and what was logged while they were told."""

    room: EngineRoom
    office: Office
    warned: list[str] = field(default_factory=list)

    def ask(self, incident: str = "INC-1a2b3c4d", *, mode: Mode = Mode.LIVE, title: str = "Contain it") -> GateView:
        opened = msgspec.structs.replace(make_incident(incident, title=HOSTILE), mode=mode)
        self.room.store.values.set(incident, "flow_run", RUN)
        burn = BurnRate(currency="EUR", rogue_per_hour=Decimal("61.20"), lost=Decimal(430))
        self.room.store.steps.begin(incident, 1, "investigate", "investigate.burn_rate")
        self.room.store.facts.save(incident, 1, "investigate.burn_rate", burn)
        gate = make_gate(title=title, expires_after_minutes=60, escalate_after_minutes=30, escalate_to=("owner",))
        return self.office.desk.open(self.office.add(opened), make_small_plan(), gate, 1)

    def tell(self) -> int:
        return asyncio.run(tell_people(self.room, self.warned.append))

    def records(self, incident: str = "INC-1a2b3c4d") -> list[tuple[str, str]]:
        kinds = ("notice.delivered", "notice.undelivered", "notice.given_up")
        found = [r for r in self.room.audit.records(incident) if r.kind in kinds]
        return [(r.kind, str(r.data.get("channel", ""))) for r in found]
