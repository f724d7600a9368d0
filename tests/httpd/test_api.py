"""The backends' API: who may ask, what an order may say, and what comes back."""

import calendar
import datetime
import json
import re
import time

import pytest

from gateway import clock

from .shop import API_PATH, SMALLEST

FORM = "application/x-www-form-urlencoded"
PROBLEM = {"type", "title", "status", "detail", "code"}


def problem(response, status, code, field=None):
    """Checks an RFC 9457 answer and returns it."""
    assert response.status == status, response
    assert response.header("Content-Type") == "application/problem+json"
    assert response.header("Cache-Control") == "no-store"
    data = response.json()
    assert PROBLEM <= set(data) and data["type"] == "about:blank" and data["status"] == status
    assert data["code"] == code, data
    assert data.get("field") == field, data
    return data


def rfc3339(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- who may ask

@pytest.mark.parametrize("key", [None, "", "x", "wrong" * 8])
def test_without_the_key(shop, key):
    for method, path in (("GET", "/orders/A1"), ("POST", "/orders"), ("GET", "/nothing")):
        response = shop.api.request(method, path, headers={
            "Authorization": None if key is None else "Bearer " + key})
        problem(response, 401, "unauthorized")
        assert response.header("WWW-Authenticate").startswith("Bearer")


@pytest.mark.parametrize("form", ["{}", "Basic {}", "Bearer{}", "Bearer {}x", "Bearer x{}"])
def test_the_key_in_another_form(shop, form):
    response = shop.api.request("GET", "/orders/A1", headers={
        "Authorization": form.format(shop.merchant.api_key)})
    problem(response, 401, "unauthorized")


@pytest.mark.parametrize("form", ["bearer {}", "Bearer   {}"])
def test_the_key_in_a_form_that_counts(shop, form):
    response = shop.api.request("GET", "/orders/A1", headers={
        "Authorization": form.format(shop.merchant.api_key)})
    problem(response, 404, "order_not_found")


@pytest.mark.parametrize("headers", [
    {"Origin": "https://shop.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"}])
def test_browsers_are_refused(shop, headers):
    number = shop.number()
    response = shop.api.post_order({"out_trade_no": number, "total_fee": 1, "body": "x"},
                                   headers=headers)
    problem(response, 403, "browser_refused")
    assert shop.row(number) is None


def test_sec_fetch_mode_is_no_browser(shop):
    response = shop.api.request("GET", "/orders/A1", headers={"Sec-Fetch-Mode": "cors"})
    problem(response, 404, "order_not_found")


def test_the_previous_key_still_opens(new_shop):
    base = SMALLEST.replace("site.key\n", "site.key file:${ROOT}/conf/wxpay/old.key\n")
    shop = new_shop(base=base, start=False)
    shop.httpd.write("conf/wxpay/old.key", "the-old-key-of-this-site\n", 0o600)
    shop.start()
    for key, status in ((shop.merchant.api_key, 404), ("the-old-key-of-this-site", 404),
                        ("the-older-key", 401)):
        response = shop.api.request("GET", "/orders/A1", headers={"Authorization": "Bearer " + key})
        assert response.status == status


# ---- paths and methods

@pytest.mark.parametrize("path", [
    "", "/", "/order", "/orders/", "/ordersx", "/orders/A1/", "/orders/A1/pay", "/orders/A1/close/",
    "/orders/A%201", "/orders/A@1", "/orders/A*2", "/orders/%257C",
    "/orders/" + "x" * 33, "/orders/w*abcdefghijklmnopqrstuvwxyz"])
def test_unknown_paths(shop, path):
    problem(shop.api.request("GET", path), 404, "not_found")


def test_an_encoded_slash_is_no_path(shop):
    assert shop.api.request("GET", "/orders%2FA1").status == 404
    assert shop.api.request("GET", "/orders/A%2F1").status == 404


@pytest.mark.parametrize("method,path,allow", [
    ("PUT", "/orders", "GET, HEAD, POST"), ("DELETE", "/orders/A1", "GET, HEAD"),
    ("POST", "/orders/A1", "GET, HEAD"), ("GET", "/orders/A1/close", "POST"),
    ("OPTIONS", "/orders", "GET, HEAD, POST")])
def test_methods(shop, method, path, allow):
    response = shop.api.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert response.header("Allow") == allow


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refunds_come_later(shop, method):
    problem(shop.api.request(method, "/orders/A1/refunds"), 501, "not_implemented")


def test_rights(new_shop):
    shop = new_shop(conf="WxPayApiAllow create\n")
    number = shop.number()
    assert shop.api.post_order({"out_trade_no": number, "total_fee": 1, "body": "x"}).status == 201
    path = shop.api.order_path(number)
    for method, sub, right in (("GET", "", "query"), ("POST", "/close", "close")):
        refusal = problem(shop.api.request(method, path + sub), 403, "not_allowed")
        assert right in refusal["detail"]


def test_an_error_document_never_replaces_an_answer(new_shop):
    shop = new_shop(conf="".join("ErrorDocument %d /index.html\n" % status for status in
                                 (401, 403, 404, 405, 413, 415, 501)))
    problem(shop.api.request("GET", "/orders/A1"), 404, "order_not_found")
    problem(shop.api.request("GET", "/orders/A1", headers={"Authorization": None}), 401,
            "unauthorized")


# ---- bodies

def test_the_body_has_a_limit(shop):
    body = "out_trade_no=A1&total_fee=1&body=" + "x" * 66000
    problem(shop.api.request("POST", "/orders", body, {"Content-Type": FORM}), 413,
            "body_too_large")


@pytest.mark.parametrize("kind", [None, "text/plain", "text/xml", "multipart/form-data; boundary=x",
                                  "application/jsonx"])
def test_content_types(shop, kind):
    response = shop.api.request("POST", "/orders", b"out_trade_no=A1&total_fee=1&body=x",
                                {"Content-Type": kind})
    problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind,body,field", [
    (FORM, "out_trade_no=A1&total_fee=1&total_fee=2&body=x", "total_fee"),
    (FORM, "out_trade_no=A1&total_fee=1&body=x&=y", None),
    (FORM, "out_trade_no=A1&total_fee=1&body=%zz", "body"),
    (FORM, "out_trade_no=A1&total_fee=1&body=%ff", "body"),
    (FORM, "out_trade_no=A1&total_fee=1&body=a%00b", "body"),
    ("application/json", "", None),
    ("application/json", "{", None),
    ("application/json", "[]", None),
    ("application/json", "{} {}", None),
    ("application/json", '{"out_trade_no":"A1","total_fee":1.0,"body":"x"}', "total_fee"),
    ("application/json", '{"out_trade_no":"A1","total_fee":true,"body":"x"}', "total_fee"),
    ("application/json", '{"out_trade_no":"A1","total_fee":1,"total_fee":2,"body":"x"}',
     "total_fee"),
    ("application/json", '{"out_trade_no":"A1","total_fee":1,"body":{"a":1}}', "body"),
])
def test_malformed_bodies(shop, kind, body, field):
    problem(shop.api.request("POST", "/orders", body, {"Content-Type": kind}), 400, "malformed",
            field)


