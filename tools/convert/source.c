/* source.c - what the format readers find, and its end. (What they map: files.c.) */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "source.h"

#define MAX_TENSORS 16384 /* the largest published model has 1,259 */
#define MAX_HEADS 65536

/* ---- tensors, by name ---- */

/* The place of `name` among the tensors' names, or where it would be. */
static size_t place_of(const struct source *s, const char *name, int *is_there)
{
    size_t lo = 0, hi = s->n_tensors;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, s->tensors[s->by_name[mid]].name);
        if (order == 0) {
            *is_there = 1;
            return mid;
        }
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    *is_there = 0;
    return lo;
}

struct tensor *source_add(struct source *s, const char *name, enum stored type, int n_dims, const int64_t *shape,
                          const unsigned char *data)
{
    int is_there;
    size_t place = place_of(s, name, &is_there);
    if (s->n_tensors >= MAX_TENSORS || strlen(name) >= sizeof s->tensors->name || n_dims < 1 || n_dims > WH_MAX_DIMS ||
        is_there) {
        wh_fail(WHISP_ERR_MODEL, "%s: damaged: tensor %.80s is there twice or cannot be one of Whisper's", s->path,
                name);
        return NULL;
    }
    if (wh_grow(&s->tensors, &s->tensor_capacity, s->n_tensors + 1, sizeof *s->tensors) ||
        wh_grow(&s->by_name, &s->by_name_capacity, s->n_tensors + 1, sizeof *s->by_name))
        return NULL;
    memmove(s->by_name + place + 1, s->by_name + place, (s->n_tensors - place) * sizeof *s->by_name);
    s->by_name[place] = (uint16_t)s->n_tensors;
    struct tensor *t = &s->tensors[s->n_tensors++];
    memset(t, 0, sizeof *t);
    strcpy(t->name, name);
    t->type = type;
    t->n_dims = n_dims;
    for (int i = 0; i < WH_MAX_DIMS; i++)
        t->shape[i] = i < n_dims ? shape[i] : 1;
    t->data = data;
    return t;
}

struct tensor *source_find(const struct source *s, const char *name)
{
    int is_there;
    size_t place = place_of(s, name, &is_there);
    return is_there ? &s->tensors[s->by_name[place]] : NULL;
}

void source_remove(struct source *s, struct tensor *t)
{
    int is_there;
    size_t i = (size_t)(t - s->tensors), place = place_of(s, t->name, &is_there), last = s->n_tensors - 1;
    memmove(s->by_name + place, s->by_name + place + 1, (last - place) * sizeof *s->by_name);
    memmove(t, t + 1, (last - i) * sizeof *t);
    s->n_tensors = last;
    for (size_t k = 0; k < last; k++)
        s->by_name[k] -= s->by_name[k] > i;
}

/* ---- what else readers find ---- */

int source_add_heads(struct source *s, int64_t layer, int64_t head)
{
    if (layer < 0 || layer > INT16_MAX || head < 0 || head > INT16_MAX)
        return source_damaged(s, "the alignment heads");
    if (s->n_heads >= MAX_HEADS)
        return source_damaged(s, "too many alignment heads");
    int32_t *grown = realloc(s->heads, (s->n_heads + 1) * 2 * sizeof *grown);
    if (!grown)
        return wh_fail_memory();
    s->heads = grown;
    grown[2 * s->n_heads] = (int32_t)layer;
    grown[2 * s->n_heads + 1] = (int32_t)head;
    s->n_heads++;
    return WHISP_OK;
}

int source_load(struct source *s, struct tensor *t)
{
    return s->n_archives ? archive_load(s, t) : WHISP_OK;
}

void source_forget(const struct source *s)
{
    for (size_t i = 0; i < s->n_mappings; i++)
        madvise(s->mappings[i].data, s->mappings[i].size, MADV_DONTNEED);
}

int source_check_dims(const struct source *s)
{
    const struct dims *d = &s->dims;
    const struct {
        const char *name;
        int value, most;
    } list[] = {
        {"n_mels", d->n_mels, 512},
        {"n_audio_ctx", d->n_audio_ctx, 1 << 16},
        {"n_audio_state", d->n_audio_state, 1 << 14},
        {"n_audio_head", d->n_audio_head, 1 << 10},
        {"n_audio_layer", d->n_audio_layer, 256},
        {"n_vocab", d->n_vocab, 1 << 20},
        {"n_text_ctx", d->n_text_ctx, 1 << 13},
        {"n_text_state", d->n_text_state, 1 << 14},
        {"n_text_head", d->n_text_head, 1 << 10},
        {"n_text_layer", d->n_text_layer, 256},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++)
        if (list[i].value < 1 || list[i].value > list[i].most)
            return wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model, or damaged: %s is %d, not within 1 to %d",
                           s->path, list[i].name, list[i].value, list[i].most);
    if (d->n_audio_state != d->n_text_state || d->n_audio_state % 2 || d->n_audio_state % d->n_audio_head ||
        d->n_text_state % d->n_text_head)
        return wh_fail(WHISP_ERR_MODEL, "%s: not a Whisper model, or damaged: states of %d and %d with %d and %d heads",
                       s->path, d->n_audio_state, d->n_text_state, d->n_audio_head, d->n_text_head);
    return WHISP_OK;
}

void source_close(struct source *s)
{
    for (int i = 0; i < s->n_pieces; i++) {
        free(s->pieces[i]);
        free(s->added[i]);
    }
    for (size_t i = 0; i < s->n_files; i++)
        free(s->files[i]);
    for (size_t i = 0; i < s->n_mappings; i++)
        munmap(s->mappings[i].data, s->mappings[i].size);
    free(s->pieces);
    free(s->added);
    free(s->files);
    free(s->mappings);
    free(s->tensors);
    free(s->by_name);
    free(s->heads);
    free(s->hint);
    free(s->earlier_format);
    free(s->url);
    free(s->revision);
    wh_gguf_close(s->gguf);
    archives_close(s);
    memset(s, 0, sizeof *s);
}
