/* test_vocabulary.c - the option vocabulary: lists good and bad, sounds, places against a plain edit distance, replacing
 * on an invented model, and a term that real models only find with it. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/vocabulary.h"
#include "support/calls.h"

static whisp_model *model;
static const wh_specials *sp;

static int load(void **state)
{
    (void)state;
    if (whisp_model_load(invented_path("invented-multilingual"), NULL, &model))
        return -1;
    sp = wh_tokenizer_specials(model->tokenizer);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    whisp_model_free(model);
    return 0;
}

/* A file with this text; its path lives as long as temp_path()'s. */
static const char *list_file(const char *name, const char *text, size_t n)
{
    const char *path = temp_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return path;
}

static wh_vocabulary *vocabulary_of(const char *text)
{
    wh_vocabulary *v;
    if (wh_vocabulary_load(list_file("terms.txt", text, strlen(text)), model, &v))
        fail_msg("%s", whisp_last_error());
    return v;
}

/* ---- lists ---- */

static void a_list_is_read(void **state)
{
    (void)state;
    wh_vocabulary *v = vocabulary_of("\xEF\xBB\xBF# names\r\nRishabh\r\n\n  multi-armed bandits \t\n#recsys\nÅngström");
    assert_int_equal(v->n_terms, 3);
    assert_string_equal(v->terms[0].text, "Rishabh");
    assert_string_equal(v->terms[1].text, "multi-armed bandits");
    assert_string_equal(v->terms[2].text, "Ångström");
    int32_t expected[64];
    int64_t n = whisp_tokenize(model, " Rishabh", expected, 64);
    assert_int_equal(v->terms[0].n_spaced, n);
    assert_memory_equal(v->terms[0].spaced, expected, (size_t)n * sizeof *expected);
    n = whisp_tokenize(model, "Rishabh", expected, 64);
    assert_int_equal(v->terms[0].n_joined, n);
    assert_memory_equal(v->terms[0].joined, expected, (size_t)n * sizeof *expected);
    wh_vocabulary_free(v);
}

/* ---- corrections ---- */

static void expect_term(const wh_vocabulary *v, size_t i, const char *text, const char *heard)
{
    assert_true(i < v->n_terms);
    assert_string_equal(v->terms[i].text, text);
    assert_true(!v->terms[i].heard == !heard);
    if (heard)
        assert_string_equal(v->terms[i].heard, heard);
}

/* Names are learned, with what was written for them; plain words are not, nor what only letter case tells apart. */
static void corrections_teach_names(void **state)
{
    (void)state;
    const char *path = model_path("tiny.en"); /* which words are plain ones, a real vocabulary knows */
    whisp_model *real;
    wh_vocabulary *v;
    if (!path)
        return;
    assert_int_equal(whisp_model_load(path, NULL, &real), WHISP_OK);
    const char *text =
        " \n{\"text\": \" What he said on ShareChat, with the recsys people. Then what?\", \"segments\": [], \"corrections\": ["
        "{\"from\": \" Shirech at,\", \"to\": \"ShareChat.\", \"count\": 7}, {\"from\": \"a\", \"to\": \"the\"},"
        "{\"from\": \"Watt\", \"to\": \"What\"}, {\"from\": \"spotify\", \"to\": \"Spotify\"},"
        "{\"from\": \"your\", \"to\": \"you're\"}, {\"from\": \"wreck six\", \"to\": \"recsys\"},"
        "{\"from\": \"the\", \"to\": \"Emine\"}, {\"from\": \"X\", \"to\": \"...\"},"
        "{\"from\": \"and so on and on\", \"to\": \"One whole Sentence that Somebody typed\"}]}";
    if (wh_vocabulary_load(list_file("corrected.json", text, strlen(text)), real, &v))
        fail_msg("%s", whisp_last_error());
    assert_true(v->n_corrections == 9 && v->n_learned == 3 && v->n_terms == 5);
    expect_term(v, 0, "ShareChat", NULL);
    expect_term(v, 1, "ShareChat", "Shirech at");
    expect_term(v, 2, "recsys",
                NULL); /* no capital, but no word that the model has in one piece; "you're" is not one */
    expect_term(v, 3, "recsys", "wreck six");
    expect_term(v, 4, "Emine", NULL); /* "the" is said rightly elsewhere: no sign of a name */
    wh_vocabulary_free(v);
    whisp_model_free(real);
}

