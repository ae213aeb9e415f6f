"""The map: a sketch of the world with the attacker's regions and the customer's, drawn by hand as SVG. Pure.

Circles are the attacker's, squares the customer's, rings where the attacker only tried. What lies too close is pushed apart. The picture
holds numbers and names of regions from our own list; a region that is not in it stands in a line of text below, made plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import combinations

from firebreak.report.hostile import plain
from firebreak.report.places import PLACES, RegionRow

_WIDTH, _HEIGHT = 860, 372
_WEST, _NORTH, _SCALE = -168.0, 76.0, 2.46
# Land by rows of five degrees from north to south, as spans of degrees east: enough to know where one is.
_TOP = 72.5
_LAND = (
    "-125:-95 -90:-72 -55:-24 88:112",
    "-165:-112 -106:-90 -85:-65 -53:-32 15:29 34:44 50:178",
    "-163:-96 -78:-66 -50:-44 -22:-16 7:30 33:176",
    "-159:-156 -131:-94 -77:-62 -5:-3 10:16 24:136 158:162",
    "-129:-80 -78:-58 -9:-7 -3:0 6:139 157:158",
    "-123:-62 -2:134 142:142",
    "-123:-72 -8:2 6:14 17:50 54:129 142:144",
    "-121:-77 -8:-2 22:24 28:48 50:121 127:128 138:140",
    "-116:-82 -8:10 13:18 22:33 36:119 131:131",
    "-113:-99 -82:-81 -12:32 37:48 56:119",
    "-105:-99 -82:-77 -15:35 40:57 70:90 93:113 121:121",
    "-100:-90 -72:-70 -15:37 44:52 74:82 96:106 121:121",
    "-86:-85 -72:-66 -15:48 76:79 100:108 123:124",
    "-79:-58 -12:47 80:80 100:101 125:125",
    "-78:-52 10:44 99:103 110:117 121:121",
    "-79:-43 11:39 103:105 111:115 120:121 133:140",
    "-78:-37 14:38 107:113 140:146",
    "-75:-39 14:39 49:49 131:135",
    "-70:-41 13:37 45:48 124:145",
    "-69:-43 15:34 45:46 115:149",
    "-70:-50 17:31 115:152",
    "-71:-54 19:28 117:122 134:150",
    "-72:-59 142:149 175:176",
    "-72:-65 146:147 171:172",
    "-73:-67 168:169",
    "-73:-69",
)
_STYLE = """
.map .land{stroke:#dfe5ea;stroke-width:8.5;stroke-linecap:round;fill:none}.map text{font:11px system-ui,sans-serif;fill:#3e4c59}
.map .theirs{fill:#c81e1e}.map .tried{fill:none;stroke:#c81e1e;stroke-width:2;stroke-dasharray:3 2}.map .own{fill:#2563eb}
.map .in{fill:#fff;font-weight:600;font-size:10px}.map .name{font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:3px}
"""
_ALONE = """
svg{background:#fff}@media(prefers-color-scheme:dark){svg{background:#161b22}.map .land{stroke:#2b333d}.map text{fill:#c5ced8}.map .in{fill:#fff}
.map .name{stroke:#161b22}.map .theirs{fill:#e5484d}.map .tried{stroke:#ff6b6b}.map .own{fill:#3b82f6}}
"""
_MOST_NAMES = 14


class _Mark:
    """One mark on the map, moved about until it stands free."""

    def __init__(self, row: RegionRow, kind: str, count: int) -> None:
        place = PLACES[row.region]
        self.row, self.kind, self.count = row, kind, count
        self.x = (place.east - _WEST) * _SCALE
        self.y = (_NORTH - place.north) * _SCALE
        self.radius = 7.0 + min(11.0, 1.3 * count**0.5)


def map_picture(rows: Sequence[RegionRow], *, alone: bool = True) -> str:
    """The SVG; `alone` when it is shown by itself, with a ground of its own and for dark pages too. "" when no region has anything."""
    seen = [row for row in rows if row.attackers or row.customers or row.tried]
    marks = [mark for row in seen if row.region in PLACES for mark in _marks(row)]
    if not seen:
        return ""
    _push_apart(marks)
    parts = [f'<path class="land" d="{_land()}"/>']
    parts += [_drawn(mark) for mark in marks]
    parts += _names(marks)
    parts.append(_legend(seen))
    elsewhere = [row for row in seen if row.region not in PLACES]
    if elsewhere:
        said = ", ".join(f"{plain(row.title, 24)} ({row.attackers} and {row.customers})" for row in elsewhere[:6])
        parts.append(
            f'<text x="8" y="{_HEIGHT - 26}">Not on this map (the attacker\'s and the customer\'s): {escape(said)}</text>'
        )
    style = _STYLE + (_ALONE if alone else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img">'
        f"<style>{style}</style><title>Regions of the attacker and of the customer</title>{''.join(parts)}</svg>"
    )


def _marks(row: RegionRow) -> list[_Mark]:
    marks = []
    if row.customers:
        marks.append(_Mark(row, "own", row.customers))
    if row.attackers:
        marks.append(_Mark(row, "theirs", row.attackers))
    elif row.tried:
        marks.append(_Mark(row, "tried", 0))
    return marks


def _push_apart(marks: list[_Mark]) -> None:
    """Move marks that overlap away from each other along the line between them; marks at one place part sideways. Always ends the same."""
    for _ in range(80):
        moved = False
        for number, (one, other) in enumerate(combinations(marks, 2)):
            dx, dy = other.x - one.x, other.y - one.y
            distance, wanted = (dx * dx + dy * dy) ** 0.5, one.radius + other.radius + 1.5
            if distance >= wanted:
                continue
            if distance < 0.5:
                dx, dy, distance = 1.0, 0.2 * (number % 3 - 1), 1.0
            step = (wanted - distance) / 2
            one.x, one.y = one.x - dx / distance * step, one.y - dy / distance * step
            other.x, other.y = other.x + dx / distance * step, other.y + dy / distance * step
            moved = True
        if not moved:
            return


def _drawn(mark: _Mark) -> str:
    row, x, y, r = mark.row, mark.x, mark.y, mark.radius
    words = {"theirs": f"{row.attackers} of the attacker's", "own": f"{row.customers} of the customer's"}
    title = f"<title>{escape(row.title)}: {words.get(mark.kind, f'{row.tried} operations of the attacker, nothing stands')}</title>"
    if mark.kind == "own":
        shape = f'<rect class="own" x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r:.1f}" height="{2 * r:.1f}" rx="3">{title}</rect>'
    else:
        shape = f'<circle class="{mark.kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}">{title}</circle>'
    number = (
        f'<text class="in" x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle">{mark.count}</text>' if mark.count else ""
    )
    return shape + number


def _names(marks: list[_Mark]) -> list[str]:
    """Names beside marks where there is room, the attacker's first; the list below the picture has them all."""
    taken = [(m.x - m.radius, m.y - m.radius, m.x + m.radius, m.y + m.radius) for m in marks]
    order = {"theirs": 0, "tried": 1, "own": 2}
    drawn: list[str] = []
    named: set[str] = set()
    for mark in sorted(marks, key=lambda m: (order[m.kind], -m.count, m.row.region)):
        if mark.row.region in named or len(named) >= _MOST_NAMES:
            continue
        wide = 6.4 * len(mark.row.title)
        beside = mark.radius + 4
        for x, y, anchor in (
            (mark.x + beside, mark.y + 4, "start"),
            (mark.x - beside, mark.y + 4, "end"),
            (mark.x, mark.y - beside, "middle"),
            (mark.x, mark.y + beside + 8, "middle"),
        ):
            left = x - {"start": 0, "end": wide, "middle": wide / 2}[anchor]
            box = (left, y - 10, left + wide, y + 3)
            if box[0] < 2 or box[2] > _WIDTH - 2 or box[1] < 2 or any(_overlap(box, other) for other in taken):
                continue
            taken.append(box)
            named.add(mark.row.region)
            drawn.append(
                f'<text class="name" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(mark.row.title)}</text>'
            )
            break
    return drawn


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend(rows: Sequence[RegionRow]) -> str:
    theirs, own = sum(bool(row.attackers) for row in rows), sum(bool(row.customers) for row in rows)
    y = _HEIGHT - 10
    return (
        f'<circle class="theirs" cx="14" cy="{y - 4}" r="6"/><text x="24" y="{y}">attacker\'s resources, in {theirs} regions</text>'
        f'<rect class="own" x="232" y="{y - 10}" width="12" height="12" rx="2"/><text x="250" y="{y}">customer\'s, in {own} regions</text>'
        f'<circle class="tried" cx="424" cy="{y - 4}" r="6"/><text x="436" y="{y}">only tried, or gone again</text>'
        f'<text x="640" y="{y}">the number is how many</text>'
    )


def _land() -> str:
    path = []
    for number, spans in enumerate(_LAND):
        y = (_NORTH - (_TOP - 5 * number)) * _SCALE
        for span in spans.split():
            west, east = (float(end) for end in span.split(":"))
            path.append(f"M{(west - _WEST) * _SCALE:.0f} {y:.0f}H{(east - _WEST) * _SCALE + 0.1:.1f}")
    return "".join(path)
