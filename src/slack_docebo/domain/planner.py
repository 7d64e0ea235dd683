"""The planner: it finds the one operation for each person, and the reason for it."""

from collections.abc import Collection
from collections.abc import Mapping as MappingType
from dataclasses import replace

from slack_docebo.domain.claims import RANKS, Claims, Rank
from slack_docebo.domain.disputes import (
    bears_address_of,
    bears_name_of,
    dispute_by_name,
    dispute_by_our_word,
    doubt_about,
    doubt_about_former,
    is_same,
    may_be_of_another,
    seen_on,
)
from slack_docebo.domain.findings import Findings, FoundAccount
from slack_docebo.domain.leavers import acts_on_leaver, counts_as_leaver, plan_leaver
from slack_docebo.domain.matched import Matched, plan_matched, wanted_of
from slack_docebo.domain.matching import UNCONFIRMED, Accounts, FoundBy, Match, MatchBy, match
from slack_docebo.domain.newcomers import plan_newcomer, reason_for_none
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.operations import (
    BOTH_OFF,
    ELSEWHERE,
    IN_LINE_AS_WRITTEN,
    NO_LONGER_IN_SLACK,
    NOT_LISTED,
    PASSED_ON,
    Kind,
    Operation,
    leave_alone,
)
from slack_docebo.domain.people import Account, Applied, Known, LastSeen, Mapping, SourceUser
from slack_docebo.domain.policy import SHUT_OUT, Leavers, Policy
from slack_docebo.domain.returns import (
    Returns,
    address_left_with,
    elsewhere,
    given_before,
    has_left,
    left_with,
    reported,
    reported_given,
)
from slack_docebo.domain.rules import shortfalls


