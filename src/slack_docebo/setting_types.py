"""The types of settings: each reads a variable's text into one normal form, and says of a wrong one what is right."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, AnyHttpUrl, SecretStr, ValidationError

from slack_docebo.hosts import is_this_machine

PAGES = frozenset({"learn", "admin", "pages", "lms", "manage", "oauth2"})  # of Docebo, as a browser shows them


def _address(url: str) -> str:
    """Return *url* in its normal form. Rows of the database are found by it, so a slash must make no difference."""
    try:
        parsed = AnyHttpUrl(url)
        str(parsed.host).encode("idna")  # a label that is too long would end a call much later, in a traceback
    except (ValidationError, UnicodeError):
        raise ValueError("should be an address like https://acme.docebosaas.com") from None
    if parsed.username or parsed.password:
        raise ValueError("should hold no user and no password: they have settings of their own")
    return str(parsed).rstrip("/")


def _encrypted(address: str) -> str:
    parsed = AnyHttpUrl(address)
    if parsed.scheme == "http" and not is_this_machine(str(parsed.host)):
        raise ValueError("should begin with https:// (http is for this machine only)")
    return address


def _without_page(address: str) -> str:
    parsed = AnyHttpUrl(address)
    if parsed.query or parsed.fragment or (parsed.path or "").split("/")[1:2][0] in PAGES:
        raise ValueError("should end with the name, like https://acme.docebosaas.com: what is behind it is a page")
    return address


def _of_an_api(address: str) -> str:
    if "/api/" not in f"{address}/":  # Prefect Cloud's goes on with an account and a workspace
        raise ValueError("should end with /api, like http://127.0.0.1:4200/api: what is before it are Prefect's pages")
    return address


def _token(secret: SecretStr) -> SecretStr:
    token = secret.get_secret_value().strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("should be one word; copy it again")
    return SecretStr(token)


def trimmed(value: object) -> object:
    """Return *value* without the blanks, line ends and quotes that copying leaves around it."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1].strip() if is_quoted else text


def _id(text: str) -> str:
    if text and not re.fullmatch(r"[A-Z][A-Z0-9]*", text):
        raise ValueError("should be an id of capitals and digits, like T012AB3CD; copy it again")
    return text


def words(text: str) -> list[str]:
    """Return the words of a list with commas or spaces between them."""
    return text.replace(",", " ").split()


def _names(text: str) -> str:
    for name in words(text):
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            raise ValueError("should be names like hooks.acme.com, with commas between them")
    return text


def _host(text: str) -> str:
    try:
        return str(ip_address(text)) if text else text
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", text):
            raise ValueError("should be a name like mail.acme.com or an IP address, without port or smtp://") from None
    return text


def _networks(text: str) -> str:
    for network in words(text):
        try:
            ip_network(network)
        except ValueError:
            raise ValueError(
                "should be addresses like 10.0.0.7 or networks like 10.0.0.0/8, with commas between"
            ) from None
    return text


Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[Address, AfterValidator(_encrypted)]
PlatformUrl = Annotated[Url, AfterValidator(_without_page)]
PrefectUrl = Annotated[Address, AfterValidator(_of_an_api)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Id = Annotated[str, AfterValidator(_id)]
Host = Annotated[str, AfterValidator(_host)]
Names = Annotated[str, AfterValidator(_names)]
Networks = Annotated[str, AfterValidator(_networks)]
Network = IPv4Network | IPv6Network
