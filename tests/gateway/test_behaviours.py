"""Misbehaviour on order."""

import http.client
import socket
import ssl
import threading
import time

import pytest

from gateway import sign, xmlio
from gateway.client import GatewayError
from gateway.peers import KEY, signed


def test_delay_before_and_after(gateway, merchant):
    gateway.behaviour(path="unifiedorder", delay_ms=300, times=1)
    started = time.monotonic()
    assert merchant.order("A1")["result_code"] == "SUCCESS"
    assert time.monotonic() - started >= 0.3
    assert merchant.order("B1")["result_code"] == "SUCCESS"
    assert gateway.behaviours()[0]["left"] == 0


def test_cut(gateway, merchant):
    gateway.behaviour(path="unifiedorder", cut=True, times=1)
    with pytest.raises((http.client.RemoteDisconnected, ssl.SSLEOFError)):
        merchant.order("A1")
    assert gateway.order("A1")["state"] == "NOTPAY"
    gateway.behaviour(path="unifiedorder", cut=True, before=True, times=1)
    with pytest.raises((http.client.RemoteDisconnected, ssl.SSLEOFError)):
        merchant.order("B1")
    assert gateway.order("B1") is None and gateway.calls("B1") == 1
    gateway.behaviour(cut=40, times=1)
    with pytest.raises(http.client.IncompleteRead) as caught:
        merchant.order("C1")
    assert len(caught.value.partial) == 40
    gateway.behaviour(cut=True, rst=True, times=1)
    with pytest.raises(OSError):
        merchant.order("D1")


def test_spoilt_signatures(gateway, merchant):
    def said(**spec):
        gateway.clear()
        gateway.behaviour(**spec)
        body = xmlio.write(signed({"out_trade_no": "A1"}))
        return xmlio.read(merchant.raw("/pay/orderquery", body)[1])

    merchant.order("A1")
    assert "sign" not in said(unsigned=True)
    fields = said(wrong_sign=True)
    assert len(fields["sign"]) == 32 and fields["sign"] != sign.sign(fields, KEY)
    fields = said(other_key="k" * 32)
    assert fields["sign"] == sign.sign(fields, "k" * 32)
    assert said(sign_type_field=True)["sign_type"] == "MD5"


def test_odd_http(gateway, merchant):
    def reply(**spec):
        gateway.clear()
        gateway.behaviour(**spec)
        return merchant.raw("/pay/orderquery", xmlio.write(signed({"out_trade_no": "A1"})))

    found, body = reply(status=502)
    assert found.status == 502 and b"<html" in body
    found, body = reply(redirect="https://evil.example/")
    assert found.status == 302 and found.getheader("Location") == "https://evil.example/"
    assert reply(empty=True)[1] == b""
    assert reply(raw_body="<xml><a>1</a>")[1] == b"<xml><a>1</a>"
    assert len(reply(huge=1 << 20)[1]) >= 1 << 20
    with pytest.raises(http.client.BadStatusLine):
        reply(garbage="not http at all\r\n\r\n")
    found, _body = reply(date_skew_s=-7200)
    told = time.mktime(time.strptime(found.getheader("Date"), "%a, %d %b %Y %H:%M:%S GMT"))
    assert 7190 < time.mktime(time.gmtime()) - told < 7210


def test_lies(gateway, merchant):
    merchant.order("A1")
    gateway.pay("A1", notify=False)
    for action, name in (("wrong_amount", "total_fee"), ("wrong_trade_type", "trade_type"),
                         ("wrong_out_trade_no", "out_trade_no"), ("wrong_mch_id", "mch_id"),
                         ("wrong_appid", "appid")):
        truth = merchant.query("A1")[name]
        gateway.behaviour(path="orderquery", out_trade_no="A1", **{action: True})
        assert merchant.query("A1")[name] != truth
        gateway.clear()
    gateway.behaviour(path="orderquery", trade_state="USERPAYING")
    assert merchant.query("A1")["trade_state"] == "USERPAYING"
    gateway.clear()
    merchant.order("B1")
    gateway.behaviour(trade_state="SUCCESS", out_trade_no="B1")
    assert merchant.query("B1")["transaction_id"]
    gateway.clear()
    gateway.behaviour(missing="code_url", set={"prepay_id": "x"})
    answer = merchant.order("C1")
    assert "code_url" not in answer and answer["prepay_id"] == "x"


def test_errors_on_order(gateway, merchant):
    gateway.behaviour(err_code="SYSTEMERROR", times=1)
    assert merchant.order("A1")["err_code"] == "SYSTEMERROR"
    assert gateway.order("A1")["state"] == "NOTPAY"
    gateway.behaviour(err_code="NOAUTH", err_code_des="无权限", before=True, skip=1, times=1)
    assert merchant.order("B1")["result_code"] == "SUCCESS"
    assert merchant.order("C1")["err_code_des"] == "无权限"
    assert gateway.order("C1") is None
    gateway.behaviour(return_fail="系统繁忙", times=1)
    assert merchant.order("D1") == {"return_code": "FAIL", "return_msg": "系统繁忙"}
    with pytest.raises(GatewayError, match="unknown member"):
        gateway.behaviour(explode=True)


def test_refused_connections(gateway, merchant):
    for mode, error in ((True, ConnectionRefusedError), ("reset", ConnectionResetError),
                        ("hang", (TimeoutError, socket.timeout))):
        number = gateway.behaviour(host="primary", refuse_connect=mode)
        connection = merchant.connect()
        connection.timeout = 0.5
        with pytest.raises(error):
            connection.connect()
        assert merchant.order(host="backup")["result_code"] == "SUCCESS"
        gateway.clear(number)
        assert merchant.order()["result_code"] == "SUCCESS"
    gateway.behaviour(refuse_connect=True, for_ms=100)
    gateway.wait(lambda g: g.state()["connections"]["primary"]["mode"] == "serve")


def test_keepalive_and_counts(gateway, merchant):
    connection = merchant.connect()
    for _ in range(5):
        connection.request("POST", "/pay/orderquery", xmlio.write(signed({"out_trade_no": "A"})))
        connection.getresponse().read()
    state = gateway.state()
    assert state["connections"]["primary"]["handshakes"] == 1
    assert state["calls"]["/pay/orderquery"] == {"total": 5, "primary": 5}
    assert state["outcomes"]["/pay/orderquery"] == {"ORDERNOTEXIST": 5}
    assert gateway.drop("primary") == 1
    connection.close()


def test_many_callers(gateway, merchant):
    gateway.behaviour(path="unifiedorder", delay_ms=500)
    failures = []

    def order(n):
        try:
            assert merchant.order("M%d" % n)["result_code"] == "SUCCESS"
        except Exception as error:  # collected for the main thread
            failures.append(error)

    threads = [threading.Thread(target=order, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and gateway.state()["orders"] == {"NOTPAY": 100}
