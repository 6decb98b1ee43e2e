/* json.c - the json document, as Python's json.dump() writes openai-whisper's dictionary: one line, ", " and ": ",
 * everything beyond printable ASCII escaped, no line end. */
#include <inttypes.h>
#include <string.h>

#include "output/writers.h"
#include "tokenizer/utf8.h"

static void put_escaped(wh_buf *out, int32_t code)
{
    static const char special[] = "\"\\\n\r\t\f\b", letter[] = "\"\\nrtfb";
    const char *found = code > 0 && code < 128 ? strchr(special, code) : NULL;
    if (code < 0)
        code = 0xFFFD; /* not UTF-8 */
    if (found) {
        char pair[2] = {'\\', letter[found - special]};
        wh_buf_append(out, pair, 2);
    } else if (code > 0xFFFF) {
        code -= 0x10000;
        wh_buf_printf(out, "\\u%04x\\u%04x", 0xD800u + ((unsigned)code >> 10), 0xDC00u + ((unsigned)code & 0x3FF));
    } else {
        wh_buf_printf(out, "\\u%04x", (unsigned)code);
    }
}

void wh_put_json_string(wh_buf *out, const char *text)
{
    size_t n = strlen(text), done = 0; /* text[done .. i) is waiting to be appended as it is */
    wh_buf_puts(out, "\"");
    for (size_t i = 0; i < n;) {
        int32_t code;
        size_t size = wh_utf8_next(text + i, n - i, &code);
        if (code < ' ' || code > '~' || code == '"' || code == '\\') {
            wh_buf_append(out, text + done, i - done);
            put_escaped(out, code);
            done = i + size;
        }
        i += size;
    }
    wh_buf_append(out, text + done, n - done);
    wh_buf_puts(out, "\"");
}

static void put_number(wh_buf *out, const char *key, double value)
{
    wh_buf_printf(out, ", \"%s\": ", key);
    wh_put_double(out, value);
}

/* Whose it is, as whisperX has it: ", \"speaker\": \"SPEAKER_00\"". */
static void put_speaker(wh_buf *out, const whisp_result *result, int speaker)
{
    char room[WH_NAME_ROOM];
    if (speaker <= 0)
        return;
    wh_buf_puts(out, ", \"speaker\": ");
    wh_put_json_string(out, wh_speaker_name(result, speaker, room));
}

static void put_alternatives(wh_buf *out, const whisp_word *word)
{
    wh_buf_puts(out, ", \"alternatives\": [");
    for (size_t i = 0; i < word->n_alternatives; i++) {
        wh_buf_puts(out, i ? ", {\"text\": " : "{\"text\": ");
        wh_put_json_string(out, word->alternatives[i].text);
        put_number(out, "logprob", word->alternatives[i].logprob);
        wh_buf_puts(out, "}");
    }
    wh_buf_puts(out, "]");
}

/* What a person left: ", \"corrected\": true". */
static void put_mark(wh_buf *out, int is, const char *name)
{
    if (is)
        wh_buf_printf(out, ", \"%s\": true", name);
}

static void put_note(wh_buf *out, const char *note)
{
    if (!note)
        return;
    wh_buf_puts(out, ", \"note\": ");
    wh_put_json_string(out, note);
}

static void put_corrections(wh_buf *out, const wh_buf *all)
{
    wh_buf_puts(out, all->length ? ", \"corrections\": [" : "");
    for (size_t at = 0; at < all->length;) {
        const char *from = all->data + at, *to = from + strlen(from) + 1, *count = to + strlen(to) + 1;
        wh_buf_puts(out, at ? ", {\"from\": " : "{\"from\": ");
        wh_put_json_string(out, from);
        wh_buf_puts(out, ", \"to\": ");
        wh_put_json_string(out, to);
        wh_buf_printf(out, ", \"count\": %s}", count);
        at = (size_t)(count + strlen(count) + 1 - all->data);
    }
    wh_buf_puts(out, all->length ? "]" : "");
}

