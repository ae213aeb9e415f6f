"""Types of Microsoft.Insights that are plain documents."""

from __future__ import annotations

ACTION_GROUP = "Microsoft.Insights/actionGroups"
ACTIVITY_LOG_ALERT = "Microsoft.Insights/activityLogAlerts"
DIAGNOSTIC_SETTING = "Microsoft.Insights/diagnosticSettings"
