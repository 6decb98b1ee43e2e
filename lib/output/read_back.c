/* read_back.c - the json document, as openai-whisper and json.c write it, becomes a result again; and what whisperX and
 * scripts around faster-whisper write, which are alike.
 *
 * What the document holds is all there again, to the last digit, so that written again it is the same bytes, and so are
 * the other documents. It does not hold the tokens' log-probabilities, which words have which tokens, and how long the
 * recording was. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/json_in.h"
#include "output/writers.h"

#define LONGEST 1e9 /* seconds of a recording */

/* A word's text lies in a pool that moves while it grows. */
typedef struct read_word {
    whisp_word word;
    size_t text;
    size_t others; /* its first alternative's place among the segment's */
    int typed, heard;
} read_word;

typedef struct reading {
    whisp_result *result;
    wh_buf text, language, incomplete; /* of the whole */
    int has_text, has_language, has_incomplete;
    wh_names names; /* of speakers, as they came */
    wh_buf name;    /* the one being read */
    int *listed;    /* [n_listed] those of the document's list, by their places in `names` */
    size_t n_listed, listed_capacity;
    whisp_turn *turns; /* [n_turns] */
    size_t n_turns, turns_capacity;
    int has_turns;  /* a list of them is there, perhaps an empty one */
    int with_words; /* a segment is there whose list of words is not that of an emptied one */

    whisp_segment segment; /* the one being read; text, tokens and words below */
    wh_buf segment_text;
    char *note; /* NULL: none */
    int corrected, has_marks;
    whisp_token *tokens;
    size_t n_tokens, tokens_capacity;
    read_word *words;
    size_t n_words, words_capacity;
    int has_words;
    wh_buf word_texts;
    whisp_alternative *others; /* [n_others] all words' */
    size_t *other_texts;       /* [n_others] in word_texts */
    size_t n_others, others_capacity, other_texts_capacity;
    wh_buf spaced;     /* the words with the spaces that others leave out */
    whisp_word **list; /* pointers to words */
    size_t list_capacity;
} reading;

/* ---- members ---- */

static int read_time(wh_json *j, double *seconds)
{
    if (!wh_json_number(j, seconds))
        return 0;
    return fabs(*seconds) <= LONGEST || wh_json_fail(j, "a time that cannot be");
}

/* A word may have none: whisperX does not time numbers. It has NAN until wh_words_timed(). */
static int read_word_time(wh_json *j, double *seconds)
{
    return wh_json_is_null(j) || read_time(j, seconds);
}

#define MEMBER(name, field, reader)                                                                                    \
    static int name(wh_json *j, void *to)                                                                              \
    {                                                                                                                  \
        return reader(j, &((reading *)to)->field);                                                                     \
    }

/* The word being read is the last one. */
#define WORD(name, field, reader)                                                                                      \
    static int name(wh_json *j, void *to)                                                                              \
    {                                                                                                                  \
        reading *r = to;                                                                                               \
        return reader(j, &r->words[r->n_words - 1].word.field);                                                        \
    }

WORD(word_start, start, read_word_time)
WORD(word_end, end, read_word_time)
WORD(word_probability, probability, wh_json_number)
WORD(word_confidence, confidence, wh_json_number)

/* A speaker's name, or a number from 1 on, as documents of earlier versions have it; null: nobody. */
static int read_speaker(wh_json *j, reading *r, int *speaker)
{
    *speaker = 0;
    if (wh_json_is_null(j))
        return 1;
    wh_buf_clear(&r->name);
    wh_buf_puts(&r->name, "");
    int64_t number = 0;
    if (wh_json_is_number(j)) {
        if (!wh_json_integer(j, 0, WH_NAMES_MOST, &number) || !number)
            return !j->failed;
        wh_buf_printf(&r->name, "SPEAKER_%02d", (int)number - 1);
    } else if (!wh_json_string(j, &r->name)) {
        return 0;
    }
    *speaker = r->name.failed ? 0 : wh_names_find(&r->names, r->name.data);
    if (*speaker)
        return 1;
    if (!r->name.failed && !r->names.text.failed)
        return wh_json_fail(j, "more than %d speakers", WH_NAMES_MOST);
    j->failed = 1;
    return 0;
}

static int word_speaker(wh_json *j, void *to)
{
    reading *r = to;
    return read_speaker(j, r, &r->words[r->n_words - 1].word.speaker);
}

