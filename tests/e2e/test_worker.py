"""A run is one of our flows, or nothing: whatever somebody with Prefect's login has the server say."""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.states import State

from deployments.local import OUR_WORKER, WORKER, descendants, process
from tests.e2e.prefect_http import deployment, finished, is_done, logged, process_of, set_rows, start, state
from tests.smtp import Mailbox
from tests.waiting import PATIENCE_SECONDS, until

POOL = "work_pools/slack-docebo-flows"


class Hostile:
    """What somebody could put wherever Prefect would let it run, and the file that is there if it has run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.command = f"touch {folder}/command"
        self.environment = {"BASH_ENV": str(folder / "script"), "PYTHONSTARTUP": str(folder / "flow.py")}
        (folder / "script").write_text(f"touch {folder}/environment")
        (folder / "flow.py").write_text(
            f"open('{folder}/entrypoint', 'w')\nfrom prefect import flow\n@flow(name='bulk-import')\ndef evil(): pass\n"
        )
        self.deployment = {
            "entrypoint": f"{folder}/flow.py:evil",
            "path": str(folder),
            "pull_steps": [
                {"prefect.deployments.steps.run_shell_script": {"script": f"touch {folder}/pull_step"}},
                {"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}},
            ],
        }
        self.job_variables = {"command": self.command, "env": self.environment, "working_dir": str(folder)}
        self.template = {
            "job_configuration": {"command": "{{ command }}", "env": self.environment, "working_dir": str(folder)},
            "variables": {"type": "object", "properties": {"command": {"default": self.command}}},
        }

    def has_run(self) -> set[str]:
        """Return what of it has run."""
        return {path.name for path in self._folder.iterdir()} - {"script", "flow.py", "__pycache__"}


@pytest.fixture
def hostile(tmp_path):
    (tmp_path / "hostile").mkdir()
    return Hostile(tmp_path / "hostile")


@pytest.fixture
def block(deployed):
    """Make a block that is gone after the test, and return its id."""
    made = []

    def make(kind, name, data):
        block_type = deployed.get(f"block_types/slug/{kind}").raise_for_status().json()["id"]
        of_type = {"block_schemas": {"block_type_id": {"any_": [block_type]}}}
        schema = deployed.post("block_schemas/filter", json=of_type).raise_for_status().json()[0]["id"]
        body = {"name": name, "data": data, "block_type_id": block_type, "block_schema_id": schema}
        made.append(deployed.post("block_documents/", json=body).raise_for_status().json()["id"])
        return made[-1]

    yield make
    for one in made:
        deployed.delete(f"block_documents/{one}").raise_for_status()


@pytest.fixture
def deploy(deployed):
    """Make a deployment that is gone after the test, and return its id."""
    made = []

    def make(flow, **what):
        flow_id = deployed.post("flows/", json={"name": flow}).raise_for_status().json()["id"]
        body = {"name": f"theirs {uuid4()}", "flow_id": flow_id, "work_pool_name": "slack-docebo-flows", **what}
        answer = deployed.post("deployments/", json=body)
        if answer.is_success:
            made.append(answer.json()["id"])
        return answer

    yield make
    for one in made:
        deployed.delete(f"deployments/{one}").raise_for_status()


def run_of(deployed, deployment, **options):
    path = f"deployments/{deployment.raise_for_status().json()['id']}/create_flow_run"
    return finished(deployed, deployed.post(path, json=options).raise_for_status().json()["id"])


@pytest.mark.long
def test_pull_steps_and_an_entrypoint_of_somebody_else_have_no_reader(deployed, at_work, deploy, hostile):
    set_rows(deployed)

    ended = run_of(deployed, deploy("bulk-import", **hostile.deployment, parameters={"dry_run": True}))

    assert ended["state_type"] == "COMPLETED", ended["state"]
    assert ended["state"]["message"].startswith("plan ")  # as ours ends, whatever other tests have imported
    assert hostile.has_run() == set()


def test_a_flow_that_is_none_of_ours_is_not_run_and_its_run_says_so(deployed, at_work, deploy, hostile):
    ended = run_of(deployed, deploy("evil", **hostile.deployment))

    assert ended["state_type"] == "CRASHED"
    assert ended["state"]["message"] == (
        "Deploy again, with the code that the workers have: 'evil' is none of the flows that are installed here; nothing was run"
    )
    assert hostile.has_run() == set()


def test_job_variables_are_refused(deployed, deploy, hostile):
    """Those of a deployment and those of a run, as a link's additionalOptions fills them into the form."""
    assert deploy("bulk-import", job_variables=hostile.job_variables).status_code in {409, 422}
    path = f"deployments/{deploy('bulk-import').json()['id']}/create_flow_run"
    for one, value in hostile.job_variables.items():
        assert deployed.post(path, json={"job_variables": {one: value}}).status_code in {409, 422}