static void refused(const char *path, int code, const char *why)
{
    whisp_options *o = whisp_options_new();
    whisp_session *s = (whisp_session *)1;
    assert_int_equal(whisp_options_set(o, "vocabulary", path), WHISP_OK);
    assert_int_equal(whisp_session_new(model, o, &s), code);
    assert_null(s);
    if (!strstr(whisp_last_error(), why) || !strstr(whisp_last_error(), "option vocabulary"))
        fail_msg("'%s' does not say '%s'", whisp_last_error(), why);
    whisp_options_free(o);
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    char many[300 * 6 + 1] = "";
    refused("no/such/file", WHISP_ERR_IO, "No such file");
    refused(".", WHISP_ERR_IO, "directory");
    refused(list_file("a", "", 0), WHISP_ERR_ARGUMENT, "no term");
    refused(list_file("b", "# only\n\n", 8), WHISP_ERR_ARGUMENT, "no term");
    refused(list_file("c",
                      "good\nb\xFF"
                      "ad\n",
                      10),
            WHISP_ERR_ARGUMENT, "line 2: not UTF-8");
    refused(list_file("d", "a\0b\n", 4), WHISP_ERR_ARGUMENT, "line 1: not UTF-8");
    refused(list_file("e", "ok\n\n---\n", 8), WHISP_ERR_ARGUMENT, "line 3: '---' has no letter");
    const char *none = "{\"text\": \"a\", \"segments\": []}",
               *plain = "{\"corrections\": [{\"from\": \"x\", \"to\": \"a\"}]}";
    refused(list_file("g", none, strlen(none)), WHISP_ERR_ARGUMENT, "without \"corrections\"");
    refused(list_file("h", plain, strlen(plain)), WHISP_ERR_ARGUMENT, "none of its 1 corrections is a name");
    refused(list_file("i", "{\"corrections\": [{}]}", 21), WHISP_ERR_ARGUMENT, "not a transcript in JSON");
    refused(list_file("j", "{", 1), WHISP_ERR_ARGUMENT, "not a transcript in JSON");
    for (int i = 0; i < 300; i++)
        strcat(many, "tokel ");
    refused(list_file("f", many, strlen(many)), WHISP_ERR_ARGUMENT, "line 1: 'tokel tokel");
}

/* ---- sounds ---- */

static int32_t *sounds_of(const char *text, size_t *n)
{
    int32_t *sounds = NULL;
    size_t capacity = 0;
    *n = 0;
    assert_int_equal(wh_sounds(text, strlen(text), &sounds, n, &capacity), WHISP_OK);
    return sounds;
}

/* The distance as near.c defines it, without a tree. */
static double distance(const char *term, const char *text)
{
    size_t n, m;
    int32_t *a = sounds_of(term, &n), *b = sounds_of(text, &m);
    int *d = calloc((n + 1) * (m + 1), sizeof *d);
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            int best = i || j ? 1 << 20 : 0;
            if (i)
                best = WH_MIN(best, d[(i - 1) * (m + 1) + j] + wh_sound_extra(a[i - 1]));
            if (j)
                best = WH_MIN(best, d[i * (m + 1) + j - 1] + wh_sound_extra(b[j - 1]));
            if (i && j) {
                int change = wh_sound_change(a[i - 1], b[j - 1]);
                best = WH_MIN(best, d[(i - 1) * (m + 1) + j - 1] + (i == 1 && j == 1 ? change * 3 / 2 : change));
            }
            d[i * (m + 1) + j] = best;
        }
    double result = d[n * (m + 1) + m] / (WH_SOUND_UNIT * 0.5 * (double)(n + m));
    free(a);
    free(b);
    free(d);
    return result;
}

static void what_sounds_alike_is_near(void **state)
{
    (void)state;
    static const struct {
        const char *term, *text;
        double least, most;
    } cases[] = {
        {"recsys", " Rexys", 0, 0},
        {"Recsperts", " Rexperts", 0, 0},
        {"Rishabh", " Rishab", 0, 0},
        {"ShareChat", " share chat", 0, 0},
        {"multi-armed", " multi armed", 0, 0},
        {"Ångström", "angstrom", 0, 0},
        {"ShareChat", " share etch at", 0, 0.1},
        {"Spotify", " sportify", 0.05, 0.15},
        {"NVIDIA", " NVID, IA", 0, 0},
        {"Bing", " being", 0.05, 0.15},
        {"Fernando Diaz", "Fernando Dios", 0.02, 0.1},
        {"Kafka", " coffee", 0.2, 0.6},
        {"Lexis", " Rexys", 0.15, 0.4},
        {"recsys", " elephants", 0.5, 1.5},
        {"東京", "東京", 0, 0},
        {"東京", "京都", 0.5, 1},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        double d = distance(cases[i].term, cases[i].text);
        if (d < cases[i].least || d > cases[i].most)
            fail_msg("'%s' and '%s': %.3f is not within %.3f to %.3f", cases[i].term, cases[i].text, d, cases[i].least,
                     cases[i].most);
    }
    for (int32_t a = 1; a < 128; a++)
        for (int32_t b = 1; b < 128; b++) {
            assert_int_equal(wh_sound_change(a, b), wh_sound_change(b, a));
            assert_int_equal(wh_sound_change(a, b) == 0, a == b);
        }
}

