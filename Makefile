# mod_wxpay - `make help` lists what there is to do.

APXS      ?= $(shell command -v apxs 2>/dev/null || command -v apxs2 2>/dev/null || echo apxs)
PKGCONFIG ?= pkg-config
PYTHON    ?= /usr/bin/python3
DESTDIR   ?=
STATEDIR  ?= /var/lib/wxpay
BUILD     ?= build
MPM       ?= all

LIBS_PKG   = libcurl libxml-2.0 openssl libqrencode libpng jansson sqlite3
WARN       = -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes
CSTD       = -std=gnu11
CFLAGS    ?= -O2 -g
PIC        = -fPIC -fvisibility=hidden -pthread
EXTRA     ?=

# Asked once, lazily: `make help`, `make deps` and `make clean` work where nothing is installed yet.
lazy       = $(eval $(1) := $(2))$($(1))
PKG_CFLAGS = $(call lazy,PKG_CFLAGS,$(shell $(PKGCONFIG) --cflags $(LIBS_PKG)))
PKG_LIBS   = $(call lazy,PKG_LIBS,$(shell $(PKGCONFIG) --libs $(LIBS_PKG)))
APR_CFLAGS = $(call lazy,APR_CFLAGS,$(subst -I,-isystem ,$(shell apr-1-config --includes --cppflags) $(shell apu-1-config --includes)))
APR_LIBS   = $(call lazy,APR_LIBS,$(shell apr-1-config --link-ld) $(shell apu-1-config --link-ld))
HTTPD_INC  = $(call lazy,HTTPD_INC,-isystem $(shell $(APXS) -q INCLUDEDIR))
LIBEXECDIR = $(call lazy,LIBEXECDIR,$(shell $(APXS) -q LIBEXECDIR))

# The core is compiled without httpd's include path: a leak is a compile error.
CORE_FLAGS = $(CSTD) $(WARN) $(CFLAGS) $(EXTRA) $(PIC) $(APR_CFLAGS) $(PKG_CFLAGS) -I$(BUILD)/gen
GLUE_FLAGS = $(CORE_FLAGS) -Isrc/core -Isrc/httpd $(HTTPD_INC) -DWXPAY_STATEDIR='"$(STATEDIR)"'

CORE_SRC   = $(sort $(wildcard src/core/*.c))
GLUE_SRC   = mod_wxpay.c $(sort $(wildcard src/httpd/*.c))
CORE_OBJ   = $(CORE_SRC:%.c=$(BUILD)/%.o)
GLUE_OBJ   = $(GLUE_SRC:%.c=$(BUILD)/%.o)
ASSETS     = $(BUILD)/gen/page_css.h $(BUILD)/gen/page_js.h $(BUILD)/gen/page_bridge_js.h
MODULE     = $(BUILD)/mod_wxpay.so
CORE_LIB   = $(BUILD)/libwxpay_core.a

all: $(MODULE)

$(MODULE): $(GLUE_OBJ) $(CORE_LIB) src/httpd/exports.map
	$(CC) -shared $(PIC) $(CFLAGS) $(EXTRA) $(LDFLAGS) -Wl,--version-script=src/httpd/exports.map \
	  -Wl,-z,relro,-z,now -o $@ $(GLUE_OBJ) $(CORE_LIB) $(PKG_LIBS)

$(CORE_LIB): $(CORE_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/src/core/%.o: src/core/%.c $(ASSETS) Makefile
	@mkdir -p $(@D)
	$(CC) $(CORE_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/src/httpd/%.o: src/httpd/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(GLUE_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/mod_wxpay.o: mod_wxpay.c Makefile
	@mkdir -p $(@D)
	$(CC) $(GLUE_FLAGS) -MMD -MP -c -o $@ $<

# Page style and scripts stay files of their own; each line becomes one C string.
$(BUILD)/gen/page_css.h: src/core/page.css
$(BUILD)/gen/page_js.h: src/core/page.js
$(BUILD)/gen/page_bridge_js.h: src/core/page_bridge.js
$(ASSETS):
	@mkdir -p $(@D)
	sed -e '/^[ \t]*\/[\/*]/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^[ \t]*//' -e '/^$$/d' -e 's/.*/"&\\n"/' $< > $@

# ---- tests ----

UNIT_SRC   = $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN   = $(UNIT_SRC:%.c=$(BUILD)/%)
UNIT_HELP  = $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))

