"""Who may carry a plan out."""

from __future__ import annotations

import pytest

from auditor.errors import RefusedError, SignInError
from auditor.graph.auth import Claims
from auditor.remedy.power import require_not_itself, require_other, require_power, require_tenant
from tests.remedy.plans import plan, steps

APP, PERSON, OTHER = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "abc")
ALL = "AppRoleAssignment.ReadWrite.All Application.ReadWrite.All DelegatedPermissionGrant.ReadWrite.All"


def test_the_same_person_through_another_app_is_the_same() -> None:
    made = plan(reader_app_id=APP, reader_object_id=PERSON)
    with pytest.raises(RefusedError, match="two identities"):
        require_other(made, Claims(appid=OTHER, oid=PERSON.upper()))


def test_another_person_through_the_same_app_is_another() -> None:
    assert require_other(plan(reader_app_id=APP, reader_object_id=PERSON), Claims(appid=APP, oid=OTHER)) == ""


@pytest.mark.parametrize(
    ("reader", "writer"),
    [({"reader_app_id": APP}, Claims(appid=APP, oid=PERSON)), ({"reader_app_id": APP}, Claims(appid=APP))],
)
def test_where_no_object_id_is_known_the_app_decides(reader: dict[str, str], writer: Claims) -> None:
    with pytest.raises(RefusedError):
        require_other(plan(**reader), writer)


def test_an_unknown_reader_is_said_so() -> None:
    assert "not known" in require_other(plan(), Claims(appid=APP, oid=PERSON))


def test_what_the_token_lacks_is_named_with_the_role_of_a_person() -> None:
    with pytest.raises(SignInError, match=r"AppRoleAssignment\.ReadWrite\.All") as lacking:
        require_power(plan(), Claims(scp="Application.ReadWrite.All User.Read", oid=PERSON))
    assert "DelegatedPermissionGrant.ReadWrite.All" in str(lacking.value)
    assert "Privileged Role Administrator" in str(lacking.value)
    with pytest.raises(SignInError):
        require_power(plan(steps()[0]), Claims(roles=("Directory.Read.All",), appid=APP))


def test_an_app_does_not_carry_out_a_plan_against_itself() -> None:
    made = plan(steps()[4])
    target = made.steps[0].target
    for own in (Claims(appid=target.app_id.upper()), Claims(appid=APP, oid=target.service_principal_id)):
        with pytest.raises(RefusedError, match="about the app that would carry it out"):
            require_not_itself(made, own)
    require_not_itself(made, Claims(appid=APP, oid=PERSON))


def test_what_is_held_is_enough_and_so_is_a_higher_permission() -> None:
    require_power(plan(), Claims(scp=ALL))
    require_power(plan(steps()[2]), Claims(roles=("Directory.ReadWrite.All",)))


def test_the_tenant_is_told_by_its_id_and_confirmed_by_its_name() -> None:
    made = plan()
    names = ("Contoso (sample)", "contoso.example")
    require_tenant(made, tenant_id=made.tenant_id.upper(), typed=" contoso.example ", names=names)
    for tenant_id, typed in ((OTHER, names[0]), (made.tenant_id, "Contoso"), (made.tenant_id, ""), ("", names[0])):
        with pytest.raises(RefusedError):
            require_tenant(made, tenant_id=tenant_id, typed=typed, names=names)
