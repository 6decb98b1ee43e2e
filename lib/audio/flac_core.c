/* flac_core.c - see flac_core.h. */
#include "audio/flac_core.h"

#include <FLAC/stream_decoder.h>
#include <stdlib.h>
#include <string.h>

struct wh_flac_state {
    FLAC__StreamDecoder *decoder;
    wh_flac_input input;
    unsigned char head[WH_FLAC_HEAD];
    int head_given;
    int got; /* frames since wh_flac_next() was called */
};

int wh_flac_parse(const unsigned char p[WH_FLAC_HEAD], wh_flac_info *info)
{
    if (memcmp(p, "fLaC", 4) != 0 || (p[4] & 0x7f) != 0 || p[5] || p[6] || p[7] != 34)
        return 0;
    const unsigned char *s = p + 8; /* RFC 9639, section 8.2 */
    info->rate = s[10] << 12 | s[11] << 4 | s[12] >> 4;
    info->channels = (s[12] >> 1 & 7) + 1;
    info->bits = ((s[12] & 1) << 4 | s[13] >> 4) + 1;
    info->frames = (int64_t)(s[13] & 15) << 32 | (int64_t)s[14] << 24 | s[15] << 16 | s[16] << 8 | s[17];
    info->block = s[2] << 8 | s[3];
    return info->rate > 0 && info->block >= 16;
}

uint32_t wh_flac_speakers(int channels)
{
    static const uint32_t masks[9] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f};
    return channels >= 1 && channels <= 8 ? masks[channels] : 0;
}

/* ---- libFLAC's callbacks ---- */

static FLAC__StreamDecoderReadStatus read_bytes(const FLAC__StreamDecoder *decoder, FLAC__byte *bytes, size_t *n,
                                                void *user)
{
    struct wh_flac_state *s = ((wh_flac *)user)->state;
    (void)decoder;
    if (!s->head_given && *n >= sizeof s->head) { /* always true: libFLAC asks for kilobytes */
        memcpy(bytes, s->head, sizeof s->head);
        *n = sizeof s->head;
        s->head_given = 1;
    } else {
        *n = s->input.read(s->input.user, bytes, *n);
    }
    return *n > 0 ? FLAC__STREAM_DECODER_READ_STATUS_CONTINUE : FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM;
}

static FLAC__StreamDecoderTellStatus tell(const FLAC__StreamDecoder *decoder, FLAC__uint64 *offset, void *user)
{
    struct wh_flac_state *s = ((wh_flac *)user)->state;
    (void)decoder;
    *offset = (FLAC__uint64)s->input.tell(s->input.user);
    return FLAC__STREAM_DECODER_TELL_STATUS_OK;
}

/* libFLAC goes back where what looked like a frame's beginning was none. */
static FLAC__StreamDecoderSeekStatus seek(const FLAC__StreamDecoder *decoder, FLAC__uint64 offset, void *user)
{
    struct wh_flac_state *s = ((wh_flac *)user)->state;
    (void)decoder;
    return s->input.seek(s->input.user, (int64_t)offset) ? FLAC__STREAM_DECODER_SEEK_STATUS_ERROR
                                                         : FLAC__STREAM_DECODER_SEEK_STATUS_OK;
}

/* Needed for seeking to samples only, which is not done here. */
static FLAC__StreamDecoderLengthStatus no_length(const FLAC__StreamDecoder *decoder, FLAC__uint64 *length, void *user)
{
    (void)decoder, (void)length, (void)user;
    return FLAC__STREAM_DECODER_LENGTH_STATUS_UNSUPPORTED;
}

static FLAC__bool never_at_end(const FLAC__StreamDecoder *decoder, void *user)
{
    (void)decoder, (void)user;
    return 0;
}

/* Before a frame that does not follow on the last one libFLAC gives silence, up to some seconds. How much is missing is
 * for the caller to judge: a later call overwrites an earlier one's samples. */
static FLAC__StreamDecoderWriteStatus take(const FLAC__StreamDecoder *decoder, const FLAC__Frame *frame,
                                           const FLAC__int32 *const samples[], void *user)
{
    wh_flac *flac = user;
    (void)decoder;
    int n = (int)frame->header.blocksize, channels = (int)frame->header.channels;
    if (wh_grow(&flac->samples, &flac->room, (size_t)n * (size_t)channels, sizeof(float))) {
        flac->no_memory = 1;
        return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT;
    }
    float scale = 1.0f / (float)(INT64_C(1) << (frame->header.bits_per_sample - 1));
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < n; i++)
            flac->samples[i * channels + c] = (float)samples[c][i] * scale;
    flac->n = n;
    flac->channels = channels;
    flac->rate = (int)frame->header.sample_rate;
    flac->number = (int64_t)frame->header.number.sample_number;
    flac->state->got++;
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static void note_error(const FLAC__StreamDecoder *decoder, FLAC__StreamDecoderErrorStatus status, void *user)
{
    (void)decoder, (void)status;
    ((wh_flac *)user)->damaged = 1;
}

/* ---- for the caller ---- */

int wh_flac_begin(wh_flac *flac, const wh_flac_input *input, const unsigned char head[WH_FLAC_HEAD])
{
    if (!flac->state && !(flac->state = wh_calloc(1, sizeof *flac->state)))
        return wh_fail_memory();
    struct wh_flac_state *s = flac->state;
    if (s->decoder)
        FLAC__stream_decoder_finish(s->decoder);
    else if (!(s->decoder = FLAC__stream_decoder_new()))
        return wh_fail_memory();
    s->input = *input;
    memcpy(s->head, head, sizeof s->head);
    s->head[4] |= 0x80; /* no other metadata */
    s->head_given = 0;
    flac->damaged = 0;
    FLAC__StreamDecoderInitStatus status = FLAC__stream_decoder_init_stream(s->decoder, read_bytes,
                                                                            input->seek ? seek : NULL, tell, no_length,
                                                                            never_at_end, take, NULL, note_error, flac);
    if (status != FLAC__STREAM_DECODER_INIT_STATUS_OK ||
        !FLAC__stream_decoder_process_until_end_of_metadata(s->decoder))
        return wh_fail_memory();
    return WHISP_OK;
}

int wh_flac_next(wh_flac *flac)
{
    struct wh_flac_state *s = flac->state;
    FLAC__uint64 end;
    flac->damaged = 0;
    s->got = 0;
    while (!s->got && !flac->no_memory &&
           FLAC__stream_decoder_get_state(s->decoder) < FLAC__STREAM_DECODER_END_OF_STREAM)
        if (!FLAC__stream_decoder_process_single(s->decoder))
            break;
    if (flac->no_memory || FLAC__stream_decoder_get_state(s->decoder) == FLAC__STREAM_DECODER_MEMORY_ALLOCATION_ERROR)
        return wh_fail_memory();
    if (s->got && FLAC__stream_decoder_get_decode_position(s->decoder, &end))
        flac->end = (int64_t)end;
    return s->got > 0;
}

void wh_flac_go_on(wh_flac *flac)
{
    FLAC__stream_decoder_flush(flac->state->decoder);
}

void wh_flac_free(wh_flac *flac)
{
    if (flac->state && flac->state->decoder)
        FLAC__stream_decoder_delete(flac->state->decoder);
    free(flac->state);
    free(flac->samples);
    memset(flac, 0, sizeof *flac);
}
