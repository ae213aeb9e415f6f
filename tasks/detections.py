"""The detections that reading steps ask: the shipped rules, and those of the folder that the activity log's step is given."""

from __future__ import annotations

from pathlib import Path

from firebreak.analysis.ruleset import RuleSet, rules_with
from firebreak.model.case import Case

# One parameter serves all logs: a folder of rules holds rules for each of them.
_STEP = "investigate.activity_log"


def rules_of(case: Case) -> RuleSet:
    """The shipped rules, and those of the folder that the parameter `detections` of `investigate.activity_log` names."""
    folder = str(case.parameter(_STEP, "detections", ""))
    return rules_with(Path(folder) if folder else None)
