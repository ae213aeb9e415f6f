"""`firebreak replay`: past incidents over again with today's playbook and code, and how their plans differ from those of then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import typer

from firebreak.bundle import ACCEPTED, Bundle, accepting, open_bundle, put_file
from firebreak.bundle.documents import INCIDENT
from firebreak.cli.output import Json, print_error, print_json, safe, say, stderr, stdout
from firebreak.cli.replay_many import carried_each, replay_each
from firebreak.cli.replay_page import print_one, print_table
from firebreak.cli.replay_started import tell_started
from firebreak.cli.respond import requester
from firebreak.cli.what_if import carry_in_world, moment_given
from firebreak.cli.what_if_page import print_what_if
from firebreak.errors import BundleError, ContentError, ResponseError
from firebreak.model.playbook import Playbook
from firebreak.replay import Policy, stage_replay
from firebreak.replay.books import Chosen, book_for, playbooks_named
from firebreak.replay.no_network import no_connections
from firebreak.replay.result import Replayed, result_json, result_of
from firebreak.replay.staged import Staged
from firebreak.report.dossier import Dossier
from firebreak.settings import Settings
from tasks.registry import load_steps


def replay(
    bundle: list[Path] = typer.Argument(..., help="Incident bundles: folders or zips, or a folder that holds some."),
    playbook: str = typer.Option(
        "",
        help="Replay with this playbook: a file, an id, or a folder from which each bundle gets the playbook of its id (default: the playbook of then, "
        "from the bundle).",
    ),
    decide: Policy = typer.Option(
        Policy.RECORDED,
        help="How gates are answered: as they were then, all with yes, all with no, or by a person (with --in-prefect).",
    ),
    in_prefect: bool = typer.Option(
        False,
        "--in-prefect",
        help="Start each replay as a run in the Prefect UI of firebreak up or demo, marked as a dry-run.",
    ),
    update: bool = typer.Option(
        False, "--update", help="Accept the plans of now: later replays are compared with them. Needs --reason."
    ),
    reason: str = typer.Option("", help="Why the plans of now are right; kept in the bundle's accepted.json."),
    world: bool = typer.Option(
        False,
        "--world",
        help="What if: carry the approved plans out on the embedded Azure with the recorded subscription in it, and tell the effects.",
    ),
    contained_at: str = typer.Option(
        "",
        help="With --world: the plans were carried out at this time (ISO 8601, UTC; default: when the alert was raised). What the attacker did "
        "after it is tried once more.",
    ),
    out: Path | None = typer.Option(None, help="Keep the reports of the replays below this folder."),
    jobs: int = typer.Option(0, min=0, help="How many bundles to replay at a time (default: one for each processor)."),
    as_json: bool = Json,
) -> None:
    """Replay incidents on their recorded evidence, at their time, and compare the plans with those that were decided then.

    Nothing is connected to and nothing is written to any cloud; settings, store and time of this machine play no part. A question that was not
    recorded is told as not looked at. Exit code 2 when a plan changed.
    """
    if update and not reason.strip():
        raise ContentError("--update needs a reason.", hint='Say why the new plans are right: --reason "..."')
    if in_prefect and (update or out or world):
        raise ContentError(
            "--in-prefect starts runs; it cannot be combined with --update, --out or --world.", hint="Leave one out."
        )
    if decide is Policy.PERSON and not in_prefect:
        raise ContentError("--decide person needs the Prefect UI.", hint="Add --in-prefect, with firebreak up running.")
    since = moment_given(contained_at) if contained_at else None
    if since and not world:
        raise ContentError("--contained-at belongs to --world.", hint="Add --world.")
    if in_prefect:
        tell_started([found for path in bundle for found in _bundles(path)], playbook, decide, as_json=as_json)
        return
    chosen = playbooks_named(playbook, load_steps(), Settings.load().home)
    places = [found for path in bundle for found in _bundles(path)]
    done: list[Replayed] = []
    failed: dict[str, ResponseError] = {}
    quiet = as_json or len(places) > 1
    one = partial(_one, chosen=chosen, policy=decide, out=out, quiet=quiet)
    if world:
        one_there = partial(_one_in_world, chosen=chosen, policy=decide, out=out, quiet=quiet, since=since)
        each = carried_each(places, one_there)
    else:
        each = replay_each(places, one, jobs)
    for place, came in each:
        if isinstance(came, Replayed):
            done.append(came)
            if update and came.is_changed:
                _accept(place, came, reason)
        elif len(places) == 1:
            raise came
        else:
            failed[str(place)] = came
            print_error(came, as_json=False)
    _tell(done, failed, as_json=as_json, single=len(places) == 1, update=update)
    if failed:
        raise typer.Exit(1)
    if any(one.is_changed for one in done) and not update:
        raise typer.Exit(2)


def _one(
    place: Path,
    *,
    chosen: Chosen,
    policy: Policy,
    out: Path | None,
    quiet: bool,
) -> Replayed:
    with open_bundle(place, check_evidence=False) as bundle:
        home = (out / place.name.removesuffix(".zip")).absolute() if out else None
        try:
            with stage_replay(
                bundle, load_steps(), playbook=_book_for(bundle, chosen), policy=policy, home=home
            ) as staged:
                dossier = _course(staged, _nothing if quiet else say)
                bundle.check_evidence()
                return result_of(str(place), staged, policy, dossier)
        except ResponseError:
            bundle.check_evidence()  # what is damaged is the reason of whatever else went wrong
            raise


def _one_in_world(
    place: Path, *, chosen: Chosen, policy: Policy, out: Path | None, quiet: bool, since: datetime | None
) -> Replayed:
    tell = _nothing if quiet else say
    with open_bundle(place) as bundle:
        home = (out / place.name.removesuffix(".zip")).absolute() if out else None
        with stage_replay(bundle, load_steps(), playbook=_book_for(bundle, chosen), policy=policy, home=home) as staged:
            with no_connections():
                dossier = _course(staged, tell)
            done = result_of(str(place), staged, policy, dossier)
            return replace(done, what_if=carry_in_world(staged, dossier, since, tell))


def _course(staged: Staged, tell: Callable[[str], None]) -> Dossier:
    from flows.replay import replay as run

    found: list[Dossier] = []

    async def work() -> None:
        # No result of the task: when the runner puts the signal handler back, Python spells the task out, result and all.
        found.append(await run(staged, tell))

    asyncio.run(work())
    return found[0]


def _nothing(_: str) -> None:
    """For replays whose progress nobody needs."""


def _book_for(bundle: Bundle, chosen: Chosen) -> Playbook | None:
    found = book_for(bundle, chosen)
    if found is None and chosen is not None:
        stderr.print(
            f"[dim]·[/] {safe(bundle.place, 400)}: no playbook {safe(bundle.head.playbook.id)} there; the one of then is used."
        )
    return found


def _bundles(path: Path) -> list[Path]:
    """A bundle, or the bundles in a folder, by name.

    Raises:
        BundleError: there is none.
    """
    if not path.is_dir() or (path / INCIDENT).exists():
        return [path]
    seen = [entry for entry in path.iterdir() if not entry.name.startswith(".")]  # hidden: litter, or half written
    found = sorted(entry for entry in seen if entry.suffix.lower() == ".zip" or (entry / INCIDENT).is_file())
    if not found:
        raise BundleError(f"There is no bundle in {path}.", hint="A bundle is a zip, or a folder with incident.yaml.")
    return found


def _accept(place: Path, one: Replayed, reason: str) -> None:
    told = one.acceptance(at=datetime.now(UTC), who=requester(), reason=reason.strip()[:2000])
    plans = {str(plan.digest): plan for plan in one.plans.values()}
    put_file(place, ACCEPTED, accepting(one.bundle.accepted, told, plans))


def _tell(
    done: list[Replayed], failed: Mapping[str, ResponseError], *, as_json: bool, single: bool, update: bool
) -> None:
    if as_json:
        told: list[dict[str, Any]] = [result_json(one) | {"updated": update and one.is_changed} for one in done]
        errors = [
            {"bundle": place, "error": {"code": e.code, "message": e.message, "hint": e.hint}}
            for place, e in failed.items()
        ]
        print_json(told[0] if single else {"replays": [*told, *errors], "changed": sum(one.is_changed for one in done)})
        return
    if single:
        print_one(done[0])
    else:
        for one in done:
            if one.is_changed:
                print_one(one, brief=True)
        print_table(done, failed)
    for one in done:
        if one.what_if is not None:
            print_what_if(one.what_if)
    accepted = [one for one in done if update and one.is_changed]
    if accepted:
        stdout.print(
            f"Accepted the plans of {', '.join(safe(one.name, 300) for one in accepted)}; the reason is in {ACCEPTED}."
        )
