"""Five channels that lead to this machine: real blocks on a real Prefect server, real endpoints behind them.

with prefect_server(folder) as api, five_channels(api, folder) as (ends, authorities):
    ...        # send over `CHANNELS`, look at ends.slack.received
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    MicrosoftTeamsWebhook,
    PagerDutyWebHook,
    SlackWebhook,
)
from prefect.settings import PREFECT_API_URL, temporary_settings

from azure_simulator import tls
from firebreak.cli.processes import Processes, free_port
from firebreak.cli.services import prefect_environment
from flows.blocks import Mail
from tests.support.receivers import HttpReceiver, MailReceiver, http_receiver, mail_receiver

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
        yield api


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
