from datetime import UTC, datetime, timedelta

from slack_docebo.storage.links import WorkspaceLink

NOW = datetime(2026, 3, 4, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DOCEBO = "https://lms.example.com"


def test_a_docebo_without_link_has_none(store):
    with store.reading() as tables:
        assert tables.links.get(DOCEBO) is None


def test_the_first_workspace_is_pinned_and_stays(store):
    link = WorkspaceLink(DOCEBO, "T1", "Example", NOW)
    with store.transaction() as tables:
        links = tables.links
        assert links.pin(DOCEBO, "T1", "Example", now=NOW) == link
        assert links.pin(DOCEBO, "T2", "Stranger", now=LATER) == link
        assert links.get(DOCEBO) == link


def test_a_workspace_that_was_renamed_is_renamed(store):
    with store.transaction() as tables:
        links = tables.links
        links.pin(DOCEBO, "T1", "Example", now=NOW)

        assert links.pin(DOCEBO, "T1", "Example Inc.", now=LATER) == WorkspaceLink(DOCEBO, "T1", "Example Inc.", NOW)
