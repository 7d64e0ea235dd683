"""Planning for some people: the operation for each, by the rules, by what is stored about them and by decisions."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from slack_docebo.domain.decisions import NOBODY, FormerHolders, about, respecting
from slack_docebo.domain.disputes import bears_our_word_alone
from slack_docebo.domain.effects import people_of
from slack_docebo.domain.findings import Findings, FoundAccount
from slack_docebo.domain.grace import hold
from slack_docebo.domain.leavers import is_leaver
from slack_docebo.domain.matching import FoundBy, Match
from slack_docebo.domain.operations import Kind, Operation, leave_alone
from slack_docebo.domain.people import Applied, Known, LastSeen, Mapping, PeopleShown, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.unfound import reason_by_unfound
from slack_docebo.engine.reading.overtaken import LISTS_LAG, known_stamps_of_overtaken, with_status_unknown
from slack_docebo.engine.reporting.orphans import OrphanSearch
from slack_docebo.storage.handovers import doubt_given
from slack_docebo.storage.tables import Tables

HeldBack = tuple[SourceUser, Known | None]  # a person, with what is known of whose account it is


class PlannedPeople(NamedTuple):
    """The operations for some people; those who are *held_back* have none yet, for Docebo is asked for their accounts first."""

    operations: list[Operation]
    held_back: list[HeldBack]


def plan_people(
    tables: Tables,
    docebo: str,
    planner: Planner,
    users: Sequence[SourceUser],
    *,
    now: datetime,
    read_since: datetime | None = None,
    trusting: bool = False,
    orphans: OrphanSearch | None = None,
    holds_back: bool = False,
) -> PlannedPeople:
    """Return the operation for each of *users*; a forgotten person gets none.

    Mappings are looked up for *users* only, because the whole table is large. *read_since* is when reading of the list
    began, if *users* come from a list: an event may have told more since. People for whose account Docebo has to be asked
    are planned for by what is known, unless the caller *holds_back* those and plans for them later.
    """
    team = planner.policy.scope.team
    forgotten = _forgotten(tables, docebo, planner, users)
    users = [user for user in users if user not in forgotten] if forgotten else users
    planner.found.forgotten += len(forgotten)
    users = _under_both_ids(tables, planner, users, now=now, is_list=read_since is not None)
    known = tables.mappings(docebo).known_of_people(team, users)
    users = [one if one.handle else _called_as_before(one, known.get(one.slack_id)) for one in users]
    stored = _look_up(tables, docebo, planner, users, known)
    back = {slack_id for user in users if not is_leaver(user, planner.policy) for slack_id in user.ids}
    planner.ended |= tables.expirations(docebo).of(_shut(known, stored.holders, back) | stored.shut_by_us)
    operations: list[Operation] = []
    held_back: list[HeldBack] = []
    for user in users:
        if trusting and (operation := planner.plan_trusting(user, stored.mapping_of(user))):
            operations.append(operation)
        elif holds_back and _has_to_be_asked_for(planner, user, stored):
            held_back.append((user, known.get(user.slack_id)))
        else:
            operations.append(_plan_one(planner, user, stored))
    operations = _without_second_accounts(tables, docebo, operations, users)
    if orphans:
        orphans.look(users, {slack_id: one for slack_id, one in known.items() if isinstance(one, Mapping)})
        orphans.pass_over(forgotten)
    graced = in_grace(tables, planner, operations, now=now, read_since=read_since, back=back)
    decided = as_decided(tables, team, graced, users=users, former_holders=stored.given_before)
    return PlannedPeople(decided, held_back)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored about some people, and about the accounts that were found for them."""

    known: MappingType[str, Known]  # the mapping of each, else what was last applied, by Slack id
    matches: MappingType[str, Match]  # by Slack id
    holders: MappingType[int, Mapping]  # the mappings of the accounts that were found
    mapped_otherwise: MappingType[str, Mapping]  # of those without one: the mapping under another id, by the one of now
    given_before: FormerHolders
    shut_by_us: set[int]  # accounts that were found, and have no mapping

    def mapping_of(self, user: SourceUser) -> Mapping | None:
        known = self.known.get(user.slack_id)
        return known if isinstance(known, Mapping) else None

    def applied_to(self, user: SourceUser) -> Applied | None:
        """Return what was last applied to *user*, who has no mapping."""
        known = self.known.get(user.slack_id)
        return known if isinstance(known, Applied) else None


