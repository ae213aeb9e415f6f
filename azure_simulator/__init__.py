"""The embedded Azure: an emulator of the control plane that unmodified Azure clients accept.

It stands alone: it imports nothing of Firebreak. State lives in a `World`; services are folders with the same four files
(*urls, responses, models, exceptions*); the pipeline in `azure_simulator.pipeline` does what Azure does to every request: log, faults,
sign-in, api-version, throttling, RBAC, locks, policy, activity log. Time is the world's clock, ids and chance come from its seed.

    from azure_simulator import build, AsgiApp
    world = build("crypto-mining", seed=7, now=datetime(2026, 11, 20, 3, tzinfo=UTC))
    app = AsgiApp(world)           # in process, for httpx.ASGITransport; `azure_simulator.server` serves it over TLS
    world.resources["/subscriptions/..."]["properties"]
    world.requests[-1]             # the request log
"""
