/* audible.c - see audible.h. Stands between the decoders and the mix.
 *
 * Most recordings pass through as they are: mono and surround sound of integers unseen, stereo after a look at each
 * block's energies. The blocks lie at multiples of 10 s of a recording's own frames, so what is heard does not
 * depend on whether it comes from a file or a pipe, and a decoder that seeks comes back at the beginning of one. */
#include "audio/audible.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 10            /* of a block */
#define MOST_VALUES (8 << 20) /* of a block at most: 32 MiB */
#define PIECE_VALUES 32768    /* read from the inner decoder at once */

/* Two channels cancel each other where their mix has less of the louder one's power than this: -12 dB. What stands in
 * the middle of wide music has more, and right = -left / 2 leaves as much to be heard. */
#define CANCELLED 0.06
#define SILENT 1e-7 /* power that is no sound: -70 dB */
#define LOUDER 1.25 /* the right one is heard if it has so much more power than the left one */

#define FAR_ABOVE 64.0f  /* 36 dB above full scale: not a level of float samples between -1 and 1 */
#define NO_LEVEL 0x1p33f /* beyond the range of integers: rubbish, which says nothing */

typedef struct energies {
    double n, l, r, ll, rr, lr;
} energies;

typedef struct audible {
    wh_decoder decoder;
    wh_decoder *inner;
    wh_notes *notes;
    int live, keeps_channels;

    float *block; /* [capacity] frames read ahead */
    size_t capacity;
    int64_t n, used; /* its frames; those given out */
    wh_sound sound;  /* theirs */
    float *next;     /* [PIECE_VALUES] frames of another sound, which begin the next block */
    int64_t n_next;
    wh_sound next_sound;
    int ended; /* the inner decoder has no more: 0, or the code of an error */
    int64_t last;
    char message[512]; /* the error's */

    int64_t at;    /* frames of blocks so far, since the sound changed */
    int64_t lead;  /* nothing is decided by those before this one, in which there was nothing to decide (pieces.c) */
    double before; /* seconds before that */

    energies heard;   /* live: since the last decision */
    int live_choice;  /* -1: both, or the channel that is heard */
    double cancelled; /* seconds in which the channels cancelled each other */
    double first_cancelled;
    char heard_one[8]; /* "left", "right", "louder" */

    int floats; /* the file whose floats `bits` belongs to */
    int bits;   /* its samples' range: 0: -1 to 1; 15, 23, 31: that of integers */
} audible;

/* ---- the range of floats ---- */

typedef struct levels {
    int64_t sounding, whole, far_above; /* samples that are not 0; integers among them; far above full scale */
    float peak;
} levels;

static levels look(const float *x, int64_t n)
{
    levels all = {0};
    for (int64_t i = 0; i < n; i++) {
        float level = fabsf(x[i]);
        if (!(level > 0.0f) || level > NO_LEVEL)
            continue;
        all.sounding++;
        all.whole += level == rintf(level);
        all.far_above += level > FAR_ABOVE;
        all.peak = WH_MAX(all.peak, level);
    }
    return all;
}

/* Bits of the integers in whose range the samples are; 0: they are between -1 and 1, or it cannot be told. Quiet
 * integers are known by being whole, others by one in a hundred samples that is far above full scale. */
static int find_bits(const levels *all)
{
    int is_whole = all->sounding > 0 && all->whole == all->sounding;
    if (!is_whole && all->far_above * 100 <= all->sounding)
        return 0;
    return all->peak <= 0x1p17f ? 15 : all->peak <= 0x1p25f ? 23 : 31;
}

static void scale(audible *a, float *x, int64_t n)
{
    levels all = a->at < a->lead ? (levels){0} : look(x, n);
    char clock[24];
    int bits = find_bits(&all);
    if (a->floats != a->sound.floats) {
        a->floats = a->sound.floats;
        a->bits = 0;
    }
    if (all.peak <= 1.0f && a->bits == 0 && bits) { /* only -1, 0 and 1: steps of the least bit, for now */
        wh_note(a->notes, 0,
                "some of its float samples are all -1, 0 or 1: taken for the smallest steps of 16-bit "
                "integers");
    } else if (bits > a->bits) {
        a->bits = bits;
        wh_note(a->notes, 0,
                "its float samples are in the range of %d-bit integers (up to %.0f at %s): scaled to -1 "
                "to 1",
                bits + 1, (double)all.peak, wh_clock(a->before + (double)a->at / a->sound.rate, clock));
    }
    bits = WH_MAX(bits, a->bits);
    float step = ldexpf(1.0f, -bits);
    for (int64_t i = 0; bits && i < n; i++)
        x[i] *= step;
}

/* ---- channels that cancel each other ---- */

