"""Every call that this program makes to Microsoft Graph, with the least permission that each one needs.

Nothing else is ever sent: the reader builds its URLs from here, and the documentation is made from here.
Least permissions: https://learn.microsoft.com/graph/api (the page of each call) and `permissions.json` of
microsoftgraph/microsoft-graph-devx-content (2026-08-07); where they mislead, the note says what was chosen.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

Version = Literal["v1.0", "beta"]
P1 = "Microsoft Entra ID P1 licence"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One call."""

    method: Literal["GET", "POST"] = "GET"
    version: Version = "v1.0"
    path: str
    """Below the version, with `{id}` where an id goes."""
    query: tuple[tuple[str, str], ...] = ()
    """Names and values; `{id}` in a value stands for an id inside an OData string."""
    headers: tuple[tuple[str, str], ...] = ()
    application: str
    """The least application permission."""
    also: tuple[str, ...] = ()
    """Higher application permissions that open it as well, the smaller ones first."""
    delegated: str
    """The least delegated permission, for a person who signs in."""
    role: str
    """The least directory role that such a person needs beside it."""
    licence: str = ""
    """Empty: none."""
    clouds: tuple[str, ...] = ()
    """Clouds that have it; empty: all."""
    single: bool = False
    """It answers with one object, and not with a collection."""
    purpose: str
    """What the audit learns from it."""
    note: str = ""

    def target(self, id_: str = "") -> str:
        """Return path and query below the version, as a batch names it; `id_` is quoted for where it goes."""
        literal = id_.replace("'", "''")
        path = self.path.replace("{id}", quote(id_, safe=""))
        query = "&".join(f"{name}={quote(value.replace('{id}', literal), safe=',:()/$')}" for name, value in self.query)
        return f"{path}?{query}" if query else path


