"""Fixtures of the browser tests; those of the system tests (shop, gateway, …) come along."""
import os
import subprocess
from pathlib import Path

import pytest

from httpd.fixtures import *  # noqa: F401,F403 - fixtures are found by name
from httpd.fixtures import _clean_logs, log_sections  # noqa: F401

from .chromium import Chromium
from .stage import Stage

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """A directory with every page, <state>.<language>.html, rendered by the unit test."""
    directory = tmp_path_factory.mktemp("pages")
    program = "build/tests/unit/test_page"
    subprocess.run(["make", "-s", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env={**os.environ, "WXPAY_PAGE_DIR": str(directory)})
    return directory


@pytest.fixture(scope="session")
def theatre(pages):
    running = Stage(pages)
    yield running
    running.close()


@pytest.fixture
def stage(theatre, chromium):
    """The stand-in for the module, in its first state."""
    chromium.driver.get("about:blank")  # the last test's page must not meet the new stage
    theatre.reset()
    return theatre


@pytest.fixture(scope="session")
def chromium():
    running = Chromium()
    yield running
    running.close()


@pytest.fixture
def browser(chromium):
    """The browser with a new tab, 1280 x 800, light, and nothing remembered."""
    chromium.fresh()
    return chromium


@pytest.fixture
def chromium_tls():
    """A browser that finds shop.example on this machine and takes its test certificate."""
    running = Chromium(["--host-resolver-rules=MAP shop.example 127.0.0.1",
                        "--ignore-certificate-errors"])
    yield running
    running.close()


@pytest.fixture
def browser_at_shop():
    """browser_at_shop(shop) -> a browser that finds https://shop.example at this shop's port."""
    made = []

    def at(shop):
        made.append(Chromium(["--host-resolver-rules=MAP shop.example:443 127.0.0.1:%d"
                              % shop.httpd.tls_port, "--ignore-certificate-errors"]))
        return made[0]

    yield at
    for running in made:
        running.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the servers logged."""
    report = (yield).get_result()
    if report.failed:
        report.sections.extend(log_sections())
