"""The code of ``docs/scale.md`` runs as it stands there, and gives the same rows."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution import calculate_attribution_for_trades
from attribution.dataset.batches import attribute_batches, results_schema
from tests.dataset.conftest import ALL, results, same

PROJECT = Path(__file__).parents[2]
GUIDE = (PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")


def block(heading: str) -> str:
    """The Python below a heading."""
    found = re.search(rf"^### {heading}.*?```python\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def _workers_find_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that others begin know the project and this interpreter."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)


@pytest.fixture
def ray(_workers_find_us: None) -> Iterator[Any]:
    """Ray on this machine, with one worker."""
    ray = pytest.importorskip("ray", reason="pip install ray")
    ray.init(num_cpus=1, include_dashboard=False, _node_ip_address="127.0.0.1", logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture
def spark(_workers_find_us: None) -> Iterator[Any]:
    """Spark on this machine, with one worker."""
    sql = pytest.importorskip("pyspark.sql", reason="pip install pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    builder = sql.SparkSession.builder.master("local[1]")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("ray")
def test_ray(source: Path, target: Path) -> None:
    told: dict[str, Any] = {"source": source, "target": target}
    exec(block("Ray"), told)
    assert told["summary"].rows == 90
    assert same(results(target), calculate_attribution_for_trades(ALL))


@pytest.mark.filterwarnings("default")
def test_spark(spark: Any, source: Path, target: Path) -> None:
    exec(block("Spark"), {"spark": spark, "source": f"{source}/*.parquet", "target": str(target)})
    found, trades = pq.read_table(target), pq.read_table(source / "a.parquet")
    expected = calculate_attribution_for_trades(trades, keep=["desk"])
    assert sorted(map(key_of, found.to_pylist())) == sorted(map(key_of, expected.to_pylist()))


def key_of(row: dict[str, Any]) -> str:
    """What must be the same of a row; Spark has its own idea of time zones."""
    return repr([row[name] for name in ("symbol", "spot_attrib", "vol_attrib", "residual", "pnl", "status", "desk")])


def test_batches_give_what_the_frame_gives() -> None:
    batches = ALL.to_batches(max_chunksize=7)
    found = pa.Table.from_batches(attribute_batches(batches, chunk_rows=20, keep=["desk"]))
    expected = calculate_attribution_for_trades(ALL, keep=["desk"])
    assert found.to_pylist() == expected.to_pylist()
    assert found.schema == results_schema(ALL.schema, keep=["desk"])
    assert not any(pa.types.is_dictionary(field.type) for field in found.schema)


def test_batches_refuse_unknown_options() -> None:
    with pytest.raises(TypeError, match="methd"):
        next(attribute_batches([], methd="shapley"))
