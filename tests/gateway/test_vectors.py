"""Signatures, sealing and XML against the published and generated vectors."""

import json
import pathlib

import pytest

from gateway import sign, xmlio
from gateway.ledger import Order, Payment

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"


def vectors(name, *sections, having=lambda vector: True):
    data = json.loads((VECTORS / name).read_text())
    return [pytest.param(vector, id=vector["name"]) for section in sections
            for vector in data[section] if having(vector)]


@pytest.mark.parametrize("vector", vectors("v2-signatures.json", "published", "generated"))
def test_signature_vectors(vector):
    fields = {**vector["fields"], "sign": "is not signed"}
    if "string_to_sign" in vector:
        assert sign.canonical(fields, vector["key"]) == vector["string_to_sign"]
    assert sign.sign(fields, vector["key"], vector["sign_type"]) == vector["sign"]


@pytest.mark.parametrize("vector", vectors(
    "v2-refund-notifications.json", "refund_notifications",
    having=lambda vector: vector["expect"] == "accept"))
def test_refund_vectors(vector):
    plain = sign.unseal(vector["req_info"], vector["key"])
    assert plain.decode() == vector["plaintext"]
    assert sign.unseal(sign.seal(plain, vector["key"]), vector["key"]) == plain


def test_xml_round_trip_in_the_real_form():
    fields = {"return_code": "SUCCESS", "total_fee": "100", "attach": "a]]>b<&", "note": "1"}
    text = xmlio.write(fields)
    assert text.startswith(b"<xml><return_code><![CDATA[SUCCESS]]></return_code>\n<total_fee>100<")
    assert text.endswith(b"<note><![CDATA[1]]></note>\n</xml>")
    assert xmlio.read(text) == fields


@pytest.mark.parametrize("body,code", [
    (b"", "POST_DATA_EMPTY"), (b" \n", "POST_DATA_EMPTY"), (b"a=1", "XML_FORMAT_ERROR"),
    (b"<xml><a>1</a>", "XML_FORMAT_ERROR"), (b"<xml><a>1</a><a>1</a></xml>", "XML_FORMAT_ERROR"),
    (b"<xml><a><b>1</b></a></xml>", "XML_FORMAT_ERROR"), (b"<r><a>1</a></r>", "XML_FORMAT_ERROR"),
    (b'<!DOCTYPE xml [<!ENTITY e "1">]><xml><a>&e;</a></xml>', "XML_FORMAT_ERROR"),
    (b"<!DOCTYPE xml><xml><a>1</a></xml>", "XML_FORMAT_ERROR"),
    (b"<xml><?php 1?><a>1</a></xml>", "XML_FORMAT_ERROR"), (b"<xml>1</xml>", "XML_FORMAT_ERROR"),
    (b'<xml><a b="1">1</a></xml>', "XML_FORMAT_ERROR"), (b"<xml/>\0", "XML_FORMAT_ERROR"),
    (b"<xml><a>\xff</a></xml>", "NOT_UTF8"), ("<xml><a>😀</a></xml>".encode(), "NOT_UTF8"),
    (b"<xml><a>&#x1F600;</a></xml>", "NOT_UTF8"),
])
def test_xml_refusals(body, code):
    with pytest.raises(xmlio.XmlError) as caught:
        xmlio.read(body)
    assert caught.value.code == code


def test_coupon_arithmetic():
    order = Order({"mch_id": "1", "out_trade_no": "A", "total_fee": "100",
                   "trade_type": "NATIVE"}, "MD5", 0)
    fields = Payment(order, coupons=[10, {"fee": 5, "type": "NO_CASH"}]).fields(order)
    assert (fields["coupon_fee"], fields["coupon_count"], fields["cash_fee"]) == ("15", "2", "85")
    assert fields["settlement_total_fee"] == "95" and fields["coupon_type_1"] == "NO_CASH"
    assert len(fields["transaction_id"]) == 28
