"""Elasticsearch through its official client: what is asked of it, and its failures in our words."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from work_data_hub.domain.batch.failures import Failure, failure_of_status
from work_data_hub.errors import BatchError, SinkUnavailable
from work_data_hub.io.elasticsearch_access import TOO_LARGE, IndexAccess

_EXISTS = "resource_already_exists_exception"
_NEEDED = "errors,items.*._id,items.*.status,items.*.result,items.*.error"
_CREDENTIALS = "check ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD, and what that user may do with the index"
_HINTS = {
    401: _CREDENTIALS,
    403: _CREDENTIALS,
    404: "the index is not there: it was removed, or ELASTICSEARCH_URL leads elsewhere; then request a full run",
}


class IndexClient:
    """One index, asked by one thread; the client never tries again by itself.

    Every call raises SinkUnavailable where no usable answer came and asking again may help, and BatchError where
    it does not. The texts of both hold no document and no password. `timeouts` counts the answers waited for in vain.
    """

    def __init__(self, access: IndexAccess, index: str) -> None:
        self._index, self._timeout_seconds = index, access.timeout_seconds
        self.timeouts = 0
        secure: dict[str, Any] = {"ssl_context": ssl.create_default_context()} if _is_https(access) else {}
        self._client = Elasticsearch(
            access.node,
            basic_auth=access.credentials,
            request_timeout=access.timeout_seconds,
            max_retries=0,
            retry_on_status=(),
            retry_on_timeout=False,
            connections_per_node=1,
            **secure,
        )

    def exists(self) -> bool:
        """Whether the index is there."""
        with self._in_our_words():
            return bool(self._client.indices.exists(index=self._index))

    def make(self, mapping: Mapping[str, Mapping[str, object]]) -> None:
        """Make the index; no error where another made it in the meantime."""
        with self._in_our_words(but=_EXISTS):
            self._client.indices.create(index=self._index, mappings={"dynamic": "strict", "properties": mapping})

    def sources(self, ids: Sequence[str]) -> Mapping[str, Any]:
        """The documents that are there, by id, as they were last written."""
        with self._in_our_words():
            answer = self._client.mget(index=self._index, ids=ids)
        found = answer.body.get("docs") if isinstance(answer.body, dict) else None
        if not isinstance(found, list):
            raise self._unusable("an answer that cannot be read")
        return {one["_id"]: one["_source"] for one in found if one.get("found")}

    def bulk(self, lines: Sequence[bytes]) -> Sequence[Mapping[str, Any]] | None:
        """What became of each `index` action, in their order; None: so large a request is not taken."""
        operations: Any = lines
        with self._in_our_words():
            try:
                answer = self._client.bulk(index=self._index, operations=operations, filter_path=_NEEDED)
            except ApiError as error:
                if error.status_code == TOO_LARGE:
                    return None
                raise
        try:
            return [item["index"] for item in answer.body["items"]]
        except (KeyError, TypeError):
            raise self._unusable("an answer that cannot be read") from None

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def refusal(self, status: int, kind: str) -> BatchError:
        """The error of an answer that would be the same again."""
        return BatchError(
            f"Elasticsearch refuses to write to index {self._index}: {status} {kind}".rstrip(),
            field=self._index,
            rule="what the answer calls a client's fault is not tried again",
            hint=_HINTS.get(status, "see what Elasticsearch's own log says to it, then request the run again"),
        )

    def unavailable(self, status: int, kind: str) -> SinkUnavailable:
        """The error of an answer that may be another one later."""
        return self._unusable(f"{status} {kind}".rstrip())

    @contextmanager
    def _in_our_words(self, *, but: str = "") -> Iterator[None]:
        """Drivers' errors hold bodies, so none of them goes on, not even as a cause; `but` is no error."""
        try:
            yield
        except UnsupportedProductError:
            raise BatchError(
                "what answers is not Elasticsearch", field="ELASTICSEARCH_URL", hint="correct ELASTICSEARCH_URL"
            ) from None
        except ConnectionTimeout:
            self.timeouts += 1
            raise self._unusable(f"no answer within ELASTICSEARCH_TIMEOUT, {self._timeout_seconds:g} s") from None
        except TransportError as error:
            raise self._unusable(type(error).__name__) from None
        except ApiError as error:
            kind = _kind_of(error.body)
            if not but or kind != but:
                raise self._of_status(error.status_code, kind) from None

    def _of_status(self, status: int, kind: str) -> BatchError:
        is_passing = failure_of_status(status) is Failure.TRANSIENT
        return self.unavailable(status, kind) if is_passing else self.refusal(status, kind)

    def _unusable(self, what: str) -> SinkUnavailable:
        return SinkUnavailable(
            f"Elasticsearch takes nothing for index {self._index} now: {what}",
            field=self._index,
            hint="see that ELASTICSEARCH_URL is right and Elasticsearch up and not busy, then request the run again",
        )


def _is_https(access: IndexAccess) -> bool:
    return access.url.startswith("https:")


def _kind_of(body: Any) -> str:
    error = body.get("error") if isinstance(body, Mapping) else None
    kind = error.get("type") if isinstance(error, Mapping) else None
    return kind if isinstance(kind, str) else ""
