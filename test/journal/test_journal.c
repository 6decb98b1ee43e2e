/* test_journal.c - the files of journals: what does not fit is kept beside the new one and found again, which of two
 * stays, and who may write when two runs have one journal. What answers mean is test_resume.c's matter. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/journal.h"
#include "support/testing.h"

static char path[4096], old[4096], told[4096]; /* the journal, its other name, warnings */

static void on_log(void *user, int level, const char *text)
{
    (void)user;
    if (level == WHISP_LOG_WARNING)
        snprintf(told + strlen(told), sizeof told - strlen(told), "%s\n", text);
}

static whisp_options *options;

/* A run with these options: what it is told is in `told`. */
static wh_journal *begin(const char *what, int resumes)
{
    char identity[64];
    snprintf(identity, sizeof identity, "option a=%s\n", what);
    const wh_journal_config config = {.path = path, .identity = identity, .resumes = resumes};
    wh_journal *journal;
    *told = '\0';
    assert_int_equal(wh_journal_open(&config, options, &journal), WHISP_OK);
    return journal;
}

static wh_key question(int i)
{
    wh_key key = WH_KEY_EMPTY;
    wh_key_add(&key, &i, sizeof i);
    return key;
}

static void answer(wh_journal *journal, int i)
{
    const wh_heard heard = {.at = 3000 * i, .frames = 3000};
    const wh_key key = question(i);
    char text[] = "the answer 0";
    wh_buf buf = {0};
    text[11] = (char)('0' + i);
    wh_buf_puts(&buf, text);
    assert_int_equal(wh_journal_keep(journal, options, &heard, &key, &buf), WHISP_OK);
    wh_buf_free(&buf);
}

/* Does it know answers 0 .. n-1, and not the one behind them? */
static void knows(wh_journal *journal, int n)
{
    for (int i = 0; i <= n; i++) {
        const wh_heard heard = {.at = 3000 * i, .frames = 3000};
        const wh_key key = question(i);
        wh_buf buf = {0};
        assert_int_equal(wh_journal_find(journal, options, &heard, &key, &buf), i < n);
        if (i < n)
            assert_int_equal(buf.data[11], '0' + i);
        wh_buf_free(&buf);
    }
}

/* A run that ends after n answers in all. */
static void run(const char *what, int resumes, int known, int n)
{
    wh_journal *journal = begin(what, resumes);
    knows(journal, known);
    for (int i = known; i < n; i++)
        answer(journal, i);
    wh_journal_free(journal);
}