static int segment_speaker(wh_json *j, void *to)
{
    return read_speaker(j, to, &((reading *)to)->segment.speaker);
}

static int word_text(wh_json *j, void *to)
{
    reading *r = to;
    r->words[r->n_words - 1].text = r->word_texts.length;
    if (!wh_json_string(j, &r->word_texts))
        return 0;
    wh_buf_append(&r->word_texts, "", 1); /* the closing NUL is part of the pool */
    return 1;
}

/* The alternative being read is the last one. */
static int other_text(wh_json *j, void *to)
{
    reading *r = to;
    r->other_texts[r->n_others - 1] = r->word_texts.length;
    if (!wh_json_string(j, &r->word_texts))
        return 0;
    wh_buf_append(&r->word_texts, "", 1);
    return 1;
}

static int other_logprob(wh_json *j, void *to)
{
    reading *r = to;
    return wh_json_number(j, &r->others[r->n_others - 1].logprob);
}

static int read_other(wh_json *j, void *to)
{
    static const wh_json_member members[] = {{"text", other_text, 1}, {"logprob", other_logprob, 0}};
    reading *r = to;
    if (wh_grow(&r->others, &r->others_capacity, r->n_others + 1, sizeof *r->others) ||
        wh_grow(&r->other_texts, &r->other_texts_capacity, r->n_others + 1, sizeof *r->other_texts)) {
        j->failed = 1;
        return 0;
    }
    r->others[r->n_others++] = (whisp_alternative){0};
    r->words[r->n_words - 1].word.n_alternatives++;
    return wh_json_object(j, members, WH_COUNT(members), to);
}

static int word_alternatives(wh_json *j, void *to)
{
    return wh_json_list(j, read_other, to);
}

static int word_corrected(wh_json *j, void *to)
{
    reading *r = to;
    int good = wh_json_flag(j, &r->words[r->n_words - 1].typed);
    r->has_marks |= r->words[r->n_words - 1].typed;
    return good;
}

static int word_heard(wh_json *j, void *to)
{
    reading *r = to;
    int good = wh_json_flag(j, &r->words[r->n_words - 1].heard);
    r->has_marks |= r->words[r->n_words - 1].heard;
    return good;
}

static int read_word_object(wh_json *j, void *to)
{
    static const wh_json_member members[] = {{"word", word_text, 1},
                                             {"start", word_start, 0},
                                             {"end", word_end, 0},
                                             {"probability", word_probability, 0},
                                             {"score", word_probability, 0}, /* whisperX's name */
                                             {"confidence", word_confidence, 0},
                                             {"speaker", word_speaker, 0},
                                             {"alternatives", word_alternatives, 0},
                                             {"corrected", word_corrected, 0},
                                             {"heard", word_heard, 0}};
    reading *r = to;
    if (wh_grow(&r->words, &r->words_capacity, r->n_words + 1, sizeof *r->words)) {
        j->failed = 1;
        return 0;
    }
    r->words[r->n_words++] = (read_word){.word.start = NAN, .word.end = NAN, .others = r->n_others};
    return wh_json_object(j, members, WH_COUNT(members), to);
}

/* faster-whisper writes null where it was not asked for words. */
static int segment_words(wh_json *j, void *to)
{
    if (wh_json_is_null(j))
        return 1;
    ((reading *)to)->has_words = 1;
    return wh_json_list(j, read_word_object, to);
}

static int read_token(wh_json *j, void *to)
{
    reading *r = to;
    int64_t id;
    if (!wh_json_integer(j, 0, INT32_MAX, &id))
        return 0;
    if (wh_grow(&r->tokens, &r->tokens_capacity, r->n_tokens + 1, sizeof *r->tokens)) {
        j->failed = 1;
        return 0;
    }
    r->tokens[r->n_tokens++] = (whisp_token){(int32_t)id, NAN};
    return 1;
}

static int segment_tokens(wh_json *j, void *to)
{
    if (wh_json_is_null(j))
        return 1;
    return wh_json_list(j, read_token, to);
}

static int read_int(wh_json *j, int *value)
{
    int64_t n = 0;
    int good = wh_json_integer(j, 0, INT32_MAX, &n);
    *value = (int)n;
    return good;
}

static int read_seek(wh_json *j, int64_t *value)
{
    return wh_json_integer(j, 0, (int64_t)(LONGEST * 100), value);
}

