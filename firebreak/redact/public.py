"""What is nobody's secret and stays: the cloud's own words. Everything else is replaced.

Values are kept by the key they stand under (sizes, regions, states, times, operation names), or when they are words that Firebreak itself
compares with: its steps, analysis and detections are read for them, so that what matched a list still does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
WORD: Final = re.compile(r"[^\W_]+")
MICROSOFT: Final = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"  # the tenant that owns Microsoft's own applications

_SOURCES = ("firebreak", "tasks", "playbooks")
_LONGEST = 100
_SHORTEST_BEGINNING = 8

# Keys whose values are the cloud's own words, whatever they stand in.
_KEYS = """
@odata.type access accessContainerType action actions activity activityDisplayName adminType alertType allowedMemberTypes appliesTo
armRegionName armSkuName assignmentType attestationLevel aud authenticationMethod authenticationMethodDetail authenticationProtocol
authenticationRequirement authenticationStepRequirement authenticationStepResultDetail authorizationSource billingCurrency billingCycle
billingType browser builtInControls caching capabilityStatus catalogOfferId category channels clientAppTypes clientAppUsed clientCredentialType
code conditionalAccessStatus conditionsNotSatisfied conditionsSatisfied confidenceLevel consentType cooldown countryLookupMethod
createOption creationType crossTenantAccessType currency currencyCode customerEntityType dataActions deleteOption destinationPortRange
destinationPortRanges detectionTimingType diskState displayStatus duration enforcedGrantControls enforcementMode eventCategory evictionPolicy
externalUserState failureReason fieldsOrder geography geographyGroup grantType groupType guestOrExternalUserTypes hyperVGeneration idtyp
incomingTokenType isComplianceCheck keyStrength kind level limitObjectType limitType location locationPlacementId lookupType loggedByService
memberType meterCategory meterSubCategory method methodsRegistered metricName minimumTlsVersion mode networkAccessPolicy notActions notDataActions
objectType offer offerId offerName operatingSystem operationType operator orchestrationMode origin osName osType passwordPolicies phoneType policyType
preferredLanguage priceType pricingModel principalType priority privateIPAllocationMethod productName protocol provisioningState provisioningStatus
publicIPAddressVersion publicIPAllocationMethod publicNetworkAccess publisher quotaId regionCategory regionType relationshipToPartner
reservationTerm resolvedReason resourceLocation resourceProvider resourceProviderValue resourceType resourceTypes result riskDetail riskEventType
riskEventTypes riskEventTypes_v2 riskLevel riskLevelAggregated riskLevelDuringSignIn riskState riskType serviceFamily serviceId serviceName
servicePlanName servicePrincipalType severity signInAudience signInEventTypes signInRiskLevels skuName skuPartNumber smsSignInState source
sourcePortRange spendingLimit state statistic status statusCode statusFrom statusOfPrimary statusTo storageAccountType subscriptionType thresholdType
tier timeAggregation timeGrain timeWindow tokenIssuerType trustType type unit unitOfMeasure unitType usage usageLocation userAgent userType vmSize
zone zones regionalDisplayName meterName userPreferredMethodForSecondaryAuthentication authnmethodsreferences acr acrs amr appidacr
BlobType LeaseStatus LeaseState AccessTier Last-Modified Creation-Time Content-Type Content-Length PublicAccess
"""
# The same, where only the pair is certain: the key's parent and the key.
_PAIRS = """
category.value location.countryOrRegion eventName.value operationName.value resourceProviderName.value resourceType.value status.value subStatus.value name.value
name.localizedValue modifiedProperties.displayName sku.name sku.family columns.name appRoles.value oauth2PermissionScopes.value imageReference.sku
imageReference.version imageReference.exactVersion listOfResourceTypesNotAllowed.value listOfAllowedLocations.value scaleAction.direction
scaleAction.type scaleAction.value properties.direction properties.access attributes.type columns.type contactRoles.value effect.value
upgradePolicy.mode encryption.type identity.type vmAgent.vmAgentVersion imageReference.id
"""
# Names that every service gives itself, and types whose things have public names.
KEPT_NAMES: Final = frozenset(
    {"default", "current", "latest", "$default", "management", "all", "none", "global", "null"}
)
# Keys under which people and things are named: there a word of our own is a name like any other.
_NAMED_TEXT = """
name userprincipalname mail surname givenname mailnickname companyname caller resourcegroup resourcegroupname computername adminusername
signinidentifier upn emailaddress
"""
NAMED: Final = frozenset(_NAMED_TEXT.split())
_PUBLIC_TYPES_TEXT = """
locations quotas usages servicelimits services problemclassifications vmsizes skus publishers offers artifacttypes versions eventtypes providers
features
"""
PUBLIC_TYPES: Final = frozenset(_PUBLIC_TYPES_TEXT.split())
KEPT_WORDS: Final = frozenset(
    {
        "ext",
        "onmicrosoft",
        "smtp",
        "openid",
        "profile",
        "email",
        "firebreak",
        "inc",
        "mc",
        "ms",
        "asr",
        "asrreplica",
        "k8s",
        "vhd",
        "com",
        "net",
        "org",
    }
)
_KEPT_HOSTS_TEXT = """
localhost microsoft.com azure.com azure.net windows.net microsoftonline.com azure.us microsoft.us usgovcloudapi.net microsoftonline.us azure.cn
chinacloudapi.cn partner.microsoftonline.cn githubusercontent.com github.com visualstudio.com dev.azure.com xmlsoap.org w3.org
"""
KEPT_HOSTS: Final = tuple(_KEPT_HOSTS_TEXT.split())
PLACES: Final = frozenset(
    {"location", "address", "defaultaddress", "billingaddress"}
)  # where somebody lives: "state" is one there
TAKES_NAMES_AS_KEYS: Final = frozenset(
    {"tags", "parameters", "outputs", "variables", "labels", "annotations", "nodelabels"}
)
_SCOPE: Final = re.compile(
    r"[a-z]+(?:\.[a-z]+)*\.(?:read|readwrite|readbasic|send|manage|accessasuser|fullcontrol|create|selected|invite|preview)(?:\.[a-z]+)*"
)
_FIELD: Final = re.compile(r"\b([A-Z][a-z]+(?:[A-Z][a-z]+)+)=")
RESOURCE_TYPE: Final = re.compile(r"microsoft\.[a-z.]+(?:/[a-z0-9.*]+)*", re.IGNORECASE)


@cache
def kept_keys() -> tuple[frozenset[str], frozenset[str]]:
    """The keys and the pairs of keys, in lower case."""
    return frozenset(_KEYS.lower().split()), frozenset(_PAIRS.lower().split())


@cache
def own_texts() -> frozenset[str]:
    """What Firebreak compares with: every text of its code and detections, in lower case, up to a length that a name may have."""
    return frozenset(text.lower() for text in _texts() if len(text) <= _LONGEST)


@cache
def is_own_key(name: str) -> bool:
    """Whether a tag is one that Firebreak looks for, by its name or by how the name begins."""
    lowered = name.lower()
    return lowered in own_texts() or any(lowered[:end] in own_texts() for end in range(_SHORTEST_BEGINNING, len(name)))


@cache
def own_words() -> frozenset[str]:
    """Every word that Firebreak may write: nothing that it says of itself needs to be hidden."""
    return frozenset(word.casefold() for text in _texts() for word in WORD.findall(text))


@cache
def own_segments() -> frozenset[str]:
    """Every segment of a path that Firebreak asks for."""
    paths = (text.split("?")[0] for text in own_texts() if text.startswith("/") and " " not in text)
    return frozenset(part for path in paths for part in path.split("/") if part)


@cache
def own_guids() -> frozenset[str]:
    """Ids that are the same everywhere: built-in roles, policies, Microsoft's applications and rights."""
    found = {one.lower() for text in _texts() for one in GUID.findall(text)}
    return frozenset(one for one in found if len(set(one[:8])) > 1)  # 33333333-... is an example in a hint


