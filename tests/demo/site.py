"""The demo's servers: the simulator, httpd with the module, and the shop behind it."""

import contextlib
import pathlib
import shutil
import tempfile

from gateway.client import Gateway
from httpd.server import StartError, module_file
from httpd.shop import API_PATH, Shop as Site

from . import phpshop, shop

# Everything that isn't the module's goes to the shop; the module's own paths need no exception.
PROXY = """
ProxyPass        "/" "http://127.0.0.1:${BACKEND_PORT}/"
ProxyPassReverse "/" "http://127.0.0.1:${BACKEND_PORT}/"
WxPayMerchantName "清风小铺 Breeze & Co."
"""


class Demo(contextlib.ExitStack):
    """All of it, running between __enter__ and __exit__. kind: "php" or "python"."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def __enter__(self):
        super().__enter__()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self):
        if not module_file().exists():
            raise StartError("%s is missing: run `make` first" % module_file())
        directory = pathlib.Path(tempfile.mkdtemp(prefix="wxpay-demo-"))
        self.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)  # httpd's children open the simulator's CA file
        self.gateway = self.enter_context(Gateway(directory / "gateway", retry_scale=0.1))
        if self.kind == "php":
            self._start_php()
        else:
            self._start_python(directory)

    def _start_site(self, **options):
        self.site = Site(self.gateway, public="http://127.0.0.1:{port}", server_name="127.0.0.1",
                         **options)
        self.httpd = self.site.httpd

    def _start_php(self):
        php = self.enter_context(phpshop.ShopPhp())
        self._start_site(conf=phpshop.CONF, modules=phpshop.MODULES, defines=php.defines)
        phpshop.install(self.httpd.root)
        self.enter_context(self.site)
        self.shop = phpshop.Shop(self.httpd.root)

    def _start_python(self, directory):
        self.backend = shop.Server()
        self.callback(self.backend.server_close)
        self._start_site(conf=PROXY, defines={"BACKEND_PORT": self.backend.port})
        self.enter_context(self.site)
        # The shop has its own copy of the API key, as on a real host, where it can't read httpd's.
        key_file = directory / "shop-api.key"
        key_file.touch(0o600)
        key_file.write_text(self.site.merchant.api_key + "\n")
        self.shop = shop.Shop(shop.PayApi(self.url + API_PATH, key_file))
        self.backend.serve(self.shop)
        self.callback(self.backend.shutdown)

    @property
    def url(self):
        return self.site.public

    def gateway_runs(self):
        return self.gateway.process is not None and self.gateway.process.poll() is None
