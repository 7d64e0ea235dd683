"""The values for Prefect's charts, held against the charts' own schemas and defaults, of which `fixtures/helm` is a copy."""

import json
import re
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
import yaml
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_settings_fields

ROOT = Path(__file__).parents[2]
HELM = ROOT / "deployments" / "helm"
CHARTS = ROOT / "tests" / "fixtures" / "helm"
VALUES = {name: yaml.safe_load((HELM / f"{name}.yaml").read_text()) for name in ("prefect-server", "prefect-worker")}
SETTINGS, SERVERS_BUDGET = yaml.safe_load_all((HELM / "prefect-settings.yaml").read_text())
WEBHOOK = list(yaml.safe_load_all((HELM / "webhook.yaml").read_text()))
RESTRICTED = {
    "runAsUser": 1001,
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
SERVER, MIGRATIONS, SERVICES = (
    VALUES["prefect-server"][part] for part in ("server", "migrations", "backgroundServices")
)
WORKER = VALUES["prefect-worker"]["worker"]

# What the charts' templates put into the list of variables themselves, given these values. Of the messaging and of Redis
# all names that any version of the chart has, for services that run apart; the docket's address only if a value names it.
OF_MESSAGING = {
    "PREFECT_MESSAGING_BROKER",
    "PREFECT_MESSAGING_CACHE",
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE",
    *(f"PREFECT_REDIS_MESSAGING_{part}" for part in ("HOST", "PORT", "DB", "SSL", "USERNAME", "PASSWORD")),
}
OF_ALL = {"HOME", "PREFECT_DEBUG_MODE"}
OF_SERVERS = {*OF_ALL, "PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_LOGGING_SERVER_LEVEL"}
OF_THE_CHART = {
    "server": {
        *OF_SERVERS,
        *OF_MESSAGING,
        *(f"PREFECT_SERVER_API_{part}" for part in ("BASE_PATH", "HOST", "PORT", "AUTH_STRING")),
        *("PREFECT_UI_API_URL", "PREFECT_UI_STATIC_DIRECTORY", "PREFECT_UI_ENABLED"),
    },
    "backgroundServices": {*OF_SERVERS, *OF_MESSAGING, "PREFECT_UI_ENABLED"},
    "migrations": {*OF_SERVERS},
    "worker": {
        *OF_ALL,
        *("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_API_ENABLE_HTTP2", "PREFECT_KUBERNETES_CLUSTER_UID"),
        *("PREFECT_WORKER_PREFETCH_SECONDS", "PREFECT_WORKER_QUERY_SECONDS"),
    },
}


OF_KUBERNETES = {
    "podSecurityContext",
    "securityContext",
    "containerSecurityContext",
    "resources",
}  # passed on as they are


def keys(values, defaults, path=""):
    """Yield each key of *values* that neither is among *defaults* nor fills a place that is free by default."""
    for key, value in values.items():
        where = f"{path}.{key}"
        if key not in defaults:
            yield where
        elif isinstance(value, dict) and defaults[key] and key not in OF_KUBERNETES:
            yield from keys(value, defaults[key], where)


@pytest.mark.parametrize("chart", VALUES)
def test_the_chart_takes_the_values(chart):
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text())

    jsonschema.Draft7Validator(schema).validate(VALUES[chart])


@pytest.mark.parametrize("chart", VALUES)
def test_every_key_is_one_that_the_chart_knows(chart):
    defaults = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())

    assert list(keys(VALUES[chart], defaults)) == []


def setting_of(name):
    """What a variable sets: Prefect takes former names of some, as the chart gives them."""
    known = _get_settings_fields(PrefectSettings).get(name)
    if known:
        return known.accessor
    return "Redis of the messaging" if name.startswith("PREFECT_REDIS_MESSAGING_") else name


def told_to(part):
    """The variables that one container of a chart is given by us, in its list and by its ConfigMap."""
    if part == "worker":
        return [variable["name"] for variable in WORKER["extraEnvVars"]]
    values = VALUES["prefect-server"]
    listed = [*values["global"]["prefect"]["env"], *values[part].get("env", [])]
    return [*(variable["name"] for variable in listed), *(SETTINGS["data"] if "extraEnvVarsCM" in values[part] else ())]


@pytest.mark.parametrize("part", OF_THE_CHART)
def test_no_variable_is_set_twice(part):
    """Helm 4 refuses that in the list; and what a ConfigMap says gives way to the list, unseen."""
    ours, of_the_chart = (list(map(setting_of, names)) for names in (told_to(part), OF_THE_CHART[part]))

    assert [name for name, times in Counter([*ours, *set(of_the_chart)]).items() if times > 1] == []


