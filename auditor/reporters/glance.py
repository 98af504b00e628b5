"""What the page says once for many lines: who notices what goes, and the sentences that several lines share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from auditor.model.outcome import JudgedGrant, tally

_GOES = frozenset({"revoke", "revoke-after", "replace"})
_SOONEST = ("now", "at the next connect", "unknown", "never")


class Notice(Struct, frozen=True, kw_only=True):
    """People who notice, and how many of the permissions that go they notice."""

    who: str
    when: str
    number: int


class Shared(Struct, frozen=True, kw_only=True):
    """A sentence that stands with several lines of one app."""

    label: str
    text: str
    permissions: tuple[str, ...]
    """Without repetition, in the order of the lines; empty: every line."""


def notices(held: Iterable[JudgedGrant]) -> tuple[Notice, ...]:
    """Return who notices when the permissions that go are gone: soonest first, then most permissions first."""
    grouped: dict[tuple[str, str], list[JudgedGrant]] = {}
    for judged in held:
        if judged.decision in _GOES:
            grouped.setdefault((judged.impact.when, judged.impact.who_notices), []).append(judged)
    found = [Notice(who=who, when=when, number=tally(group).total()) for (when, who), group in grouped.items()]
    return tuple(sorted(found, key=lambda notice: (_SOONEST.index(notice.when), -notice.number, notice.who)))


def shared(held: Sequence[JudgedGrant]) -> tuple[Shared, ...]:
    """Return the sentences that stand with more than one of the lines `held`, label by label."""
    every = [_sentences(judged) for judged in held]
    numbers = Counter(sentence for sentences in every for sentence in sentences)
    return tuple(
        Shared(
            label=label,
            text=text,
            permissions=()
            if number == len(held)
            else tuple(
                dict.fromkeys(
                    judged.grant.permission
                    for judged, sentences in zip(held, every, strict=True)
                    if (label, text) in sentences
                )
            ),
        )
        for (label, text), number in sorted(numbers.items(), key=lambda item: item[0][0])
        if text and number > 1
    )


def _sentences(judged: JudgedGrant) -> tuple[tuple[str, str], ...]:
    return (
        ("Goes with it", judged.impact.what.text),
        ("Policy", judged.policy_reason),
        ("Seen", judged.seen_reason),
        ("Vendor", judged.vendor.text),
        ("Way back", judged.impact.way_back),
    )
