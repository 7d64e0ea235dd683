"""The commands of the documentation, typed from the top of each page to its end, on an installation that has imported."""

import contextlib
import io
import json
import shlex
import sys
from collections.abc import Iterator

import pytest

from deployments.local import connection_settings
from sandbox.server import Sandbox
from slack_docebo.cli import main
from tests.documented import ROOT, typed
from tests.e2e.prefect_http import set_rows, wait_for_worker

# The command takes its words from where a shell puts them.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens:UserWarning")

COMMANDS = list(dict.fromkeys(typed()))
OURS = [(page, command) for page, command in COMMANDS if command.startswith("slack-docebo ")]
REFUSED = {
    "slack-docebo mappings import table.csv --dry-run": 2,  # the page shows what a bad table is answered
    "slack-docebo events let-through k8tfq19f": 2,  # nobody waits with it here; test_limits.py has people who do
}
TABLE = """slack_id,slack_name,slack_team,user_id
U012AB3CD,ada,T012AB3CD,4711
ada,ada,T0SANDBOX,4711
"""
SETTINGS = """Integration,Key,Value
SLACK,NOTIFICATION_MAIL_ID,
SLACK,PROVISION_SLACK_USER_DATA,true
SLACK,MAP_SLACK_USER_DATA,true
"""
LOADING = ".venv/bin/python -m deployments.bootstrap --settings integration-settings.csv"
RUN_BY = {
    "make setup": ".ci/run",
    "make test": ".ci/run",
    "make sbom": "tests/unit/test_supply_chain.py",
    "make image": "tests/e2e/test_image.py",
    "make release BASE=docker.io/library/python@sha256:...": "tests/e2e/test_image.py",
    "make up": "tests/e2e/test_up.py",
    "make up SANDBOX=1": "tests/e2e/test_up.py",
    "curl http://127.0.0.1:8400/readyz": "tests/e2e/test_up.py",
    "curl http://127.0.0.1:8400/metrics": "tests/e2e/test_secrets_and_personal_data.py",
    "python -m deployments.ready": "tests/e2e/test_up.py",
    "python -m prefect worker start --pool slack-docebo-flows --type slack-docebo --limit 5": "tests/e2e/conftest.py",
    "python -m deployments.webhook": "tests/integration/test_webhook.py",
    "pg_dump --format=custom --file=slack_docebo.dump slack_docebo": "tests/integration/test_restored_database.py",
    "pg_restore --clean --if-exists --exit-on-error --dbname=slack_docebo slack_docebo.dump": "tests/integration/test_restored_database.py",
    **dict.fromkeys(
        ("mkdir former", "mv 'slack-docebo.db*' former", "cp kept.db slack-docebo.db"),
        "tests/integration/test_restored_database.py",
    ),
    "python -m deployments.bootstrap --settings settings.csv": "tests/e2e/test_deployments.py",
    "python -m deployments.bootstrap --settings since.csv": "tests/e2e/test_restored_prefect.py",
    "python -m sandbox --users 500 --seed 7": "tests/contract/test_sandbox_process.py",
}
NOT_RUN = {
    "apt-get install apache2 libapache2-mod-auth-openidc": "test_single_sign_on.py has what scripts/install-programs installs",
    "a2enmod auth_openidc proxy_http headers substitute ssl": "test_single_sign_on.py loads these modules itself",
    "pg_dump --format=custom --file=prefect.dump prefect": "the same as for our own database",
    "sqlite3 slack-docebo.db '.backup kept.db'": "its C function is called by tests/integration/test_restored_database.py",
    "umask 077": "changes the reader's shell",
    "make demo": "takes a minute; what it shows is looked at by test_bulk_import.py and test_realtime_sync.py",
    "python -m deployments.socket_mode": "needs Slack's own address; the rest of it: tests/integration/test_socket_mode.py",
    "podman compose --env-file .env -f deployments/compose.yaml up --build --scale worker=2": "there is no container engine; test_image.py starts the services",
    "podman compose --env-file .env -f deployments/compose.yaml --profile socket-mode up --build --scale worker=2 --scale webhook=0": "the same",
    "podman compose --env-file .env -f deployments/compose.yaml stop worker server services": "the same",
    **{
        f"podman compose --env-file .env -f deployments/compose.yaml exec -T postgresql pg_dump -U slack_docebo -Fc {name} '>' {name}.dump": "the same"
        for name in ("slack_docebo", "prefect")
    },
    "openssl rand -hex 32": "what it prints is used nowhere",
    "export POSTGRES_PASSWORD=...": "belongs to the containers",
    "cp .env.example .env": "what is filled in is of the reader's tenants",
    "chmod 600 .env": "the same; that others must not read it is told by tests/integration/test_doctor.py",
    "source .venv/bin/activate": "changes the reader's shell",
    "source var/sandbox/connection.sh": "changes the reader's shell; test_up.py does",
    "git clone ADDRESS-OF-THIS-REPOSITORY slack-docebo": "the reader's address",
    "cd slack-docebo": "belongs to the clone",
}


