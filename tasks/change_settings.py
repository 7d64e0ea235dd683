"""Settings that somebody proposes in the form: checked, shown, saved."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from prefect import get_run_logger
from prefect import runtime as prefect_runtime
from prefect.client.orchestration import get_client
from prefect.variables import Variable
from pydantic import BaseModel

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.rules import NO_TITLES, AttributeRule, no_longer_filled
from slack_docebo.domain.setting_change import SettingChange
from slack_docebo.domain.texts import number_of, people, some_of
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.integration_settings import VARIABLE, IntegrationSettings, read_rows
from slack_docebo.lookup_tables import find_tables
from slack_docebo.settings import StoreSettings, TableSettings, load_settings
from slack_docebo.settings_form import changes, filled, proposed_rows, revision
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import PlanKind, PlanState
from slack_docebo.storage.store import Store
from tasks.artifacts import publish_steps, publish_table
from tasks.settings_in_prefect import follow_settings
from tasks.shown_people import check_people_shown

FEW_PLANS = 20  # in which one with the settings of now is looked for
NEXT = "settings-next"  # the key of the page with what can be done next


class Proposal(NamedTuple):
    """The table as it would be, and what of it is new."""

    rows: list[Any]
    settings: IntegrationSettings
    changes: list[SettingChange]
    before: Mapping[str, object]  # the settings of now, as plans keep them
    rules_before: Sequence[AttributeRule]  # those of now
    save: Step  # by the form, filled in with what was checked

    @property
    def line(self) -> str:
        keys = ", ".join(change.key for change in self.changes)
        settings = number_of("setting", len(self.changes))
        return f"{settings} ({keys})" if keys else settings

    @property
    def perhaps_not_meant(self) -> str:
        """Say what is not wrong in the table and perhaps not meant, "" for nothing."""
        return "".join(f"; {remark}" for remark in self.settings.remarks)

    def left_behind(self, titles: Mapping[str, str] = NO_TITLES) -> str:
        """Say which attributes accounts keep although no rule fills them any more, or "".

        *titles* tell which fields are the same.
        """
        given_up = no_longer_filled(self.rules_before, self.settings.attributes, titles)
        if not given_up:
            return ""
        return f"; accounts keep the {some_of(given_up)} that they have, for no rule fills that any more"


async def propose_settings(form: BaseModel, filled_from: str, *, check_only: bool = True) -> Proposal:
    """Return what the form proposes; raise ConfigurationError where a row is wrong, NotConfirmed where the form is out of date."""
    present = await Variable.aget(VARIABLE)
    if filled_from != revision(present):
        raise NotConfirmed(
            "open the form by its link on the status page, and change it there; nothing was saved, for the settings are"
            " others by now than those that this form was filled with"
        )
    rows = proposed_rows(present, form)
    settings = read_rows(rows)
    await check_people_shown(settings)
    await find_tables(settings.tables, load_settings(TableSettings).tables_dir, Variable.aget)
    filled = {"values": form.model_dump(mode="json"), "check_only": False, "revision": filled_from}
    save = Step("Save these settings: type your name", "settings", filled)
    before = _read(present)
    written, rules = (before.written, before.attributes) if before else ({}, ())
    proposal = Proposal(
        rows=rows, settings=settings, changes=changes(present, rows), before=written, rules_before=rules, save=save
    )
    shown = [{"setting": key, "from": before, "to": after} for key, before, after in proposal.changes]
    await publish_table(shown, key="settings-changes", description=f"What changes: {proposal.line}")
    if proposal.changes and check_only:
        await publish_steps([save], key=NEXT)
    return proposal


def scope_in_words(store: Store, plan_id: str, before: Mapping[str, object]) -> str:
    """Say how many people the plan looks after, and the difference to the last one with the settings *before*."""
    with store.reading() as tables:
        plan = tables.plans.read(plan_id)
        recent = tables.plans.recent(FEW_PLANS, PlanKind.BULK_IMPORT)
    told = f"{people(plan.looked_after)} would be looked after"
    whole = [one for one in recent if one.docebo == plan.docebo and one.state is not PlanState.PLANNING]
    former = next((one for one in whole if one.settings == before and one.id != plan_id), None)
    if former is None:
        return told
    more = plan.looked_after - former.looked_after
    than = f"{abs(more)} {'more than' if more > 0 else 'fewer than'}" if more else "as many as"
    return f"{told}, {than} in the last import or dry run with the settings of now"


async def rules_of_now() -> str:
    """Return the rules for attributes as the settings have them."""
    return str(filled(await Variable.aget(VARIABLE))["accounts"]["attributes"])


async def with_rules(words: str, rules: str) -> Step:
    """Return the step that opens the settings of now with other *rules* for attributes."""
    present = await Variable.aget(VARIABLE)
    values = filled(present)
    values["accounts"]["attributes"] = rules
    return Step(words, "settings", {"values": values, "revision": revision(present)})


async def save_settings(form: BaseModel, filled_from: str, changed_by: str) -> str:
    """Write what the form proposes to the Variable, and record by whom; say what was changed."""
    if not changed_by.strip():
        raise NotConfirmed("type your name in Your name, to save; nothing was saved")
    with Store.of(load_settings(StoreSettings)) as store, RunLock(store, VARIABLE, "save", holder=changed_by):
        proposal = await propose_settings(form, filled_from, check_only=False)
        if not proposal.changes:
            return f"nothing was saved: nothing is different{proposal.perhaps_not_meant}"
        await Variable.aset(VARIABLE, proposal.rows, overwrite=True)
        await to_completion(_record, store, proposal.changes, changed_by)
    async with get_client() as client:
        await follow_settings(client)
    await publish_steps([Step("See what an import would do now, and to whom", "bulk-import")], key=NEXT)
    get_run_logger().info("Saved: %s", proposal.line)
    return f"saved: {proposal.line}, in force from the next run on{proposal.left_behind()}{proposal.perhaps_not_meant}"


def _read(present: object) -> IntegrationSettings | None:
    """Return the settings of now; None where they cannot be read."""
    try:
        return read_rows(present)
    except ConfigurationError:
        return None


def _record(store: Store, changed: list[SettingChange], by: str) -> None:
    run_id = str(prefect_runtime.flow_run.id or "")
    with store.transaction() as tables:
        tables.setting_changes.add(changed, by=by, run_id=run_id, now=datetime.now(UTC))
