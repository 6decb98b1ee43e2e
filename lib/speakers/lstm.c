/* lstm.c - one direction of an LSTM layer over several windows side by side; see segmenter.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speakers/segmenter.h"

/* Row r of the gates as they stand here, [units / 16][4][16], in the file's order: in, forget, cell, out, 128 each. */
static size_t file_row(size_t r)
{
    return r / 16 % 4 * WH_LSTM_UNITS + r / 64 * 16 + r % 16;
}

static int find(const whisp_speakers *s, const char *what, int layer, int is_backwards, int64_t k, const float **data)
{
    char name[64];
    snprintf(name, sizeof name, "segmentation.lstm.%s_l%d%s", what, layer, is_backwards ? "_reverse" : "");
    return wh_speakers_tensor(s, name, WH_LSTM_GATES, k, 1, 1, data);
}

/* The input's weights with their rows in the kernel's order. */
static int load_input(const whisp_speakers *s, size_t k, const float *w, const float *bias, const float *bias_h,
                      wh_dense *input)
{
    float sums[WH_LSTM_GATES], *rows = wh_calloc(WH_LSTM_GATES * k, sizeof *rows);
    if (!rows)
        return wh_fail_memory();
    for (size_t r = 0; r < WH_LSTM_GATES; r++) {
        sums[r] = bias[file_row(r)] + bias_h[file_row(r)];
        memcpy(rows + r * k, w + file_row(r) * k, k * sizeof *rows);
    }
    int rc = wh_dense_make(s->kernels, s->gemm, s->is_int8, rows, k, WH_LSTM_GATES, k, sums, input);
    free(rows);
    return rc;
}

int wh_lstm_load(const whisp_speakers *s, int layer, int is_backwards, size_t k, wh_lstm *lstm)
{
    const float *w = NULL, *w_h = NULL, *bias = NULL, *bias_h = NULL;
    int rc;
    lstm->kernels = s->kernels;
    if ((rc = find(s, "weight_ih", layer, is_backwards, (int64_t)k, &w)) ||
        (rc = find(s, "weight_hh", layer, is_backwards, WH_LSTM_UNITS, &w_h)) ||
        (rc = find(s, "bias_ih", layer, is_backwards, 1, &bias)) ||
        (rc = find(s, "bias_hh", layer, is_backwards, 1, &bias_h)) ||
        (rc = load_input(s, k, w, bias, bias_h, &lstm->input)))
        return rc;
    lstm->recurrent = wh_alloc_aligned((size_t)WH_LSTM_GATES * WH_LSTM_UNITS, sizeof *lstm->recurrent);
    if (!lstm->recurrent)
        return wh_fail_memory();
    for (size_t r = 0; r < WH_LSTM_GATES; r++)
        for (size_t i = 0; i < WH_LSTM_UNITS; i++)
            lstm->recurrent[r / 64 * 64 * WH_LSTM_UNITS + i * 64 + r % 64] = w_h[file_row(r) * WH_LSTM_UNITS + i];
    return WHISP_OK;
}

void wh_lstm_free(wh_lstm *lstm)
{
    wh_dense_free(&lstm->input);
    free(lstm->recurrent);
    lstm->recurrent = NULL;
}

void wh_lstm_run(const wh_lstm *lstm, int is_backwards, const float *x, int n, float *out, float *gates, void *scratch)
{
    const float start[WH_LSTM_UNITS] = {0};
    const size_t k = lstm->input.k, frames = WH_SEGMENT_FRAMES, ld = frames * WH_LSTM_OUT;
    float c[WH_SEGMENT_TOGETHER * WH_LSTM_UNITS] = {0};
    const float *h = start;
    for (size_t done = 0, count; done < frames; done += count) {
        count = WH_MIN(WH_LSTM_CHUNK, frames - done);
        size_t first = is_backwards ? frames - done - count : done;
        for (int i = 0; i < n; i++)
            wh_dense_run(&lstm->input, x + ((size_t)i * frames + first) * k, k, count,
                         gates + (size_t)i * WH_LSTM_GATES_WINDOW, WH_LSTM_GATES, scratch);
        for (size_t t = 0; t < count; t++) {
            size_t at = is_backwards ? count - 1 - t : t;
            float *next = out + (first + at) * WH_LSTM_OUT;
            lstm->kernels->lstm(lstm->recurrent, WH_LSTM_UNITS, n, gates + at * WH_LSTM_GATES, WH_LSTM_GATES_WINDOW, h,
                                h == start ? 0 : ld, c, next, ld);
            h = next;
        }
    }
}
