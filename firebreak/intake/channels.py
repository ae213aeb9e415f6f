"""The ways on which alerts come in, as the inbox names them: doors for deliveries, and polls of Microsoft's own lists."""

from __future__ import annotations

from typing import Final

ALERTS: Final = "alerts"
PARTNER_CENTER: Final = "partner-center"
AZURE_MONITOR: Final = "azure-monitor"
DEFENDER: Final = "defender"
SENTINEL: Final = "sentinel"
JSON: Final = "json/"  # and the name of the mapping

POLL: Final = "poll/"  # and the source
POLL_GRAPH: Final = "poll/graph"
POLL_FRAUD_EVENTS: Final = "poll/fraud-events"
POLL_AUDIT_RECORDS: Final = "poll/audit-records"
POLL_COST_ALERTS: Final = "poll/cost-alerts"