@pytest.mark.parametrize("field,value", [
    ("out_trade_no", ""), ("out_trade_no", "A 1"), ("out_trade_no", "A*1"),
    ("out_trade_no", "x" * 33), ("total_fee", "0"), ("total_fee", "-1"), ("total_fee", "9.90"),
    ("total_fee", "10000000001"), ("body", ""), ("body", "x" * 128), ("body", "tea \U0001f375"),
    ("body", "a\nb"), ("attach", "x&total_fee=1"), ("attach", "x" * 128),
    ("trade_type", "MICROPAY"), ("trade_type", "MWEB"), ("openid", "a b"), ("spbill_create_ip", "here"), ("detail", "x"),
    ("product_id", "x" * 33), ("goods_tag", "x" * 33), ("limit_pay", "no"), ("scene_info", "[]"),
    ("profit_sharing", "X"), ("receipt", "X"), ("time_expire", "soon"),
    ("return_url", "//evil.example/"), ("return_url", "https://evil.example/"),
    ("return_url", "https://shop.example@evil.example/"), ("notify_url", "https://evil.example/"),
    ("device_info", "x" * 33), ("version", "x" * 33), ("user_type", "x" * 33),
    ("user_creid", "x" * 33), ("user_truename", "名" * 22), ("fingerprint", "x" * 257),
    ("fee_type", "USD"), ("sub_appid", "wx1"), ("sign", "x")])
