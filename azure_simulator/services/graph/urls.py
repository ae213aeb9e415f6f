"""Routes of Graph, below /graph. Everything else there is answered 404 in Graph's shape."""

from __future__ import annotations

from azure_simulator.http import Handler, Route, route
from azure_simulator.services.graph import (
    alert_responses,
    app_responses,
    giving_responses,
    log_responses,
    method_responses,
    methods,
    partner_score,
    policy_responses,
    policy_writes,
    relationship_requests,
    risk_responses,
    role_responses,
    tenant_responses,
    user_responses,
    write_responses,
)
from azure_simulator.services.graph import permissions as needs
from azure_simulator.services.graph.envelope import answered, not_found
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.services.graph.permissions import Gate, gated

ALERTS = "/graph/beta/security/partner/securityAlerts"
SCORE = "/graph/beta/security/partner/securityScore"


def _route(method: str, path: str, handler: Handler, gate: Gate | None = None) -> Route:
    return route(method, path, answered(gated(handler, gate) if gate else handler), kind="graph")


def _people(base: str) -> list[Route]:
    user = f"{base}/users/{{id}}"
    own = f"{user}/authentication"
    return [
        _route("POST", f"{base}/directoryObjects/getByIds", user_responses.get_by_ids, needs.READ_DIRECTORY),
        _route("GET", f"{base}/directoryObjects/{{id}}", user_responses.get_directory_object, needs.READ_DIRECTORY),
        _route("GET", f"{base}/me", user_responses.me),
        _route("GET", f"{base}/users", user_responses.list_users, needs.READ_USERS),
        _route("GET", user, user_responses.get_user, needs.READ_USERS),
        _route("PATCH", user, user_responses.patch_user, needs.WRITE_USERS),
        _route("POST", f"{user}/revokeSignInSessions", user_responses.revoke_sessions, needs.REVOKE_SESSIONS),
        _route("GET", f"{user}/memberOf", user_responses.member_of, needs.READ_DIRECTORY),
        _route("GET", f"{user}/transitiveMemberOf", user_responses.transitive_member_of, needs.READ_DIRECTORY),
        _route("GET", f"{user}/appRoleAssignments", app_responses.user_app_role_assignments, needs.READ_DIRECTORY),
        _route("GET", f"{user}/oauth2PermissionGrants", app_responses.user_grants, needs.READ_CONSENTS),
        _route("GET", f"{own}/methods", method_responses.list_methods, needs.READ_METHODS),
        *(
            _route("GET", f"{own}/{kind}", method_responses.list_kind(kind), needs.READ_METHODS)
            for kind in methods.KINDS
        ),
        _route("GET", f"{base}/groups", user_responses.list_groups, needs.READ_GROUPS),
        _route("GET", f"{base}/groups/{{id}}", user_responses.get_group, needs.READ_GROUPS),
        _route("GET", f"{base}/groups/{{id}}/members", user_responses.list_members, needs.READ_GROUPS),
        _route(
            "GET",
            f"{base}/reports/authenticationMethods/userRegistrationDetails",
            method_responses.list_registrations,
            needs.READ_REGISTRATION,
        ),
        _route(
            "GET",
            f"{base}/reports/authenticationMethods/userRegistrationDetails/{{id}}",
            method_responses.get_registration,
            needs.READ_REGISTRATION,
        ),
    ]


def _apps(base: str) -> list[Route]:
    read, write = needs.READ_APPLICATIONS, needs.WRITE_APPLICATIONS
    # `applications(appId='...')` is one segment with the object's id left out.
    app, by_app_id = f"{base}/applications/{{id}}", f"{base}/applications{{id}}"
    principal, by_name = f"{base}/servicePrincipals/{{id}}", f"{base}/servicePrincipals{{id}}"
    return [
        _route("GET", f"{base}/applications", app_responses.list_applications, read),
        *(_route("GET", path, app_responses.get_application, read) for path in (app, by_app_id)),
        _route("GET", f"{app}/owners", app_responses.application_owners, read),
        _route("GET", f"{app}/federatedIdentityCredentials", app_responses.list_trusts, read),
        *(_route("PATCH", path, app_responses.patch_application, write) for path in (app, by_app_id)),
        _route("POST", f"{app}/addPassword", app_responses.add_application_password, write),
        _route("POST", f"{app}/removePassword", app_responses.remove_application_password, write),
        _route("GET", f"{base}/servicePrincipals", app_responses.list_service_principals, read),
        *(_route("GET", path, app_responses.get_service_principal, read) for path in (principal, by_name)),
        _route("PATCH", principal, app_responses.patch_service_principal, write),
        _route("POST", f"{principal}/addPassword", app_responses.add_password, write),
        _route("POST", f"{principal}/removePassword", app_responses.remove_password, write),
        _route("GET", f"{principal}/owners", app_responses.service_principal_owners, read),
        _route("GET", f"{principal}/memberOf", user_responses.member_of, needs.READ_DIRECTORY),
        _route("GET", f"{principal}/transitiveMemberOf", user_responses.transitive_member_of, needs.READ_DIRECTORY),
        _route("GET", f"{principal}/appRoleAssignments", app_responses.app_role_assignments, read),
        _route("GET", f"{principal}/appRoleAssignedTo", app_responses.app_role_assigned_to, read),
        _route(
            "GET", f"{principal}/oauth2PermissionGrants", app_responses.service_principal_grants, needs.READ_CONSENTS
        ),
        _route("GET", f"{base}/oauth2PermissionGrants", app_responses.list_grants, needs.READ_CONSENTS),
    ]


