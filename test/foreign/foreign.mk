# foreign.mk - programs for other architectures, cross-compiled and run under qemu-user (docs/arm.md). Included by the Makefile.
#
#   make check-aarch64    the kernels' levels for 64-bit ARM, their loops, the programs and a recording's words, under qemu
#   make check-plain      the kernels' definitions on 32-bit ARM (Raspberry Pi OS) and on s390x, whose bytes are the other way around
#   make foreign-programs what the long tests run of both

# What the library and the tests are linked with, unpacked into a folder beside the build.
FOREIGN_PACKAGES := libc6-dev libsndfile1-dev libflac-dev libvorbis-dev libopus-dev libogg-dev libmpg123-dev libsamplerate0-dev \
                    libutf8proc-dev zlib1g-dev libjansson-dev libcmocka-dev
$(BUILD)/root-%/ready: tools/foreign-root test/foreign/foreign.mk
	sh tools/foreign-root $* $(@D) $(FOREIGN_PACKAGES)

AARCH64_TESTS := test_kernels test_dense test_heads test_resample
# CCACHE=ccache: for who has it.
FOREIGN_OUT := $(patsubst %,$(BUILD)/aarch64/%,whisp test/checkkernels/checkkernels $(patsubst %,test/%,$(AARCH64_TESTS)))
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