static void add_energies(energies *e, const float *frames, int64_t n)
{
    double l = 0, r = 0, ll = 0, rr = 0, lr = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = frames[2 * i], y = frames[2 * i + 1];
        l += x;
        r += y;
        ll += x * x;
        rr += y * y;
        lr += x * y;
    }
    e->n += (double)n;
    e->l += l, e->r += r, e->ll += ll, e->rr += rr, e->lr += lr;
}

/* The channel to be heard instead of the mix, or -1. Not a number anywhere: -1. A constant in a channel is no sound. */
static int choose(const energies *e)
{
    if (!(e->n > 0))
        return -1;
    double ll = (e->ll - e->l * e->l / e->n) / e->n, rr = (e->rr - e->r * e->r / e->n) / e->n;
    double lr = (e->lr - e->l * e->r / e->n) / e->n, mix = (ll + rr + 2 * lr) / 4, most = fmax(ll, rr);
    if (!(most > SILENT) || !(mix < CANCELLED * most))
        return -1;
    return rr > LOUDER * ll;
}

static void remember_cancelled(audible *a, int channel, int64_t n)
{
    const char *name = channel ? "right" : "left";
    a->decoder.is_odd = 1;
    if (a->cancelled == 0) {
        a->first_cancelled = a->before + (double)a->at / a->sound.rate;
        snprintf(a->heard_one, sizeof a->heard_one, "%s", name);
    } else if (strcmp(a->heard_one, name) != 0) {
        snprintf(a->heard_one, sizeof a->heard_one, "louder");
    }
    a->cancelled += (double)n / a->sound.rate;
}

void wh_audible_settle(wh_decoder *decoder)
{
    audible *a = (audible *)decoder;
    char clock[24];
    if (a->cancelled > 0)
        wh_note(a->notes, 0,
                "its two channels cancel each other for %.1f s from %s on: the %s one was heard there, "
                "not both",
                a->cancelled, wh_clock(a->first_cancelled, clock), a->heard_one);
    a->cancelled = 0;
}

static void put_in_both(float *frames, int64_t n, int channel)
{
    for (int64_t i = 0; i < n; i++)
        frames[2 * i + !channel] = frames[2 * i + channel];
}

static void check_channels(audible *a, float *frames, int64_t n)
{
    energies e = {0};
    int channel;
    if (a->keeps_channels || a->at < a->lead)
        return;
    if (a->live) { /* nobody can wait: what the last second was like holds for the next one */
        channel = a->live_choice;
        add_energies(&a->heard, frames, n);
        if (a->heard.n >= a->sound.rate) {
            a->live_choice = choose(&a->heard);
            a->heard = (energies){0};
        }
    } else {
        add_energies(&e, frames, n);
        channel = choose(&e);
    }
    if (channel < 0)
        return;
    put_in_both(frames, n, channel);
    remember_cancelled(a, channel, n);
}

/* ---- blocks ---- */

static int is_same(const wh_sound *a, const wh_sound *b)
{
    return a->rate == b->rate && a->channels == b->channels && a->speakers == b->speakers && a->floats == b->floats &&
           a->is_16_bit == b->is_16_bit;
}

/* Frames of a block: whole seconds. */
static int64_t block_frames(const wh_sound *sound)
{
    int64_t most = MOST_VALUES / sound->channels, seconds = SECONDS;
    while (seconds > 1 && seconds * sound->rate > most)
        seconds--;
    return WH_MAX(1, WH_MIN(most, seconds * sound->rate));
}

static int is_looked_at(const audible *a, const wh_sound *sound)
{
    return sound->floats || (sound->channels == 2 && !a->keeps_channels);
}

static void decide(audible *a, float *frames, int64_t n)
{
    if (a->sound.floats)
        scale(a, frames, n * a->sound.channels);
    if (a->sound.channels == 2)
        check_channels(a, frames, n);
}

static void end(audible *a, int64_t code)
{
    a->ended = 1;
    a->last = code;
    snprintf(a->message, sizeof a->message, "%s", code < 0 ? whisp_last_error() : "");
}

/* The next frames of the inner decoder that are of another sound than the block's, or the first ones: into next[]. */
static void read_piece(audible *a)
{
    wh_sound sound = a->sound;
    int64_t got = a->inner->read(a->inner, a->next, PIECE_VALUES, a->live ? 1024 : PIECE_VALUES, &sound);
    if (got <= 0) {
        end(a, got);
        return;
    }
    a->n_next = got;
    a->next_sound = sound;
    a->decoder.is_odd |= a->inner->is_odd;
}

/* next[] becomes the block's end. */
static int append(audible *a)
{
    size_t channels = (size_t)a->sound.channels, values = (size_t)(a->n + a->n_next) * channels;
    int rc = wh_grow(&a->block, &a->capacity, values, sizeof *a->block);
    if (rc)
        return rc;
    memcpy(a->block + (size_t)a->n * channels, a->next, (size_t)a->n_next * channels * sizeof *a->next);
    a->n += a->n_next;
    a->n_next = 0;
    return WHISP_OK;
}

