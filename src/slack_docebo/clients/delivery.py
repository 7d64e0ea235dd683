"""The process that tells one place of an incident, and exits with 0 if the place took it.

Apprise speaks to a hundred services, to most of them by `requests`: that has a time limit for each read only, and
holds an answer in memory whatever its size. So time and memory are bounded from outside, which holds for all of them.
"""

import json
import resource
import sys

from apprise import Apprise, NotifyBase, NotifyFormat

MOST_MEMORY = 256 << 20


def main() -> int:
    """Read the order from standard input, which nobody else sees: an address can hold a password."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    order = json.load(sys.stdin)
    place = Apprise.instantiate(order["address"])
    if not isinstance(place, NotifyBase):
        return 1
    place.redirects = False  # what is in the request is for the host that was named
    return 0 if place.notify(body=order["body"], title=order["title"], body_format=NotifyFormat.TEXT) else 1


if __name__ == "__main__":
    sys.exit(main())
