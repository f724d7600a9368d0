"""A headless Chromium with an empty profile, and what the tests ask of it."""
import base64
import subprocess
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--no-proxy-server", "--lang=zh-CN")


class Chromium:
    """`driver` is selenium's; close() ends browser and driver and removes the profile."""

    def __init__(self, scale=1, extra=()):
        self.profile = tempfile.TemporaryDirectory(prefix="wxpay-chromium-")
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for argument in (*ARGUMENTS, f"--user-data-dir={self.profile.name}",
                         f"--force-device-scale-factor={scale}", *extra):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(20)

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def size(self, width, height, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=0, mobile=mobile)

    def scheme(self, name):
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": name}])

    def javascript(self, on):
        self.cdp("Emulation.setScriptExecutionDisabled", value=not on)

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def shot(self, path, whole=True):
        """A PNG of the page (whole: also what lies below the fold)."""
        data = self.cdp("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
        return path

    def complaints(self):
        """Console lines since the last call: CSP violations, script errors, failed loads."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("WARNING", "SEVERE")]


def read_qr(png):
    """What a scanner reads in the picture, exactly; "" for nothing."""
    done = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", str(png)],
                          capture_output=True, text=True, check=False)
    return done.stdout.rstrip("\n")
