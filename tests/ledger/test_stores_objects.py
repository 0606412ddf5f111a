"""What numbered objects add: the probe, answers that never came, damaged and foreign objects, the mirror."""

from __future__ import annotations

import errno
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from attribution.ledger.entry import GENESIS
from attribution.ledger.errors import ConflictError, CorruptLogError, StoreError
from attribution.ledger.log import Log
from attribution.ledger.store import disk
from attribution.ledger.store.folder import FolderObjects
from attribution.ledger.store.numbered import Put, probe
from attribution.ledger.store.objects import ObjectStore
from tests.ledger.log_tools import FolderPlace, draft


class MemoryObjects:
    """Objects in a dictionary, and what may go wrong with them."""

    place = "memory"

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.before_put: list[Callable[[str, bytes], Put | None]] = []
        self._lock = threading.Lock()

    def put_if_absent(self, name: str, content: bytes) -> Put:
        self.calls.append("put")
        if self.before_put:
            answer = self.before_put.pop(0)(name, content)
            if answer is not None:
                return answer
        return self.create(name, content)

    def create(self, name: str, content: bytes) -> Put:
        with self._lock:
            if name in self.kept:
                return Put.TAKEN
            self.kept[name] = content
            return Put.CREATED

    def get(self, name: str) -> bytes | None:
        self.calls.append("get")
        return self.kept.get(name)

    def names_after(self, folder: str, after: str) -> Iterator[str]:
        self.calls.append("list")
        yield from sorted(name for name in self.kept if name.startswith(folder) and name > after)

    def settle(self, folder: str) -> None:
        self.calls.append("settle")

    def remove(self, name: str) -> None:
        self.kept.pop(name, None)


class OverwritingObjects(MemoryObjects):
    """A server that does not know ``If-None-Match`` and says yes to everybody."""

    def create(self, name: str, content: bytes) -> Put:
        self.kept[name] = content
        return Put.CREATED


class LateObjects(MemoryObjects):
    """A server that looks and writes in two steps: two who come together both succeed."""

    def __init__(self) -> None:
        super().__init__()
        self.together = threading.Barrier(6)

    def create(self, name: str, content: bytes) -> Put:
        absent = name not in self.kept
        if name.startswith("probe/") and content.startswith(b"writer"):
            self.together.wait(5)
        if not absent:
            return Put.TAKEN
        self.kept[name] = content
        return Put.CREATED


class ForgetfulObjects(MemoryObjects):
    def get(self, name: str) -> bytes | None:
        return None


class SilentObjects(MemoryObjects):
    def create(self, name: str, content: bytes) -> Put:
        return Put.UNKNOWN


def name_of(seq: int) -> str:
    return f"log/acc/{seq:020d}.jsonl"


class TestTheProbe:
    def test_accepts_a_place_that_gives_a_name_once_and_leaves_nothing(self) -> None:
        objects = MemoryObjects()
        probe(objects)
        assert objects.kept == {}

    @pytest.mark.parametrize("kind", [OverwritingObjects, LateObjects])
    def test_refuses_a_place_that_lets_two_create_the_same(self, kind: type[MemoryObjects]) -> None:
        with pytest.raises(StoreError, match=r"6 of 6 writers created the same object.*If-None-Match"):
            ObjectStore(kind())

    def test_refuses_a_place_that_overwrites_what_is_there(self) -> None:
        objects = OverwritingObjects()
        objects.before_put = [lambda name, content: Put.TAKEN] * 6
        with pytest.raises(StoreError, match="created again"):
            probe(objects)

    @pytest.mark.parametrize("kind", [ForgetfulObjects, SilentObjects])
    def test_refuses_a_place_that_keeps_nothing(self, kind: type[MemoryObjects]) -> None:
        with pytest.raises(StoreError, match="does not keep what it takes"):
            probe(kind())

    def test_refuses_a_place_that_mixes_writers_up(self) -> None:
        class Mixed(MemoryObjects):
            def get(self, name: str) -> bytes | None:
                return b"another's"

        with pytest.raises(StoreError, match="another's content"):
            probe(Mixed())

    def test_a_place_that_is_only_read_is_not_written_to(self) -> None:
        objects = MemoryObjects()
        ObjectStore(objects, probe_first=False).head()
        assert "put" not in objects.calls


