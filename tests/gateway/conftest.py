"""Fixtures of the simulator's own tests."""

import pytest

from gateway.client import Gateway
from gateway.peers import APPID, KEY, MCH_ID, PROVIDER, PROVIDER_APPID, Merchant, Shop


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    merchants = ["%s,%s,%s" % (APPID, MCH_ID, KEY), "%s,%s,%s" % (PROVIDER_APPID, PROVIDER, KEY)]
    with Gateway(tmp_path_factory.mktemp("gateway"), merchants,
                 providers=[PROVIDER + ",1900000201,wxsub000000000001"],
                 retry_scale=0.001, notify_timeout=1) as gateway:
        yield gateway


@pytest.fixture
def gateway(process):
    process.reset()
    process.merchant(mch_id=MCH_ID, appid=APPID, key=KEY)
    return process


@pytest.fixture
def merchant(gateway):
    return Merchant(gateway)


@pytest.fixture
def shop():
    server = Shop()
    yield server
    server.shutdown()
    server.server_close()
