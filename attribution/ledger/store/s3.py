"""Objects in an S3 bucket, or in any server that speaks S3 and honours ``If-None-Match: *``.

No other condition is used: writing only what is absent is the one that every honest server has. Requests are sent
once: whoever repeats a conditional request without looking cannot tell his own success from another's.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from attribution.ledger.errors import StoreError
from attribution.ledger.store.numbered import Put

__all__ = ["S3Objects", "new_client"]

_logger = logging.getLogger(__name__)

_TAKEN = frozenset({409, 412})
"""Somebody has created the object, or is just creating it."""

_NOT_IMPLEMENTED = 501

_PAUSES = (0.1, 0.4, 1.0)
"""Seconds before what may be done twice is tried again."""

_T = TypeVar("_T")


class S3Objects:
    """Objects in a bucket.

    Parameters
    ----------
    bucket
        Its name. Needed on it: ``s3:GetObject``, ``s3:PutObject`` and ``s3:ListBucket`` (without the last, S3 answers
        that an absent object is forbidden), and ``s3:DeleteObject`` on ``probe/*``, or a rule that lets those expire.
    endpoint_url
        Of a server that is not AWS.
    region_name
        Of the bucket; by default what boto3's own configuration says, as for the credentials.
    timeout_seconds
        For a connection, and for an answer.
    client
        Make the boto3 client yourself; called once per process. It must not repeat requests on its own.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        timeout_seconds: float = 5.0,
        client: Callable[[], Any] | None = None,
    ) -> None:
        self.place = f"s3://{bucket}"
        self._bucket = bucket
        self._new_client = client or (lambda: new_client(endpoint_url, region_name, timeout_seconds))
        self._lock = threading.Lock()
        self._made: tuple[int, Any] | None = None

    def put_if_absent(self, name: str, content: bytes) -> Put:
        """Create an object with ``If-None-Match: *``."""
        client, exceptions = self._client(), _exceptions()
        try:
            client.put_object(Bucket=self._bucket, Key=name, Body=content, IfNoneMatch="*")
        except exceptions.ClientError as error:
            status = _status(error)
            if status in _TAKEN:
                return Put.TAKEN
            if _is_passing(error) and status != _NOT_IMPLEMENTED:
                return Put.UNKNOWN
            raise StoreError(f"{self.place}/{name}: {error}") from error
        except exceptions.HTTPClientError as error:
            _logger.info("%s/%s: no answer: %s", self.place, name, error)
            return Put.UNKNOWN
        except exceptions.BotoCoreError as error:
            raise StoreError(f"{self.place}/{name}: {error}") from error
        return Put.CREATED

    def get(self, name: str) -> bytes | None:
        """Return an object's content; None if there is none."""

        def read() -> bytes | None:
            try:
                content: bytes = self._client().get_object(Bucket=self._bucket, Key=name)["Body"].read()
            except _exceptions().ClientError as error:
                if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                    return None
                raise
            return content

        return self._patiently(read, name)

    def names_after(self, folder: str, after: str) -> Iterator[str]:
        """Yield names in order, a thousand a request."""
        while True:
            page = self._patiently(
                partial(self._client().list_objects_v2, Bucket=self._bucket, Prefix=folder, StartAfter=after), folder
            )
            names = [found["Key"] for found in page.get("Contents", [])]
            yield from names
            if not page.get("IsTruncated"):
                return
            after = names[-1]

    def settle(self, folder: str) -> None:
        """Nothing to do: what S3 shows is durable."""

    def replace(self, name: str, content: bytes) -> None:
        """Write an object that is not part of a log, over an older one if there is one."""
        self._patiently(lambda: self._client().put_object(Bucket=self._bucket, Key=name, Body=content), name)

    def remove(self, name: str) -> None:
        """Remove an object; many a bucket does not permit it, and then it stays."""
        exceptions = _exceptions()
        try:
            self._client().delete_object(Bucket=self._bucket, Key=name)
        except (exceptions.ClientError, exceptions.BotoCoreError, exceptions.HTTPClientError) as error:
            _logger.info("%s/%s stays: %s", self.place, name, error)

    def _client(self) -> Any:
        """The client of this process: connections do not cross a fork."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = os.getpid(), self._new_client()
            return self._made[1]

    def _patiently(self, read: Callable[[], _T], name: str) -> _T:
        """Do what may be done twice, and do it again after failures that pass."""
        exceptions = _exceptions()
        for pause in (*_PAUSES, None):
            try:
                return read()
            except exceptions.ClientError as error:
                if pause is None or not _is_passing(error):
                    raise StoreError(f"{self.place}/{name}: {error}") from error
            except (exceptions.HTTPClientError, exceptions.IncompleteReadError) as error:
                if pause is None:
                    raise StoreError(f"{self.place}/{name}: {error}") from error
            except exceptions.BotoCoreError as error:
                raise StoreError(f"{self.place}/{name}: {error}") from error
            time.sleep(pause)
        raise AssertionError("unreachable")


def new_client(endpoint_url: str | None = None, region_name: str | None = None, timeout_seconds: float = 5.0) -> Any:
    """Make a boto3 client that sends every request once."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise StoreError("a log in S3 needs boto3: pip install 'options-attribution[s3]'") from error
    config = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 1},
        max_pool_connections=32,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint_url else "auto"},
    )
    return boto3.session.Session().client("s3", endpoint_url=endpoint_url, region_name=region_name, config=config)


def _exceptions() -> Any:
    import botocore.exceptions

    return botocore.exceptions


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_passing(error: Any) -> bool:
    """Whether the server had trouble of its own: it may do the same request a little later, or may have done it."""
    return _status(error) >= 500 or error.response.get("Error", {}).get("Code") == "RequestTimeout"