/* ---- places ---- */

/* The tokens of a text, each '|' a timestamp. */
static size_t tokens_of(const char *text, whisp_token *tokens, size_t capacity)
{
    size_t n = 0;
    while (*text) {
        char part[512];
        int32_t ids[512];
        size_t length = strcspn(text, "|");
        snprintf(part, sizeof part, "%.*s", (int)length, text);
        int64_t count = whisp_tokenize(model, part, ids, WH_COUNT(ids));
        for (int64_t i = 0; i < count && n < capacity; i++)
            tokens[n++] = (whisp_token){ids[i], -0.1f};
        text += length;
        if (*text == '|' && n < capacity) {
            tokens[n++] = (whisp_token){sp->timestamp_begin, -0.1f};
            text++;
        }
    }
    return n;
}

/* The text of a place. */
static const char *place_text(const wh_places *p, const wh_place *place, char *to, size_t size)
{
    const wh_unit *a = &p->units[place->first_unit], *b = a + place->n_units - 1;
    snprintf(to, size, "%.*s", (int)(b->text + b->length - a->text), p->text.data + a->text);
    return to;
}

static void places_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *terms, *text, *expected;
    } cases[] = {
        {"recsys\n", "| just one Rexys, you|", " Rexys=recsys;"},
        {"recsys\n", "| a recsys system|", ""}, /* written already */
        {"recsys\n", "| on Recsys-based|", ""},
        {"ShareChat\n", "| at share chat.|", " share chat=ShareChat;"},
        {"Mrtkpst\n", "| at mrtk.| pst|", ""},    /* two segments */
        {"Mrtkpst\n", "| we mrtk. Pst now|", ""}, /* two sentences */
        {"Mrtkpst\n", "| we mrtk pst now|", " mrtk pst=Mrtkpst;"},
        {"ShareChat\n", "|“share chat”|", "share chat=ShareChat;"},
        {"armed\n", "| multi-aarmed|", "aarmed=armed;"},
        {"India\n", "| Inndia's best|", " Inndia=India;"},
        {"Goldman\nGoldman Sachs\n", "| at Goldman sacks|", " Goldman sacks=Goldman Sachs;"},
        {"Marcel\nMarcelo\n", "| hello Marcel|", ""}, /* a term is not taken for another */
        {"東京\n", "|北東亰|", ""},
        {"x\n", "", ""},
    };
    for (size_t i = 0; i < WH_COUNT(cases); i++) {
        wh_vocabulary *v = vocabulary_of(cases[i].terms);
        wh_places places = {0};
        whisp_token tokens[256];
        wh_buf got = {0};
        size_t n = tokens_of(cases[i].text, tokens, WH_COUNT(tokens));
        assert_int_equal(wh_places_find(v, model, tokens, n, &places), WHISP_OK);
        wh_buf_puts(&got, "");
        for (size_t k = 0; k < places.n; k++) {
            char text[256];
            const wh_place *p = &places.list[k];
            wh_buf_printf(&got, "%s=%s;", place_text(&places, p, text, sizeof text), v->terms[p->term].text);
            int32_t ids[256];
            for (size_t t = p->from; t < p->to; t++)
                ids[t - p->from] = tokens[t].id;
            char again[256];
            whisp_detokenize(model, ids, p->to - p->from, again, sizeof again);
            assert_string_equal(again, text); /* its tokens say the same */
        }
        if (strcmp(got.data, cases[i].expected))
            fail_msg("'%s' in '%s': '%s' instead of '%s'", cases[i].terms, cases[i].text, got.data, cases[i].expected);
        wh_buf_free(&got);
        wh_places_free(&places);
        wh_vocabulary_free(v);
    }
}

