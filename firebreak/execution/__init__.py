"""Execution: carries out an approved plan once, journalled before and after every write, and proves it by looking again.

lease = Lease.acquire(store, incident.id, run_id, clock=clock)
outcomes = await execute(
    approved, case=case, steps=steps, eyes=eyes, hands=hands, store=store, lease=lease, audit=audit, clock=clock, sleep=sleep
)
"""

from firebreak.execution.executor import execute
from firebreak.execution.journal import Journal, JournalRow
from firebreak.execution.lease import Lease
from firebreak.execution.patience import Patience
from firebreak.execution.undo import inverse_plan

__all__ = ["Journal", "JournalRow", "Lease", "Patience", "execute", "inverse_plan"]
