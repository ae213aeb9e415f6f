"""`firebreak replay --in-prefect`: starts replays as runs of the Prefect UI and says where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from firebreak.bundle import open_bundle
from firebreak.cli.output import print_json, safe, stdout
from firebreak.cli.services import find_services, use_services
from firebreak.errors import ContentError
from firebreak.replay import Policy
from firebreak.settings import Settings


def tell_started(places: Sequence[Path], playbook: str, decide: Policy, *, as_json: bool) -> None:
    """Start one run for each bundle and print its address.

    Raises:
        ContentError: no Prefect server runs here.
        BundleError, IntegrityError: a bundle cannot be opened; none is started.
        PrefectError: the server has no deployment for replays.
    """
    services = find_services(Settings.load().home)
    if services is None:
        raise ContentError(
            "No Prefect server runs here.", hint="Start one with: firebreak up. Or leave --in-prefect out."
        )
    use_services(services)
    from flows.start import start_replay

    for place in places:
        with open_bundle(place) as bundle:
            bundle.verify()
    book = str(Path(playbook).resolve()) if playbook and Path(playbook).exists() else playbook
    rows = []
    for place in places:
        run = asyncio.run(start_replay(str(place.resolve()), book, decide.value))
        rows.append({"bundle": str(place), "flow_run": run, "url": services.run_url(run)})
    if as_json:
        print_json(rows[0] if len(rows) == 1 else {"started": rows})
        return
    for row in rows:
        stdout.print(f"{safe(row['bundle'], 300)}: {row['url']}", soft_wrap=True)
