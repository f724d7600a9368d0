"""The smallest working site, with a merchant account at the simulator."""

import contextlib
import json
import secrets
import string
import time

from .api import Api
from .buyer import Buyer
from .server import Httpd
from .web import Web

NOTIFY_PATH = "/wxpay/notify"
CHECKOUT_PATH = "/wxpay/pay"
API_PATH = "/wxpay/api"
_ALNUM = string.ascii_letters + string.digits

# The merchant's part and the paths' part apart: some sites are built from one of them.
MERCHANT = """WxPayAppId      ${APPID}
WxPayMchId      ${MCHID}
WxPayKey        file:${ROOT}/conf/wxpay/api.key
WxPaySignType   ${SIGN_TYPE}
WxPayPublicURL  ${PUBLIC}
"""
GATEWAY = """WxPayGateway       ${GATEWAY} ${GATEWAY_BACKUP}
WxPayGatewayCAFile ${GATEWAY_CA}
WxPayStateDir      ${STATE}
"""
PATHS = """WxPayNotifyPath   /wxpay/notify
WxPayCheckoutPath /wxpay/pay
WxPayApiPath      /wxpay/api
WxPayApiKey       file:${ROOT}/conf/wxpay/site.key
<Location "/wxpay/api">
    Require local
</Location>
"""
SMALLEST = MERCHANT + GATEWAY + PATHS


def random_text(length, alphabet=_ALNUM):
    return "".join(secrets.choice(alphabet) for _ in range(length))


class Merchant:
    """A merchant account of its own, so that tests at one simulator don't meet."""

    def __init__(self, sign_type="MD5"):
        self.appid = "wx" + random_text(16, "0123456789abcdef")
        self.mch_id = "1" + random_text(9, string.digits)
        self.key = random_text(32)
        self.sign_type = sign_type
        self.api_key = random_text(40)


class Shop:
    """A private httpd with a working site, and what is needed to buy there.

    public  the public URL; "{port}" and "{tls_port}" stand for the server's ports. Requests go to
            the server's own ports, whatever the name, and so do the simulator's notifications. (Of
            several sites with one public URL, notifications reach the one that started last.)
    conf    further server-level configuration; `base` replaces SMALLEST
    Further options are Httpd's.
    """

    # What its clients are; a test may put another one here.
    client = Web

    def __init__(self, gateway, *, public="https://shop.example:{tls_port}", conf="", base=SMALLEST,
                 merchant=None, sign_type="MD5", **options):
        self.gateway = gateway
        self.merchant = merchant or Merchant(sign_type)
        self.public_form = public
        options["defines"] = {
            "APPID": self.merchant.appid, "MCHID": self.merchant.mch_id,
            "SIGN_TYPE": self.merchant.sign_type, "GATEWAY": gateway.gateway,
            "GATEWAY_BACKUP": gateway.backup, "GATEWAY_CA": gateway.ca,
            "PUBLIC": public.format(port="${PORT}", tls_port="${TLS_PORT}"),
            **options.get("defines", {})}
        self.httpd = Httpd(base + conf, **options)
        if "WxPayOrphans Deliver" in conf and "order.orphan" not in conf:
            self.httpd.allow_log("WXP0220")  # nobody is told: all such a test looks at is the store
        self.httpd.write("conf/wxpay/api.key", self.merchant.key + "\n", 0o600)
        self.httpd.write("conf/wxpay/site.key", self.merchant.api_key + "\n", 0o600)
        gateway.merchant(mch_id=self.merchant.mch_id, appid=self.merchant.appid,
                         key=self.merchant.key)

    def start(self):
        self.httpd.start()
        web = self.web()
        if web.connect[0] != web.name:
            port = 443 if web.tls else 80
            name, _, written = web.host.partition(":")
            self.gateway.resolve("%s:%s:127.0.0.1:%d" % (name, written or port, web.connect[1]))
        return self

    def close(self):
        self.httpd.close()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    # -- talking to it

    @property
    def public(self):
        return self.public_form.format(port=self.httpd.port, tls_port=self.httpd.tls_port)

    def web(self, base=None, **options):
        """A client of the site, under its public URL or another one, connected to our ports."""
        base = base or self.public
        tls = base.startswith("https:")
        port = self.httpd.tls_port if tls else self.httpd.port
        return self.client(base, connect=("127.0.0.1", port),
                           ca=self.httpd.authority.ca if tls else None, **options)

    @property
    def api(self):
        return Api(self.web(), API_PATH, self.merchant.api_key)

    def buyer(self, order, **options):
        """A buyer at the payment page of an order (JSON of the API) or at a pay_url."""
        pay_url = order if isinstance(order, str) else order["pay_url"]
        return Buyer(self.web(), pay_url, **options)

    def notify_raw(self, body, headers=None):
        """POSTs a body to the notify endpoint as WeChat does. The response."""
        return self.web().post(NOTIFY_PATH, body, {
            "Content-Type": "text/xml", "User-Agent": "Mozilla/4.0", "Accept": "*/*",
            "Pragma": "no-cache", **(headers or {})})

    # -- common steps

    @staticmethod
    def number(prefix="T"):
        """An order number that nobody used."""
        return prefix + random_text(16, string.ascii_uppercase + string.digits)

    def create(self, total_fee=1990, body="Tea", out_trade_no=None, **more):
        """An order created through the API."""
        return self.api.create(out_trade_no or self.number(), total_fee, body, **more)

    def payable(self, total_fee=1990, **more):
        """A new order with an open NATIVE attempt: (order, code_url)."""
        order = self.create(total_fee, **more)
        return order, self.buyer(order).code_url()

    def pay(self, out_trade_no, **options):
        """Pays at the simulator and waits for the notification's first answer."""
        return self.gateway.pay(out_trade_no, mch_id=self.merchant.mch_id,
                                **{"wait": True, **options})

    def notify(self, out_trade_no, **options):
        """Sends notices of an order by hand (see the simulator's README): the list of answers."""
        return self.gateway.notify(out_trade_no,
                                   **{"order_mch_id": self.merchant.mch_id, **options})

    def ledger(self, out_trade_no):
        """The order as the simulator has it, or None."""
        return self.gateway.order(out_trade_no, mch_id=self.merchant.mch_id)

    def calls(self, out_trade_no, path="/pay/unifiedorder"):
        """How often the simulator was called so for this number."""
        return self.gateway.calls(out_trade_no, path, mch_id=self.merchant.mch_id)

    def row(self, out_trade_no):
        """The order as the module's store has it, or None."""
        return self.httpd.order_row(out_trade_no)

    def wait_state(self, out_trade_no, state, seconds=10.0):
        """Waits until the stored order is in this state; its row."""
        deadline = time.monotonic() + seconds
        while True:
            row = self.row(out_trade_no)
            if row and row["state"] == state:
                return row
            assert time.monotonic() < deadline, "after %g s: %s" % (seconds, json.dumps(row))
            time.sleep(0.05)

    @contextlib.contextmanager
    def behaviour(self, **spec):
        """The simulator misbehaves so inside the block."""
        number = self.gateway.behaviour(**spec)
        try:
            yield number
        finally:
            self.gateway.clear(number)
