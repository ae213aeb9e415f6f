"""Sign-ins beside those of the activity log: people's mail and documents, a printer, guests, the partner, and the noise of the internet.

Written when somebody first asks for the log: each person has a stream of chance of their own, so the order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from azure_simulator.chance import Chance
from azure_simulator.events import token_id
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.identity import places
from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.services.graph import sign_in_rows, sign_ins
from azure_simulator.services.graph.sign_in_rows import SignIn
from azure_simulator.world import Principal, World

DAYS = 31
LEGACY = "Authenticated SMTP"
_NOISE_CLIENTS = ("Authenticated SMTP", "IMAP4", "Other clients")


@dataclass(frozen=True)
class Away:
    """A journey: the address there, and from when until when."""

    address: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Habit:
    """How one person signs in: from where, with a second factor or not, from which hour on (UTC, of the office's offset)."""

    principal: Principal
    addresses: tuple[str, ...]
    mfa: bool
    offset: int
    away: Away | None = None


@dataclass(frozen=True)
class Diary:
    """What is needed to write the log later; a copy of the world has a copy of it."""

    seed: int
    now: datetime
    apps: dict[str, str]
    habits: tuple[Habit, ...]
    printer: Principal
    guests: tuple[Principal, ...]
    agents: tuple[Principal, ...]
    office: str
    sprayed: tuple[Principal, ...]
    noisy: tuple[str, ...]
    offset: int

    def __call__(self, world: World) -> None:
        """Write it all into the world's sign-in log."""
        for habit in self.habits:
            for sign_in in self._days_of(habit):
                sign_ins.write(world, sign_in)
        for sign_in in (*self._printing(), *self._guests(), *self._partner(), *self._noise()):
            sign_ins.write(world, sign_in)

    def _days(self) -> Iterator[datetime]:
        today = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return (today - timedelta(days=back) for back in range(DAYS, -1, -1))

    def _made(
        self, chance: Chance, principal: Principal, at: datetime, address: str, app: str, **more: object
    ) -> Iterator[SignIn]:
        """One sign-in, unless it lies in the future."""
        if at <= self.now:
            token = token_id("diary", chance.guid())
            given = {"resource_id": self.apps[app]} | more
            yield SignIn(principal, at, address, self.apps[app], token, **given)  # type: ignore[arg-type]

    def _days_of(self, habit: Habit) -> Iterator[SignIn]:
        chance = Chance(f"{self.seed}/diary/{habit.principal.object_id}")
        for day in self._days():
            if day.weekday() > 4 and chance.random() > 0.1:
                continue
            address = chance.choices(habit.addresses, (62, 23, 15)[: len(habit.addresses)])[0]
            at = day + timedelta(hours=7.5 + 2.5 * chance.random() - habit.offset)
            if habit.away and habit.away.since <= at <= habit.away.until:
                address = habit.away.address
            who, mfa = habit.principal, habit.mfa
            if chance.random() < 0.03:  # a typing error
                wrong = at - timedelta(seconds=20)
                yield from self._made(chance, who, wrong, address, "OfficeHome", error=50126, mfa=mfa)
            if chance.random() < 0.03:
                yield from self._made(
                    chance, who, at - timedelta(seconds=9), address, "OfficeHome", error=50140, mfa=mfa
                )
            yield from self._made(chance, who, at, address, "OfficeHome", mfa=mfa)
            for app in ("Office 365 Exchange Online", "Microsoft Teams"):
                later = at + timedelta(hours=5 * chance.random(), seconds=chance.randrange(60))
                yield from self._made(
                    chance,
                    who,
                    later,
                    address,
                    app,
                    kind=sign_in_rows.REFRESHED,
                    client=sign_in_rows.DESKTOP,
                    mfa=mfa,
                    protocol="oAuth2",
                )

    def _printing(self) -> Iterator[SignIn]:
        """A printer that sends what it scanned, by a protocol that knows no second factor."""
        chance = Chance(f"{self.seed}/diary/printer")
        for day in self._days():
            for _ in range(chance.randrange(2, 6) if day.weekday() < 5 else 0):
                at = day + timedelta(hours=8 + 9 * chance.random() - self.offset)
                yield from self._made(
                    chance,
                    self.printer,
                    at,
                    self.office,
                    "Office 365 Exchange Online",
                    client=LEGACY,
                    mfa=False,
                    device={},
                )

    def _guests(self) -> Iterator[SignIn]:
        """Consultants of another company, twice a week, from where they always are."""
        for number, guest in enumerate(self.guests):
            chance = Chance(f"{self.seed}/diary/{guest.object_id}")
            for day in self._days():
                if day.weekday() in (1, 3):
                    at = day + timedelta(hours=9 + 5 * chance.random() - self.offset)
                    more = {
                        "crossTenantAccessType": "b2bCollaboration",
                        "homeTenantId": "66666666-6666-4666-8666-666666666666",
                    }
                    address = f"2001:db8:c0::{number + 1}"
                    yield from self._made(chance, guest, at, address, "Office 365 SharePoint Online", more=more)

    def _partner(self) -> Iterator[SignIn]:
        """The partner's people look in once a week, by their delegated access."""
        chance = Chance(f"{self.seed}/diary/partner")
        for day in self._days():
            if day.weekday() == 2:
                at = day + timedelta(hours=10 + 3 * chance.random() - self.offset)
                more = {"crossTenantAccessType": "serviceProvider"}
                agent = chance.choice(self.agents)
                yield from self._made(chance, agent, at, "2001:db8:f00d::5", "Azure Portal", more=more)

    def _noise(self) -> Iterator[SignIn]:
        """Passwords that are tried at mailboxes from everywhere, every day, and never fit."""
        chance = Chance(f"{self.seed}/diary/noise")
        for day in self._days():
            for _ in range(chance.randrange(1, 6)):
                at = day + timedelta(hours=24 * chance.random())
                yield from self._made(
                    chance,
                    chance.choice(self.sprayed),
                    at,
                    chance.choice(self.noisy),
                    "Office 365 Exchange Online",
                    client=chance.choice(_NOISE_CLIENTS),
                    mfa=False,
                    device={},
                    error=chance.choice((50126, 50126, 50126, 50053)),
                )


def keep_diary(directory: Directory) -> None:
    """Settle where everybody is and put the log off until it is asked for."""
    staff, world = directory.staff, directory.world
    places.settle(directory)
    company = staff.company
    habits = [
        Habit(actor.principal, actor.addresses, actor.key != "auditor", company.utc_offset) for actor in staff.people()
    ]
    workers = [(key, p) for key, p in directory.accounts.items() if key.startswith("staff-")]
    for number, (_, principal) in enumerate(workers, start=1):
        home = places.home_of(directory, number)
        habits.append(Habit(principal, (company.office, company.vpn, home), number % 4 == 0, company.utc_offset))
    for number in range(2):
        places.abroad(directory, f"2001:db8:c0::{number + 1}")
    agents = tuple(p for p in world.principals.values() if p.kind == "User" and p.tenant_id == ids.PARTNER_TENANT)
    places.at_home(directory, "2001:db8:f00d::5")
    chance = directory.chance
    noisy = tuple(f"2001:db8:bad:{number:x}::{chance.randrange(1, 9999):x}" for number in range(40))
    for number, address in enumerate(noisy):
        places.unfamiliar(directory, address, number=number)
    everybody = [habit.principal for habit in habits]
    world.unfilled["graph.signIns"] = Diary(
        seed=world.seed,
        now=directory.now,
        apps=dict(directory.material["first_party"]),
        habits=tuple(habits),
        printer=directory.accounts["printer"],
        guests=(directory.accounts["guest-1"], directory.accounts["guest-2"]),
        agents=agents,
        office=company.office,
        sprayed=(*chance.sample(everybody, 5), directory.accounts["printer"]),
        noisy=noisy,
        offset=company.utc_offset,
    )