/* The tree's distances are those of a plain edit distance, and the nearest place of a near term is among the places. */
static void the_tree_finds_what_a_plain_search_finds(void **state)
{
    (void)state;
    uint64_t random = 7;
    static const char *const parts[] = {"ka", "ra", "sh", "e", "x", "ti", "no", "pe", "ck", "lo", "b"};
    size_t checked = 0;
    for (int round = 0; round < 60; round++) {
        char list[2048] = "", text[512] = "|";
        for (int i = 0; i < 30; i++) {
            for (int k = 0; k < 3; k++)
                strcat(list, parts[(size_t)(random_unit(&random) * WH_COUNT(parts))]);
            strcat(list, "\n");
        }
        for (int i = 0; i < 8; i++) {
            strcat(text, " ");
            for (int k = 0; k < 3; k++)
                strcat(text, parts[(size_t)(random_unit(&random) * WH_COUNT(parts))]);
        }
        wh_vocabulary *v = vocabulary_of(list);
        wh_places places = {0};
        whisp_token tokens[512];
        size_t n = tokens_of(text, tokens, WH_COUNT(tokens));
        assert_int_equal(wh_places_find(v, model, tokens, n, &places), WHISP_OK);
        for (size_t k = 0; k < places.n; k++) {
            char said[256];
            const wh_place *p = &places.list[k];
            double plain = distance(v->terms[p->term].text, place_text(&places, p, said, sizeof said));
            assert_true(fabs(plain - p->distance) < 1e-9);
        }
        for (size_t u = 0; u < places.n_units; u++) /* a single word */
            for (size_t t = 0; t < v->n_terms; t++) {
                char word[64];
                snprintf(word, sizeof word, "%.*s", (int)places.units[u].length,
                         places.text.data + places.units[u].text);
                double d = distance(v->terms[t].text, word);
                int there = d > 0.2 || !strcmp(word + 1, v->terms[t].text);
                for (size_t k = 0; k < places.n; k++) { /* or something better stands in the same place */
                    const wh_place *p = &places.list[k];
                    there |= p->first_unit <= u && u < p->first_unit + p->n_units && p->distance <= d + 1e-9;
                }
                for (size_t o = 0; o < v->n_terms; o++)
                    there |= strstr(text, v->terms[o].text) != NULL;
                checked += d <= 0.2;
                if (!there)
                    fail_msg("'%s' is %.3f from '%s' and was not found", v->terms[t].text, d, word);
            }
        wh_places_free(&places);
        wh_vocabulary_free(v);
    }
    assert_true(checked > 20);
}

/* ---- the invented model ---- */

static whisp_result *transcribe(const whisp_model *m, const char *path, ...)
{
    whisp_options *o = whisp_options_new();
    whisp_result *result = NULL;
    va_list args;
    assert_int_equal(whisp_options_set(o, "language", "en"), WHISP_OK);
    if (!path) /* the guard knows noise when it hears it */
        assert_int_equal(whisp_options_set(o, "hallucination_guard", "False"), WHISP_OK);
    va_start(args, path);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;)
        if (whisp_options_set(o, name, va_arg(args, const char *)))
            fail_msg("%s", whisp_last_error());
    va_end(args);
    whisp_session *s;
    if (whisp_session_new(m, o, &s))
        fail_msg("%s", whisp_last_error());
    float *noise = NULL;
    int rc;
    if (path) {
        rc = transcribe_file(s, path, &result);
    } else {
        size_t n = 16000 * 20;
        uint64_t random = 3;
        noise = calloc(n, sizeof *noise);
        for (size_t i = 0; i < n; i++)
            noise[i] = (float)(random_unit(&random) - 0.5) / 4;
        rc = transcribe_samples(s, noise, n, &result);
    }
    if (rc)
        fail_msg("%s", whisp_last_error());
    free(noise);
    whisp_session_free(s);
    whisp_options_free(o);
    return result;
}

static int same(const whisp_result *a, const whisp_result *b)
{
    return strcmp(whisp_result_text(a), whisp_result_text(b)) == 0 &&
           result_info(a).n_segments == result_info(b).n_segments;
}

/* Terms made of the invented text's own words with a letter doubled: they sound alike, so the model decides. */
static const char *terms_like(const char *text)
{
    char list[8192] = "";
    size_t n = 0;
    for (const char *p = text; *p && n + 40 < sizeof list; p++) {
        size_t length = 0;
        while (((p[length] | 32) >= 'a' && (p[length] | 32) <= 'z') && length < 12)
            length++;
        if (length < 2)
            continue;
        n += (size_t)snprintf(list + n, sizeof list - n, "%.*s%c\n", (int)length, p, p[length - 1]);
        p += length - 1;
    }
    if (!n)
        n = (size_t)snprintf(list, sizeof list, "zz\n");
    return list_file("like.txt", list, n);
}