@cache
def own_fields() -> frozenset[str]:
    """What Firebreak reads as the name of a part of a text: `KeyIdentifier=...`."""
    return frozenset(name.lower() for text in _texts() if len(text) <= _LONGEST for name in _FIELD.findall(text))


@cache
def own_scopes() -> frozenset[str]:
    """Rights of Microsoft's interfaces that Firebreak knows by name: `mail.read`, `user_impersonation`; and those of OpenID Connect."""
    return frozenset(text for text in own_texts() if _SCOPE.fullmatch(text)) | {"offline_access", "user_impersonation"}


@cache
def indicator_words() -> frozenset[str]:
    """Words that detections look for in values: miners, tools, agents."""
    found: set[str] = set()
    for file in _files(resources.files("playbooks") / "detections"):
        if file.name.endswith((".yml", ".yaml")):
            for line in file.read_text(encoding="utf-8").splitlines():
                said = line.strip().removeprefix("- ").strip("'\"")
                if "*" in said and not {" ", "/"} & set(said):
                    found |= {word.casefold() for word in WORD.findall(said) if len(word) > 4}
    return frozenset(found)


@cache
def _texts() -> tuple[str, ...]:
    found: set[str] = set()
    for package in _SOURCES:
        for file in _files(resources.files(package)):
            text = file.read_text(encoding="utf-8")
            if file.name.endswith(".py"):
                found.update(_literals(text))
            else:
                found.add(text)
                found.update(part.strip(" \"',-") for line in text.splitlines() for part in (line, *line.split(": ")))
    return tuple(found)


def _literals(source: str) -> Iterable[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
            if "|" in node.value or " " in node.value:
                yield from re.split(r"[|\s]+", node.value)


def _files(folder: Traversable) -> Iterable[Traversable]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry)
        elif entry.name.endswith((".py", ".yml", ".yaml", ".json")):
            yield entry
