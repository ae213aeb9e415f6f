"""How Firebreak reaches clouds: Azure Resource Manager, Graph, Partner Center, storage and prices, behind one guard.

`connect` opens them for one incident; `doctor` says what works. Only this package touches azure.*, aiohttp and httpx.
"""

from firebreak.clients.checkup import Check, doctor
from firebreak.clients.connection import CloudEyes, Connection, connect, utc_now
from firebreak.clients.policies.recording import Recorded, Recorder
from firebreak.clients.secrets import reveal
from firebreak.clients.transports import Transports

__all__ = [
    "Check",
    "CloudEyes",
    "Connection",
    "Recorded",
    "Recorder",
    "Transports",
    "connect",
    "doctor",
    "reveal",
    "utc_now",
]