@pytest.mark.parametrize("as_json", [False, True])
def test_members(shop, field, value, as_json):
    number = shop.number()
    members = {"out_trade_no": number, "total_fee": "1", "body": "x", field: value}
    problem(shop.api.post_order(members, as_json), 422, "invalid_member", field)
    assert shop.row(number) is None


@pytest.mark.parametrize("field", ["out_trade_no", "total_fee", "body"])
def test_required_members(shop, field):
    members = {"out_trade_no": shop.number(), "total_fee": "1", "body": "x"}
    del members[field]
    assert problem(shop.api.post_order(members), 422, "invalid_member", field)["detail"] \
        == field + " is missing"


# ---- create, read, close

@pytest.mark.parametrize("as_json", [False, True])
def test_an_order_is_stored(shop, as_json):
    number = shop.number()
    members = {"out_trade_no": number, "total_fee": 1990, "body": "茶 & tea", "attach": "a=1&b=2",
               "return_url": "/done?x=1&body=2", "goods_tag": "WXG"}
    response = shop.api.post_order(members, as_json)
    assert response.status == 201
    assert response.header("Location") == API_PATH + "/orders/" + number
    assert response.header("Content-Type") == "application/json"
    assert response.header("Cache-Control") == "no-store"
    assert response.header("X-Content-Type-Options") == "nosniff"
    order = response.json()
    assert order["state"] == "NEW" and order["total_fee"] == 1990 and order["fee_type"] == "CNY"
    assert order["body"] == "茶 & tea" and order["attach"] == "a=1&b=2"
    assert re.fullmatch(re.escape(shop.public) + "/wxpay/pay/[0-9A-Za-z_-]{22}", order["pay_url"])
    assert order["flags"] == [] and order["attempts"] == []
    assert not {"code_url", "trade_type", "transaction_id", "late"} & set(order)
    assert shop.api.get(number) == order
    assert shop.ledger(number) is None
    assert shop.row(number)["return_url"] == "/done?x=1&body=2"


def test_head(shop):
    number = shop.create()["out_trade_no"]
    response = shop.api.request("HEAD", shop.api.order_path(number))
    assert response.status == 200 and response.body == b""


def test_a_number_with_a_bar(shop):
    number = shop.number("a|b*_-")
    response = shop.api.post_order({"out_trade_no": number, "total_fee": 1, "body": "x"})
    assert response.status == 201
    assert "%7C" in response.header("Location").upper()
    assert shop.api.web.get(response.header("Location"), {
        "Authorization": "Bearer " + shop.merchant.api_key}).json()["out_trade_no"] == number


def test_the_same_again(shop):
    number = shop.number()
    first = shop.create(out_trade_no=number)
    response = shop.api.post_order({"out_trade_no": number, "total_fee": 1990, "body": "Tea"})
    assert response.status == 200 and response.json() == first
    assert response.header("Location") is None


@pytest.mark.parametrize("field,value", [
    ("total_fee", 1991), ("body", "Coffee"), ("attach", "x"), ("return_url", "/elsewhere"),
    ("goods_tag", "g"), ("product_id", "p"), ("time_expire", rfc3339(3600))])
