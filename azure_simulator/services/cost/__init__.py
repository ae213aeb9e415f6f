"""Cost Management: the query, cost alerts, anomaly rules, and the older usage details."""
