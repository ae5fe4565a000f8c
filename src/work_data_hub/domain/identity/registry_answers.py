"""What the company registry answers to a name, and how sure that is."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from work_data_hub.domain.identity.company_values import as_text, first_said
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.domain.identity.written_ids import looks_like_id
from work_data_hub.errors import RegistryUnavailable

Payload: TypeAlias = Mapping[str, Any]

ID_KEYS = ("companyId", "company_id", "id")
NAME_KEYS = ("companyFullName", "name", "coname")
CREDIT_CODE_KEYS = ("unite_code", "uniteCode", "creditCode")
FORMER_NAME_KEYS = ("company_former_name",)
MATCH_TYPE_KEYS = ("type",)
SCORE_KEYS = ("_score", "rank_score")
FORMER_NAME_SEPARATORS = re.compile("[,，、;；]")

FULL_NAME_MATCH = "全称精确匹配"

_LONGEST_ID = 50  # as facts hold one
_BLANKS = " \t\r\n\u00a0\u3000"
_HAS_DIGIT_BESIDE_ZERO = re.compile("[1-9]")


class SearchOutcome(StrEnum):
    """What becomes of a name after the registry was asked; the words of `registry_searches.outcome`."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    UNCERTAIN = "uncertain"
    NOT_FOUND = "not_found"

    @property
    def is_taken(self) -> bool:
        """Whether rows get the company: at once, or marked for review."""
        return self in (SearchOutcome.ACCEPTED, SearchOutcome.REVIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One company the registry proposes for a name, with what its match is worth and the answer's own item."""

    company_id: str
    name: str
    unite_code: str | None
    match_type: str | None
    score: float | None
    confidence: float
    raw: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """The candidates for a normalised name, in the registry's order.

    `best` is the surest of them, the first among equals; `confidence` is how sure the name is his, in
    hundredths, 0 without one. `ignored` candidates had no usable id or no name.
    """

    name: str
    searched_name: str
    candidates: tuple[Candidate, ...]
    best: Candidate | None
    confidence: float
    outcome: SearchOutcome
    ignored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyAnswer:
    """A company as the registry's answers tell it, raw; None for what was not asked or not answered."""

    company_id: str
    search: Payload | None
    detail: Payload | None
    labels: Payload | None
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NameAnswer:
    """What one name came to; `company` is that of the best candidate, None where none is taken."""

    search: SearchAnswer
    company: CompanyAnswer | None


def parse_search(payload: Payload, *, name: str, searched_name: str, rules: IdentityRules) -> SearchAnswer:
    """Return the candidates of a search answer, and which of them counts; `name` is the normalised name.

    Raises RegistryUnavailable where the answer has no list of companies.
    """
    items = _items(payload)
    found = [candidate for item in items if (candidate := _candidate(item, name, rules)) is not None]
    candidates = _with_the_namesake(found, name)
    best = max(candidates, key=lambda candidate: candidate.confidence, default=None)
    confidence = _confidence(candidates, rules)
    return SearchAnswer(
        name=name,
        searched_name=searched_name,
        candidates=candidates,
        best=best,
        confidence=confidence,
        outcome=SearchOutcome(rules.band(confidence).value) if best else SearchOutcome.NOT_FOUND,
        ignored=len(items) - len(candidates),
    )


def nothing_found(name: str, *, searched_name: str) -> SearchAnswer:
    """The answer of a registry that knows no company of this normalised name."""
    return SearchAnswer(
        name=name,
        searched_name=searched_name,
        candidates=(),
        best=None,
        confidence=0.0,
        outcome=SearchOutcome.NOT_FOUND,
    )


def former_names(item: Payload) -> tuple[str, ...]:
    """The former names of a search item, normalised, each once, in the item's order."""
    written = _text(item, FORMER_NAME_KEYS) or ""
    names = (normalise_name(part) for part in FORMER_NAME_SEPARATORS.split(written))
    return tuple(dict.fromkeys(name for name in names if name))


def _items(payload: Payload) -> Sequence[Payload]:
    items = payload.get("list", payload)  # a null list is an empty one, a missing list is no answer
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise RegistryUnavailable(
            "the registry's answer has no list of companies",
            operation="search",
            hint="is WDH_EQC_BASE_URL the registry's address? `wdh registry check` asks it",
        )
    return items


def _candidate(item: Payload, name: str, rules: IdentityRules) -> Candidate | None:
    company_id, full_name = _company_id(item), _text(item, NAME_KEYS)
    if company_id is None or not full_name:
        return None
    match_type = _text(item, MATCH_TYPE_KEYS)
    worth = rules.confidence_of(match_type)
    if normalise_name(full_name) != name:
        worth = _worth_under_another_name(worth, match_type, is_former=name in former_names(item), rules=rules)
    return Candidate(
        company_id=company_id,
        name=full_name,
        unite_code=_text(item, CREDIT_CODE_KEYS),
        match_type=match_type,
        score=_number(item),
        confidence=_hundredths(worth),
        raw=item,
    )


def _company_id(item: Payload) -> str | None:
    """The id in capitals; None where it is none as it stands: what is cut out of it may leave another's id."""
    found = first_said(item, ID_KEYS)
    written = found.strip(_BLANKS) if isinstance(found, str) else _text(item, ID_KEYS) or ""
    # Capitals of other letters may be ASCII.
    if not written.isascii() or len(written) > _LONGEST_ID:
        return None
    company_id = written.upper()
    return company_id if looks_like_id(company_id) and _HAS_DIGIT_BESIDE_ZERO.search(company_id) else None


def _worth_under_another_name(worth: float, match_type: str | None, *, is_former: bool, rules: IdentityRules) -> float:
    """Less for a former name; a match of the full name that the answer itself belies is for a person to see."""
    if is_former:
        return worth * rules.former_name_factor
    return min(worth, _just_below_acceptance(rules)) if match_type == FULL_NAME_MATCH else worth


def _with_the_namesake(candidates: list[Candidate], name: str) -> tuple[Candidate, ...]:
    """The candidates, the only company of exactly this name being certain whatever its kind of match is worth."""
    namesakes = [candidate for candidate in candidates if normalise_name(candidate.name) == name]
    if len({namesake.company_id for namesake in namesakes}) != 1:
        return tuple(candidates)
    return tuple(replace(one, confidence=1.0) if one in namesakes else one for one in candidates)


def _confidence(candidates: Sequence[Candidate], rules: IdentityRules) -> float:
    """How sure the best is; between companies that are equally sure a person decides."""
    surest = max((candidate.confidence for candidate in candidates), default=0.0)
    equals = {candidate.company_id for candidate in candidates if candidate.confidence == surest}
    return min(surest, _just_below_acceptance(rules)) if len(equals) > 1 else surest


def _just_below_acceptance(rules: IdentityRules) -> float:
    return max(0, math.ceil(round(rules.accept_from * 100, 6)) - 1) / 100


def _text(item: Payload, keys: Sequence[str]) -> str | None:
    found = first_said(item, keys)
    return as_text(found) or None if isinstance(found, str | int | float) and not isinstance(found, bool) else None


def _number(item: Payload) -> float | None:
    found = first_said(item, SCORE_KEYS)
    try:
        number = float(found)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _hundredths(confidence: float) -> float:
    """As it is stored, never rounded up into a better band."""
    return math.floor(confidence * 100 + 1e-6) / 100
