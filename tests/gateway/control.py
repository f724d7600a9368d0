"""The control API: JSON over http for tests, benchmarks and the demo (README, "Control API")."""

import asyncio
import base64
import json
import time

from aiohttp import web

from . import bridge, clock, notice
from .events import yuan
from .ledger import PHONE_OPENID, call_view
from .notify import Note

PAY_FACTS = ("total_fee", "openid", "coupons", "transaction_id", "bank_type", "is_subscribe")
NOTICE_OPTIONS = ("sign_type", "with_sign_type")


class Problem(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


@web.middleware
async def as_json(request, handler):
    """Errors are JSON too, and a web page of another origin gets nowhere."""
    origin = request.headers.get("Origin")
    if origin and origin.partition("://")[2] != request.host:
        return web.json_response({"error": "foreign Origin"}, status=403)
    if not request.path.startswith("/control"):
        return await handler(request)
    try:
        return await handler(request)
    except Problem as problem:
        return web.json_response({"error": str(problem)}, status=problem.status)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return web.json_response({"error": "%s: %s" % (type(error).__name__, error)}, status=400)


async def body_of(request):
    text = await request.read()
    data = json.loads(text) if text else {}
    if not isinstance(data, dict):
        raise ValueError("a JSON object is expected")
    return data


def answer(data, status=200):
    return web.json_response(data, status=status)


class Control:
    def __init__(self, merchants, ledger, faults, notifier, doors, events):
        self.merchants = merchants
        self.ledger = ledger
        self.faults = faults
        self.notifier = notifier
        self.doors = doors
        self.events = events

    def routes(self):
        return [
            web.get("/control/state", self.state),
            web.get("/control/ledger", self.dump),
            web.get("/control/orders/{mch_id}/{out_trade_no}", self.order),
            web.post("/control/pay", self.pay),
            web.post("/control/bridge", self.bridge),
            web.post("/control/cancel", self.cancel),
            web.post("/control/close", self.close),
            web.post("/control/expire", self.expire),
            web.post("/control/refund", self.refund),
            web.post("/control/notify", self.notify),
            web.get("/control/behaviour", self.behaviours),
            web.post("/control/behaviour", self.behave),
            web.delete("/control/behaviour", self.unbehave),
            web.delete("/control/behaviour/{number}", self.unbehave),
            web.post("/control/merchants", self.merchant),
            web.post("/control/resolve", self.resolve),
            web.post("/control/drop", self.drop),
            web.post("/control/reset", self.reset),
        ]

    # -- looking

    async def state(self, _request):
        orders = {}
        for order in self.ledger.orders.values():
            orders[order.state] = orders.get(order.state, 0) + 1
        calls = {}
        for (host, path), count in self.ledger.calls.items():
            calls.setdefault(path, {"total": 0})[host] = count
            calls[path]["total"] += count
        outcomes = {}
        for (path, outcome), count in self.ledger.outcomes.items():
            outcomes.setdefault(path, {})[outcome] = count
        return answer({
            "orders": orders, "calls": calls, "outcomes": outcomes,
            "connections": {name: door.view() for name, door in self.doors.items()},
            "notifications": {
                "pending": sum(1 for note in self.notifier.notes if note.state == "pending"),
                **{"%s %s" % key: n for key, n in self.notifier.results.items()}},
            "behaviours": [b.view() for b in self.faults.behaviours],
            "merchants": [{"mch_id": m.mch_id, "appids": m.appids, "provider": m.provider}
                          for m in self.merchants.by_id.values()]})

    async def dump(self, _request):
        return answer({
            "orders": [order.view() for order in self.ledger.orders.values()],
            "strays": [call_view(call) for call in self.ledger.strays],
            "notifications": [note.view() for note in self.notifier.notes]})

    async def order(self, request):
        mch_id, number = request.match_info["mch_id"], request.match_info["out_trade_no"]
        order = self.ledger.find(mch_id, number)
        calls = self.ledger.calls_of(mch_id, number)
        if order is not None:
            return answer(order.view(calls))
        return answer({"error": "no such order", "calls": [call_view(c) for c in calls]}, 404)

    # -- what people do

    def _named(self, data):
        """The order that a request means."""
        link = data.get("code_url") or data.get("prepay_id")
        if link:
            order = self.ledger.links.get(link)
        else:
            mch_id = data.get("mch_id") or self._only_mch_id()
            order = self.ledger.find(mch_id, data.get("out_trade_no"))
        if order is None:
            raise Problem(404, "no such order")
        return order

    def _only_mch_id(self):
        if len(self.merchants.by_id) != 1:
            raise Problem(400, "mch_id is missing")
        return self.merchants.first().mch_id

    async def pay(self, request):
        """Pays like a person, by a live code or by number; `force` pays dead orders too."""
        data = await body_of(request)
        order = self._named(data)
        link = data.get("code_url") or data.get("prepay_id") or order.code_url or order.prepay_id
        _order, reason = self.ledger.follow(link, time.time())
        if reason and not data.get("force"):
            raise Problem(409, reason)
        facts = {name: data[name] for name in PAY_FACTS if data.get(name) is not None}
        first = self.settle(order, facts, data.get("notify", True),
                            {name: data[name] for name in NOTICE_OPTIONS if name in data})
        view = {"paid": order.payment.view()}
        if data.get("wait") and first is not None:
            view["answer"] = await asyncio.shield(first)
        return answer(view)

    def settle(self, order, facts=None, notify=True, options=None):
        """The payment itself; the future of the first notice's answer, or None."""
        facts = {"openid": order.params.get("openid") or PHONE_OPENID, **(facts or {})}
        payment = self.ledger.pay(order, **facts)
        self.events.say("paid", "%s %s transaction %s" % (
            order.out_trade_no, yuan(payment.total_fee), payment.transaction_id))
        return self.notifier.announce(order, options) if notify else None

    def decline(self, order, what):
        """The person gives up, or the bank says no: the order stays payable."""
        order.history.append({"at": clock.iso(time.time()), "what": what})
        self.events.say("phone", "%s %s" % (order.out_trade_no, what))

    async def bridge(self, request):
        """What a page inside WeChat handed to its bridge; what the bridge tells the page."""
        data = await body_of(request)
        do = data.get("do", "pay")
        if do not in ("pay", "cancel", "fail"):
            raise Problem(400, "do is pay, cancel or fail")
        try:
            order = bridge.verify(data["params"], data.get("openid"), self.merchants, self.ledger)
        except bridge.Refused as refused:
            return answer({"reply": {"err_msg": bridge.FAIL, "err_desc": refused.told},
                           "why": str(refused)})
        if do != "pay":
            self.decline(order, {"cancel": "cancelled", "fail": "failed"}[do])
            return answer({"reply": {"err_msg": bridge.CANCEL if do == "cancel" else bridge.FAIL},
                           "why": None})
        self.settle(order, notify=data.get("notify", True))
        return answer({"reply": {"err_msg": bridge.OK}, "why": None})

    async def cancel(self, request):
        data = await body_of(request)
        order = self._named(data)
        self.decline(order, "failed" if data.get("fail") else "cancelled")
        return answer({"state": order.state})

    async def close(self, request):
        """Closes an order as if somebody else had called closeorder."""
        order = self._named(await body_of(request))
        if order.state != "NOTPAY":
            raise Problem(409, "the order is %s" % order.state)
        order.state = "CLOSED"
        return answer({"state": order.state})

    async def expire(self, request):
        """Lets the order's code die of age; the order stays NOTPAY."""
        order = self._named(await body_of(request))
        order.link_born = 0
        return answer({"state": order.state})

    async def refund(self, request):
        """A refund made on the merchant platform; orderquery says REFUND from now on."""
        data = await body_of(request)
        order = self._named(data)
        if order.payment is None:
            raise Problem(409, "the order is not paid")
        order.state = "REFUND"
        order.refunds.append({"refund_fee": data.get("refund_fee", order.total_fee),
                              "at": clock.iso(time.time())})
        return answer({"state": order.state})

    # -- notices by hand

    async def notify(self, request):
        data = await body_of(request)
        order, merchant = self._subject(data)
        if "raw_b64" in data:
            body = base64.b64decode(data["raw_b64"], validate=True)
        elif "raw" in data:
            body = data["raw"].encode()
        elif data.get("refund"):
            options = {**data, **(data["refund"] if isinstance(data["refund"], dict) else {})}
            body = notice.refund(order, merchant, options)
        else:
            body = notice.payment(order, merchant, data)
        url = data.get("url") or order.params["notify_url"]
        if not url:
            raise Problem(400, "url is missing")
        note = Note("manual", (order.mch_id, order.out_trade_no), url)
        note.state = "sent"
        order.notifications.append(note)
        self.notifier.notes.append(note)
        limit = asyncio.Semaphore(data.get("concurrency") or 1000)

        async def one():
            async with limit:
                return await self.notifier.send(note, body, data)

        answers = await asyncio.gather(*(one() for _ in range(data.get("count", 1))))
        return answer({"answers": answers, "sent": body.decode("utf-8", "replace"), "url": url})

    def _subject(self, data):
        """(order, merchant) of a notice; the order is made up where the ledger has none."""
        if data.get("code_url") or data.get("prepay_id"):
            order = self._named(data)
        else:
            merchant = self.merchants.get(data.get("order_mch_id") or data.get("mch_id"))
            merchant = merchant or self.merchants.first()
            if merchant is None:
                raise Problem(400, "no merchant")
            order = self.ledger.find(merchant.mch_id, data.get("out_trade_no"))
            order = order or notice.imagined_order(merchant, data)
        return order, self.merchants.get(order.mch_id)

    # -- misbehaviour and upkeep

    async def behaviours(self, _request):
        return answer({"behaviours": [b.view() for b in self.faults.behaviours]})

    async def behave(self, request):
        behaviour = await self.faults.add(await body_of(request))
        return answer(behaviour.view())

    async def unbehave(self, request):
        number = request.match_info.get("number")
        return answer({"removed": await self.faults.remove(int(number) if number else None)})

    async def merchant(self, request):
        merchant = self.merchants.put_json(await body_of(request))
        return answer({"mch_id": merchant.mch_id, "appids": merchant.appids})

    async def resolve(self, request):
        data = await body_of(request)
        lines = data["resolve"]
        for line in [lines] if isinstance(lines, str) else lines:
            self.notifier.names.add(line)
        return answer({"resolve": ["%s:%d" % key for key in self.notifier.names.map]})

    async def drop(self, request):
        """Ends the open connections, as a gateway does with idle ones."""
        host = (await body_of(request)).get("host")
        return answer({"dropped": sum(door.drop() for name, door in self.doors.items()
                                      if host in (None, name))})

    async def reset(self, _request):
        """Back to the start: no orders, calls, notices, behaviours; merchants and names stay."""
        await self.faults.remove()
        await self.notifier.reset()
        self.ledger.reset()
        for door in self.doors.values():
            door.abandon()
            door.reset_counts()
        return answer({"reset": True})
