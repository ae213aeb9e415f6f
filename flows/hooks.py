"""The doors that strangers knock at: each proves who sent a delivery, over the raw bytes, before anything is parsed or kept."""

from __future__ import annotations

from starlette.requests import Request

from firebreak.clients.public_files import PublicFiles
from firebreak.errors import NotAuthenticError, ThrottledError, UnreachableError
from firebreak.intake.partner_center import Trust, read_certificates, read_headers
from firebreak.intake.partner_certificates import PartnerCertificates
from firebreak.settings import Settings
from firebreak.store import Clock
from flows.doorway import RefusedError


def check_media_type(request: Request) -> None:
    """Refuse what does not say that it is JSON; a sender that says nothing is believed. Raises RefusedError."""
    given = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if given not in ("application/json", "text/json") and not (
        given.startswith("application/") and given.endswith("+json")
    ):
        raise RefusedError(415, "The body is not JSON by its Content-Type.", hint="Send application/json.")


class PartnerCenterDoor:
    """Deliveries that Microsoft's Partner Center has signed. `files` lives as long as the application."""

    def __init__(self, settings: Settings, files: PublicFiles, clock: Clock) -> None:
        intake = settings.intake
        known = read_certificates(intake.partner_intermediates) if intake.partner_intermediates else []
        trust = Trust(read_certificates(intake.partner_roots), known)
        self._hosts = intake.certificate_hosts
        self._certificates = PartnerCertificates(files.fetch, trust, issuer_hosts=intake.issuer_hosts, clock=clock)

    async def check(self, request: Request, body: bytes) -> None:
        """Check the headers and the signature.

        Raises:
            RefusedError: 401, it is not authentic; 429 or 503, that cannot be said now.
        """
        try:
            signed = read_headers(request.headers.items(), hosts=self._hosts)
            await self._certificates.check(signed, body)
        except NotAuthenticError as error:
            raise RefusedError(401, error.message) from error
        except ThrottledError as error:
            raise RefusedError(429, error.message, hint=error.hint, retry_after=60) from error
        except UnreachableError as error:
            raise RefusedError(503, error.message, hint="Come again.", retry_after=10) from error