$(BUILD)/tests/unit/%: tests/unit/%.c $(UNIT_HELP) $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) $(CORE_FLAGS) -Isrc/core -Itests/unit -MMD -MP -o $@ $< $(UNIT_HELP) $(CORE_LIB) \
	  -lcmocka $(PKG_LIBS) $(APR_LIBS) -lm

test-unit: $(UNIT_BIN)
	@for t in $(UNIT_BIN); do echo "== $$t"; $$t || exit 1; done

# Debian packages; says which are missing and why, and installs them (root or sudo).
deps:
	@sh tests/deps --demo --test
	@$(PYTHON) tests/npm/install

demo: demo-deps
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/demo/run

demo-check: demo-deps
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/demo/run --check

demo-deps:
	@sh tests/deps --demo

# The README's test command, and what CI runs. Packages first, then a build without warnings.
test: deps
	@$(MAKE) --no-print-directory EXTRA=-Werror all
	@$(MAKE) --no-print-directory EXTRA=-Werror test-unit guard test-gateway test-httpd test-browser

test-gateway:
	$(PYTHON) -m pytest -q tests/gateway

test-httpd: all
	$(PYTHON) -m pytest -q tests/httpd

test-browser: all
	$(PYTHON) -m pytest -q tests/browser

guard: all
	$(PYTHON) tests/guard/run.py --build $(BUILD)

# The whole suite again under ASan and UBSan (httpd itself is not instrumented), in a build of its own.
SAN        = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
sanitize: deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan CFLAGS="-O1 -g $(SAN)" LDFLAGS="$(SAN)" all test-unit
	WXPAY_MODULE=$(abspath $(BUILD))/asan/mod_wxpay.so WXPAY_PRELOAD=$$($(CC) -print-file-name=libasan.so) \
	  ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 $(PYTHON) -m pytest -q tests/httpd
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan CFLAGS="-O1 -g -fsanitize=thread" LDFLAGS="-fsanitize=thread" test-threads

# Engine, store, flow and outbox under TSan.
THREADED   = engine store store_faults flow flow_notice flow_confirm flow_events outbox reconcile replay
test-threads: $(THREADED:%=$(BUILD)/tests/unit/test_%)
	@for t in $^; do echo "== $$t"; TSAN_OPTIONS=halt_on_error=1 $$t || exit 1; done

valgrind:
	@sh tests/deps --test --valgrind
	@$(MAKE) --no-print-directory $(UNIT_BIN)
	@for t in $(UNIT_BIN); do echo "== $$t"; valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect \
	  --error-exitcode=9 --child-silent-after-fork=yes $$t || exit 1; done

# What the store can do on this disk, and what deliveries cost the notify endpoint.
$(BUILD)/tests/bench/%: tests/bench/%.c $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) $(CORE_FLAGS) -Isrc/core -o $@ $< $(CORE_LIB) $(PKG_LIBS) $(APR_LIBS) -lm

bench:
	@sh tests/deps --demo
	@$(MAKE) --no-print-directory all $(BUILD)/tests/bench/store
	@$(BUILD)/tests/bench/store
	@$(PYTHON) tests/bench/deliveries.py