class Terminal(io.StringIO):
    """Somebody who answers as is wanted."""

    def isatty(self) -> bool:
        return True


def type_in(command: str) -> tuple[int, str]:
    """Run a command of ours in this process, and return its exit code and what it prints."""
    printed = io.StringIO()
    answer = command.split()[2] if command.startswith("slack-docebo forget") else "y"  # whom it is about
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", shlex.split(command))
        patch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0), printed.getvalue()


def made_plan() -> str:
    code, printed = type_in("slack-docebo plan make --json")
    assert code == 0
    plan: str = json.loads(printed)["plan"]
    return plan


@pytest.fixture(scope="module")
def imported(deployed, at_work, tmp_path_factory) -> Iterator[Sandbox]:
    """A company that Ada has joined and that was imported, with the folder of its installation to work in."""
    folder = tmp_path_factory.mktemp("installation")
    with Sandbox(users=60, rate_limits=False) as sandbox, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in connection_settings(sandbox.facts(), folder).items():
            patch.setenv(name, value)
        (folder / "table.csv").write_text(TABLE)
        (folder / "var" / "reports").mkdir(parents=True)
        set_rows(deployed, MIRROR_FIELDS="Slack ID, Slack Name, Slack Team")
        sandbox.slack.add("Ada", "Lovelace", "ada@example.com")
        sandbox.docebo.add_field("Login", "textfield", mandatory=False, invisible_to_user=False)
        for command in (
            "slack-docebo mappings prepare-mirror",
            f"slack-docebo plan apply {made_plan()}",
            "slack-docebo mappings export var/reports/mappings-rsghq1xy.csv",
        ):
            assert type_in(command)[0] == 0
        wait_for_worker(deployed)
        yield sandbox


@pytest.fixture
def real(imported) -> dict[str, str]:
    """What the ids in the documentation stand for: two plans that are not applied yet, and Ada."""
    ada = imported.slack.by_email("ada@example.com")["id"]
    plans = []
    for name in ("King", "Byron"):
        imported.slack.change(ada, {"profile": {"last_name": name}})
        plans.append(made_plan())
    return {"k8tfq19f": plans[1], "rrjnzwv8": plans[0], "U012AB3CD": ada}  # the one that is applied is the newer one


@pytest.mark.variants(5)
@pytest.mark.parametrize("page", dict(OURS))
def test_every_command_of_the_page_does_what_it_should(real, page):
    ended = {}
    for command in [command for at, command in OURS if at == page]:
        words = [real.get(word, word) for word in shlex.split(command)]
        ended[command] = type_in(shlex.join(words))

    assert {command: said for command, said in ended.items() if said[0] != REFUSED.get(command, 0)} == {}


def test_the_settings_of_the_retired_product_are_loaded(deployed, bootstrap, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "integration-settings.csv").write_text(SETTINGS)

    assert "Variable integration_settings: written" in bootstrap(*LOADING.split()[3:])


def test_every_other_command_is_run_elsewhere_or_has_a_reason_not_to_be():
    others = {command for _, command in {*COMMANDS} - {*OURS}}

    assert others == {LOADING, *RUN_BY, *NOT_RUN}
    assert [place for place in RUN_BY.values() if not (ROOT / place).exists()] == []
