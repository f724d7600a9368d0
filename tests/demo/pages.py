"""The demo shop's pages, in Chinese and English."""

import dataclasses
from html import escape


@dataclasses.dataclass(frozen=True)
class Product:
    key: str
    fen: int
    title: str  # what the buyer sees in WeChat
    names: dict
    notes: dict
    picture: str


PRODUCTS = {product.key: product for product in (
    Product("tea", 1990, "龙井茶 50g", {"zh": "龙井茶 50 克", "en": "Longjing tea, 50 g"},
            {"zh": "明前手炒，豆香清甜", "en": "Picked before Qingming, pan-fired by hand"},
            '<path d="M22 40h44v12a18 18 0 0 1-18 18h-8a18 18 0 0 1-18-18z" fill="#3c7a4e"/>'
            '<path d="M66 44h5a7 7 0 0 1 0 14h-6" fill="none" stroke="#3c7a4e" stroke-width="5"/>'
            '<path d="M36 32c-4-6 4-8 0-14m12 14c-4-6 4-8 0-14" fill="none" stroke="#9db8a4" '
            'stroke-width="3" stroke-linecap="round"/>'),
    Product("fan", 5800, "湘妃竹折扇", {"zh": "湘妃竹折扇", "en": "Mottled bamboo fan"},
            {"zh": "素面宣纸，可题字", "en": "Plain xuan paper, ready for your brush"},
            '<path d="M46 74 14 40a46 46 0 0 1 64 0z" fill="#e7c98f"/>'
            '<path d="M46 74 14 40m32 34L28 30m18 44V26m0 48 18-44M46 74l32-34" fill="none" '
            'stroke="#8a5a2b" stroke-width="3" stroke-linecap="round"/>'),
    Product("card", 1, "试付 1 分钱", {"zh": "试付 1 分钱", "en": "One fen, to try"},
            {"zh": "最小金额的一笔", "en": "The smallest payment there is"},
            '<circle cx="46" cy="46" r="28" fill="#d9a441"/>'
            '<path d="M46 36v24M36 36l10 12 10-12M37 50h18M37 57h18" fill="none" stroke="#fff" '
            'stroke-width="4" stroke-linecap="round"/>'),
)}

