"""Container files are not run here: no engine. That they fit the code is checked all the same."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_settings_fields
from prefect_redis.cleanup_queue import RedisWorkerCleanupQueueSettings
from prefect_redis.client import RedisMessagingSettings

from slack_docebo.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deployments"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
SERVER = SERVICES["server"]["environment"]
LOGIN = "PREFECT_SERVER_API_AUTH_STRING"
CONTAINERFILE = (FOLDER / "Containerfile").read_text()
OF_THE_CHARTS = ["/usr/bin/tini", "-g", "--", "/opt/prefect/entrypoint.sh"]
MANIFESTS = sorted((FOLDER / "helm").glob("*.yaml"))
OURS = {name.upper() for name in Settings.model_fields}
REDIS = (RedisMessagingSettings, RedisWorkerCleanupQueueSettings)
PREFECTS = {
    *_get_settings_fields(PrefectSettings),
    "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE",
    *(f"{one.model_config['env_prefix']}{field}".upper() for one in REDIS for field in one.model_fields),
}


def variables() -> set[tuple[str, str]]:
    found = {(name, key) for name, one in SERVICES.items() for key in one.get("environment", {})}
    for path in MANIFESTS:
        found |= {(path.name, name) for name in re.findall(r"\{name: ([A-Z_]+), value", path.read_text())}
    return {(where, name) for where, name in found if not name.startswith("POSTGRES_")}


@pytest.mark.parametrize(("where", "name"), sorted(variables()))
def test_every_variable_is_one_that_is_read(where, name):
    assert name in OURS | PREFECTS


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_services_there_are_and_that_can_be_waited_for(name):
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        if condition["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert SERVICES[other]["restart"] != "unless-stopped"


def test_volumes_that_are_used_are_declared():
    used = {volume.split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}

    assert {volume for volume in used if not volume.startswith(".")} == set(COMPOSE["volumes"])
    assert all((FOLDER / volume).exists() for volume in used if volume.startswith("."))


def test_nothing_is_published_but_on_this_machine():
    ports = [port for one in SERVICES.values() for port in one.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_ports_agree():
    server, webhook = SERVICES["server"], SERVICES["webhook"]

    assert server["command"][:7] == ["python", "-m", "deployments.server", "--host", "0.0.0.0", "--port", "4200"]
    assert SERVICES["worker"]["environment"]["PREFECT_API_URL"] == "http://server:4200/api"
    assert webhook["ports"] == [f"127.0.0.1:8400:{webhook['environment']['WEBHOOK_PORT']}"]


def test_both_databases_are_postgresql_and_the_broker_is_redis():
    assert SERVER["PREFECT_API_DATABASE_CONNECTION_URL"].startswith("postgresql+asyncpg://")
    assert SERVICES["worker"]["environment"]["DATABASE_URL"].startswith("postgresql://")
    assert SERVER["PREFECT_MESSAGING_BROKER"] == "prefect_redis.messaging"
    assert SERVICES["services"]["environment"].items() == {k: v for k, v in SERVER.items() if k != LOGIN}.items()


def test_whatever_prefect_keeps_in_redis_has_its_address(monkeypatch):
    for name, value in SERVER.items():
        monkeypatch.setenv(name, value)

    assert {settings().url for settings in REDIS} == {"redis://redis:6379/0"}


def test_prefects_servers_are_told_the_same_in_both_installations():
    values = yaml.safe_load((FOLDER / "helm" / "prefect-server.yaml").read_text())
    of_the_chart = {"PREFECT_API_DATABASE_CONNECTION_URL", LOGIN}  # Secrets of its own

    told = {variable["name"]: variable["value"] for variable in values["global"]["prefect"]["env"]}
    told |= {variable["name"]: SERVER.get(variable["name"]) for variable in values["server"]["env"]}
    assert told == {name: value for name, value in SERVER.items() if name not in of_the_chart}
    assert values["server"]["basicAuth"]["enabled"]


def test_the_server_is_the_guarded_one_and_answers_to_the_name_its_clients_use():
    values, worker, webhook = (
        (FOLDER / "helm" / f"{name}.yaml").read_text() for name in ("prefect-server", "prefect-worker", "webhook")
    )
    in_compose, in_chart = SERVICES["server"]["command"], yaml.safe_load(values)["server"]["args"]

    for command, name in ((in_compose, "server"), (in_chart, "prefect-server")):
        assert command[:3] == ["python", "-m", "deployments.server"]
        assert command[command.index("--allowed-host") + 1] == name
    assert all("http://prefect-server:4200/api" in text for text in (worker, webhook))


def test_nothing_starts_without_a_login():
    with_it = [name for name, one in SERVICES.items() if one.get("environment", {}).get("PREFECT_API_AUTH_STRING")]

    assert with_it == ["ready", "worker", "webhook"]
    assert re.fullmatch(r"\$\{PREFECT_SERVER_API_AUTH_STRING:\?.+\}", SERVER[LOGIN])
    assert SERVICES["worker"]["environment"]["PREFECT_API_AUTH_STRING"] == SERVER[LOGIN]


def test_the_image_holds_what_the_charts_start_everything_with():
    assert "ENTRYPOINT " + json.dumps(OF_THE_CHARTS) in CONTAINERFILE
    assert "--uid 1001 " in CONTAINERFILE


def test_what_the_image_copies_is_there_and_what_the_flows_need_is_copied():
    copied = {
        name.rstrip("/")
        for line in re.findall(r"^COPY (.+) \S+$", CONTAINERFILE, re.MULTILINE)
        for name in line.split()
    }

    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert {"src", "flows", "tasks", "deployments", "prefect.yaml"} <= copied


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_yaml_and_uses_our_image(path):
    documents = list(yaml.safe_load_all(path.read_text()))

    assert documents
    assert "registry.example.com/slack-docebo" in path.read_text()


def test_secrets_are_in_no_file():
    everything = "".join(path.read_text() for path in [FOLDER / "compose.yaml", *MANIFESTS])

    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "DOCEBO_CLIENT_SECRET", "DOCEBO_PASSWORD"):
        assert name not in everything
