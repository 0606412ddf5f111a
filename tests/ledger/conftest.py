"""A place per store, and an S3 server on loopback: the one of ``LEDGER_S3_ENDPOINT``, or moto's, started here."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.log_tools import FolderPlace, Place, S3Place, SqlitePlace

ENDPOINT = "LEDGER_S3_ENDPOINT"
"""An S3 server to test against instead of moto; its keys are in ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``."""


@contextmanager
def moto_server() -> Iterator[str]:
    """moto, one request after the other.

    Left to its threads it looks whether an object is there and writes it in two steps, and now and then two writers
    both succeed: the start-up probe finds it out, and no log can be kept there.
    """
    moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    serving = pytest.importorskip("werkzeug.serving", reason="moto[server] is not installed")
    app, turn = moto.DomainDispatcherApplication(moto.create_backend_app), threading.Lock()

    def one_by_one(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with turn:
            return list(app(environ, start_response))

    class Quiet(serving.WSGIRequestHandler):  # type: ignore[name-defined, misc]
        def log(self, *args: Any) -> None:
            pass

    server = serving.make_server("127.0.0.1", 0, one_by_one, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 server that honours ``If-None-Match: *``."""
    pytest.importorskip("boto3", reason="boto3 is not installed: pip install 'options-attribution[s3]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        given = os.environ.get(ENDPOINT)
        if given:
            yield given
            return
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        with moto_server() as endpoint:
            yield endpoint


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Any:
    """A plain client of the server, for what a store never does."""
    import boto3
    from botocore.config import Config

    config = Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.client("s3", endpoint_url=s3_endpoint, config=config)


@pytest.fixture
def bucket(s3_client: Any) -> str:
    """A new bucket."""
    name = f"ledger-{uuid.uuid4().hex[:12]}"
    s3_client.create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["sqlite", "folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Every medium that keeps a log, one after the other."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    if request.param == "folder":
        return FolderPlace(tmp_path)
    return S3Place(
        request.getfixturevalue("bucket"), request.getfixturevalue("s3_endpoint"), tmp_path / "mirror.sqlite3"
    )