def test_other_facts(shop, field, value):
    order = shop.create(attach="y", return_url="/here")
    members = {"out_trade_no": order["out_trade_no"], "total_fee": 1990, "body": "Tea",
               "attach": "y", "return_url": "/here", field: value}
    data = problem(shop.api.post_order(members), 409, "other_facts", field)
    assert field in data["detail"]
    assert shop.api.get(order["out_trade_no"]) == order


def test_a_repeat_is_judged_by_its_first_time(shop):
    """time_expire was 6 minutes ahead when the order came; a repeat much later is no new order."""
    members = {"out_trade_no": shop.number(), "total_fee": 1, "body": "x",
               "time_expire": rfc3339(6 * 60 + 2)}
    assert shop.api.post_order(members).status == 201
    time.sleep(3)
    assert shop.api.post_order(members).status == 200
    members["out_trade_no"] = shop.number()
    problem(shop.api.post_order(members), 422, "invalid_member", "time_expire")


def test_native(shop):
    number = shop.number()
    members = {"out_trade_no": number, "total_fee": 1990, "body": "Tea", "trade_type": "NATIVE",
               "detail": {"goods_detail": [{"goods_id": "1", "quantity": 1, "price": 1990}]}}
    response = shop.api.post_order(members, as_json=True)
    assert response.status == 201, response
    order = response.json()
    assert order["state"] == "PENDING" and order["trade_type"] == "NATIVE"
    assert order["code_url"].startswith("weixin://wxpay/")
    assert order["attempts"] == [{"gateway_no": number, "trade_type": "NATIVE", "state": "OPEN"}]
    again = shop.api.post_order(members, as_json=True)
    assert again.status == 200 and again.json() == order
    assert shop.calls(number) == 1
    sent = shop.ledger(number)["params"]
    assert sent["device_info"] == "WEB" and sent["product_id"] == number
    assert json.loads(sent["detail"]) == members["detail"]
    assert "spbill_create_ip" in sent and "openid" not in sent


def test_every_member_reaches_the_gateway(shop):
    """What unifiedorder takes and an order may say: protocol dossier, section 4.1."""
    number = shop.number()
    members = {"total_fee": 1990, "body": "茶", "trade_type": "NATIVE", "attach": "a",
               "detail": '{"cost_price":1990}', "product_id": "P1", "goods_tag": "WXG",
               "limit_pay": "no_credit", "scene_info": '{"store_info":{"id":"1"}}',
               "profit_sharing": "N", "receipt": "Y",
               "device_info": "013467007045764", "version": "1.0", "user_type": "IDCARD",
               "user_creid": "320102199001011234", "user_truename": "王小明", "fingerprint": "f1"}
    assert shop.api.post_order({"out_trade_no": number, **members}).status == 201
    sent = shop.ledger(number)["params"]
    assert {name: sent.get(name) for name in members} == {**members, "total_fee": "1990"}
    assert sent["fee_type"] == "CNY"
    other = shop.api.post_order({"out_trade_no": number, **members, "user_truename": "王大明"})
    assert other.status == 409


def test_how_long_an_order_can_be_paid(new_shop):
    shop = new_shop(conf="WxPayOrderTTL 30min\n")

    def ends(**more):
        """When it ends, in seconds from now, as the API has it; the gateway has the same time."""
        order = shop.create(trade_type="NATIVE", **more)
        end = calendar.timegm(time.strptime(order["expires_at"], "%Y-%m-%dT%H:%M:%SZ"))
        assert clock.parse(shop.ledger(order["out_trade_no"])["params"]["time_expire"]) == end
        return end - time.time()
    assert 1790 < ends() <= 1800
    assert 3590 < ends(time_expire=rfc3339(3600)) <= 3600


def test_jsapi(shop):
    number = shop.number()
    order = shop.api.create(number, 1990, trade_type="JSAPI", openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
                            spbill_create_ip="2001:db8::7")
    assert order["trade_type"] == "JSAPI" and order["prepay_id"].startswith("wx")
    assert "code_url" not in order
    sent = shop.ledger(number)["params"]
    assert sent["openid"] == "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
    assert sent["spbill_create_ip"] == "2001:db8::7"


