# mod_wxpay - `make help` lists what there is to do.

APXS      ?= $(shell command -v apxs 2>/dev/null || command -v apxs2 2>/dev/null || echo apxs)
PKGCONFIG ?= pkg-config
PYTHON    ?= /usr/bin/python3
DESTDIR   ?=
STATEDIR  ?= /var/lib/wxpay
BUILD     ?= build
MPM       ?= all

LIBS_PKG   = libcurl libxml-2.0 openssl libqrencode jansson sqlite3
WARN       = -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes
CSTD       = -std=gnu11
CFLAGS    ?= -O2 -g
PIC        = -fPIC -fvisibility=hidden -pthread
EXTRA     ?=

# Asked once, lazily: `make help`, `make deps` and `make clean` work where nothing is installed yet.
lazy       = $(eval $(1) := $(2))$($(1))
PKG_CFLAGS = $(call lazy,PKG_CFLAGS,$(shell $(PKGCONFIG) --cflags $(LIBS_PKG)))
PKG_LIBS   = $(call lazy,PKG_LIBS,$(shell $(PKGCONFIG) --libs $(LIBS_PKG)))
APR_CFLAGS = $(call lazy,APR_CFLAGS,$(shell apr-1-config --includes --cppflags) $(shell apu-1-config --includes))
APR_LIBS   = $(call lazy,APR_LIBS,$(shell apr-1-config --link-ld) $(shell apu-1-config --link-ld))
HTTPD_INC  = $(call lazy,HTTPD_INC,-I$(shell $(APXS) -q INCLUDEDIR))
LIBEXECDIR = $(call lazy,LIBEXECDIR,$(shell $(APXS) -q LIBEXECDIR))

# The core is compiled without httpd's include path: a leak is a compile error.
CORE_FLAGS = $(CSTD) $(WARN) $(CFLAGS) $(EXTRA) $(PIC) $(APR_CFLAGS) $(PKG_CFLAGS) -I$(BUILD)/gen
GLUE_FLAGS = $(CORE_FLAGS) -Isrc/core -Isrc/httpd $(HTTPD_INC) -DWXPAY_STATEDIR='"$(STATEDIR)"'

CORE_SRC   = $(sort $(wildcard src/core/*.c))
GLUE_SRC   = mod_wxpay.c $(sort $(wildcard src/httpd/*.c))
CORE_OBJ   = $(CORE_SRC:%.c=$(BUILD)/%.o)
GLUE_OBJ   = $(GLUE_SRC:%.c=$(BUILD)/%.o)
ASSETS     = $(BUILD)/gen/page_css.h $(BUILD)/gen/page_js.h
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

# Page style and script stay files of their own; each line becomes one C string.
$(BUILD)/gen/page_%.h: src/core/page.%
	@mkdir -p $(@D)
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^[ \t]*//' -e '/^$$/d' -e 's/.*/"&\\n"/' $< > $@

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

clean:
	rm -rf $(BUILD)

-include $(CORE_OBJ:.o=.d) $(GLUE_OBJ:.o=.d) $(UNIT_BIN:=.d)

.PHONY: all clean test-unit
