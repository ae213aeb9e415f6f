"""Pictures for the case page and the report, as PNG bytes: daily spend with its baseline and the days that were flagged."""

from __future__ import annotations

import base64
import io
from typing import Any

from firebreak.model.facts import SpendFacts

_INK, _QUIET, _ALARM = "#1f2933", "#9aa5b1", "#c81e1e"


def spend_chart(spend: SpendFacts) -> bytes | None:
    """Daily total as bars, flagged days in red, incomplete days hatched. None without a total series."""
    if spend.total is None or not spend.total.days:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    flagged = {flag.day for flag in spend.flagged}
    figure = Figure(figsize=(9, 2.8), dpi=110)
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    days = list(spend.total.days)[-60:]
    amounts = [float(a) for a in spend.total.amounts][-60:]
    bars = axes.bar(days, amounts, color=[_ALARM if day in flagged else _QUIET for day in days], width=0.85)
    for bar, day in zip(bars, days, strict=True):
        if day in spend.incomplete_days:
            bar.set_hatch("///")
            bar.set_edgecolor("white")
    axes.set_ylabel(f"{spend.currency} a day", color=_INK)
    axes.set_title(
        "Daily spend (red: above what this weekday usually costs; hatched: not yet complete)",
        fontsize=9,
        color=_INK,
        loc="left",
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8, colors=_INK)
    figure.autofmt_xdate(rotation=0, ha="center")
    figure.tight_layout()
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
