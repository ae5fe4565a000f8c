"""Batches into an Elasticsearch index: one document a key, each with a version, so that none goes back in time.

The promise is at least once: a batch is in the index before its checkpoint is committed, and one that is written
again overwrites itself. Versions keep out whoever lost the pipeline, and requests that arrive late.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from work_data_hub.domain.batch.documents import Document, dead_letter, document_of
from work_data_hub.domain.batch.failures import Failure, failure_of_status
from work_data_hub.domain.batch.run import Counts, DeadLetter, Page, Written
from work_data_hub.domain.batch.targets import TARGETS, IndexTarget
from work_data_hub.errors import InvalidPipeline, SinkUnavailable
from work_data_hub.io.elasticsearch_access import TOO_LARGE, IndexAccess
from work_data_hub.io.faults import NO_FAULTS, Faults
from work_data_hub.log import get_logger

if TYPE_CHECKING:
    from work_data_hub.io.index_client import IndexClient

log = get_logger(__name__)

MOST_BODY_BYTES = 5 * 1024 * 1024
MOST_BODY_DOCUMENTS = 500
MOST_HALVINGS = 5
MOST_ROUNDS = 3
_SEQ_BITS = 20
_MOST_REASON_LETTERS = 1000
_STALE, _CREATED = 409, 201


def document_version(*, claimed_at: datetime, seq: int) -> int:
    """The version of the documents of a batch: a later claim beats an earlier one, then a later batch.

    Claims of all pipelines that fill one index are compared by it, also after the control tables were made anew.
    """
    return (int(claimed_at.timestamp() * 1000) << _SEQ_BITS) + min(seq, (1 << _SEQ_BITS) - 1)


class IndexSink:
    """Fills one index of the allow-list; one client for a whole run, used by one thread.

    `notes` tell what an operator should know of the target, such as an index that had to be made.
    Raises InvalidPipeline for a target that is not allowed.
    """

    def __init__(self, access: IndexAccess, target: IndexTarget) -> None:
        if TARGETS.get(target.name) != target:
            raise InvalidPipeline(f"target_table '{target.name}' is not allowed", field="target_table")
        # Loaded late: the client brings numpy and pyarrow, and most runs fill tables.
        client: type[IndexClient] = import_module("work_data_hub.io.index_client").IndexClient
        self._target, self._client = target, client(access, target.index)
        self._is_there = False
        self.notes: tuple[str, ...] = ()

    def write(self, page: Page, *, version: int, wait: Callable[[int], None], faults: Faults = NO_FAULTS) -> Written:
        """Write the rows of the page; when this returns Elasticsearch has acknowledged every document.

        Of several rows with one key the last that the index takes stays; all of them count as written. Documents
        of a higher version stay as they are and count as stale. Rows that are looked at again and stand in the
        index as they are count as rescanned; they are sent all the same, for the version. `wait` is called with
        1, 2, … before documents that were refused for the moment are sent again. Raises SinkUnavailable when the
        page should be tried again, BatchError when that would not help, and InvalidPipeline where no row has a
        required column.
        """
        self._refuse_without_columns(page)
        self._make_index()
        faults.reach("before_copy")
        tally = self._lined_up(page)
        attempt = 0
        while busy := self._send_all(tally, version=version, faults=faults):
            attempt += 1
            if attempt > MOST_ROUNDS:
                raise busy
            log.warning("documents.refused_for_now", index=self._target.index, attempt=attempt)
            wait(attempt)
        return tally.written(read=page.rows_read)

    @property
    def _most_documents(self) -> int:
        """A server too slow for a request gets smaller ones from then on."""
        return max(1, MOST_BODY_DOCUMENTS >> min(self._client.timeouts, MOST_HALVINGS))

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def _refuse_without_columns(self, page: Page) -> None:
        """A column that every row lacks is missing in the query; where single rows lack it they are set aside."""
        given = {name for row in page.rows or () for name in row}
        if page.rows and (missing := [name for name in self._target.required if name not in given]):
            raise InvalidPipeline(
                f"the rows have no {', '.join(missing)}",
                field=self._target.name,
                rule=f"{self._target.name} takes {', '.join(self._target.columns)}",
                hint="give the query's columns these names: select id as film_id, …",
            )

    def _make_index(self) -> None:
        """Make a missing index with its mapping: what Elasticsearch makes by itself guesses the types."""
        if not self._client.exists():
            if self._is_there:
                raise self._client.refusal(404, "index_not_found_exception")
            self.notes = (f"index {self._target.index} was not there and was made; it has what is written from now on",)
            self._client.make(self._target.mapping)
            log.info("index.made", index=self._target.index)
        self._is_there = True

    def _lined_up(self, page: Page) -> "_Tally":
        tally = _Tally(target=self._target)
        rows: Sequence[Mapping[str, Any]] = page.rows or ()
        again = _documents(rows[: page.rows_rescanned], tally, first=0)
        known = self._unchanged(again)
        for document in again:
            tally.line_up(document, is_known=document.id in known)
        for document in _documents(rows[page.rows_rescanned :], tally, first=page.rows_rescanned):
            tally.line_up(document)
        return tally

    def _unchanged(self, documents: Sequence[Document]) -> frozenset[str]:
        """Ids of documents that stand in the index exactly so; of several with one id the last is compared."""
        wanted = {document.id: document.source for document in documents}
        found: dict[str, Any] = {}
        ids = list(wanted)
        for start in range(0, len(ids), MOST_BODY_DOCUMENTS):
            found |= self._client.sources(ids[start : start + MOST_BODY_DOCUMENTS])
        return frozenset(key for key, source in found.items() if source == json.loads(wanted[key]))

    def _send_all(self, tally: "_Tally", *, version: int, faults: Faults) -> SinkUnavailable | None:
        """Send what waits until all of it is settled; returns the refusal that may pass, if there was one."""
        busy: SinkUnavailable | None = None
        while tally.waiting and busy is None:
            for body in _bodies(tally.next_documents(), version=version, most=self._most_documents):
                for document, answer in self._answers(body):
                    busy = self._settle(document, answer, tally) or busy
                faults.reach("inside_copy")
        return busy

    def _answers(self, body: "_Body") -> Iterator[tuple[Document, Mapping[str, Any]]]:
        """Each document with what became of it; a request that is too large is sent in halves."""
        answers = self._client.bulk(body.lines)
        if answers is None and len(body.documents) > 1:
            for half in body.halves():
                yield from self._answers(half)
            return
        if answers is None:
            answers = [{"_id": body.documents[0].id, "status": TOO_LARGE}]
        if [answer.get("_id") for answer in answers] != [document.id for document in body.documents]:
            raise self._client.unavailable(200, "with answers to other documents than were sent")
        yield from zip(body.documents, answers, strict=True)

    def _settle(self, document: Document, answer: Mapping[str, Any], tally: "_Tally") -> SinkUnavailable | None:
        """Count what became of a document; returns the error where it is to be sent again, raises where not."""
        status, kind, reason = _words(answer)
        if status < 300:
            tally.take(document, is_new=status == _CREATED)
        elif status == _STALE:
            tally.pass_over(document)
        elif status == TOO_LARGE:
            tally.set_aside(document, error="the document is too large for Elasticsearch")
        elif (failure := failure_of_status(status)) is Failure.ROW:
            tally.set_aside(document, error=f"{kind}: {reason}")
        elif failure is Failure.TRANSIENT:
            return self._client.unavailable(status, kind)
        else:
            raise self._client.refusal(status, kind)
        return None


@dataclass(slots=True, kw_only=True)
class _Tally:
    """The documents of a page that wait, the last of each id on top, and what became of the others."""

    target: IndexTarget
    waiting: dict[str, list[Document]] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    inserted: int = 0
    updated: int = 0
    stale: int = 0
    rescanned: int = 0
    known: Counter[str] = field(default_factory=Counter)

    def line_up(self, document: Document, *, is_known: bool = False) -> None:
        self.waiting.setdefault(document.id, []).append(document)
        self.known[document.id] += is_known

    def next_documents(self) -> list[Document]:
        return [stack[-1] for stack in self.waiting.values()]

    def take(self, document: Document, *, is_new: bool) -> None:
        """The document is in the index, and stands for those of the same id that came before it."""
        rows = self._settled(document)
        is_new = is_new and rows > 0
        self.inserted += is_new
        self.updated += rows - is_new

    def pass_over(self, document: Document) -> None:
        """The index has a later version."""
        self.stale += self._settled(document)

    def _settled(self, document: Document) -> int:
        """How many rows are settled with the document, without those that were looked at again."""
        rows = len(self.waiting.pop(document.id))
        again = min(rows, self.known[document.id])
        self.rescanned += again
        return rows - again

    def set_aside(self, document: Document, *, error: str) -> None:
        """The document is poison; the one of the same id before it, if any, comes next."""
        self.dead.append(dead_letter(document.row, error=error, target=self.target, place=document.place))
        self.waiting[document.id].pop()
        if not self.waiting[document.id]:
            del self.waiting[document.id]

    def written(self, *, read: int) -> Written:
        return Written(
            counts=Counts(
                read=read - self.rescanned,
                written=self.inserted + self.updated,
                inserted=self.inserted,
                updated=self.updated,
                rescanned=self.rescanned,
                dlq=len(self.dead),
                stale=self.stale,
            ),
            dead=tuple(self.dead),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    documents: Sequence[Document]
    version: int

    @property
    def lines(self) -> list[bytes]:
        return [line for document in self.documents for line in (_action(document, self.version), document.source)]

    def halves(self) -> Iterator["_Body"]:
        middle = len(self.documents) // 2
        yield _Body(documents=self.documents[:middle], version=self.version)
        yield _Body(documents=self.documents[middle:], version=self.version)


def _documents(rows: Iterable[Mapping[str, Any]], tally: _Tally, *, first: int) -> list[Document]:
    made = [document_of(row, target=tally.target, place=place) for place, row in enumerate(rows, first)]
    tally.dead += [one for one in made if isinstance(one, DeadLetter)]
    return [one for one in made if isinstance(one, Document)]


def _bodies(documents: Sequence[Document], *, version: int, most: int) -> Iterator[_Body]:
    """The documents in requests of bounded size; one that is larger than the bound goes alone."""
    start = size = 0
    for at, document in enumerate(documents):
        more = len(_action(document, version)) + len(document.source) + 2
        if at > start and (size + more > MOST_BODY_BYTES or at - start >= most):
            yield _Body(documents=documents[start:at], version=version)
            start, size = at, 0
        size += more
    if documents:
        yield _Body(documents=documents[start:], version=version)


def _action(document: Document, version: int) -> bytes:
    return b'{"index":{"_id":%s,"version":%d,"version_type":"external_gte"}}' % (
        json.dumps(document.id).encode(),
        version,
    )


def _words(answer: Mapping[str, Any]) -> tuple[int, str, str]:
    """Status, type and reason of an answer; an answer without a status is as good as none."""
    error = answer.get("error")
    told: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    status = answer.get("status")
    return (
        status if isinstance(status, int) else 500,
        str(told.get("type", "")),
        str(told.get("reason", ""))[:_MOST_REASON_LETTERS],
    )
