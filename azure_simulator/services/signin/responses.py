"""Answers of the sign-in endpoints."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl

from azure_simulator.http import Request, Response
from azure_simulator.services.signin import assertions, consents, grants, logged, models
from azure_simulator.services.signin.exceptions import SignInRefusedError
from azure_simulator.world import Document, Principal, World

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def metadata(world: World, request: Request) -> Response:
    """What `az cloud register` reads: one object from api-version 2022-09-01 on, a list before."""
    base = world.base_url
    document: Document = {
        "name": "AzureSimulator",
        "portal": f"{base}/portal",
        "authentication": {
            "loginEndpoint": base,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": base,
        "graphAudience": f"{base}/graph",
        "graph": f"{base}/graph",
        "microsoftGraphResourceId": f"{base}/graph",
        "media": f"{base}/media",
        "gallery": f"{base}/gallery",
        "batch": f"{base}/batch",
        "sqlManagement": f"{base}/sqlmanagement",
        "vmImageAliasDoc": f"{base}/metadata/aliases.json",
        "logAnalyticsResourceId": f"{base}/loganalytics",
        "synapseAnalyticsResourceId": f"{base}/synapse",
        "suffixes": {
            "storage": "core.windows.net",
            "keyVaultDns": "vault.azure.net",
            "acrLoginServer": "azurecr.io",
            "sqlServerHostname": "database.windows.net",
            "mhsmDns": "managedhsm.azure.net",
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        },
    }
    return Response(200, document if request.q("api-version") >= "2022-09-01" else [document])


def openid_configuration(world: World, request: Request) -> Response:
    tenant = models.resolve_tenant(world, request.params["tenant"])
    root = f"{world.base_url}/{request.params['tenant']}"
    version = "/v2.0" if "/v2.0/" in request.path else ""
    return Response(
        200,
        {
            "issuer": f"{world.base_url}/{tenant}{version}",
            "authorization_endpoint": f"{root}/oauth2{version}/authorize",
            "token_endpoint": f"{root}/oauth2{version}/token",
            "device_authorization_endpoint": f"{root}/oauth2{version}/devicecode",
            "end_session_endpoint": f"{root}/oauth2{version}/logout",
            "jwks_uri": f"{root}/discovery{version}/keys",
            "response_types_supported": ["code", "id_token", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
        },
    )


def keys(world: World, request: Request) -> Response:
    """No public keys: access tokens are opaque to clients, and here they carry a keyed hash."""
    models.resolve_tenant(world, request.params["tenant"])
    return Response(200, {"keys": []})


def token(world: World, request: Request) -> Response:
    """The token endpoint: applications by secret or certificate, people by refresh token, authorization code or device code."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    tenant = models.resolve_tenant(world, request.params["tenant"])
    audience = form.get("resource") or _audience(form.get("scope", ""))
    grant = form.get("grant_type", "")
    if grant == "client_credentials":
        app = _proven_app(world, request, form, tenant)
        access = models.issue(world, app, tenant=tenant, audience=audience)
        logged.application(world, request, app, form.get("client_secret", ""), tenant, token=models.token_of(access))
        return Response(200, _answer(world, request, access, audience))
    if grant == "refresh_token":
        return _refresh(world, request, form, tenant, audience)
    if grant in ("authorization_code", _DEVICE):
        return _consented(world, request, form, tenant)
    if grant == "password":
        raise SignInRefusedError(world, 50076, audience)
    raise SignInRefusedError(world, 70003, grant)


def _proven_app(world: World, request: Request, form: dict[str, str], tenant: str) -> Principal:
    """The application that the form proves to be; a refusal stands in its sign-in log."""
    app = models.find_app(world, form.get("client_id", ""), tenant)
    if app is None:
        raise SignInRefusedError(world, 700016, form.get("client_id", ""), tenant)
    try:
        return _proven(world, app, form)
    except SignInRefusedError as refused:
        logged.application(world, request, app, "", tenant, error=refused.number)
        raise


