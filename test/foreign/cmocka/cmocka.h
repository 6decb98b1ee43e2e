/* cmocka.h - as much of cmocka's interface (1.1) as the tests use that run where there is no cmocka: musl, riscv64. Written
 * for that; a test that fails says where, and the next one goes on. Included by one file a program. */
#ifndef FOREIGN_CMOCKA_H
#define FOREIGN_CMOCKA_H

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*foreign_fixture)(void **state);
struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    foreign_fixture setup, teardown;
    void *initial_state;
};

#define cmocka_unit_test(f)                                                                                            \
    {                                                                                                                  \
#f, f, NULL, NULL, NULL                                                                                        \
    }
#define cmocka_unit_test_setup(f, setup)                                                                               \
    {                                                                                                                  \
#f, f, setup, NULL, NULL                                                                                       \
    }
#define cmocka_unit_test_teardown(f, teardown)                                                                         \
    {                                                                                                                  \
#f, f, NULL, teardown, NULL                                                                                    \
    }
#define cmocka_unit_test_setup_teardown(f, up, down)                                                                   \
    {                                                                                                                  \
#f, f, up, down, NULL                                                                                          \
    }

/* Weak: the helpers of test/support include this, too, and all share one. */
#define FOREIGN_SHARED __attribute__((weak))
FOREIGN_SHARED jmp_buf foreign_out;

__attribute__((noreturn)) static inline void foreign_end(int how)
{
    longjmp(foreign_out, how);
}

static inline void foreign_need(int is_true, const char *what, const char *file, int line)
{
    if (is_true)
        return;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    foreign_end(1);
}

static inline void foreign_need_equal(long long a, long long b, int want, const char *what, const char *file, int line)
{
    if ((a == b) != want)
        fprintf(stderr, "%lld, %lld\n", a, b);
    foreign_need((a == b) == want, what, file, line);
}

static inline void foreign_need_text(const char *a, const char *b, const char *file, int line)
{
    if (strcmp(a, b) != 0)
        fprintf(stderr, "\"%s\"\n\"%s\"\n", a, b);
    foreign_need(strcmp(a, b) == 0, "strings differ", file, line);
}

#define assert_ptr_equal(a, b)                                                                                         \
    foreign_need((const void *)(a) == (const void *)(b), #a " is not " #b, __FILE__, __LINE__)
#define assert_true(c) foreign_need(!!(c), #c, __FILE__, __LINE__)
#define assert_false(c) foreign_need(!(c), "not " #c, __FILE__, __LINE__)
#define assert_non_null(p) foreign_need((p) != NULL, #p " is NULL", __FILE__, __LINE__)
#define assert_null(p) foreign_need((p) == NULL, #p " is not NULL", __FILE__, __LINE__)
#define assert_int_equal(a, b)                                                                                         \
    foreign_need_equal((long long)(a), (long long)(b), 1, #a " is not " #b, __FILE__, __LINE__)
#define assert_int_not_equal(a, b)                                                                                     \
    foreign_need_equal((long long)(a), (long long)(b), 0, #a " is " #b, __FILE__, __LINE__)
#define assert_string_equal(a, b) foreign_need_text((a), (b), __FILE__, __LINE__)
#define assert_memory_equal(a, b, n)                                                                                   \
    foreign_need(memcmp((a), (b), (n)) == 0, #a " differs from " #b, __FILE__, __LINE__)
#define assert_float_equal(a, b, e)                                                                                    \
    foreign_need(fabs((double)(a) - (double)(b)) <= (double)(e), #a " is not near " #b, __FILE__, __LINE__)
#define assert_in_range(x, lo, hi)                                                                                     \
    foreign_need((uintmax_t)(x) >= (uintmax_t)(lo) && (uintmax_t)(x) <= (uintmax_t)(hi), #x " is out of range",        \
                 __FILE__, __LINE__)
#define print_message(...) fprintf(stderr, __VA_ARGS__)
#define fail_msg(...) (fprintf(stderr, __VA_ARGS__), foreign_need(0, "", __FILE__, __LINE__))
#define fail() foreign_need(0, "fail()", __FILE__, __LINE__)
#define skip() foreign_end(2)

static inline int foreign_run(const struct CMUnitTest *tests, size_t n, foreign_fixture up, foreign_fixture down)
{
    void *group = NULL;
    volatile size_t passed = 0, skipped = 0;
    if (up && up(&group))
        return 1;
    for (volatile size_t i = 0; i < n; i++) {
        void *state = tests[i].initial_state ? tests[i].initial_state : group;
        volatile int is_over = 0;
        int how = setjmp(foreign_out);
        if (!how) {
            if (tests[i].setup && tests[i].setup(&state))
                foreign_end(1);
            tests[i].test(&state);
        }
        if (tests[i].teardown && !is_over) {
            is_over = 1; /* a teardown that fails comes back to the setjmp */
            tests[i].teardown(&state);
        }
        passed += how == 0;
        skipped += how == 2;
        if (how)
            fprintf(stderr, "[  %s ] %s\n", how == 2 ? "SKIPPED" : "FAILED", tests[i].name);
    }
    if (down)
        down(&group);
    fprintf(stderr, "[  PASSED  ] %zu test(s).\n", passed);
    return (int)(n - passed - skipped);
}
#define cmocka_run_group_tests(tests, up, down) foreign_run(tests, sizeof(tests) / sizeof((tests)[0]), up, down)
#define cmocka_run_group_tests_name(name, tests, up, down) cmocka_run_group_tests(tests, up, down)

#endif
