"""Notifications: real apprise to a real receiver; what fails is told by place and scheme, and no address leaves."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from auditor.delivery import notify
from auditor.delivery.digest import Digest
from auditor.delivery.notify import MOST, channels, send
from auditor.errors import MissingPartError, UsageError
from auditor.graph.secret import Secret
from tests.canary import leaks
from tests.delivery.receiver import TOKEN, receiver

DIGEST = Digest(title="entra-audit: 1 came", body="contoso: came: Mail.Read\n\nExit code 1.", tone="warning")


def test_every_channel_gets_title_and_body_as_they_are() -> None:
    """Several at once; the text is not made into anything else, and the tone says how bad it is."""
    with receiver() as one, receiver() as other:
        assert send(DIGEST, channels(Secret(f"{one.address}\n{other.address}"))) == ()
    for got in (one, other):
        assert [(m["title"], m["message"], m["type"]) for m in got.messages] == [(DIGEST.title, DIGEST.body, "warning")]
        assert got.paths == [f"/{TOKEN}/"]


def test_a_list_of_addresses() -> None:
    """One per line or several with blanks between, with comments; an address may hold a comma and a number sign."""
    text = f"# the team's chat\n json://h/{TOKEN},x  slack://a/b/c/#room\n\n  # json://old\nnothing-like-it\n"
    found = channels(Secret(text))
    assert [(one.place, one.scheme) for one in found] == [(1, "json"), (2, "slack"), (3, "")]
    assert found[0].address.reveal() == f"json://h/{TOKEN},x"
    assert [one.called for one in found] == ["channel 1 (json)", "channel 2 (slack)", "channel 3"]
    assert TOKEN not in repr(found)
    assert channels(Secret("")) == ()


def test_too_many_are_refused() -> None:
    """A file of something else is no list of addresses."""
    with pytest.raises(UsageError, match="21 addresses are more than the 20"):
        channels(Secret("json://h/ " * (MOST + 1)))


def test_without_apprise_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read; and nobody needs it who tells nobody."""
    monkeypatch.setattr(notify, "find_spec", lambda _name: None)
    with pytest.raises(MissingPartError, match=r'pip install "entra-auditor\[notify\]"'):
        channels(Secret("json://h/"))
    assert channels(Secret("# json://h/")) == ()


def test_a_channel_that_fails_is_named_without_its_address(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Refused, absent, unknown or malformed: each is told by place and scheme, and the others get their message."""
    caplog.set_level(logging.DEBUG)
    with receiver(status=500) as broken, receiver() as good:
        addresses = [
            broken.address,
            f"json://127.0.0.1:9/{TOKEN}/",
            f"nosuchchat://{TOKEN}/{TOKEN}",
            f"slack://{TOKEN}",
            TOKEN,
            good.address,
        ]
        failures = send(DIGEST, channels(Secret("\n".join(addresses))))
    assert len(good.messages) == 1
    assert failures == (
        "channel 1 (json) was not told: it could not be reached, or did not take the message",
        "channel 2 (json) was not told: it could not be reached, or did not take the message",
        "channel 3 (nosuchchat) was not told: the address is none that apprise can use",
        "channel 4 (slack) was not told: the address is none that apprise can use",
        "channel 5 was not told: the address is none that apprise can use",
    )
    told = capfd.readouterr()
    texts = [("out", told.out), ("err", told.err), ("log", caplog.text), ("failures", "\n".join(failures))]
    assert leaks({"token": TOKEN}, [(name, text.encode()) for name, text in texts]) == []


def test_a_channel_that_never_answers_is_not_waited_for() -> None:
    """All of them together get so many seconds, and the one that answers has got its message."""
    with receiver(holds=threading.Event()) as silent, receiver() as good:
        assert send(DIGEST, channels(Secret(good.address))) == ()  # Apprise is loaded now.
        begun = time.monotonic()
        failures = send(DIGEST, channels(Secret(f"{silent.address} {good.address}")), timeout=0.8)
        assert time.monotonic() - begun < 20  # The silent one would take a minute.
    assert failures == ("channel 1 (json) was not told: no answer within 1 s",)
    assert len(good.messages) == 2


def test_what_breaks_inside_is_told_and_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A plugin's own defect, whose words may hold the address."""

    def breaks(address: str, **_options: object) -> None:
        raise RuntimeError(address)

    monkeypatch.setattr("apprise.Apprise.instantiate", breaks)
    assert send(DIGEST, channels(Secret(f"json://h/{TOKEN}"))) == ("channel 1 (json) was not told: it broke off",)
    assert TOKEN not in "".join(capfd.readouterr())
