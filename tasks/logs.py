"""Log records as lines: nobody's text begins a line of its own, or gives orders to a terminal."""

import logging

from slack_docebo.domain.texts import line, lines

PLAIN = logging.Formatter()


def as_one_line(record: logging.LogRecord) -> bool:
    """Make the message of *record* one line, as a filter that lets everything pass; once, for it escapes."""
    record.msg, record.args = line(record.getMessage()), ()
    if record.exc_info:
        record.exc_text = lines(PLAIN.formatException(record.exc_info))  # what every formatter takes if it is there
    return True
