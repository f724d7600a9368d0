"""The merchants that the gateway knows: their ids and keys."""

from . import sign


class Merchant:
    """`keys[0]` is the current one; the others are still accepted (rotation)."""

    def __init__(self, mch_id, appids, keys, sign_type=None, provider=False, subs=None):
        if not mch_id or not appids or not keys or not all(keys):
            raise ValueError("a merchant needs mch_id, appid and key")
        if sign_type not in (None,) + sign.TYPES:
            raise ValueError("unknown sign type %r" % sign_type)
        self.mch_id = mch_id
        self.appids = list(appids)
        self.keys = list(keys)
        self.sign_type = sign_type  # the only one accepted; None: either
        self.provider = provider
        self.subs = dict(subs or {})  # sub_mch_id -> sub_appid or ""; empty: any

    def verify(self, fields, sign_type):
        """The key that made fields['sign'], or None."""
        if self.sign_type not in (None, sign_type):
            return None
        for key in self.keys:
            if sign.sign(fields, key, sign_type) == fields["sign"]:
                return key
        return None


class Merchants:
    def __init__(self):
        self.by_id = {}

    def put(self, merchant):
        self.by_id[merchant.mch_id] = merchant

    def get(self, mch_id):
        return self.by_id.get(mch_id)

    def first(self):
        return next(iter(self.by_id.values()), None)

    def knows_appid(self, appid):
        return any(appid in merchant.appids for merchant in self.by_id.values())

    def add_line(self, line):
        """`appid,mch_id,key[,sign]`: a further appid or key of a known mch_id is added to it."""
        parts = line.split(",")
        if not 3 <= len(parts) <= 4:
            raise ValueError("a merchant is appid,mch_id,key[,sign]")
        appid, mch_id, key = parts[:3]
        sign_type = parts[3] if len(parts) == 4 else None
        known = self.get(mch_id)
        if known is None:
            self.put(Merchant(mch_id, [appid], [key], sign_type))
            return
        if appid not in known.appids:
            known.appids.append(appid)
        if key not in known.keys:
            known.keys.append(key)

    def add_provider_line(self, line):
        """`mch_id,sub_mch_id[,sub_appid]`: makes a known merchant a service provider."""
        parts = line.split(",")
        known = self.get(parts[0])
        if known is None or not 2 <= len(parts) <= 3:
            raise ValueError("a provider is mch_id,sub_mch_id[,sub_appid] of a known mch_id")
        known.provider = True
        known.subs[parts[1]] = parts[2] if len(parts) == 3 else ""

    def put_json(self, data):
        """Adds or replaces a merchant described by the control API's JSON."""
        keys = data.get("keys") or [data.get("key")]
        appids = data.get("appids") or [data.get("appid")]
        subs = {sub["sub_mch_id"]: sub.get("sub_appid", "") for sub in data.get("subs", [])}
        merchant = Merchant(data.get("mch_id"), [a for a in appids if a], keys,
                            data.get("sign_type"), data.get("provider", bool(subs)), subs)
        self.put(merchant)
        return merchant
