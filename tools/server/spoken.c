/* spoken.c - words and segments as JSON. See spoken.h. */
#include <string.h>

#include "spoken.h"

#include "dump.h"

/* Words are placed by hundredths of a second; digits beyond a thousandth would say nothing. */
json_t *spoken_seconds(double t)
{
    return json_real((double)(int64_t)(t * 1000.0 + 0.5) / 1000.0);
}

/* `text` without the spaces before it. */
static json_t *bare(const char *text)
{
    return json_string(text + strspn(text, " "));
}

static json_t *one_word(const whisp_word *word, const whisp_stream_info *info)
{
    json_t *object = json_object();
    dump_put(&object, "word", bare(word->text));
    dump_put(&object, "start", spoken_seconds(word->start));
    dump_put(&object, "end", spoken_seconds(word->end));
    dump_put(&object, "probability", json_real(word->probability));
    if (word->confidence > 0.0)
        dump_put(&object, "confidence", json_real(word->confidence));
    if (info && word->speaker > 0 && (size_t)word->speaker <= info->n_speakers)
        dump_put(&object, "speaker", json_string(info->speakers[word->speaker - 1]));
    return object;
}

json_t *spoken_words(const whisp_word *const *words, size_t n, const whisp_stream_info *info)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        if (json_array_append_new(list, one_word(words[i], info)) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *spoken_segment(json_t *object, const whisp_segment *segment)
{
    dump_put(&object, "id", json_integer(segment->id));
    dump_put(&object, "start", spoken_seconds(segment->start));
    dump_put(&object, "end", spoken_seconds(segment->end));
    dump_put(&object, "text", json_string(segment->text));
    if (segment->speaker_name)
        dump_put(&object, "speaker", json_string(segment->speaker_name));
    if (segment->words)
        dump_put(&object, "words", spoken_words(segment->words, segment->n_words, NULL));
    return object;
}
