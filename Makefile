# libwhisp. GNU make.
#
#   make              build everything into build/
#   make demo         install what is needed, build, fetch tiny.en, transcribe the recording that comes with it
#   make test         install what is needed, build, fetch the models, run the tests
#   make test-long    the same with the tests that take longer, lint and a build by clang; installs more (deps-long)
#   make deps         install the Debian packages (with sudo where not root); make deps-long: those of test-long, too
#   make models       fetch tiny.en, base, silero-vad and speakers and convert them to models/*.gguf (MODELS_FROM=DIR: ...)
#   make check, make check-long   run the tests, everything being there already; test/run PATTERN runs some of them
#   make parity       print how the words compare with openai-whisper's (needs ../shared)
#   make format       bring the code into its form (.clang-format)
#   make lint         what is not in its form, and what clang-tidy and cppcheck find
#   make house        arrows, circles and sizes of the code, and the bounds of HACKING.md
#   make docs         docs/options.md and the table of docs/testing.md anew
#   make compile_commands.json   for editors, clang-tidy and the like
#   make check-aarch64  kernels, programs and words on 64-bit ARM, cross-compiled, under qemu-user (docs/arm.md; part of test-long)
#   make check-static, check-whole, macos-objects   musl and riscv64; armhf and s390x; objects for macOS (docs/arm.md)
#   make counts       instructions on 64-bit ARM, PEER=SOURCES: whisper.cpp's beside (docs/arm.md)
#   make bench        print how long each stage takes
#   make fuzz         fuzz all parsers, or TARGET=NAME, each for SECONDS=60 (clang); make fuzz-coverage says what is reached
#   make cuda         libwhisp-cuda.so for NVIDIA's GPUs into build-cuda/ (also: make CUDA=1; needs nvcc)
#   make cuda-check   the CUDA kernels and backend in the emulator (test/cudaemu), which needs neither GPU nor toolkit
#   make cuda-host    the host's own time beside a GPU that answers at once; make cuda-device-check: kernels on one (docs/cuda.md)
#   make gpu-kit      a folder for the first run on a GPU, build/gpu-kit/run (needs nvcc, or KIT_CUDA=build/cudaemu)
#   make soak         two passes over RECORDING=FILE, 1,000 clips, an hour live, MODEL=base: nothing grows (docs/security.md)
#   make determinism  every thread count, batch, order and company gives the same bytes: RECORDINGS="FILES" MODEL=base
#   make bench-peers  this program and the others on one recording: RECORDING=FILE TEXT=FILE MODEL=base
#   make bench-scale  cost against length, threads, batch size and model size
#   make bench-subtitles  what is wrong with subtitles, laid out and not: PODCAST="FOLDERS" (docs/subtitles.md)
#   make wheel, sdist, dist, deb   packages for others, into build/dist (docs/install.md); make deps-package: what they need
#   make install      PREFIX=/usr/local LIBDIR=PREFIX/lib DESTDIR=; make uninstall takes the same away
#   make clean        remove build/ (models/ stays)
#   make help         print this

CC ?= gcc
AR ?= ar
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
BUILD ?= build
INCLUDE ?= include
CFLAGS ?= -O3 -g
VERSION := $(shell sed -n 's/^\#define WHISP_VERSION_\(MAJOR\|MINOR\|PATCH\) //p' include/whisp.h | paste -sd.)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
# -ffp-contract=off: every instruction-set level rounds alike
BASE := -std=c11 -D_GNU_SOURCE -DWHISP_BUILD -I$(INCLUDE) -Ilib -Ikernels -fPIC -fvisibility=hidden -pthread \
        -ffp-contract=off -fno-math-errno -MMD -MP $(WARN)

# What the compiler has of hardening (docs/security.md): it costs nothing that shows in the benchmark. `make HARDEN=`
# leaves it out.
ifeq ($(origin HARDEN),undefined)
HARDEN := $(shell tools/hardening $(CC) -- $(CFLAGS))
HARDEN_LINK := -Wl,-z,relro,-z,now,-z,noexecstack
endif

