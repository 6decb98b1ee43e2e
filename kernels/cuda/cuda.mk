# cuda.mk - libwhisp-cuda.so by nvcc, and the same .cu files in the emulator by g++: the layers (kernels/cuda) and the
# engine that runs them (lib/backend/cuda). Included by Makefile.

CUDA ?=
CUDA_BUILD ?= build-cuda
NVCC ?= nvcc
CXX ?= g++
CUDA_SRC := $(wildcard kernels/cuda/*.cu lib/backend/cuda/*.cu)
CUDA_HEADERS := $(wildcard kernels/*.h kernels/cuda/*.h lib/backend/*.h lib/backend/cuda/*.h)

# Every architecture from the T4 on that nvcc knows (12.8 is the first that knows all of these), and PTX for the others: of
# the newest but those of 12.x, which are no superset of 10.x (sm_110 takes compute_100).
CUDA_WANTED := 75 80 86 89 90 100 120
CUDA_ARCHS ?= $(filter $(CUDA_WANTED),$(patsubst sm_%,%,$(shell $(NVCC) --list-gpu-code 2>/dev/null)))
CUDA_NEWEST = $(lastword $(filter-out 120,$(CUDA_ARCHS)))
CUDA_CODE = $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
            -gencode arch=compute_$(CUDA_NEWEST),code=compute_$(CUDA_NEWEST)
# CUDA_FLAGS=-lineinfo for a profiler, which doubles the library.
CUDA_FLAGS ?=
CUDA_COMPRESS = $(shell $(NVCC) --help 2>/dev/null | grep -q compress-mode && echo --compress-mode=size)
NVCC_FLAGS = -std=c++17 -O3 -Ilib -Ikernels $(CUDA_FLAGS) -Werror all-warnings -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra,-Werror \
             $(CUDA_COMPRESS) $(CUDA_CODE)

.PHONY: cuda
cuda: $(CUDA_BUILD)/libwhisp-cuda.so
$(CUDA_BUILD)/%.o: %.cu $(CUDA_HEADERS) kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(NVCC) $(NVCC_FLAGS) -c -o $@ $<
# CUDA's runtime is linked in; cuBLAS and the driver are opened when they are used.
$(CUDA_BUILD)/libwhisp-cuda.so: $(CUDA_SRC:%.cu=$(CUDA_BUILD)/%.o)
	$(NVCC) -shared -cudart static $(CUDA_CODE) -o $@ $^ -Xlinker -z,defs -ldl

# The tests of the kernels and the engine, for a GPU: against that very library.
$(CUDA_BUILD)/kernels-test: test/cuda/kernels.cpp test/cuda/engine.cpp test/cuda/testing.h $(CUDA_BUILD)/libwhisp-cuda.so
	$(NVCC) -std=c++17 -O2 -Ilib -Ikernels -Itest/cuda -x cu -cudart static -o $@ test/cuda/kernels.cpp test/cuda/engine.cpp \
	    -L$(CUDA_BUILD) -lwhisp-cuda -Xlinker -rpath,'$$ORIGIN'
.PHONY: cuda-device-check
cuda-device-check: $(CUDA_BUILD)/kernels-test
	$(CUDA_BUILD)/kernels-test 1 2 3 4 5 6 7 8 9 10

# ---- the emulator ----

EMU := $(BUILD)/cudaemu
EMU_FLAGS := -std=c++17 -Itest/cudaemu -Ilib -Ikernels -fPIC -fvisibility=hidden -ftls-model=initial-exec -pthread -Wall -Wextra -Wno-unknown-pragmas -MMD -MP
EMU_OBJ := $(CUDA_SRC:%.cu=$(EMU)/o/%.o) $(EMU)/o/cudaemu.o
$(EMU)/o/%.o: %.cu kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -O2 -g -x c++ -c -o $@ $<
$(EMU)/o/cudaemu.o: test/cudaemu/cudaemu.cpp kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -O2 -g -c -o $@ $<
$(EMU)/libwhisp-cuda.so: $(EMU_OBJ)
	$(CXX) -shared -pthread -Wl,-z,defs -o $@ $^ -ldl

# The kernels' tests, under AddressSanitizer and UndefinedBehaviorSanitizer; once more for each mutant.
EMU_SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
EMU_MUTANTS := 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22
$(EMU)/asan/%.o: %.cu kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) $(EMU_SANITIZE) -x c++ -c -o $@ $<
$(EMU)/asan/cudaemu.o: test/cudaemu/cudaemu.cpp kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) $(EMU_SANITIZE) -c -o $@ $<
$(EMU)/asan/test/%.o: test/cuda/%.cpp kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -Itest/cuda $(EMU_SANITIZE) -c -o $@ $<
CUDA_TESTS := kernels engine
EMU_ASAN_OBJ := $(EMU_OBJ:$(EMU)/o/%=$(EMU)/asan/%) $(CUDA_TESTS:%=$(EMU)/asan/test/%.o)
$(EMU)/kernels: $(EMU_ASAN_OBJ)
	$(CXX) $(EMU_SANITIZE) -pthread -o $@ $^ -ldl

# Which file a mutant changes (test/check-mutants says what in it).
MUTANT_FILE_1 := kernels/cuda/attention
MUTANT_FILE_2 := kernels/cuda/attention
MUTANT_FILE_3 := lib/backend/cuda/encoder
MUTANT_FILE_4 := kernels/cuda/attention
MUTANT_FILE_5 := kernels/cuda/convolution
MUTANT_FILE_6 := kernels/cuda/attention
MUTANT_FILE_7 := kernels/cuda/attention
MUTANT_FILE_8 := kernels/cuda/attention
MUTANT_FILE_9 := kernels/cuda/choose
MUTANT_FILE_10 := kernels/cuda/choose
MUTANT_FILE_11 := kernels/cuda/choose
MUTANT_FILE_12 := kernels/cuda/gemv
MUTANT_FILE_13 := kernels/cuda/mel
MUTANT_FILE_14 := kernels/cuda/mel
MUTANT_FILE_15 := kernels/cuda/mel
MUTANT_FILE_16 := lib/backend/cuda/steps
MUTANT_FILE_17 := kernels/cuda/heads
MUTANT_FILE_18 := kernels/cuda/blas
MUTANT_FILE_19 := lib/backend/cuda/enter
MUTANT_FILE_20 := lib/backend/cuda/log_mel
MUTANT_FILE_21 := lib/backend/cuda/steps
MUTANT_FILE_22 := lib/backend/cuda/weights
define mutant
$(EMU)/mutant-$(1): $(MUTANT_FILE_$(1)).cu $(EMU_ASAN_OBJ)
	$$(CXX) $$(EMU_FLAGS) $$(EMU_SANITIZE) -MF $(EMU)/mutant-$(1).d -MT $$@ -DWH_MUTANT=$(1) -x c++ -c -o $$@.o $$<
	$$(CXX) $$(EMU_SANITIZE) -pthread -o $$@ $$@.o $$(filter-out %/asan/$(MUTANT_FILE_$(1)).o,$(EMU_ASAN_OBJ)) -ldl
endef
$(foreach m,$(EMU_MUTANTS),$(eval $(call mutant,$(m))))

# ---- the first run on a GPU (docs/cuda.md); KIT_CUDA=$(BUILD)/cudaemu: the emulator in its place ----

CUDA_FAKE := $(BUILD)/cudafake/libwhisp-cuda.so
GPU_KIT ?= $(BUILD)/gpu-kit
KIT_CUDA ?= $(CUDA_BUILD)
KIT_MODEL ?= models/tiny.en.gguf
KIT_RECORDING ?= test/data/demo.flac
.PHONY: gpu-kit
gpu-kit: $(KIT_CUDA)/libwhisp-cuda.so $(KIT_CUDA)/kernels$(if $(findstring cudaemu,$(KIT_CUDA)),,-test) $(CUDA_FAKE) $(BUILD)/whisp $(BUILD)/whisp-bench $(BUILD)/whisp-convert
	sh tools/gpu-kit/make-kit $(BUILD) $(KIT_CUDA) $(KIT_MODEL) $(GPU_KIT) $(KIT_RECORDING)

# ---- a device that answers at once with an invented talk (test/cuda/fake.c): what the host alone takes ----

$(CUDA_FAKE): test/cuda/fake.c $(CUDA_HEADERS) kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -Ilib -Ikernels -fPIC -fvisibility=hidden -Wall -Wextra $(CFLAGS) -shared -o $@ $< -pthread -ldl

.PHONY: cuda-host
cuda-host: $(CUDA_FAKE) $(BUILD)/whisp
	python3 bench/cuda-host --build $(BUILD)

# A model that the emulator gets through quickly.
$(BUILD)/test/invented-small.gguf: test/python/invent.py
	@mkdir -p $(@D)
	python3 $< $@ --layers 1

# Counts, occupancy and an estimate, into docs/cuda.md.
.PHONY: cuda-profile
cuda-profile: cuda-programs $(BUILD)/whisp
	python3 bench/cuda-profile --build $(BUILD) --nvcc $(NVCC) --docs docs/cuda.md

.PHONY: cuda-check cuda-programs cuda-mutants
cuda-programs: $(EMU)/libwhisp-cuda.so $(EMU)/kernels $(CUDA_FAKE) $(BUILD)/test/invented-small.gguf
cuda-mutants: $(EMU_MUTANTS:%=$(EMU)/mutant-%)
cuda-check: cuda-programs cuda-mutants $(BUILD)/test/test_cuda $(BUILD)/whisp
	$(EMU)/kernels 1 2 3 4 5 6 7 8 9 10
	sh test/check-mutants $(EMU)
	WHISP_BUILD=$(BUILD) WHISP_INVENTED=$(BUILD)/test $(BUILD)/test/test_cuda
