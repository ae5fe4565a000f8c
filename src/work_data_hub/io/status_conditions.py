"""How a condition of the status rules is written, type by type, each checked against what it can speak of."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from work_data_hub.domain.customers.conditions import (
    AbsentOrZero,
    AggregatedField,
    Condition,
    Disappeared,
    ExistsInYear,
    FieldCompares,
    FirstAppearance,
    Negation,
    StatusReference,
)
from work_data_hub.domain.customers.shapes import LINE_KEY, NORMAL, STOPPED
from work_data_hub.domain.customers.status_fields import (
    CONTRACT_FIELDS,
    MEASURE,
    PLAN_FACTS,
    ROW_FIELDS,
    SOURCES,
    Aggregation,
    Comparison,
    FieldKind,
    Granularity,
    Value,
)
from work_data_hub.domain.customers.status_rules import RULE_NAMES
from work_data_hub.io.yaml_entries import Entry

_AMOUNT = re.compile(r"-?[0-9]{1,14}(\.[0-9]{1,4})?")
_ORDERED = (FieldKind.WHOLE, FieldKind.AMOUNT)
_AVERAGED = (*_ORDERED, FieldKind.FLAG)
_BOOLEAN = (Aggregation.BOOL_OR, Aggregation.BOOL_AND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a condition is read in: the granularity of its rule, and the declared key columns of each source."""

    granularity: Granularity
    key_fields: Mapping[str, tuple[str, ...]]


def read_condition(entry: Entry, around: Around) -> Condition:
    """Return the condition of a block; raise ConfigError naming the place of what is unknown or does not fit."""
    return _READERS[one_of(entry, "type", _READERS)](entry, around)


def one_of(entry: Entry, key: str, known: Iterable[str]) -> str:
    """The text of a key that must be one of the known ones; another is refused with the one it looks like."""
    value = entry.text(key)
    if value not in known:
        raise entry.wrong(key, f"one of {', '.join(known)}", known=known)
    return value


def _exists_in_year(entry: Entry, around: Around) -> Condition:
    entry.refuse_unknown(("type", "source", "year_field", "match_fields"))
    source = _source(entry, around, fits=[name for name in SOURCES if name != PLAN_FACTS])
    _require_month(entry, "year_field", source=source, around=around)
    return ExistsInYear(source=source, keys=_match_fields(entry, around, source=source))


def _absent_or_zero(entry: Entry, around: Around) -> Condition:
    entry.refuse_unknown(("type", "source", "period_field", "measure", "match_fields"))
    keys = _monthly_keys(entry, around)
    entry.require("measure", MEASURE)
    return AbsentOrZero(keys=keys)


def _first_appearance(entry: Entry, around: Around) -> Condition:
    entry.refuse_unknown(("type", "source", "period_field", "positive", "match_fields"))
    keys = _monthly_keys(entry, around)
    if set(keys) != set(LINE_KEY):
        raise entry.wrong("match_fields", f"{' and '.join(LINE_KEY)}: first months are known for these together")
    if "positive" in entry.values:
        entry.require("positive", MEASURE)
    return FirstAppearance(keys=keys, is_positive="positive" in entry.values)


def _disappeared(entry: Entry, around: Around) -> Condition:
    entry.refuse_unknown(("type", "source", "period_field", "match_fields"))
    return Disappeared(keys=_monthly_keys(entry, around))


def _monthly_keys(entry: Entry, around: Around) -> tuple[str, ...]:
    """The keys by which a condition looks into the month's plan facts."""
    source = _source(entry, around, fits=[PLAN_FACTS])
    _require_month(entry, "period_field", source=source, around=around)
    return _match_fields(entry, around, source=source)


def _source(entry: Entry, around: Around, *, fits: Iterable[str]) -> str:
    """A declared source that the type of condition can look into."""
    source = one_of(entry, "source", around.key_fields)
    if source not in fits:
        raise entry.wrong("source", f"{entry.text('type')} looks into {' or '.join(fits)}")
    return source


def _require_month(entry: Entry, key: str, *, source: str, around: Around) -> None:
    column = SOURCES[source].month_column
    entry.require(key, column)
    if column not in around.key_fields[source]:
        raise entry.wrong(key, f"a column that sources.{source}.key_fields names")


def _match_fields(entry: Entry, around: Around, *, source: str) -> tuple[str, ...]:
    """The keys of a snapshot row that are compared, each with its own column of the source; company_id among them."""
    pairs = list(entry.blocks("match_fields"))
    keys = tuple(_matched(pair, around, source=source) for pair in pairs)
    if "company_id" not in keys or len(set(keys)) < len(keys):
        raise entry.wrong("match_fields", "company_id and other keys, each once", found=", ".join(keys))
    return keys


