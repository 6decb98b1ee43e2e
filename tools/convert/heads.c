/* heads.c - the published models: dimensions, names, and the cross-attention heads that follow the audio.
 *
 * The heads were measured by OpenAI (openai/whisper, __init__.py, there as compressed bit arrays). */
#include "heads.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct published {
    const char *name;
    int n_mels, n_vocab, state, audio_layers, text_layers;
    const char *heads; /* layer.head of the decoder */
} published[] = {
    {"tiny.en", 80, 51864, 384, 4, 4, "1.0 2.0 2.5 3.0 3.1 3.2 3.3 3.4"},
    {"tiny", 80, 51865, 384, 4, 4, "2.2 3.0 3.2 3.3 3.4 3.5"},
    {"base.en", 80, 51864, 512, 6, 6, "3.3 4.7 5.1 5.5 5.7"},
    {"base", 80, 51865, 512, 6, 6, "3.1 4.2 4.3 4.7 5.1 5.2 5.4 5.6"},
    {"small.en", 80, 51864, 768, 12, 12,
     "6.6 7.0 7.3 7.8 8.2 8.5 8.7 9.0 9.4 9.8 9.10 10.0 10.1 10.2 10.3 10.6 10.11 11.2 11.4"},
    {"small", 80, 51865, 768, 12, 12, "5.3 5.9 8.0 8.4 8.7 8.8 9.0 9.7 9.9 10.5"},
    {"medium.en", 80, 51864, 1024, 24, 24,
     "11.4 14.1 14.12 14.14 15.4 16.0 16.4 16.9 17.12 17.14 18.7 18.10 18.15 20.0 20.3 20.9 20.14 21.12"},
    {"medium", 80, 51865, 1024, 24, 24, "13.15 15.4 15.15 16.1 20.0 23.4"},
    {"large-v1", 80, 51865, 1280, 32, 32, "9.19 11.2 11.4 11.17 22.7 22.11 22.17 23.2 23.15"},
    {"large-v2", 80, 51865, 1280, 32, 32,
     "10.12 13.17 16.11 16.12 16.13 17.15 17.16 18.4 18.11 18.19 19.11 21.2 21.3 22.3 22.9 22.12 23.5 23.7 23.13 25.5 "
     "26.1 26.12 27.15"},
    {"large-v3", 128, 51866, 1280, 32, 32, "7.0 10.17 12.18 13.12 16.1 17.14 19.11 21.4 24.1 25.6"},
    {"turbo", 128, 51866, 1280, 32, 4, "2.4 2.11 3.3 3.6 3.11 3.14"},
};

/* The same model, perhaps with tokens of its own behind the published ones. */
static int same_dims(const struct published *p, const struct source *s)
{
    const struct dims *d = &s->dims;
    int n_vocab = s->specials.timestamp_begin > 0 ? s->specials.timestamp_begin + WH_N_TIMESTAMPS : d->n_vocab;
    return p->n_mels == d->n_mels && p->n_vocab == n_vocab && p->state == d->n_text_state &&
           p->audio_layers == d->n_audio_layer && p->text_layers == d->n_text_layer;
}

/* The published model of a source's dimensions. Where two have the same (large-v1 and -v2), the name, the source's own
 * name for itself or its path must contain the model's. */
static const struct published *find(const struct source *s, const char *name)
{
    const char *const hints[] = {name, s->hint, s->path};
    const struct published *found = NULL;
    int candidates = 0;
    for (size_t i = 0; i < WH_COUNT(published); i++)
        if (same_dims(&published[i], s)) {
            found = &published[i];
            candidates++;
        }
    for (size_t h = 0; h < WH_COUNT(hints) && candidates > 1; h++)
        for (size_t i = 0; i < WH_COUNT(published); i++)
            if (hints[h] && same_dims(&published[i], s) && strstr(hints[h], published[i].name))
                return &published[i];
    return candidates == 1 ? found : NULL;
}

