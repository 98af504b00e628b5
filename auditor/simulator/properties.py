"""The property names that $select takes, by Graph type.

From Microsoft's OpenAPI description of v1.0 and of the beta reports, without navigation properties; for users only a
few (https://github.com/microsoftgraph/msgraph-sdk-powershell/tree/dev/openApiDocs). Of a service principal, v1.0 also
returns `createdDateTime`, which is described nowhere, and, where it is selected, `publisherName`, which is described
for beta alone (inferred from tools that do so).
"""

from __future__ import annotations

from collections.abc import Mapping

BETA_ONLY = frozenset({"publisherName"})
"""Properties that v1.0 returns only where $select names them."""

PROPERTIES: Mapping[str, frozenset[str]] = {
    type_: frozenset(names.split())
    for type_, names in {
        "servicePrincipal": """
            accountEnabled addIns alternativeNames appDescription appDisplayName appId
            appOwnerOrganizationId appRoleAssignmentRequired appRoles applicationTemplateId
            createdByAppId createdDateTime customSecurityAttributes deletedDateTime description
            disabledByMicrosoftStatus displayName homepage id info isDisabled keyCredentials
            loginUrl logoutUrl notes notificationEmailAddresses oauth2PermissionScopes
            passwordCredentials preferredSingleSignOnMode preferredTokenSigningKeyThumbprint
            publisherName replyUrls resourceSpecificApplicationPermissions samlSingleSignOnSettings
            servicePrincipalNames servicePrincipalType signInAudience tags tokenEncryptionKeyId
            verifiedPublisher""",
        "appRoleAssignment": """
            appRoleId createdDateTime deletedDateTime id principalDisplayName principalId principalType
            resourceDisplayName resourceId""",
        "oAuth2PermissionGrant": "clientId consentType id principalId resourceId scope",
        "directoryObject": "deletedDateTime description displayName id mail roleTemplateId userPrincipalName appId",
        "directoryRole": "deletedDateTime description displayName id roleTemplateId",
        "organization": """
            businessPhones city country countryLetterCode createdDateTime deletedDateTime displayName id
            onPremisesSyncEnabled postalCode preferredLanguage state street technicalNotificationMails tenantType
            verifiedDomains""",
        "user": "accountEnabled createdDateTime displayName id mail userPrincipalName userType",
        "application": "appId createdDateTime displayName id requiredResourceAccess",
        "directoryAudit": """
            activityDateTime activityDisplayName additionalDetails category correlationId id initiatedBy loggedByService
            operationType result resultReason targetResources""",
        "servicePrincipalSignInActivity": """
            appId applicationAuthenticationClientSignInActivity applicationAuthenticationResourceSignInActivity
            delegatedClientSignInActivity delegatedResourceSignInActivity id lastSignInActivity""",
    }.items()
}
