"""Asks Partner Center with each read whether a second factor stands behind the user's token, and says so when none does.

Partner Center answers the header `ValidateMfa: true` with `isMfaCompliant`; tokens without a second factor are refused step by step (900421):
https://learn.microsoft.com/partner-center/security/partner-security-requirements-mandating-mfa
"""

from __future__ import annotations

import logging

from firebreak.clients.policies.exchange import Call, Reply, Send

_LOG = logging.getLogger("firebreak.credentials")


class SecondFactor:
    """`found` is what Partner Center said last, None before it has said anything."""

    def __init__(self) -> None:
        self.found: bool | None = None

    async def __call__(self, call: Call, send: Send) -> Reply:
        if call.is_read:
            call.headers["ValidateMfa"] = "true"
        reply = await send(call)
        said = reply.headers.get("isMfaCompliant", "").strip().lower()
        if said in ("true", "false"):
            if said == "false" and self.found is not False:
                _LOG.warning(
                    "No second factor stands behind this partner's consent: Partner Center may refuse it at any time (900421). "
                    "A person consents anew: firebreak credentials consent"
                )
            self.found = said == "true"
        return reply
