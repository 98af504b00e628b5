"""Microsoft Graph's own nouns, with the fields that this program reads.

Names and meanings follow https://learn.microsoft.com/graph/api/resources/serviceprincipal and its neighbours. Three
states of a field are kept apart: `UNSET` (the answer did not carry it: not known), `None` (Graph says null: known to be
empty) and a value. Credential values are never part of these types, so they cannot reach a snapshot.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

NO_ROLE = "00000000-0000-0000-0000-000000000000"
"""The appRoleId of default access: the principal may use the resource, and holds no permission on it."""


class Entity(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of every Graph value: immutable, camelCase on the wire."""


class AppRole(Entity, frozen=True, kw_only=True):
    """A permission that a resource publishes for applications (or for users, see `allowed_member_types`)."""

    id: str
    value: str | None = None
    display_name: str | None = None
    is_enabled: bool = True
    allowed_member_types: tuple[str, ...] = ()


class PermissionScope(Entity, frozen=True, kw_only=True):
    """A delegated permission that a resource publishes."""

    id: str
    value: str | None = None
    admin_consent_display_name: str | None = None
    is_enabled: bool = True
    type: str | None = None


class PasswordCredential(Entity, frozen=True, kw_only=True):
    """A client secret's name and life; never its value or hint."""

    key_id: str | None = None
    display_name: str | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None


class KeyCredential(Entity, frozen=True, kw_only=True):
    """A certificate's name, usage and life; never its key."""

    key_id: str | None = None
    display_name: str | None = None
    type: str | None = None
    usage: str | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None


class VerifiedPublisher(Entity, frozen=True, kw_only=True):
    """The publisher that Microsoft has verified; all fields null when there is none."""

    display_name: str | None = None
    verified_publisher_id: str | None = None
    added_date_time: datetime | None = None


class ServicePrincipal(Entity, frozen=True, kw_only=True):
    """An enterprise app in the tenant. `app_roles` and `oauth2_permission_scopes` matter for resources only."""

    id: str
    app_id: str
    display_name: str | None = None
    app_owner_organization_id: str | UnsetType | None = UNSET
    application_template_id: str | UnsetType | None = UNSET
    account_enabled: bool | UnsetType | None = UNSET
    service_principal_type: str | UnsetType | None = UNSET
    publisher_name: str | UnsetType | None = UNSET
    verified_publisher: VerifiedPublisher | UnsetType | None = UNSET
    reply_urls: tuple[str, ...] | UnsetType = UNSET
    homepage: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    created_date_time: datetime | UnsetType | None = UNSET
    disabled_by_microsoft_status: str | UnsetType | None = UNSET
    preferred_single_sign_on_mode: str | UnsetType | None = UNSET
    preferred_token_signing_key_thumbprint: str | UnsetType | None = UNSET
    app_role_assignment_required: bool | UnsetType | None = UNSET
    password_credentials: tuple[PasswordCredential, ...] | UnsetType = UNSET
    key_credentials: tuple[KeyCredential, ...] | UnsetType = UNSET
    app_roles: tuple[AppRole, ...] | UnsetType = UNSET
    oauth2_permission_scopes: tuple[PermissionScope, ...] | UnsetType = UNSET


class AppRoleAssignment(Entity, frozen=True, kw_only=True):
    """A role that a principal holds on a resource; an application permission only for a ServicePrincipal."""

    id: str
    app_role_id: str
    principal_id: str
    resource_id: str
    principal_type: str | None = None
    principal_display_name: str | None = None
    resource_display_name: str | None = None
    created_date_time: datetime | None = None


class OAuth2PermissionGrant(Entity, frozen=True, kw_only=True):
    """Delegated scopes (space-separated) of one client on one resource, for one principal or for all."""

    id: str
    client_id: str
    consent_type: str
    resource_id: str
    principal_id: str | None = None
    scope: str | None = None


class DirectoryObject(Entity, frozen=True, kw_only=True):
    """An owner, or a group or directory role that the app is a member of; `odata_type` tells which."""

    id: str
    odata_type: str | None = None
    display_name: str | None = None
    user_principal_name: str | None = None
    role_template_id: str | None = None


class VerifiedDomain(Entity, frozen=True, kw_only=True):
    """One domain of the organization."""

    name: str
    is_default: bool | None = None
    is_initial: bool | None = None


class Organization(Entity, frozen=True, kw_only=True):
    """The tenant; its id is the tenant id."""

    id: str
    display_name: str | None = None
    verified_domains: tuple[VerifiedDomain, ...] = ()


class SignInActivity(Entity, frozen=True, kw_only=True):
    """Last sign-ins of an app (beta report servicePrincipalSignInActivities), each a moment or null."""

    app_id: str
    last_sign_in: datetime | None = None
    delegated_client: datetime | None = None
    delegated_resource: datetime | None = None
    application_client: datetime | None = None
    application_resource: datetime | None = None

    @property
    def latest(self) -> datetime | None:
        """The last sign-in of any kind; None when the report knows of none."""
        moments = (
            self.last_sign_in,
            self.delegated_client,
            self.delegated_resource,
            self.application_client,
            self.application_resource,
        )
        return max((moment for moment in moments if moment is not None), default=None)


class GrantEvent(Entity, frozen=True, kw_only=True):
    """A directory audit record that tells who granted or changed what of an app and when, reduced to what counts."""

    id: str
    activity_date_time: datetime
    activity: str
    result: str | None = None
    actor: str | None = None
    """User principal name, or app name, of who did it."""
    target_id: str | None = None
    """Object id of the service principal that received the grant, or that was changed."""
    resource_id: str | None = None
    """Object id of the resource; of an owner that came or went, the owner's."""
    permissions: tuple[str, ...] = ()
    """Permission values or ids that the record says were given."""
    removed: tuple[str, ...] = ()
    """Permission values or ids that the record says were taken."""
    changed: tuple[str, ...] = ()
    """Names of the properties that the record lists as updated, as Microsoft spells them: `AccountEnabled`."""
    actor_id: str | None = None
    """Object id of the user who did it."""
    application: str | None = None
    """Name of the app registration, where the record is about one and not about a service principal."""
