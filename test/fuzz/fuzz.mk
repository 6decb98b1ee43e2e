# fuzz.mk - fuzz targets: test/fuzz/fuzz_NAME.c, by clang with libFuzzer (make fuzz), and by any compiler with driver.c,
# which runs them on files. Included by Makefile.

FUZZ_TARGETS := $(sort $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c)))
FUZZ_SHARED := $(filter-out test/fuzz/fuzz_% test/fuzz/driver.c,$(wildcard test/fuzz/*.c))
FUZZ_SHARED_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(FUZZ_SHARED) $(if $(FUZZ_ENGINE),,test/fuzz/driver.c))
FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(BUILD)/test/fuzz/fuzz_%)
# Empty: driver.c. Or libFuzzer.
FUZZ_ENGINE ?=
# Memory that ends where it was asked to (test/fuzz/exact.c).
FUZZ_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,wh_alloc_aligned mmap munmap madvise)

$(FUZZ_PROGRAMS): $(BUILD)/test/fuzz/fuzz_%: $(BUILD)/test/fuzz/fuzz_%.o $(FUZZ_SHARED_OBJ) \
    $(filter-out %/main.o,$(CONVERT_OBJ)) $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(FUZZ_ENGINE) $(FUZZ_WRAP) -o $@ $^ $(LIB_LIBS) $(CONVERT_LIBS) $(FUZZ_LIBS)

# What whisp-get is told.
FUZZ_BESIDE_hub := $(patsubst %,$(BUILD)/tools/get/%.o,hub reply want address)
$(BUILD)/test/fuzz/fuzz_hub: $(FUZZ_BESIDE_hub)
$(BUILD)/test/fuzz/fuzz_hub: FUZZ_LIBS := -lcurl
$(BUILD)/test/fuzz/fuzz_hub.o: CPPFLAGS += -Itools
# What whisp-server reads itself.
$(BUILD)/test/fuzz/fuzz_multipart: $(BUILD)/tools/server/multipart.o
$(BUILD)/test/fuzz/fuzz_websocket: $(BUILD)/tools/server/websocket.o
$(BUILD)/test/fuzz/fuzz_wyoming: $(BUILD)/tools/server/wyoming_reader.o

# libFuzzer is not to look into kernels, whose loops are long and know nothing of the input, nor into what makes inputs.
FUZZ_UNSEEN ?=
$(FUZZ_SHARED_OBJ): KERNEL = $(FUZZ_UNSEEN)

# The small inputs that fuzzing starts from; test/fuzz/found has those that found something.
$(BUILD)/fuzz-seeds/ready: test/fuzz/make-corpus test/python/invent.py test/python/invent_speakers.py
	python3 test/fuzz/make-corpus $(@D)
	touch $@

.PHONY: fuzz-programs fuzz fuzz-build fuzz-coverage
fuzz-programs: $(FUZZ_PROGRAMS)

FUZZ_CC ?= clang
FUZZ_FLAGS := -O1 -gline-tables-only -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
              -fno-sanitize-recover=undefined
FUZZ_BLIND := -fno-sanitize=fuzzer-no-link
FUZZ_ALSO ?= # built with them: check-long's sanitized checkkernels
fuzz-build: $(BUILD)/fuzz-seeds/ready
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/fuzz CC="$(FUZZ_CC)" CFLAGS="$(FUZZ_FLAGS)" HARDEN= \
	    KERNEL_CFLAGS="-O2 $(FUZZ_BLIND)" FUZZ_UNSEEN="$(FUZZ_BLIND)" FUZZ_ENGINE=-fsanitize=fuzzer \
	    $(if $(TARGET),$(TARGET:%=$(BUILD)/fuzz/test/fuzz/fuzz_%),fuzz-programs $(FUZZ_ALSO))

# A target with one source file's copy in place of it: test/fuzz/check-planted.
.PHONY: fuzz-planted fuzz-planted-here
fuzz-planted:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC="$(FUZZ_CC)" CFLAGS="$(FUZZ_FLAGS)" HARDEN= \
	    FUZZ_ENGINE=-fsanitize=fuzzer fuzz-planted-here
fuzz-planted-here:
	$(CC) $(BASE) $(CFLAGS) -Itools -I$(dir $(OF)) -c -o $(OUT).o $(PLANTED)
	$(CC) $(CFLAGS) $(LDFLAGS) $(FUZZ_ENGINE) $(FUZZ_WRAP) -o $(OUT) $(BUILD)/test/fuzz/fuzz_$(TARGET).o \
	    $(FUZZ_SHARED_OBJ) $(filter-out %/main.o $(BUILD)/$(OF:.c=.o),$(CONVERT_OBJ) $(FUZZ_BESIDE_$(TARGET))) $(OUT).o \
	    $(BUILD)/libwhisp.a $(LIB_LIBS) $(CONVERT_LIBS) $(if $(FUZZ_BESIDE_$(TARGET)),-lcurl)

SECONDS ?= 60
TARGET ?=
fuzz: fuzz-build
	@BUILD=$(BUILD) SECONDS_EACH=$(SECONDS) sh test/fuzz/run $(if $(TARGET),$(TARGET),$(FUZZ_TARGETS))

COVERAGE_FLAGS := -O1 -g -fprofile-instr-generate -fcoverage-mapping
fuzz-coverage: $(BUILD)/fuzz-seeds/ready
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/fuzz-cov CC="$(FUZZ_CC)" CFLAGS="$(COVERAGE_FLAGS)" HARDEN= fuzz-programs
	@BUILD=$(BUILD) sh test/fuzz/coverage $(FUZZ_TARGETS)
