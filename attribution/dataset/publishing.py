"""Finished files put into their place in the target, in one rename each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from attribution.dataset.manifest import Entry, Manifest, remove
from attribution.dataset.sources import InputFile
from attribution.dataset.work import Done, done_of, staged_path

__all__ = ["count_statuses", "find_published", "publish"]


def publish(manifest: Manifest, file: InputFile, parts: Sequence[Done]) -> Entry:
    """Move the results of a file from the staging folder into their place: one file, or a folder of parts."""
    for output in (file.output, file.output_folder):
        remove(os.path.join(manifest.target, output))  # of a run that ended before it noted it, of a file changed since
    folder = os.path.join(manifest.staging, parts[0].key)
    output = file.output if len(parts) == 1 else file.output_folder
    place = os.path.join(manifest.target, output)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if len(parts) > 1:
        os.replace(folder, place)
    else:
        os.replace(staged_path(manifest.staging, parts[0].key, 0), place)
        os.rmdir(folder)
    return _entry(file, output, parts)


def find_published(manifest: Manifest, file: InputFile) -> Entry | None:
    """What a run put into its place and could not note any more; None where there is no such thing."""
    key = manifest.key_of(file)
    folder = os.path.join(manifest.target, file.output_folder)
    several = os.path.isdir(folder)
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))] if several else []
    parts = list(map(done_of, paths or [os.path.join(manifest.target, file.output)]))
    whole = [part for part in parts if part is not None and part.key == key and part.count == len(parts)]
    if len(whole) != len(parts):
        return None
    return _entry(file, file.output_folder if several else file.output, whole)


def count_statuses(counts: Iterable[Iterable[tuple[str, int]]]) -> dict[str, int]:
    """Add up counts by status, the most frequent first."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(dict(count))
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _entry(file: InputFile, output: str, parts: Sequence[Done]) -> Entry:
    return Entry(
        input=file.name,
        size=file.size,
        mtime_ns=file.mtime_ns,
        output=output,
        parts=len(parts),
        rows=sum(part.rows for part in parts),
        results=sum(part.results for part in parts),
        statuses=count_statuses(part.statuses.items() for part in parts),
    )
