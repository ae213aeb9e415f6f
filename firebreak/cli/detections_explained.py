"""Two sentences on every finding that no rule makes: what is seen, and why it matters. The page about the detections is made of it.

A test looks through the steps and the analysis for findings and fails for one that is missing here, so a new one is explained or not added.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# title of a section -> where it looks; finding -> (title, two sentences)
EXPLAINED: Final = MappingProxyType(
    {
        "Patterns over a session (`investigate.activity_log`, and `inspect activity-log`)": {
            "new-caller": (
                "A caller not seen before",
                "The caller did nothing in the log before the week that is looked at. It is grave when a burst of creations comes with it.",
            ),
            "new-address": (
                "A known caller at a new address",
                "The caller worked from other addresses before. It weighs less with a second factor, or for callers who often change.",
            ),
            "no-mfa": (
                "No multi-factor authentication where it is usual",
                "The tokens of this caller said otherwise before. An unfamiliar session came without.",
            ),
            "burst": (
                "Burst of creations",
                "At least 8 resources came within an hour, and three times the session's own earlier peak. Attempts that failed do not count.",
            ),
            "large-sizes": (
                "GPU or many-core machines created",
                "The size is one that miners favour. It is high where no machine of such a family stood here before.",
            ),
            "new-region": (
                "Creation in an unused region",
                "Nothing stood in the region before. It is high from three regions on.",
            ),
            "new-kind": (
                "First use of a kind of resource",
                "The kind was never made here before. It is low, but connects other findings.",
            ),
            "quota-then-creation": (
                "Quota request followed by creation",
                "More quota was asked for, then machines were made by the same caller from the same address. Both fell within seven days.",
            ),
            "granted-then-used": (
                "Role granted, then used",
                "A principal without a past here was given a role and acted. Both the grant and the deeds are named.",
            ),
            "mass-delete": (
                "Mass deletion",
                "At least 25 deletions came within 24 hours by one session. Traces go that way, and so do backups.",
            ),
            "refused": (
                "Many refused operations",
                "At least 10 operations failed within an hour in one session. Somebody tries what does not go.",
            ),
            "bulk-": (
                "Blobs or secrets in bulk",
                "At least 25 were read or deleted within an hour. Only logs of storage or vaults show it.",
            ),
            "password-spray": (
                "Passwords tried on many accounts",
                "One address failed on five accounts or more. It is graver when one of the passwords was right.",
            ),
            "brute-force": (
                "Many failed sign-ins to one account",
                "At least 10 sign-ins to one account failed within an hour. Somebody guesses its password.",
            ),
        },
        "Who and what (`investigate.attribution`, `investigate.access`, `investigate.eligible_access`, `investigate.footholds`, `investigate.inventory`, `investigate.listed_keys`, `investigate.network`, `investigate.platform_compute`, `investigate.removals`, `investigate.subscription`, `investigate.vaults`)": {
            "attacker": (
                "A session taken for the attacker's",
                "Its reasons together reached the score of an attacker. Each reason is shown with its points and events.",
            ),
            "strong-roles-new": (
                "Strong roles assigned in the incident's window",
                "Somebody got a role that can change everything while the attack ran. The log may not show who gave it.",
            ),
            "locks-new": (
                "Locks put in the incident's window",
                "A lock keeps a resource from being deleted or changed. Attackers lock their own groups to hold up whoever cleans.",
            ),
            "unhandled-compute": (
                "Kinds of compute that no step stops",
                "The subscription has compute that the playbooks only list. Intruders mine there too, so a person looks.",
            ),
            "unhandled-platform-compute": (
                "Compute inside platform services that no step stops",
                "A workspace uses compute that is attached to it and runs somewhere else. Nobody here stops it, so a person looks.",
            ),
            "footholds": (
                "Ways back that the attacker left",
                "Automation, agents, rules, delegations or download links that work without anybody signing in. Each comes with the event that made it; a step removes them.",
            ),
            "footholds-by-hand": (
                "Ways back that a person has to close",
                "Code ran on a machine, or something that was there before was changed. No step can tell what it should be; the finding says what to do.",
            ),
            "attackers-addresses": (
                "Public addresses of the attacker's machines",
                "What is reached there is the attacker's. Look for these addresses in the logs of firewalls and of other subscriptions, and block them.",
            ),
            "attacker-behind-balancer": (
                "The attacker's machines get traffic of somebody else's load balancer",
                "A machine of the attacker's stands behind a load balancer of the subscription and may have answered its users. The finding says which.",
            ),
            "keys-told": (
                "Keys and passwords that the attacker was told",
                "Azure told the attacker's sessions keys, links or passwords of storage, databases, registries or apps. They work without an account until they are made anew: a step does it for storage accounts, people for the others.",
            ),
            "vault-doors": (
                "Access to Key Vaults that the attacker gave",
                "The attacker's sessions let an identity read a vault. A step takes that access away; what was read meanwhile stands in the vault's own log alone.",
            ),
            "vaults-by-hand": (
                "What the attacker did to Key Vaults and a person has to see to",
                "A vault was opened to networks, rewritten, deleted or purged. The finding says how it stands now and what to do.",
            ),
            "eligible-roles-new": (
                "Roles that somebody may take up since the incident's window began",
                "Somebody can take up a role in the subscription whenever they want. Until they do, no list of role assignments shows it.",
            ),
            "taken-away": (
                "Protections and rights that the attacker took away",
                "Roles of others, policies, locks or alert rules were deleted by the attacker's sessions. A step gives back what the log still tells of; the rest is a question to whoever set it up.",
            ),
            "affected-absent": (
                "Resources named by the alert are not there any more",
                "The alert names something that the inventory does not have. It was deleted, by the attacker or by somebody who saw it first.",
            ),
            "permissions-missing": (
                "The acting identity lacks permissions that the playbook needs",
                "Firebreak itself may not do all that the playbook says. What it cannot read is told as not looked at.",
            ),
            "subscription-state": (
                "The subscription is not enabled",
                "Azure holds it in a state in which most writes are refused. Reading and deleting still work.",
            ),
            "disks-unattached": (
                "Unattached disks of the window",
                "Disks became unused while the attack ran. They are paid for, and may hold what a machine left.",
            ),
            "disks-unattached-before": (
                "Unattached disks from before",
                "They lay unused before the attack. They are told for the bill and touched by no step.",
            ),
            "blobs-unattached": (
                "Unmanaged disks that nothing holds",
                "A page blob is a disk that no machine has leased. It is paid for until somebody deletes it.",
            ),
        },
        "Money and quota (`investigate.spend`, `investigate.burn_rate`, `investigate.quota`)": {
            "spend-anomaly": (
                "Spend above its usual course",
                "A day cost more than the days before it let expect, judged only by those days. How it is judged stands in [the guide to spend](spend.md).",
            ),
            "over-budget": (
                "A budget is spent",
                "What the month has cost is above what the customer planned. A budget warns and stops nothing.",
            ),
            "no-budget": (
                "No budget watches this subscription",
                "Nobody is told when spending rises. It is advice, not a sign of an attack.",
            ),
            "burning": (
                "The attacker's machines cost money now",
                "Machines judged the attacker's are running, at these prices an hour. It needs no bill: sizes times the price list.",
            ),
            "quota-requests": (
                "Quota requests in the incident's window",
                "Somebody asked for more, as the log, the list of requests or a support ticket tells. It is low for a session that works from there every day.",
            ),
            "quota-free": (
                "vCPUs that could still be started",
                "So much more an intruder could start now, by region and on Spot. It is bounded by the region's total.",
            ),
            "quota-expensive": (
                "GPU and high-performance quota that could still be used",
                "Limits of the sizes that miners want are not used up. The quota stage proposes to lower those of which nobody uses anything.",
            ),
        },
        "Microsoft's own alerts (`investigate.alerts`)": {
            "alert-not-listed": (
                "Microsoft does not list this alert",
                "Microsoft's list for the customer has no alert like the one that came. It may not be genuine.",
            ),
            "more-alerts": (
                "Microsoft has further open alerts about this customer",
                "Other alerts stand open, perhaps about other subscriptions. Each of those needs its own response.",
            ),
            "old-alerts": (
                "Alerts open for fifty days or more",
                "They were never answered. After sixty days Microsoft stops reminding.",
            ),
            "missed-events": (
                "Partner Center noted fraud events without an alert",
                "An event stands in the audit records and no alert lies within a day of it. A delivery was lost, or nobody took it.",
            ),
            "advisories": (
                "Microsoft sent the customer security advisories",
                "Service Health told the customer of something. Its text is in the portal alone.",
            ),
            "alert-fields": (
                "Microsoft's alerts have fields that this release does not know",
                "The format has grown. The fields are kept in the evidence and not looked at.",
            ),
        },
        "Identities (`investigate.sign_ins`, `.administrators`, `.applications`, `.identity_risk`, `.tenant_protection`, `.delegated_access`)": {
            "password-guessed": (
                "Many failed sign-ins to one account",
                "An account failed again and again within a short time. It is graver when a sign-in from there succeeded.",
            ),
            "factor-worn-out": (
                "A second factor asked for again and again",
                "The user was asked to approve many times, until one was given or none. Somebody has the password.",
            ),
            "password-known": (
                "A password that strangers know",
                "The password was right and only the second factor held. Change it before that gives way.",
            ),
            "unfamiliar-sign-in": (
                "A sign-in unlike all the others of this person",
                "Address, country, program or hour are none that this person had. Each difference is named.",
            ),
            "one-factor": (
                "Signed in with one factor alone",
                "A password was enough where two factors are usual. Stolen passwords work the same way.",
            ),
            "one-factor-list": (
                "Accounts that sign in with one factor",
                "These accounts are let in with a password alone. A list for those who set the rules.",
            ),
            "application-sign-in": (
                "An application signed in from elsewhere or with a fresh credential",
                "The application's secret is used where it never was, or is younger than the attack. A stolen or planted secret looks so.",
            ),
            "token-used-elsewhere": (
                "A token used from another address than it was issued to",
                "The token was issued to one address and used from another. Stolen tokens are used so, and so are some proxies.",
            ),
            "identity-at-risk": (
                "A person or an application at risk",
                "Identity Protection holds the identity at risk, or saw signs of it in the window. What the licence keeps back is told as not looked at.",
            ),
            "privileged-role-new": (
                "A privileged role held since the window began",
                "Somebody became an administrator while the attack ran. Made for a purpose or by the intruder, a person has to know.",
            ),
            "administrator-without-factor": (
                "Administrators without a second factor",
                "They have registered none, so a password is enough. Their accounts are the first to be tried.",
            ),
            "factor-not-enforced": (
                "Administrators whom nothing asks for a second factor",
                "Registered is not enforced: no rule demands it of these administrators. A stolen password still works.",
            ),
            "guest-administrator": (
                "Guests with privileged roles",
                "An account of another tenant administers this one. Its own tenant decides how safely it signs in.",
            ),
            "recovery-to-verify": (
                "Ask each administrator whether these ways back in are theirs",
                "Mail addresses and phones let somebody reset a password. Only their owner can say whose they are.",
            ),
            "recovery-changed": (
                "A way back into a privileged account is new",
                "An address, a phone or a method was added in the window. An intruder who keeps one returns after every reset.",
            ),
            "credential-new": (
                "An application has a credential of the window",
                "A secret or certificate was added while the attack ran. Whoever added it can sign in as the application.",
            ),
            "right-new": (
                "An application was given rights in the window",
                "A consent or a role widened what the application may do. Rights that read all mail or write the directory are grave.",
            ),
            "foreign-application": (
                "Applications of other tenants with strong rights",
                "Somebody else's applications have strong rights here. Their owners decide what they do with them.",
            ),
            "issuer-new": (
                "An application believes an outside issuer since the window",
                "A federated credential lets another system sign in as the application. No secret is needed, and none can be changed.",
            ),
            "factor-not-asked": (
                "Nothing asks everybody for a second factor",
                "Neither security defaults nor a policy demands one of everybody. A password alone opens the tenant.",
            ),
            "access-policy-in-window": (
                "A conditional access policy was made or changed",
                "A rule on sign-ins is younger than the attack. An exception for one account is enough.",
            ),
            "location-in-window": (
                "A named location was made or changed",
                "A list of addresses was written while the attack ran. Addresses that count as trusted pass the rules.",
            ),
            "intruder": (
                "An identity that the attacker acts as in the directory",
                "The activity log or a strange sign-in accuses it, or such a one brought it in. The stages about accounts evict it.",
            ),
            "intruder-other": (
                "Changes of the attacker that only people can judge",
                "The audit log shows the attacker making them, and no step puts them back. Look at each.",
            ),
            "delegated-unrestricted": (
                "The partner may do everything in this tenant",
                "The old kind of delegated administration is on, which knows no limits. Its successor names roles and an end.",
            ),
            "delegated-wide": (
                "A delegated relationship with roles that lead to everything",
                "A partner's relationship includes roles that can do nearly everything. Fewer would do.",
            ),
            "delegated-ending": (
                "Delegated access that ends soon",
                "Every relationship runs out soon and none renews itself. With the last one the responder's own access ends.",
            ),
            "delegated-new": (
                "A delegated relationship of the window",
                "A relationship became active while the attack ran. Partners get in that way, and so do those who pose as one.",
            ),
        },
    }
)
