"""The same reading as a plain loop over msgraph-sdk's typed models, one call after the other; prints the seconds."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

from azure.core.credentials import AccessToken
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient

APPS = 4


class Fixed:
    """The simulator's credential."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return the simulator's token."""
        return AccessToken(os.environ["BENCH_TOKEN"], 2**40)


async def pages(builder: Any) -> list[Any]:
    """Return the items of all pages of a collection."""
    page = await builder.get()
    items = list(page.value or [])
    while page.odata_next_link:
        page = await builder.with_url(page.odata_next_link).get()
        items += page.value or []
    return items


async def read(url: str) -> int:
    """Read what an audit needs and return the number of apps."""
    adapter = GraphRequestAdapter(AzureIdentityAuthenticationProvider(Fixed(), allowed_hosts=["127.0.0.1"]))
    adapter.base_url = f"{url}/v1.0"
    client = GraphServiceClient(request_adapter=adapter)
    await client.organization.get()
    principals = await pages(client.service_principals)
    apps = [sp for sp in principals if "zoom" in (sp.display_name or "").lower()]
    resources: set[str] = set()
    for app in apps:
        one = client.service_principals.by_service_principal_id(app.id)
        await one.get()
        assignments = await pages(one.app_role_assignments)
        grants = await pages(one.oauth2_permission_grants)
        await pages(one.owners)
        await pages(one.transitive_member_of)
        resources |= {str(a.resource_id) for a in assignments} | {g.resource_id for g in grants}
    for resource in resources:
        await client.service_principals.by_service_principal_id(resource).get()
    return len(apps)


start = time.perf_counter()
found = asyncio.run(read(sys.argv[1]))
print(time.perf_counter() - start)
if found != APPS:
    sys.exit("not all apps were read")
