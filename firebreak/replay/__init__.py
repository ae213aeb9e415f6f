"""Replay: a recorded incident carried out again on its evidence, in its own time, without a connection to anything.

    with open_bundle(Path("INC-7.zip")) as bundle, stage_replay(bundle, load_steps()) as staged:
        await respond_to(staged.engine, runtime)                      # the same course and steps as ever
        compare(staged.past.plans, staged.plans())                    # what would be planned otherwise today

Order is `flows.course`'s business, the command line `firebreak.cli.replay`'s. In go a bundle and a playbook, out come plans, differences and scores.
"""

from firebreak.replay.answers import Decide, Policy
from firebreak.replay.past import Past, Point
from firebreak.replay.staged import Staged, stage_replay

__all__ = ["Decide", "Past", "Point", "Policy", "Staged", "stage_replay"]
