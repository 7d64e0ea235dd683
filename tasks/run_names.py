"""What runs are called, so that the list of runs says what each is about."""

from prefect import runtime

from slack_docebo.domain.texts import number_of, people
from slack_docebo.engine.mappings.carrying import MappingAction
from slack_docebo.engine.mappings.deciding import DecisionAction
from slack_docebo.engine.mappings.personal_data import PersonalDataRequest
from slack_docebo.engine.mappings.relinking import Relation
from slack_docebo.engine.reading.dialect_changes import DialectAction
from slack_docebo.engine.realtime.parked import ParkedAction
from tasks.forms import each

RECONCILIATION = "reconcile"  # the deployment


def bulk_import_run() -> str:
    """Return what a bulk import does: whether it is the reconciliation, which plan, and whether it writes."""
    parameters = runtime.flow_run.parameters
    by = "reconcile" if runtime.deployment.name == RECONCILIATION else "import"
    what = f"plan {plan}" if (plan := parameters.get("plan_id")) else "everybody"
    return f"{by}: {what}{_dry_run()}"


def reset_mappings_run() -> str:
    """Return how many people's mappings are reset, and whether for real."""
    parameters = runtime.flow_run.parameters
    whose = people(len(each(named))) if (named := parameters.get("slack_ids")) else "everybody"
    return f"reset mappings: {whose}{_dry_run()}"


def restore_mappings_run() -> str:
    """Return which backup is restored, and whether for real."""
    parameters = runtime.flow_run.parameters
    if not (backup := parameters.get("backup")):
        return "list backups"
    return f"restore backup {backup}{_dry_run()}"


def personal_data_run() -> str:
    """Return what is asked for about whom."""
    parameters = runtime.flow_run.parameters
    request = PersonalDataRequest(parameters.get("request", PersonalDataRequest.SHOW))
    return f"personal data: {request} {parameters['slack_id']}"


def relink_run() -> str:
    """Return what the database is linked to, and whether for real."""
    parameters = runtime.flow_run.parameters
    relation = Relation(parameters["platform"])
    return f"relink: {relation} platform{_dry_run()}"


def realtime_sync_run() -> str:
    """Return whom a run of real time is about: named people, or whoever the events are about."""
    parameters = runtime.flow_run.parameters
    named = sum(len(each(parameters.get(name) or [])) for name in ("slack_ids", "emails"))
    if not named:
        return "waiting events"
    return f"{number_of('named user', named)}{_dry_run(by_default=False)}"


def undo_run() -> str:
    """Return what is undone, and whether for real."""
    parameters = runtime.flow_run.parameters
    if not (of := parameters.get("of")):
        return "list what can be undone"
    return f"undo {of}{_dry_run()}"


def settings_run() -> str:
    """Return whether settings are checked or saved."""
    return "settings: check" if runtime.flow_run.parameters.get("check_only", True) else "settings: save"


def mappings_run() -> str:
    """Return what is done with mappings, and whether for real."""
    parameters = runtime.flow_run.parameters
    action = MappingAction(parameters.get("action", MappingAction.EXPORT))
    return f"mappings: {action}{'' if action is MappingAction.EXPORT else _check()}"


def decide_run() -> str:
    """Return what is decided, and about how many."""
    parameters = runtime.flow_run.parameters
    action = DecisionAction(parameters.get("action", DecisionAction.SHOW))
    whom = "all who wait" if parameters.get("all_who_wait") else people(len(each(parameters.get("slack_ids") or [])))
    return "decisions: show" if action is DecisionAction.SHOW else f"decide: {action}, {whom}"


def apply_plan_run() -> str:
    """Return which plan is applied, whether as a whole, and whether for real."""
    parameters = runtime.flow_run.parameters
    if not (plan := parameters.get("plan_id")):
        return "list saved plans"
    part = "part of " if any(parameters.get(name) for name in ("first", "operations", "slack_ids")) else ""
    return f"apply {part}plan {plan}{_dry_run()}"


def parked_events_run() -> str:
    """Return what is done with parked events."""
    return f"parked events: {ParkedAction(runtime.flow_run.parameters.get('action', ParkedAction.SHOW))}"


def dialect_run() -> str:
    """Return which answer of Docebo's dialect is set or forgotten, and whether for real."""
    parameters = runtime.flow_run.parameters
    action = DialectAction(parameters.get("action", DialectAction.SHOW))
    if action is DialectAction.SHOW:
        return "Docebo's dialect: show"
    return f"Docebo's dialect: {action} {parameters.get('question')}{_check()}"


def _dry_run(*, by_default: bool = True) -> str:
    """Return what is said of a run that writes nothing."""
    return ", dry run" if runtime.flow_run.parameters.get("dry_run", by_default) else ""


def _check() -> str:
    """Return what is said of a run that saves nothing."""
    return ", check" if runtime.flow_run.parameters.get("check_only", True) else ""
