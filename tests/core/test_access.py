"""Section 4's table, cell by cell, for each kind of actor."""

import itertools

import pytest

from compass.server.core import access
from compass.server.core.access import Action, KeyHolder, Nobody, Operator
from compass.server.core.models import KeyType, Role

OWN, OTHERS, SERVICE = "own token", "another's token", "service account"

# (action, role) → what of the project's keys it reaches
LAW = {
    (Action.CREATE_KEY, Role.MEMBER): {OWN},
    (Action.CREATE_KEY, Role.ADMIN): {OWN, SERVICE},
    (Action.SEE_KEY, Role.MEMBER): {OWN},
    (Action.SEE_KEY, Role.ADMIN): {OWN, OTHERS, SERVICE},
    (Action.REVOKE_KEY, Role.MEMBER): {OWN},
    (Action.REVOKE_KEY, Role.ADMIN): {OWN, OTHERS, SERVICE},
    (Action.RENAME_KEY, Role.MEMBER): {OWN},
    (Action.RENAME_KEY, Role.ADMIN): {OWN, SERVICE},
    (Action.ROTATE_KEY, Role.MEMBER): {OWN},
    (Action.ROTATE_KEY, Role.ADMIN): {OWN, SERVICE},
}


def test_the_law_has_every_cell() -> None:
    assert set(LAW) == set(itertools.product(Action, Role)) == set(access.TABLE)


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("role", [*Role, None])
@pytest.mark.parametrize("key", [OWN, OTHERS, SERVICE])
def test_each_cell(action: Action, role: Role | None, key: str) -> None:
    actor = KeyHolder(
        id="key_1",
        name="x",
        project_id="prj_1" if role else "prj_2",
        role=role or Role.ADMIN,
        owner_id="usr_me",
        address=None,
    )
    key_type = KeyType.SERVICE_ACCOUNT if key == SERVICE else KeyType.PERSONAL
    owner = {OWN: "usr_me", OTHERS: "usr_other", SERVICE: None}[key]
    allowed = access.may(actor, action, "prj_1", key_type, owner)
    assert allowed == (role is not None and key in LAW[action, role])


@pytest.mark.parametrize("action", list(Action))
def test_nobody_may_nothing_and_the_operator_what_admins_may(action: Action) -> None:
    for key_type, owner in ((KeyType.SERVICE_ACCOUNT, None), (KeyType.PERSONAL, "usr_1")):
        assert not access.may(Nobody(address=None), action, "prj_1", key_type, owner)
        assert access.may(Operator(), action, "prj_1", key_type, owner)


def test_a_service_account_key_owns_no_personal_token() -> None:
    """No owner must never equal no owner."""
    actor = KeyHolder(
        id="key_1", name="x", project_id="prj_1", role=Role.MEMBER, owner_id=None, address=None
    )
    assert not access.may(actor, Action.REVOKE_KEY, "prj_1", KeyType.PERSONAL, None)


@pytest.mark.parametrize(
    ("own", "most", "effective"),
    [
        (Role.ADMIN, Role.ADMIN, Role.ADMIN),
        (Role.ADMIN, Role.MEMBER, Role.MEMBER),
        (Role.MEMBER, Role.ADMIN, Role.MEMBER),
        (Role.MEMBER, Role.MEMBER, Role.MEMBER),
    ],
)
def test_a_token_has_the_lower_of_two_roles(own: Role, most: Role, effective: Role) -> None:
    assert own.capped(most) is effective
