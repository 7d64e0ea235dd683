from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.engine.reporting.summary import summary
from slack_docebo.errors import PlanNotApplicable, StorageError
from slack_docebo.storage.operations import JournalEntry, RowOutcome
from slack_docebo.storage.plans import CROCKFORD, Plan, PlanKind, PlanState, new_plan_id
from slack_docebo.storage.store import Store

NOW = datetime(2026, 3, 4, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PLAN = Plan(
    id="abcd1234",
    kind=PlanKind.BULK_IMPORT,
    created_at=NOW,
    docebo="https://lms.example.com",
    slack_team="T1",
    slack_team_name="Example",
    flow_run="run-1",
    settings={"leavers": "keep", "limits": [1, 2]},
)
CREATE = Operation(
    "U1",
    "T1",
    "ada",
    Kind.CREATE,
    reason="new",
    changes={"email": "ada@example.com", "active": True},
    maps=True,
    fingerprint="f",
)
UPDATE = Operation(
    "U2",
    "T1",
    "bob",
    Kind.UPDATE,
    reason="differs",
    docebo_id=8,
    changes={"field_3": "Böb \ud83d\0"},
    before={"field_3": ""},
    echo="e",
)
LEAVE = Operation("U3", "T1", "cyd", Kind.LEAVE, reason="in line", docebo_id=9)
OPERATIONS = [CREATE, UPDATE, LEAVE]


@pytest.fixture
def planned(store: Store) -> Store:
    """A store with one plan in it."""
    with store.transaction() as tables:
        tables.plans.create(PLAN)
        tables.operations.add(PLAN.id, 0, OPERATIONS)
    return store


def entries(store: Store) -> list[JournalEntry]:
    with store.reading() as tables:
        return list(tables.operations.rows(PLAN.id))


def test_ids_are_short_and_hold_nothing_to_misread():
    ids = {new_plan_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(id_[0].isdecimal() for id_ in ids)
    assert len(new_plan_id()) == 8
    assert not set("ilou") & set(CROCKFORD)


def test_a_plan_comes_back_as_it_was(planned):
    with planned.reading() as tables:
        assert tables.plans.get(PLAN.id) == PLAN
        assert tables.plans.read(PLAN.id) == PLAN


def test_a_plan_that_does_not_exist_is_none_or_not_applicable(store):
    with store.reading() as tables:
        assert tables.plans.get("nothing") is None
        with pytest.raises(PlanNotApplicable, match="no plan nothing"):
            tables.plans.read("nothing")


def test_operations_come_back_as_they_were_with_nothing_left_to_do_where_there_was_nothing(planned):
    assert entries(planned) == [
        JournalEntry(PLAN.id, 0, CREATE, Outcome.PLANNED),
        JournalEntry(PLAN.id, 1, UPDATE, Outcome.PLANNED),
        JournalEntry(PLAN.id, 2, LEAVE, Outcome.LEFT),
    ]


def test_operations_are_added_page_by_page(planned):
    with planned.transaction() as tables:
        tables.operations.add(PLAN.id, 3, [replace(LEAVE, slack_id="U4")])
        tables.operations.add(PLAN.id, 4, [])

    assert [entry.operation.slack_id for entry in entries(planned)] == ["U1", "U2", "U3", "U4"]


def test_operations_of_no_plan_are_refused_without_telling_who_they_are_about(store):
    with pytest.raises(StorageError) as raised, store.transaction() as tables:
        tables.operations.add("nothing", 0, OPERATIONS)

    assert "ada" not in str(raised.value)


def test_what_still_has_to_be_done_is_read_in_batches_by_kind(planned):
    more = [replace(CREATE, slack_id=f"U{number}") for number in range(4, 8)]
    with planned.transaction() as tables:
        tables.operations.add(PLAN.id, 3, more)
        tables.operations.record(PLAN.id, [RowOutcome(3, Outcome.FAILED)], now=LATER, flow_run="")

    with planned.reading() as tables:
        assert tables.operations.pending(PLAN.id, Kind.CREATE, 2) == [(0, CREATE), (4, more[1])]
        assert tables.operations.pending(PLAN.id, Kind.CREATE, 9, after=4) == [(5, more[2]), (6, more[3])]
        assert tables.operations.pending(PLAN.id, Kind.LEAVE, 9) == []


def test_what_became_of_an_operation_is_recorded_with_when_and_by_which_run(planned):
    results = [RowOutcome(0, Outcome.APPLIED, docebo_id=7), RowOutcome(1, Outcome.FAILED, error="too long")]
    with planned.transaction() as tables:
        tables.operations.record(PLAN.id, results, now=LATER, flow_run="run-2")
        tables.operations.record(PLAN.id, results, now=LATER, flow_run="run-2")

    assert entries(planned) == [
        JournalEntry(
            PLAN.id, 0, replace(CREATE, docebo_id=7), outcome=Outcome.APPLIED, error="", done_at=LATER, flow_run="run-2"
        ),
        JournalEntry(PLAN.id, 1, UPDATE, outcome=Outcome.FAILED, error="too long", done_at=LATER, flow_run="run-2"),
        JournalEntry(PLAN.id, 2, LEAVE, Outcome.LEFT),
    ]


def test_recording_nothing_changes_nothing(planned):
    before = entries(planned)

    with planned.transaction() as tables:
        tables.operations.record(PLAN.id, [], now=LATER, flow_run="run-2")

    assert entries(planned) == before


def test_the_tally_counts_by_kind_reason_and_outcome(planned):
    with planned.transaction() as tables:
        tables.operations.add(PLAN.id, 3, [replace(CREATE, slack_id="U4"), replace(LEAVE, slack_id="U5", reason="bot")])
        tables.operations.record(PLAN.id, [RowOutcome(0, Outcome.APPLIED)], now=LATER, flow_run="")

        assert tables.operations.tally(PLAN.id) == [
            (Kind.CREATE, "new", Outcome.APPLIED, 1),
            (Kind.CREATE, "new", Outcome.PLANNED, 1),
            (Kind.LEAVE, "bot", Outcome.LEFT, 1),
            (Kind.LEAVE, "in line", Outcome.LEFT, 1),
            (Kind.UPDATE, "differs", Outcome.PLANNED, 1),
        ]


def test_a_state_is_set_and_the_rest_kept_unless_given(planned):
    with planned.transaction() as tables:
        tables.plans.set_state(PLAN.id, PlanState.APPLYING)
        tables.plans.set_state(PLAN.id, PlanState.APPLIED, facts={"calls": 3}, finished_at=LATER)
        tables.plans.set_state(PLAN.id, PlanState.PARTLY_APPLIED)

    with planned.reading() as tables:
        assert tables.plans.read(PLAN.id) == replace(
            PLAN, state=PlanState.PARTLY_APPLIED, facts={"calls": 3}, finished_at=LATER
        )


def test_the_state_of_a_plan_that_is_gone_cannot_be_set(store):
    with pytest.raises(PlanNotApplicable, match="no longer in the database"), store.transaction() as tables:
        tables.plans.set_state("nothing", PlanState.APPLIED)


def test_recent_plans_are_listed_newest_first(planned):
    undo = replace(PLAN, id="undo0001", kind=PlanKind.UNDO, created_at=LATER)
    with planned.transaction() as tables:
        tables.plans.create(undo)

        assert tables.plans.recent(9) == [undo, PLAN]
        assert tables.plans.recent(1) == [undo]
        assert tables.plans.recent(9, PlanKind.BULK_IMPORT) == [PLAN]


def test_a_persons_history_is_told_newest_first(planned):
    second = replace(PLAN, id="second01", created_at=LATER)
    with planned.transaction() as tables:
        tables.plans.create(second)
        tables.operations.add(second.id, 0, [LEAVE, replace(LEAVE, slack_id="U1", reason="deactivated")])

        history = tables.journal.history("U1", 9)
        assert [(plan, entry.operation.reason) for plan, entry in history] == [(second, "deactivated"), (PLAN, "new")]
        assert tables.journal.history("U1", 1) == history[:1]
        assert tables.journal.history("U99", 9) == []


def test_old_plans_are_purged_with_their_operations(planned):
    with planned.transaction() as tables:
        tables.plans.create(replace(PLAN, id="second01", created_at=LATER))
        assert tables.plans.purge(LATER, limit=9) == 1

    assert entries(planned) == []
    with planned.reading() as tables:
        assert [plan.id for plan in tables.plans.recent(9)] == ["second01"]


@pytest.mark.long
def test_more_operations_than_fit_into_one_statement_are_all_stored_in_their_order(store):
    with store.transaction() as tables:
        tables.plans.create(PLAN)
        tables.operations.add(PLAN.id, 0, [replace(CREATE, slack_id=f"U{n}") for n in range(5_000)])

    assert [entry.operation.slack_id for entry in entries(store)] == [f"U{n}" for n in range(5_000)]


def test_of_a_forgotten_person_the_journal_keeps_kind_and_outcome_and_nothing_planned_is_done(planned):
    with planned.transaction() as tables:
        tables.journal.forget("U1")

    forgotten, *others = entries(planned)
    assert (forgotten.operation, forgotten.outcome) == (
        replace(CREATE, slack_id="", slack_name="", changes={}, before={}, fingerprint="", maps=False),
        Outcome.SKIPPED,
    )
    assert [entry.operation.slack_id for entry in others if entry.operation.slack_name] == ["U2", "U3"]


def test_who_was_given_an_address_or_had_it_taken_is_found_by_it_in_any_case(planned):
    took = replace(CREATE, slack_id="U4", changes={"email": "new@example.com"}, before={"email": "ÄDA@example.com"})
    elsewhere = replace(CREATE, slack_id="U5", changes={"email": "x@example.com", "field_1": "ada@example.com"})
    with planned.transaction() as tables:
        tables.operations.add(PLAN.id, len(OPERATIONS), [took, elsewhere])
        assert tables.journal.bearers("ADA@example.com") == {"U1"}
        assert tables.journal.bearers("ÄDA@EXAMPLE.com") == {"U4"}
        assert tables.journal.bearers("a%@example.com") == set()


@pytest.mark.parametrize("are_given_up", [False, True])
def test_of_a_plan_whose_run_died_over_a_call_nobody_says_that_nobody_is_done(planned, are_given_up):
    with planned.transaction() as tables:
        tables.plans.set_state(PLAN.id, PlanState.PARTLY_APPLIED)
    before = summary(planned, PLAN.id).line
    with planned.transaction() as tables:
        tables.intents.note(PLAN.id, [1], flow_run="run-1", now=NOW)
        if are_given_up:
            tables.intents.give_up(PLAN.id, [1])

    assert "nobody is done yet" in before
    assert "nobody is done yet" not in summary(planned, PLAN.id).line


def test_what_was_sent_is_found_without_a_look_at_all_that_was_ever_done(sqlite_url):
    def work() -> int:
        """Count, in hundreds, the steps of SQLite in which it is found."""
        steps = iter(range(1_000_000))
        with store.reading() as tables:
            database = tables.connection.connection.driver_connection
            database.set_progress_handler(lambda: next(steps) < 0, 100)
            assert [docebo_id for docebo_id, _ in tables.intents.updates(PLAN.docebo)] == [UPDATE.docebo_id]
            database.set_progress_handler(None, 0)
        return next(steps)

    with Store.open(sqlite_url) as store:
        with store.transaction() as tables:
            tables.plans.create(PLAN)
            tables.operations.add(PLAN.id, 0, OPERATIONS)
            tables.intents.note(PLAN.id, [1], flow_run="run-1", now=NOW)
        before = work()
        with store.transaction() as tables:
            tables.plans.create(replace(PLAN, id="efgh5678"))
            tables.operations.add("efgh5678", 0, [UPDATE] * 2000)

        assert work() <= before + 1
