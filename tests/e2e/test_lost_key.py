"""A Secret block in a Prefect whose database was restored, and whose encryption key was not."""

import asyncio
import os
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from deployments.flow_run import _take_secrets
from deployments.local import prefect_server
from tests.e2e.prefect_http import prefect_http

pytestmark = pytest.mark.long
KEY = "PREFECT_SERVER_ENCRYPTION_KEY"


def new_key() -> str:
    return urlsafe_b64encode(os.urandom(32)).decode()


def make_block(http) -> None:
    block_type = http.get("block_types/slug/secret").raise_for_status().json()["id"]
    of_type = {"block_schemas": {"block_type_id": {"any_": [block_type]}}}
    schema = http.post("block_schemas/filter", json=of_type).raise_for_status().json()[0]["id"]
    body = {
        "name": "smtp-password",
        "data": {"value": "hidden"},
        "block_type_id": block_type,
        "block_schema_id": schema,
    }
    http.post("block_documents/", json=body).raise_for_status()


async def take() -> None:
    async with get_client() as client:
        await _take_secrets(client, ["SMTP_PASSWORD"])


def taken(clients) -> str | None:
    """Return what a run takes from the block."""
    there = {PREFECT_API_URL: clients["PREFECT_API_URL"], PREFECT_API_AUTH_STRING: clients["PREFECT_API_AUTH_STRING"]}
    with temporary_settings(there):
        asyncio.run(take())
    return os.environ.pop("SMTP_PASSWORD", None)


def test_a_block_whose_key_is_lost_is_named_and_its_secret_is_missing(tmp_path: Path, monkeypatch, caplog):
    monkeypatch.delenv("SMTP_PASSWORD", raising=False)
    monkeypatch.setenv(KEY, new_key())
    with prefect_server(tmp_path) as clients, prefect_http(clients) as http:
        make_block(http)
        before = taken(clients)
    monkeypatch.setenv(KEY, new_key())
    with prefect_server(tmp_path) as clients:
        after = taken(clients)

    assert (before, after) == ("hidden", None)
    assert "smtp-password cannot be read and is not used: if it was made under another" in caplog.text
