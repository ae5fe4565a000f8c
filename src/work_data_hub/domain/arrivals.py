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

    `refusals` is None where nothing is known of them: what is refused then counts as told.
    `turn` grows by one with each look that tells something: old content that comes back arrives at another turn,
    a look that is repeated tells the same at the same one.
    """

    turn: int
    sights: Mapping[Place, Sight]
    refusals: Mapping[Place, Refusal] | None = field(default_factory=dict)


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
    refusals: Callable[[], Mapping[Place, str]],
    *,
    content: Callable[[Place], str | None],
) -> Looked:
    """Compare two looks. New is what holds another content than was told, and looks as it did a look ago.

    So a file that is still being copied waits for the next look. `content` reads a month's files, or gives None
    where they cannot be read now; it is asked only where they look otherwise than when they were told, or were
    never read, in the order of `stamps`, those that changed first. What was told of a month whose files are gone
    stays: the same content that comes back is not new.
    `refusals`, asked after that, gives the months that cannot be chosen or read, and why. A month is refused once for
    each reason that lasts for two looks, and again where it was well meanwhile.
    """
    changed_first = sorted(stamps.items(), key=lambda one: _is_as_told(before, *one))
    seen = {at: _seen(before.sights.get(at), stamp, at=at, content=content) for at, stamp in changed_first}
    new = tuple(at for at in sorted(seen) if _is_new(before.sights.get(at), seen[at]))
    reasons = refusals()
    lasting = tuple(at for at, why in sorted(reasons.items()) if _lasts(before, at, why))
    known = Known(
        turn=before.turn + bool(new or lasting),
        sights={**before.sights, **seen},
        refusals={
            **_not_well_yet(before, seen),
            **{at: Refusal(why=why, is_told=_is_known(before, at, why)) for at, why in reasons.items()},
        },
    )
    return Looked(arrived=new, refused=lasting, known=known)


def _is_as_told(before: Known, at: Place, stamp: str) -> bool:
    return at in before.sights and before.sights[at].told_stamp == stamp


def _lasts(before: Known, at: Place, why: str) -> bool:
    """Whether the reason is that of the look before, and was not told yet."""
    return before.refusals is not None and before.refusals.get(at) == Refusal(why=why, is_told=False)


def _is_known(before: Known, at: Place, why: str) -> bool:
    return before.refusals is None or (at in before.refusals and before.refusals[at].why == why)


def _not_well_yet(before: Known, seen: Mapping[Place, Sight]) -> dict[Place, Refusal]:
    """Refusals of months that can be chosen by now, and were not read yet."""
    waiting = {at for at, sight in seen.items() if sight.stamp != sight.told_stamp}
    return {at: refusal for at, refusal in (before.refusals or {}).items() if at in waiting}


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
