"""CPU of reading Slack's list: our reader, or a bare slack_sdk loop over the same pages."""

import asyncio
import sys
import time
from functools import partial

import aiohttp
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from slack_docebo.clients.slack import open_slack
from slack_docebo.engine.reading.snapshot import SourceSnapshot


async def bare(url: str, token: str) -> int:
    """Follow the cursors with slack_sdk alone, and count."""
    people, cursor = 0, ""
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token, base_url=url, session=session)
        while True:
            page = await client.users_list(limit=1000, cursor=cursor)
            people += len(page["members"])
            cursor = page["response_metadata"]["next_cursor"]
            if not cursor:
                return people


async def ours(url: str, token: str) -> int:
    """Read, reduce, keep and prove, as a run does."""
    with SourceSnapshot() as people:
        async with open_slack(
            lambda: SecretStr(token), base_url=url, page_size=1000, calls_per_minute=1_000_000
        ) as slack:
            cursor = None
            while cursor != "":
                page = await slack.list_users(cursor or "")
                people.add(page)
                cursor = page.next_cursor
        people.prove()
        return people.people


if __name__ == "__main__":
    read = partial({"bare": bare, "ours": ours}[sys.argv[1]], *sys.argv[2:])
    begun = time.process_time()
    asyncio.run(read())
    print(time.process_time() - begun)