def _look_up(
    tables: Tables, docebo: str, planner: Planner, users: Sequence[SourceUser], known: MappingType[str, Known]
) -> _Stored:
    """Match *users* with accounts, and return that with what else is stored about both."""
    team, mappings = planner.policy.scope.team, tables.mappings(docebo)
    matches = _matches(tables, docebo, planner, users, known=known)
    found = [match.account.docebo_id for match in matches.values() if match.account and match.by is not FoundBy.MAPPING]
    other_ids = tables.people.other_ids(team, [one for one, stored in known.items() if isinstance(stored, Applied)])
    mapped_otherwise = {other_ids[one]: mapping for one, mapping in mappings.of(team, other_ids).items()}
    likeliest = [match.likeliest.docebo_id for match in matches.values() if match.likeliest]
    holders = mappings.of_accounts(team, [*found, *likeliest])
    unmapped = set(found) - holders.keys()
    planner.known_by_our_word |= _known_by_our_word(tables, docebo, planner, unmapped)
    return _Stored(
        known=known,
        matches=matches,
        holders=holders,
        mapped_otherwise=mapped_otherwise,
        given_before=_given_before(tables, docebo, planner, users, known=known, matches=matches),
        shut_by_us=_shut_by_us(tables, docebo, planner, unmapped),
    )


def _has_to_be_asked_for(planner: Planner, user: SourceUser, stored: _Stored) -> bool:
    """Tell whether Docebo has to be asked for the account of *user* before anything is planned."""
    known = stored.known.get(user.slack_id)
    if known and planner.asks_for_account(user, known):
        return True
    return planner.awaits_unlisted(user, stored.matches[user.slack_id])


def _plan_one(planner: Planner, user: SourceUser, stored: _Stored) -> Operation:
    match, applied = stored.matches[user.slack_id], stored.applied_to(user)
    found = match.account or match.likeliest
    account = found.docebo_id if found else 0
    # Whose mapping is gone, too, gets an account back that we have shut.
    if account in stored.shut_by_us and not (applied and applied.deactivated and applied.docebo_id == account):
        applied = Applied(account, deactivated=True)
    return planner.plan(
        user,
        stored.mapping_of(user),
        match,
        holder=stored.holders.get(account),
        applied=applied,
        under_other_id=stored.mapped_otherwise.get(user.slack_id),
        former_holders=stored.given_before.get(user.slack_id, ()),
    )


def _forgotten(tables: Tables, docebo: str, planner: Planner, users: Iterable[SourceUser]) -> list[SourceUser]:
    """Return those of *users* who were forgotten; their other ids, where Slack shows them, are noted in *planner*.

    Who is looked after and bears the address of somebody forgotten is somebody else, and the address is noted in
    *planner* as passed on. Whom a table of mappings alone gives an account may be the forgotten one again.
    """
    excluded = tables.exclusions.all()
    covered = [user for user in users if excluded.cover(user)]
    by_address = [user for user in covered if not excluded.cover_any(user.ids)]
    known = tables.mappings(docebo).known_of_people(planner.policy.scope.team, by_address) if by_address else {}
    others = [user for user in by_address if (one := known.get(user.slack_id)) and not one.seen.claimed]
    planner.found.passed_on += [user.email for user in others]
    planner.found.forgotten_as |= {
        other: slack_id
        for user in covered
        for slack_id in user.ids
        for other in user.ids
        if excluded.cover_any([slack_id]) and not excluded.cover_any([other])
    }
    return [user for user in covered if user not in others]


def _under_both_ids(
    tables: Tables, planner: Planner, users: Sequence[SourceUser], *, now: datetime, is_list: bool
) -> list[SourceUser]:
    """Return *users*, with the holder's id added for those who are the same person as the holder of their account.

    If the users come from a list (*is_list*) that is older than an event applied under that id, their status is
    unknown.
    """
    team, of_holder = planner.policy.scope.team, planner.returns.of_holder
    joined = {
        user.slack_id: replace(user, local_id=of_holder[user.slack_id]) for user in users if user.slack_id in of_holder
    }
    if is_list and joined:
        behind = known_stamps_of_overtaken(tables, team, list(joined.values()), LISTS_LAG, now=now)
        joined |= {slack_id: with_status_unknown(joined[slack_id]) for slack_id in behind}
    return [joined.get(user.slack_id, user) for user in users]


