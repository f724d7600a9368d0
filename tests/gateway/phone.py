"""The buyer's phone: a page where a person sees what is to be paid, and pays, cancels or fails."""

import asyncio
import secrets
import time
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from .events import yuan

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#ededed;color:#111;font:16px/1.5 system-ui,-apple-system,"PingFang SC",
"Noto Sans CJK SC","Microsoft YaHei",sans-serif}
main{max-width:26rem;min-height:100vh;margin:0 auto;background:#f7f7f7;padding-bottom:2rem}
header{background:#07c160;color:#fff;padding:.8rem 1rem;font-weight:600;display:flex;
justify-content:space-between;align-items:baseline}
header small{font-weight:400;opacity:.9}
h2{font-size:.85rem;color:#666;font-weight:400;margin:1.2rem 1rem .4rem}
.card{background:#fff;margin:0;padding:.9rem 1rem;border-bottom:1px solid #e5e5e5;display:block;
color:inherit;text-decoration:none}
a.card:hover,a.card:focus{background:#f0faf4}
.row{display:flex;justify-content:space-between;gap:1rem;align-items:baseline}
.row span:first-child{overflow-wrap:anywhere}
.fee{font-variant-numeric:tabular-nums;font-weight:600;white-space:nowrap}
.dim{color:#666;font-size:.85rem;overflow-wrap:anywhere}
.big{text-align:center;padding:1.6rem 1rem;background:#fff}
.big .fee{font-size:2.6rem;font-weight:700;display:block;line-height:1.3}
.mark{width:4rem;height:4rem;border-radius:50%;margin:0 auto .8rem;display:grid;
place-items:center;font-size:2.2rem;color:#fff;background:#07c160}
.mark.no{background:#b2b2b2}.mark.bad{background:#d9462b}
form{padding:0 1rem;margin:.8rem 0 0}
button{width:100%;font:inherit;font-weight:600;border:0;border-radius:.5rem;padding:.75rem;
margin-top:.6rem;cursor:pointer;background:#e3e3e3;color:#111}
button.pay{background:#07833f;color:#fff}
button:focus-visible,a:focus-visible,input:focus-visible{outline:3px solid #0a6cff;
outline-offset:2px}
input{width:100%;font:inherit;padding:.6rem;border:1px solid #999;border-radius:.5rem;
background:#fff;color:#111}
label{font-size:.85rem;color:#666}
.toy{background:#fff3cd;color:#5c4500;padding:.4rem 1rem;font-size:.8rem}
a{color:#07783c}
@media (prefers-color-scheme:dark){
body{background:#000;color:#eee}main{background:#161616}.card,.big{background:#202020}
.card{border-color:#333}a.card:hover,a.card:focus{background:#1d2b23}
.dim,h2,label{color:#aaa}input{background:#111;color:#eee;border-color:#666}
button{background:#3a3a3a;color:#eee}button.pay{background:#07833f}a{color:#4fd68b}
.toy{background:#4a3c0a;color:#ffe9a8}}
"""

# Only the list is replaced, so that what is being typed stays.
SCRIPT = """
setInterval(async()=>{const l=document.getElementById('list');
try{const r=await fetch('/pending');if(r.ok){const t=await r.text();
if(t!==l.dataset.last){l.innerHTML=t;l.dataset.last=t}}}catch(e){}},1500);
"""


def page(title, content, script=""):
    nonce = secrets.token_urlsafe(12)
    tag = '<script nonce="%s">%s</script>' % (nonce, script) if script else ""
    text = ('<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>%s</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            '<style nonce="%s">%s</style></head><body><main>'
            '<header>微信支付 <small>WeChat Pay simulator</small></header>'
            '<div class="toy">模拟器，不涉及真实资金 · A simulator: no real money</div>'
            '%s</main>%s</body></html>') % (escape(title), nonce, STYLE, content, tag)
    policy = ("default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
              "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
              ) % (nonce, nonce)
    return web.Response(text=text, content_type="text/html", headers={
        "Content-Security-Policy": policy, "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"})


def link(code, **more):
    return "/?" + urlencode({"code": code, **more})


class Phone:
    def __init__(self, ledger, control):
        self.ledger = ledger
        self.control = control

    def routes(self):
        return [web.get("/", self.home), web.get("/pending", self.pending),
                web.post("/act", self.act)]

    async def home(self, request):
        code = request.query.get("code", "").strip()
        if code:
            return self.order_page(code, request.query.get("did"))
        return page("付款 Pay", (
            '<h2>待付款 Waiting for payment</h2><div id="list">%s</div>'
            '<form action="/" method="get"><label for="code">或粘贴二维码内容 · '
            'Or paste what the QR code says</label>'
            '<input id="code" name="code" required autocomplete="off" '
            'placeholder="weixin://wxpay/bizpayurl?pr=…">'
            '<button>打开 Open</button></form>%s') % (self.listing(), self.recent()), SCRIPT)

    async def pending(self, _request):
        return web.Response(text=self.listing(), headers={"Cache-Control": "no-store"})

    def listing(self):
        now = time.time()
        cards = []
        for order in reversed(self.ledger.pending()[-50:]):
            reason = order.unpayable(now)
            cards.append(
                '<a class="card" href="%s"><div class="row"><span>%s</span>'
                '<span class="fee">%s</span></div><div class="dim">%s · %s%s</div></a>' % (
                    escape(link(order.code_url or order.prepay_id)),
                    escape(order.params["body"]), yuan(order.total_fee),
                    escape(order.mch_id), escape(order.out_trade_no),
                    " · " + escape(reason) if reason else ""))
        return "".join(cards) or ('<p class="card dim">没有待付款的订单 Nothing to pay. '
                                  '在商店下单后会出现在这里 Orders from the shop appear here.</p>')

    def recent(self):
        paid = [o for o in self.ledger.transactions.values() if o.payment][-5:]
        if not paid:
            return ""
        return "<h2>最近付款 Recently paid</h2>" + "".join(
            '<div class="card"><div class="row"><span>%s</span><span class="fee">%s</span></div>'
            '<div class="dim">%s</div></div>' % (
                escape(o.params["body"]), yuan(o.payment.total_fee), escape(o.out_trade_no))
            for o in reversed(paid))

    def order_page(self, code, did):
        order, reason = self.ledger.follow(code, time.time())
        back = '<form action="/" method="get"><button>返回 Back</button></form>'
        if did == "pay" and order is not None and order.payment is not None:
            return page("支付成功 Paid", self.paid(order) + back)
        if reason:
            return page(reason, '<div class="big"><div class="mark no">!</div><strong>%s</strong>'
                        '%s</div>%s' % (escape(reason), self.facts(order) if order else "", back))
        told = {"cancel": ("no", "已取消，未付款 Cancelled, nothing was paid"),
                "fail": ("bad", "支付失败，未扣款 The payment failed, nothing was taken")}.get(did)
        banner = ('<div class="big"><div class="mark %s">✕</div>%s</div>' % told) if told else ""
        buttons = "".join(
            '<button name="do" value="%s"%s>%s</button>' % (do, extra, text)
            for do, extra, text in (
                ("pay", ' class="pay"', "立即支付 Pay"), ("cancel", "", "取消 Cancel"),
                ("fail", "", "模拟支付失败 Let it fail")))
        return page("付款 Pay", '%s<div class="big">%s</div><form action="/act" method="post">'
                    '<input type="hidden" name="code" value="%s">%s</form>%s' % (
                        banner, self.facts(order), escape(code), buttons, back))

    @staticmethod
    def facts(order):
        return ('<div>%s</div><span class="fee">%s</span><div class="dim">收款方 Merchant %s<br>'
                '订单号 Order %s</div>') % (escape(order.params["body"]), yuan(order.total_fee),
                                         escape(order.mch_id), escape(order.out_trade_no))

    @staticmethod
    def paid(order):
        told = "正在通知商家 The shop is being told"
        for note in order.notifications:
            if note.kind == "payment" and note.state == "acknowledged":
                told = "商家已确认 The shop has confirmed"
        return ('<div class="big"><div class="mark">✓</div><strong>支付成功 Paid</strong>'
                '<span class="fee">%s</span><div>%s</div><div class="dim">%s<br>'
                '交易单号 Transaction %s<br>%s</div></div>') % (
                    yuan(order.payment.total_fee), escape(order.params["body"]),
                    escape(order.out_trade_no), order.payment.transaction_id, told)

    async def act(self, request):
        form = await request.post()
        code, do = form.get("code", ""), form.get("do", "")
        order, reason = self.ledger.follow(code, time.time())
        if order is not None and reason is None:
            if do == "pay":
                first = self.control.settle(order)
                if first is not None:
                    # A person looks at the tick for a moment; the shop has usually answered.
                    await asyncio.wait([asyncio.shield(first)], timeout=1)
            elif do in ("cancel", "fail"):
                self.control.decline(order, {"cancel": "cancelled", "fail": "failed"}[do])
        raise web.HTTPSeeOther(link(code, did=do))
