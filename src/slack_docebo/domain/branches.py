"""Branches: the nodes of Docebo's organisation chart, and the names by which rules and rows refer to them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from slack_docebo.domain.names import clean

TITLE_COLUMN, PATH_COLUMN = "branch_name", "branch_name_path"
PATH = "/"  # between the titles of a path, as in Docebo's CSV import


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of the organisation chart; *left* and *right* are its place in a nested set, 0 where Docebo shows none."""

    id: int
    code: str
    title: str
    left: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of one platform. Codes and titles are compared with regard to case, as Docebo does.

    Blanks make no difference: a rule never gives two of them, or one at the end, and titles are typed by people.
    """

    ids: Mapping[str, str]  # by what leads to one branch alone: id, code, title, or path of titles
    columns: Mapping[str, Mapping[str, str]]  # by id: how a row of a batch names the branch
    all_ids: Collection[str] = frozenset()  # also of those that nothing tells from others
    borne: Collection[str] = frozenset()  # all codes, titles and paths, also those that several bear
    tells_paths: bool = True  # Docebo shows which branch is below which

    @classmethod
    def of(cls, branches: Iterable[Branch]) -> Self:
        """Return the *branches* of a platform, without those that no code, title or path identifies."""
        all_of_them = list(branches)
        named = {str(branch.id): _names(branch, path) for branch, path in _with_paths(all_of_them)}
        borne = Counter(name for names in named.values() for name in names)
        alone = {branch_id: [name for name in names if borne[name] == 1] for branch_id, names in named.items()}
        columns = {branch_id: dict(names[:1]) for branch_id, names in alone.items() if names}
        ids = _found_by(named)
        own = {branch_id: branch_id for branch_id in columns if branch_id not in ids}
        return cls(
            ids={**own, **{value: one for value, one in ids.items() if one in columns}},
            columns=columns,
            all_ids=frozenset(named),
            borne=frozenset(ids),
            tells_paths=len(named) < 2 or any(branch.right for branch in all_of_them),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which rules refer to the branches, one each, sorted."""
        return tuple(sorted(value for column in self.columns.values() for value in column.values()))

    def label(self, shown: str) -> str:
        """Return the id that is *shown*."""
        return shown

    def id(self, value: str) -> str:
        """Return the id of the branch with this id, code, title or path; "" where there is none, or are several."""
        return self.ids.get(_key(value), "")

    def named(self, value: str) -> str | None:
        """Return the id of the branch with this id, code, title or path; None if there is none, or several."""
        return self.id(value) or None


@dataclass(frozen=True, slots=True)
class NewBranch:
    """A branch that somebody would have to make, and the number of people who need it."""

    code: str
    title: str
    parent: str  # path of titles; "" below the root
    people: int = 0


def to_be_made(wanted: Mapping[str, int], branches: Branches) -> list[NewBranch]:
    """Return the branches to make so that each value of *wanted*, with its number of people, leads to one branch.

    Parents come first. A path also makes its missing parents. Of any other value nobody knows whether it is a code or a
    title, so it becomes both. A name that several branches have already is left out: one more would not make it
    clearer.
    """
    made: dict[str, NewBranch] = {}
    for value, people in sorted((_key(value), people) for value, people in wanted.items()):
        titles = value.split(PATH)
        if value in branches.borne or not all(titles):
            continue
        if len(titles) == 1:
            made[value] = NewBranch(value, value, "", people)
            continue
        for depth in range(1, len(titles) + 1):
            path, parent = PATH.join(titles[:depth]), PATH.join(titles[: depth - 1])
            if path not in branches.borne:
                made.setdefault(path, NewBranch("", titles[depth - 1], parent))
        made[path] = NewBranch("", titles[-1], parent, people)
    return list(made.values())


def _names(branch: Branch, path: str) -> list[tuple[str, str]]:
    """Return the columns of a row that can name *branch*, with their values, the plainest first."""
    columns = {"branch_code": branch.code, TITLE_COLUMN: branch.title, PATH_COLUMN: path}
    return [(name, value) for name, value in columns.items() if value]


def _found_by(named: Mapping[str, Iterable[tuple[str, str]]]) -> dict[str, str]:
    """Return, by each code, title and path, the id of the branch that it identifies, "" where it is ambiguous.

    It is ambiguous where it is, say, the code of one branch and the title or id of another. The title of a branch at the
    top is its path as well, and identifies it although others further down have the same title.
    """
    called, titled, led_to = (defaultdict[str, set[str]](set) for _ in range(3))
    for branch_id, names in named.items():
        for column, value in names:
            key = _key(value)
            {TITLE_COLUMN: titled, PATH_COLUMN: led_to}.get(column, called)[key].add(branch_id)
            if key in named:
                called[key].add(key)

    def meant(value: str) -> set[str]:
        at_the_top = led_to[value] if PATH not in value else set[str]()
        return called[value] | (at_the_top or titled[value] | led_to[value])

    found = {value: meant(value) for value in {*called, *titled, *led_to}}
    return {value: next(iter(ids)) if len(ids) == 1 else "" for value, ids in found.items()}


def _key(name: str) -> str:
    """Return *name* as it is compared."""
    return PATH.join(map(clean, name.split(PATH)))


def _with_paths(branches: Iterable[Branch]) -> Iterator[tuple[Branch, str]]:
    """Yield each branch with its path of titles below the root, "" where tree or titles do not tell it.

    Docebo may leave the root out, in which all others are.
    """
    ordered = sorted(branches, key=lambda one: one.left)
    end = max((one.right for one in ordered), default=0)
    above: list[Branch] = []
    for branch in ordered:
        while above and above[-1].right < branch.right:
            above.pop()
        above.append(branch)
        titles = [one.title for one in above if not (one.right == end and (one.left <= 1 or one.id == 0))]
        tells = branch.left > 0 and not any(PATH in title for title in titles)
        yield branch, PATH.join(titles) if tells else ""
