"""Which brokers the command line knows, which environment variables each needs, and how one is made."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attribution.app.sheet import InputError
from attribution.errors import BrokerError

__all__ = [
    "REDIS_VARIABLE",
    "REPLAY",
    "VENDORS",
    "Vendor",
    "is_installed",
    "open_broker",
    "open_redis",
    "redis_url",
    "refuse_unset",
]

REPLAY = "replay"
REDIS_VARIABLE = "REDIS_URL"
_REDIS_FROM_ENVIRONMENT = "env"


@dataclass(frozen=True, slots=True)
class Vendor:
    """A broker that is reached with secrets from the environment."""

    name: str
    module: str
    kind: str
    needed: tuple[tuple[str, ...], ...]
    """Environment variables; of each group one must be set."""
    optional: tuple[str, ...] = ()
    package: str = "httpx"
    extra: str = "brokers"

    def missing(self, environ: Mapping[str, str]) -> list[str]:
        """Return what has yet to be set, each as ``ONE`` or ``ONE or OTHER``."""
        unset = [group for group in self.needed if not any(environ.get(name, "").strip() for name in group)]
        return [" or ".join(group) for group in unset]

    def installed(self) -> bool:
        """Whether the package that it speaks through is there."""
        return is_installed(self.package)

    @property
    def page(self) -> str:
        """Where its documentation is."""
        return f"docs/brokers/{self.name}.md"


VENDORS: Mapping[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        Vendor(
            "shoonya",
            "brokers.shoonya",
            "ShoonyaBroker",
            (("SHOONYA_USER_ID",), ("SHOONYA_ACCESS_TOKEN", "SHOONYA_USER_TOKEN")),
        ),
        Vendor(
            "fivepaisa",
            "brokers.fivepaisa",
            "FivePaisaBroker",
            (("FIVEPAISA_CLIENT_CODE",), ("FIVEPAISA_APP_KEY",), ("FIVEPAISA_ACCESS_TOKEN",)),
        ),
        Vendor(
            "alpaca",
            "brokers.alpaca",
            "AlpacaBroker",
            (("APCA_API_KEY_ID",), ("APCA_API_SECRET_KEY",)),
            ("ALPACA_PAPER", "APCA_API_BASE_URL", "ALPACA_OPTION_FEED", "ALPACA_STOCK_FEED"),
        ),
        Vendor(
            "openalgo",
            "brokers.openalgo",
            "OpenAlgoBroker",
            (("OPENALGO_API_KEY",),),
            ("OPENALGO_HOST", "OPENALGO_HISTORY_SOURCE"),
        ),
    )
}


def is_installed(package: str) -> bool:
    """Whether a package could be imported; nothing is imported to find out."""
    try:
        return find_spec(package) is not None
    except (ValueError, ImportError):  # what stands in its place is no package
        return False


def refuse_unset(brokers: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Raise InputError naming every variable that any of these brokers lacks, so that one look mends all."""
    vendors = [vendor for vendor in map(VENDORS.get, dict.fromkeys(brokers)) if vendor is not None]
    lacking = [(vendor, missing) for vendor in vendors if (missing := vendor.missing(environ))]
    if lacking:
        told = [f"--broker {one.name} needs {', '.join(missing)} ({one.page})" for one, missing in lacking]
        raise InputError(f"{'; '.join(told)}: set them in the environment")


def open_broker(text: str, environ: Mapping[str, str]) -> Any:
    """Make the broker that a ``--broker`` names; nothing is asked of it yet.

    Raises
    ------
    InputError
        There is no such broker or folder, its package is not installed, or a variable cannot be used. What follows
        the name of a vendor is not repeated: somebody may have put a secret there.
    """
    name, colon, rest = text.strip().partition(":")
    if name == REPLAY:
        return _open_replay(rest)
    vendor = VENDORS.get(name)
    if vendor is None:
        near = difflib.get_close_matches(name, [*VENDORS, REPLAY], 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"--broker {name!r}: must be replay:FOLDER, {', '.join(VENDORS)}{hint}")
    if colon:
        raise InputError(f"--broker {name}: nothing follows its name; what it needs is read from the environment")
    refuse_unset((name,), environ)
    try:
        return getattr(import_module(vendor.module), vendor.kind).from_environment(environ)
    except ImportError as exc:
        raise _not_installed(f"--broker {name}", vendor.package, vendor.extra, exc) from exc
    except (ValueError, BrokerError) as exc:
        raise InputError(f"--broker {name}: {exc}") from exc


def _open_replay(folder: str) -> Any:
    if not folder:
        raise InputError("--broker replay: name the folder of recorded files, as in replay:FOLDER")
    if not Path(folder).is_dir():
        raise InputError(f"--broker replay:{folder}: no such folder")
    from brokers.replay import ReplayBroker

    return ReplayBroker(folder)


def redis_url(text: str, environ: Mapping[str, str]) -> str:
    """Return the address that ``--redis`` gives; with ``env`` that of ``REDIS_URL``.

    Raises
    ------
    InputError
        The variable is not set, or the command line holds an account, which everybody on the machine could read.
    """
    if text == _REDIS_FROM_ENVIRONMENT:
        url = environ.get(REDIS_VARIABLE, "").strip()
        if not url:
            raise InputError(f"--redis env needs {REDIS_VARIABLE} (docs/brokers/redis.md): set it in the environment")
        return url
    if "@" in text or "password=" in text.lower():
        raise InputError(f"--redis: accounts do not belong on the command line: set {REDIS_VARIABLE}, and --redis env")
    return text


def open_redis(text: str, environ: Mapping[str, str]) -> Any:
    """Make the source of leg fills that ``--redis`` names; no connection is made yet. InputError as above."""
    url = redis_url(text, environ)
    if not is_installed("redis"):
        raise _not_installed("--redis", "redis", "redis")
    from brokers.redis_legs import RedisLegs

    try:
        return RedisLegs(url)
    except BrokerError as exc:
        raise InputError(f"--redis: {exc}") from exc


def _not_installed(option: str, package: str, extra: str, cause: ImportError | None = None) -> InputError:
    """Say which extra brings a package; another name in the cause is told as it is."""
    lacking = getattr(cause, "name", None) or package
    if cause is not None and lacking.partition(".")[0] != package:
        return InputError(f"{option}: {cause}")
    return InputError(f"{option} needs {package}: pip install 'options-attribution[{extra}]'")
