"""The fields that the attribute mapping names, on both sides: found by their titles, labels or ids."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from slack_docebo.clients.docebo_wire import Session
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.branches import Branches
from slack_docebo.domain.entries import read_each
from slack_docebo.domain.names import as_compared
from slack_docebo.domain.options import Dates, Options, Values
from slack_docebo.domain.rules import AttributeRule, custom_fields, distinct
from slack_docebo.domain.sources import CUSTOM, is_custom, label_of
from slack_docebo.domain.targets import BRANCH, MANAGER
from slack_docebo.domain.texts import shortened
from slack_docebo.engine.reading.branches import read_branches
from slack_docebo.engine.reading.mirror_fields import find_mirror
from slack_docebo.errors import AccessDenied, ConfigurationError, Rejected
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime
from slack_docebo.storage.reads import ProvenRead, slack_source
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

ROW = "integration_settings: row SLACK | ATTRIBUTES"
BRANCH_SHOWN = 80  # characters of its name


async def find_profile_fields(runtime: Runtime, team: str) -> None:
    """Replace the labels of custom profile fields in rules by ids, for a call where there are any.

    Raises ConfigurationError where Slack has no such field, or several, and where the label was another field's at the
    last complete read: one that was deleted, or made anew, would seem to be empty.
    """
    if not any(rule.is_custom for rule in runtime.behaviour.attributes):
        return
    fields = await runtime.slack.profile_fields()
    labels = {field.id: field.label for field in fields}
    runtime.profile_labels = {CUSTOM + field_id: CUSTOM + label for field_id, label in labels.items()}
    known_labels = set(map(as_compared, labels.values()))
    by_label = set[str]()  # ids of the fields that rules name by their labels

    def by_id(source: str) -> str:
        name = source.removeprefix(CUSTOM)
        if not is_custom(source) or name in labels:
            return source
        if not (label_of(source) or as_compared(name) in known_labels):  # a label may look like an id
            return source
        field_id = _the_one(name, labels, "Slack")
        by_label.add(field_id)
        return CUSTOM + field_id

    runtime.behaviour = _named_by_id(runtime.behaviour, lambda rule: rule.with_sources(by_id))
    await to_completion(_check_labels, runtime.store, team, {field_id: labels[field_id] for field_id in by_label})
    wanted = custom_fields(runtime.behaviour.attributes)
    if unknown := sorted(wanted - labels.keys()):
        there = ", ".join(f"{label} ({field_id})" for field_id, label in sorted(labels.items(), key=lambda one: one[1]))
        raise ConfigurationError(
            f"{ROW}: Slack has no profile field {', '.join(unknown)}: name one that is there, or take the rule out;"
            f" there are {there or 'none'}"
        )
    runtime.slack.want_fields(wanted, {field.id for field in fields if field.hidden})


def record_profile_fields(runtime: Runtime, team: str, tables: Tables) -> None:
    """Store which field each label is that of, as the measure for the next runs."""
    now = runtime.now()  # by which `_check_labels` knows the field that had a label last
    for field_id in custom_fields(runtime.behaviour.attributes):
        label = runtime.profile_labels.get(CUSTOM + field_id, "").removeprefix(CUSTOM)
        for source in (_label_source(team, label), _label_source(team, label, of_id=field_id)):
            tables.reads.record(ProvenRead(source, people=0, pages=1, proven_at=now, flow_run=runtime.run_id))


def _check_labels(store: Store, team: str, by_label: Mapping[str, str]) -> None:
    """Raise ConfigurationError where one of the labels, by the field's id, was another field's when it was last read."""
    with store.reading() as tables:
        for field_id, label in sorted(by_label.items()):
            last, own = (tables.reads.last(_label_source(team, label, of_id=of_id)) for of_id in ("", field_id))
            if last and (own is None or own.proven_at < last.proven_at):
                raise ConfigurationError(
                    f"{ROW}: the profile field called {label} is another one by now ({field_id}), in which nobody, or only"
                    " some, may have a value yet: name it by this id once everybody's is filled in, or take the rule out"
                )


def _label_source(team: str, label: str, *, of_id: str = "") -> str:
    """Return the source's name; with *of_id*, that of this very field under the label."""
    return f"{slack_source(team)} field:{as_compared(label)} {of_id}".rstrip()


