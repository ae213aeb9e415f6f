"""Microsoft Graph: partner security alerts, and the part of the directory that a responder reads and changes."""