def _proven(world: World, app: Principal, form: dict[str, str]) -> Principal:
    client = form.get("client_id", "")
    secret, assertion = form.get("client_secret", ""), form.get("client_assertion", "")
    if secret:
        if not any(hmac.compare_digest(secret.encode(), known.encode()) for known in app.secrets):
            raise SignInRefusedError(world, 7000215, client)
    elif assertion:
        if not assertions.is_valid(app, assertion):
            raise SignInRefusedError(world, 700027)
    else:
        raise SignInRefusedError(world, 7000216)
    if not app.enabled:
        raise SignInRefusedError(world, 7000112, client)
    return app


def _refresh(world: World, request: Request, form: dict[str, str], tenant: str, audience: str) -> Response:
    """Exchange a refresh token for an access token and a new refresh token; the old one stays good for the rest of its time."""
    client = form.get("client_id", "")
    if models.find_app(world, client, tenant) is None:
        raise SignInRefusedError(world, 700016, client, tenant)
    if form.get("client_secret") or form.get("client_assertion"):
        _proven_app(world, request, form, tenant)
    holder, grant = grants.find(world, form.get("refresh_token", ""), client)
    revoked = holder.sessions_revoked_at
    if revoked is not None and grant.issued_at <= revoked and holder.enabled:
        logged.person(world, request, holder, client, tenant, error=50173)
        raise SignInRefusedError(world, 50173)
    return _signed_in(world, request, form, tenant, audience, holder, grant.mfa)


def _consented(world: World, request: Request, form: dict[str, str], tenant: str) -> Response:
    """Exchange the code of a person's consent for the first tokens. The application is confidential: it has to prove itself."""
    _proven_app(world, request, form, tenant)
    given = consents.redeem(world, form)
    # A device's request names no scope: it is the one that the code was asked for.
    scope = form.get("scope") or given.scope
    asked = form | {"scope": scope}
    return _signed_in(world, request, asked, tenant, _audience(scope), given.person, given.mfa, nonce=given.nonce)


def _signed_in(
    world: World,
    request: Request,
    form: dict[str, str],
    tenant: str,
    audience: str,
    person: Principal,
    mfa: bool | None,
    *,
    nonce: str = "",
) -> Response:
    client, scope = form.get("client_id", ""), form.get("scope", "")
    if not person.enabled:
        logged.person(world, request, person, client, tenant, error=50057)
        raise SignInRefusedError(world, 50057)
    if number := world.refused_sign_ins.get(tenant.lower()) or world.refused_sign_ins.get("*"):
        raise SignInRefusedError(
            world, number, audience if number in (50076, 50079) else tenant, person.upn, "sts", client
        )
    access = models.issue(world, person, tenant=tenant, audience=audience, app_id=client, mfa=mfa)
    logged.person(world, request, person, client, tenant, token=models.token_of(access))
    fresh = grants.give(world, person, client, mfa=mfa)
    more = {"refresh_token": fresh, "scope": scope}
    if "openid" in scope.split():
        more["id_token"] = models.identify(world, person, tenant=tenant, client_id=client, nonce=nonce)
    return Response(200, _answer(world, request, access, audience) | more)


def _audience(scope: str) -> str:
    """The resource of a v2 scope: MSAL sorts them, so that `offline_access` may come first."""
    named = [one for one in scope.split() if one not in ("openid", "profile", "email", "offline_access")]
    return named[0].removesuffix(".default").removesuffix("user_impersonation") if named else ""


def _answer(world: World, request: Request, access: str, audience: str) -> Document:
    lifetime = world.token_seconds
    if "/v2.0/" in request.path:
        return {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": access}
    now = int(world.clock.now().timestamp())
    return {
        "token_type": "Bearer",
        "expires_in": str(lifetime),
        "ext_expires_in": str(lifetime),
        "expires_on": str(now + lifetime),
        "not_before": str(now),
        "resource": audience,
        "access_token": access,
    }
