import pickle

import pytest

from slack_docebo import errors


@pytest.mark.parametrize(
    "error",
    [
        errors.ConfigurationError("set it"),
        errors.RateLimited("users.list", retry_after=3),
        errors.OutcomeUnknown("create users", "no answer", status=502),
        errors.AccessDenied("Slack", "the token lacks users:read"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_says_the_same_in_another_process(error):
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_a_remote_error_names_operation_status_and_detail():
    assert str(errors.OutcomeUnknown("create users", "no answer", status=502)) == "create users: HTTP 502: no answer"
    assert (
        str(errors.RateLimited("users.list", retry_after=3))
        == "users.list: HTTP 429: too many calls, asked to wait 3 s"
    )