def _roles(base: str) -> list[Route]:
    management = f"{base}/roleManagement/directory"
    active, eligible = needs.READ_ASSIGNMENT_SCHEDULES, needs.READ_ELIGIBILITY_SCHEDULES
    return [
        _route("GET", f"{management}/roleDefinitions", role_responses.list_definitions, needs.READ_ROLES),
        _route("GET", f"{management}/roleDefinitions/{{id}}", role_responses.get_definition, needs.READ_ROLES),
        _route("GET", f"{management}/roleAssignments", role_responses.list_assignments, needs.READ_ROLES),
        _route("GET", f"{management}/roleAssignments/{{id}}", role_responses.get_assignment, needs.READ_ROLES),
        _route("GET", f"{management}/roleAssignmentScheduleInstances", role_responses.list_active, active),
        _route("GET", f"{management}/roleEligibilityScheduleInstances", role_responses.list_eligible, eligible),
        _route("GET", f"{management}/roleEligibilitySchedules", role_responses.list_schedules, eligible),
        _route("GET", f"{base}/directoryRoles", role_responses.list_directory_roles, needs.READ_ROLES),
        _route("GET", f"{base}/directoryRoles/{{id}}/members", role_responses.list_role_members, needs.READ_ROLES),
        _route("GET", f"{base}/directoryRoles{{id}}/members", role_responses.list_role_members, needs.READ_ROLES),
    ]


def _policies(base: str) -> list[Route]:
    access, policies = f"{base}/identity/conditionalAccess", f"{base}/policies"
    alone = ("identitySecurityDefaultsEnforcementPolicy", "authorizationPolicy", "crossTenantAccessPolicy")
    return [
        _route("GET", f"{access}/policies", policy_responses.list_policies, needs.READ_CONDITIONAL_ACCESS),
        _route("GET", f"{access}/policies/{{id}}", policy_responses.get_policy, needs.READ_CONDITIONAL_ACCESS),
        _route("GET", f"{access}/namedLocations", policy_responses.list_locations, needs.READ_CONDITIONAL_ACCESS),
        _route("GET", f"{access}/namedLocations/{{id}}", policy_responses.get_location, needs.READ_CONDITIONAL_ACCESS),
        *(_route("GET", f"{policies}/{name}", policy_responses.single(name), needs.READ_POLICIES) for name in alone),
        _route(
            "GET", f"{policies}/crossTenantAccessPolicy/partners", policy_responses.list_partners, needs.READ_POLICIES
        ),
    ]


def _logs(base: str) -> list[Route]:
    logs, protection = f"{base}/auditLogs", f"{base}/identityProtection"
    risks = {
        "riskyUsers": needs.READ_RISKY_USERS,
        "riskDetections": needs.READ_DETECTIONS,
        "riskyServicePrincipals": needs.READ_RISKY_APPLICATIONS,
        "servicePrincipalRiskDetections": needs.READ_RISKY_APPLICATIONS,
    }
    return [
        _route("GET", f"{logs}/signIns", log_responses.list_sign_ins, needs.READ_SIGN_INS),
        _route("GET", f"{logs}/signIns/{{id}}", log_responses.get_sign_in, needs.READ_SIGN_INS),
        _route("GET", f"{logs}/directoryAudits", log_responses.list_audits, needs.READ_AUDITS),
        _route("GET", f"{logs}/directoryAudits/{{id}}", log_responses.get_audit, needs.READ_AUDITS),
        *(_route("GET", f"{protection}/{name}", risk_responses.all_of(name), gate) for name, gate in risks.items()),
        *(
            _route("GET", f"{protection}/{name}/{{id}}", risk_responses.one_of(name), gate)
            for name, gate in risks.items()
        ),
    ]


