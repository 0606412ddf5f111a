"""The adapter that ``docs/brokers.md`` builds step by step works, and keeps the contract it is said to keep."""

import re
import subprocess
import sys

import pytest

from attribution.app.checkup import standings
from tests.app.conftest import PROJECT

GUIDE = (PROJECT / "docs" / "brokers.md").read_text(encoding="utf-8")
JOIN = """import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("brokers.acme", pathlib.Path(__file__).with_name("client.py"))
sys.modules["brokers.acme"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from tests.brokers.conftest import vendor
"""


def block(name):
    (found,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```\n<!-- end -->", GUIDE, re.DOTALL)
    return found


def test_the_adapter_of_the_guide_passes_the_tests_of_the_guide(tmp_path, environment):
    (tmp_path / "client.py").write_text(block("client"))
    (tmp_path / "test_acme.py").write_text(block("test"))
    (tmp_path / "conftest.py").write_text(JOIN)
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", str(tmp_path)]
    found = subprocess.run(
        [sys.executable, *words, str(tmp_path)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_its_pages_are_there():
    links = re.findall(r"\]\(([^)#]+)", GUIDE)
    for link in links:
        assert (PROJECT / "docs" / link).is_file(), link


@pytest.mark.parametrize("page", [one.page for one in standings({})])
def test_every_broker_is_in_the_overview(page):
    assert f"]({page.removeprefix('docs/')})" in GUIDE


@pytest.mark.parametrize("one", standings({}), ids=lambda one: one.name)
def test_every_page_names_its_variables(one):
    text = (PROJECT / one.page).read_text(encoding="utf-8")
    for names in one.missing:
        for name in names.split(" or "):
            assert name in text
