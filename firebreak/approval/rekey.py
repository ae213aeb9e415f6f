"""A new key for the seals: people stay enrolled, and what they approved stays approved. One transaction: all of it or nothing."""

from __future__ import annotations

from sqlalchemy import update

from firebreak.approval import gate_rows
from firebreak.approval.approvers import Approvers
from firebreak.store import Store
from firebreak.store.schema import approvals


def rekey(store: Store, old: Approvers, new: Approvers) -> tuple[int, int]:
    """Replace the seals made under the key of `old` by such of `new`; return how many people and approvals.

    An approval whose seal is not one of `old` keeps it: it was not valid before and is not made so. What was sealed for
    pre-authorisation is not taken over: people are asked.

    Raises:
        IntegrityError: a person's row was edited, or is not sealed under the key of `old`; nothing was changed.
    """
    count = 0
    with store.write() as tx:
        people = old.reseal(tx, new)
        for row in gate_rows.load_all(tx, open_only=False):
            for sealed in gate_rows.load_approvals(tx, row.id):
                what = gate_rows.what_is_sealed(row, sealed.approval)
                if sealed.seal == old.seal(what):
                    mine = (approvals.c.gate == row.id) & (approvals.c.ask == sealed.approval.ask)
                    tx.execute(update(approvals).where(mine).values(seal=new.seal(what)))
                    count += 1
    return people, count
