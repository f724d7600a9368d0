"""Asks the npm packages in tests/npm: other people's code as judge of ours."""

import json
import os
import pathlib
import shutil
import subprocess

_NPM = pathlib.Path(__file__).resolve().parent.parent / "npm"


class Judge:
    """One merchant's questions; `gateway` is the simulator's client object.

    Each method of tests/npm/judge.js is a method here: it takes the question's members by name and
    returns the answer's dict, with "error" in it when the package refuses.
    """

    def __init__(self, merchant, gateway):
        self.known = {"appid": merchant.appid, "mch_id": merchant.mch_id, "key": merchant.key,
                      "gateway": gateway.gateway}
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.lower().endswith("_proxy")}
        self.environment["NODE_EXTRA_CA_CERTS"] = str(gateway.ca)
        assert shutil.which("node"), "no node in the PATH: make deps"
        assert (_NPM / "node_modules" / "tenpay").is_dir(), \
            "the npm packages are not there: sh tests/npm/install"

    def __getattr__(self, ask):
        return lambda **question: self._ask({"ask": ask, **self.known, **question})

    def _ask(self, question):
        done = subprocess.run(["node", "--no-deprecation", str(_NPM / "judge.js")],
                              input=json.dumps(question).encode(), capture_output=True,
                              env=self.environment, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return json.loads(done.stdout)