class TestAnswersThatNeverCame:
    """The write may have landed, or not, or land later: in every case the fact is in the log once."""

    @pytest.fixture
    def objects(self) -> MemoryObjects:
        return MemoryObjects()

    @pytest.fixture
    def store(self, objects: MemoryObjects) -> ObjectStore:
        store = ObjectStore(objects, "acc", probe_first=False, patience_seconds=2.0)
        store.append([draft("0")])
        return store

    def check(self, store: ObjectStore, *names: str) -> None:
        assert [entry.key for entry in store.entries()] == [f"ALPACA/{name}/1" for name in names]
        Log(store).verify()

    def test_it_landed(self, objects: MemoryObjects, store: ObjectStore) -> None:
        def lands(name: str, content: bytes) -> Put:
            objects.create(name, content)
            return Put.UNKNOWN

        objects.before_put = [lands]
        assert store.append([draft("1")])[0].new
        self.check(store, "0", "1")

    def test_it_did_not_land(self, objects: MemoryObjects, store: ObjectStore) -> None:
        objects.before_put = [lambda name, content: Put.UNKNOWN] * 3
        assert store.append([draft("1")])[0].new
        self.check(store, "0", "1")

    def test_it_lands_when_it_is_sent_again(self, objects: MemoryObjects, store: ObjectStore) -> None:
        """The first request arrives just before the second: the second finds the name taken, by ourselves."""

        def second(name: str, content: bytes) -> None:
            objects.create(name, content)

        objects.before_put = [lambda name, content: Put.UNKNOWN, second]
        assert store.append([draft("1")])[0].new
        self.check(store, "0", "1")

    def test_another_was_faster(self, objects: MemoryObjects, store: ObjectStore) -> None:
        rival = ObjectStore(objects, "acc", probe_first=False)

        def lost(name: str, content: bytes) -> Put:
            rival.append([draft("rival"), draft("shared")])
            return Put.UNKNOWN

        objects.before_put = [lost]
        shared, own = store.append([draft("shared"), draft("own")])
        assert (shared.new, own.new, own.row.seq) == (False, True, 4)
        self.check(store, "0", "rival", "shared", "own")

    def test_it_lands_after_everybody_gave_up(self, objects: MemoryObjects) -> None:
        store = ObjectStore(objects, "acc", probe_first=False, patience_seconds=0.05)
        sent: list[tuple[str, bytes]] = []

        def lost(name: str, content: bytes) -> Put:
            sent.append((name, content))
            return Put.UNKNOWN

        objects.before_put = [lost] * 1_000
        with pytest.raises(StoreError, match="append the same again later"):
            store.append([draft("1")])
        objects.before_put.clear()
        assert len({name for name, _ in sent}) == len(set(sent)) == 1
        objects.create(*sent[0])
        assert not store.append([draft("1")])[0].new
        self.check(store, "1")

    def test_somebody_is_just_creating_it(self, objects: MemoryObjects, store: ObjectStore) -> None:
        """S3's 409: taken, and nothing to read yet."""
        objects.before_put = [lambda name, content: Put.TAKEN] * 3
        assert store.append([draft("1")])[0].new
        self.check(store, "0", "1")

    def test_others_are_always_faster(self, objects: MemoryObjects) -> None:
        store = ObjectStore(objects, "acc", probe_first=False, patience_seconds=0.05)
        objects.before_put = [lambda name, content: Put.TAKEN] * 10_000
        with pytest.raises(StoreError, match="others were always faster"):
            store.append([draft("1")])

    def test_two_hosts_that_were_told_the_same_do_not_both_enter_it(self, objects: MemoryObjects) -> None:
        one, two = (ObjectStore(objects, "acc", probe_first=False) for _ in range(2))
        assert one.append([draft("1")])[0].new
        assert not two.append([draft("1")])[0].new
        self.check(two, "1")