LIB_SRC := $(wildcard lib/*/*.c lib/*/*/*.c kernels/cpu/*.c kernels/cpu/*/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/lib/output/review/page.o
LIB_LIBS := -lsndfile -lFLAC -lvorbis -lopus -logg -lmpg123 -lsamplerate -lz -lutf8proc -lm -ldl -pthread
CONVERT_LIBS := -ljansson -lnettle
GET_LIBS := -lcurl -ljansson -lnettle
SERVER_LIBS := -lmicrohttpd -ljansson -lnettle
TEST_LIBS := -lcmocka -ljansson

WHISP_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/whisp/*.c tools/common/*.c))
SERVER_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/server/*.c tools/common/*.c))
CONVERT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/convert/*.c))
GET_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/get/*.c))
BENCH_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c))
PROGRAMS := $(BUILD)/whisp $(BUILD)/whisp-server $(BUILD)/whisp-convert $(BUILD)/whisp-get $(BUILD)/whisp-bench

MODELS := tiny.en base silero-vad speakers
MODELS_FROM ?=
DEMO := test/data/demo.flac

# What each package is for is in docs/dependencies.md.
DEPS_BUILD := gcc libc6-dev make pkg-config libsndfile1-dev libflac-dev libvorbis-dev libopus-dev \
              libogg-dev libmpg123-dev libsamplerate0-dev libutf8proc-dev zlib1g-dev \
              libopenblas0-pthread libcurl4-openssl-dev ca-certificates libjansson-dev libmicrohttpd-dev nettle-dev python3 python3-pip
DEPS_TEST := g++ libcmocka-dev libzip-dev valgrind python3-venv curl
DEPS_LONG := clang libclang-rt-14-dev llvm clang-format clang-tidy cppcheck ffmpeg abigail-tools cmake \
             chromium chromium-driver gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user \
             gcc-arm-linux-gnueabihf libc6-dev-armhf-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross \
             gcc-riscv64-linux-gnu libc6-dev-riscv64-cross musl-tools

.PHONY: all
.DELETE_ON_ERROR:
all: $(BUILD)/libwhisp.a $(BUILD)/libwhisp.so $(PROGRAMS) $(if $(CUDA),cuda)

# Instruction-set levels: only these files may use them, and only after CPUID said so.
MACHINE := $(shell $(CC) -dumpmachine)
define level
$$(BUILD)/kernels/cpu/$(3)/%_$(1).o $$(BUILD)/test/checkkernels/%_$(1).o: LEVEL := $(2)
endef
ifeq ($(findstring x86_64,$(MACHINE)),x86_64)
AVX2 := -mavx2 -mfma -mf16c
AVX512 := $(AVX2) -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512
$(eval $(call level,avx2,$(AVX2),x86))
$(eval $(call level,avxvnni,$(AVX2) -mavxvnni,x86))
$(eval $(call level,avx512,$(AVX512),x86))
$(eval $(call level,avx512vnni,$(AVX512) -mavx512vnni,x86))
$(eval $(call level,avx512bf16,$(AVX512) -mavx512vnni -mavx512bf16,x86))
$(eval $(call level,amx,$(AVX512) -mamx-tile -mamx-int8 -mamx-bf16,x86))
endif
# There -std=c11 computes float as double, as the C library once had it.
ifneq ($(filter s390%,$(MACHINE)),)
BASE += -fexcess-precision=fast
endif
# ARMv8.0 needs no flag. GCC 12.2's vectorizer breaks off with an internal error on `ok &= isfinite(x)` in a loop, as tests write it
# (the library has none).
ifneq ($(filter aarch64% arm64%,$(MACHINE)),)
$(eval $(call level,dotprod,-march=armv8.2-a+dotprod,arm))
$(eval $(call level,i8mm,-march=armv8.2-a+dotprod+i8mm,arm))
$(eval $(call level,armbf16,-march=armv8.2-a+dotprod+i8mm+bf16,arm))
$(BUILD)/test/%.o: KERNEL = -fno-tree-loop-vectorize
endif

# What is added to CFLAGS for the kernels alone.
KERNEL_CFLAGS ?=
$(BUILD)/kernels/%.o: KERNEL = $(KERNEL_CFLAGS)
# GCC's scheduling before registers are given out takes more than there are: sums went through the stack (docs/arm.md).
$(BUILD)/kernels/cpu/arm/%.o: KERNEL = $(if $(findstring clang,$(CC)),,-fno-schedule-insns) $(KERNEL_CFLAGS)
# Comparisons of floats may be made of whole vectors only where nobody asks whether one of them trapped.
$(BUILD)/lib/mel/mel.o $(BUILD)/lib/window/voice.o: KERNEL = -fno-trapping-math

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(KERNEL) $(LEVEL) -c -o $@ $<

# The review page is part of the library; sh, awk and the core utilities make C of it.
REVIEW := lib/output/review
$(BUILD)/$(REVIEW)/page.c: $(REVIEW)/embed $(wildcard $(REVIEW)/*.html $(REVIEW)/*.css $(REVIEW)/*.js)
	@mkdir -p $(@D)
	sh $< $(REVIEW)/page.html >$@
$(BUILD)/$(REVIEW)/page.o: $(BUILD)/$(REVIEW)/page.c
	$(CC) $(BASE) $(CPPFLAGS) $(CFLAGS) $(HARDEN) -c -o $@ $<

$(BUILD)/libwhisp.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libwhisp.so.$(VERSION): $(LIB_OBJ) lib/libwhisp.map
	$(CC) -shared -Wl,-soname,libwhisp.so.$(SOVERSION) -Wl,--version-script=lib/libwhisp.map -Wl,-z,defs \
	    $(CFLAGS) $(HARDEN_LINK) $(LDFLAGS) -o $@ $(LIB_OBJ) $(LIB_LIBS)

$(BUILD)/libwhisp.so: $(BUILD)/libwhisp.so.$(VERSION)
	ln -sf $(<F) $(BUILD)/libwhisp.so.$(SOVERSION)
	ln -sf $(<F) $@

$(BUILD)/whisp: $(WHISP_OBJ) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
$(WHISP_OBJ) $(SERVER_OBJ) $(CONVERT_OBJ) $(GET_OBJ): CPPFLAGS += -Itools
# A page in a program: tools/embed makes C of it.
$(BUILD)/embedded/%.c: tools/server/%.html tools/embed
	@mkdir -p $(@D)
	python3 tools/embed $*_html $< >$@
$(BUILD)/embedded/%.o: $(BUILD)/embedded/%.c
	$(CC) $(BASE) $(CFLAGS) $(HARDEN) -c -o $@ $<
$(BUILD)/whisp-server: $(SERVER_OBJ) $(BUILD)/embedded/page.o $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(SERVER_LIBS)
$(BUILD)/whisp-convert: $(CONVERT_OBJ) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(CONVERT_LIBS)
# It makes models as whisp-convert does, of the same objects.
$(BUILD)/whisp-get: $(GET_OBJ) $(filter-out %/main.o,$(CONVERT_OBJ)) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(GET_LIBS)
# The ceilings of whisp-bench --stages and the checks of --report are checkkernels'.
BENCH_CHECK_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/main.c,$(wildcard test/checkkernels/*.c)))
$(BENCH_OBJ) $(BENCH_CHECK_OBJ): CPPFLAGS += -Itest
$(BUILD)/whisp-bench: $(BENCH_OBJ) $(BENCH_CHECK_OBJ) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# The features that the confidence of words is fitted to; see docs/confidence.md.
$(BUILD)/confidence-features: $(BUILD)/bench/confidence/features.o $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# The places of a transcript in the order of a walk; see docs/checking.md.
$(BUILD)/checking-places: $(BUILD)/bench/checking/places.o $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# What a queue costs and gains; see docs/queue.md.
$(BUILD)/queue-bench: $(BUILD)/bench/queue/queue.o $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# Tests: every test/ROOM/test_NAME.c is a cmocka program of its own, build/test/test_NAME.
TEST_SOURCES := $(wildcard test/*/test_*.c)
TEST_PROGRAMS := $(patsubst %.c,$(BUILD)/test/%,$(notdir $(TEST_SOURCES)))
TEST_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/support/*.c))
.SECONDARY:
define TEST_PROGRAM
$(BUILD)/test/$(basename $(notdir $(1))): $(BUILD)/$(1:.c=.o) $(TEST_SUPPORT) $(BUILD)/libwhisp.a
endef
$(foreach source,$(TEST_SOURCES),$(eval $(call TEST_PROGRAM,$(source))))
$(BUILD)/test/test_%:
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIB_LIBS) $(TEST_LIBS)
$(BUILD)/test/%.o: CPPFLAGS += -Itest
# test_fault makes allocations fail: its malloc() stands in front of the C library's.
$(BUILD)/test/test_fault: $(BUILD)/test/support/fault/memory.o
# A sanitizer is not there yet when that is called first.
$(BUILD)/test/support/fault/memory.o $(BUILD)/test/support/fault/preloaded.o: override CFLAGS += -fno-builtin -fno-sanitize=all
# test_amx makes a backend believe that the CPU has AMX.
$(BUILD)/test/test_amx: LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,wh_cpu_best wh_x86_has_amx wh_gemm_amx)
# These give the library memory whose size is not rounded up, between pages that may not be touched.
GUARDED := $(BUILD)/test/test_heads $(BUILD)/test/test_model_sizes
$(GUARDED): LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,wh_alloc_aligned free)
comma := ,

# Each package is asked for by name, so nothing is done when all are there.
INSTALL_DEPS = sh tools/install-deps
.PHONY: deps deps-build deps-long
deps:
	@$(INSTALL_DEPS) $(DEPS_BUILD) $(DEPS_TEST)
deps-build:
	@$(INSTALL_DEPS) $(DEPS_BUILD)
deps-long: deps
	@$(INSTALL_DEPS) $(DEPS_LONG) $(DEPS_PACKAGE)

.PHONY: models
models: $(BUILD)/whisp-convert
	@python3 tools/get-models $(if $(MODELS_FROM),--from $(MODELS_FROM)) $< models $(MODELS)

.PHONY: demo
demo: deps-build
	@$(MAKE) --no-print-directory -j2 $(BUILD)/whisp $(BUILD)/whisp-convert
	@$(MAKE) --no-print-directory models MODELS=tiny.en
	$(BUILD)/whisp --model tiny.en $(DEMO)

.PHONY: test check test-long check-long check-programs
test: deps
	@$(MAKE) --no-print-directory -j2 all
	@$(MAKE) --no-print-directory models
	@$(MAKE) --no-print-directory check
test-long: deps-long
	@$(MAKE) --no-print-directory -j2 all
	@$(MAKE) --no-print-directory models
	@$(MAKE) --no-print-directory check-long

# The tests' Python with what they need beside the standard library.
VENV := $(BUILD)/venv
$(VENV)/ready: test/python/requirements.txt
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@
# Ray, for test_archive.py: large, so not everybody's.
$(VENV)-ray/ready: test/python/requirements-ray.txt
	rm -rf $(VENV)-ray
	python3 -m venv $(VENV)-ray
	$(VENV)-ray/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The same tests again under AddressSanitizer and UndefinedBehaviorSanitizer; kernels, where most of the time goes, faster
# and under the first only: check-long has them under both, by clang.
SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
check-programs:
	@$(MAKE) --no-print-directory -j2 all test-programs cuda-programs $(VENV)/ready
	@$(MAKE) --no-print-directory -j2 $(BUILD)/fuzz-seeds/ready
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/asan CFLAGS="$(SANITIZE)" KERNEL_CFLAGS="-O2 -fno-sanitize=undefined" \
	    test-programs fuzz-programs $(BUILD)/asan/whisp $(BUILD)/asan/whisp-server $(BUILD)/asan/whisp-get
check: check-programs
	@BUILD=$(BUILD) CC="$(CC)" bash test/run
# Where threads of several recordings meet, again under ThreadSanitizer; kernels, which know of none, as fast as they are.
THREADS := CFLAGS="-O1 -g -fsanitize=thread" KERNEL_CFLAGS="-O3 -fno-sanitize=thread"
check-long: check-programs $(VENV)-ray/ready
	@$(MAKE) --no-print-directory -j2 cuda-mutants fuzz-build FUZZ_ALSO=$(BUILD)/fuzz/test/checkkernels/checkkernels
	@$(MAKE) --no-print-directory foreign-programs || echo "check-long: nothing is cross-compiled, see above"
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/tsan $(THREADS) $(BUILD)/tsan/whisp-server \
	    $(patsubst %,$(BUILD)/tsan/test/%,test_queue test_threads test_stream test_resume)
	@BUILD=$(BUILD) CC="$(CC)" bash test/run --long

# Kernels against their definitions, and their speed: nothing but kernels/cpu and what they ask of the system.
CHECK_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/checkkernels/*.c kernels/cpu/*.c kernels/cpu/*/*.c lib/platform/*.c))
$(CHECK_OBJ): CPPFLAGS += -Itest
$(BUILD)/test/checkkernels/checkkernels: $(CHECK_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm -pthread

# The tools' parts are tested with their objects: whisp-convert's readers on damaged files, the command's.
$(BUILD)/test/test_convert: $(filter-out %/main.o,$(CONVERT_OBJ))
$(BUILD)/test/test_convert: TEST_LIBS += $(CONVERT_LIBS) -lzip
$(BUILD)/test/test_crafted_convert: $(filter-out %/main.o,$(CONVERT_OBJ))
$(BUILD)/test/test_crafted_convert: TEST_LIBS += $(CONVERT_LIBS)
$(BUILD)/test/test_frames: $(BUILD)/tools/server/websocket.o $(BUILD)/tools/server/wyoming_reader.o
$(BUILD)/test/test_frames: TEST_LIBS += $(CONVERT_LIBS)
$(BUILD)/test/test_server_parts: $(patsubst %,$(BUILD)/tools/server/%.o,data_url keys multipart upload)
# whisp-get with other packages to fetch.
GET_INVENTED := $(BUILD)/test/tools/parcels/invented.o
$(GET_INVENTED): CPPFLAGS += -Itools
$(BUILD)/test/whisp-get-invented: $(GET_INVENTED) $(filter-out %/parcels.o,$(GET_OBJ)) \
    $(filter-out %/main.o,$(CONVERT_OBJ)) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(GET_LIBS)
$(BUILD)/test/test_tool: $(filter-out %/main.o,$(WHISP_OBJ))

# ---- CUDA (docs/cuda.md) ----

include kernels/cuda/cuda.mk

# ---- other architectures (docs/arm.md) ----

include test/foreign/foreign.mk

# ---- fuzzing (docs/testing.md) ----

include test/fuzz/fuzz.mk

# What test_fault.py lets fail under a program: system calls, and allocations.
$(BUILD)/test/faultcalls: $(BUILD)/test/support/fault/calls.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<
$(BUILD)/test/libfault.so: $(BUILD)/test/support/fault/preloaded.o $(BUILD)/test/support/fault/memory.o
	$(CC) -shared -o $@ $^ -ldl -pthread

.PHONY: test-programs
test-programs: $(BUILD)/test/whisp-get-invented $(BUILD)/test/faultcalls $(BUILD)/test/libfault.so $(TEST_PROGRAMS) $(BUILD)/test/checkkernels/checkkernels $(BUILD)/test/parity $(BUILD)/test/invented.gguf $(BUILD)/test/invented-multilingual.gguf $(BUILD)/test/invented-speakers.gguf

$(BUILD)/test/invented.gguf: test/python/invent.py
	@mkdir -p $(@D)
	python3 $< $@
$(BUILD)/test/invented-multilingual.gguf: test/python/invent.py
	@mkdir -p $(@D)
	python3 $< $@ --multilingual
$(BUILD)/test/invented-speakers.gguf: test/python/invent_speakers.py test/python/invent.py
	@mkdir -p $(@D)
	python3 $< $@

$(BUILD)/test/parity: $(BUILD)/test/parity.o $(TEST_SUPPORT) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) -pie $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(TEST_LIBS)

# ---- for who changes it ----

# Every C file there is, as the Makefile compiles it: make itself says how.
compile_commands.json: Makefile $(wildcard lib/*/*.c lib/*/*/*.c kernels/cpu/*.c kernels/cpu/*/*.c tools/*/*.c bench/*.c bench/*/*.c \
    test/*.c test/*/*.c)
	@$(MAKE) --no-print-directory -Bn all test-programs $(BUILD)/confidence-features $(BUILD)/checking-places | python3 tools/compile-commands >$@

