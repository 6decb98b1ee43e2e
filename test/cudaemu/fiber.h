/* fiber.h - a block's threads: stacks that are switched by hand, known to AddressSanitizer. Used by cudaemu.cpp only. */
#ifndef CUDAEMU_FIBER_H
#define CUDAEMU_FIBER_H

#include <cstddef>
#include <cstdlib>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define CUDAEMU_ASAN 1
#else
#define CUDAEMU_ASAN 0
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cudaemu
{

constexpr size_t STACK = CUDAEMU_ASAN ? 256 << 10 : 64 << 10;

struct Fiber {
    char *stack = nullptr; /* STACK bytes, a guard page below */
    void (*entry)() = nullptr;
#if defined(__x86_64__)
    void *sp = nullptr;
#else
    ucontext_t context;
#endif
    void *fake = nullptr; /* AddressSanitizer's */
    const void *bottom = nullptr;
    size_t size = 0;
};

#if defined(__x86_64__)
/* Save the callee-saved registers and the stack pointer at *from, take up those of `to`. */
extern "C" void cudaemu_switch(void **from, void *to);
#endif

inline void fiber_prepare(Fiber *f, void (*entry)())
{
    if (!f->stack) {
        char *p = (char *)mmap(nullptr, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            abort();
        mprotect(p, 4096, PROT_NONE);
        f->stack = p + 4096;
    }
    f->entry = entry;
    f->bottom = f->stack;
    f->size = STACK;
    f->fake = nullptr;
#if CUDAEMU_ASAN
    __asan_unpoison_memory_region(f->stack, STACK);
#endif
#if defined(__x86_64__)
    void **top = (void **)(f->stack + STACK) - 2;
    *--top = nullptr;       /* entry's return address: never used */
    *--top = (void *)entry; /* where cudaemu_switch returns to */
    for (int i = 0; i < 6; i++)
        *--top = nullptr; /* rbp rbx r12 r13 r14 r15 */
    f->sp = top;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = nullptr;
    makecontext(&f->context, entry, 0);
#endif
}

/* `ends`: `from` will not run again. */
inline void fiber_switch(Fiber *from, Fiber *to, bool ends)
{
#if CUDAEMU_ASAN
    __sanitizer_start_switch_fiber(ends ? nullptr : &from->fake, to->bottom, to->size);
#else
    (void)ends;
#endif
#if defined(__x86_64__)
    cudaemu_switch(&from->sp, to->sp);
#else
    swapcontext(&from->context, &to->context);
#endif
#if CUDAEMU_ASAN
    __sanitizer_finish_switch_fiber(from->fake, nullptr, nullptr);
#endif
}

/* First thing in a fiber's entry; `came_from` learns its stack, if it is the host thread's own. */
inline void fiber_entered(Fiber *host)
{
#if CUDAEMU_ASAN
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
    if (host && !host->bottom) {
        host->bottom = bottom;
        host->size = size;
    }
#else
    (void)host;
#endif
}

} // namespace cudaemu

#endif
