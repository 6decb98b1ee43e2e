/* fuzz_journal.c - journals, which anybody may have written. An input is a journal's file, or that of one that was set
 * aside (its first byte is even), which is opened, asked for all that it claims to hold and added to; or it is changes of
 * the answers that a run kept (odd), under which the same samples are heard again: what is read back is believed by
 * lib/window/recall.c, or not. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"

#include "search/corrector.h"
#include "transcribe/session.h"

#define MAGIC 16   /* bytes before the first record, */
#define HEAD 48    /* of a record before its answer, */
#define SUM 8      /* and behind it, as lib/journal/journal.c has it */
#define DECODED 40 /* of a decoding's answer before its tokens, as lib/window/recall.c has it */
#define MOST 64    /* records that are looked at */
#define IDENTITY "the version=1\noption a=b\n"

typedef struct record {
    wh_heard heard;
    wh_key key;
    uint8_t *answer; /* in the file; [n] */
    uint32_t n;
} record;

/* The record at `at`, whose answer is cut off where the file is. 0: there is none. */
static int find_record(uint8_t *file, size_t size, size_t at, record *r)
{
    if (size < HEAD + SUM || at > size - HEAD - SUM)
        return 0;
    memcpy(&r->n, file + at + 4, sizeof r->n);
    memcpy(&r->key, file + at + 8, sizeof r->key);
    memcpy(&r->heard, file + at + 24, sizeof r->heard);
    r->answer = file + at + HEAD;
    r->n = (uint32_t)WH_MIN(r->n, size - at - HEAD - SUM);
    return 1;
}

static size_t find_records(uint8_t *file, size_t size, record *list)
{
    size_t n = 0;
    for (size_t at = MAGIC; n < MOST && find_record(file, size, at, &list[n]); n++)
        at += HEAD + list[n].n + SUM;
    return n;
}

static wh_journal *open_journal(const whisp_options *o, const char *identity, int resumes)
{
    const wh_journal_config config = {.path = fuzz_path("journal"), .identity = identity, .resumes = resumes};
    wh_journal *journal = NULL;
    FUZZ_CHECK(wh_journal_open(&config, o, &journal) == WHISP_OK && journal);
    return journal;
}

