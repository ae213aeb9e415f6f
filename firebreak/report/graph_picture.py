"""The graph of what the attacker did: from which address, as whom, what. Drawn by hand as SVG. Pure.

Left to right: addresses, identities, deeds. A dashed arrow from one identity to another is a role that was given. Every word from
Azure is made plain and escaped; identifiers inside the picture are our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import msgspec

from firebreak.analysis.deeds import Deed, principal_of, together
from firebreak.model.facts import Attribution, Class
from firebreak.report.hostile import plain
from firebreak.report.places import region_title

_WIDTH = 860
_COLUMNS = ((8, 168), (250, 240), (566, 286))  # left edge and width of addresses, identities, deeds
_TALL, _GAP, _HEAD = 38, 10, 24
_MOST_DEEDS, _MOST_OTHERS = 16, 12
_STYLE = """
.graph text{font:11.5px system-ui,sans-serif;fill:#1f2933}.graph .head{fill:#616e7c}.graph .small{font-size:10.5px;fill:#52606d}
.graph rect{fill:#f5f7fa;stroke:#cbd2d9}.graph .theirs rect{fill:#fdecec;stroke:#c81e1e}.graph .stolen rect{fill:#fff4e0;stroke:#b45309}
.graph .grave rect{stroke:#c81e1e}.graph path{fill:none;stroke:#9aa5b1;stroke-width:1.5}.graph .gave{stroke:#b45309;stroke-dasharray:5 3}.graph .tip{fill:#b45309;stroke:none}
"""
_ALONE = """
svg{background:#fff}@media(prefers-color-scheme:dark){svg{background:#161b22}.graph text{fill:#e4e7eb}.graph .head,.graph .small{fill:#a3b0bd}
.graph rect{fill:#1f2630;stroke:#3e4c59}.graph .theirs rect{fill:#3b1a1c}.graph .stolen rect{fill:#3a2a12}.graph path{stroke:#6b7885}}
"""
_GRAVE = frozenset({"elevate", "transfer", "grant", "evict", "unguard", "compute", "persist", "export", "delete"})


class _Node(msgspec.Struct, kw_only=True):
    """A box with two lines of text."""

    column: int
    first: str
    second: str = ""
    look: str = ""
    title: str = ""
    link: str = ""
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + _TALL / 2


def graph_picture(
    found: Attribution, deeds: Sequence[Deed], *, links: Mapping[str, str] | None = None, alone: bool = True
) -> str:
    """The SVG, "" when no identity is taken for the attacker's. `links` maps kinds of deeds to anchors on the page around it."""
    attackers = [(n, actor) for n, actor in enumerate(found.actors) if actor.cls is Class.ATTACKER]
    if not attackers:
        return ""
    joined = together(deeds)
    shown = sorted(
        sorted(joined, key=lambda d: (d.kind not in _GRAVE, -d.count))[:_MOST_DEEDS], key=lambda d: (d.first, d.kind)
    )
    names = list(dict.fromkeys(actor.id.lower() for _, actor in attackers))
    people = {name: next(actor for _, actor in attackers if actor.id.lower() == name) for name in names}
    chosen = names[:_MOST_OTHERS]
    addresses = list(
        dict.fromkeys(actor.address for _, actor in attackers if actor.address and actor.id.lower() in chosen)
    )[:_MOST_OTHERS]
    nodes: dict[tuple[str, str], _Node] = {}
    for address in addresses:
        times = sum(deed.count for deed in joined if deed.address == address)
        nodes["address", address] = _Node(
            column=0, first=plain(address, 24), second=f"{times} operations" if times else "", title=plain(address, 80)
        )
    for name in chosen:
        actor = people[name]
        kind = "stolen: it works here honestly too" if actor.established else "the attacker's own"
        nodes["identity", name] = _Node(
            column=1,
            first=plain(actor.id, 32),
            second=kind,
            look="stolen" if actor.established else "theirs",
            title=plain(actor.id, 200),
        )
    for deed in shown:
        failed = f", {deed.failed} failed" if deed.failed else ""
        nodes["deed", f"{deed.actor} {deed.kind}"] = _Node(
            column=2,
            first=f"{deed.count} × {deed.title}",
            second=plain(f"{deed.first:%m-%d %H:%M}–{deed.last:%H:%M}{failed}{_places(deed)}", 48),
            look="grave" if deed.kind in _GRAVE else "",
            link=(links or {}).get(deed.kind, ""),
        )
    left_out = len(joined) - len(shown)
    if left_out:
        nodes["deed", "more"] = _Node(column=2, first=f"… and {left_out} more kinds", second="all are in the list")
    height = _lay_out(list(nodes.values()))
    edges = _edges(nodes, [(n, a.id.lower(), a.address) for n, a in attackers], shown)
    edges += _gifts(nodes, people, joined, found)
    heads = "".join(
        f'<text class="head" x="{left}" y="14">{words}</text>'
        for (left, _), words in zip(_COLUMNS, ("from which address", "as whom", "what was done"), strict=True)
    )
    style = _STYLE + (_ALONE if alone else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" height="{height:.0f}" role="img">'
        f"<style>{style}</style><title>What the attacker did, from where and as whom</title>{heads}{''.join(edges)}"
        f"{''.join(_box(node) for node in nodes.values())}</svg>"
    )


def _places(deed: Deed) -> str:
    names = [region_title(region) for region, _ in deed.regions]
    if not names:
        return ""
    return f" · {names[0]}" if len(names) == 1 else f" · in {len(names)} regions"


def _lay_out(nodes: list[_Node]) -> float:
    """Give every node its height on the page, each column from the top, where a narrow screen begins; return the picture's height."""
    columns = [[node for node in nodes if node.column == number] for number in range(3)]
    tall = max(len(column) for column in columns) * (_TALL + _GAP)
    for column in columns:
        for place, node in enumerate(column):
            node.y = _HEAD + place * (_TALL + _GAP)
    return _HEAD + tall


def _edges(
    nodes: Mapping[tuple[str, str], _Node], sessions: Sequence[tuple[int, str, str]], deeds: Sequence[Deed]
) -> list[str]:
    pairs: dict[tuple[int, int], tuple[_Node, _Node]] = {}
    who = {number: name for number, name, _ in sessions}
    for _, name, address in sessions:
        _pair(pairs, nodes.get(("address", address)), nodes.get(("identity", name)))
    for deed in deeds:
        _pair(pairs, nodes.get(("identity", who.get(deed.actor, ""))), nodes.get(("deed", f"{deed.actor} {deed.kind}")))
    return [_curve(one, other) for one, other in pairs.values()]


def _pair(pairs: dict[tuple[int, int], tuple[_Node, _Node]], one: _Node | None, other: _Node | None) -> None:
    if one is not None and other is not None:
        pairs[id(one), id(other)] = (one, other)


def _curve(one: _Node, other: _Node) -> str:
    x1 = _COLUMNS[one.column][0] + _COLUMNS[one.column][1]
    x2 = _COLUMNS[other.column][0]
    bend = (x2 - x1) / 2
    return f'<path d="M{x1} {one.middle:.1f}C{x1 + bend:.0f} {one.middle:.1f} {x2 - bend:.0f} {other.middle:.1f} {x2} {other.middle:.1f}"/>'


def _gifts(
    nodes: Mapping[tuple[str, str], _Node], people: Mapping[str, object], deeds: Sequence[Deed], found: Attribution
) -> list[str]:
    """Dashed arrows from the identity that gave a role to the one that got it, on the left of the identities."""
    by_principal = {principal_of(actor): actor.id.lower() for actor in found.actors if actor.id.lower() in people}
    pairs = {
        (found.actors[deed.actor].id.lower(), by_principal[gift.lower()])
        for deed in deeds
        for gift in deed.granted_to
        if gift.lower() in by_principal
    }
    drawn = []
    left = _COLUMNS[1][0]
    for giver, taker in sorted(pairs):
        one, other = nodes.get(("identity", giver)), nodes.get(("identity", taker))
        if one is None or other is None or one is other:
            continue
        out = left - 26
        drawn.append(
            f'<path class="gave" d="M{left} {one.middle:.1f}C{out} {one.middle:.1f} {out} {other.middle:.1f} {left - 6} {other.middle:.1f}">'
            f'<title>gave a role to</title></path><path class="tip" d="M{left} {other.middle:.1f}l-8 -4v8z"/>'
        )
    return drawn


def _box(node: _Node) -> str:
    left, wide = _COLUMNS[node.column]
    title = f"<title>{escape(node.title)}</title>" if node.title else ""
    second = (
        f'<text class="small" x="{left + 8}" y="{node.y + 31:.1f}">{escape(node.second)}</text>' if node.second else ""
    )
    box = (
        f'<g class="{node.look}">{title}<rect x="{left}" y="{node.y:.1f}" width="{wide}" height="{_TALL}" rx="5"/>'
        f'<text x="{left + 8}" y="{node.y + 16:.1f}">{escape(node.first)}</text>{second}</g>'
    )
    return f'<a href="#{node.link}">{box}</a>' if node.link else box