def _shut(known: MappingType[str, Known], holders: MappingType[int, Mapping], back: Collection[str]) -> set[int]:
    """Return the accounts that we have shut, of people who are *back* and of *holders*."""
    shut = {one.docebo_id for slack_id, one in known.items() if one.deactivated and slack_id in back}
    return shut | {docebo_id for docebo_id, one in holders.items() if one.deactivated}


def _matches(
    tables: Tables, docebo: str, planner: Planner, users: Sequence[SourceUser], *, known: MappingType[str, Known]
) -> dict[str, Match]:
    """Return the match of each of *users*, by Slack id, considering to whom the account was given before."""
    matches = {user.slack_id: planner.match(user, known.get(user.slack_id)) for user in users}
    by_address = [
        match.account.docebo_id
        for slack_id, match in matches.items()
        if match.account and (match.by is FoundBy.USERNAME or planner.finds_another(known.get(slack_id), match))
    ]
    if not by_address:
        return matches
    given = tables.applied(docebo).given(by_address)
    return {
        user.slack_id: planner.match_again(user, known.get(user.slack_id), matches[user.slack_id], given)
        for user in users
    }


def _without_second_accounts(
    tables: Tables, docebo: str, operations: list[Operation], users: Iterable[SourceUser]
) -> list[Operation]:
    """Return *operations*, without creations for people who may have an unfound account: these are left alone."""
    creates = any(operation.kind is Kind.CREATE for operation in operations)
    unfound = tables.unfound.all(docebo) if creates else []
    if not unfound:
        return operations
    by_id = {user.slack_id: user for user in users}

    def unless_unfound(operation: Operation) -> Operation:
        user = by_id[operation.slack_id]
        reason = reason_by_unfound(operation, user.ids, unfound)
        return leave_alone(user, operation.slack_team, reason) if reason else operation

    return [unless_unfound(operation) for operation in operations]


def _called_as_before(user: SourceUser, known: Known | None) -> SourceUser:
    """Return *user*, whose handle Slack does not show, with the handle of the mapping."""
    return replace(user, handle=known.slack_name) if isinstance(known, Mapping) else user


def _given_before(
    tables: Tables,
    docebo: str,
    planner: Planner,
    users: Iterable[SourceUser],
    *,
    known: MappingType[str, Known],
    matches: MappingType[str, Match],
) -> dict[str, set[str]]:
    """Return the former holders of accounts that are new for the person for whom they were found, by that Slack id.

    An account that shows neither the username nor the address of then is left out, and noted in *planner*: somebody has
    handed it over in Docebo.
    """
    new: dict[str, tuple[SourceUser, int]] = {}
    for user in users:
        account, one = matches[user.slack_id].account, known.get(user.slack_id)
        if account and not (one and one.docebo_id == account.docebo_id):
            new[user.slack_id] = (user, account.docebo_id)
    if not new:
        return {}
    holders = tables.applied(docebo).former_holders({docebo_id for _, docebo_id in new.values()})
    seen = tables.sightings(docebo).last_seen(holders)
    planner.handed_over |= {one for one in holders if not planner.is_as_seen(one, seen.get(one, LastSeen()))}
    return {
        slack_id: others
        for slack_id, (user, docebo_id) in new.items()
        if (others := holders.get(docebo_id)) and others.isdisjoint(user.ids)
        if docebo_id not in planner.handed_over
    }


def _known_by_our_word(tables: Tables, docebo: str, planner: Planner, docebo_ids: Collection[int]) -> set[int]:
    """Return those accounts that show an address of our own word, and nothing else that they bore when we wrote it."""
    seen = tables.sightings(docebo).last_seen(docebo_ids)
    shown = ((account, seen[one]) for one in seen if (account := planner.accounts.get(one)))
    return {account.docebo_id for account, then in shown if bears_our_word_alone(account, then)}


def _shut_by_us(tables: Tables, docebo: str, planner: Planner, docebo_ids: Collection[int]) -> set[int]:
    """Return those accounts that we have shut and that still show what they showed then; others were handed over."""
    seen = tables.sightings(docebo).last_seen(tables.deactivations(docebo).since(docebo_ids))
    return {docebo_id for docebo_id, one in seen.items() if planner.is_as_seen(docebo_id, one)}