def test_a_template_that_somebody_opens_has_no_reader_and_bootstrap_locks_it_again(
    deployed, at_work, deploy, hostile, bootstrap
):
    set_rows(deployed)
    locked = deployed.get(POOL).raise_for_status().json()["base_job_template"]
    deployed.patch(POOL, json={"base_job_template": hostile.template}).raise_for_status()
    try:
        theirs = deploy("bulk-import", parameters={"dry_run": True}, job_variables=hostile.job_variables)
        time.sleep(1)  # the worker may have read the template by now, if it ever does
        ended = run_of(deployed, theirs, job_variables=hostile.job_variables)
    finally:
        told = bootstrap()

    assert ended["state_type"] == "COMPLETED", ended["state"]
    assert hostile.has_run() == set()
    assert "Work pool slack-docebo-flows: written" in told
    assert deployed.get(POOL).raise_for_status().json()["base_job_template"] == locked


def test_parameters_are_checked_by_the_flow_even_if_the_deployment_does_not(deployed, at_work, deploy, hostile):
    theirs = deploy("bulk-import", enforce_parameter_schema=False, **hostile.deployment)

    ended = run_of(deployed, theirs, parameters={"dry_run": True, "plan_id": "../../x"})

    assert ended["state_type"] == "FAILED"
    assert ended["state"]["message"] == (
        "Correct the form, and start again: Saved plan has to be an id like k8tfq19f, or nothing; nothing was run"
    )


@pytest.mark.long
def test_a_parameter_that_the_flow_does_not_have_is_told_in_one_line(deployed, at_work, deploy):
    theirs = deploy("bulk-import", enforce_parameter_schema=False)

    ended = run_of(deployed, theirs, parameters={"dry_run": True, "self": 1, "eval\n": "x"})

    assert ended["state_type"] == "CRASHED"
    assert ended["state"]["message"] == (
        "Deploy again, with the code that the workers have: bulk-import has no parameter eval\\n, self; nothing was run"
    )


def test_the_server_does_not_choose_where_results_are_kept(deployed, at_work, block, tmp_path):
    """What is read back from there would be unpickled."""
    set_rows(deployed)
    theirs = block("local-file-system", "theirs", {"basepath": str(tmp_path)})
    storage = "admin/storage"
    deployed.put(storage, json={"default_result_storage_block_id": theirs}).raise_for_status()
    try:
        ended = finished(deployed, start(deployed, "bulk-import/import-everybody", dry_run=True))
    finally:
        deployed.delete(storage).raise_for_status()

    assert ended["state_type"] == "COMPLETED", ended["state"]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def waiting_at_slack(company):
    """Slack answers so slowly that a run is still at work when something happens to it."""
    company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=300)
    yield
    company.slack_gate.faults.clear()


@pytest.fixture
def slow_pages(company):
    """Slack answers in many pages, each of which takes its time: a run that reads them comes to a safe point now and then."""
    company.slack_gate.faults.add("users.list", "slow", times=-1, seconds=1)
    yield {"SLACK_PAGE_SIZE": "2"}
    company.slack_gate.faults.clear()


@pytest.fixture
def own_pool(deployed, deploy):
    """A pool that only the test's worker looks at, and a deployment there."""
    name = f"pool of {uuid4()}"
    made = {"name": name, "type": "slack-docebo", "base_job_template": deployed.get(POOL).json()["base_job_template"]}
    deployed.post("work_pools/", json=made).raise_for_status()
    deployment = deploy("bulk-import", work_pool_name=name, parameters={"dry_run": True}).raise_for_status().json()
    yield name, f"bulk-import/{deployment['name']}"
    deployed.delete(f"work_pools/{name}").raise_for_status()


def worker_of(pool, environment, folder):
    command = [pool if word == "slack-docebo-flows" else word for word in WORKER]
    env = {**OUR_WORKER, "PREFECT_WORKER_QUERY_SECONDS": "1", **environment}
    return process(command, log=folder / "worker.log", env=env, cwd=folder)


@contextmanager
def a_run_at_work(deployed, environment, folder, own_pool, **parameters):
    """Yield the worker, the run, and the process of the run."""
    pool, deployment = own_pool
    with worker_of(pool, environment, folder) as at_work:
        run_id = start(deployed, deployment, **parameters)
        state(deployed, run_id, "RUNNING")
        yield at_work, run_id, process_of(deployed, run_id)


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_gone(pid):
    return until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGTERM, id="stopped"), pytest.param(signal.SIGKILL, id="killed", marks=pytest.mark.long)],
)
def test_a_run_whose_worker_ends_waits_for_the_next_one_which_goes_on_with_it(
    deployed, environment, own_pool, company, slow_pages, tmp_path, number
):
    set_rows(deployed)
    with a_run_at_work(deployed, environment | slow_pages, tmp_path, own_pool) as (at_work, run_id, pid):
        # Ctrl-C, a supervisor and a container's init signal the whole group; what becomes of runs is for the worker to say.
        assert os.getpgid(pid) != os.getpgid(at_work.pid)
        assert len(list(Path(f"/proc/{parent_of(pid)}/task").iterdir())) == 1  # a fork with threads could hang
        logged(deployed, run_id, "Docebo:")
        os.kill(at_work.pid, number)

        waiting = state(deployed, run_id, "SCHEDULED")
        assert is_gone(pid)
        at_work.wait(PATIENCE_SECONDS)
        company.slack_gate.faults.clear()
    with worker_of(own_pool[0], environment, tmp_path):
        ended = finished(deployed, run_id)

    assert waiting["state_name"] == "ToBeContinued"
    assert (ended["state_type"], ended["run_count"]) == ("COMPLETED", 2), ended["state"]