void heads_name(const struct source *s, const char *name, char *out, size_t capacity)
{
    const struct published *p = find(s, name);
    if (name || p) {
        snprintf(out, capacity, "%s", name ? name : p->name);
        return;
    }
    /* the last part of a path, without an extension */
    char text[256];
    snprintf(text, sizeof text, "%s", s->hint ? s->hint : s->path);
    size_t n = strlen(text);
    while (n > 1 && text[n - 1] == '/')
        text[--n] = 0;
    char *slash = strrchr(text, '/'), *base = slash ? slash + 1 : text;
    static const char *const extensions[] = {".pt", ".bin", ".safetensors", ".gguf"};
    for (size_t i = 0; i < WH_COUNT(extensions); i++) {
        size_t length = strlen(base), extension = strlen(extensions[i]);
        if (length > extension && strcmp(base + length - extension, extensions[i]) == 0)
            base[length - extension] = 0;
    }
    snprintf(out, capacity, "%s", *base && strcmp(base, ".") != 0 && strcmp(base, "..") != 0 ? base : "whisper");
    wh_tame(out); /* it may have been in the checkpoint */
}

static int has_head(const struct source *s, int64_t layer, int64_t head)
{
    return layer >= 0 && layer < s->dims.n_text_layer && head >= 0 && head < s->dims.n_text_head;
}

/* Pairs "L.H" with anything but digits between them. */
static int parse(struct source *s, const char *list)
{
    free(s->heads);
    s->heads = NULL;
    s->n_heads = 0;
    if (strcmp(list, "None") == 0)
        return WHISP_OK;
    for (const char *p = list; *p;) {
        char *end;
        long layer = isdigit((unsigned char)*p) ? strtol(p, &end, 10) : -1;
        long head = layer >= 0 && *end == '.' && isdigit((unsigned char)end[1]) ? strtol(end + 1, &end, 10) : -1;
        if (head < 0 || (*end && *end != ',' && *end != ' '))
            return wh_fail(WHISP_ERR_ARGUMENT, "alignment heads are LAYER.HEAD,LAYER.HEAD,... or None, not \"%s\"",
                           list);
        if (!has_head(s, layer, head))
            return wh_fail(WHISP_ERR_ARGUMENT, "alignment head %ld.%ld is not in a decoder of %d layers of %d heads",
                           layer, head, s->dims.n_text_layer, s->dims.n_text_head);
        int rc = source_add_heads(s, layer, head);
        if (rc)
            return rc;
        p = *end ? end + 1 : end;
    }
    return s->n_heads ? WHISP_OK : wh_fail(WHISP_ERR_ARGUMENT, "alignment heads: the list is empty; None means none");
}

/* Keep the source's heads that there are: a distilled model often comes with its parent's. 1 if any were left out. */
static int leave_out(struct source *s, FILE *log)
{
    size_t kept = 0, n = s->n_heads;
    for (size_t i = 0; i < n; i++)
        if (has_head(s, s->heads[2 * i], s->heads[2 * i + 1])) {
            memmove(s->heads + 2 * kept, s->heads + 2 * i, 2 * sizeof *s->heads);
            kept++;
        }
    s->n_heads = kept;
    if (kept == n)
        return 0;
    fprintf(log,
            "%s: warning: %zu of %zu alignment heads are not in a decoder of %d layers of %d heads (its parent's, "
            "perhaps); %s. --alignment_heads says which to take\n",
            s->path, n - kept, n, s->dims.n_text_layer, s->dims.n_text_head,
            kept ? "the others are kept"
                 : "none are stored, and words will be timed with all heads of the decoder's "
                   "upper half");
    return 1;
}

int heads_complete(struct source *s, const char *list, const char *name, FILE *log)
{
    if (list)
        return parse(s, list);
    if (leave_out(s, log) || s->n_heads)
        return WHISP_OK;
    const struct published *p = find(s, name);
    if (p)
        return parse(s, p->heads);
    fprintf(log,
            "%s: no alignment heads are known for this model, so none are stored; words will be timed with all "
            "heads of the decoder's upper half. If it is a published model, say which with --name, or give "
            "--alignment_heads\n",
            s->path);
    return WHISP_OK;
}
