"""Puts a world together: tenant, history, attack, bill, alert, truth, and the attacker who still listens."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from azure_simulator import truth
from azure_simulator.attacker import Attacker
from azure_simulator.chance import Chance
from azure_simulator.clock import Clock
from azure_simulator.scenarios import (
    access,
    alerts,
    attack,
    attack_identity,
    commerce,
    costs,
    estate,
    hostile_names,
    identity,
    ids,
    people,
    prices,
    routines,
)
from azure_simulator.scenarios.identity import partner_posture
from azure_simulator.scenarios.log import Log
from azure_simulator.world import World

SCENARIOS = (
    "crypto-mining",
    "service-principal-abuse",
    "false-alarm",
    "hijacked-owner",
    "insider-automation",
    "quiet-persistence",
    "identity-only",
    "hostile-names",
)


def build_world(name: str, *, seed: int, now: datetime, scale: int = 1, real_time: bool = False) -> World:
    """Build the world of scenario `name` as it is at `now` (aware, UTC). The same arguments give the same world, byte for byte.

    `scale` multiplies machines and events, of the tenant and of the attack. With `real_time` the world's clock goes on with real time.

    Raises:
        ValueError: no such scenario, a scale below 1, or a `now` without time zone.
    """
    if name not in SCENARIOS:
        raise ValueError(f"There is no scenario {name!r}. Choose one of: {', '.join(SCENARIOS)}.")
    if scale < 1:
        raise ValueError(f"The scale must be 1 or more, not {scale}.")
    chance = Chance(seed)
    world = World(
        seed=seed,
        clock=Clock(now, real_time=real_time),
        chance=chance.child("runtime"),
        scenario=name,
        tenant_id=ids.CUSTOMER_TENANT,
        partner_tenant_id=ids.PARTNER_TENANT,
    )
    script, material = prices.read_yaml(f"{name}.yaml"), prices.read_yaml("tenant.yaml")
    company = people.found_company(chance.child("company"), material)
    commerce.subscribe(world, company)
    commerce.partner_with(world, company)
    staff = people.hire(world, chance.child("people"), material, company)
    access.define(world)
    owned = estate.build(world, chance.child("estate"), material, company, staff, now, scale)
    access.assign(world, chance.child("access"), staff, owned.groups_of(), now)
    access.protect(world, [place.group for place in owned.places if place.locked], now)
    access.govern(world, staff, company.regions, now, deny=script["policy"] == "deny")
    commerce.limit_quotas(world, company)
    licence = str(script.get("licence", "p2"))
    directory = identity.found(
        world, chance.child("identity"), staff, prices.read_yaml("directory.yaml"), material, now, licence
    )
    log = Log(chance.child("log"), now)
    routines.write(routines.Shift(log, chance.child("routine"), staff, owned, now, scale))
    laid = attack.lay(world, log, chance.child(f"attack/{name}"), staff, owned, script, now, scale)
    log.write_to(world)
    attack_identity.lay(laid, directory)
    table = prices.Prices.load()
    prices.fill(world, chance.child("prices"), table, _regions(world))
    costs.fill(world, chance.child("costs"), table, company.utc_offset, now)
    commerce.budget(world, company, _monthly(world, now), now)
    alerts.raise_alert(laid)
    if script.get("hostile"):
        hostile_names.write_all_over(world)
    partner_posture.furnish(directory, chance.child("partner-posture"), hostile=bool(script.get("hostile")))
    world.truth = attack.truth_of(laid)
    truth.remember(world)
    Attacker.enlist(world, laid.stem)
    return world


def _regions(world: World) -> list[str]:
    """Every region that has a resource, and a few more that somebody may flee to."""
    used = dict.fromkeys(str(row["location"]) for row in world.resources.values())
    used |= dict.fromkeys(("westeurope", "eastus", "northeurope"))
    return [region for region in used if region in ids.REGIONS]


def _monthly(world: World, now: datetime) -> float:
    since = (now - timedelta(days=40)).date()
    until = (now - timedelta(days=10)).date()
    return float(sum((row.cost for row in world.costs if since <= row.day < until), Decimal(0)))
