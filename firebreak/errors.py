"""Every error Firebreak raises on purpose, by what the operator can do about it.

ResponseError
├── ContentError            own files: playbook, settings, alert (also ValueError)
│   ├── PlaybookError       carries file, line, column
│   ├── SettingsError
│   ├── AlertError
│   │   └── NothingToDoError
│   └── BundleError
├── AccessError             credential or permission (also PermissionError)
│   ├── CredentialError
│   │   └── SecondFactorError
│   ├── NotAuthenticError   a delivery to the intake is not from whom it claims
│   └── MissingPermissionError
├── RemoteError             the cloud's side
│   ├── UnreachableError    never connected: nothing was sent
│   ├── ThrottledError
│   ├── RejectedError       a definite answer >= 400
│   ├── UncertainError      sent, no answer: may have had effect
│   └── NotRecordedError    a replay was asked what its bundle does not tell
├── SafetyError             a promise refused it; exit code 3
│   ├── WriteRefusedError   dry-run or replay tried to write (P2)
│   ├── GuardRailError
│   ├── StalePlanError
│   ├── ApprovalError
│   ├── LeaseLostError
│   └── ScopeError          an id outside the incident's subscription, or a trick
├── IntegrityError          evidence or audit chain does not add up
├── NotCollectedError       facts a step needs were not collected (also LookupError)
└── WaitingError            not an error for the run: a gate waits; exit code 2

Every message has three parts: what was refused or failed, the value and place, what to do next (`hint`).
"""

from __future__ import annotations


class ResponseError(Exception):
    """Base of all errors with a message for the responder.

    `code` is stable and machine-readable, `hint` says what to do next, `exit_code` is what the CLI ends with.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ContentError(ResponseError, ValueError):
    """A file or value of the user's is not what it must be."""

    code = "bad_content"


class PlaybookError(ContentError):
    """A playbook does not load; points at the place."""

    code = "bad_playbook"

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: int = 0, hint: str = "") -> None:
        place = f"{file}:{line}:{column}: " if file else ""
        super().__init__(f"{place}{message}", hint=hint)
        self.file, self.line, self.column = file, line, column


class SettingsError(ContentError):
    """A setting is missing or wrong."""

    code = "bad_settings"


class AlertError(ContentError):
    """An alert could not be understood; its raw bytes are kept."""

    code = "bad_alert"


class NothingToDoError(AlertError):
    """An authentic delivery asks for no response, and nobody needs to know: a validation event, an alert that was resolved before."""


class BundleError(ContentError):
    """An incident bundle is not what it must be; nothing of it was used."""

    code = "bad_bundle"


class AccessError(ResponseError, PermissionError):
    """The acting identity cannot do this."""

    code = "access"


class CredentialError(AccessError):
    """Signing in failed."""

    code = "bad_credentials"


class SecondFactorError(CredentialError):
    """A second factor is asked for, and none stands behind the token: only a person who signs in anew can give it."""

    code = "second_factor"


class NotAuthenticError(AccessError):
    """A delivery is not proven to be from whom it claims to be."""

    code = "not_authentic"


class MissingPermissionError(AccessError):
    """Signed in, but not allowed (HTTP 403 AuthorizationFailed). `remote_code` is the service's own code."""

    code = "missing_permission"

    def __init__(self, message: str, *, remote_code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.remote_code = remote_code


class RemoteError(ResponseError):
    """The cloud did not do what was asked. `status` is the HTTP status, 0 without an answer."""

    code = "remote"

    def __init__(
        self, message: str, *, status: int = 0, remote_code: str = "", request_id: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status, self.remote_code, self.request_id = status, remote_code, request_id


class UnreachableError(RemoteError):
    """No connection: nothing was sent."""

    code = "unreachable"


class ThrottledError(RemoteError):
    """429 and the retries are used up."""

    code = "throttled"


class RejectedError(RemoteError):
    """A definite refusal by the service; it had no effect."""

    code = "rejected"


class UncertainError(RemoteError):
    """The request left, the answer never came: it may have had effect. Read before sending again."""

    code = "uncertain"


class NotRecordedError(RemoteError):
    """A replay was asked for something that was not asked when its bundle was recorded; it never guesses."""

    code = "not_recorded"


class SafetyError(ResponseError):
    """Refused by a guard rail or a promise."""

    code = "refused"
    exit_code = 3


class WriteRefusedError(SafetyError):
    """A dry run or replay tried to send something that is not on the list of reads (P2)."""

    code = "write_refused"


class GuardRailError(SafetyError):
    """The plan as a whole is over a limit or touches what is protected (P4, P5)."""

    code = "guard_rail"

    def __init__(self, message: str, *, rail: str, limit: object = None, found: object = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rail, self.limit, self.found = rail, limit, found


class StalePlanError(SafetyError):
    """The world is no longer the one that was approved (P1)."""

    code = "stale"

    def __init__(self, message: str, *, expected: object = None, found: object = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.expected, self.found = expected, found


class ApprovalError(SafetyError):
    """An answer to a gate was not accepted (P6). `reason` is one of a few stable words for the record."""

    code = "approval_refused"

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class LeaseLostError(SafetyError):
    """Another run owns the incident now; this one stops before its next write."""

    code = "lease_lost"


class ScopeError(SafetyError, ValueError):
    """An id that is not inside the incident's subscription, or not a plain Azure id at all."""

    code = "out_of_scope"


class IntegrityError(ResponseError):
    """Stored evidence or the audit chain does not match its hashes (P10)."""

    code = "integrity"


class NotCollectedError(ResponseError, LookupError):
    """Facts that a step needs were not collected."""

    code = "not_collected"


class WaitingError(ResponseError):
    """The run waits at a gate. Exit code 2."""

    code = "waiting"
    exit_code = 2
