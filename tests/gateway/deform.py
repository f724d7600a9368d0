"""Turns an honest Reply into what a behaviour asks for."""

from . import api

_OTHER_KEY = "00000000000000000000000000000000"


def substitute(call):
    """The Reply where the call itself was never carried out (`before`)."""
    if call.refusal is not None:
        return api.refused(call.refusal.message)
    return api.failure(call, "SYSTEMERROR")


def _replace(call, reply, actions):
    """Whole other replies: return_fail and err_code."""
    if actions.get("return_fail"):
        text = actions["return_fail"]
        return api.refused(text if isinstance(text, str) else "系统繁忙，请稍后再试")
    if actions.get("err_code") and call.key is not None:
        return api.failure(call, actions["err_code"], actions.get("err_code_des"))
    return reply


def _wrong_number(value):
    return str(int(value) + 1)


def _wrong_text(value):
    return value[:-1] + ("1" if value[-1:] != "1" else "2")


def _wrong_trade_type(value):
    return "APP" if value != "APP" else "JSAPI"


_LIES = {
    "wrong_amount": (("total_fee", "cash_fee"), _wrong_number),
    "wrong_appid": (("appid",), _wrong_text),
    "wrong_mch_id": (("mch_id",), _wrong_text),
    "wrong_out_trade_no": (("out_trade_no",), _wrong_text),
    "wrong_trade_type": (("trade_type",), _wrong_trade_type),
}


def deform(call, reply, actions):
    """The Reply after every content and signature action; may change `reply` itself."""
    reply = _replace(call, reply, actions)
    fields = reply.fields
    for action, (names, lie) in _LIES.items():
        said = actions.get(action)
        for name in names if said else ():
            if name in fields:
                fields[name] = lie(fields[name]) if said is True else str(said)
    missing = actions.get("missing") or ()
    for name in [missing] if isinstance(missing, str) else missing:
        fields.pop(name, None)
    for name, value in (actions.get("set") or {}).items():
        fields[name] = str(value)
    if actions.get("sign_type_field") and reply.key is not None:
        fields["sign_type"] = reply.sign_type
    if actions.get("other_key") and reply.key is not None:
        other = actions["other_key"]
        reply.key = other if isinstance(other, str) else _OTHER_KEY
    if actions.get("unsigned"):
        reply.key = None
        fields.pop("sign", None)
    reply.spoil = bool(actions.get("wrong_sign"))
    return reply
