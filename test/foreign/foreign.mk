# foreign.mk - programs for other architectures and C libraries, cross-compiled and run under qemu-user (docs/arm.md). Included
# by the Makefile.
#
#   make check-aarch64    the kernels' levels for 64-bit ARM, their loops, the programs and a recording's words, under qemu
#   make check-plain      the kernels' definitions on 32-bit ARM (Raspberry Pi OS) and on s390x, whose bytes are the other way around
#   make check-static     the library's objects, checkkernels and the tests that need no other library: musl, and riscv64 under qemu
#   make check-whole      the library, the command and tests of recordings on armhf and s390x, with Debian's libraries
#   make macos-objects    the library's objects by clang for macOS on ARM, against headers of our own (test/foreign/macos)
#   make foreign-programs what the long tests run of these

# What the library and the tests are linked with, unpacked into a folder beside the build.
FOREIGN_PACKAGES := libc6-dev libsndfile1-dev libflac-dev libvorbis-dev libopus-dev libogg-dev libmpg123-dev libsamplerate0-dev \
                    libutf8proc-dev zlib1g-dev libjansson-dev libcmocka-dev
$(BUILD)/root-%/ready: tools/foreign-root test/foreign/foreign.mk
	sh tools/foreign-root $* $(@D) $(FOREIGN_PACKAGES)

