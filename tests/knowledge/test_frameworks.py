"""Frameworks: every control that a rule names is described once, in our words, with the source it was read in."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from auditor.engine.rules import load_rules
from auditor.errors import ConfigurationError
from auditor.knowledge.data import data_dir, rules_sha256
from auditor.knowledge.frameworks import control_names, known_frameworks, load_frameworks

GOOD = """\
framework: EXAMPLE-1
title: A sample standard
version: "1"
publisher: Contoso (sample)
source: https://standards.example/
checked: "2026-11-22"
supports: It is evidence in the audited apps.
controls:
  - id: A.1(2)
    title: Something is kept small
    basis: documented
"""
WANTED = {
    "ATTACK", "CIS-M365-6.0.1", "ISO-27001-2022", "MCSB-v2", "NIST-800-53r5", "PCI-DSS-4.0.1", "SCuBA-AAD", "SOC2-2017",
}  # fmt: skip


def written(folder: Path, text: str, name: str = "EXAMPLE-1") -> Path:
    (folder / f"{name}.yaml").write_text(text)
    return folder


def test_rules_and_frameworks_name_the_same_controls() -> None:
    """No control hangs in the air: each is described, and each that is described is supported by a rule."""
    named = {control for rule in load_rules() for control in rule.controls}
    assert set(control_names(known_frameworks())) == named
    assert {one.framework for one in known_frameworks()} == WANTED


def test_every_framework_says_version_source_and_what_support_means() -> None:
    for one in known_frameworks():
        assert one.title, one.framework
        assert one.version, one.framework
        assert one.publisher, one.framework
        assert one.supports.startswith("A rule supports"), one.framework
        date.fromisoformat(one.checked)
        assert all(control.source.startswith("https://") for control in one.controls)
        assert len({control.title for control in one.controls}) == len(one.controls)


def test_nothing_in_the_files_claims_that_a_control_is_met() -> None:
    for one in known_frameworks():
        told = " ".join((one.supports, *(control.title for control in one.controls)))
        assert not re.search(r"satisf|complian|comply|certifies|fulfil", told, re.IGNORECASE), one.framework


def test_the_hash_of_the_rules_covers_the_frameworks(tmp_path: Path) -> None:
    (tmp_path / "frameworks").mkdir()
    written(tmp_path / "frameworks", GOOD)
    before = rules_sha256(tmp_path)
    written(tmp_path / "frameworks", GOOD.replace("kept small", "kept smaller"))
    assert rules_sha256(tmp_path) != before


def test_a_control_takes_the_source_of_its_framework(tmp_path: Path) -> None:
    (one,) = load_frameworks(written(tmp_path, GOOD))
    assert one.controls[0].source == "https://standards.example/"
    assert control_names((one,)) == ("EXAMPLE-1:A.1(2)",)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("framework: EXAMPLE-1", "framework: EXAMPLE-2", 1, "its file 'EXAMPLE-1.yaml'"),
        ("https://standards.example/", "http://standards.example/", 5, "not an https URL"),
        ('checked: "2026-11-22"', "checked: November", 6, "not a date"),
        ("- id: A.1(2)", "- id: A 1", 9, "not a control's id"),
        ("basis: documented", "basis: inferred", 11, "inferred"),
        ("title: A sample standard", "titel: A sample standard", 2, "titel"),
        (
            "    basis: documented\n",
            "    basis: documented\n  - {id: A.1(2), title: B, basis: documented}\n",
            12,
            "already",
        ),
        ("    basis: documented\n", "    basis: documented\n    source: nowhere\n", 12, "not an https URL"),
    ],
)
def test_a_wrong_file_is_an_error_with_its_line(tmp_path: Path, old: str, new: str, line: int, what: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load_frameworks(written(tmp_path, GOOD.replace(old, new, 1)))
    assert caught.value.where.startswith(f"{tmp_path / 'EXAMPLE-1.yaml'}:{line}:")
    assert what in str(caught.value)


def test_a_rule_that_names_an_unknown_control_is_refused(tmp_path: Path) -> None:
    """With file and line, and the control that was probably meant."""
    rule = (
        (data_dir("rules") / "checks" / "outside-policy.yaml")
        .read_text()
        .replace("NIST-800-53r5:AC-6", "NIST-800-53r5:AC6")
    )
    (tmp_path / "outside-policy.yaml").write_text(rule)
    with pytest.raises(ConfigurationError, match=r"Did you mean 'NIST-800-53r5:AC-6'\?") as caught:
        load_rules(tmp_path)
    assert re.fullmatch(r".*outside-policy\.yaml:\d+", caught.value.where)