MEMBER(segment_id, segment.id, read_int)
MEMBER(segment_seek, segment.seek, read_seek)
MEMBER(segment_start, segment.start, read_time)
MEMBER(segment_end, segment.end, read_time)
MEMBER(segment_text, segment_text, wh_json_string)
MEMBER(segment_temperature, segment.temperature, wh_json_number)
MEMBER(segment_logprob, segment.avg_logprob, wh_json_number)
MEMBER(segment_ratio, segment.compression_ratio, wh_json_number)
MEMBER(segment_silence, segment.no_speech_prob, wh_json_number)
MEMBER(segment_confidence, segment.confidence, wh_json_number)
MEMBER(segment_corrected, corrected, wh_json_flag)

static int segment_note(wh_json *j, void *to)
{
    return wh_note_read_back(j, &((reading *)to)->note);
}

/* ---- segments ---- */

/* What a person left goes with the segment that was added last. */
static int add_remarks(reading *r)
{
    wh_result_segment *made = &r->result->segments[r->result->n - 1];
    size_t n = made->segment.n_words;
    made->corrected = r->corrected;
    made->note = r->note;
    r->note = NULL;
    made->marks = r->has_marks && n ? wh_calloc(n, 1) : NULL;
    if (r->has_marks && n && !made->marks)
        return wh_fail_memory();
    for (size_t i = 0; made->marks && i < n; i++)
        made->marks[i] = (unsigned char)((r->words[i].typed ? WH_WORD_TYPED : 0) |
                                         (r->words[i].heard ? WH_WORD_HEARD : 0));
    return WHISP_OK;
}

/* What was read of a segment becomes one of the result's. */
static int add_segment(reading *r)
{
    int rc = wh_grow(&r->list, &r->list_capacity, r->n_words + 1, sizeof *r->list);
    for (size_t i = 0; i < r->n_others && !rc; i++)
        r->others[i].text = r->word_texts.data + r->other_texts[i];
    for (size_t i = 0; i < r->n_words && !rc; i++) {
        r->words[i].word.text = r->word_texts.data + r->words[i].text;
        r->words[i].word.alternatives = r->words[i].word.n_alternatives ? r->others + r->words[i].others : NULL;
        r->list[i] = &r->words[i].word;
    }
    whisp_segment *s = &r->segment;
    if (!rc && r->n_words) {
        wh_words_timed(r->list, r->n_words, s);
        rc = wh_words_spaced(r->list, r->n_words, r->segment_text.data, &r->spaced);
    }
    int id = s->id, is_empty = r->segment_text.length == 0 && r->n_tokens == 0 && r->n_words == 0;
    s->text = r->segment_text.data ? r->segment_text.data : "";
    s->tokens = r->tokens;
    s->n_tokens = r->n_tokens;
    s->words = r->has_words ? (const whisp_word *const *)r->list : NULL;
    s->n_words = r->n_words;
    r->with_words |= r->has_words && !is_empty;
    if (!rc)
        rc = wh_result_add(r->result, s, r->has_words && is_empty);
    if (!rc)
        r->result->segments[r->result->n - 1].segment.id = id;
    return rc ? rc : add_remarks(r);
}

static int read_segment(wh_json *j, void *to)
{
    static const wh_json_member members[] = {{"id", segment_id, 0},
                                             {"seek", segment_seek, 0},
                                             {"start", segment_start, 1},
                                             {"end", segment_end, 1},
                                             {"text", segment_text, 1},
                                             {"tokens", segment_tokens, 0},
                                             {"temperature", segment_temperature, 0},
                                             {"avg_logprob", segment_logprob, 0},
                                             {"compression_ratio", segment_ratio, 0},
                                             {"no_speech_prob", segment_silence, 0},
                                             {"confidence", segment_confidence, 0},
                                             {"speaker", segment_speaker, 0},
                                             {"words", segment_words, 0},
                                             {"corrected", segment_corrected, 0},
                                             {"note", segment_note, 0}};
    reading *r = to;
    r->segment = (whisp_segment){.id = (int)WH_MIN(r->result->n, (size_t)INT32_MAX)};
    r->segment_text.length = r->word_texts.length = 0;
    if (r->segment_text.data)
        r->segment_text.data[0] = 0;
    r->n_tokens = r->n_words = r->n_others = 0;
    r->has_words = r->corrected = r->has_marks = 0;
    free(r->note);
    r->note = NULL;
    if (!wh_json_object(j, members, WH_COUNT(members), to))
        return 0;
    if (r->word_texts.failed || add_segment(r))
        j->failed = 1;
    return !j->failed;
}

