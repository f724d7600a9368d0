"""pytest's hooks for the system tests."""

import pytest

from .fixtures import *  # noqa: F401,F403 - fixtures are found by name
from .fixtures import _clean_logs, chosen_mpms, log_sections  # noqa: F401


def pytest_addoption(parser):
    parser.addoption("--mpm", default="all", metavar="NAMES",
                     help="MPMs to test under: all, or some of event,worker,prefork")


def pytest_generate_tests(metafunc):
    """A test that takes `mpm` runs once under each."""
    if "mpm" in metafunc.fixturenames:
        metafunc.parametrize("mpm", chosen_mpms(metafunc.config))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the servers logged."""
    report = (yield).get_result()
    if report.failed:
        report.sections.extend(log_sections())
