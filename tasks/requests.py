"""Request ids that make a retry of the same action harmless where the service honours them."""

from __future__ import annotations

import uuid

from firebreak.model.plan import Action

_NAMESPACE = uuid.UUID("6f1ebf33-3b0c-5c1e-9d7b-5a2f5f3f8d11")


def request_id(action: Action) -> str:
    """Return the GUID of one action of one incident: the same after a crash, another for another incident or round."""
    return str(uuid.uuid5(_NAMESPACE, f"{action.params.get('case', '')}/{action.params.get('round', '')}/{action.id}"))
