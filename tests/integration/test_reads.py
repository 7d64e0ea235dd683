from datetime import UTC, datetime

from slack_docebo.storage.reads import ProvenRead

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def test_the_last_read_of_each_source_is_remembered(store):
    first = ProvenRead("slack:T1", people=500, pages=3, proven_at=NOW, flow_run="run-1")
    second = ProvenRead("slack:T1", people=501, pages=3, proven_at=NOW, flow_run="run-2")
    target = ProvenRead("docebo:https://lms.example.com", people=400, pages=2, proven_at=NOW)
    with store.transaction() as tables:
        reads = tables.reads
        for read in (first, second, target):
            reads.record(read)

    with store.reading() as tables:
        reads = tables.reads
        assert reads.last("slack:T1") == second
        assert reads.last("docebo:https://lms.example.com") == target
        assert reads.last("slack:T2") is None


def test_the_ids_of_the_latest_read_of_a_source_are_kept(store):
    def read() -> ProvenRead:
        return ProvenRead("docebo:https://lms.example.com", people=3, pages=1, proven_at=NOW)

    with store.transaction() as tables:
        tables.reads.record(read(), listed=[1])
        tables.reads.record(read(), listed=[10**18 - 1, 12, 7])
        assert tables.reads.listed(read().source) == [7, 12, 10**18 - 1]

        tables.reads.record(read())
        assert tables.reads.listed(read().source) == []
