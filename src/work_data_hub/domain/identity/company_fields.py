"""Which keys of the registry's JSON fill which column of base_info, business_info and biz_label."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a field's text is read."""

    TEXT = "text"
    DAY = "day"
    AMOUNT = "amount"
    STAFF = "staff"
    COUNT = "count"
    SCORE = "score"


@dataclass(frozen=True, slots=True)
class Field:
    """One column: the keys it is read from, the first that says something counts; the most characters it holds."""

    column: str
    keys: tuple[str, ...]
    kind: Kind = Kind.TEXT
    length: int | None = None


LABEL_FIELDS: tuple[Field, ...] = (
    Field("type", ("type",), length=100),
    *(Field(f"lv{level}_name", (f"lv{level}Name",), length=255) for level in range(1, 5)),
)
"""The columns of biz_label: the type first, then the levels."""


def _camel(column: str) -> str:
    return re.sub(r"(?<=[a-z])_([a-z])", lambda found: found[1].upper(), column)


def _twins(column: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((column, _camel(column))))


def _search(*keys: str) -> tuple[str, ...]:
    return tuple(f"search.{key}" for key in keys)


def _detail(*keys: str) -> tuple[str, ...]:
    return tuple(f"detail.{key}" for key in keys)


def _found(column: str, kind: Kind = Kind.TEXT) -> Field:
    """A column that only search items have, under its own name."""
    return Field(column, _search(*_twins(column)), kind, 255 if kind is Kind.TEXT else None)


def _told(column: str, *keys: str, kind: Kind = Kind.TEXT, length: int | None = 255) -> Field:
    """A column that the detail gives, else the search item under its own name."""
    return Field(column, (*_detail(*(keys or _twins(column))), *_search(*_twins(column))), kind, length)


BASE_FIELDS: tuple[Field, ...] = (
    Field(
        "company_full_name",
        (
            *_search("companyFullName", "company_full_name", "name", "coname"),
            *_detail("companyFullName", "company_name", "companyName", "name"),
        ),
        length=255,
    ),
    Field(
        "unite_code",
        (
            *_search("unite_code", "uniteCode", "creditCode"),
            *_detail("unite_code", "uniteCode", "credit_code", "creditCode"),
        ),
        length=255,
    ),
    _told("le_rep", "legal_person_name", "legalPersonName", "le_rep", length=None),
    _told("reg_cap", "registerCaptial", "reg_cap", "registered_capital", kind=Kind.AMOUNT, length=None),
    _told("est_date", "registered_date", "registeredDate", "est_date", "estDate"),
    _told("registered_status", "registered_status", "registeredStatus"),
    _told("organization_code", "organization_code", "organizationCode"),
    _told("province"),
    _told("company_en_name"),
    _told("company_former_name", length=None),
    *(
        _found(column)
        for column in (
            "name",
            "name_display",
            "symbol",
            "country",
            "smdb_code",
            "coname",
            "company_nature",
            "type",
            "company_short_name",
            "cocode",
            "trade_register_code",
        )
    ),
    *(_found(column, Kind.SCORE) for column in ("rank_score", "_score", "default_score")),
    *(
        _found(column, Kind.COUNT)
        for column in ("is_hk", "is_list", "is_pa_relatedparty", "is_debt", "is_rank_list", "is_normal")
    ),
)
"""The columns of base_info; keys say from which answer they come."""


def _business(column: str, *keys: str, length: int | None = None, kind: Kind = Kind.TEXT) -> Field:
    return Field(column, tuple(dict.fromkeys((*keys, *_twins(column)))), kind, length)


BUSINESS_FIELDS: tuple[Field, ...] = (
    _business("registered_date", "registered_date", "registeredDate", "est_date", "estDate", kind=Kind.DAY),
    _business("registered_capital", "registerCaptial", kind=Kind.AMOUNT),
    _business("start_date", kind=Kind.DAY),
    _business("end_date", kind=Kind.DAY),
    _business("colleagues_num", "collegues_num", kind=Kind.STAFF),
    _business("actual_capital", "actualCapi", kind=Kind.AMOUNT),
    _business("registered_status", length=100),
    _business("legal_person_name", "legal_person_name", "legalPersonName", "le_rep", length=255),
    _business("address"),
    _business("codename", length=100),
    _business("company_name", length=255),
    _business("company_en_name"),
    _business("currency", length=50),
    _business("credit_code", "credit_code", "creditCode", "unite_code", "uniteCode", length=50),
    _business("register_code", length=50),
    _business("organization_code", length=50),
    _business("company_type", length=100),
    _business("industry_name", length=255),
    _business("registration_organ_name", length=255),
    _business("start_end", length=100),
    _business("business_scope"),
    _business("telephone", length=100),
    _business("email_address", length=255),
    _business("website", length=500),
    _business("company_former_name"),
    _business("control_id", length=100),
    _business("control_name", length=255),
    _business("bene_id", length=100),
    _business("bene_name", length=255),
    _business("province", length=100),
    _business("department", length=255),
    _business("legal_person_id", "legalPersonId", length=100),
    _business("logo_url", "logoUrl"),
    _business("type_code", "typeCode", length=50),
    _business("update_time", "updateTime", kind=Kind.DAY),
    _business("registered_capital_currency", "registeredCapitalCurrency", length=50),
    _business("full_register_type_desc", "fullRegisterTypeDesc", length=255),
    _business("industry_code", "industryCode", length=50),
)
"""The columns of business_info, read from the detail answer."""
