"""What is promised of clouds: host, authority and scope change together, and a doubt about which is an error."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from auditor.errors import UsageError
from auditor.graph.clouds import CLOUDS, PUBLIC, cloud_in_force


def test_each_cloud_has_its_own_graph_under_https() -> None:
    """No two share a Graph, and no authority but that of the two for the US Government serves two clouds."""
    hosts = [urlsplit(cloud.graph) for cloud in CLOUDS.values()]
    assert {host.scheme for host in hosts} == {"https"}
    assert len({host.netloc for host in hosts}) == len(CLOUDS) == 4
    assert all(cloud.graph == f"https://{urlsplit(cloud.graph).netloc}" for cloud in CLOUDS.values())
    shared = {
        name: {c.name for c in CLOUDS.values() if name in c.authorities}
        for c in CLOUDS.values()
        for name in c.authorities
    }
    assert {frozenset(names) for names in shared.values() if len(names) > 1} == {frozenset({"us-gov-l4", "us-gov-l5"})}


def test_azure_identity_knows_each_authority() -> None:
    """By the constants of azure-identity, which were written by others."""
    from azure.identity import AzureAuthorityHosts as Known

    assert {cloud.authority for cloud in CLOUDS.values()} == {
        Known.AZURE_PUBLIC_CLOUD,
        Known.AZURE_GOVERNMENT,
        Known.AZURE_CHINA,
    }


def test_the_public_cloud_is_the_default() -> None:
    assert cloud_in_force(None, {}) is PUBLIC
    assert cloud_in_force(None, {"AZURE_AUTHORITY_HOST": " "}) is PUBLIC
    assert cloud_in_force(CLOUDS["china"], {}).name == "china"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("login.microsoftonline.com", "public"),
        ("https://login.microsoftonline.com/", "public"),
        ("https://LOGIN.windows.net", "public"),
        ("https://login.chinacloudapi.cn/", "china"),
        ("login.partner.microsoftonline.cn", "china"),
    ],
)
def test_the_cloud_follows_the_authority_of_the_environment(value: str, name: str) -> None:
    """As azure-identity reads the variable: with or without scheme."""
    assert cloud_in_force(None, {"AZURE_AUTHORITY_HOST": value}).name == name
    assert cloud_in_force(CLOUDS[name], {"AZURE_AUTHORITY_HOST": value}).name == name


def test_an_authority_of_two_clouds_asks_which() -> None:
    """Neither is guessed; named, each is taken."""
    environ = {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"}
    with pytest.raises(UsageError, match=r"us-gov-l4 and us-gov-l5.*--cloud"):
        cloud_in_force(None, environ)
    for name in ("us-gov-l4", "us-gov-l5"):
        assert cloud_in_force(CLOUDS[name], environ).name == name


@pytest.mark.parametrize(
    "value", ["login.contoso.example", "http://[::1", "https://", "login.microsoftonline.com.contoso.example"]
)
def test_an_authority_of_no_cloud_is_refused(value: str) -> None:
    """A secret would go there."""
    with pytest.raises(UsageError, match=re.escape(repr(value)) + ".*no known cloud"):
        cloud_in_force(None, {"AZURE_AUTHORITY_HOST": value})
    with pytest.raises(UsageError, match="AZURE_AUTHORITY_HOST"):
        cloud_in_force(PUBLIC, {"AZURE_AUTHORITY_HOST": value})


def test_a_cloud_and_an_authority_that_differ_are_both_named() -> None:
    environ = {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"}
    with pytest.raises(UsageError, match=r"login\.microsoftonline\.us.* china .*login\.chinacloudapi\.cn"):
        cloud_in_force(CLOUDS["china"], environ)