WORDS = {
    "zh": {"shop": "清风小铺", "orders": "我的订单", "goods": "商品", "buy": "购买",
           "none": "还没有订单。", "number": "订单号", "pay": "去支付", "close": "取消订单",
           "back": "返回商品", "other": "English", "other_to": "en", "transaction": "微信支付单号",
           "demo": "演示：不会产生真实付款。", "lost": "没有这个页面。",
           "trouble": "暂时无法下单或查询，没有扣款，请稍后再试。",
           "NEW": "待支付", "PENDING": "待支付", "PAID": "已支付", "CLOSED": "已取消",
           "EXPIRED": "已过期"},
    "en": {"shop": "Breeze & Co.", "orders": "My orders", "goods": "Goods", "buy": "Buy",
           "none": "No orders yet.", "number": "Order", "pay": "Pay now", "close": "Cancel order",
           "back": "Back to the goods", "other": "中文", "other_to": "zh",
           "transaction": "WeChat Pay number", "demo": "A demo: no real money moves.",
           "lost": "There is no such page.",
           "trouble": "Orders can't be placed or looked up now. No money was taken; "
                      "please try again.",
           "NEW": "Not paid yet", "PENDING": "Not paid yet", "PAID": "Paid",
           "CLOSED": "Cancelled", "EXPIRED": "Expired"},
}

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#f6f4ef;color:#22201c;font:16px/1.55 system-ui,-apple-system,
"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif}
header{background:#fff;border-bottom:1px solid #e4dfd4}
nav{max-width:60rem;margin:auto;padding:.4rem 1rem;display:flex;flex-wrap:wrap;gap:0 1.2rem;
align-items:center}
nav a{color:inherit;text-decoration:none;padding:.6rem 0}
nav a:hover{text-decoration:underline}
nav strong{font-size:1.15rem;margin-right:auto}
main{max-width:60rem;margin:1.5rem auto;padding:0 1rem}
.goods{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr))}
.card{background:#fff;border:1px solid #e4dfd4;border-radius:.9rem;padding:1.2rem;display:flex;
flex-direction:column;gap:.35rem}
.card svg{width:92px;height:92px;margin:0 auto .4rem;background:#f3efe6;border-radius:50%}
.card h1,.card p{margin:0}
@media (max-width:26rem){nav strong{flex-basis:100%}}
h1{font-size:1.3rem;margin:0 0 1rem}h2{font-size:1.05rem;margin:0}
.note{color:#6a6459;margin:0;flex:1}
.fee{font-size:1.35rem;font-weight:700;font-variant-numeric:tabular-nums;margin:.2rem 0}
button,.button{font:inherit;font-weight:600;display:inline-block;text-align:center;width:100%;
border:0;border-radius:.6rem;padding:.65rem 1rem;background:#1f6b3f;color:#fff;cursor:pointer;
text-decoration:none}
button:hover,.button:hover{background:#17542f}
button.quiet{background:transparent;color:#6a6459;border:1px solid #cfc8ba}
:focus-visible{outline:3px solid #0a6cff;outline-offset:2px}
.rows{list-style:none;margin:0;padding:0;background:#fff;border:1px solid #e4dfd4;
border-radius:.9rem;overflow:hidden}
.rows a{display:flex;flex-wrap:wrap;gap:.2rem 1rem;align-items:center;padding:.9rem 1.2rem;
color:inherit;text-decoration:none;border-top:1px solid #eee9df}
.rows li:first-child a{border-top:0}.rows a:hover{background:#faf8f4}
.rows span:first-child{flex:1;min-width:12rem}
small,dt{color:#6a6459;font-size:.85rem}dd{margin:0 0 .6rem;overflow-wrap:anywhere}
dl{margin:.6rem 0 0}
.narrow{max-width:28rem;margin:auto}
.state{display:inline-block;border-radius:1rem;padding:.1rem .7rem;font-size:.9rem;
background:#f1e3c2;color:#5b4208}
.state.PAID{background:#d4ecdc;color:#12502c}
.state.CLOSED,.state.EXPIRED{background:#e8e5df;color:#55504a}
footer{max-width:60rem;margin:2rem auto;padding:0 1rem;color:#6a6459;font-size:.85rem}
@media (prefers-color-scheme:dark){
body{background:#171512;color:#ece8df}
header,.card,.rows{background:#211e1a;border-color:#37322b}
.rows a{border-color:#37322b}.rows a:hover{background:#2a2621}
.card svg{background:#2d2923}.note,small,dt,footer{color:#a9a294}
button,.button{background:#2c8a54}button.quiet{color:#c9c2b4;border-color:#57503f}}
"""


def yuan(fen):
    return "¥%d.%02d" % divmod(fen, 100)


def page(language, title, main, refresh=False):
    words = WORDS[language]
    return """<!DOCTYPE html>
<html lang="%s"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">%s
<title>%s</title><style>%s</style></head>
<body><header><nav><strong><a href="/">%s</a></strong><a href="/">%s</a><a href="/orders">%s</a>
<a href="/lang/%s" lang="%s">%s</a></nav></header>
<main>%s</main><footer>%s</footer></body></html>
""" % ("zh-CN" if language == "zh" else "en",
       '<meta http-equiv="refresh" content="2">' if refresh else "",
       escape("%s – %s" % (title, words["shop"])), STYLE, escape(words["shop"]), words["goods"],
       words["orders"], words["other_to"], words["other_to"], words["other"], main,
       words["demo"])


def picture(product):
    return '<svg viewBox="0 0 92 92" aria-hidden="true">%s</svg>' % product.picture


def badge(words, state):
    return '<span class="state %s">%s</span>' % (escape(state), escape(words.get(state, state)))


def front(language):
    words = WORDS[language]
    cards = "".join(
        '<form class="card" method="post" action="/buy">%s<h2>%s</h2><p class="note">%s</p>'
        '<p class="fee">%s</p><button name="product" value="%s">%s</button></form>'
        % (picture(p), escape(p.names[language]), escape(p.notes[language]), yuan(p.fen), p.key,
           words["buy"]) for p in PRODUCTS.values())
    return page(language, words["goods"], '<h1>%s</h1><div class="goods">%s</div>'
                % (words["goods"], cards))


def order_list(language, rows):
    """rows: (number, product, order of the API)."""
    words = WORDS[language]
    items = "".join(
        '<li><a href="/orders/%s"><span>%s<br><small>%s</small></span><span>%s</span>%s</a></li>'
        % (escape(number), escape(product.names[language]), escape(number), yuan(product.fen),
           badge(words, order["state"])) for number, product, order in rows)
    return page(language, words["orders"], "<h1>%s</h1>%s" % (
        words["orders"],
        '<ul class="rows">%s</ul>' % items if items else "<p>%s</p>" % words["none"]))


def order(language, number, own, found):
    """own: the shop's record; found: the order of the API."""
    words = WORDS[language]
    product = own["product"]
    waiting = found["state"] in ("NEW", "PENDING")
    facts = [(words["number"], number)]
    if found.get("transaction_id"):
        facts.append((words["transaction"], found["transaction_id"]))
    main = '<div class="card narrow">%s<h1>%s</h1><p class="fee">%s</p><p>%s</p><dl>%s</dl>' % (
        picture(product), escape(product.names[language]), yuan(product.fen),
        badge(words, found["state"]),
        "".join("<dt>%s</dt><dd>%s</dd>" % (name, escape(value)) for name, value in facts))
    if waiting:
        main += ('<a class="button" href="%s">%s</a><form method="post" action="/orders/%s/close">'
                 '<button class="quiet">%s</button></form>'
                 % (escape(own["pay_url"]), words["pay"], escape(number), words["close"]))
    main += '<p><a href="/">%s</a></p></div>' % words["back"]
    return page(language, words["orders"], main, refresh=waiting)


def trouble(language, detail):
    words = WORDS[language]
    return page(language, words["shop"], '<div class="card narrow"><p>%s</p><small>%s</small>'
                '<p><a href="/">%s</a></p></div>'
                % (words["trouble"], escape(detail), words["back"]))


def not_found(language):
    words = WORDS[language]
    return page(language, words["shop"], '<div class="card narrow"><p>%s</p><p><a href="/">%s</a>'
                '</p></div>' % (words["lost"], words["back"]))