/* A new sound begins. */
static void begin_sound(audible *a)
{
    if (a->sound.rate) {
        a->before += (double)a->at / a->sound.rate;
        a->decoder.is_odd = 1;
    }
    a->sound = a->next_sound;
    a->at = 0;
    a->heard = (energies){0};
    a->live_choice = -1;
}

/* Fill the block with what is read, up to its end. */
static int fill(audible *a)
{
    int rc = WHISP_OK;
    a->n = a->used = 0;
    if (!a->n_next && !a->ended)
        read_piece(a);
    if (!a->n_next)
        return WHISP_OK;
    if (!is_same(&a->sound, &a->next_sound))
        begin_sound(a);
    int is_block = is_looked_at(a, &a->sound) && !a->live;
    int64_t size = is_block ? block_frames(&a->sound) - a->at % block_frames(&a->sound) : 1;
    while (!rc && a->n_next && is_same(&a->sound, &a->next_sound) && a->n < size) {
        int64_t fits = is_block ? WH_MIN(a->n_next, size - a->n) : a->n_next, rest = a->n_next - fits;
        a->n_next = fits;
        rc = append(a);
        a->n_next = rest;
        if (rest)
            memmove(a->next, a->next + fits * a->sound.channels, (size_t)(rest * a->sound.channels) * sizeof *a->next);
        if (!rc && !rest && !a->ended && a->n < size)
            read_piece(a);
    }
    if (rc) { /* frames are lost: nothing can follow */
        a->n = a->n_next = 0;
        end(a, rc);
        return rc;
    }
    decide(a, a->block, a->n);
    a->at += a->n;
    return WHISP_OK;
}

static int64_t read_audible(wh_decoder *decoder, float *samples, int64_t room, int64_t max_frames, wh_sound *sound)
{
    audible *a = (audible *)decoder;
    if (a->used == a->n) {
        int rc = fill(a);
        if (rc)
            return rc;
    }
    int64_t n = WH_MIN(WH_MIN(max_frames, room / WH_MAX(a->sound.channels, 1)), a->n - a->used);
    if (n <= 0) {
        wh_audible_settle(decoder);
        return a->last < 0 ? wh_fail((int)a->last, "%s", a->message) : 0;
    }
    size_t channels = (size_t)a->sound.channels;
    memcpy(samples, a->block + (size_t)a->used * channels, (size_t)n * channels * sizeof *samples);
    a->used += n;
    *sound = a->sound;
    return n;
}

static int find_audible(wh_decoder *decoder, int64_t frame, int in_pieces, wh_place *place)
{
    audible *a = (audible *)decoder;
    int64_t lead = in_pieces ? place->lead : 0;
    return (frame + lead) % wh_audible_unit(decoder) == 0 && a->inner->find(a->inner, frame, in_pieces, place);
}

/* The range of floats is found at the beginning, as if all were read, and so is what the first frames really are. */
static int go_audible(wh_decoder *decoder, const wh_place *place)
{
    audible *a = (audible *)decoder;
    const wh_sound *first = &decoder->sound;
    if (!a->sound.rate && fill(a))
        return 0;
    if (a->before > 0 || a->sound.rate != first->rate || a->sound.channels != first->channels ||
        a->sound.floats != first->floats || !a->inner->go(a->inner, place))
        return 0;
    a->at = place->frame;
    a->lead = place->frame + place->lead;
    a->n = a->used = a->n_next = 0;
    a->ended = 0;
    a->last = 0;
    return 1;
}

int64_t wh_audible_unit(const wh_decoder *decoder)
{
    const audible *a = (const audible *)decoder;
    return is_looked_at(a, &decoder->sound) ? block_frames(&decoder->sound) : decoder->sound.rate;
}

void wh_audible_keep_channels(wh_decoder *decoder)
{
    ((audible *)decoder)->keeps_channels = 1;
}

static void close_audible(wh_decoder *decoder)
{
    audible *a = (audible *)decoder;
    a->inner->close(a->inner);
    free(a->block);
    free(a->next);
    free(a);
}

int wh_audible_new(wh_decoder *inner, wh_notes *notes, int live, wh_decoder **decoder)
{
    audible *a = wh_calloc(1, sizeof *a);
    float *next = a ? wh_calloc(PIECE_VALUES, sizeof *next) : NULL;
    *decoder = NULL;
    if (!next) {
        inner->close(inner);
        free(a);
        return wh_fail_memory();
    }
    a->decoder = *inner;
    a->decoder.read = read_audible;
    a->decoder.find = inner->find ? find_audible : NULL;
    a->decoder.go = go_audible;
    a->decoder.close = close_audible;
    a->inner = inner;
    a->notes = notes;
    a->live = live;
    a->live_choice = -1;
    a->next = next;
    *decoder = &a->decoder;
    return WHISP_OK;
}
