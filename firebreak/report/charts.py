"""Pictures of daily spend, drawn by hand as SVG so that they fit light and dark pages; and one line of text for a terminal."""

from __future__ import annotations

import base64
from decimal import Decimal

from firebreak.model.facts import SpendFacts

_MOST_DAYS = 60
_WIDTH, _HEIGHT = 860, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 26, 24
_BLOCKS = "▁▂▃▄▅▆▇█"
_STYLE = """
svg{background:#fff}text{font:11px system-ui,sans-serif;fill:#3e4c59}.quiet{fill:#8f9ba8}.alarm{fill:#c81e1e}.half{fill-opacity:.45}
.band{fill:#2563eb;fill-opacity:.16}.usual{fill:none;stroke:#2563eb;stroke-width:1.5}.grid{stroke:#d3dae1}
@media(prefers-color-scheme:dark){svg{background:#161b22}text{fill:#c5ced8}.quiet{fill:#6b7885}.alarm{fill:#ff6b6b}
.band{fill:#7cb0ff;fill-opacity:.2}.usual{stroke:#7cb0ff}.grid{stroke:#303842}}
"""


def spend_chart(spend: SpendFacts) -> str | None:
    """Daily total as bars, over the band of what was usual; flagged days in red, incomplete ones pale. None without a total.

    The SVG holds numbers and days only, no name from Azure.
    """
    if spend.total is None or not spend.total.days:
        return None
    days = spend.total.days[-_MOST_DAYS:]
    amounts = [max(Decimal(0), amount) for amount in spend.total.amounts[-_MOST_DAYS:]]
    usual, bounds = _last(spend.baseline, len(days)), _last(spend.bounds, len(days))
    # The bars are totals: a day on which only one small group stood out would be an alarm that nobody sees a cause for.
    flagged = {flag.day for flag in spend.flagged if flag.key == spend.total.key}
    if spend.start_day is not None:
        flagged |= {day for day in days if spend.start_day <= day <= (spend.end_day or days[-1])}
    top = max([*amounts, *(u for u in usual if u is not None)]) or Decimal(1)
    step = (_WIDTH - _LEFT - _RIGHT) / len(days)

    def x(place: float) -> float:
        return _LEFT + step * place

    def y(amount: Decimal) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - float(min(amount, top) / top))

    parts = []
    for share in (Decimal(0), Decimal("0.5"), Decimal(1)):
        level = y(top * share)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{top * share:,.0f}</text>')
    for place, (day, amount) in enumerate(zip(days, amounts, strict=True)):
        half = " half" if day in spend.incomplete_days else ""
        kind = "alarm" if day in flagged else "quiet"
        title = f"{day}: {amount:,.2f}{'' if usual[place] is None else f', expected {usual[place]:,.2f}'}"
        parts.append(
            f'<rect class="{kind}{half}" x="{x(place) + step * 0.1:.1f}" y="{y(amount):.1f}" width="{step * 0.8:.1f}" '
            f'height="{y(Decimal(0)) - y(amount):.1f}"><title>{title}{", not complete" if half else ""}</title></rect>'
        )
        if day.weekday() == 0 and (place + 4 < len(days) or place == 0):
            parts.append(f'<text x="{x(place):.1f}" y="{_HEIGHT - 8}">{day:%m-%d}</text>')
    known = [(n, u, b) for n, (u, b) in enumerate(zip(usual, bounds, strict=True)) if u is not None and b is not None]
    if known:
        over = [f"{x(n + 0.5):.1f},{y(bound):.1f}" for n, _, bound in known]
        under = [f"{x(n + 0.5):.1f},{y(expected):.1f}" for n, expected, _ in known]
        parts.append(f'<polygon class="band" points="{" ".join(over + under[::-1])}"/>')
        parts.append(f'<polyline class="usual" points="{" ".join(under)}"/>')
    legend = "red: unusual; pale: not yet complete; line: what was expected, band: up to where a day is usual"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img">'
        f"<style>{_STYLE}</style><title>Daily spend</title>"
        f'<text x="{_LEFT}" y="16">{_currency(spend.currency)} a day ({legend})</text>{"".join(parts)}</svg>'
    )


def sparkline(spend: SpendFacts, most: int = _MOST_DAYS) -> tuple[str, str]:
    """The newest `most` daily totals as block characters, and a line of marks under the flagged ones; both equally long."""
    if spend.total is None:
        return "", ""
    amounts = [max(Decimal(0), amount) for amount in spend.total.amounts[-most:]]
    top = max(amounts) or Decimal(1)
    flagged = {flag.day for flag in spend.flagged}
    line = "".join(_BLOCKS[min(7, int(amount / top * 8))] for amount in amounts)
    return line, "".join("^" if day in flagged else " " for day in spend.total.days[-most:])


def data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def _last(values: tuple[Decimal | None, ...], count: int) -> list[Decimal | None]:
    return [*values[-count:]] if len(values) >= count else [None] * count


def _currency(name: str) -> str:
    return name if name.isascii() and name.isalpha() and len(name) == 3 else "amount"