static void write_journal(const char *name, const uint8_t *data, size_t size)
{
    FILE *file = fopen(fuzz_path(name), "wb");
    FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void unlink_journals(void)
{
    unlink(fuzz_path("journal"));
    unlink(fuzz_path("journal.old"));
}

static uint8_t *read_journal(size_t *size)
{
    FILE *file = fopen(fuzz_path("journal"), "rb");
    *size = 0;
    if (!file)
        return NULL;
    FUZZ_CHECK(fseek(file, 0, SEEK_END) == 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size + 1);
    FUZZ_CHECK(bytes && fread(bytes, 1, *size, file) == *size && fclose(file) == 0);
    return bytes;
}

/* ---- a file ---- */

/* Ask for each record, for it with another sound, and keep an answer for it where there is none; what was found or kept is
 * found again. */
static void ask(const whisp_options *o, const record *list, size_t n)
{
    wh_journal *journal = open_journal(o, IDENTITY, 1);
    wh_buf answers[MOST] = {{0}}, again = {0};
    if (n % 4 == 3) { /* before anything was found, another recording */
        wh_heard other = list[n - 1].heard;
        other.sound++;
        FUZZ_CHECK(wh_journal_find(journal, o, &other, &(wh_key){1, 2}, &again) >= 0);
    }
    for (size_t i = 0; i < n; i++) {
        wh_heard other = list[i].heard;
        wh_key key = {list[i].key.a + 1, list[i].key.b};
        other.sound ^= i & 1;
        int rc = wh_journal_find(journal, o, &list[i].heard, &list[i].key, &answers[i]);
        FUZZ_CHECK(rc == 0 || rc == 1);
        FUZZ_CHECK(wh_journal_find(journal, o, &other, &key, &again) >= 0);
        if (rc)
            continue;
        answers[i].length = 0;
        wh_buf_append(&answers[i], list[i].answer, list[i].n);
        FUZZ_CHECK(wh_journal_keep(journal, o, &list[i].heard, &list[i].key, &answers[i]) == WHISP_OK);
    }
    wh_journal_free(journal);
    journal = open_journal(o, IDENTITY, 1);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(wh_journal_find(journal, o, &list[i].heard, &list[i].key, &again) >= 0);
    wh_journal_free(journal);
    for (size_t i = 0; i < n; i++)
        wh_buf_free(&answers[i]);
    wh_buf_free(&again);
}

static void read_file(const char *name, const uint8_t *data, size_t size)
{
    record list[MOST];
    whisp_options *o = whisp_options_new();
    uint8_t *copy = malloc(size + 1);
    FUZZ_CHECK(o && copy);
    memcpy(copy, data, size);
    write_journal(name, copy, size);
    ask(o, list, find_records(copy, size, list));
    free(copy);
    whisp_options_free(o);
}

/* ---- answers ---- */

static const char *const sets[] = {
    "word_timestamps=True;language=en",
    "confidence=True;language=en",
    "multilingual=True",
    "vocabulary=TERMS;word_timestamps=True;language=en;clip_timestamps=0,0.5,0.5,1",
    "temperature=0.5;best_of=2;without_timestamps=True",
    "vocabulary=TERMS;confidence=True;beam_size=2;clip_timestamps=0,0.5,0.5,1",
};

static whisp_options *options_of(const char *set)
{
    whisp_options *o = whisp_options_new();
    char all[320], terms[160];
    snprintf(terms, sizeof terms, "%s", fuzz_path("terms"));
    FILE *file = fopen(terms, "wb");
    FUZZ_CHECK(file && fputs("a b\nthe\nfg\n", file) >= 0 && fclose(file) == 0);
    snprintf(all, sizeof all,
             "sample_len=2;no_speech_threshold=None;threads=1;temperature=0;hallucination_guard=False;%s", set);
    for (char *rest = all, *item; (item = strsep(&rest, ";"));) {
        char *value = strchr(item, '=');
        *value++ = 0;
        FUZZ_CHECK(whisp_options_set(o, item, strcmp(value, "TERMS") ? value : terms) == WHISP_OK);
    }
    return o;
}

static void look(const whisp_segment *s)
{
    FUZZ_CHECK(s->text && isfinite(s->start) && isfinite(s->end) && isfinite(s->avg_logprob));
    FUZZ_CHECK(isfinite(s->temperature) && isfinite(s->compression_ratio) && isfinite(s->no_speech_prob));
    for (size_t i = 0; i < s->n_words; i++)
        FUZZ_CHECK(s->words[i]->text && s->words[i]->start <= s->words[i]->end && isfinite(s->words[i]->confidence));
}

/* Hear some samples with a journal. */
static void hear(const char *set, int resumes)
{
    static const uint8_t choice[] = {1, 8};
    fuzz_input in = {choice, sizeof choice};
    size_t n;
    const float *samples = fuzz_samples(&in, &n);
    whisp_options *o = options_of(set);
    whisp_session *s;
    const whisp_segment *segment;
    FUZZ_CHECK(whisp_session_new(fuzz_small_model(), o, &s) == WHISP_OK);
    wh_journal *journal = open_journal(o, set, resumes);
    wh_window_set_journal(s->window, journal, 0);
    FUZZ_CHECK(whisp_session_push(s, samples, n) == (int64_t)n && whisp_session_finish(s) == WHISP_OK);
    int rc;
    while ((rc = whisp_session_pull(s, &segment)) == 1)
        look(segment);
    fuzz_say(rc);
    FUZZ_CHECK(rc == WHISP_END);
    wh_window_set_journal(s->window, NULL, 0);
    wh_journal_free(journal);
    whisp_session_free(s);
    whisp_options_free(o);
}

/* A decoding's answer with what terms of the vocabulary are said to have been found in it, which are invented. */
static void add_terms(wh_buf *answer, uint64_t *seed)
{
    struct wh_corrected put[3];
    struct wh_known known[3];
    int32_t pool[6];
    uint64_t n[] = {fuzz_random(seed, 3), fuzz_random(seed, 7), fuzz_random(seed, 3), fuzz_random(seed, 7)};
    uint32_t n_tokens;
    if (answer->length < DECODED)
        return;
    memcpy(&n_tokens, answer->data + DECODED - 8, sizeof n_tokens);
    answer->length = WH_MIN(answer->length, DECODED + (size_t)n_tokens * sizeof(whisp_token));
    wh_buf_append(answer, n, sizeof n);
    for (size_t i = 0; i < 3; i++) {
        put[i] = (struct wh_corrected){fuzz_random(seed, 3), 1 + fuzz_random(seed, 2), fuzz_random(seed, 3),
                                       fuzz_random(seed, 4)};
        known[i] = (struct wh_known){(int64_t)fuzz_random(seed, 3), fuzz_random(seed, 4), fuzz_random(seed, 4)};
    }
    wh_buf_append(answer, put, n[0] * sizeof *put);
    for (size_t i = 0; i < WH_COUNT(pool); i++)
        pool[i] = (int32_t)(fuzz_random(seed, 4) ? fuzz_random(seed, 1700) : fuzz_number(seed, 1766));
    wh_buf_append(answer, pool, n[1] * sizeof *pool);
    wh_buf_append(answer, known, n[2] * sizeof *known);
    wh_buf_append(answer, pool, n[3] * sizeof *pool);
}

/* One change of an answer: a number in it, its end, another answer in its place. */
static void change(fuzz_input *in, wh_buf *answer, const record *list, size_t n)
{
    static const double reals[] = {0, -1, 1e300, -1e300, NAN, INFINITY, -INFINITY, 31, 29.999, 2};
    uint64_t seed = fuzz_u32(in);
    size_t unit = (size_t)1 << fuzz_below(in, 4), at = fuzz_below(in, 1024);
    unsigned kind = fuzz_below(in, 8);
    const record *other = &list[fuzz_below(in, (unsigned)n)];
    if (kind == 0) {
        answer->length = WH_MIN(answer->length, at);
    } else if (kind == 1) {
        answer->length = 0;
        wh_buf_append(answer, other->answer, other->n);
    } else if (kind == 2) {
        wh_buf_append(answer, &seed, unit);
    } else if (kind == 3) {
        add_terms(answer, &seed);
    } else if (answer->length >= 8) {
        uint8_t *place = (uint8_t *)answer->data + at % ((answer->length - 8) / unit + 1) * unit;
        double real = reals[seed % WH_COUNT(reals)];
        float single = (float)real;
        if (kind < 6)
            fuzz_put(place, unit, fuzz_number(&seed, fuzz_get(place, unit, 0)), 0);
        else if (unit == 8)
            memcpy(place, &real, sizeof real);
        else
            memcpy(place, &single, sizeof single);
    }
    FUZZ_CHECK(!answer->failed);
}

static void change_answers(fuzz_input *in)
{
    static struct kept {
        uint8_t *file;
        record list[MOST];
        size_t n;
    } all[WH_COUNT(sets)]; /* stay */
    size_t which = fuzz_below(in, WH_COUNT(sets));
    struct kept *kept = &all[which];
    if (!kept->file) {
        size_t size;
        unlink_journals();
        hear(sets[which], 0);
        kept->file = read_journal(&size);
        FUZZ_CHECK(kept->file && (kept->n = find_records(kept->file, size, kept->list)) > 1);
    }
    wh_buf answers[MOST] = {{0}};
    for (size_t i = 1; i < kept->n; i++)
        wh_buf_append(&answers[i], kept->list[i].answer, kept->list[i].n);
    for (int i = 0; i < 4 && in->n; i++)
        change(in, &answers[1 + fuzz_below(in, (unsigned)kept->n - 1)], kept->list, kept->n);
    whisp_options *o = whisp_options_new();
    wh_journal *journal = open_journal(o, sets[which], 0);
    for (size_t i = 1; i < kept->n; i++) {
        FUZZ_CHECK(wh_journal_keep(journal, o, &kept->list[i].heard, &kept->list[i].key, &answers[i]) == WHISP_OK);
        wh_buf_free(&answers[i]);
    }
    wh_journal_free(journal);
    whisp_options_free(o);
    hear(sets[which], 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    unsigned kind = fuzz_u8(&in);
    if (kind & 1)
        change_answers(&in);
    else
        read_file(kind & 2 ? "journal.old" : "journal", in.data, in.n);
    unlink_journals();
    return 0;
}

/* ---- mutations of a file ---- */

/* Each record's sum, begun with the identity's, which the first record holds and its own sum does not begin with. */
static void mend(uint8_t *file, size_t size)
{
    wh_key empty = WH_KEY_EMPTY, start = WH_KEY_EMPTY;
    record r;
    wh_key_add(&start, IDENTITY, strlen(IDENTITY));
    for (size_t at = MAGIC; find_record(file, size, at, &r); at += HEAD + r.n + SUM) {
        wh_key key = at == MAGIC ? empty : start;
        wh_key_add(&key, file + at, HEAD + r.n);
        fuzz_put(file + at + HEAD + r.n, SUM, key.a ^ key.b, 0);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int given)
{
    record list[MOST];
    uint64_t seed = given;
    size_t n = size > MAGIC && !(data[0] & 1) ? find_records(data + 1, size - 1, list) : 0;
    if (!n || fuzz_random(&seed, 8) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    const record *r = &list[fuzz_random(&seed, n)], *other = &list[fuzz_random(&seed, n)];
    size_t at = (size_t)(r->answer - data) - HEAD, to = (size_t)(other->answer - data) - HEAD, place;
    size_t whole = HEAD + r->n + SUM;
    uint8_t *copy;
    switch (fuzz_random(&seed, 6)) {
    case 0: fuzz_splice(data, &size, max_size, at, whole, NULL, 0); break;
    case 1: /* once more, elsewhere */
        copy = malloc(whole);
        FUZZ_CHECK(copy);
        memcpy(copy, data + at, whole);
        fuzz_splice(data, &size, max_size, to, 0, copy, whole);
        free(copy);
        break;
    case 2: /* a number of its head */
    case 3:
        place = at + 4 + 4 * fuzz_random(&seed, HEAD / 4 - 1);
        fuzz_put(data + place, 4, fuzz_number(&seed, fuzz_get(data + place, 4, 0)), 0);
        break;
    case 4: /* an answer that is longer or shorter, and says so */
        place = fuzz_random(&seed, 16);
        if (fuzz_splice(data, &size, max_size, at + HEAD, WH_MIN(r->n, fuzz_random(&seed, 16)), "0123456789abcdef",
                        place))
            fuzz_put(data + at + 4, 4, fuzz_get(data + at + 4, 4, 0) + place, 0);
        break;
    default: size = fuzz_mutate_number(data, size, max_size, &seed);
    }
    if (size && fuzz_random(&seed, 8))
        mend(data + 1, size - 1);
    return size;
}
