"""A what-if as a section of the report's HTML: the same as in its Markdown, escaped by Jinja's autoescape."""

from __future__ import annotations

from collections import Counter

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from firebreak.replay.world.carrying import NOT_TRIED
from firebreak.replay.world.result import WhatIf, ended, gaps, leaf, summary, tried
from firebreak.report.hostile import plain
from firebreak.report.kinds import kind_in_words

_END = "</main></body></html>"
_LINK = '<a href="#evidence">Evidence</a></nav>'


def with_section(page: str, one: WhatIf) -> str:
    """The report's page with the what-if at its end, and a link to it above."""
    told = page.replace(_LINK, f'<a href="#what-if">What if</a> {_LINK}', 1)
    before, end, after = told.rpartition(_END)
    return f"{before}{html_section(one)}\n{end}{after}" if end else f"{told}{html_section(one)}"


def html_section(one: WhatIf) -> str:
    """The section alone."""
    stops = Counter((each.what, each.type.rsplit("/", 1)[-1], each.whose) for each in one.effects.stopped)
    return (
        _environment()
        .get_template("what_if.html.j2")
        .render(
            w=one,
            summary=plain(summary(one), 1000),
            tried=tried(one),
            stops=[(*which, count) for which, count in sorted(stops.items())],
            not_tried=[(action, NOT_TRIED[action.kind]) for done in one.carried for action in done.not_tried],
            gaps=gaps(one, plain),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("firebreak.replay.world"), PackageLoader("firebreak.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "leaf": leaf, "ended": ended, "kind": kind_in_words}
    return environment
