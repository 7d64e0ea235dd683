"""What a worker of ours may run, and what it takes from the server to do so."""

import asyncio
import os
import re
import signal
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
from prefect.client.schemas.objects import State
from prefect.serializers import Serializer
from prefect.settings import Settings as PrefectSettings
from prefect.utilities.dispatch import get_registry_for_type

from deployments.flow_run import BLOCKS, _take_secrets, block_name
from deployments.our_flows import FLOWS
from deployments.sealed_results import seal_results
from deployments.worker import OF_RUNS, FlowRunWorker, NoConfiguration, end_between_two_steps
from slack_docebo.settings import NotificationSettings, Settings, secrets_of
from tests.unit.test_prefect_yaml import DEPLOYMENTS, ROOT


def test_every_deployment_is_of_a_flow_that_the_worker_has():
    entrypoints = {f"flows/{flow.fn.__module__.rpartition('.')[2]}.py:{flow.fn.__name__}" for flow in FLOWS.values()}

    assert entrypoints == {one["entrypoint"] for one in DEPLOYMENTS}


def test_no_flow_lets_the_server_choose_where_its_results_are_kept():
    assert {
        name for name, flow in FLOWS.items() if flow.persist_result is not False or not flow.result_storage
    } == set()


def test_a_run_comes_again_after_500_and_begins_without_asking_for_the_version_of_the_server(monkeypatch):
    for name, value in OF_RUNS.items():
        monkeypatch.setenv(name, value)

    client = PrefectSettings().client

    assert client.retry_extra_codes == {500}
    assert not client.server_version_check_enabled


@pytest.mark.parametrize(("minutes", "healthy"), [(4, True), (6, False)])
def test_a_worker_that_looks_often_is_as_patient_with_the_server_as_others(minutes, healthy):
    worker = FlowRunWorker(work_pool_name="pool")
    worker._last_polled_time -= timedelta(minutes=minutes)

    assert worker.is_worker_still_polling(query_interval_seconds=0.5) == healthy


@pytest.mark.parametrize("path", ["deployments/compose.yaml", "deployments/helm/prefect-worker.yaml"])
def test_every_worker_is_of_our_type_and_in_our_pool(path):
    text = (ROOT / path).read_text()

    assert re.search(r"--type, slack-docebo\b|type: slack-docebo\b", text)
    assert re.search(r"--pool, slack-docebo-flows\b|workPool: slack-docebo-flows\b", text)


def test_our_type_takes_no_job_variables():
    template = FlowRunWorker.get_default_base_job_template()

    assert template["variables"] == {"type": "object", "properties": {}, "additionalProperties": False}


def test_nothing_of_a_template_is_filled_in():
    template = {"job_configuration": {"command": "{{ prefect.blocks.secret.x }}", "env": {"A": "b"}}, "variables": {}}

    made = asyncio.run(NoConfiguration.from_template_and_values(template, {"env": {"A": "c"}}, client=None))

    assert (made.command, made.env) == (None, {})


def test_only_secrets_of_our_settings_are_taken_from_blocks():
    assert set(BLOCKS) == set(secrets_of(Settings, NotificationSettings)) - {"DATABASE_URL"}
    assert block_name("DOCEBO_CLIENT_SECRET") == "docebo-client-secret"
    assert "DATABASE_URL" not in BLOCKS


def test_the_page_on_deployment_names_every_block_that_is_read():
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")

    assert [variable for variable in BLOCKS if f"`{block_name(variable)}`" not in page] == []
    assert len(BLOCKS) == 8  # as docs/security.md says


@pytest.mark.parametrize(
    "data", [{"value": "planted"}, {"value": 5}, {"value": {"a": "b"}}, {"value": "a\0b"}, {}], ids=str
)
def test_a_secret_block_that_holds_no_text_is_as_good_as_none_and_not_shown(monkeypatch, caplog, data):
    class Client:
        async def read_block_document_by_name(self, name, slug):
            assert (name, slug) == ("smtp-password", "secret")
            return SimpleNamespace(data=data)

        async def request(self, _method, path, **_given):
            assert path == "/block_documents/count"
            return SimpleNamespace(json=lambda: 1)

    monkeypatch.delenv("SMTP_PASSWORD", raising=False)
    asyncio.run(_take_secrets(Client(), ["SMTP_PASSWORD"]))

    taken = data == {"value": "planted"}
    assert os.environ.pop("SMTP_PASSWORD", None) == ("planted" if taken else None)
    assert caplog.messages == ([] if taken else ["the Secret block smtp-password holds no text: it is not used"])


@pytest.fixture
def sealed():
    registry = get_registry_for_type(Serializer)
    before = dict(registry)
    seal_results()
    yield
    registry.clear()
    registry.update(before)


@pytest.mark.parametrize(
    "serializer",
    [
        {"type": "pickle", "picklelib": "this"},
        {"type": "pickle", "picklelib": "this", "more": 1},
        {"type": "json", "jsonlib": "this", "object_decoder": "subprocess.Popen"},
        {"type": "compressed", "serializer": {"type": "pickle", "picklelib": "this"}, "compressionlib": "this"},
        {"type": "compressed/pickle", "compressionlib": "this"},
        {"type": "theirs"},
    ],
    ids=str,
)
def test_what_a_state_says_of_a_stored_result_imports_and_reads_nothing(sealed, serializer, tmp_path):
    data = {
        "storage_key": str(tmp_path / "result"),
        "serializer": serializer,
        "expiration": None,
        "prefect_version": "3",
    }
    stored = '{"metadata": {"storage_key": "result", "serializer": {"type": "pickle"}}, "result": "gASVAAAAAAAAAA=="}'
    (tmp_path / "result").write_text(stored)

    state = State.model_validate({"type": "COMPLETED", "data": data})

    with pytest.raises((PermissionError, RuntimeError), match=r"not read|not available"):
        asyncio.run(state.aresult(retry_result_failure=False))
    assert "this" not in sys.modules


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_order_to_end_is_not_lost_in_whatever_is_being_done(number):
    async def work():
        end_between_two_steps()
        try:
            signal.raise_signal(number)
        except BaseException:  # as many a callback and destructor does
            return "lost"
        await asyncio.sleep(0.1)  # several steps
        return "not heard"

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work())
