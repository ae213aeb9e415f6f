"""The management SDKs' pipelines, carrying our policies: compute, monitor and resource clients over one guarded transport.

Raw requests go through them (`send`); typed models, SDK pollers and the SDKs' own policies (provider registration, redirects, retries)
stay out. The SDK clients are there for whoever wants their methods: the same transport guard stands below them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, HeadersPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from firebreak.clients.credentials import TokenSource
from firebreak.clients.failures import error_below
from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Policy, Reply, chained
from firebreak.clients.transports import MAY_SEND

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.monitor.aio import MonitorManagementClient
    from azure.mgmt.resource.resources.aio import ResourceManagementClient

USER_AGENT = "firebreak/0.1"
_SLIP = "firebreak_slip"
_PROVIDER = re.compile(r"/providers/([^/?]+)", re.IGNORECASE)


@dataclass
class _Slip:
    """Travels with a raw request through the SDK's pipeline: the call on the way in, the reply on the way out."""

    call: Call
    reply: Reply | None = None


class OurPolicies(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """All of our policies as one azure-core policy, before signing."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        super().__init__()
        self._policies = tuple(policies)

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        http = request.http_request
        slip: _Slip | None = request.context.options.pop(_SLIP, None)
        streamed = bool(request.context.options.get("stream"))
        call = Call(
            method=http.method,
            url=http.url,
            headers=http.headers,
            content=slip.call.content if slip else b"",
            is_read=slip.call.is_read if slip else http.method in ("GET", "HEAD"),
            records=slip.call.records if slip else not streamed,
        )

        async def onwards(_: Call) -> Reply:
            response = await self.next.send(request)
            answer = response.http_response
            content = b"" if streamed else answer.content
            return Reply(answer.status_code, answer.headers, content, native=response)

        reply = await chained(self._policies, onwards)(call)
        if slip:
            slip.reply = reply
        response: PipelineResponse[HttpRequest, AsyncHttpResponse] = reply.native
        return response


class Management:
    """The three SDK clients of one subscription, built on first use, and `send` for raw requests through them."""

    def __init__(
        self,
        *,
        base: str,
        scope: str,
        subscription_id: str,
        credential: TokenSource,
        transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse],
        policies: Sequence[Policy],
    ) -> None:
        self.base = base
        self._scope = scope
        self._subscription_id = subscription_id
        self._credential = credential
        self._transport = transport
        self._policies = tuple(policies)

    @cached_property
    def compute(self) -> ComputeManagementClient:
        from azure.mgmt.compute.aio import ComputeManagementClient  # half a second to import: only when needed

        return ComputeManagementClient(self._credential, self._subscription_id, **self._options())

    @cached_property
    def monitor(self) -> MonitorManagementClient:
        from azure.mgmt.monitor.aio import MonitorManagementClient

        return MonitorManagementClient(self._credential, self._subscription_id, **self._options())

    @cached_property
    def resources(self) -> ResourceManagementClient:
        from azure.mgmt.resource.resources.aio import ResourceManagementClient

        return ResourceManagementClient(self._credential, self._subscription_id, **self._options())

    async def send(self, call: Call) -> Reply:
        """Send a raw request through the client of its provider; any status is returned.

        Raises:
            UnreachableError, UncertainError, RemoteError, CredentialError, WriteRefusedError, ScopeError.
        """
        slip = _Slip(call)
        request = HttpRequest(call.method, call.url, headers=dict(call.headers), content=call.content or None)
        try:
            await self._through(call.url)(request, **{_SLIP: slip, MAY_SEND: call.may_send})
        except (NotSentError, NoAnswerError) as exc:
            raise error_below(call, exc) from exc
        if slip.reply is None:
            raise RuntimeError("The SDK's pipeline ran without our policies.")
        return slip.reply

    async def close(self) -> None:
        await self._transport.close()

    def _through(self, url: str) -> Any:
        providers = _PROVIDER.findall(url.partition("?")[0])
        provider = providers[-1].lower() if providers else ""
        if provider == "microsoft.compute":
            return self.compute.send_request
        if provider == "microsoft.insights":
            # The monitor SDK has no public way to send a raw request.
            return self.monitor._send_request
        return self.resources.send_request

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.base,
            "credential_scopes": [self._scope],
            "transport": self._transport,
            "policies": [
                HeadersPolicy({"Accept": "application/json"}),
                UserAgentPolicy(base_user_agent=USER_AGENT),
                OurPolicies(self._policies),
                AsyncARMChallengeAuthenticationPolicy(self._credential, self._scope),
            ],
        }