static void put_words(wh_buf *out, const whisp_result *result, const wh_result_segment *entry)
{
    const whisp_segment *segment = &entry->segment;
    wh_buf_puts(out, ", \"words\": [");
    for (size_t i = 0; i < segment->n_words; i++) {
        const whisp_word *word = segment->words[i];
        wh_buf_puts(out, i ? ", {\"word\": " : "{\"word\": ");
        wh_put_json_string(out, word->text);
        put_number(out, "start", word->start);
        put_number(out, "end", word->end);
        put_number(out, "probability", word->probability);
        if (word->confidence > 0)
            put_number(out, "confidence", word->confidence);
        put_speaker(out, result, word->speaker);
        if (word->n_alternatives)
            put_alternatives(out, word);
        put_mark(out, entry->marks && (entry->marks[i] & WH_WORD_TYPED), "corrected");
        put_mark(out, entry->marks && (entry->marks[i] & WH_WORD_HEARD), "heard");
        wh_buf_puts(out, "}");
    }
    wh_buf_puts(out, "]");
}

static void put_segment(wh_buf *out, const whisp_result *result, const wh_result_segment *entry)
{
    const whisp_segment *segment = &entry->segment;
    wh_buf_printf(out, "{\"id\": %d, \"seek\": %" PRId64, segment->id, segment->seek);
    put_number(out, "start", segment->start);
    put_number(out, "end", segment->end);
    wh_buf_puts(out, ", \"text\": ");
    wh_put_json_string(out, segment->text);
    wh_buf_puts(out, ", \"tokens\": [");
    for (size_t i = 0; i < segment->n_tokens; i++)
        wh_buf_printf(out, "%s%" PRId32, i ? ", " : "", segment->tokens[i].id);
    wh_buf_puts(out, "]");
    put_number(out, "temperature", segment->temperature);
    put_number(out, "avg_logprob", segment->avg_logprob);
    put_number(out, "compression_ratio", segment->compression_ratio);
    put_number(out, "no_speech_prob", segment->no_speech_prob);
    if (segment->confidence > 0)
        put_number(out, "confidence", segment->confidence);
    put_speaker(out, result, segment->speaker);
    put_mark(out, entry->corrected, "corrected");
    put_note(out, entry->note);
    if (segment->words || entry->cleared)
        put_words(out, result, entry);
    wh_buf_puts(out, "}");
}

static void put_turns(wh_buf *out, const whisp_result *result)
{
    char room[WH_NAME_ROOM];
    wh_buf_puts(out, ", \"speakers\": [");
    for (size_t i = 0; i < result->n_speakers; i++) {
        wh_buf_puts(out, i ? ", " : "");
        wh_put_json_string(out, result->speakers[i]);
    }
    wh_buf_puts(out, "], \"turns\": [");
    for (size_t i = 0; i < result->n_turns; i++) {
        const whisp_turn *turn = &result->turns[i];
        wh_buf_puts(out, i ? ", {\"start\": " : "{\"start\": ");
        wh_put_double(out, turn->start);
        put_number(out, "end", turn->end);
        wh_buf_puts(out, ", \"speaker\": ");
        wh_put_json_string(out, wh_speaker_name(result, turn->speaker, room));
        wh_buf_puts(out, "}");
    }
    wh_buf_puts(out, "]");
}

void wh_write_json(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    (void)layout;
    wh_buf_puts(out, "{\"text\": ");
    wh_put_json_string(out, result->text ? result->text : "");
    wh_buf_puts(out, ", \"segments\": [");
    for (size_t i = 0; i < result->n; i++) {
        wh_buf_puts(out, i ? ", " : "");
        put_segment(out, result, &result->segments[i]);
    }
    wh_buf_puts(out, "], \"language\": ");
    if (result->language)
        wh_put_json_string(out, result->language);
    else
        wh_buf_puts(out, "null");
    if (result->turns)
        put_turns(out, result);
    if (result->incomplete) {
        wh_buf_puts(out, ", \"incomplete\": ");
        wh_put_json_string(out, result->incomplete);
    }
    put_corrections(out, &result->corrections);
    put_note(out, result->note);
    wh_buf_puts(out, "}");
}
