"""How many enabled member accounts a saved answer to `GET /users` shows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Struct, UnsetType

from auditor.model.canonical import shared
from auditor.model.snapshot import Collected, Complete, Partial, Unavailable
from auditor.sources.export_collections import Saved, collected, rows, saved_answer
from auditor.sources.export_folder import Folder


@shared
class User(Struct, frozen=True, kw_only=True, rename="camel"):
    """What tells whether an account counts; no name is read."""

    id: str
    account_enabled: bool | None = None
    user_type: str | UnsetType | None = UNSET

    @property
    def member(self) -> bool:
        """Graph's null, and no answer at all, count as a member: the number is an upper bound."""
        return self.user_type in (UNSET, None, "") or str(self.user_type).lower() == "member"


def _decode(raw: Mapping[str, object]) -> User:
    return msgspec.convert(raw, User)


USERS = Saved(
    path="users",
    call="GET /v1.0/users?$select=id,accountEnabled,userType&$top=999",
    decode=_decode,
    key=lambda user: user.id,
)


def enabled_members(folder: Folder) -> Collected[int]:
    """Return the number of enabled members as one item, from the accounts or from Graph's own count.

    Assumptions that the number rests on are added to the folder's remarks.
    """
    answer = saved_answer(folder, USERS)
    if isinstance(answer, Unavailable):
        return answer
    read = rows(answer, USERS)
    whole = collected(answer, read)
    silent = any(user.account_enabled is None for user in read.items)
    if answer.count is not None and (silent or not isinstance(whole, Complete)):
        if any(user.account_enabled is False or not user.member for user in read.items):
            why = f"{answer.file}: Microsoft Graph's count includes disabled accounts or guests."
            return Partial(items=(answer.count,), why=why, pages=answer.pages)
        folder.remarks.append(f"{answer.file}: Microsoft Graph's count is assumed to be of enabled members.")
        return Complete(items=(answer.count,), pages=answer.pages)
    if silent:
        return Unavailable(why=f"{answer.file}: its accounts do not say whether they are enabled.", opens=USERS.opens)
    if any(user.user_type is UNSET for user in read.items):
        folder.remarks.append(f"{answer.file}: accounts without userType are counted as members.")
    number = sum(1 for user in read.items if user.account_enabled and user.member)
    if isinstance(whole, Partial):
        return Partial(items=(number,), why=whole.why, pages=answer.pages)
    return Complete(items=(number,), pages=answer.pages)
