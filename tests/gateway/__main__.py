"""python3 -m gateway --dir DIR [options]: see README.md."""

import argparse
import asyncio
import json
import os
import pathlib
import signal
import ssl
import sys

from aiohttp import web

from . import certs
from .api import Api
from .control import Control, as_json
from .events import Events
from .faults import Faults
from .ledger import Ledger
from .merchants import Merchants
from .notify import Notifier
from .phone import Phone
from .wire import Door


def arguments():
    parser = argparse.ArgumentParser(prog="gateway", description="WeChat Pay gateway simulator")
    parser.add_argument("--dir", required=True, help="where its certificates and state file live")
    parser.add_argument("--merchant", action="append", default=[],
                        metavar="APPID,MCH_ID,KEY[,SIGN]")
    parser.add_argument("--provider", action="append", default=[],
                        metavar="MCH_ID,SUB_MCH_ID[,SUB_APPID]")
    parser.add_argument("--resolve", action="append", default=[], metavar="HOST:PORT:ADDR[:PORT]")
    parser.add_argument("--retry-scale", type=float, default=1.0,
                        help="factor on the retry schedule of notifications")
    parser.add_argument("--notify-timeout", type=float, default=5.0, metavar="SECONDS")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--notify-ca", metavar="FILE", help="CAs of the shops")
    trust.add_argument("--notify-insecure", action="store_true",
                       help="don't verify the shops' certificates")
    parser.add_argument("--phone-port", type=int, default=0)
    parser.add_argument("--with-parent", type=int, nargs="?", const=os.getppid(), metavar="PID",
                        help="end when the parent ends")
    parser.add_argument("--quiet", action="store_true")
    return parser.parse_args()


def server_tls(cert, key):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(cert, key)
    tls.set_alpn_protocols(["http/1.1"])
    return tls


class Simulator:
    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(options.dir).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca, cert, key = certs.ensure(self.directory)
        self.events = Events(options.quiet)
        self.merchants = Merchants()
        for line in options.merchant:
            self.merchants.add_line(line)
        for line in options.provider:
            self.merchants.add_provider_line(line)
        self.ledger = Ledger()
        self.faults = Faults()
        self.faults.on_doors = self.sync_doors
        self.notifier = Notifier(
            self.merchants, self.ledger, self.faults, self.events,
            retry_scale=options.retry_scale, timeout=options.notify_timeout,
            ca=options.notify_ca, insecure=options.notify_insecure)
        for line in options.resolve:
            self.notifier.names.add(line)
        api = Api(self.merchants, self.ledger, self.events)
        tls = server_tls(cert, key)
        self.doors = {name: Door(name, tls, api, self.faults, self.events)
                      for name in ("primary", "backup")}
        self.runner = None

    async def sync_doors(self):
        for name, door in self.doors.items():
            await door.set_mode(self.faults.door_mode(name))

    async def open(self):
        await self.notifier.start()
        for door in self.doors.values():
            await door.open()
        control = Control(self.merchants, self.ledger, self.faults, self.notifier, self.doors,
                          self.events)
        app = web.Application(middlewares=[as_json], client_max_size=16 << 20)
        app.add_routes(control.routes() + Phone(self.ledger, control).routes())
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.options.phone_port, shutdown_timeout=1)
        await site.start()
        self.publish(self.runner.addresses[0][1])

    def publish(self, port):
        """gateway.json appears when everything listens, whole."""
        phone = "http://127.0.0.1:%d" % port
        state = {"gateway": "https://127.0.0.1:%d" % self.doors["primary"].port,
                 "backup": "https://127.0.0.1:%d" % self.doors["backup"].port,
                 "phone": phone, "control": phone + "/control", "ca": self.ca,
                 "pid": os.getpid()}
        path = self.directory / "gateway.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(state, indent=1) + "\n")
        temporary.rename(path)
        self.events.say("ready", "%s and %s, phone %s" % (state["gateway"], state["backup"], phone))

    async def close(self):
        (self.directory / "gateway.json").unlink(missing_ok=True)
        for door in self.doors.values():
            door.close()
        await self.notifier.stop()
        await self.runner.cleanup()


async def orphaned(parent):
    while os.getppid() == parent:
        await asyncio.sleep(0.5)


async def run(options):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    simulator = Simulator(options)
    await simulator.open()
    waits = [asyncio.ensure_future(stop.wait())]
    if options.with_parent:
        waits.append(asyncio.ensure_future(orphaned(options.with_parent)))
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await simulator.close()


def main():
    try:
        asyncio.run(run(arguments()))
    except (ValueError, OSError) as error:
        sys.exit("gateway: %s" % error)


if __name__ == "__main__":
    main()
