"""Hosts: names that lead to this machine, and names that a request may use.

A web page whose own name was made to lead to our address must not be able to read here.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?", re.ASCII)


def bare(name: str) -> str:
    """Return *name* in the form in which names are compared: lower case, without a final dot."""
    return name.lower().removesuffix(".")


def leads_here(host: str, names: Collection[str], *, without_a_dot: bool = False) -> bool:
    """Tell whether *host*, with or without a port, is one of the `bare` *names* or an IP address.

    A page has the name under which it was loaded as its `Host`, so one that was loaded from an address cannot be led
    elsewhere afterwards. A name without a dot, which nobody can register, counts if *without_a_dot*.
    """
    if not (found := _HOST.fullmatch(host)):
        return False
    name = bare(found["name"])
    return name in names or _is_address(name) or (without_a_dot and "." not in name)


def is_this_machine(host: str) -> bool:
    """Tell whether *host*, without a port, leads to this machine and nowhere else."""
    return host == "localhost" or (_is_address(host) and ip_address(host.strip("[]")).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
