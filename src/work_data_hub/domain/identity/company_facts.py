"""What the registry's JSON says of a company, as the columns of base_info, business_info and biz_label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from work_data_hub.domain.identity.company_fields import BASE_FIELDS, BUSINESS_FIELDS, LABEL_FIELDS
from work_data_hub.domain.identity.company_values import (
    Cleansing,
    Payload,
    Reading,
    Value,
    as_text,
    currency_beside,
    first_said,
    read_field,
)

REGION_HEADING = "地区分类"
_DETAIL_BLOCK = "businessInfodto"
_ID_KEYS = ("company_id", "companyId")
_NAME_COLUMN = "company_full_name"
_CAPITAL, _CAPITAL_CURRENCY = "registered_capital", "registered_capital_currency"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFailure:
    """A value that its column cannot hold; the column is null then, and the raw JSON keeps the value."""

    company_id: str
    column: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessFacts:
    """One row of business_info: values and cleansing status by column."""

    values: Mapping[str, Value]
    status: Mapping[str, str]
    failures: tuple[FieldFailure, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """One row of biz_label: the kind of label, and its levels from wide to narrow, "" where there is none."""

    type: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFacts:
    """A company's labels, each once, sorted; and what was too long to be one."""

    labels: tuple[Label, ...]
    failures: tuple[FieldFailure, ...] = ()


def base_facts(company_id: str, *, search: Payload | None, detail: Payload | None) -> dict[str, Value]:
    """The columns of base_info that a search item and a detail answer give, null where they give none.

    Amounts are in 元 of their currency. Without a company name nothing is taken: such an answer tells no company.
    """
    payloads = {"search": search or {}, "detail": _own_detail(detail, company_id) or {}}
    flat = {f"{name}.{key}": value for name, payload in payloads.items() for key, value in payload.items()}
    facts = {field.column: read_field(field, flat).value for field in BASE_FIELDS}
    return facts if facts[_NAME_COLUMN] is not None else dict.fromkeys(facts)


def business_facts(company_id: str, *, detail: Payload | None) -> BusinessFacts | None:
    """The row of business_info that a detail answer gives; None where it tells nothing of this company."""
    block = _own_detail(detail, company_id)
    if not block:
        return None
    readings = {field.column: read_field(field, block) for field in BUSINESS_FIELDS}
    readings[_CAPITAL_CURRENCY] = _currency(readings)
    return BusinessFacts(
        values={column: reading.value for column, reading in readings.items()},
        status={column: str(reading.status) for column, reading in readings.items()},
        failures=tuple(_failures(company_id, readings)),
    )


def label_facts(company_id: str, *, answer: Payload | None) -> LabelFacts | None:
    """The rows of biz_label that a labels answer gives; None where it is no such answer.

    Regions lose their heading 地区分类, so that their first level is a region as other labels' is a class.
    Labels that name another company are left out.
    """
    groups = (answer or {}).get("labels")
    if not isinstance(groups, list):
        return None
    items = [item for group in groups if isinstance(group, Mapping) for item in _items(group, company_id)]
    readings = [{field.column: read_field(field, item) for field in LABEL_FIELDS} for item in items]
    labels = {_label(reading) for reading in readings}
    return LabelFacts(
        labels=tuple(sorted(label for label in labels if any(label.levels))),
        failures=tuple(failure for reading in readings for failure in _failures(company_id, reading)),
    )


def _own_detail(detail: Payload | None, company_id: str) -> Payload | None:
    """The block of facts in a detail answer; None where it names another company, or is no block."""
    block = (detail or {}).get(_DETAIL_BLOCK, detail)
    if not isinstance(block, Mapping):
        return None
    named = first_said(block, _ID_KEYS)
    return block if named is None or _is_same(named, company_id) else None


def _is_same(named: Any, company_id: str) -> bool:
    return isinstance(named, str | int | float) and as_text(named).upper() == company_id.upper()


def _failures(company_id: str, readings: Mapping[str, Reading]) -> Iterator[FieldFailure]:
    for column, reading in readings.items():
        if reading.status is Cleansing.PARSE_FAILED:
            yield FieldFailure(company_id=company_id, column=column, value=reading.written, rule=reading.rule)


def _currency(readings: Mapping[str, Reading]) -> Reading:
    """The capital's currency as its own field says, else as it stands beside the amount."""
    own, capital = readings[_CAPITAL_CURRENCY], readings[_CAPITAL]
    beside = None if capital.value is None else currency_beside(capital.written)
    if own.status is not Cleansing.NULL_INPUT or beside is None:
        return own
    return Reading(value=beside, status=Cleansing.CLEANSED, written=capital.written)


def _items(group: Payload, company_id: str) -> list[dict[str, Any]]:
    """The labels of one type; one without a company takes its siblings', then the company asked for."""
    listed = group.get("labels")
    items = [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    named = [first_said(item, ("companyId",)) for item in items]
    sibling = next((name for name in named if name is not None), company_id)
    return [
        {**item, "type": group.get("type")}
        for item, name in zip(items, named, strict=True)
        if _is_same(sibling if name is None else name, company_id)
    ]


def _label(readings: Mapping[str, Reading]) -> Label:
    kind, *levels = (str(reading.value or "") for reading in readings.values())
    return Label(kind, (*levels[1:], "") if levels[0] == REGION_HEADING else tuple(levels))