static void write_text(const char *to, const char *text)
{
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int is_text(const char *at, const char *text)
{
    size_t n;
    char *bytes = read_file(at, &n);
    int same = n == strlen(text) && !memcmp(bytes, text, n);
    free(bytes);
    return same;
}

static int start_afresh(void **state)
{
    (void)state;
    unlink(path);
    unlink(old);
    return 0;
}

/* ---- one after the other ---- */

static void what_does_not_fit_is_kept_and_found_again(void **state)
{
    (void)state;
    run("5", 0, 0, 3);
    wh_journal *mistyped = begin("1", 1);
    assert_non_null(strstr(told, "is not used: option a was 5 there and is 1 now"));
    assert_int_not_equal(access(old, F_OK), 0); /* whoever ends it now has lost nothing */
    answer(mistyped, 0);
    answer(mistyped, 1);
    wh_journal_free(mistyped);
    run("5", 1, 3, 5);
    assert_string_equal(told, "");
    run("1", 1, 2, 2);
    assert_string_equal(told, "");
    run("5", 1, 5, 5);
}

static void the_longer_one_stays(void **state)
{
    (void)state;
    run("5", 0, 0, 4);
    run("1", 1, 0, 1);
    run("2", 1, 0, 2);
    run("3", 1, 0, 1);
    assert_non_null(strstr(told, "the.journal: is not used: option a was 2 there and is 3 now"));
    run("5", 1, 4, 4);
}

static void begun_anew_it_is_not_lost(void **state)
{
    (void)state;
    run("5", 0, 0, 4);
    run("5", 0, 0, 2);
    run("5", 1, 4, 5);
    run("5", 0, 0, 6); /* and this time it is the new one that is longer */
    run("5", 1, 6, 6);
}

static void a_damaged_one_is_kept_too(void **state)
{
    (void)state;
    run("5", 0, 0, 2);
    write_text(path, "whisp journal 1\nansw, and no more");
    run("5", 1, 0, 1);
    assert_non_null(strstr(told, "is damaged"));
    assert_true(is_text(old, "whisp journal 1\nansw, and no more"));
}

/* Ended before its first line was whole: nothing that a later run would know for a journal. */
static void what_holds_nothing_goes(void **state)
{
    (void)state;
    static const char *const heads[] = {"", "whisp jour"};
    for (int i = 0; i < 4; i++) {
        start_afresh(NULL);
        write_text(path, heads[i % 2]);
        run("5", i / 2, 0, 2);
        assert_string_equal(told, "");
        assert_int_not_equal(access(old, F_OK), 0);
        assert_int_equal(rename(path, old), 0);
        write_text(path, heads[i % 2]);
        run("5", 1, 2, 3); /* goes on under the other name */
        assert_string_equal(told, "");
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

static void what_is_no_journal_is_left_alone(void **state)
{
    (void)state;
    run("5", 0, 0, 2);
    write_text(old, "my diary\n");
    run("1", 1, 0, 2);
    assert_non_null(strstr(told, "the.journal.old: no journal is kept: something else is there"));
    assert_true(is_text(old, "my diary\n"));
    run("5", 1, 2, 2);
    unlink(old);
    assert_int_equal(symlink(path, old), 0);
    run("1", 1, 0, 2);
    assert_non_null(strstr(told, "the.journal.old: no journal is kept: a symbolic link is there"));
    run("5", 1, 2, 2);
}

/* ---- at once ---- */

static void the_second_run_does_no_harm(void **state)
{
    (void)state;
    static const char *const options_of_second[] = {"5", "1"};
    for (int i = 0; i < 4; i++) {
        start_afresh(NULL);
        wh_journal *first = begin("5", 1);
        answer(first, 0);
        wh_journal *second = begin(options_of_second[i % 2], i / 2);
        assert_non_null(strstr(told, "no journal is kept: another run is writing it"));
        knows(second, 0);
        answer(second, 7);
        answer(first, 1);
        wh_journal_free(second);
        answer(first, 2);
        wh_journal_free(first);
        assert_int_not_equal(access(old, F_OK), 0);
        run("5", 1, 3, 3);
    }
}

static void nor_does_one_that_began_before_there_was_any(void **state)
{
    (void)state;
    wh_journal *second = begin("1", 1), *first = begin("5", 1);
    answer(first, 0);
    assert_string_equal(told, "");
    answer(second, 0);
    assert_non_null(strstr(told, "no journal is kept: another run is writing it"));
    answer(second, 1);
    answer(first, 1);
    wh_journal_free(second);
    wh_journal_free(first);
    run("5", 1, 2, 2);
}

static void nor_where_the_older_one_is_in_use(void **state)
{
    (void)state;
    run("5", 0, 0, 3);
    run("1", 1, 0, 1);
    wh_journal *first = begin("5", 1), *second = begin("5", 1);
    assert_non_null(strstr(told, "the.journal.old: no journal is kept: another run is writing it"));
    answer(second, 3);
    answer(first, 3);
    wh_journal_free(first);
    wh_journal_free(second);
    run("5", 1, 4, 4);
}

/* A process that is killed holds nothing any more. */
static void a_killed_process_has_no_lock(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        wh_journal *journal = begin("5", 0);
        answer(journal, 0);
        answer(journal, 1);
        kill(getpid(), 9);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    run("5", 1, 2, 3);
    assert_string_equal(told, "");
}

static int set_up(void **state)
{
    (void)state;
    const whisp_callbacks callbacks = {.size = sizeof callbacks, .log = on_log};
    snprintf(path, sizeof path, "%s", temp_path("the.journal"));
    snprintf(old, sizeof old, "%s", temp_path("the.journal.old"));
    options = whisp_options_new();
    return whisp_options_on(options, &callbacks);
}

static int tear_down(void **state)
{
    (void)state;
    whisp_options_free(options);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_does_not_fit_is_kept_and_found_again, start_afresh),
        cmocka_unit_test_setup(the_longer_one_stays, start_afresh),
        cmocka_unit_test_setup(begun_anew_it_is_not_lost, start_afresh),
        cmocka_unit_test_setup(a_damaged_one_is_kept_too, start_afresh),
        cmocka_unit_test_setup(what_holds_nothing_goes, start_afresh),
        cmocka_unit_test_setup(what_is_no_journal_is_left_alone, start_afresh),
        cmocka_unit_test_setup(the_second_run_does_no_harm, start_afresh),
        cmocka_unit_test_setup(nor_does_one_that_began_before_there_was_any, start_afresh),
        cmocka_unit_test_setup(nor_where_the_older_one_is_in_use, start_afresh),
        cmocka_unit_test_setup(a_killed_process_has_no_lock, start_afresh),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