def as_decided(
    tables: Tables,
    team: str,
    operations: Iterable[Operation],
    *,
    users: Collection[SourceUser] = (),
    former_holders: FormerHolders = NOBODY,
) -> list[Operation]:
    """Return *operations*, changed by decisions about these people, under any of their ids.

    *users* are the people of the operations, as far as Slack shows them; *former_holders* are the people whose accounts
    some of them get.
    """
    binding, acknowledged = (about(one, users) for one in (tables.binding(team), tables.acknowledged(team)))
    return respecting(binding, acknowledged, operations, former_holders)


def in_grace(
    tables: Tables,
    planner: Planner,
    operations: Sequence[Operation],
    *,
    now: datetime,
    read_since: datetime | None = None,
    back: Collection[str] = (),
) -> Sequence[Operation]:
    """Return *operations*, in which leavers are left alone until their days of grace are over.

    People seen as leavers for the first time, and people who are no leavers any more, are added to the findings of
    *planner*. *back* are people who are known not to have left. *read_since* is when reading of the list began by which
    people have left: somebody about whom an event was applied later may be back, and is not added.
    """
    team = planner.policy.scope.team
    known = tables.leavers.since(team, {*people_of(operations), *back})
    held = hold(operations, known, back=back, now=now, grace=planner.policy.grace)
    news = [operation for operation in operations if operation.mapped_as in held.first_seen]
    served = tables.inbox.applied_since(read_since, team, people_of(news)) if read_since else set[str]()
    planner.found.first_seen_leaving += [one.mapped_as for one in news if served.isdisjoint(people_of([one]))]
    planner.found.no_leavers += held.no_leavers
    return held.operations


def keep_observations(tables: Tables, docebo: str, team: str, found: Findings, *, now: datetime) -> None:
    """Store what was seen of accounts and people while planning, also in a dry run, like the proven read."""
    if found.no_echo:
        tables.applied(docebo).forget_echoes(team, found.no_echo)
        found.no_echo.clear()
    if found.passed_on:
        tables.exclusions.pass_on(found.passed_on)
        found.passed_on.clear()
    for other, slack_id in found.forgotten_as.items():
        tables.exclusions.note_other_id(other, slack_id)
    found.forgotten_as.clear()
    keep_leavers(tables, team, found, now=now)
    if found.renamed:
        tables.people.note_ids(team, found.renamed)
        found.renamed.clear()
    if found.left_with:
        tables.people.note_left_with(team, found.left_with)
        found.left_with.clear()
    if found.seen:
        tables.sightings(docebo).note_seen(found.seen, now=now)
        found.seen.clear()
    if found.handed_over:
        keep_found_accounts(tables, docebo, team, found.handed_over, now=now)
        found.handed_over.clear()


def keep_found_accounts(
    tables: Tables, docebo: str, team: str, found: MappingType[str, FoundAccount], *, now: datetime
) -> None:
    """Store to whom the accounts in *found*, by Slack id, belong.

    Forgotten people are left out, and people to whom another account was given since. Otherwise, without mappings,
    nothing would tell whose the account is, and the next person with the address would get it.
    """
    excluded, repository = tables.exclusions.all(), tables.applied(docebo)
    known = repository.of(team, found)
    kept = {
        slack_id: Applied(one.docebo_id)
        for slack_id, one in found.items()
        if slack_id not in known or known[slack_id].docebo_id == one.on_record
        if not excluded.cover_any([slack_id])
    }
    if kept:
        repository.note(team, kept, now=now)
        repository.pass_on(team, {slack_id: one.docebo_id for slack_id, one in kept.items()})
        # As with a mapping: the branch and the manager that we wrote were for whoever had the account before.
        doubt_given(tables.connection, tables.platforms, docebo, {one.docebo_id for one in kept.values()})


def keep_leavers(tables: Tables, team: str, found: Findings, *, now: datetime) -> None:
    """Store the people who were first seen as leavers, except the forgotten, and delete those who are none any more."""
    if found.first_seen_leaving:
        excluded = tables.exclusions.all()
        news = [slack_id for slack_id in found.first_seen_leaving if not excluded.cover_any([slack_id])]
        tables.leavers.note(team, news, now=now)
        found.first_seen_leaving.clear()
    if found.no_leavers:
        tables.leavers.clear(team, found.no_leavers)
        found.no_leavers.clear()


def note_names(tables: Tables, team: str, users: Iterable[SourceUser], shown: PeopleShown) -> None:
    """Store the names of *users*, except the forgotten, if people are shown by their names."""
    if shown is PeopleShown.NAMES:
        excluded = tables.exclusions.all()
        tables.names.note(team, (user for user in users if not excluded.cover(user)))
