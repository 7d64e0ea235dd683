"""A mark for tests that lie far above the database, and that PostgreSQL has to pass in `make test` all the same: it comes first."""

import pytest

ON_BOTH = pytest.mark.parametrize("usual_database_url", ["postgresql", "sqlite"], indirect=True)
