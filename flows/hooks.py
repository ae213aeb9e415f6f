"""The doors that strangers knock at: each proves who sent a delivery, over the raw bytes, before anything is parsed or kept."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from firebreak.clients.public_files import PublicFiles
from firebreak.clients.signing_keys import SigningKeys
from firebreak.errors import NotAuthenticError, ThrottledError, UnreachableError
from firebreak.intake.entra import check_token, key_id
from firebreak.intake.partner_center import Trust, read_certificates, read_headers
from firebreak.intake.partner_certificates import PartnerCertificates
from firebreak.settings import Settings
from firebreak.store import Clock
from flows.doorway import RefusedError

KEY_HEADER = "X-Firebreak-Key"


def check_media_type(request: Request) -> None:
    """Refuse what does not say that it is JSON; a sender that says nothing is believed. Raises RefusedError."""
    given = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if given not in ("application/json", "text/json") and not (
        given.startswith("application/") and given.endswith("+json")
    ):
        raise RefusedError(415, "The body is not JSON by its Content-Type.", hint="Send application/json.")


class KeyedDoor:
    """Deliveries whose sender shows the shared key, or an Entra token that this installation's tenant gave to Azure Monitor."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.shared_key()
        self._intake, self._login = settings.intake, settings.cloud.login
        self._tenant = (settings.intake.entra_tenant_id or settings.credential.partner_tenant).lower()
        self._keys = SigningKeys(settings, self._tenant) if self._intake.entra_audience and self._tenant else None

    async def check(self, request: Request) -> None:
        """Check who sends, before the body is read.

        Raises:
            RefusedError: 401, it is nobody known; 503, that cannot be said now.
        """
        shown, bearer = request.headers.getlist(KEY_HEADER), request.headers.getlist("authorization")
        if len(shown) + len(bearer) != 1:
            raise RefusedError(401, f"Exactly one of {KEY_HEADER} and Authorization is required.")
        if shown:
            if self._key is None:
                raise RefusedError(401, "No shared key is set here.", hint="See FIREBREAK_INTAKE__SHARED_KEY.")
            if not hmac.compare_digest(self._key, shown[0].encode("latin-1")):
                raise RefusedError(401, f"{KEY_HEADER} is not the shared key.")
            return
        scheme, _, token = bearer[0].partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise RefusedError(401, "Authorization is not Bearer and a token.")
        if self._keys is None:
            raise RefusedError(401, "No tokens are accepted here.", hint="See FIREBREAK_INTAKE__ENTRA_AUDIENCE.")
        try:
            key = await self._keys.get(key_id(token.strip()))
            check_token(
                token.strip(),
                key,
                audience=self._intake.entra_audience,
                tenant=self._tenant,
                login=self._login,
                applications=self._intake.entra_applications,
            )
        except NotAuthenticError as error:
            raise RefusedError(401, error.message) from error
        except UnreachableError as error:
            raise RefusedError(503, error.message, hint="Come again.", retry_after=10) from error


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