@pytest.mark.long
def test_an_import_whose_machine_is_gone_is_told_within_a_minute_and_begins_again_once(
    deployed, environment, own_pool, company, waiting_at_slack, mails, tmp_path
):
    mailbox = Mailbox(mails[0], f"{uuid4().hex}@example.com")
    set_rows(deployed, NOTIFICATION_MAIL_ID=mailbox.address)

    def die(at_work, pid):
        for one in (at_work.pid, parent_of(pid), pid):
            os.kill(one, signal.SIGKILL)
        at_work.wait(PATIENCE_SECONDS)

    with a_run_at_work(deployed, environment, tmp_path, own_pool, dry_run=False) as (at_work, run_id, pid):
        die(at_work, pid)
    assert deployed.get(f"flow_runs/{run_id}").json()["state_type"] == "RUNNING"  # nobody is there to see it
    with worker_of(own_pool[0], environment, tmp_path) as at_work:
        assert mailbox.next_mail()["Subject"].endswith(f": {own_pool[1].partition('/')[2]} crashed")
        company.slack_gate.faults.clear()
        until(lambda: is_done(State.model_validate(deployed.get(f"flow_runs/{run_id}").json()["state"])))
        left = deployed.post(f"work_pools/{own_pool[0]}/workers/filter", json={}).json()

    assert len(left) == 1  # the one that is gone is not listed for ever


@pytest.mark.long
def test_a_run_that_is_cancelled_while_it_is_being_started_is_cancelled(
    deployed, environment, own_pool, waiting_at_slack, tmp_path
):
    set_rows(deployed)
    pool, deployment = own_pool
    with worker_of(pool, environment, tmp_path):
        runs = []
        for moment in (0.0, 0.2, 0.4, 0.6):
            runs.append(start(deployed, deployment))
            state(deployed, runs[-1], "PENDING", "RUNNING")
            time.sleep(moment)
            cancelling = {"state": {"type": "CANCELLING"}, "force": False}
            deployed.post(f"flow_runs/{runs[-1]}/set_state", json=cancelling).raise_for_status()

        assert {finished(deployed, run_id)["state_type"] for run_id in runs} == {"CANCELLED"}


@pytest.mark.long
def test_the_name_of_a_run_begins_no_line_and_gives_no_orders_to_the_workers_terminal(
    deployed, environment, own_pool, tmp_path
):
    set_rows(deployed)
    pool, deployment_ = own_pool
    path = f"deployments/{deployment(deployed, deployment_)['id']}/create_flow_run"
    name = "\x1b]0;theirs\x07\n00:00:00.000 | ERROR   | prefect - theirs"
    with worker_of(pool, environment, tmp_path):
        finished(deployed, deployed.post(path, json={"name": name}).raise_for_status().json()["id"])

    said = (tmp_path / "worker.log").read_text()
    assert "\\n00:00:00.000 | ERROR" in said
    assert "\x1b" not in said
    assert "\n00:00:00.000" not in said


@pytest.mark.long
def test_the_process_that_forks_can_die(deployed, environment, own_pool, company, waiting_at_slack, tmp_path):
    set_rows(deployed)
    with a_run_at_work(deployed, environment, tmp_path, own_pool) as (at_work, run_id, pid):
        parent = parent_of(pid)
        assert parent in descendants(at_work.pid)
        os.kill(parent, signal.SIGKILL)

        assert finished(deployed, run_id)["state_type"] == "CRASHED"
        assert is_gone(pid)
        company.slack_gate.faults.clear()
        ended = finished(deployed, start(deployed, own_pool[1]))

    assert ended["state_type"] == "COMPLETED", ended["state"]


@pytest.mark.long
def test_a_secret_can_be_kept_in_a_secret_block(deployed, environment, own_pool, block, tmp_path):
    """The run loads it when it starts, where the environment has none; deployment and work pool do not hold its value."""
    set_rows(deployed)
    pool, deployment_ = own_pool
    secret = environment["DOCEBO_CLIENT_SECRET"]
    values = {"docebo-client-secret": secret, "slack-bot-token": "of somebody else", "docebo-url": "http://127.0.0.1:9"}
    for name, value in values.items():
        block("secret", name, {"value": value})
    with worker_of(pool, {**environment, "DOCEBO_CLIENT_SECRET": ""}, tmp_path):
        ended = finished(deployed, start(deployed, deployment_))
    stored = deployed.get(f"work_pools/{pool}").text + deployed.post("deployments/filter", json={}).text

    assert ended["state_type"] == "COMPLETED", ended["state"]
    assert secret not in stored
