"""How Firebreak reaches clouds: Azure Resource Manager, Graph, Partner Center, storage and prices, behind one guard.

`connect` opens them for one incident; `doctor` says what works. Only this package touches azure.*, aiohttp and httpx.
"""

from firebreak.clients.checkup import Check, doctor
from firebreak.clients.connection import Connection, connect, utc_now
from firebreak.clients.policies.recording import Recorded, Recorder
from firebreak.clients.transports import Transports

__all__ = ["Check", "Connection", "Recorded", "Recorder", "Transports", "connect", "doctor", "utc_now"]
