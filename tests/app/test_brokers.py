"""``attribution brokers``: what is configured, what is missing, who answers; and never a secret."""

import json
import subprocess
import time
from importlib import import_module

import pytest

from attribution.app import checkup
from attribution.app.vendors import REDIS_VARIABLE, VENDORS
from attribution.market.source import Broker
from tests.app.conftest import COMMAND, PROJECT
from tests.brokers.fake_vendor import HANGS, FakeVendor, reply
from tests.brokers.redis_server import free_port, redis_url

__all__ = ["redis_url"]  # a fixture

SECRET = "not-to-be-seen-by-anybody"
VARIABLES = [name for one in VENDORS.values() for name in (*(n for group in one.needed for n in group), *one.optional)]
NAMES = [*VENDORS, "redis"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in (*VARIABLES, REDIS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch):
    """A server that stands for OpenAlgo's and Alpaca's."""
    with FakeVendor() as running:
        running.answer("/api/v1/ping", {"status": "success", "data": {"broker": "zerodha", "message": "pong"}})
        running.answer("/v2/account", {"status": "ACTIVE"})
        monkeypatch.setenv("OPENALGO_HOST", running.url)
        monkeypatch.setenv("OPENALGO_API_KEY", SECRET)
        monkeypatch.setenv("APCA_API_BASE_URL", running.url)
        yield running


def state_of(result, name):
    (line,) = [line for line in result.stdout.splitlines() if line.startswith(f"{name} ")]
    return line


def set_all(monkeypatch, names):
    for name in names:
        monkeypatch.setenv(name, SECRET)


# -- the table ---------------------------------------------------------------------------------------------------------


def test_without_variables_it_says_which_are_missing(run):
    result = run("brokers")
    assert result.exit_code == 0
    for name in NAMES:
        assert "not configured" in state_of(result, name)
    for vendor in VENDORS.values():
        for group in vendor.needed:
            for name in group:
                assert name in result.stdout
    assert "replay:FOLDER  ready" in result.stdout


def test_with_all_variables_nothing_is_missing_and_nothing_is_told(run, monkeypatch):
    set_all(monkeypatch, [name for one in VENDORS.values() for group in one.needed for name in group])
    monkeypatch.setenv(REDIS_VARIABLE, f"redis://:{SECRET}@127.0.0.1:1/0")
    result = run("brokers")
    assert result.exit_code == 0
    for name in NAMES:
        assert "configured" in state_of(result, name)
        assert "not configured" not in state_of(result, name)
    assert SECRET not in result.output
    assert "set " not in result.stdout


def test_nothing_configured_is_nothing_to_complain_of(run):
    result = run("brokers", "--check")
    assert result.exit_code == 0
    assert result.stdout == run("brokers").stdout


# -- the check ---------------------------------------------------------------------------------------------------------


def test_a_healthy_broker_and_a_healthy_server(run, server, monkeypatch, redis_url):
    set_all(monkeypatch, ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])
    monkeypatch.setenv(REDIS_VARIABLE, redis_url)
    result = run("brokers", "--check")
    assert result.exit_code == 0, result.stdout
    assert "broker zerodha" in state_of(result, "openalgo")
    assert " ok " in state_of(result, "alpaca")
    assert " ok " in state_of(result, "redis")
    assert "not configured" in state_of(result, "shoonya")
    assert SECRET not in result.output


def test_an_unhealthy_one_is_told_without_its_secrets(run, server, monkeypatch):
    server.answer("/api/v1/ping", reply({"status": "error", "message": f"Invalid openalgo apikey {SECRET}"}, 403))
    monkeypatch.setenv(REDIS_VARIABLE, f"redis://:{SECRET}@127.0.0.1:{free_port()}/0")
    result = run("brokers", "--check")
    assert result.exit_code == 1
    assert "no valid session; needs a valid API key" in " ".join(result.stdout.split())
    assert "unhealthy" in state_of(result, "openalgo")
    assert "not reachable" in state_of(result, "redis")
    assert SECRET not in result.output


@pytest.mark.parametrize("name", ["shoonya", "fivepaisa"])
def test_vendors_at_fixed_addresses_are_checked_too(run, server, monkeypatch, name):
    vendor = VENDORS[name]
    monkeypatch.delenv("OPENALGO_API_KEY")
    monkeypatch.setattr(import_module(f"{vendor.module}.client"), "BASE_URL", server.url)
    set_all(monkeypatch, [group[0] for group in vendor.needed])
    result = run("brokers", "--check")
    assert result.exit_code == 1
    assert "unhealthy" in state_of(result, name)
    assert server.calls
    assert SECRET not in result.output


def test_a_server_that_never_answers_is_not_waited_for(server, environment):
    """In a process: it must also end, whatever its threads still wait for."""
    server.answer("/api/v1/ping", HANGS)
    code = (
        "import sys\nfrom attribution.app import checkup, main\n"
        "check = checkup.check\nmain.check_brokers = lambda found, environ: check(found, environ, 0.5)\n"
        "sys.argv = ['attribution', 'brokers', '--check']\nmain.main()"
    )
    begun = time.monotonic()
    running = subprocess.run(
        [COMMAND[0], "-c", code], env=environment_with(environment, server), capture_output=True, text=True, check=False
    )
    assert running.returncode == 1, running.stderr
    assert "no answer within 0.5 s" in running.stdout
    assert time.monotonic() - begun < 30.0


def environment_with(environment, server):
    return {**environment, "OPENALGO_API_KEY": SECRET, "OPENALGO_HOST": server.url}


def test_a_fault_of_one_adapter_hides_no_other(run, server, monkeypatch):
    set_all(monkeypatch, ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])

    def broken(self):
        raise RuntimeError(SECRET)

    monkeypatch.setattr("brokers.alpaca.AlpacaBroker.health", broken)
    result = run("brokers", "--check")
    assert result.exit_code == 1
    assert "RuntimeError: this is a fault of the adapter" in " ".join(result.stdout.split())
    assert " ok " in state_of(result, "openalgo")
    assert SECRET not in result.output


def test_an_adapter_that_is_not_installed_is_told(run, server, monkeypatch):
    monkeypatch.setattr("attribution.app.vendors.is_installed", lambda package: False)
    result = run("brokers")
    assert result.exit_code == 0
    assert "not installed   pip install 'options-attribution[brokers]'" in state_of(result, "openalgo")


# -- the list of vendors and the adapters agree ------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=list(VENDORS))
def test_the_adapters_want_the_variables_that_are_named(vendor):
    kind = getattr(import_module(vendor.module), vendor.kind)
    with kind.from_environment({}) as bare:
        told = json.dumps(bare.health().missing)
    assert not bare.health().configured
    for group in vendor.needed:
        assert any(name in told for name in group), (group, told)
    for place in (0, -1):
        names = [group[place] for group in vendor.needed]
        assert vendor.missing(dict.fromkeys(names, SECRET)) == []
        with kind.from_environment(dict.fromkeys(names, SECRET)) as full:
            assert isinstance(full, Broker)


def test_every_vendor_has_a_page():
    pages = [one.page for one in checkup.standings({})]
    for page in (*pages, "docs/brokers/replay.md"):
        assert (PROJECT / page).is_file(), page