.PHONY: help format lint house docs
help:
	@sed -n 's/^#   //p; /^CC/q' $(firstword $(MAKEFILE_LIST))
format:
	@git ls-files '*.c' '*.h' '*.cu' '*.cpp' | xargs $(CLANG_FORMAT) -i
lint: compile_commands.json
	@CLANG_FORMAT=$(CLANG_FORMAT) sh test/check-lint
house:
	@tools/house --allow test/house-allowed
docs: $(BUILD)/whisp
	@test/check-docs $(BUILD) --write && test/write-times
CLANG_FORMAT ?= clang-format

.PHONY: parity bench bench-peers bench-scale bench-subtitles soak determinism
parity: $(BUILD)/test/parity $(BUILD)/whisp
	$(BUILD)/test/parity
	python3 test/python/parity.py --whisp $(BUILD)/whisp
bench: $(BUILD)/whisp-bench
	$(BUILD)/whisp-bench --model tiny.en
	$(BUILD)/whisp-bench --model base
# The others are installed into build/peers by pip.
RECORDING ?= $(DEMO)
MODEL ?= base
TEXT ?=
bench-peers: $(BUILD)/whisp
	python3 bench/peers --whisp $(BUILD)/whisp --model $(MODEL) $(if $(TEXT),--text $(TEXT)) --json $(BUILD)/peers.json \
	    --docs docs/performance.md $(RECORDING)
