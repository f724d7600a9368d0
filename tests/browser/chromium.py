"""A headless Chromium with an empty profile, and what the tests ask of it."""
import base64
import subprocess
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--no-proxy-server", "--lang=zh-CN")


class Chromium:
    """`driver` is selenium's; close() ends browser and driver and removes the profile."""

    def __init__(self, extra=()):
        self.profile = tempfile.TemporaryDirectory(prefix="wxpay-chromium-")
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for argument in (*ARGUMENTS, f"--user-data-dir={self.profile.name}", *extra):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(20)

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def fresh(self):
        """A new tab (and so an empty sessionStorage), 1280 x 800, light, nothing stored."""
        old = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        new = self.driver.current_window_handle
        self.driver.switch_to.window(old)
        self.driver.close()
        self.driver.switch_to.window(new)
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Network.clearBrowserCache")
        self.size(1280, 800)
        self.scheme("light")
        self.complaints()

    def size(self, width, height, mobile=False, scale=1):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=scale, mobile=mobile)

    def scheme(self, name):
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": name}])

    def javascript(self, on):
        self.cdp("Emulation.setScriptExecutionDisabled", value=not on)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, seconds=5.0):
        """Until the expression is true; its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.js("return " + script)
            if value:
                return value
            assert time.monotonic() < deadline, f"after {seconds} s still not {script}"
            time.sleep(0.05)

    def shows(self, name):
        """Whether the page is in this state; also without JavaScript, and while it refreshes."""
        try:
            return bool(self.driver.find_elements("css selector", f"main[data-page={name}]"))
        except WebDriverException:
            return False

    def wait_page(self, name, seconds=5.0):
        """Until the page shows this state."""
        deadline = time.monotonic() + seconds
        while not self.shows(name):
            assert time.monotonic() < deadline, f"after {seconds} s still not {name}"
            time.sleep(0.05)

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
