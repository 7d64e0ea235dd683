"""The people in the workspace: user *i* is a pure function of seed and *i*."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from sandbox.slack.kinds import RESHAPE, User, rename
from sandbox.slack.names import CHINESE, ENGLISH, INDIAN, SHARES, Culture

# Kinds of users and how many of a thousand are of each; the rest are ordinary members.
SHARE_OF_THOUSAND = {
    "deactivated": 70,
    "guest_multi_channel": 14,
    "guest_single_channel": 8,
    "invited": 8,
    "app_bot": 8,
    "workflow_bot": 4,
    "admin": 6,
    "upper_case_email": 8,
    "plus_address": 5,
    "one_word_name": 5,
    "unsplit_name": 4,
    "emoji_name": 3,
    "namesake": 5,
    "enterprise_user": 5,
    "no_email": 3,
    "stranger": 4,
    "bracketed_name": 1,
}
# These come about through a person's culture; the small workspace needs one of each as well.
BY_CULTURE = {"devanagari_name": INDIAN, "han_name": CHINESE}
# Every kind occurs among the first so many users.
CATALOGUE_SIZE = 50
BOTS = frozenset({"slackbot", "app_bot", "workflow_bot"})
_KIND_OF = [kind for kind, share in SHARE_OF_THOUSAND.items() for _ in range(share)]
_KIND_OF += ["member"] * (1000 - len(_KIND_OF))
_CULTURE_OF = [culture for culture, share in SHARES for _ in range(share)]
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]
_IDS = 36**6
_ID_STEP = 1_640_531_527  # odd and no multiple of 3, so that multiplying by it modulo _IDS loses nothing
_ID_STEP_BACK = pow(_ID_STEP, -1, _IDS)
_NAME_STEP = 7919  # a prime that divides no culture's number of name pairs
_MASK = (1 << 64) - 1
_FIRST_CHANGE = 1_577_836_800


@dataclass(frozen=True)
class Team:
    """The workspace itself."""

    id: str = "T0SANDBOX"
    name: str = "Sandbox"
    domain: str = "sandbox"
    email_domain: str = "example.com"
    enterprise_id: str = "E0SANDBOX"
    enterprise_name: str = "Sandbox Group"


class Population:
    """The first *size* users of the workspace that *seed* stands for."""

    def __init__(self, size: int, seed: int, team: Team) -> None:
        if size < 1:
            raise ValueError("a workspace has one user at least: Slackbot")
        self.size = size
        self.team = team
        self._salt = random.Random(seed).getrandbits(60) | 1
        self._id_offset = self._salt % _IDS
        kinds = ["primary_owner", "member", *SHARE_OF_THOUSAND, *BY_CULTURE]
        slots = random.Random(seed).sample(range(1, CATALOGUE_SIZE), len(kinds))
        self._catalogue = dict(zip(slots, kinds, strict=True))
        self._catalogue[0] = "slackbot"
        self._original = slots[1]

    def kind(self, index: int) -> str:
        """Return what kind of user *index* is: a key of SHARE_OF_THOUSAND, `member`, or one of the catalogue."""
        if index < CATALOGUE_SIZE:
            return self._catalogue.get(index, "member")
        return _KIND_OF[self._noise(index) % 1000]

    def kinds(self) -> Counter[str]:
        return Counter(map(self.kind, range(self.size)))

    def id_of(self, index: int) -> str:
        """Return the user id; it can be turned back, so that nothing has to be remembered per user."""
        if index == 0:
            return "USLACKBOT"
        number = (index * _ID_STEP + self._id_offset) % _IDS
        high, low = divmod(number, 1296)
        top, middle = divmod(high, 1296)
        # Enterprise users may bear a W; the letter has no meaning.
        letter = "W0" if self.kind(index) == "enterprise_user" else "U0"
        return letter + _PAIRS[top] + _PAIRS[middle] + _PAIRS[low]

    def index_of(self, user_id: str) -> int | None:
        """Return the index of the user with *user_id*, or None if nobody has it."""
        if user_id == "USLACKBOT":
            return 0
        try:
            number = int(user_id[2:], 36)
        except ValueError:
            return None
        index = (number - self._id_offset) * _ID_STEP_BACK % _IDS
        return index if self.id_of(index) == user_id else None

    def user(self, index: int, kind: str | None = None) -> User:
        """Return the user as `users.info` shows it to an app with every scope; the caller owns the result."""
        kind = kind or self.kind(index)
        if kind == "slackbot":
            return self._slackbot()
        noise = self._noise(index)
        culture = BY_CULTURE.get(kind) or _CULTURE_OF[(noise >> 12) % 100]
        user = self._member(index, noise, culture)
        if kind == "namesake":
            self._rename_after_twin(user, index)
        elif kind == "enterprise_user":
            self._attach_to_enterprise(user)
        elif kind in RESHAPE:
            RESHAPE[kind](user)
        return user

    def _noise(self, index: int) -> int:
        # The mixing steps of splitmix64: cheap, and neighbours come out unrelated.
        value = (index * 0x9E3779B97F4A7C15 + self._salt) & _MASK
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        return value ^ (value >> 27)

    def _member(self, index: int, noise: int, culture: Culture) -> User:
        (given, given_latin), (family, family_latin), generation = _name(index, culture)
        handle = f"{given_latin}.{family_latin}{generation + 1}" if generation else f"{given_latin}.{family_latin}"
        zone = culture.zones[(noise >> 20) % len(culture.zones)]
        user_id = self.id_of(index)
        real_name = f"{family}{given}" if culture is CHINESE else f"{given} {family}"
        picture = f"https://avatars.example/{user_id}"
        team_id = self.team.id
        return {
            "id": user_id,
            "team_id": team_id,
            "name": handle,
            "deleted": False,
            "color": "9f69e7",
            "real_name": real_name,
            "tz": zone.name,
            "tz_label": zone.label,
            "tz_offset": zone.offset,
            "profile": {
                "title": "",
                "phone": "",
                "skype": "",
                "real_name": real_name,
                "real_name_normalized": real_name,
                "display_name": given if noise & 1 << 40 else "",
                "display_name_normalized": given if noise & 1 << 40 else "",
                "fields": None,
                "status_text": "",
                "status_emoji": "",
                "status_emoji_display_info": [],
                "status_expiration": 0,
                "avatar_hash": "g" + user_id,
                "email": f"{handle}@{self.team.email_domain}",
                "first_name": given,
                "last_name": family,
                "image_24": picture + "_24.png",
                "image_32": picture + "_32.png",
                "image_48": picture + "_48.png",
                "image_72": picture + "_72.png",
                "image_192": picture + "_192.png",
                "image_512": picture + "_512.png",
                "status_text_canonical": "",
                "team": team_id,
            },
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": False,
            "is_ultra_restricted": False,
            "is_bot": False,
            "is_app_user": False,
            "updated": _FIRST_CHANGE + noise % 150_000_000,
            "is_email_confirmed": True,
            "who_can_share_contact_card": "EVERYONE",
            "locale": culture.locale,
        }

    def _slackbot(self) -> User:
        user = self._member(0, 0, ENGLISH)
        user.update(name="slackbot", real_name="Slackbot", tz=None, tz_label=None, tz_offset=0, updated=0)
        user["is_email_confirmed"] = False
        user["profile"].update(
            real_name="Slackbot",
            real_name_normalized="Slackbot",
            display_name="Slackbot",
            display_name_normalized="Slackbot",
            first_name="slackbot",
            last_name="",
            always_active=True,
        )
        del user["profile"]["email"]
        return user

    def _rename_after_twin(self, user: User, index: int) -> None:
        twin = self.user(self._original if index < CATALOGUE_SIZE else index - 1, kind="member")
        profile = twin["profile"]
        rename(user, twin["real_name"], profile["first_name"], profile["last_name"])
        user["name"] = f"{twin['name']}.{index}"
        user["profile"]["email"] = f"{user['name']}@{self.team.email_domain}"

    def _attach_to_enterprise(self, user: User) -> None:
        # Seen without a team_id: abdolence/slack-morphism-rust#215.
        del user["team_id"]
        user["enterprise_user"] = {
            "id": user["id"],
            "enterprise_id": self.team.enterprise_id,
            "enterprise_name": self.team.enterprise_name,
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "teams": [self.team.id],
        }


def _name(index: int, culture: Culture) -> tuple[tuple[str, str], tuple[str, str], int]:
    """Return given name, family name, and how many users before *index* have the same pair."""
    pairs = len(culture.given) * len(culture.family)
    generation, place = divmod(index, pairs)
    family, given = divmod(place * _NAME_STEP % pairs, len(culture.given))
    return culture.given[given], culture.family[family], generation