FUZZ_SECONDS ?= 60
FUZZ_SRC   = $(filter-out tests/fuzz/standalone.c,$(sort $(wildcard tests/fuzz/*.c)))
FUZZ_BIN   = $(FUZZ_SRC:%.c=$(BUILD)/%)
FUZZ_FLAGS = -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(CORE_SRC) $(ASSETS)
	@mkdir -p $(@D)
	clang $(CSTD) $(WARN) $(FUZZ_FLAGS) $(APR_CFLAGS) $(PKG_CFLAGS) -I$(BUILD)/gen -Isrc/core -o $@ $< $(CORE_SRC) $(PKG_LIBS) $(APR_LIBS) -lpthread

fuzz:
	@sh tests/deps --fuzz
	@$(MAKE) --no-print-directory $(FUZZ_BIN)
	@for t in $(FUZZ_SRC); do n=$$(basename $$t .c); mkdir -p $(BUILD)/corpus/$$n; echo "== $$n"; \
	  $(BUILD)/tests/fuzz/$$n -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$(BUILD)/corpus/ \
	  $$(test -f tests/fuzz/$$n.dict && echo -dict=tests/fuzz/$$n.dict) $(BUILD)/corpus/$$n tests/fuzz/corpus/$$n || exit 1; done

lint:
	@sh tests/deps --lint
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	@$(MAKE) --no-print-directory $(ASSETS)
	cppcheck -q --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
	  -Isrc/core -Isrc/httpd -I$(BUILD)/gen src mod_wxpay.c
	@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)/clang EXTRA=-Werror all
	@$(MAKE) --no-print-directory -j2 lint-tidy

# One stamp per file: the next run looks only at what changed.
TIDY       = $(CORE_SRC:%.c=$(BUILD)/tidy/%.ok) $(GLUE_SRC:%.c=$(BUILD)/tidy/%.ok)
lint-tidy: $(TIDY)

# error.c defines what known.h speaks of.
$(BUILD)/tidy/%.ok: %.c $(wildcard src/core/*.h src/httpd/*.h) $(ASSETS) .clang-tidy tests/lint/known.h
	@mkdir -p $(@D)
	@echo "clang-tidy $<"; said=$$(clang-tidy --quiet --header-filter=src/ $< -- $(GLUE_FLAGS) \
	  $(if $(filter %/error.c,$<),,-include tests/lint/known.h) 2>&1) || { printf '%s\n' "$$said"; exit 1; }
	@touch $@

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all
	install -d $(DESTDIR)$(LIBEXECDIR)
	install -m 644 $(MODULE) $(DESTDIR)$(LIBEXECDIR)/mod_wxpay.so
	@echo "installed $(DESTDIR)$(LIBEXECDIR)/mod_wxpay.so; now: LoadModule wxpay_module modules/mod_wxpay.so (conf/wxpay.load)"

help:
	@echo "make              build/mod_wxpay.so (needs only the libraries' headers)"
	@echo "make install      into httpd's module directory (DESTDIR, APXS)"
	@echo "make demo         a shop, a phone and a gateway on this machine: buy something"
	@echo "make demo-check   the same journey without a person; exits 0 when the order is PAID"
	@echo "make test         everything a change must pass"
	@echo "make test-unit | test-gateway | test-httpd | test-browser | guard    parts of it"
	@echo "make deps         install the Debian packages that building, demo and tests need"
	@echo "make sanitize     unit and system tests under ASan and UBSan, threads under TSan"
	@echo "make valgrind     unit tests under valgrind"
	@echo "make fuzz         fuzz the readers, FUZZ_SECONDS each (60)"
	@echo "make bench        commits of the store, and notify latency with and without deliveries"
	@echo "make lint         clang-format, cppcheck, clang's warnings, clang-tidy;   make format    mends the first"
	@echo "make clean"

clean:
	rm -rf $(BUILD)

-include $(CORE_OBJ:.o=.d) $(GLUE_OBJ:.o=.d) $(UNIT_BIN:=.d)

.SECONDARY: $(ASSETS)

.PHONY: all bench clean demo demo-check demo-deps deps format fuzz guard help install lint lint-tidy sanitize test \
  test-browser test-gateway test-httpd test-threads test-unit valgrind
