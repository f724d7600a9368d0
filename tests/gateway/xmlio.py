"""Flat XML documents in and out (dossier, sections 1.4 and 1.5)."""

import re
from xml.parsers import expat

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")

# Written without CDATA by the real gateway.
_PLAIN = re.compile(r"(total_fee|cash_fee|settlement_total_fee|coupon_fee|coupon_count|refund_fee"
                    r"|settlement_refund_fee|cash_refund_fee|coupon_fee_\d+)\Z")


class XmlError(ValueError):
    """`code` is the gateway's name for what is wrong."""

    def __init__(self, code, why):
        super().__init__(why)
        self.code = code


class _Reader:
    def __init__(self, root):
        self.root = root
        self.depth = 0
        self.name = None
        self.text = []
        self.fields = {}

    def start(self, name, attributes):
        self.depth += 1
        if attributes:
            raise XmlError("XML_FORMAT_ERROR", "attributes on <%s>" % name)
        if self.depth == 1:
            if name != self.root:
                raise XmlError("XML_FORMAT_ERROR", "root is <%s>" % name)
        elif self.depth == 2:
            if name in self.fields:
                raise XmlError("XML_FORMAT_ERROR", "<%s> twice" % name)
            self.name = name
            self.text = []
        else:
            raise XmlError("XML_FORMAT_ERROR", "<%s> inside <%s>" % (name, self.name))

    def end(self, _name):
        if self.depth == 2:
            self.fields[self.name] = "".join(self.text)
        self.depth -= 1

    def characters(self, text):
        if self.depth == 2:
            self.text.append(text)
        elif text.strip(" \t\r\n"):
            raise XmlError("XML_FORMAT_ERROR", "text between the fields")


def _refuse(what):
    def handler(*_):
        raise XmlError("XML_FORMAT_ERROR", what)
    return handler


def read(body, root="xml"):
    """The fields of a flat document, in their order; XmlError for everything else."""
    if not body.strip():
        raise XmlError("POST_DATA_EMPTY", "no body")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise XmlError("NOT_UTF8", str(error)) from None
    reader = _Reader(root)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse("DOCTYPE")
    parser.ProcessingInstructionHandler = _refuse("processing instruction")
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise XmlError("XML_FORMAT_ERROR", str(error)) from None
    if _ASTRAL.search("".join(reader.fields.values())):
        raise XmlError("NOT_UTF8", "a character of four bytes")
    return reader.fields


def cdata(value):
    return "<![CDATA[" + value.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def write(fields, root="xml"):
    """A document as the gateway writes it: LF after each field, numbers plain, the rest CDATA."""
    lines = []
    for name, value in fields.items():
        # str.isdigit alone would let other scripts' digits through.
        plain = value.isascii() and value.isdigit() and _PLAIN.match(name)
        lines.append("<%s>%s</%s>" % (name, value if plain else cdata(value), name))
    return ("<%s>%s\n</%s>" % (root, "\n".join(lines), root)).encode()
