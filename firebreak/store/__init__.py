"""The incident store: the truth about every incident, in SQLite by default or PostgreSQL by URL.

with Store.open("sqlite:////var/lib/firebreak/store.db") as store:
    store.incidents.add(incident, raw_alert_digest="9f2c...")
    digest = store.plans.save(incident.id, plan)
"""

from firebreak.store.cases import Claimed, JoinedAlert
from firebreak.store.database import Clock, utc_now
from firebreak.store.store import Store

__all__ = ["Claimed", "Clock", "JoinedAlert", "Store", "utc_now"]
