"""Fixtures of the system tests. tests/httpd/conftest.py offers them; others may import them."""

import contextlib
import pathlib
import tempfile

import pytest

from gateway.client import Gateway

from .base_conf import MPMS
from .certs import Authority
from .php import Php
from .phpshop import PhpShop, ShopPhp
from .scripts import Backend
from .server import Httpd
from .shop import Shop

# The servers that run now: their logs are checked after every test.
_live = []


def chosen_mpms(config):
    """The MPMs to test: all, or what --mpm names."""
    said = config.getoption("--mpm", default=None) or "all"
    names = list(MPMS) if said == "all" else said.split(",")
    unknown = set(names) - set(MPMS)
    if unknown:
        raise pytest.UsageError("--mpm: unknown %s" % ", ".join(sorted(unknown)))
    return names


def main_mpm(config):
    """The MPM of what is tested under one only: event, unless --mpm leaves it out."""
    names = chosen_mpms(config)
    return "event" if "event" in names else names[0]


@pytest.fixture(scope="session")
def authority():
    """The CA and certificate of the shops."""
    with tempfile.TemporaryDirectory(prefix="wxpay-ca-") as directory:
        pathlib.Path(directory).chmod(0o755)
        yield Authority(directory)


@pytest.fixture(scope="session")
def gateway(authority):
    """The simulator, one for all tests; retries come 1000 times as fast as WeChat's."""
    with tempfile.TemporaryDirectory(prefix="wxpay-gateway-") as directory:
        pathlib.Path(directory).chmod(0o755)
        with Gateway(directory, merchants=["wx2421b1c4370ec43b,1230000109," + "k" * 32],
                     notify_ca=authority.ca, retry_scale=0.001) as running:
            yield running


@pytest.fixture(scope="session")
def php():
    """A php-fpm for all tests."""
    with Php() as running:
        yield running


@pytest.fixture(scope="session")
def backend():
    """The backend of scripts.Scripts."""
    running = Backend()
    yield running
    running.close()


def _closed(thing, server):
    """Ends a server; what its log says at the end counts too."""
    _live.remove(server)
    try:
        server.stop()
        server.check_log()
    finally:
        thing.close()


def _factory(make, server_of):
    """A function that makes servers, and one that ends them all."""
    made = []

    def build(*arguments, start=True, **options):
        thing = make(*arguments, **options)
        made.append(thing)
        _live.append(server_of(thing))
        return thing.start() if start else thing

    def end():
        faults = []
        for thing in reversed(made):
            try:
                _closed(thing, server_of(thing))
            except (AssertionError, RuntimeError) as fault:
                faults.append(str(fault))
        assert not faults, "\n".join(faults)

    return build, end


@pytest.fixture
def httpd(request, authority):
    """httpd(conf, start=True, **options) -> a running Httpd; it ends with the test."""
    build, end = _factory(
        lambda conf="", **options: Httpd(conf, **{
            "mpm": main_mpm(request.config), "authority": authority, **options}),
        lambda server: server)
    yield build
    end()


@pytest.fixture
def new_shop(request, authority, gateway):
    """new_shop(start=True, **options) -> a running Shop; it ends with the test."""
    build, end = _factory(
        lambda **options: Shop(gateway, **{
            "mpm": main_mpm(request.config), "authority": authority, **options}),
        lambda shop: shop.httpd)
    yield build
    end()


@pytest.fixture(scope="session")
def shop_php():
    """The php-fpm of the PHP shops."""
    with ShopPhp() as running:
        yield running


@pytest.fixture
def new_php_shop(request, authority, gateway, shop_php):
    """new_php_shop(start=True, php=…, **options) -> a running PhpShop; it ends with the test."""
    build, end = _factory(
        lambda php=shop_php, **options: PhpShop(gateway, php, **{
            "mpm": main_mpm(request.config), "authority": authority, **options}),
        lambda shop: shop.httpd)
    yield build
    end()


@contextlib.contextmanager
def running_httpd(config, authority, conf, files=None, **options):
    """A server that several tests share, with these further files (name: text) of its own."""
    running = Httpd(conf, **{"mpm": main_mpm(config), "authority": authority, **options})
    for name, (text, mode) in (files or {}).items():
        running.write(name, text, mode)
    _live.append(running)
    try:
        yield running.start()
    finally:
        _closed(running, running)


@contextlib.contextmanager
def running_shop(config, authority, gateway, files=None, **options):
    """A shop that several tests share, with these further files (name: text) of its own."""
    running = Shop(gateway, **{"mpm": main_mpm(config), "authority": authority, **options})
    for name, text in (files or {}).items():
        running.httpd.write(name, text, 0o600)
    _live.append(running.httpd)
    try:
        running.start()
        yield running
    finally:
        _closed(running, running.httpd)


@pytest.fixture(scope="module")
def shop(request, authority, gateway):
    """The smallest working site, shared by the tests of a module."""
    with running_shop(request.config, authority, gateway) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean_logs():
    """After every test: no warn or error line that the test did not announce."""
    yield
    faults = []
    for server in _live:
        try:
            server.check_log()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


def log_sections():
    """(title, text) of the running servers' logs, for the report of a failed test."""
    return [("error_log of %s (%s)" % (server.root.name, server.mpm), server.log.tail())
            for server in _live]
