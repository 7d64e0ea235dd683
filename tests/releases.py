"""What the migrations of a release that is still to come may do to a database."""

from sqlalchemy import create_engine, make_url, text

NEXT = "9999"
EXPANSION = (
    "CREATE TABLE made_up (id INTEGER PRIMARY KEY, about TEXT NOT NULL)",
    "ALTER TABLE inbox_event ADD COLUMN made_up TEXT",
    "CREATE INDEX ix_inbox_event_made_up ON inbox_event (made_up)",
    f"UPDATE alembic_version SET version_num = '{NEXT}'",
)


def expand(url: str, *statements: str) -> None:
    """Migrate the database at *url* to a made-up revision, on which today's code can still work."""
    run(url, *EXPANSION, *statements)


def contract(url: str) -> None:
    """Migrate the database at *url* to a made-up revision that says that it needs code of its own."""
    expand(url, f"UPDATE schema_contract SET oldest = '{NEXT}'")


def run(url: str, *statements: str) -> None:
    """Carry out *statements* on the database at *url* in one transaction, as another release would: past our store."""
    engine = create_engine(make_url(url.replace("postgresql:", "postgresql+psycopg:")))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