/* ---- the whole ---- */

static int whole_segments(wh_json *j, void *to)
{
    return wh_json_list(j, read_segment, to);
}

static int whole_text(wh_json *j, void *to)
{
    ((reading *)to)->has_text = 1;
    return wh_json_string(j, &((reading *)to)->text);
}

static int whole_language(wh_json *j, void *to)
{
    reading *r = to;
    r->has_language = !wh_json_is_null(j);
    return !r->has_language || wh_json_string(j, &r->language);
}

static int whole_incomplete(wh_json *j, void *to)
{
    reading *r = to;
    r->has_incomplete = !wh_json_is_null(j);
    return !r->has_incomplete || wh_json_string(j, &r->incomplete);
}

static int whole_note(wh_json *j, void *to)
{
    return wh_note_read_back(j, &((reading *)to)->result->note);
}

static int whole_corrections(wh_json *j, void *to)
{
    return wh_corrections_read_back(j, &((reading *)to)->result->corrections);
}

static int read_listed(wh_json *j, void *to)
{
    reading *r = to;
    int speaker;
    if (!read_speaker(j, r, &speaker))
        return 0;
    for (size_t i = 0; i < r->n_listed; i++)
        if (r->listed[i] == speaker)
            return wh_json_fail(j, "a speaker is listed twice");
    if (!speaker)
        return wh_json_fail(j, "a speaker without a name");
    if (wh_grow(&r->listed, &r->listed_capacity, r->n_listed + 1, sizeof *r->listed)) {
        j->failed = 1;
        return 0;
    }
    r->listed[r->n_listed++] = speaker;
    return 1;
}

static int whole_speakers(wh_json *j, void *to)
{
    return wh_json_list(j, read_listed, to);
}

/* The turn being read is the last one. */
#define TURN(name, field, reader)                                                                                      \
    static int name(wh_json *j, void *to)                                                                              \
    {                                                                                                                  \
        reading *r = to;                                                                                               \
        return reader(j, &r->turns[r->n_turns - 1].field);                                                             \
    }

TURN(turn_start, start, read_time)
TURN(turn_end, end, read_time)

static int turn_speaker(wh_json *j, void *to)
{
    reading *r = to;
    int *speaker = &r->turns[r->n_turns - 1].speaker;
    return read_speaker(j, r, speaker) && (*speaker || wh_json_fail(j, "a turn without a speaker"));
}

static int read_turn(wh_json *j, void *to)
{
    static const wh_json_member members[] = {{"start", turn_start, 1},
                                             {"end", turn_end, 1},
                                             {"speaker", turn_speaker, 1}};
    reading *r = to;
    if (wh_grow(&r->turns, &r->turns_capacity, r->n_turns + 1, sizeof *r->turns)) {
        j->failed = 1;
        return 0;
    }
    r->turns[r->n_turns++] = (whisp_turn){0};
    return wh_json_object(j, members, WH_COUNT(members), to);
}

static int whole_turns(wh_json *j, void *to)
{
    ((reading *)to)->has_turns = 1;
    return wh_json_list(j, read_turn, to);
}

static int by_start(const void *a, const void *b)
{
    const whisp_turn *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->end != y->end ? (x->end < y->end ? -1 : 1) : x->speaker - y->speaker;
}

/* Ours are in order; who else writes some may have another one. */
static void sort_turns(reading *r)
{
    int is_sorted = 1;
    for (size_t i = 1; i < r->n_turns && is_sorted; i++)
        is_sorted = r->turns[i - 1].start <= r->turns[i].start;
    if (!is_sorted)
        qsort(r->turns, r->n_turns, sizeof *r->turns, by_start);
}

static const char *text_of(const wh_buf *buf)
{
    return buf->data ? buf->data : "";
}

/* Without a text of its own the whole has its segments'. */
static int gather_text(reading *r)
{
    for (size_t i = 0; i < r->result->n && !r->has_text; i++)
        wh_buf_puts(&r->text, r->result->segments[i].segment.text);
    return r->text.failed ? wh_fail_memory() : WHISP_OK;
}