def _writes(base: str) -> list[Route]:
    """What takes away; accounts, sessions and secrets are with their services above."""
    user, principal = f"{base}/users/{{id}}", f"{base}/servicePrincipals/{{id}}"
    protection = f"{base}/identityProtection"
    verdicts = {"confirmCompromised": "confirmedCompromised", "dismiss": "dismissed"}
    subjects = {
        "riskyUsers": ("userIds", needs.WRITE_RISKY_USERS),
        "riskyServicePrincipals": ("servicePrincipalIds", needs.WRITE_RISKY_APPLICATIONS),
    }
    return [
        *(
            _route(
                "DELETE",
                f"{user}/authentication/{kind}/{{method}}",
                write_responses.delete_method(kind),
                needs.WRITE_METHODS,
            )
            for kind in methods.KINDS
        ),
        _route("DELETE", f"{base}/oauth2PermissionGrants/{{id}}", write_responses.delete_grant, needs.WRITE_CONSENTS),
        *(
            _route(
                "DELETE", f"{principal}/{side}/{{assignment}}", write_responses.delete_app_role, needs.WRITE_APP_ROLES
            )
            for side in ("appRoleAssignments", "appRoleAssignedTo")
        ),
        _route(
            "DELETE",
            f"{base}/roleManagement/directory/roleAssignments/{{id}}",
            write_responses.delete_role_assignment,
            needs.WRITE_ROLES,
        ),
        _route(
            "DELETE",
            f"{base}/applications/{{id}}/federatedIdentityCredentials/{{trust}}",
            write_responses.delete_trust,
            needs.WRITE_APPLICATIONS,
        ),
        _route(
            "PATCH",
            f"{base}/identity/conditionalAccess/policies/{{id}}",
            write_responses.patch_policy,
            needs.WRITE_CONDITIONAL_ACCESS,
        ),
        _route(
            "POST",
            f"{base}/identity/conditionalAccess/policies",
            policy_writes.create_policy,
            needs.WRITE_CONDITIONAL_ACCESS,
        ),
        _route(
            "DELETE",
            f"{base}/identity/conditionalAccess/policies/{{id}}",
            policy_writes.delete_policy,
            needs.WRITE_CONDITIONAL_ACCESS,
        ),
        _route(
            "PATCH", f"{base}/policies/{policy_writes.DEFAULTS}", policy_writes.patch_defaults, needs.WRITE_POLICIES
        ),
        *(
            _route("POST", f"{protection}/{name}/{verb}", write_responses.judge(name, key, state), gate)
            for name, (key, gate) in subjects.items()
            for verb, state in verdicts.items()
        ),
    ]


def _gifts(base: str) -> list[Route]:
    """What gives, or gives back."""
    management = f"{base}/roleManagement/directory"
    own = f"{base}/users/{{id}}/authentication"
    return [
        *(
            _route("POST", f"{own}/{kind}", giving_responses.add_method(kind), needs.WRITE_METHODS)
            for kind in (methods.PHONE, methods.EMAIL)
        ),
        _route("POST", f"{base}/oauth2PermissionGrants", giving_responses.add_grant, needs.WRITE_CONSENTS),
        _route(
            "POST",
            f"{base}/servicePrincipals/{{id}}/appRoleAssignments",
            giving_responses.add_app_role,
            needs.WRITE_APP_ROLES,
        ),
        _route("POST", f"{management}/roleAssignments", giving_responses.add_role_assignment, needs.WRITE_ROLES),
        _route(
            "POST",
            f"{management}/roleEligibilityScheduleRequests",
            giving_responses.request_eligibility,
            needs.WRITE_ELIGIBILITY,
        ),
        _route(
            "POST",
            f"{base}/applications/{{id}}/federatedIdentityCredentials",
            giving_responses.add_trust,
            needs.WRITE_APPLICATIONS,
        ),
    ]


def _tenant(base: str) -> list[Route]:
    relationships = f"{base}/tenantRelationships/delegatedAdminRelationships"
    read = needs.READ_RELATIONSHIPS
    return [
        _route("GET", f"{base}/organization", tenant_responses.organization, needs.READ_ORGANIZATION),
        _route("GET", f"{base}/domains", tenant_responses.list_domains, needs.READ_ORGANIZATION),
        _route("GET", f"{base}/subscribedSkus", tenant_responses.list_skus, needs.READ_LICENCES),
        _route("GET", f"{base}/contracts", tenant_responses.list_contracts, needs.READ_CONTRACTS),
        _route("GET", relationships, tenant_responses.list_relationships, read),
        _route("GET", f"{relationships}/{{id}}", tenant_responses.get_relationship, read),
        _route("GET", f"{relationships}/{{id}}/accessAssignments", tenant_responses.list_access, read),
        _route("GET", f"{relationships}/{{id}}/requests", relationship_requests.list_requests, read),
        _route("GET", f"{relationships}/{{id}}/requests/{{request}}", relationship_requests.get, read),
        _route("POST", f"{relationships}/{{id}}/requests", relationship_requests.post, needs.WRITE_RELATIONSHIPS),
    ]


ROUTES: list[Route] = [
    _route("GET", ALERTS, alert_responses.list_alerts, needs.READ_ALERTS),
    _route("GET", f"{ALERTS}/{{id}}", alert_responses.get_alert, needs.READ_ALERTS),
    _route("PATCH", f"{ALERTS}/{{id}}", alert_responses.patch_alert, needs.WRITE_ALERTS),
    _route("GET", SCORE, partner_score.score, needs.READ_ALERTS),
    *(_route("GET", f"{SCORE}/{name}", partner_score.part(name), needs.READ_ALERTS) for name in partner_score.PARTS),
    *(
        each
        for base in ("/graph/v1.0", "/graph/beta")
        for part in (_people, _apps, _roles, _policies, _logs, _tenant, _writes, _gifts)
        for each in part(base)
    ),
    *(
        _route(method, "/graph/{path...}", not_found(GraphNotFoundError))
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE")
    ),
]