_TOP = ("$top", "999")
_IDENTITY = (
    "id,appId,displayName,appOwnerOrganizationId,applicationTemplateId,accountEnabled,servicePrincipalType,"
    "verifiedPublisher,replyUrls,homepage,tags,disabledByMicrosoftStatus,preferredSingleSignOnMode,"
    "appRoleAssignmentRequired"
)
_APPLICATIONS = ("Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_GRANTS = ("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All")
_ORGANIZATIONS = ("Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_USERS = ("User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_GLOBAL = ("public",)
_LOGGED = ("public", "us-gov-l4", "us-gov-l5")
_COUNT = (("$count", "true"), ("$top", "1"), ("$select", "id"))
_EVENTUAL = (("ConsistencyLevel", "eventual"),)
_READERS = "none (Directory Readers where the tenant restricts members)"

SERVICE_PRINCIPALS = Endpoint(
    path="/servicePrincipals",
    query=(("$select", _IDENTITY), _TOP),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    purpose="Which enterprise apps there are, and which of them are the vendor's.",
)
PUBLISHERS = Endpoint(
    version="beta",
    path="/servicePrincipals",
    query=(("$select", "id,appId,publisherName"), _TOP),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    purpose="Who publishes each enterprise app, verified or not.",
    note="v1.0 does not know publisherName. The list also confirms that of v1.0, which is not taken for whole without.",
)
SERVICE_PRINCIPAL = Endpoint(
    path="/servicePrincipals/{id}",
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    single=True,
    purpose="An audited app's publisher and its credentials' names and life.",
    note="Without $select, because Graph sends the certificates' keys only where keyCredentials is selected.",
)
RESOURCE = Endpoint(
    path="/servicePrincipals/{id}",
    query=(
        (
            "$select",
            "id,appId,displayName,appOwnerOrganizationId,servicePrincipalType,appRoles,oauth2PermissionScopes",
        ),
    ),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    single=True,
    purpose="The permissions that a resource publishes: the names behind the ids.",
)
APP_ROLE_ASSIGNMENTS = Endpoint(
    path="/servicePrincipals/{id}/appRoleAssignments",
    query=(_TOP,),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    purpose="An audited app's application permissions.",
)
OAUTH2_PERMISSION_GRANTS = Endpoint(
    path="/servicePrincipals/{id}/oauth2PermissionGrants",
    query=(_TOP,),
    application="Directory.Read.All",
    also=_GRANTS,
    delegated="Directory.Read.All",
    role=_READERS,
    purpose="An audited app's delegated permissions, tenant-wide and per user.",
)
APP_ROLE_ASSIGNED_TO = Endpoint(
    path="/servicePrincipals/{id}/appRoleAssignedTo",
    query=(_TOP,),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    purpose="The same application permissions from the resource's side, to be compared.",
    note="All apps' assignments on the resource come back; only those of the audited apps are kept.",
)
GRANTS_OF_CLIENT = Endpoint(
    path="/oauth2PermissionGrants",
    query=(("$filter", "clientId eq '{id}'"),),
    application="Directory.Read.All",
    also=_GRANTS,
    delegated="Directory.Read.All",
    role=_READERS,
    purpose="The same delegated permissions from the tenant's list, to be compared.",
    note="Without $top: with $filter beside it Graph has lost the link to the next page elsewhere "
    "(https://github.com/microsoftgraph/msgraph-sdk-dotnet/issues/1054).",
)
OWNERS = Endpoint(
    path="/servicePrincipals/{id}/owners",
    query=(("$select", "id,displayName,userPrincipalName"), _TOP),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    purpose="Who may change an audited app and add credentials to it.",
    note="Names of owners who are users need Directory.Read.All or User.Read.All beside it.",
)
MEMBER_OF = Endpoint(
    path="/servicePrincipals/{id}/transitiveMemberOf",
    query=(("$select", "id,displayName,roleTemplateId"), _TOP),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    purpose="Directory roles that an audited app holds, itself or through groups.",
    note="Names of groups and roles need Directory.Read.All beside it.",
)
OWNER_COUNT = Endpoint(
    path="/servicePrincipals/{id}/owners",
    query=_COUNT,
    headers=_EVENTUAL,
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    single=True,
    purpose="How many owners there are, to be compared with those that were read.",
)
MEMBER_OF_COUNT = msgspec.structs.replace(
    OWNER_COUNT,
    path="/servicePrincipals/{id}/transitiveMemberOf",
    purpose="How many memberships there are, to be compared with those that were read.",
)
ORGANIZATION = Endpoint(
    path="/organization",
    query=(("$select", "id,displayName,verifiedDomains"),),
    application="Organization.Read.All",
    also=_ORGANIZATIONS,
    delegated="Organization.Read.All",
    role="none",
    purpose="Which tenant this is.",
    note="permissions.json marks an Intune permission as least; Organization.Read.All is meant for it.",
)
ENABLED_MEMBERS = Endpoint(
    path="/users",
    query=(("$filter", "accountEnabled eq true and userType eq 'Member'"), *_COUNT),
    headers=_EVENTUAL,
    application="User.Read.All",
    also=_USERS,
    delegated="User.Read.All",
    role=_READERS,
    single=True,
    purpose="How many enabled member accounts there are: the upper bound of a mailbox permission's reach.",
    note="User.ReadBasic.All lists users, but accountEnabled and userType are no basic facts (inferred).",
)
ENABLED_MEMBERS_AGAIN = msgspec.structs.replace(
    ENABLED_MEMBERS, version="beta", purpose="The same count a second time, to be compared.", note=""
)
DIRECTORY_AUDITS = Endpoint(
    path="/auditLogs/directoryAudits",
    query=(("$filter", "targetResources/any(t:t/id eq '{id}')"),),
    application="AuditLog.Read.All",
    delegated="AuditLog.Read.All",
    role="Reports Reader",
    clouds=_LOGGED,
    purpose="Who granted or changed what of an audited app, and when.",
    note="Kept for 7 days without and 30 days with an Entra ID P1 licence. Copies of its page differ: some ask for "
    "Directory.Read.All beside it.",
)
OLDEST_AUDIT = Endpoint(
    path="/auditLogs/directoryAudits",
    query=(("$orderby", "activityDateTime asc"), ("$top", "1")),
    application="AuditLog.Read.All",
    delegated="AuditLog.Read.All",
    role="Reports Reader",
    clouds=_LOGGED,
    single=True,
    purpose="How far back the directory audit log reaches.",
)
FIRST_GRANT_EVENT = msgspec.structs.replace(
    DIRECTORY_AUDITS,
    query=(*DIRECTORY_AUDITS.query, *OLDEST_AUDIT.query),
    single=True,
    purpose="The oldest record about an app, which must be among those that were read.",
    note="Asked only where records were found: the log takes few requests.",
)
SIGN_IN_ACTIVITY = Endpoint(
    version="beta",
    path="/reports/servicePrincipalSignInActivities",
    query=(("$filter", "appId eq '{id}'"),),
    application="AuditLog.Read.All",
    delegated="AuditLog.Read.All",
    role="Reports Reader",
    licence=P1,
    clouds=_GLOBAL,
    purpose="When an audited app last signed in.",
    note="Beta, and in the global cloud only.",
)
ANY_SIGN_IN = msgspec.structs.replace(
    SIGN_IN_ACTIVITY,
    query=(("$top", "1"),),
    single=True,
    purpose="Whether the report of sign-ins is there at all: an empty one says nothing of an app.",
)
OAUTH2_PERMISSION_GRANT = Endpoint(
    path="/oauth2PermissionGrants/{id}",
    application="Directory.Read.All",
    also=_GRANTS,
    delegated="Directory.Read.All",
    role=_READERS,
    single=True,
    purpose="One delegated grant afresh, right before it is changed and after.",
)
ACCOUNT = Endpoint(
    path="/servicePrincipals/{id}",
    query=(("$select", "id,appId,accountEnabled"),),
    application="Application.Read.All",
    also=_APPLICATIONS,
    delegated="Application.Read.All",
    role=_READERS,
    single=True,
    purpose="Whether an app may sign in, right before that is changed and after.",
)
BATCH = Endpoint(
    method="POST",
    path="/$batch",
    application="",
    delegated="",
    role="none",
    purpose="Up to 20 of the GETs above in one request; needs no permission of its own.",
)
BATCH_BETA = Endpoint(
    method="POST",
    version="beta",
    path="/$batch",
    application="",
    delegated="",
    role="none",
    purpose="The same for the calls of the beta version.",
)

ENDPOINTS: tuple[Endpoint, ...] = (
    SERVICE_PRINCIPALS,
    PUBLISHERS,
    SERVICE_PRINCIPAL,
    RESOURCE,
    APP_ROLE_ASSIGNMENTS,
    APP_ROLE_ASSIGNED_TO,
    OAUTH2_PERMISSION_GRANTS,
    GRANTS_OF_CLIENT,
    OWNERS,
    OWNER_COUNT,
    MEMBER_OF,
    MEMBER_OF_COUNT,
    ORGANIZATION,
    ENABLED_MEMBERS,
    ENABLED_MEMBERS_AGAIN,
    DIRECTORY_AUDITS,
    FIRST_GRANT_EVENT,
    OLDEST_AUDIT,
    SIGN_IN_ACTIVITY,
    ANY_SIGN_IN,
    BATCH,
    BATCH_BETA,
)
"""All of them, in the order in which an audit meets them."""

CHECKS: tuple[Endpoint, ...] = (OAUTH2_PERMISSION_GRANT, ACCOUNT)
"""Reads that only a change makes, beside those above."""