@pytest.mark.parametrize("field", ["openid", "spbill_create_ip"])
def test_jsapi_needs(shop, field):
    members = {"out_trade_no": shop.number(), "total_fee": 1, "body": "x", "trade_type": "JSAPI",
               "openid": "o1", "spbill_create_ip": "1.2.3.4"}
    del members[field]
    problem(shop.api.post_order(members), 422, "invalid_member", field)


def test_a_stored_order_is_opened_later(shop):
    number = shop.create()["out_trade_no"]
    response = shop.api.post_order({"out_trade_no": number, "total_fee": 1990, "body": "Tea",
                                    "trade_type": "NATIVE"})
    assert response.status == 200 and "code_url" in response.json()


def test_paid(shop):
    order = shop.create(trade_type="NATIVE")
    number = order["out_trade_no"]
    shop.pay(number)
    paid = shop.api.get(number)
    assert paid["state"] == "PAID" and paid["trade_type"] == "NATIVE"
    assert paid["transaction_id"] and paid["openid"] and paid["time_end"]
    assert "code_url" not in paid
    again = shop.api.post_order({"out_trade_no": number, "total_fee": 1990, "body": "Tea",
                                 "trade_type": "NATIVE"})
    assert again.status == 200 and again.json() == paid
    problem(shop.api.request("POST", shop.api.order_path(number) + "/close"), 409, "order_paid")


def test_refresh_finds_a_payment(shop):
    number = shop.create(trade_type="NATIVE")["out_trade_no"]
    with shop.behaviour(no_notify=True, out_trade_no=number):
        shop.pay(number, wait=False)
        assert shop.api.get(number)["state"] == "PENDING"
        assert shop.api.refresh(number)["state"] == "PAID"


@pytest.mark.parametrize("query,field", [("refresh=2", "refresh"), ("state=1", "state")])
def test_odd_queries(shop, query, field):
    path = shop.api.order_path(shop.create()["out_trade_no"])
    problem(shop.api.request("GET", path + "?" + query), 422, "invalid_member", field)
    problem(shop.api.request("GET", path + "?refresh=1&refresh=1"), 400, "malformed", "refresh")
    assert shop.api.request("GET", path + "?refresh=0").status == 200


def test_close(shop):
    number = shop.create()["out_trade_no"]
    assert shop.api.close(number)["state"] == "CLOSED"
    assert shop.api.close(number)["state"] == "CLOSED"
    opened = shop.create(trade_type="NATIVE")["out_trade_no"]
    closed = shop.api.close(opened)
    assert closed["state"] == "CLOSED" and "code_url" not in closed
    assert shop.ledger(opened)["state"] == "CLOSED"
    again = shop.api.post_order({"out_trade_no": opened, "total_fee": 1990, "body": "Tea",
                                 "trade_type": "NATIVE"})
    assert again.status == 200 and again.json()["state"] == "CLOSED"


def test_unknown_orders(shop):
    path = shop.api.order_path(shop.number())
    problem(shop.api.request("GET", path), 404, "order_not_found")
    problem(shop.api.request("GET", path + "?refresh=1"), 404, "order_not_found")
    problem(shop.api.request("POST", path + "/close"), 404, "order_not_found")


def test_host_and_forwarded_headers_count_for_nothing(shop):
    response = shop.api.post_order(
        {"out_trade_no": shop.number(), "total_fee": 1, "body": "x", "trade_type": "NATIVE"},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example",
                 "X-Forwarded-For": "203.0.113.9", "Forwarded": "host=evil.example"})
    assert response.status == 201
    assert "evil" not in response.text + str(response.headers)
    sent = shop.ledger(response.json()["out_trade_no"])["params"]
    assert "evil" not in json.dumps(sent) and "203.0.113.9" not in json.dumps(sent)