class Planner:
    """Plans person by person, and remembers everybody's claims so that no account is given twice."""

    def __init__(self, policy: Policy, accounts: Accounts) -> None:
        self.policy = policy
        self.found = Findings()
        self.claims = Claims()  # also to addresses: usernames are unique, and Slack may list one twice
        self.returns = Returns(policy.rehires)
        self.ended: dict[int, str] = {}  # accounts that we have let expire, with the date that they had before
        self.handed_over = set[int]()  # accounts that were given to others, and bear nothing of what they bore then
        # Accounts that show an address that we have written, and nothing else that they bore then.
        self.known_by_our_word = set[int]()
        self.reopened: set[int] = set()  # accounts that we have shut, and that the list shows as open
        # Accounts that show another address than the one by whose username, or by which table, they are somebody's, or that
        # may have been handed over; and the Slack ids of these people
        self.suspects: list[tuple[Account, str]] = []
        self.accounts = accounts

    def anew(self) -> "Planner":
        """Return a new planner that keeps only what was settled about people who return."""
        again = Planner(self.policy, self.accounts)
        again.returns = self.returns
        return again

    def match(self, user: SourceUser, known: Known | None) -> Match:
        """Return the account of *user*.

        If the address finds no account, the person keeps the former one as long as it shows the username or address of
        then: whoever has the former address by now has no better claim to it. A former account of which only the name
        is left may still be theirs, so no other one is created for somebody in scope.
        """
        found = match(user, self.accounts, known, self.policy.match_by)
        if found == Match() and known:
            if former := self._former(known):
                return self._found_as_before(user, known, former)
            if (account := self._former_by_name(user, known)) and not self.policy.scope.reason_against(user):
                return Match(account, FoundBy.NAME)
        if found == Match() and (why := self.returns.in_doubt.get(user.slack_id)):
            return Match(problem=why)
        if found == Match() and (docebo_id := self.returns.left_to.get(user.slack_id)):
            return Match(self.accounts.get(docebo_id), FoundBy.FORMER_ENTRY)
        by_username = found.by is not FoundBy.MAPPING and self.policy.match_by is not MatchBy.EMAIL
        if by_username and (account := self.accounts.named_after(user)):
            self.suspects.append((account, user.slack_id))
        if found.account and isinstance(known, Mapping):
            self.note_other_bearer(user, known, found.account)
        return found

    def match_again(
        self, user: SourceUser, known: Known | None, found: Match, given: MappingType[int, set[str]]
    ) -> Match:
        """Return the account of *user*, knowing to whom accounts were *given* before, by Docebo id.

        An account that was given to somebody else stays theirs in two cases. If *user* was given an account that still
        is as it was, *user* keeps that one: two people may have swapped their addresses. An account that has only its
        username in common with *user*, and shows another address, is not matched.
        """
        if found.account is None:
            return found
        holders = given.get(found.account.docebo_id, set())
        if not holders or holders.intersection(user.ids):
            return found
        if known and (former := self._former(known)):
            return self._found_as_before(user, known, former)
        if found.by is not FoundBy.USERNAME or not self.accounts.named_after(user):
            return found
        self.accounts.note_given(found.account.docebo_id, min(holders))
        return self.match(user, known)

    def finds_another(self, known: Known | None, found: Match) -> bool:
        """Tell whether the account *found* is not the one that somebody without a mapping was given before."""
        is_by_address = found.by in {FoundBy.EMAIL, FoundBy.USERNAME}
        return is_by_address and self._former(known) not in (None, found.account)

    def _former(self, known: Known | None) -> Account | None:
        """Return the account that a person without a mapping was given, if it shows the username or address of then."""
        if not isinstance(known, Applied) or known.seen == LastSeen():
            return None
        account = self.accounts.get(known.docebo_id)
        return account if account and is_same(seen_on(account), known.seen) else None

    def _former_by_name(self, user: SourceUser, known: Known) -> Account | None:
        """Return the account that was given to *user*, and to nobody else, if it shows their name."""
        account = None if known.seen == LastSeen() else self.accounts.get(known.docebo_id)
        return account if account and bears_name_of(account, user) else None

    def _found_as_before(self, user: SourceUser, known: Known, former: Account) -> Match:
        self.note_other_bearer(user, known, former)
        return Match(former, FoundBy.FORMER_MAPPING)

    def note_other_bearer(self, user: SourceUser, known: Known, account: Account) -> None:
        """Note that the *known* account may be somebody else's, if that is in doubt."""
        if may_be_of_another(account, user, known.seen):
            self.suspects.append((account, user.slack_id))

    def plan(
        self,
        user: SourceUser,
        mapping: Mapping | None,
        found: Match,
        *,
        holder: Mapping | None = None,
        applied: Applied | None = None,
        under_other_id: Mapping | None = None,
        former_holders: Collection[str] = (),
    ) -> Operation:
        """Return the one operation that brings target and mapping in line with *user*.

        *holder* is the mapping of the account *found*, or of the likeliest one, if it has one; *applied* is what was last
        applied to a person without a mapping, and *under_other_id* the mapping of the same person under a former id
        that Slack does not name any more. *former_holders* are the Slack ids of others to whom the account *found*,
        which is unmapped, was given before.
        """
        self.found.accounts.pop(user.slack_id, None)  # as it was planned before
        if against := self.policy.scope.reason_against(user):
            is_free = not (mapping or under_other_id or holder or former_holders)
            return self._plan_out_of_scope(user, mapping, found, against, applied=applied, is_free=is_free)
        self.found.people += 1
        if not (self.policy.provision or self.policy.map):
            return self._leave(user, BOTH_OFF)
        if found.problem:
            if found.likeliest and holder and mapping is None:
                # If it is theirs, it is not shut before somebody decides.
                self.returns.contest(user.slack_id, holder.slack_id)
            return self._leave(user, found.problem)
        account = None if holder and self._has_passed_on(user, found, holder) else found.account
        if left := self._leave_to_other_id(user, mapping, under_other_id, account):
            return left
        if account is None:
            return self._plan_newcomer(user, mapping)
        if holder and mapping is None and self._has_returned(user, holder, account):
            if self.returns.heirs.get(holder.slack_id) == user.slack_id:
                mapping = holder
            elif self.policy.leavers is not Leavers.UNMAP or not self.policy.map:
                # Else the holder is unmapped, which frees the account for the next run.
                return self._leave(user, reported(account.docebo_id, holder.slack_id), account)
        one = Matched(user, account, found.by, mapping=mapping, applied=mapping.applied if mapping else applied)
        return self._plan_matched(one, holder, former_holders)

    def _plan_out_of_scope(
        self,
        user: SourceUser,
        mapping: Mapping | None,
        found: Match,
        against: str,
        *,
        applied: Applied | None,
        is_free: bool,
    ) -> Operation:
        """Return the operation for somebody out of scope, *against* whom the scope is; nobody has an account that *is_free*."""
        if found.account and found.by is FoundBy.FORMER_MAPPING and not (user.deactivated or user.forgotten):
            # Who is out of scope and has not left keeps the account from whoever bears the former address by now.
            self.claims.stake(found.account.docebo_id, user.slack_id, Rank.FORMER_MAPPING)
        self._note_former_entry(user, mapping or applied)
        absent = self._plan_absent(user, mapping, against)
        if found.account and is_free:
            unmapped = Matched(user, found.account, found.by, mapping=None, applied=applied)
            self._note_out_of_scope(unmapped, absent)
        return absent

    def _leave_to_other_id(
        self, user: SourceUser, mapping: Mapping | None, under_other_id: Mapping | None, account: Account | None
    ) -> Operation | None:
        """Leave *user* alone if another id of theirs gets the account, or is mapped to it."""
        if mapping and (heir := self.returns.heirs.get(mapping.slack_id)) and heir not in user.ids:
            # *user* is as shown before Slack was asked: the account is given once, to the id that is there.
            return self._leave(user, f"Slack shows {heir} in place of this id by now", account)
        if mapping is None and under_other_id is not None:
            former = under_other_id.slack_id
            self.returns.contest(user.slack_id, former, is_one_person=True)
            told = elsewhere(under_other_id.docebo_id, former)
            return self._leave(user, told, docebo_id=under_other_id.docebo_id)
        return None

    def _plan_matched(self, one: Matched, holder: Mapping | None, former_holders: Collection[str]) -> Operation:
        """Return the operation for somebody who has an account, unless it is, or may be, somebody else's."""
        user, account, mapping = one.user, one.account, one.mapping
        if doubt := self._reason_by_others(one, holder, former_holders) or self._doubt_about(one):
            return self._leave(user, doubt, account)
        if user.local_id and not (mapping and mapping.slack_id == user.slack_id):
            self.found.renamed[user.slack_id] = user.local_id
        operation = plan_matched(
            one, self.policy, accounts=self.accounts, claims=self.claims, found=self.found, ended=self.ended
        )
        if former_holders and operation.kind is Kind.UPDATE and not operation.maps:
            operation = replace(operation, reason=f"{PASSED_ON}{operation.reason}")
        if operation.kind is Kind.LEAVE or not (former_holders or operation.passes_mapping):
            # Else the former holder's account would be known by what it bears now, should this never be carried out.
            self._note_seen(one, operation)
        return operation if operation.kind is Kind.LEAVE else replace(operation, seen=seen_on(account))

    def _doubt_about(self, one: Matched) -> str:
        """Return why nobody can tell whether the account that *one* had before is still theirs, or ""."""
        if one.mapping:
            return doubt_about(one.account, one.mapping, one.user, self.accounts)
        if one.applied and one.by is FoundBy.FORMER_MAPPING:
            return doubt_about_former(one.account, one.applied, one.user, self.accounts)
        by_our_word = one.by is FoundBy.EMAIL and one.account.docebo_id in self.known_by_our_word
        if by_our_word and not bears_name_of(one.account, one.user):
            return dispute_by_our_word(one.account.docebo_id)
        return dispute_by_name(one.account.docebo_id) if one.by is FoundBy.NAME else ""

    def _reason_by_others(self, one: Matched, holder: Mapping | None, former_holders: Collection[str]) -> str:
        """Claim the account for *one*; return why it is, or may be, somebody else's, or ""."""
        user, docebo_id = one.user, one.account.docebo_id
        if holder:
            self.claims.stake(docebo_id, holder.slack_id, Rank.MAPPING)
        claimant = one.mapping.slack_id if one.mapping else user.slack_id
        owner = self.claims.stake(docebo_id, claimant, RANKS[one.by])
        if owner != claimant:
            # An account that has only the username in common with *user* may be neither one's.
            if holder and one.mapping is None and self.accounts.named_after(user) != one.account:
                self.returns.contest(user.slack_id, holder.slack_id)
            return f"account {docebo_id} belongs to {owner}"
        if not former_holders:
            return ""
        if still_there := self.returns.not_known_to_be_gone(former_holders):
            self.returns.contest_given(user.slack_id, former_holders)
            return given_before(docebo_id, still_there[0])
        return reported_given(docebo_id, min(former_holders)) if self.policy.reports_former_holders else ""

    def _note_out_of_scope(self, one: Matched, operation: Operation) -> None:
        """Note whose the account of *one* is, who is in Slack but out of scope, if nobody in scope has it.

        Otherwise they would get a second account if they come into scope with another address.
        """
        if not self.policy.scope.is_here(one.user):
            return
        if self.claims.stake(one.account.docebo_id, one.user.slack_id, Rank.OUT_OF_SCOPE) == one.user.slack_id:
            self._note_seen(one, operation)

    def _note_seen(self, one: Matched, operation: Operation) -> None:
        """Note whose the account is and what it shows, where that is new."""
        user, account, mapping = one.user, one.account, one.mapping
        known = mapping or one.applied
        is_new = known is None or known.docebo_id != account.docebo_id
        found = FoundAccount(account.docebo_id, known.docebo_id if known else None)
        if account.docebo_id in self.handed_over and is_new:
            # What it bears is noted, and would be taken for what it bore when it was the former one's.
            self.found.handed_over[user.slack_id] = found
        if operation.kind is Kind.LEAVE and is_new:
            self.found.accounts[user.slack_id] = found
        # Without mappings what was applied leads to the account.
        if known or operation.maps or operation.fingerprint or user.slack_id in self.found.accounts:
            now = seen_on(account)
            if mapping and mapping.seen.claimed and not bears_address_of(account, user, mapping.seen):
                now = LastSeen(now.username, claimed=True)  # until the address is seen there, or written
            elif known and not is_new and may_be_of_another(account, user, known.seen):
                return  # before whoever bears that address was heard
            if is_new or (known and now != known.seen):
                self.found.seen[account.docebo_id] = now

    def _note_former_entry(self, user: SourceUser, known: Known | None) -> None:
        """Note the address of *user*, if that is somebody who has left; the *known* account may show an older one."""
        self.found.left_with |= left_with(user, known)
        account = self.accounts.get(known.docebo_id) if known else None
        if not (known and account and known.seen != LastSeen() and self.is_as_seen(known.docebo_id, known.seen)):
            return
        if not (address := address_left_with(user)):
            return
        if may_be_of_another(account, user, known.seen):
            self.returns.note_edited(address, account.docebo_id)
        else:
            self.returns.note_leaver(address, user.slack_id, known)

    def _has_passed_on(self, user: SourceUser, found: Match, holder: Mapping) -> bool:
        """Tell whether the account that *user*, or a former entry in Slack, had before is somebody else's by now."""
        if found.by is FoundBy.FORMER_ENTRY:
            return self.returns.contested.get(user.slack_id) != holder.slack_id
        return found.by in {FoundBy.FORMER_MAPPING, FoundBy.NAME}

    def _has_returned(self, user: SourceUser, holder: Mapping, account: Account) -> bool:
        """Tell whether *user* has the address that the account had while its former holder was in Slack."""
        return self.returns.returned.get(user.slack_id) == holder.slack_id and is_same(seen_on(account), holder.seen)

    def plan_trusting(self, user: SourceUser, mapping: Mapping | None) -> Operation | None:
        """Return what can be planned without reading the target, or None where it has to be read.

        It trusts that the target still holds what was last written to it.
        """
        if against := self.policy.scope.reason_against(user):
            # What an account bears that nobody has seen yet is to be known before it is handed over.
            is_asked_for = mapping and (self.policy.leavers in SHUT_OUT or mapping.seen == LastSeen())
            if mapping and is_asked_for and not mapping.deactivated and counts_as_leaver(user, self.policy):
                return None
            self._note_former_entry(user, mapping)
            return self._plan_absent(user, mapping, against)
        if not (self.policy.provision or self.policy.map):
            self.found.people += 1
            return self._leave(user, BOTH_OFF)
        if mapping is None and user.unconfirmed:
            self.found.people += 1
            return self._leave(user, UNCONFIRMED)
        if not (mapping and self.policy.provision and self.policy.map) or mapping.deactivated:
            return None
        if mapping.slack_id != user.slack_id:
            return None
        if (mapping.slack_name, mapping.fingerprint) != (
            user.handle,
            self.policy.fingerprint(wanted_of(user, self.policy)),
        ):
            return None
        self.found.people += 1
        return self._leave(user, IN_LINE_AS_WRITTEN, docebo_id=mapping.docebo_id)

    def plan_unlisted(self, mapping: Mapping, seen: Observation[SourceUser]) -> Operation:
        """Return the operation for a mapping whose Slack user is not in the workspace's list.

        *seen* is Slack's answer about that user: only somebody who is gone or deactivated has left.
        """
        user = SourceUser(mapping.slack_id, mapping.slack_team, handle=mapping.slack_name)
        match seen:
            case Gone():
                return self._plan_leaver(user, mapping, NO_LONGER_IN_SLACK)
            case Present(found) if has_left(seen):
                self._note_former_entry(found, mapping)
                return self._plan_leaver(user, mapping, self.policy.scope.reason_against_kind(found))
            case Present(found) if found.teams and not found.is_member_of(self.policy.scope.team):
                if self.policy.out_of_scope_leaves:
                    return self._plan_leaver(user, mapping, ELSEWHERE)
                return self._leave(user, f"{NOT_LISTED}, and {ELSEWHERE}", docebo_id=mapping.docebo_id)
            case Present():
                return self._leave(user, f"{NOT_LISTED}, and still there", docebo_id=mapping.docebo_id)
            case Unknown(why):
                return self._leave(user, why, docebo_id=mapping.docebo_id)

    def is_as_seen(self, docebo_id: int, seen: LastSeen) -> bool:
        """Tell whether the account still shows the username or the address that were last *seen* there."""
        account = self.accounts.get(docebo_id)
        return account is not None and is_same(seen_on(account), seen)

    def asks_for_account(self, user: SourceUser, known: Known) -> bool:
        """Tell whether *user* depends on the *known* account, for which Docebo has yet to be asked."""
        return not self.accounts.is_settled(known.docebo_id) and self._depends_on_account(user, known)

    def lacks_account(self, user: SourceUser, known: Known) -> bool:
        """Tell whether *user* is left alone only because Docebo does not show the *known* account in full."""
        return (
            self.accounts.get(known.docebo_id) is None
            and not isinstance(self.accounts.look(known.docebo_id), Gone)
            and self._depends_on_account(user, known)
        )

    def _depends_on_account(self, user: SourceUser, known: Known) -> bool:
        if self.policy.scope.reason_against(user):
            deactivates = counts_as_leaver(user, self.policy) and self.policy.leavers in SHUT_OUT
            return deactivates and isinstance(known, Mapping) and acts_on_leaver(known, self.policy, self.accounts)
        return self.policy.provision or self.policy.map

    def awaits_unlisted(self, user: SourceUser, found: Match) -> bool:
        """Tell whether *user* would get a new account although an unlisted one may be theirs."""
        is_new = found.account is None and not found.problem and self.accounts.may_lack(user.email)
        return is_new and self.policy.provision and not self.policy.scope.reason_against(user)

    def _plan_newcomer(self, user: SourceUser, mapping: Mapping | None) -> Operation:
        if against := reason_for_none(user, self.policy, self.accounts):
            return self._leave(user, against)
        lacking = shortfalls(self.policy.scope.as_member(user), self.policy.rules, creating=True)
        self.found.note_shortfalls(user.slack_id, lacking)
        operation = plan_newcomer(
            user, mapping, self.policy, accounts=self.accounts, claims=self.claims, lacking=lacking
        )
        if operation.kind is Kind.LEAVE:
            self.returns.note_rival(user)
        return operation

    def _plan_absent(self, user: SourceUser, mapping: Mapping | None, against: str) -> Operation:
        if mapping is None or not counts_as_leaver(user, self.policy):
            return self._leave(user, against)
        return self._plan_leaver(user, mapping, against)

    def _plan_leaver(self, user: SourceUser, mapping: Mapping, why: str) -> Operation:
        self.found.people += 1
        account = self.accounts.get(mapping.docebo_id)
        if account is not None and mapping.seen == LastSeen():  # at first sight, as of who is here: linked by hand, say
            self.found.seen[account.docebo_id] = seen_on(account)
        return plan_leaver(
            user,
            mapping,
            self.policy,
            accounts=self.accounts,
            why=why,
            heir=self.returns.heirs.get(mapping.slack_id, ""),
            contender=self.returns.contenders.get(mapping.slack_id, ""),
            unheard=self.returns.unheard.get(mapping.slack_id, ""),
            is_reopened=mapping.docebo_id in self.reopened,
        )

    def _leave(
        self, user: SourceUser, reason: str, account: Account | None = None, *, docebo_id: int | None = None
    ) -> Operation:
        return leave_alone(user, self.policy.scope.team, reason, account, docebo_id=docebo_id)
