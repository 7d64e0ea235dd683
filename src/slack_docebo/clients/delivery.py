"""The process that sends one message to one place, and exits with 0 if the place accepted it.

Apprise supports a hundred services, most of them with `requests`, which has a time limit for each read only and holds
an answer in memory whatever its size. So time and memory are bounded from outside, for all services alike.
"""

import json
import resource
import sys

from apprise import Apprise, NotifyBase, NotifyFormat

MAIL = "E-Mail"  # the name of this service with Apprise
MOST_MEMORY = 256 << 20


def main() -> int:
    """Send the message on standard input: arguments would show the address, which holds a password, to other users."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    order = json.load(sys.stdin)
    place = Apprise.instantiate(order["address"])
    if not isinstance(place, NotifyBase):
        return 1
    place.redirects = False  # what is in the request is for the host that was named
    # Apprise escapes text for what reads HTML, and not for what reads Markdown; some chats do so unasked.
    if place.notify_format is NotifyFormat.HTML or place.service_name == MAIL or not order["markdown"]:
        body, form = order["body"], NotifyFormat.TEXT
    else:
        body, form = order["markdown"], NotifyFormat.MARKDOWN
    return 0 if place.notify(body=body, title=order["title"], body_format=form) else 1


if __name__ == "__main__":
    sys.exit(main())
