"""The end of a child process while somebody in it is still busy with its store."""

import contextlib
import threading
import time

import pytest

from .h2 import Http2Web
from .preload import needed, preload

# Statements that hold the text in the file SLOW take their time; TRACE has a line before and after.
SLOWED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef struct sqlite3_stmt sqlite3_stmt;
const char *sqlite3_sql(sqlite3_stmt *);
static void trace(const char *line)
{
    int fd = open(getenv("TRACE"), O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, line, strlen(line)) < 0) {
        abort();
    }
    close(fd);
}
int sqlite3_step(sqlite3_stmt *stmt)
{
    char slow[64] = "";
    const char *sql = sqlite3_sql(stmt);
    int fd = open(getenv("SLOW"), O_RDONLY), rc;
    int (*step)(sqlite3_stmt *);
    *(void **)&step = dlsym(RTLD_NEXT, "sqlite3_step");
    if (fd < 0 || read(fd, slow, sizeof(slow) - 1) <= 0 || !sql || !strstr(sql, slow)) {
        close(fd);
        return step(stmt);
    }
    close(fd);
    trace("begun\n");
    usleep(400000);
    rc = step(stmt);
    trace("ended\n");
    return rc;
}
"""


class SlowStore:
    def __init__(self, httpd, folder):
        self.httpd = httpd
        self.trace = httpd.root / "trace"
        preload(httpd, folder, SLOWED, TRACE=str(self.trace), SLOW=str(httpd.root / "slow"))
        httpd.write("trace", "", 0o666)

    def slow_down(self, text):
        self.httpd.write("slow", text)

    def lines(self):
        return self.trace.read_text().split()

    def wait_for_work(self):
        deadline = time.monotonic() + 5
        while self.lines().count("begun") == self.lines().count("ended"):
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.01)


@pytest.fixture
def slow_shop(new_shop, tmp_path):
    def make(**options):
        shop = new_shop(start=False, **options)
        store = SlowStore(shop.httpd, tmp_path)
        shop.start()
        return shop, store
    return make


@needed
def test_a_sweep_is_waited_for(slow_shop, mpm):
    shop, store = slow_shop(mpm=mpm)
    store.slow_down("ORDER BY sweep_at")
    store.wait_for_work()
    shop.httpd.stop()
    assert store.lines()[-1] == "ended", store.lines()


@needed
def test_a_request_over_http2_is_waited_for(slow_shop):
    shop, store = slow_shop()
    shop.client = Http2Web
    buyer = shop.buyer(shop.payable(100)[0])
    store.slow_down("FROM orders WHERE pay_id")

    def ask():
        with contextlib.suppress(AssertionError):  # it may well be cut
            buyer.page()
    asking = threading.Thread(target=ask)
    asking.start()
    store.wait_for_work()
    shop.httpd.stop()
    asking.join()
    assert store.lines()[-1] == "ended", store.lines()