static void invented_texts_change_alike_for_any_threads_and_beams(void **state)
{
    (void)state;
    static const char *const more[][2] = {
        {"beam_size", "1"},          {"beam_size", "3"}, {"without_timestamps", "True"},         {"temperature", "0.7"},
        {"word_timestamps", "True"}, {"prefix", "And"},  {"condition_on_previous_text", "False"}};
    size_t changed = 0;
    for (size_t i = 0; i < WH_COUNT(more); i++) {
        whisp_result *plain = transcribe(model, NULL, more[i][0], more[i][1], "sample_len", "40", NULL);
        const char *list = terms_like(whisp_result_text(plain));
        whisp_result *one = transcribe(model, NULL, more[i][0], more[i][1], "sample_len", "40", "vocabulary", list,
                                       "threads", "1", NULL);
        whisp_result *two = transcribe(model, NULL, more[i][0], more[i][1], "sample_len", "40", "vocabulary", list,
                                       "threads", "2", NULL);
        assert_true(same(one, two));
        changed += !same(plain, one);
        for (size_t k = 0; k < result_info(one).n_segments; k++) {
            const whisp_segment *segment = whisp_result_segment(one, k);
            for (size_t t = 0; t < segment->n_tokens; t++)
                assert_true(segment->tokens[t].logprob <= 0);
        }
        whisp_result *off = transcribe(model, NULL, more[i][0], more[i][1], "sample_len", "40", "vocabulary", list,
                                       "task", "translate", NULL);
        whisp_result *without = transcribe(model, NULL, more[i][0], more[i][1], "sample_len", "40", "task", "translate",
                                           NULL);
        assert_true(same(off, without)); /* translations are left alone */
        whisp_result_free(off);
        whisp_result_free(without);
        whisp_result_free(plain);
        whisp_result_free(one);
        whisp_result_free(two);
    }
    print_message("%zu of %zu changed\n", changed, WH_COUNT(more));
    assert_true(changed > 0);
}

/* ---- real models ---- */

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

static void real_models_find_a_term(void **state)
{
    (void)state;
    const char *list = list_file("comfy.txt", "ComfyUI\n", 8);
    static const char *const names[] = {"tiny.en", "base"};
    for (size_t i = 0; i < WH_COUNT(names); i++) {
        whisp_model *m;
        const char *path = model_path(names[i]), *recording = shared_path("audio/hotwords.mp3");
        if (!path || !recording)
            return;
        assert_int_equal(whisp_model_load(path, NULL, &m), WHISP_OK);
        whisp_result *plain = transcribe(m, recording, NULL);
        assert_int_equal(count(whisp_result_text(plain), "ComfyUI"), 0);
        whisp_result *r = transcribe(m, recording, "vocabulary", list, "word_timestamps", "True", NULL);
        assert_int_equal(count(whisp_result_text(r), " ComfyUI"), 2);
        const whisp_segment *segment = whisp_result_segment(r, 0);
        size_t words = 0;
        for (size_t w = 0; w < segment->n_words; w++)
            if (strstr(segment->words[w]->text, "ComfyUI")) {
                words++;
                assert_true(segment->words[w]->end > segment->words[w]->start);
            }
        assert_int_equal(words, 2);
        whisp_result_free(r);
        /* the same from what was corrected in another recording */
        static const char taught[] =
            "{\"text\": \" We use ComfyUI.\", \"segments\": [], \"corrections\": [{\"from\": \"comfy I\", "
            "\"to\": \"ComfyUI\", \"count\": 1}]}";
        r = transcribe(m, recording, "vocabulary", list_file("corrected.json", taught, sizeof taught - 1), NULL);
        assert_int_equal(count(whisp_result_text(r), " ComfyUI"), 2);
        whisp_result_free(r);
        /* ten terms that nobody says, some of them alike, change nothing */
        static const char never[] =
            "comfort\nConfucius\nFolgers\nYugoslavia\nTheano\nGoethe\nagar\nYoruba\nIntel\nfossa\n";
        r = transcribe(m, recording, "vocabulary", list_file("never.txt", never, sizeof never - 1), NULL);
        assert_string_equal(whisp_result_text(r), whisp_result_text(plain));
        whisp_result_free(r);
        whisp_result_free(plain);
        whisp_model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(corrections_teach_names),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(what_sounds_alike_is_near),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(the_tree_finds_what_a_plain_search_finds),
        cmocka_unit_test(invented_texts_change_alike_for_any_threads_and_beams),
        cmocka_unit_test(real_models_find_a_term),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