def test_the_chart_says_of_redis_what_compose_says():
    compose = yaml.safe_load((HELM.parent / "compose.yaml").read_text())["services"]["server"]["environment"]
    messaging = yaml.safe_load((CHARTS / "prefect-server" / "values.yaml").read_text())["backgroundServices"][
        "messaging"
    ]
    redis = {**messaging["redis"], **SERVICES["messaging"]["redis"]}

    assert "docket" not in SERVICES["messaging"]  # its address is in the ConfigMap
    assert messaging["broker"] == compose["PREFECT_SERVER_EVENTS_MESSAGING_BROKER"]
    assert messaging["cache"] == compose["PREFECT_SERVER_EVENTS_MESSAGING_CACHE"]
    assert compose["PREFECT_REDIS_MESSAGING_URL"] == f"redis://{redis['host']}:{redis['port']}/{redis['db']}"


def test_servers_and_services_are_told_the_same():
    assert SERVER["extraEnvVarsCM"] == SERVICES["extraEnvVarsCM"] == SETTINGS["metadata"]["name"]


def test_who_migrates_is_a_job_alone_with_a_shell_that_knows_the_script_of_the_chart():
    assert SETTINGS["data"]["PREFECT_SERVER_DATABASE_MIGRATE_ON_START"] == "false"
    assert MIGRATIONS["entrypoint"] == ["/bin/bash", "-c"]
    assert [mount["mountPath"] for mount in MIGRATIONS["extraVolumeMounts"]] == ["/tmp"]


@pytest.mark.parametrize(
    "context",
    [
        *(part["containerSecurityContext"] for part in (SERVER, SERVICES, WORKER)),
        MIGRATIONS["securityContext"],
    ],
)
def test_no_container_has_a_right_that_restricted_forbids(context):
    assert context == RESTRICTED


def test_a_worker_has_no_rights_in_the_cluster_for_it_makes_nothing_there():
    for what in ("role", "rolebinding"):
        assert VALUES["prefect-worker"][what] == {"create": False}


def test_the_webhook_has_time_to_migrate_the_database_before_anybody_asks_whether_it_lives():
    container = WEBHOOK[0]["spec"]["template"]["spec"]["containers"][0]
    start = container["startupProbe"]

    assert start["httpGet"] == container["livenessProbe"]["httpGet"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 600


def test_every_pod_has_a_profile_for_its_calls():
    worker = yaml.safe_load((CHARTS / "prefect-worker" / "values.yaml").read_text())["worker"]
    pods = [part["podSecurityContext"] for part in (SERVER, MIGRATIONS, SERVICES)]

    for pod in [*pods, worker["podSecurityContext"]]:
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}


def megabytes(amount):
    number, unit = re.fullmatch(r"(\d+)([MG])i", amount).groups()
    return int(number) * {"M": 1, "G": 1024}[unit]


def test_every_container_says_what_memory_it_needs_and_a_worker_has_room_for_its_runs():
    container = WEBHOOK[0]["spec"]["template"]["spec"]["containers"][0]
    for part in (SERVER, MIGRATIONS, SERVICES, WORKER, container):
        assert megabytes(part["resources"]["requests"]["memory"]) <= megabytes(part["resources"]["limits"]["memory"])

    assert megabytes(WORKER["resources"]["limits"]["memory"]) >= 300 + WORKER["config"]["limit"] * 250


def test_of_several_at_work_one_at_a_time_is_taken_away():
    budgets = [WORKER["podDisruptionBudget"], SERVERS_BUDGET["spec"], WEBHOOK[1]["spec"]]

    assert all(budget["maxUnavailable"] == 1 for budget in budgets)
    assert WEBHOOK[1]["spec"]["selector"] == WEBHOOK[0]["spec"]["selector"]
    assert min(SERVER["replicaCount"], WORKER["replicaCount"], WEBHOOK[0]["spec"]["replicas"]) > 1


@pytest.mark.parametrize("path", sorted(HELM.glob("*.yaml")), ids=lambda path: path.name)
def test_what_an_installation_has_to_say_are_three_variables_and_no_name_is_made_up(path):
    text = path.read_text()
    places = set(re.findall(r"\$\{(\w+)\}", text))

    assert places <= {"IMAGE", "TAG", "PREFECT_UI_URL"}
    assert "example.com" not in text
    if places:
        (command,) = re.findall(r"envsubst '([^']*)'", text)
        assert set(command.split()) == {f"${name}" for name in places}