AARCH64_TESTS := test_kernels test_dense test_heads test_resample
# CCACHE=ccache: for who has it.
FOREIGN_OUT := $(patsubst %,$(BUILD)/aarch64/%,whisp whisp-bench test/checkkernels/checkkernels $(patsubst %,test/%,$(AARCH64_TESTS)))
PLAIN := armhf:arm-linux-gnueabihf s390x:s390x-linux-gnu
.PHONY: foreign-programs check-aarch64 plain-programs check-plain
plain-programs:
	@for which in $(PLAIN); do \
	    $(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/$${which%%:*} CC="$(CCACHE) $${which#*:}-gcc" CFLAGS="-O2 -g" \
	        $(BUILD)/$${which%%:*}/test/checkkernels/checkkernels || exit 1; done
check-plain: plain-programs
	@sh test/foreign/check-plain $(BUILD)
foreign-programs: plain-programs $(BUILD)/root-arm64/ready
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/aarch64 CC="$(CCACHE) aarch64-linux-gnu-gcc --sysroot=$(abspath $(BUILD)/root-arm64)" \
	    AR=aarch64-linux-gnu-ar $(FOREIGN_OUT)
check-aarch64: foreign-programs
	@sh test/foreign/check-arm $(BUILD) $(AARCH64_TESTS)

# ---- where no other library is: musl, riscv64 (Debian 12 has none for it), macOS ----

# The headers of the libraries that the library uses, apart from those of this system's C library.
PORTABLE_HEADERS := sndfile.h FLAC vorbis opus ogg mpg123.h fmt123.h samplerate.h zlib.h zconf.h utf8proc.h jansson.h
PORTABLE := $(BUILD)/portable-headers
$(PORTABLE)/ready: test/foreign/foreign.mk
	@rm -rf $(@D) && mkdir -p $(@D)
	@for name in $(PORTABLE_HEADERS); do \
	    for folder in /usr/include /usr/include/$$($(CC) -print-multiarch); do \
	        [ ! -e $$folder/$$name ] || ln -sfn $$folder/$$name $(@D)/$$name; done; \
	    [ -e $(@D)/$$name ] || { echo "no $$name: make deps"; exit 1; }; done
	@touch $@

# Tests that need nothing but the C library, and cmocka, which test/foreign/cmocka stands for.
STATIC_TESTS := test_kernels test_gguf test_journal test_mel test_options test_cluster test_dense test_label test_segment_kernels \
                test_voices test_speech
STATIC := musl:musl-gcc:ar riscv64:riscv64-linux-gnu-gcc:riscv64-linux-gnu-ar
# process.c asks glibc for its memory.
$(BUILD)/static/support.a: $(filter-out %/process.o,$(TEST_SUPPORT))
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^
define STATIC_TEST
$(BUILD)/static/$(1): $(patsubst %.c,$(BUILD)/%.o,$(filter %/$(1).c,$(TEST_SOURCES))) $(BUILD)/static/support.a $(BUILD)/libwhisp.a
endef
$(foreach name,$(STATIC_TESTS),$(eval $(call STATIC_TEST,$(name))))
$(BUILD)/static/test_%:
	$(CC) $(CFLAGS) -static -o $@ $(filter %.o,$^) $(filter %.a,$^) -lm -pthread
$(BUILD)/static/checkkernels: $(CHECK_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -static -o $@ $^ -lm -pthread
.PHONY: static-all static-programs check-static
static-all: $(LIB_OBJ) $(BUILD)/static/checkkernels $(patsubst %,$(BUILD)/static/%,$(STATIC_TESTS))
static-programs: $(PORTABLE)/ready
	@for which in $(STATIC); do rest=$${which#*:}; \
	    command -v $${rest%:*} >/dev/null || { echo "no $${rest%:*}: make deps-long"; exit 1; }; \
	    $(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/$${which%%:*} AR=$${rest#*:} CFLAGS="-O2 -g" \
	        CC="$(CCACHE) $${rest%:*} -idirafter $(abspath $(PORTABLE)) -Itest/foreign/cmocka" static-all || exit 1; done
check-static: static-programs $(BUILD)/test/invented.gguf $(BUILD)/test/invented-multilingual.gguf $(BUILD)/test/invented-speakers.gguf
	@sh test/foreign/check-static $(BUILD) $(STATIC_TESTS)

.PHONY: macos-objects macos-all
macos-all: $(LIB_OBJ)
macos-objects: $(PORTABLE)/ready
	@command -v clang >/dev/null || { echo "no clang: make deps-long"; exit 1; }
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/macos HARDEN= MACHINE=arm64-apple-macos CFLAGS="-O2 -Werror" \
	    CC="$(CCACHE) clang --target=arm64-apple-macos12 -ffreestanding -nostdlibinc -isystem $(abspath test/foreign/macos) -isystem $(abspath $(PORTABLE))" macos-all

# ---- whole libraries, with Debian's ----

WHOLE := armhf:arm-linux-gnueabihf s390x:s390x-linux-gnu
WHOLE_TESTS := test_wave test_audio test_streams test_seek test_gguf test_tokenizer test_options test_output test_journal test_kernels
.PHONY: whole-programs check-whole
whole-programs: $(foreach which,$(WHOLE),$(BUILD)/root-$(firstword $(subst :, ,$(which)))/ready)
	@for which in $(WHOLE); do name=$${which%%:*}; triple=$${which#*:}; \
	    $(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/$$name CC="$(CCACHE) $$triple-gcc --sysroot=$(abspath $(BUILD))/root-$$name" \
	        AR=$$triple-ar CFLAGS="-O2 -g" $(BUILD)/$$name/whisp $(patsubst %,$(BUILD)/$$name/test/%,$(WHOLE_TESTS)) || exit 1; done
check-whole: whole-programs $(BUILD)/test/invented.gguf $(BUILD)/test/invented-multilingual.gguf
	@sh test/foreign/check-whole $(BUILD) $(WHOLE_TESTS)

# ---- instructions counted, beside whisper.cpp's (docs/arm.md) ----

#   make counts           instructions of a window and thirty tokens at each level, MODEL=tiny.en; with PEER=FOLDER (whisper.cpp's
#                         sources) the same of it, cross-compiled for the same levels
$(BUILD)/libcount.so: test/foreign/count/plugin.c
	$(CC) -shared -fPIC -O2 $(WARN) -fvisibility=hidden -o $@ $<
$(BUILD)/test/foreign/count/ours.o: CPPFLAGS += -Itest
$(BUILD)/count-ours: $(BUILD)/test/foreign/count/ours.o $(BUILD)/libwhisp.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
.PHONY: count-programs counts
count-programs: $(BUILD)/root-arm64/ready $(BUILD)/libcount.so
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/aarch64 CC="$(CCACHE) aarch64-linux-gnu-gcc --sysroot=$(abspath $(BUILD)/root-arm64)" \
	    AR=aarch64-linux-gnu-ar $(BUILD)/aarch64/count-ours
PEER ?=
counts: count-programs
	@sh test/foreign/count/run $(BUILD) $(MODEL) $(PEER)
