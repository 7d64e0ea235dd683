import logging

from tasks.logs import as_one_line
from tests.hostile_texts import TEXTS, seen


def test_a_run_s_log_has_one_line_for_each_message():
    for text in TEXTS:
        record = logging.LogRecord("prefect.flow_runs", logging.INFO, "", 0, "%s", (text,), None)

        assert as_one_line(record)
        assert seen(logging.Formatter("%(message)s").format(record))


def test_a_traceback_in_a_run_s_log_gives_the_terminal_no_orders():
    error = ValueError("\x1b[31m\u202e")
    record = logging.LogRecord("prefect.flow_runs", logging.ERROR, "", 0, "ended", (), (type(error), error, None))

    as_one_line(record)

    assert logging.Formatter("%(message)s").format(record) == "ended\nValueError: \\x1b[31m\\u202e"
