"""Nothing of a site gets in the way: front controllers, proxies, error documents, logins."""

import base64
import hashlib

import pytest

from .notices import accepted, payment, refused, transaction

FRONT_CONTROLLER = """
RewriteEngine On
RewriteCond %{REQUEST_URI} !^/index\\.html$
RewriteRule . /index.html [L]
"""
HTACCESS = """
RewriteEngine On
RewriteCond %{REQUEST_FILENAME} !-f
RewriteRule . /index.html [L]
"""
SITES = {
    "front controller of the server": ("", FRONT_CONTROLLER),
    "front controller in .htaccess": (HTACCESS, ""),
    "ProxyPass /": ("", "ProxyPass / http://127.0.0.1:1/\nProxyPassReverse / http://127.0.0.1:1/\n"),
    "ProxyPassMatch": ("", "ProxyPassMatch ^/(.*)$ http://127.0.0.1:1/$1\n"),
    "Redirect": ("", "RedirectMatch 301 ^/(?!moved)(.*)$ /moved/$1\n"),
    "ErrorDocument": ("", "".join("ErrorDocument %d /index.html\n" % code for code in
                                  (400, 401, 403, 404, 405, 409, 413, 415, 422, 500, 502, 503, 504))),
    "Alias": ("", "Alias /wxpay ${DOCROOT}\nScriptAlias /wxpay/api ${DOCROOT}\n"),
    "old access control": ("Order deny,allow\nDeny from all\n", ""),
}


@pytest.fixture(params=list(SITES), ids=lambda name: name.replace(" ", "-"))
def site(request, new_shop):
    htaccess, vhost = SITES[request.param]
    shop = new_shop(vhost=vhost, start=False)
    if htaccess:
        shop.httpd.write("htdocs/.htaccess", htaccess)
    return shop.start()


def test_the_whole_way(site):
    order, _ = site.payable(1990)
    number = order["out_trade_no"]
    assert site.buyer(order).page().status == 200
    assert site.buyer(order).state().status == 200
    assert site.buyer(order).qr().header("Content-Type") == "image/svg+xml"
    site.pay(number)
    assert site.wait_state(number, "PAID")
    assert site.api.get(number)["state"] == "PAID"


def test_machine_answers_are_not_replaced(site):
    site.httpd.expect_log("WXP0302: notification refused")
    assert refused(site.notify_raw("<xml/>"))
    assert site.web().get("/wxpay/notify").status == 405
    wrong = site.web().post("/wxpay/api/orders", {"out_trade_no": "A"})
    assert wrong.status == 401 and wrong.header("Content-Type") == "application/problem+json"
    unknown = site.web().get("/wxpay/api/orders/NONE",
                             {"Authorization": "Bearer " + site.merchant.api_key})
    assert unknown.status == 404 and unknown.header("Content-Type") == "application/problem+json"


LOGIN = """
<Location "/">
    AuthType Basic
    AuthName members
    AuthUserFile ${ROOT}/conf/users
    Require valid-user
</Location>
"""


def test_login_on_everything(new_shop):
    """Only the notify endpoint is open; pages and API obey Require."""
    shop = new_shop(vhost=LOGIN, start=False)
    shop.httpd.write("conf/users", "ann:{SHA}%s\n" % base64.b64encode(
        hashlib.sha1(b"tea").digest()).decode())
    shop.start()
    body = payment(shop.merchant, "NOBODYS", 1, transaction(77))
    shop.httpd.expect_log("number NOBODYS: an authentic payment")
    assert refused(shop.notify_raw(body))  # an orphan: read, verified, recorded
    assert len(shop.httpd.rows("SELECT ref FROM notices WHERE verdict = 'orphan'")) == 1
    shop.httpd.allow_log("AH01617|AH01618|AH01797|AH01630")
    assert shop.web().get("/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA").status == 401
    assert shop.web().get("/wxpay/api/orders/X").status == 401
    login = {"Authorization": "Basic " + base64.b64encode(b"ann:tea").decode()}
    assert shop.web().get("/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA", login).status == 404


def test_location_settings_reach_checkout_and_api(new_shop):
    shop = new_shop(vhost="""
<Location "/wxpay/pay">
    Require all denied
</Location>
<Location "/wxpay/api">
    Header always set X-Of-The-Site yes
</Location>
""")
    shop.httpd.allow_log("AH01630")
    assert shop.web().get("/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA").status == 403
    assert shop.web().get("/wxpay/api/orders/X").header("X-Of-The-Site") == "yes"


def test_other_paths_belong_to_the_site(shop):
    for path in ("/wxpay/notify/", "/wxpay/notifyx", "/wxpay/payx", "/wxpay/apix", "/wxpay"):
        assert shop.web().get(path).status == 404, path
    assert shop.web().get("/").status == 200


def test_forged_names_are_never_believed(shop):
    """Host and X-Forwarded-* of a request are in nothing that is sent or shown."""
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "http", "X-Forwarded-For": "6.6.6.6",
            "Forwarded": "host=evil.example"}
    number = shop.number()
    made = shop.web().post("/wxpay/api/orders", {
        "out_trade_no": number, "total_fee": "100", "body": "Tea", "trade_type": "NATIVE"},
        {**evil, "Authorization": "Bearer " + shop.merchant.api_key})
    assert made.status == 201 and b"evil" not in made.body
    assert made.json()["pay_url"].startswith(shop.public)
    assert "evil" not in str(made.headers)
    params = shop.ledger(number)["params"]
    assert "evil" not in str(params) and "6.6.6.6" not in str(params)
    path = made.json()["pay_url"][len(shop.public):]
    page = shop.web().get(path, {**evil, "Accept": "text/html"})
    assert page.status == 302 and page.header("Location").startswith(shop.public + path)
    page = shop.web().get(path + "?moved=1", {**evil, "Accept": "text/html"})
    assert page.status == 200 and b"evil" not in page.body


def test_http2(new_shop):
    shop = new_shop()
    order, _ = shop.payable(500)
    number = order["out_trade_no"]
    body = payment(shop.merchant, number, 500, transaction(5))
    answer = shop.web().curl("/wxpay/notify", "--http2", "-H", "Content-Type: text/xml",
                             "--data-binary", body.decode() if isinstance(body, bytes) else body,
                             "-w", "|%{http_version}|%{http_code}")
    assert answer.endswith("|2|200") and "SUCCESS" in answer
    assert shop.row(number)["state"] == "PAID"
    page = shop.web().curl(order["pay_url"][len(shop.public):], "--http2",
                           "-w", "|%{http_version}|%{http_code}")
    assert page.endswith("|2|200")


def test_plain_http_host_answers_notifications_too(new_shop):
    shop = new_shop()
    order, _ = shop.payable(500)
    body = payment(shop.merchant, order["out_trade_no"], 500, transaction(6))
    answer = shop.web("http://shop.example").post("/wxpay/notify", body,
                                                  {"Content-Type": "text/xml"})
    assert accepted(answer)