def _matched(pair: Entry, around: Around, *, source: str) -> str:
    pair.refuse_unknown(("source_field", "target_field"))
    key = one_of(pair, "source_field", around.granularity.keys)
    one_of(pair, "target_field", around.key_fields[source])
    pair.require("target_field", SOURCES[source].columns[key])
    return key


def _field_equals(entry: Entry, around: Around) -> Condition:
    return _field_compares(entry, around, comparison=Comparison.EQUALS)


def _field_gt(entry: Entry, around: Around) -> Condition:
    return _field_compares(entry, around, comparison=Comparison.GT)


def _field_lt(entry: Entry, around: Around) -> Condition:
    return _field_compares(entry, around, comparison=Comparison.LT)


def _field_compares(entry: Entry, around: Around, *, comparison: Comparison) -> Condition:
    entry.refuse_unknown(("type", "field", "value"))
    fields = ROW_FIELDS[around.granularity]
    name = one_of(entry, "field", fields)
    if comparison is not Comparison.EQUALS and fields[name] not in _ORDERED:
        raise entry.wrong("field", f"field_{comparison} takes a number; this field is {fields[name]}")
    return FieldCompares(field=name, comparison=comparison, value=_value(entry, "value", kind=fields[name]))


def _status_reference(entry: Entry, around: Around) -> Condition:
    entry.refuse_unknown(("type", "status"))
    same = [name for name, granularity in RULE_NAMES.items() if granularity is around.granularity]
    return StatusReference(status=one_of(entry, "status", same))


def _negation(entry: Entry, around: Around) -> Condition:
    entry.refuse_unknown(("type", "condition"))
    return Negation(condition=read_condition(entry.block("condition"), around))


def _aggregated_field(entry: Entry, around: Around) -> Condition:
    entry.refuse_unknown(("type", "field", "aggregation", *Comparison))
    name = one_of(entry, "field", CONTRACT_FIELDS)
    kind, aggregation = CONTRACT_FIELDS[name], entry.choice("aggregation", Aggregation.BOOL_OR)
    given = [comparison for comparison in Comparison if comparison in entry.values]
    if aggregation in _BOOLEAN:
        if kind is not FieldKind.FLAG or given:
            raise entry.wrong("field", f"{aggregation} takes a field that is true or false, and no value", found=name)
        return AggregatedField(field=name, aggregation=aggregation)
    taken = _AVERAGED if aggregation is Aggregation.AVG else _ORDERED
    if aggregation is not Aggregation.COUNT and kind not in taken:
        raise entry.wrong("field", f"{aggregation} takes a number; this field is {kind}")
    if len(given) != 1:
        raise entry.wrong("aggregation", f"{aggregation} is compared with one of {', '.join(Comparison)}")
    value = _value(entry, given[0], kind=_compared_as(kind, aggregation))
    return AggregatedField(field=name, aggregation=aggregation, comparison=given[0], value=value)


def _compared_as(kind: FieldKind, aggregation: Aggregation) -> FieldKind:
    """The kind of value that fields taken together are compared with."""
    if aggregation is Aggregation.COUNT:
        return FieldKind.WHOLE
    return FieldKind.MEAN if aggregation is Aggregation.AVG and kind is not FieldKind.AMOUNT else kind


def _value(entry: Entry, key: str, *, kind: FieldKind) -> Value:
    """The value of a key, of the kind of its field; amounts are never binary fractions."""
    value = entry.values.get(key)
    if kind in (FieldKind.AMOUNT, FieldKind.MEAN) and type(value) in (int, str) and _AMOUNT.fullmatch(str(value)):
        return Decimal(str(value))
    if (kind is FieldKind.FLAG and type(value) is bool) or (kind is FieldKind.WHOLE and type(value) is int):
        return value
    if kind is FieldKind.STATUS and value in (NORMAL, STOPPED):
        return str(value)
    raise entry.wrong(key, kind)


_READERS: Mapping[str, Callable[[Entry, Around], Condition]] = MappingProxyType(
    {
        "exists_in_year": _exists_in_year,
        "absent_or_zero": _absent_or_zero,
        "first_appearance": _first_appearance,
        "disappeared": _disappeared,
        "field_equals": _field_equals,
        "field_gt": _field_gt,
        "field_lt": _field_lt,
        "status_reference": _status_reference,
        "negation": _negation,
        "aggregated_field": _aggregated_field,
    }
)
