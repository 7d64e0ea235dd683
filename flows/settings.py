"""Flow *Settings*: the table of settings as a form."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.settings_form import SettingsForm
from tasks.attended import require_a_person
from tasks.change_settings import propose_settings, save_settings, scope_in_words
from tasks.forms import titled
from tasks.hooks import ON_TROUBLE
from tasks.read_and_plan import read_and_plan
from tasks.report_outcome import report_outcome
from tasks.run import concluded, open_run, renew_status_page
from tasks.run_names import settings_run
from tasks.validate_connection import validate_connection


@flow(name="settings", flow_run_name=settings_run, **ON_TROUBLE)
@concluded
async def settings(
    values: Annotated[SettingsForm, titled("Settings")] = SettingsForm(),  # noqa: B008  (nobody changes it)
    check_only: Annotated[bool, titled("Check only")] = True,
    look_at_people: Annotated[bool, titled("With what it does to people")] = True,
    changed_by: Annotated[str, titled("Your name, to save", max_length=100)] = "",
    revision: Annotated[str, titled("Revision (leave it)", max_length=20)] = "",
) -> str:
    """Check changed settings, see what they do, and save them.

    Args:
        values: As they are now. What is wrong is refused before anything is saved, and named by the word in brackets.
        check_only: Show what would change, save nothing. Off: save.
        look_at_people: When checking, read Slack and Docebo and plan an import with these settings, as a dry run does.
        changed_by: Is kept with the change for as long as plans are. Prefect knows one login only, so it is what you say.
        revision: Of the settings that the form was filled with. Where others were saved since, nothing is overwritten.
    """
    await require_a_person()
    if not check_only:
        told = await save_settings(values, revision, changed_by)
        await renew_status_page()
        return told
    proposal = await propose_settings(values, revision)
    told = f"{proposal.line} would change, nothing was saved{proposal.perhaps_not_meant}"
    if not look_at_people:
        return told + proposal.left_behind()
    with SourceSnapshot() as people:
        async with open_run(proposal.settings) as runtime:
            workspace = await validate_connection(runtime)
            plan_id = await read_and_plan(runtime, workspace, people, verify_target=True, is_trial=True)
            scope = scope_in_words(runtime.store, plan_id, proposal.before)
            # What was planned rests on settings that are not saved: that comes first.
            steps = [proposal.save] if proposal.changes else None
            told += proposal.left_behind(runtime.field_titles)
            return f"{told}; {scope}; {(await report_outcome(runtime, plan_id, steps=steps)).line}"