class TestObjectsThatAreNotAsWritten:
    @pytest.fixture
    def place(self, tmp_path: Path) -> FolderPlace:
        place = FolderPlace(tmp_path)
        store = place.open()
        for number in range(1, 6):
            store.append([draft(f"{number}a"), draft(f"{number}b")])
        return place

    def expect(self, place: FolderPlace, message: str) -> None:
        with pytest.raises(CorruptLogError, match=message):
            Log(place.open()).verify()
        with pytest.raises(CorruptLogError, match=message):
            list(place.open().entries())
        with pytest.raises(CorruptLogError, match=message):
            place.open().append([draft("new")])

    @pytest.mark.parametrize("kept", [0, 1, 100, -1])
    def test_a_torn_last_line(self, place: FolderPlace, kept: int) -> None:
        path = place.folder / name_of(9)
        path.write_bytes(path.read_bytes()[:kept])
        self.expect(place, f"{name_of(9)}: .*torn")

    def test_a_lost_last_line(self, place: FolderPlace) -> None:
        path = place.folder / name_of(5)
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
        self.expect(place, "entry 7 follows entry 5")

    def test_what_is_no_text(self, place: FolderPlace) -> None:
        (place.folder / name_of(9)).write_bytes(b"\xff\n")
        self.expect(place, "0009.jsonl: 'utf-8' codec")

    def test_an_object_under_anothers_number(self, place: FolderPlace) -> None:
        (place.folder / name_of(9)).rename(place.folder / name_of(10))
        self.expect(place, "0010.jsonl: it begins with entry 9")

    def test_a_fact_entered_twice(self, place: FolderPlace) -> None:
        head = place.open().head()
        forged = draft("1a").row(head.seq + 1, head.digest)
        (place.folder / name_of(head.seq + 1)).write_text(forged.line() + "\n")
        with pytest.raises(CorruptLogError, match="entered before"):
            place.open()

    def test_a_missing_object(self, place: FolderPlace) -> None:
        (place.folder / name_of(5)).unlink()
        self.expect(place, "entry 7 follows entry 4")


class TestListings:
    @pytest.mark.parametrize("hidden", [[3], [1], [2, 3, 4], [1, 2, 5]])
    def test_one_made_while_others_write_may_have_holes(self, hidden: list[int]) -> None:
        """A folder is not read at one instant: a file may be missed that is older than one that is seen."""

        class Hasty(MemoryObjects):
            def names_after(self, folder: str, after: str) -> Iterator[str]:
                unseen = {name_of(seq) for seq in hidden}
                return (name for name in super().names_after(folder, after) if name not in unseen)

        objects = Hasty()
        store = ObjectStore(objects, "acc")
        for number in range(6):
            store.append([draft(number)])
        fresh = ObjectStore(objects, "acc", probe_first=False)
        assert list(fresh.entries()) == list(store.entries())
        assert Log(fresh).verify().seq == 6
        assert [row.seq for row in fresh.rows(after=4)] == [5, 6]


class TestTheMirror:
    def test_a_new_process_reads_only_what_is_new(self, tmp_path: Path) -> None:
        objects = MemoryObjects()
        store = ObjectStore(objects, "acc", mirror=tmp_path / "m" / "mirror.sqlite3")
        for number in range(400):
            store.append([draft(number)])
        store.close()
        objects.calls.clear()
        again = ObjectStore(objects, "acc", mirror=tmp_path / "m" / "mirror.sqlite3", probe_first=False)
        assert not again.append([draft(7)])[0].new
        assert len(list(again.entries())) == 400
        assert objects.calls.count("get") < 5
        fresh = ObjectStore(objects, "acc", probe_first=False)
        assert list(fresh.entries()) == list(again.entries())

    def test_two_stores_share_one(self, tmp_path: Path) -> None:
        objects = MemoryObjects()
        one, two = (ObjectStore(objects, "acc", mirror=tmp_path / "mirror.sqlite3") for _ in range(2))
        for number in range(30):
            (one if number % 2 else two).append([draft(number)])
        assert list(one.entries()) == list(two.entries())
        assert Log(two).verify().seq == 30

    def test_of_another_log_it_is_refused(self, tmp_path: Path) -> None:
        store = ObjectStore(MemoryObjects(), "acc", mirror=tmp_path / "mirror.sqlite3")
        store.append([draft("1")])
        store.close()
        with pytest.raises(CorruptLogError, match="not a copy of memory/log/acc"):
            ObjectStore(MemoryObjects(), "acc", mirror=tmp_path / "mirror.sqlite3")
        other = MemoryObjects()
        ObjectStore(other, "acc").append([draft("2")])
        with pytest.raises(CorruptLogError, match="delete the copy"):
            ObjectStore(other, "acc", mirror=tmp_path / "mirror.sqlite3")

    def test_a_commit_stands_though_its_copy_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        objects = MemoryObjects()
        store = ObjectStore(objects, "acc")
        with store._mirror.table() as table:
            table.connection.execute("PRAGMA query_only = ON")
        assert store.append([draft("1")])[0].new
        assert "committed, but not copied" in caplog.text
        with store._mirror.table() as table:
            table.connection.execute("PRAGMA query_only = OFF")
        assert not store.append([draft("1")])[0].new
        assert [entry.seq for entry in store.entries()] == [1]

    @pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_store_may_be_carried_through_a_fork(self, tmp_path: Path) -> None:
        store = FolderPlace(tmp_path).open()
        store.append([draft("before")])

        def child() -> None:
            for number in range(10):
                store.append([draft(f"child-{number}")])

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        for number in range(10):
            store.append([draft(f"parent-{number}")])
        process.join(60)
        assert process.exitcode == 0
        assert Log(store).verify().seq == 21


