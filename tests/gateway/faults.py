"""Misbehaviour on order: which calls, notices or doors go wrong, and how.

A behaviour is one JSON object. Its selectors say when it applies:

    path            "/pay/unifiedorder" or "unifiedorder" (orderquery, closeorder)
    host            "primary" or "backup"
    mch_id, out_trade_no
    times           so many matching calls only (default: until it is removed)
    skip            spare so many matching calls first
    before          true: the call has no effect on the ledger (default: only the reply suffers)

All other members are actions. Every matching behaviour applies; where two contradict, the newer
one wins.
"""

import asyncio
import itertools

SELECTORS = {"path", "host", "mch_id", "out_trade_no", "times", "skip", "before"}
ACTIONS = {
    "reply": {
        # the way the reply takes
        "delay_ms", "cut", "rst", "drip_ms", "close", "status", "redirect", "huge", "garbage",
        "empty", "raw_body", "date_skew_s",
        # what it says
        "err_code", "err_code_des", "return_fail", "trade_state", "wrong_amount", "wrong_appid",
        "wrong_mch_id", "wrong_out_trade_no", "wrong_trade_type", "missing", "set",
        "sign_type_field",
        # how it is signed
        "wrong_sign", "unsigned", "other_key",
        # what the gateway does
        "refuse_early_close"},
    "notice": {"no_notify", "notify_delay_ms"},
    "door": {"refuse_connect", "for_ms"},
}
DOOR_MODES = ("refuse", "reset", "hang")


class Behaviour:
    def __init__(self, number, spec):
        self.number = number
        self.spec = spec
        self.kind = self._kind()
        self.where = {name: spec[name] for name in ("path", "host", "mch_id", "out_trade_no")
                      if spec.get(name) is not None}
        if "path" in self.where and not self.where["path"].startswith("/"):
            self.where["path"] = "/pay/" + self.where["path"]
        if self.where.get("host", "primary") not in ("primary", "backup"):
            raise ValueError("host is primary or backup")
        self.times = spec.get("times")
        self.skip = spec.get("skip", 0)
        self.hits = 0
        self.actions = {k: v for k, v in spec.items() if k in ACTIONS[self.kind]}
        if "before" in spec:
            self.actions["before"] = spec["before"]

    def _kind(self):
        named = set(self.spec) - SELECTORS
        for kind, actions in ACTIONS.items():
            if named and named <= actions:
                return kind
        known = set().union(*ACTIONS.values())
        if named - known:
            raise ValueError("unknown member %s" % ", ".join(sorted(named - known)))
        raise ValueError("a behaviour is about replies, notices or doors: one of them")

    def takes(self, facts):
        """Whether it applies to this occasion, which is then counted."""
        if any(facts.get(name) != value for name, value in self.where.items()):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            if self.times <= 0:
                return False
            self.times -= 1
        self.hits += 1
        return True

    def view(self):
        return {"id": self.number, **self.spec, "left": self.times, "hits": self.hits}


class Faults:
    def __init__(self):
        self.behaviours = []
        self._numbers = itertools.count(1)
        self.on_doors = None  # coroutine function: called when a door behaviour comes or goes
        self._timers = set()

    async def add(self, spec):
        behaviour = Behaviour(next(self._numbers), spec)
        if behaviour.kind == "door":
            await self._add_door(behaviour)
        else:
            self.behaviours.append(behaviour)
        return behaviour

    async def _add_door(self, behaviour):
        if not (set(behaviour.spec) <= {"host", "refuse_connect", "for_ms"}):
            raise ValueError("refuse_connect goes with host and for_ms only")
        self.mode_of(behaviour)
        self.behaviours.append(behaviour)
        await self.on_doors()
        if "for_ms" in behaviour.spec:
            task = asyncio.ensure_future(self._lift(behaviour))
            self._timers.add(task)
            task.add_done_callback(self._timers.discard)

    async def _lift(self, behaviour):
        await asyncio.sleep(behaviour.spec["for_ms"] / 1000)
        await self.remove(behaviour.number)

    async def remove(self, number=None):
        """Removes one behaviour, or all."""
        gone = [b for b in self.behaviours if number in (None, b.number)]
        self.behaviours = [b for b in self.behaviours if b not in gone]
        if any(b.kind == "door" for b in gone):
            await self.on_doors()
        return len(gone)

    def match(self, kind, **facts):
        """The merged actions of what applies now; None when nothing does."""
        if not self.behaviours:
            return None
        actions = {}
        for behaviour in self.behaviours:
            if behaviour.kind == kind and behaviour.takes(facts):
                actions.update(behaviour.actions)
        return actions or None

    @staticmethod
    def mode_of(behaviour):
        mode = behaviour.actions["refuse_connect"]
        mode = {True: "refuse", False: None}.get(mode, mode)
        if mode is not None and mode not in DOOR_MODES:
            raise ValueError("refuse_connect is true or one of %s" % ", ".join(DOOR_MODES))
        return mode

    def door_mode(self, host):
        """refuse, reset, hang or None for the listener of this name."""
        mode = None
        for behaviour in self.behaviours:
            if behaviour.kind == "door" and behaviour.where.get("host", host) == host:
                mode = self.mode_of(behaviour)
        return mode
