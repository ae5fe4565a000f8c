"""What a load would say today of rows that were loaded before: the cascade, by stored knowledge only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from work_data_hub.domain.identity.cascade import identify
from work_data_hub.domain.identity.identified import COMPANY_ID, CONFIDENCE, SOURCE, Identified, IdentityColumns
from work_data_hub.domain.identity.knowledge import IdentityBook, KeyKind, Knowledge
from work_data_hub.domain.identity.matchers import MATCHERS, Clues, Matcher
from work_data_hub.domain.identity.repointing import MERGE, Answer, Group, Holding

CLUES = ("name", "plan", "plan_type")
_STORED = "existing"
_COLUMNS = IdentityColumns(target=COMPANY_ID, plan="plan", plan_type="plan_type", customer="name", existing=_STORED)
_NOT_ASKED = ("existing_id", "registry")


def _by_stored_id(keys: pd.DataFrame, _clues: Clues) -> pd.DataFrame:
    nobody = pd.Series(pd.NA, index=keys.index, dtype="Int64")
    # How it was found is not told here: it speaks for its plan, and not for its name in other plans.
    stored = {COMPANY_ID: keys[_STORED], "confidence": 1.0, "entry_id": nobody, "clue": KeyKind.PLAN_CODE.value}
    return pd.DataFrame(stored)


STORED = Matcher(name="stored", find=_by_stored_id, says="the company that the row surely has")
_ASKED = (STORED, *(matcher for matcher in MATCHERS if matcher.name not in _NOT_ASKED))


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAgain:
    """The cascade with what is known of all the groups, looked up once; `known` has the merges too."""

    book: IdentityBook
    known: Knowledge

    @classmethod
    def of(cls, groups: Sequence[Group], *, book: IdentityBook) -> "AskedAgain":
        """Look up what is known of the groups' names and plans."""
        looked_up: list[Knowledge] = []
        keeping = replace(book, look_up=_kept(book.look_up, looked_up))
        identify(_clues_of(groups), book=keeping, columns=_COLUMNS, matchers=())
        known = looked_up[-1]
        # Merges are followed step by step afterwards, so that each can be taken back.
        unmerged = replace(known, decisions=known.decisions[known.decisions["kind"].ne(MERGE)])
        return cls(book=replace(book, look_up=lambda _: unmerged), known=known)

    def answers(self, groups: Sequence[Group], *, sure: pd.DataFrame) -> tuple[Answer, ...]:
        """What a load of the groups, all of one domain and month, would say; merges and the registry left out.

        `sure` are the month's other rows whose company is beyond doubt (name, plan, plan_type, company_id):
        they tell of the same names and plans as they would within one load.
        """
        rows = pd.concat(
            [_clues_of(groups), sure.rename(columns={COMPANY_ID: _STORED})[[*CLUES, _STORED]]], ignore_index=True
        )
        return _answers(identify(rows.astype("string"), book=self.book, columns=_COLUMNS, matchers=_ASKED), len(groups))


def _kept(
    look_up: Callable[[pd.DataFrame], Knowledge], looked_up: list[Knowledge]
) -> Callable[[pd.DataFrame], Knowledge]:
    def keeping(keys: pd.DataFrame) -> Knowledge:
        looked_up.append(look_up(keys))
        return looked_up[-1]

    return keeping


def _clues_of(groups: Sequence[Group]) -> pd.DataFrame:
    columns = {name: pd.array([getattr(group, name) for group in groups], dtype="string") for name in CLUES}
    return pd.DataFrame(columns | {_STORED: pd.array([None] * len(groups), dtype="string")})


def _answers(found: Identified, count: int) -> tuple[Answer, ...]:
    keys = found.keys[["name", "plan"]].take(found.members[:count])
    said = found.answers[[COMPANY_ID, SOURCE, CONFIDENCE]].take(found.members[:count])
    columns = [_plain(frame[name]) for frame in (keys, said) for name in frame]
    return tuple(
        Answer(holding=Holding(company_id=company, source=source, confidence=confidence), name=name, plan=plan)
        for name, plan, company, source, confidence in zip(*columns, strict=True)
    )


def _plain(values: pd.Series) -> list[object]:
    return values.astype(object).where(values.notna(), None).tolist()
