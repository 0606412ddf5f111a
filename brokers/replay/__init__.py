"""A broker over recorded files: bars, quotes, closes, fills, exchange files, and what a recording wrote.

``files`` reads a table and words what is wrong with it, ``folder`` knows which file holds what, ``exchange`` and
``tables`` turn files into values, ``answers`` reads recordings, ``broker`` answers. ``docs/brokers/replay.md``
tells the layout of the folder.
"""

from brokers.replay.broker import ReplayBarBroker, ReplayBroker
from brokers.replay.files import FileError

__all__ = ["FileError", "ReplayBarBroker", "ReplayBroker"]
