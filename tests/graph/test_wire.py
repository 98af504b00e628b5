"""What is promised of reading Graph's JSON: nothing that matters is guessed, nothing secret is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from auditor.graph import wire
from auditor.model.activity import is_change, is_grant
from auditor.model.directory import (
    AppRoleAssignment,
    DirectoryObject,
    GrantEvent,
    OAuth2PermissionGrant,
    Organization,
    ServicePrincipal,
    SignInActivity,
)

UPPER = "ABCDEF01-0000-4000-8000-00000000C0DE"
LOWER = UPPER.lower()
ASSIGNMENT = {"id": "aBc-D_e", "appRoleId": UPPER, "principalId": UPPER, "resourceId": UPPER}
GRANT = {"id": "gRaNt", "clientId": UPPER, "consentType": "AllPrincipals", "resourceId": UPPER, "scope": " User.Read "}
AUDIT: dict[str, Any] = {
    "id": "Directory_X_1",
    "activityDisplayName": "Add app role assignment to service principal ",
    "activityDateTime": "2026-02-08T21:49:53.7643129+00:00",
    "result": "success",
    "initiatedBy": {
        "user": {"id": UPPER, "displayName": None, "userPrincipalName": "admin@contoso.example"},
        "app": None,
    },
    "targetResources": [
        {
            "id": UPPER,
            "displayName": "Microsoft Graph",
            "modifiedProperties": [
                {"displayName": "AppRole.Id", "oldValue": None, "newValue": f'"{UPPER}"'},
                {"displayName": "AppRole.Value", "oldValue": None, "newValue": '"Mail.ReadWrite"'},
                {"displayName": "ServicePrincipal.ObjectID", "newValue": '"11111111-AAAA-4aaa-8aaa-000000000001"'},
            ],
        },
        {"id": "11111111-aaaa-4aaa-8aaa-000000000001", "modifiedProperties": []},
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T09:14:00Z", datetime(2026, 11, 22, 9, 14, tzinfo=UTC)),
        ("2026-11-22T09:14:00.1234567Z", datetime(2026, 11, 22, 9, 14, 0, 123456, tzinfo=UTC)),
        ("2026-11-22T01:14:00-8:00", datetime(2026, 11, 22, 9, 14, tzinfo=UTC)),
        ("2026-11-22T10:14:00.5+01:00", datetime(2026, 11, 22, 9, 14, 0, 500000, tzinfo=UTC)),
        ("2026-11-22t09:14:00", datetime(2026, 11, 22, 9, 14, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_times_are_read_in_every_way_that_graph_writes_them(text: str | None, expected: datetime | None) -> None:
    """Seven digits, short offsets, and the year 1 for null: each gives the moment in UTC."""
    assert wire.moment(text) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-40T00:00:00Z", "2026-11-22", 5, "9999-12-31T23:59:59-9:00", []]
)
def test_what_is_no_time_is_refused(text: object) -> None:
    """No moment is ever made up."""
    with pytest.raises(msgspec.ValidationError, match="date and time"):
        wire.moment(text)


def test_ids_are_lower_case_and_opaque_ids_untouched() -> None:
    """GUIDs compare without regard to case; the id of an assignment or grant is case-sensitive and stays as it is."""
    assignment = wire.app_role_assignment(ASSIGNMENT)
    assert (assignment.id, assignment.app_role_id, assignment.resource_id) == ("aBc-D_e", LOWER, LOWER)
    grant = wire.oauth2_permission_grant(GRANT)
    assert (grant.id, grant.client_id, grant.scope) == ("gRaNt", LOWER, " User.Read ")
    assert wire.directory_object({"id": UPPER, "roleTemplateId": UPPER}).role_template_id == LOWER
    assert wire.organization({"id": UPPER}).id == LOWER


@pytest.mark.parametrize("missing", ["id", "appRoleId", "principalId", "resourceId"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_an_assignment_without_one_of_its_ids_is_refused(missing: str, value: object) -> None:
    """Which permission, on what, for whom: none of it is guessed."""
    with pytest.raises(msgspec.ValidationError):
        wire.app_role_assignment({**ASSIGNMENT, missing: value})
    with pytest.raises(msgspec.ValidationError):
        wire.app_role_assignment({k: v for k, v in ASSIGNMENT.items() if k != missing})


@pytest.mark.parametrize(
    "change", [{"consentType": "Everybody"}, {"consentType": "Principal"}, {"consentType": None}, {"clientId": ""}]
)
def test_a_delegated_grant_must_say_for_whom_it_is(change: dict[str, object]) -> None:
    """A grant for nobody in particular, or for an unnamed person, is refused."""
    with pytest.raises(msgspec.ValidationError):
        wire.oauth2_permission_grant({**GRANT, **change})


def test_a_malformed_app_id_is_accepted() -> None:
    """Real exports hold appIds that are no GUIDs; they identify nothing and hide nothing."""
    assert wire.service_principal({"id": UPPER, "appId": "Not-A-Guid"}).app_id == "not-a-guid"


def test_absent_null_and_empty_stay_apart() -> None:
    """A field that did not come is UNSET, null is None, a null collection is empty; further fields are passed over."""
    sp = wire.service_principal(
        {
            "@odata.context": "x",
            "id": UPPER,
            "appId": UPPER,
            "applicationTemplateId": None,
            "tags": None,
            "verifiedPublisher": {"displayName": None, "addedDateTime": "0001-01-01T00:00:00Z"},
            "newFieldOfNextYear": {"a": 1},
            "createdDateTime": "2026-01-02T03:04:05.7654321Z",
        }
    )
    assert sp.application_template_id is None
    assert sp.tags == ()
    assert sp.reply_urls is UNSET
    assert sp.verified_publisher is not UNSET
    assert sp.verified_publisher is not None
    assert sp.verified_publisher.added_date_time is None
    assert sp.created_date_time == datetime(2026, 1, 2, 3, 4, 5, 765432, tzinfo=UTC)
    assert wire.service_principal({"id": "a", "appId": "b", "verifiedPublisher": None}).verified_publisher is None


@pytest.mark.parametrize("field", ["replyUrls", "passwordCredentials", "verifiedPublisher", "createdDateTime"])
def test_a_field_of_another_type_is_refused(field: str) -> None:
    """`tags: "x"` is not one tag."""
    with pytest.raises(msgspec.ValidationError):
        wire.service_principal({"id": "a", "appId": "b", field: "nonsense"})
    with pytest.raises(msgspec.ValidationError):
        wire.service_principal({"id": "a", "appId": "b", field: [5]})


def test_credential_values_never_survive() -> None:
    """Secret, hint, key and thumbprint have no place to go."""
    canary = "c4n4ry"
    sp = wire.service_principal(
        {
            "id": "a",
            "appId": "b",
            "passwordCredentials": [
                {
                    "keyId": UPPER,
                    "displayName": "d",
                    "secretText": canary,
                    "hint": canary,
                    "customKeyIdentifier": canary,
                }
            ],
            "keyCredentials": [{"keyId": UPPER, "key": canary, "customKeyIdentifier": canary, "usage": "Verify"}],
        }
    )
    assert sp.password_credentials is not UNSET
    assert sp.password_credentials[0].key_id == LOWER
    assert canary.encode() not in msgspec.json.encode(sp)
    assert canary not in repr(sp)


def test_nested_sign_ins_become_flat() -> None:
    """Each kind of sign-in keeps its own moment; an activity without one is null."""
    activity = wire.sign_in_activity(
        {
            "appId": UPPER,
            "lastSignInActivity": {"lastSignInDateTime": "2026-11-20T07:30:00Z", "lastSignInRequestId": "r"},
            "delegatedClientSignInActivity": None,
            "delegatedResourceSignInActivity": {"lastSignInDateTime": "0001-01-01T00:00:00Z"},
            "applicationAuthenticationClientSignInActivity": {"lastSignInDateTime": "2026-11-19T00:00:00Z"},
        }
    )
    assert activity == SignInActivity(
        app_id=LOWER,
        last_sign_in=datetime(2026, 11, 20, 7, 30, tzinfo=UTC),
        application_client=datetime(2026, 11, 19, tzinfo=UTC),
    )
    with pytest.raises(msgspec.ValidationError):
        wire.sign_in_activity({"appId": UPPER, "lastSignInActivity": "2026"})
    with pytest.raises(msgspec.ValidationError):
        wire.sign_in_activity({"appId": None})


def test_an_audit_record_tells_who_granted_what_to_whom() -> None:
    """The receiver is named by ServicePrincipal.ObjectID; the first target is the resource."""
    event = wire.grant_event(AUDIT)
    assert event == GrantEvent(
        id="Directory_X_1",
        activity_date_time=datetime(2026, 2, 8, 21, 49, 53, 764312, tzinfo=UTC),
        activity="Add app role assignment to service principal",
        result="success",
        actor="admin@contoso.example",
        target_id="11111111-aaaa-4aaa-8aaa-000000000001",
        resource_id=LOWER,
        permissions=("Mail.ReadWrite",),
        actor_id=LOWER,
    )
    assert is_grant(event)


def _changed(*changes: tuple[str, str | None]) -> dict[str, Any]:
    properties = [{"displayName": name, "newValue": value} for name, value in changes]
    return {**AUDIT, "targetResources": [{"id": UPPER, "modifiedProperties": properties}]}


@pytest.mark.parametrize(
    ("changes", "permissions"),
    [
        ([("DelegatedPermissionGrant.Scope", '" User.Read Mail.Read "')], ("User.Read", "Mail.Read")),
        ([("DelegatedPermissionGrant.Scope", "User.Read")], ("User.Read",)),
        ([("AppRole.Id", f'"{UPPER}"'), ("AppRole.Value", '""')], (LOWER,)),
        ([("AppRole.Value", None)], ()),
        ([("AppRole.Value", "[1]")], ()),
        (
            [
                (
                    "ConsentAction.Permissions",
                    "[[Scope: Old.Read]] => [[Id: x, Scope: User.Read Mail.Read, Created: ], [Scope: User.Read]]",
                )
            ],
            ("User.Read", "Mail.Read"),
        ),
    ],
)
def test_permissions_are_read_out_of_every_kind_of_record(
    changes: list[tuple[str, str | None]], permissions: tuple[str, ...]
) -> None:
    """Values inside quoted JSON, scopes, consents: new permissions only, each once."""
    event = wire.grant_event(_changed(*changes))
    assert event.permissions == permissions
    assert event.target_id == LOWER
    assert event.resource_id is None


def test_a_record_tells_what_came_and_what_went() -> None:
    """A scope that stood there before was not given; what a record of removal names was taken, from the named app."""
    scopes = {"displayName": "DelegatedPermissionGrant.Scope", "oldValue": '"A B"', "newValue": '"B C"'}
    given = wire.grant_event({**AUDIT, "targetResources": [{"id": UPPER, "modifiedProperties": [scopes]}]})
    assert (given.permissions, given.removed) == (("C",), ("A",))
    app = {"displayName": "ServicePrincipal.ObjectID", "oldValue": '"AAAAAAAA-0000-4000-8000-000000000001"'}
    role = {"displayName": "AppRole.Value", "oldValue": '"Mail.Send"', "newValue": '""'}
    gone = wire.grant_event({**AUDIT, "targetResources": [{"id": UPPER, "modifiedProperties": [app, role]}]})
    assert (gone.permissions, gone.removed) == ((), ("Mail.Send",))
    assert (gone.target_id, gone.resource_id) == ("aaaaaaaa-0000-4000-8000-000000000001", LOWER)


@pytest.mark.parametrize(
    ("activity", "changes"),
    [
        ("Update application \N{EN DASH} Certificates and secrets management ", True),
        ("Update application - Certificates and secrets management", True),
        ("Remove app role assignment from service principal", True),
        ("Add policy to service principal", False),
    ],
)
def test_what_changes_an_app_is_known_by_its_activity(activity: str, changes: bool) -> None:
    """Microsoft writes one activity with an en dash here and a hyphen there."""
    updated = {"displayName": "Included Updated Properties", "newValue": '"KeyDescription, DisplayName"'}
    target = {"id": UPPER, "type": "Application", "displayName": "Sample app", "modifiedProperties": [updated]}
    event = wire.grant_event({**AUDIT, "activityDisplayName": activity, "targetResources": [target]})
    assert is_change(event) is changes
    assert not is_grant(event)
    assert (event.changed, event.application) == (("KeyDescription", "DisplayName"), "Sample app")


@pytest.mark.parametrize(
    ("initiator", "actor"),
    [
        (None, None),
        ({"user": None, "app": None}, None),
        ({"user": None, "app": {"displayName": "Sample automation"}}, "Sample automation"),
        ({"app": {"displayName": None, "servicePrincipalId": "spid"}}, "spid"),
        ({"user": {"userPrincipalName": None, "id": "uid"}, "app": None}, "uid"),
    ],
)
def test_the_actor_is_the_user_else_the_app(initiator: object, actor: str | None) -> None:
    """Either part may be null, as Graph sends it against its own description."""
    assert wire.grant_event({**AUDIT, "initiatedBy": initiator}).actor == actor


@pytest.mark.parametrize(
    "change",
    [{"id": None}, {"activityDateTime": None}, {"activityDisplayName": ""}, {"targetResources": "x"}, {"result": 5}],
)
def test_an_audit_record_without_its_essentials_is_refused(change: dict[str, object]) -> None:
    """When, what, and to whom it happened are never guessed."""
    with pytest.raises(msgspec.ValidationError):
        wire.grant_event({**AUDIT, **change})


def test_records_of_other_changes_are_no_grants() -> None:
    """Adding an owner or a credential is no grant; a record without targets has none."""
    event = wire.grant_event({**AUDIT, "activityDisplayName": "Add owner to service principal", "targetResources": []})
    assert not is_grant(event)
    assert event.target_id is None


@pytest.mark.parametrize(
    ("type_", "obj"),
    [
        (AppRoleAssignment, ASSIGNMENT),
        (OAuth2PermissionGrant, GRANT),
        (Organization, {"id": "o", "verifiedDomains": [{"name": "contoso.example"}]}),
        (GrantEvent, AUDIT),
    ],
)
def test_bytes_and_parsed_json_give_the_same_value(type_: type, obj: object) -> None:
    """`decode` takes what came over the wire and what was parsed before."""
    assert wire.decode(json.dumps(obj).encode(), type_) == wire.decode(obj, type_)


def test_the_annotation_of_type_is_kept() -> None:
    """`@odata.type` tells a role from a group."""
    member = wire.decode({"id": "a", "@odata.type": "#microsoft.graph.directoryRole"}, DirectoryObject)
    assert member.odata_type == "#microsoft.graph.directoryRole"


@pytest.mark.parametrize("raw", [b"{", b"[]", b"null", b"\xff", 5, None])
def test_what_is_no_object_is_refused(raw: object) -> None:
    """Cut JSON, lists and nulls raise msgspec's error and nothing else."""
    with pytest.raises(msgspec.DecodeError):
        wire.decode(raw, ServicePrincipal)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(type_=st.sampled_from(list(wire.DECODERS)), data=st.data())
def test_any_object_is_read_or_refused(type_: type, data: st.DataObject) -> None:
    """Whatever the fields hold, the result is a value or a ValidationError."""
    names = {field.encode_name for field in msgspec.structs.fields(type_)} | set(AUDIT) | {"@odata.type"}
    obj = data.draw(st.dictionaries(st.sampled_from(sorted(names)), json_values))
    try:
        value: object = wire.decode(obj, type_)
    except msgspec.ValidationError:
        return
    assert isinstance(value, type_)


@pytest.mark.reference
def test_a_real_service_principal_is_read(reference_data: Path) -> None:
    """Microsoft Graph's own service principal, as a tool recorded it: 209 app roles, 281 scopes."""
    path = reference_data / "fixtures" / "m365cli" / "app-add.microsoftGraphSp.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))
    recorded = recorded["value"][0] if "value" in recorded else recorded
    obj = recorded[0] if isinstance(recorded, list) else recorded
    sp = wire.service_principal(obj)
    assert sp.app_roles is not UNSET
    assert sp.oauth2_permission_scopes is not UNSET
    assert (len(sp.app_roles), len(sp.oauth2_permission_scopes)) == (209, 281)
