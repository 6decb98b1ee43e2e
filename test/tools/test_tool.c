/* tool_parts.c - parts of the command line tool that need no process of their own; linked with its objects
 * (test_tool). */
#include <string.h>

#include "support/testing.h"

#include "../tools/whisp/tool.h"

static void a_long_run_without_files_is_told_how_to_get_them(void **state)
{
    (void)state;
    assert_null(summary_hint(59.0, 0, 1));
    assert_non_null(summary_hint(61.0, 0, 1));
    assert_non_null(strstr(summary_hint(3600.0, 0, 1), "-f srt"));
    assert_non_null(strstr(summary_hint(3600.0, 0, 1), "-o FOLDER"));
    assert_null(summary_hint(3600.0, 1, 1)); /* there are files */
    assert_null(summary_hint(3600.0, 0, 0)); /* nobody looks */
}

static void failures_are_kept_apart_from_what_was_heard_in_part(void **state)
{
    (void)state;
    struct summary s;
    assert_int_equal(summary_begin(&s, 3), CODE_DONE);
    summary_add(&s, "a.wav", CODE_DONE);
    summary_add(&s, "b.wav", CODE_PART);
    summary_add(&s, "c.wav", CODE_INPUT);
    assert_int_equal(s.n_bad, 2);
    assert_string_equal(s.list[0].input, "b.wav");
    assert_int_equal(s.list[1].code, CODE_INPUT);
    summary_free(&s);
}

static void other_programs_options_have_advice(void **state)
{
    (void)state;
    assert_string_equal(foreign_short("osrt"), "-f srt");
    assert_string_equal(foreign_short("bs5"), foreign_short("bs"));
    assert_string_equal(foreign_short("l=it"), foreign_short("l"));
    assert_string_equal(foreign_long("output_srt"), "--output_format srt");
    assert_null(foreign_short("o"));
    assert_null(foreign_short("f"));
    assert_null(foreign_short("m"));
    for (size_t i = 0; i < N_OWN; i++) /* what we have ourselves is nobody else's */
        assert_null(foreign_long(own_options[i].info.name));
    size_t n;
    const whisp_option_info *const *list = whisp_option_list(&n);
    for (size_t i = 0; i < n; i++)
        assert_null(foreign_long(list[i]->name));
}

static void beginnings_of_options_are_found(void **state)
{
    (void)state;
    assert_string_equal(suggest_beginning("model"), "model");
    assert_string_equal(suggest_beginning("output-dir"), "output_dir");
    assert_string_equal(suggest_beginning("lang"), "language");
    assert_null(suggest_beginning("o"));
    assert_null(suggest_beginning("mbase"));
    assert_null(suggest_beginning("fsrt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_run_without_files_is_told_how_to_get_them),
        cmocka_unit_test(failures_are_kept_apart_from_what_was_heard_in_part),
        cmocka_unit_test(other_programs_options_have_advice),
        cmocka_unit_test(beginnings_of_options_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