/* Speakers are numbered as the document lists them, those that it does not list behind these. */
static int finish_speakers(reading *r)
{
    size_t n = r->names.n, next = r->n_listed;
    int *number = wh_calloc(n + 1, sizeof *number), rc;
    const char **names = wh_calloc(n + 1, sizeof *names);
    for (size_t i = 0; number && i < r->n_listed; i++)
        number[r->listed[i]] = (int)i + 1;
    for (size_t i = 1; names && number && i <= n; i++) {
        number[i] = number[i] ? number[i] : (int)++next;
        names[number[i] - 1] = wh_names_get(&r->names, i - 1);
    }
    for (size_t i = 0; number && i < r->n_turns; i++)
        r->turns[i].speaker = number[r->turns[i].speaker];
    for (size_t i = 0; number && i < r->result->n; i++) {
        whisp_segment *s = &r->result->segments[i].segment;
        s->speaker = number[s->speaker];
        for (size_t k = 0; k < s->n_words; k++) {
            whisp_word *word = (whisp_word *)(uintptr_t)s->words[k]; /* in the segment's own memory */
            word->speaker = number[word->speaker];
        }
    }
    sort_turns(r);
    const whisp_turn none = {0}, *turns = r->turns ? r->turns : r->has_turns ? &none : NULL;
    rc = number && names ? wh_result_set_speakers(r->result, names, n, turns, r->n_turns) : wh_fail_memory();
    free(number);
    free((void *)(uintptr_t)names);
    return rc;
}

/* All segments are there. Those that were emptied have a list of words in the document even where no others have. */
static int finish(reading *r)
{
    whisp_result *result = r->result;
    double end = 0;
    int rc = gather_text(r);
    for (size_t i = 0; i < result->n; i++) {
        whisp_segment *s = &result->segments[i].segment;
        end = fmax(end, s->end);
        if (!r->with_words) {
            free((void *)(uintptr_t)s->words);
            s->words = NULL;
        }
    }
    if (!rc)
        rc = finish_speakers(r);
    if (!rc)
        rc = wh_result_finish(result, text_of(&r->text), r->has_language ? text_of(&r->language) : NULL, end);
    for (size_t i = 0; i < result->n && !rc; i++)
        result->segments[i].segment.language = result->language;
    if (!rc && r->has_incomplete)
        rc = wh_result_set_incomplete(result, text_of(&r->incomplete));
    return rc;
}

static void free_reading(reading *r)
{
    wh_buf_free(&r->text);
    wh_buf_free(&r->language);
    wh_buf_free(&r->incomplete);
    wh_buf_free(&r->segment_text);
    wh_buf_free(&r->word_texts);
    wh_buf_free(&r->spaced);
    wh_buf_free(&r->name);
    free(r->note);
    wh_names_free(&r->names);
    free(r->listed);
    free(r->turns);
    free(r->tokens);
    free(r->words);
    free(r->others);
    free(r->other_texts);
    free(r->list);
}

int whisp_result_read(const char *json, size_t length, whisp_result **result)
{
    static const wh_json_member members[] = {{"text", whole_text, 0},         {"segments", whole_segments, 1},
                                             {"language", whole_language, 0}, {"speakers", whole_speakers, 0},
                                             {"turns", whole_turns, 0},       {"incomplete", whole_incomplete, 0},
                                             {"note", whole_note, 0},         {"corrections", whole_corrections, 0}};
    if (result)
        *result = NULL;
    if (!json || !result)
        return wh_fail(WHISP_ERR_ARGUMENT, "whisp_result_read: an argument is NULL");
    wh_json j;
    reading r = {0};
    int rc = wh_result_new(&r.result);
    if (!rc)
        rc = wh_json_begin(&j, json, length);
    if (rc) {
        whisp_result_free(r.result);
        return rc;
    }
    int is_list = wh_json_is_list(&j); /* of faster-whisper's segments, and nothing about them */
    if (!(is_list ? whole_segments(&j, &r) : wh_json_object(&j, members, WH_COUNT(members), &r)) || !wh_json_end(&j))
        rc = j.why[0] ? wh_fail(WHISP_ERR_ARGUMENT, "not a transcript in JSON: %s", j.why) : wh_fail_memory();
    if (!rc)
        rc = finish(&r);
    if (rc)
        whisp_result_free(r.result);
    else
        *result = r.result;
    wh_json_free(&j);
    free_reading(&r);
    return rc;
}
