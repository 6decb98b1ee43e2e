# libwhisp: `make` builds, `make demo` shows, `make test` proves, `make install PREFIX=... DESTDIR=...` installs.
# GNU make. `make help` lists the targets.

CC ?= gcc
AR ?= ar
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
CFLAGS ?= -O3 -g
VERSION := $(shell sed -n 's/^\#define WHISP_VERSION_\(MAJOR\|MINOR\|PATCH\) //p' include/whisp.h | paste -sd.)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
# -ffp-contract=off: every instruction-set level rounds alike
BASE := -std=c11 -D_GNU_SOURCE -DWHISP_BUILD -Iinclude -Ilib -Ikernels -fPIC -fvisibility=hidden -pthread \
        -ffp-contract=off -fno-math-errno -MMD -MP $(WARN)

LIB_SRC := $(wildcard lib/*/*.c kernels/cpu/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB_LIBS := -lsndfile -lsamplerate -lz -lutf8proc -lm -ldl -pthread
CONVERT_LIBS := -lzip -ljansson -lnettle
TEST_LIBS := -lcmocka -ljansson

WHISP_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/whisp/*.c))
CONVERT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/convert/*.c))
BENCH_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c))
PROGRAMS := $(BUILD)/whisp $(BUILD)/whisp-convert $(BUILD)/whisp-bench

.PHONY: all
all: $(BUILD)/libwhisp.a $(BUILD)/libwhisp.so $(PROGRAMS)

# Instruction-set levels: only these files may use them, and only after CPUID said so.
ifeq ($(findstring x86_64,$(shell $(CC) -dumpmachine)),x86_64)
$(BUILD)/kernels/cpu/%_avx2.o: LEVEL := -mavx2 -mfma -mf16c
$(BUILD)/kernels/cpu/%_avx512.o: LEVEL := -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512
endif

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CPPFLAGS) $(CFLAGS) $(LEVEL) -c -o $@ $<

$(BUILD)/libwhisp.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libwhisp.so.$(VERSION): $(LIB_OBJ) lib/libwhisp.map
	$(CC) -shared -Wl,-soname,libwhisp.so.$(SOVERSION) -Wl,--version-script=lib/libwhisp.map -Wl,-z,defs \
	    $(CFLAGS) $(LDFLAGS) -o $@ $(LIB_OBJ) $(LIB_LIBS)

$(BUILD)/libwhisp.so: $(BUILD)/libwhisp.so.$(VERSION)
	ln -sf $(<F) $(BUILD)/libwhisp.so.$(SOVERSION)
	ln -sf $(<F) $@

$(BUILD)/whisp: $(WHISP_OBJ) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
$(BUILD)/whisp-convert: $(CONVERT_OBJ) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(CONVERT_LIBS)
$(BUILD)/whisp-bench: $(BENCH_OBJ) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# Tests: every test/test_NAME.c is a cmocka program of its own.
TEST_NAMES := $(patsubst test/%.c,%,$(wildcard test/test_*.c))
TEST_PROGRAMS := $(TEST_NAMES:%=$(BUILD)/test/%)
TEST_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/support/*.c))
.SECONDARY:
$(BUILD)/test/test_%: $(BUILD)/test/test_%.o $(TEST_SUPPORT) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(TEST_LIBS)
$(BUILD)/test/%.o: CPPFLAGS += -Itest

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
