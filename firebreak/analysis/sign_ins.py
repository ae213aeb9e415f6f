"""Patterns over sign-ins: passwords guessed on many accounts or on one. Sign-in records come from Entra's logs, not from the activity log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from firebreak.analysis.conduct import Conduct, Thresholds, bare_session, finding
from firebreak.analysis.documents import shown
from firebreak.analysis.history import Familiarity
from firebreak.analysis.operations import OperationLike, densest
from firebreak.model.finding import Finding, Severity

_SPRAYED_ACCOUNTS = 5  # that one address failed on; an exported log's, so no parameter of a step
_LOGS = frozenset({"signinlogs", "noninteractiveusersigninlogs", "serviceprincipalsigninlogs", "adfssigninlogs"})


def guessing(
    by_session: Mapping[tuple[str, str, str], Sequence[OperationLike]], limits: Thresholds
) -> Iterable[Finding]:
    """One address on many accounts (spraying), or many failures on one account (brute force)."""
    by_address: dict[str, list[OperationLike]] = defaultdict(list)
    by_account: dict[str, list[OperationLike]] = defaultdict(list)
    for operations in by_session.values():
        for operation in operations:
            if operation.category not in _LOGS or operation.status != "failed":
                continue
            if operation.address:
                by_address[operation.address].append(operation)
            if operation.caller:
                by_account[operation.caller.lower()].append(operation)
    for address, failed in sorted(by_address.items()):
        accounts = {operation.caller.lower() for operation in failed}
        if len(accounts) >= _SPRAYED_ACCOUNTS:
            text = f"{address} failed to sign in to {len(accounts)} accounts."
            yield _told("password-spray", "Passwords tried on many accounts", Severity.HIGH, failed, text, "T1110.003")
    for account, failed in sorted(by_account.items()):
        most = densest(operation.at for operation in failed)
        if most >= limits.refused:
            text = f"{most} failed sign-ins to {shown(account)} within one hour."
            yield _told(
                "brute-force", "Many failed sign-ins to one account", Severity.MEDIUM, failed, text, "T1110.001"
            )


def _told(rule: str, title: str, severity: Severity, failed: list[OperationLike], text: str, technique: str) -> Finding:
    work = Conduct(bare_session(failed), tuple(failed), Familiarity.UNKNOWN)
    return finding(rule, title, severity, work, failed, [text], (technique,))