async def find_additional_fields(runtime: Runtime, session: Session) -> None:
    """Replace the titles of additional fields in rules by ids, and learn the values that attributes can hold.

    Raises ConfigurationError where Docebo has no such field, or several.
    """
    values: dict[str, Values] = {"expiration_date": Dates()}
    if session.languages:
        values["language"] = Options.of({code: code for code in session.languages if code}, session.languages.items())
    moves_leavers = runtime.behaviour.leavers_branch.strip() and runtime.behaviour.provision_slack_user_data
    if moves_leavers or any(rule.target == BRANCH for rule in runtime.behaviour.attributes):
        branches = await read_branches(runtime)
        runtime.org_chart.of_leavers = _leavers_branch(runtime.behaviour.leavers_branch, branches)
    runtime.behaviour = runtime.behaviour.with_values(values)
    rules, mirrored = runtime.behaviour.attributes, runtime.behaviour.mirror_fields
    if not (mirrored or any(rule.title or rule.field_id for rule in rules)):
        return
    fields = await runtime.docebo.fields.all()
    titles = {str(field.id): field.title for field in fields}
    runtime.field_titles = {f"field_{field_id}": title for field_id, title in titles.items()}
    known = sorted(field.id for field in fields)

    def by_id(rule: AttributeRule) -> AttributeRule:
        if rule.title:
            return replace(rule, target=f"field_{_the_one(rule.title, titles, 'Docebo')}")
        if rule.field_id and rule.field_id not in known:
            there = ", ".join(map(str, known)) or "none"
            raise ValueError(f"Docebo has no additional field with this id: there are {there}")
        return rule

    runtime.behaviour = _named_by_id(runtime.behaviour, by_id)
    wanted = {rule.field_id for rule in runtime.behaviour.attributes if rule.field_id}
    runtime.docebo.want_fields(wanted)
    await runtime.docebo.fields.read_options(field for field in fields if field.id in wanted)
    values |= {f"field_{field_id}": options for field_id, options in runtime.docebo.fields.options.items()}
    runtime.behaviour = runtime.behaviour.with_values(values)
    if mirrored:
        runtime.mirror_into(find_mirror(fields, mirrored))


async def know_fields(runtime: Runtime, field_ids: Collection[int]) -> None:
    """Have accounts show these additional fields, too, and learn their values: a call, and one for each dropdown.

    It takes no call if the present rules name all of them.
    """
    others = set(field_ids) - {rule.field_id for rule in runtime.behaviour.attributes}
    if others:
        runtime.docebo.want_fields(others)
        await runtime.docebo.fields.read_options(
            field for field in await runtime.docebo.fields.all() if field.id in others
        )


async def find_manager_type(runtime: Runtime) -> None:
    """Find out the type of manager to write, for a call if a rule names managers and accounts are provisioned.

    Raises ConfigurationError where the platform has no such type, several and MANAGER_TYPE names none, or does not tell
    them.
    """
    behaviour = runtime.behaviour
    if not behaviour.provision_slack_user_data or not any(rule.target == MANAGER for rule in behaviour.attributes):
        return
    wanted = runtime.behaviour.manager_type.strip()
    try:
        titles = {str(one.id): one.title for one in await runtime.docebo.manager_types()}
    except (Rejected, AccessDenied) as refusal:
        raise ConfigurationError(
            f"{ROW}: a rule fills manager, and Docebo does not tell what types of managers it has ({refusal}): take the rule"
            " out, or ask Docebo's support"
        ) from None
    runtime.managers.has_one_type = len(titles) == 1
    row = "integration_settings: row SLACK | MANAGER_TYPE"
    if wanted in titles:
        runtime.managers.type_id = int(wanted)
        return
    if not wanted and len(titles) != 1:
        there = ", ".join(sorted(titles.values())) or "none"
        raise ConfigurationError(f"{row} is empty, and Docebo has not just one type of managers: there are {there}")
    try:
        runtime.managers.type_id = int(_the_one(wanted, titles, "Docebo") if wanted else next(iter(titles)))
    except ValueError as error:
        raise ConfigurationError(f"{row}: {str(error).replace('field', 'type of managers')}") from None


def _leavers_branch(name: str, branches: Branches) -> int | None:
    """Return the id of the branch of this *name*; None where none is named."""
    if not name.strip():
        return None
    if found := branches.id(name):
        return int(found)
    raise ConfigurationError(
        "integration_settings: row SLACK | LEAVERS_BRANCH: Docebo has no branch with this code, title, path or id, or has"
        f" several: {shortened(name.strip(), BRANCH_SHOWN)}"
    )


def _named_by_id(
    behaviour: IntegrationSettings, named: Callable[[AttributeRule], AttributeRule]
) -> IntegrationSettings:
    """Return the settings with rules that name fields by their ids, as *named* finds them."""
    try:
        rules = distinct(read_each(behaviour.attributes, named, called="rule"))
    except ValueError as error:
        raise ConfigurationError(f"{ROW}: {error}") from None
    return behaviour.model_copy(update={"attributes": rules})


def _the_one(name: str, names: Mapping[str, str], where: str) -> str:
    """Return the id of the field with this name; raise ValueError where *names*, by id, have none or several.

    A name that is nowhere is not quoted: it may be whatever somebody has typed.
    """
    found = [field_id for field_id, known in names.items() if as_compared(known) == as_compared(name)]
    if len(found) > 1:
        raise ValueError(
            f"{where} has several fields called {name}: name the one that is meant by its id, {' or '.join(sorted(found))}"
        )
    if not found:
        there = ", ".join(sorted(filter(None, names.values())))
        raise ValueError(f"{where} has no field of this name: there are {there or 'none'}")
    return found[0]
