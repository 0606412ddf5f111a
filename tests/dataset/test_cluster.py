"""The same function on a Dask cluster of two workers, one of which is killed on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attribution import calculate_attribution_for_trades as attribute_frame
from attribution.dataset import Progress, attribute_dataset
from tests.dataset.conftest import ALL, outputs, results, same

distributed = pytest.importorskip("distributed", reason="pip install 'options-attribution[dask]'")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of a cluster on this machine: two processes, no dashboard."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs="CRITICAL",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.usefixtures("small_parts")
def test_a_cluster_gives_what_one_process_gives_although_a_worker_is_killed(
    client: Any, source: Path, target: Path
) -> None:
    killed = []

    def kill_one(progress: Progress) -> None:
        if progress.rows and not killed:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    summary = attribute_dataset(source, target, client=client, progress=kill_one)
    assert len(killed) == 1
    assert summary.ok
    assert len(outputs(target)) == 10
    expected = attribute_frame(ALL)
    assert same(results(target), expected)


def test_a_bad_file_stops_no_other_on_a_cluster(client: Any, source: Path, target: Path) -> None:
    (source / "broken.csv").write_text("symbol\nNIFTY\n")
    summary = attribute_dataset(source, target, client=client)
    assert [failure.name for failure in summary.failures] == ["broken.csv"]
    assert summary.rows == 90
