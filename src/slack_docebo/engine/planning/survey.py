"""The survey: what the pages of a whole list show about the settings."""

from collections.abc import Sequence

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.profiles import Coverage
from slack_docebo.domain.scope import Scope
from slack_docebo.engine.reading.connection import unknown_levels
from slack_docebo.engine.reading.profiles import fields_wanted
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import COVERAGE, Facts


class Survey:
    """Looks for entries that fit nobody and tables of which no row does, and counts whose custom fields are known."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._unmatched = runtime.behaviour.unmatched()
        self._unused = runtime.behaviour.unused_tables()
        self._coverage = Coverage()
        self._fields = fields_wanted(runtime.behaviour)

    def see(self, page: Sequence[SourceUser], scope: Scope) -> None:
        """Look at the people on one page."""
        self._unmatched.see_people(page)
        if self._unused.looks:
            self._unused.see(user for user in page if not scope.reason_against(user))
        self._coverage.see(page, scope, self._fields)

    def facts(self, accounts: Accounts, *, with_accounts: bool) -> Facts:
        """Return what was found out, as facts of the plan; *with_accounts* if these are all there are."""
        self._unmatched.see_accounts(accounts)
        remarks = self._unmatched.remarks(with_accounts=with_accounts)
        facts: dict[str, object] = {"remarks": [*self._runtime.behaviour.remarks, *remarks, *self._unused.remarks]}
        if told := unknown_levels(self._runtime.docebo.levels.in_doubt):
            facts["unknown_levels"] = told
        if self._fields:
            facts[COVERAGE] = [self._coverage.known, self._coverage.people]
        return facts
