"""Which workbooks have arrived: what a month's folder held before against what it holds now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from work_data_hub.domain.period import Period


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A domain's month."""

    domain: str
    period: Period

    def __str__(self) -> str:
        return f"{self.domain}:{self.period.yyyymm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a look at a month remembers: how its files looked from outside, and what was told of them last.

    A stamp changes with names, sizes and times, `content` only with what the files hold. Both of what was told
    are blank before anything was.
    """

    stamp: str
    told_stamp: str = ""
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a month's workbook cannot be chosen, in letters that change with the reason, and whether that was told."""

    why: str
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What looks remember of all months, those included whose files cannot be seen just now.

    `turn` grows by one with each look that tells something: old content that comes back arrives at another turn,
    a look that is repeated tells the same at the same one.
    """

    turn: int
    sights: Mapping[Place, Sight]
    refusals: Mapping[Place, Refusal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A look at all months, in the order of `Place`: what is new and rests, what cannot be chosen, what to remember."""

    arrived: tuple[Place, ...]
    refused: tuple[Place, ...] = ()
    known: Known


def first_look(
    stamps: Mapping[Place, str],
    refusals: Mapping[Place, str],
    *,
    turn: int,
    content: Callable[[Place], str | None],
) -> Looked:
    """Take months as they are: known, not new. `turn` must be larger than any that was ever told.

    What `content` gives None for is known as it looks; later looks ask for it again.
    """
    sights = {at: Sight(stamp=stamp, told_stamp=stamp, content=content(at) or "") for at, stamp in stamps.items()}
    told = {at: Refusal(why=why, is_told=True) for at, why in refusals.items()}
    return Looked(arrived=(), known=Known(turn=turn, sights=sights, refusals=told))


def look(
    before: Known,
    stamps: Mapping[Place, str],
    refusals: Mapping[Place, str],
    *,
    content: Callable[[Place], str | None],
) -> Looked:
    """Compare two looks. New is what holds another content than was told, and looks as it did a look ago.

    So a file that is still being copied waits for the next look. `content` reads a month's files, or gives None
    where they cannot be read now; it is asked only where they look otherwise than when they were told, or were
    never read. What was told of a month whose files are gone stays: the same content that comes back is not new.
    A month is refused once for each reason that lasts for two looks, and again where it was well meanwhile.
    """
    seen = {at: _seen(before.sights.get(at), stamp, at=at, content=content) for at, stamp in sorted(stamps.items())}
    new = tuple(at for at, sight in seen.items() if _is_new(before.sights.get(at), sight))
    lasting = tuple(at for at, why in sorted(refusals.items()) if _lasts(before.refusals.get(at), why))
    known = Known(
        turn=before.turn + bool(new or lasting),
        sights={**before.sights, **seen},
        refusals={at: Refusal(why=why, is_told=_is_told(before.refusals.get(at), why)) for at, why in refusals.items()},
    )
    return Looked(arrived=new, refused=lasting, known=known)


def _lasts(known: Refusal | None, why: str) -> bool:
    """Whether the reason is that of the look before, and was not told yet."""
    return known == Refusal(why=why, is_told=False)


def _is_told(known: Refusal | None, why: str) -> bool:
    return known is not None and known.why == why


def _is_new(known: Sight | None, seen: Sight) -> bool:
    """Whether it holds other content; content that was only not read before is not new."""
    known = known or Sight(stamp="")
    return seen.content != known.content and seen.told_stamp != known.told_stamp


def _seen(known: Sight | None, stamp: str, *, at: Place, content: Callable[[Place], str | None]) -> Sight:
    known = known or Sight(stamp="")
    if stamp != known.stamp:
        return replace(known, stamp=stamp)
    return known if stamp == known.told_stamp and known.content else _told(known, content(at))


def _told(sight: Sight, content: str | None) -> Sight:
    return sight if content is None else replace(sight, told_stamp=sight.stamp, content=content)