class TestNames:
    def test_a_commit_is_one_object_named_after_its_first_entry(self) -> None:
        objects = MemoryObjects()
        store = ObjectStore(objects, "acc", prefix="live/")
        store.append([draft("1"), draft("2")])
        store.append([draft("3")])
        assert sorted(objects.kept) == ["live/" + name_of(1), "live/" + name_of(3)]
        assert objects.kept["live/" + name_of(1)].count(b"\n") == 2
        assert objects.kept["live/" + name_of(1)].decode().splitlines()[0] == draft("1").row(1, GENESIS).line()

    def test_accounts_have_logs_of_their_own_whatever_they_are_called(self, tmp_path: Path) -> None:
        names = ["acc", "a/b", "..", ".", "ü", "a b", "%2E", "x" * 60]
        for name in names:
            ObjectStore(FolderObjects(tmp_path), name).append([draft("1", account_id=name)])
        assert len(list((tmp_path / "log").iterdir())) == len(names)
        for name in names:
            assert [entry.account_id for entry in ObjectStore(FolderObjects(tmp_path), name).entries()] == [name]

    def test_an_uncontested_commit_costs_one_request(self) -> None:
        objects = MemoryObjects()
        store = ObjectStore(objects, "acc")
        store.append([draft("1")])
        objects.calls.clear()
        store.append([draft("2")])
        assert objects.calls == ["put"]

    def test_a_contradiction_is_found_by_a_store_that_has_not_read_it_yet(self) -> None:
        objects = MemoryObjects()
        one, two = (ObjectStore(objects, "acc") for _ in range(2))
        one.append([draft("1")])
        with pytest.raises(ConflictError):
            two.append([draft("1", body={"price": "1"})])
        assert [entry.kind for entry in one.entries()] == ["fill", "quarantine"]


class TestTheFolder:
    def test_what_a_killed_writer_left_is_swept_up(self, tmp_path: Path) -> None:
        place = FolderPlace(tmp_path)
        store = place.open()
        for number in range(1, 6):
            store.append([draft(number)])
        folder = (tmp_path / name_of(1)).parent
        (folder / f".{3:020d}.jsonl.abc.tmp").write_text("half an ob")
        (folder / f".{9:020d}.jsonl.abc.tmp").write_text("half an ob")
        assert Log(place.open()).verify().seq == 5
        assert [path.name for path in folder.glob(".*")] == [f".{9:020d}.jsonl.abc.tmp"]

    def test_a_writer_whose_half_file_was_swept_up_has_lost_the_race(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects, link = FolderObjects(tmp_path), os.link

        def late(source: Path, target: Path) -> None:
            monkeypatch.setattr(disk.os, "link", link)
            assert objects.put_if_absent("log/1", b"rival") is Put.CREATED
            source.unlink()
            link(source, target)

        monkeypatch.setattr(disk.os, "link", late)
        assert objects.put_if_absent("log/1", b"own") is Put.TAKEN
        assert objects.get("log/1") == b"rival"

    def test_a_file_system_without_links_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(source: Path, target: Path) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(disk.os, "link", refuse)
        with pytest.raises(StoreError, match="not permitted"):
            FolderPlace(tmp_path).open()
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    def test_a_link_that_may_not_last_is_settled_before_it_is_acknowledged(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The entry was made, and the disk then failed to sync its folder: asked again, it must."""
        store, synced = FolderPlace(tmp_path).open(), []

        def sync(folder: Path) -> None:
            synced.append(folder)
            if len(synced) == 1:
                raise OSError(errno.EIO, "Input/output error")

        store.append([draft("0")])
        for module in ("disk", "folder"):
            monkeypatch.setattr(f"attribution.ledger.store.{module}.sync_folder", sync)
        assert store.append([draft("1")])[0].new
        assert len(synced) == 2
        assert Log(store).verify().seq == 2

    def test_what_another_linked_is_settled_before_anything_is_built_on_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = FolderPlace(tmp_path).open(), FolderPlace(tmp_path).open()
        one.append([draft("1")])
        synced: list[Any] = []
        monkeypatch.setattr("attribution.ledger.store.folder.sync_folder", synced.append)
        assert not two.append([draft("1")])[0].new
        assert synced