soak: $(BUILD)/test/test_soak
	WHISP_SOAK_MODEL=$(MODEL) WHISP_SOAK_RECORDING=$(RECORDING) WHISP_SOAK_CLIPS=1000 WHISP_SOAK_LIVE=3600 $<
RECORDINGS ?= ../shared/audio/*.*
determinism: $(BUILD)/whisp $(VENV)/ready
	WHISP_RECORDINGS="$(RECORDINGS)" WHISP_MODEL=$(MODEL) $(VENV)/bin/python -m pytest -q test/python/test_determinism.py
bench-scale: $(BUILD)/whisp $(BUILD)/whisp-bench
	python3 bench/scale --whisp $(BUILD)/whisp --bench $(BUILD)/whisp-bench --json $(BUILD)/scale.json

PODCAST ?=
bench-subtitles: $(BUILD)/whisp
	python3 bench/subtitles/measure --whisp $(BUILD)/whisp --work $(BUILD)/subtitles $(PODCAST)

$(BUILD)/libwhisp.pc: lib/libwhisp.pc.in Makefile include/whisp.h
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${exec_prefix}/%)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LIBS@|$(LIB_LIBS)|' $< > $@

# find_package(whisp): the targets whisp::whisp and whisp::whisp_static.
$(BUILD)/%.cmake: lib/%.cmake.in Makefile include/whisp.h
	@mkdir -p $(@D)
	sed -e 's|@VERSION@|$(VERSION)|' -e 's|@SOVERSION@|$(SOVERSION)|' -e 's|@LIBS@|$(LIB_LIBS)|' \
	    -e "s|@INCLUDE@|$$(realpath -m --relative-to=$(LIBDIR)/cmake/whisp $(PREFIX)/include)|" $< > $@

HEADERS := include/whisp.h include/whisp_vad.h include/whisp_live.h include/whisp_speakers.h
CMAKE_FILES := $(BUILD)/whisp-config.cmake $(BUILD)/whisp-config-version.cmake
MANUALS := $(wildcard docs/*.1)

# The ABI that test/abi holds the library to: today's. docs/abi.md says when this may be done.
.PHONY: abi-baseline
abi-baseline: $(BUILD)/libwhisp.so
	cp $(HEADERS) test/abi/
	abidw --exported-interfaces-only --type-id-style hash --headers-dir include --drop-private-types --no-show-locs \
	    --no-corpus-path --no-comp-dir-path \
	    --out-file test/abi/baseline.abi $(BUILD)/libwhisp.so

.PHONY: install uninstall
# What says where it lies is made anew: it may have been for another place.
install: all
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/whisp \
	    $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/lib/systemd/system
	rm -f $(BUILD)/libwhisp.pc $(CMAKE_FILES)
	$(MAKE) --no-print-directory $(BUILD)/libwhisp.pc $(CMAKE_FILES)
	install -m 644 $(HEADERS) $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(CMAKE_FILES) $(DESTDIR)$(LIBDIR)/cmake/whisp/
	install -m 644 $(BUILD)/libwhisp.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(BUILD)/libwhisp.so.$(VERSION) $(DESTDIR)$(LIBDIR)/
	ln -sf libwhisp.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libwhisp.so.$(SOVERSION)
	ln -sf libwhisp.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libwhisp.so
	install -m 644 $(BUILD)/libwhisp.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(MANUALS) $(DESTDIR)$(PREFIX)/share/man/man1/
	sed -e 's|@PREFIX@|$(PREFIX)|' tools/server/whisp-server.service.in >$(BUILD)/whisp-server.service
	install -m 644 $(BUILD)/whisp-server.service tools/server/whisp-server.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/
uninstall:
	cd $(DESTDIR)$(LIBDIR) && rm -f libwhisp.a libwhisp.so* pkgconfig/libwhisp.pc $(addprefix cmake/whisp/,$(notdir $(CMAKE_FILES)))
	cd $(DESTDIR)$(PREFIX) && rm -f $(HEADERS) $(addprefix bin/,$(notdir $(PROGRAMS))) \
	    $(addprefix share/man/man1/,$(notdir $(MANUALS))) lib/systemd/system/whisp-server.service lib/systemd/system/whisp-server.socket

# ---- packages for others (docs/install.md) ----

include tools/package/package.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
