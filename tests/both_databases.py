"""A mark for tests that lie far above the database, and that both databases have to pass in `make test` all the same."""

import pytest

ON_BOTH = pytest.mark.parametrize("usual_database_url", ["sqlite", "postgresql"], indirect=True)
