/* recorded.c - see recorded.h. */
#include "support/recorded.h"

#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

recorded_bytes recorded_make(const recorded_kind *k, double seconds)
{
    const char *path = temp_path("recording");
    recorded_bytes made = {NULL, 0};
    SF_INFO info = {.samplerate = k->rate, .channels = k->channels, .format = k->format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (!file) {
        printf("skipped: this libsndfile does not write %s\n", k->name);
        return made;
    }
    double quality = k->quality;
    int mode = k->bitrate_mode;
    if (quality >= 0) {
        sf_command(file, SFC_SET_BITRATE_MODE, &mode, sizeof mode);
        sf_command(file, SFC_SET_COMPRESSION_LEVEL, &quality, sizeof quality);
    }
    float block[64 * 2];
    uint64_t random = 5;
    for (int64_t at = 0, frames = (int64_t)(seconds * k->rate); at < frames; at += 64) {
        int64_t n = frames - at < 64 ? frames - at : 64;
        for (int64_t i = 0; i < n * k->channels; i++) {
            double t = (double)(at + i / k->channels) / k->rate, swell = sin(0.7 * t + (double)(i % k->channels));
            block[i] = (float)(0.2 * (1 + swell) * sin(2000 * t + 3 * sin(t)) +
                               0.2 * swell * swell * (random_unit(&random) - 0.5));
        }
        assert_int_equal(sf_writef_float(file, block, n), n);
    }
    sf_close(file);
    made.data = read_file(path, &made.n);
    return made;
}

const char *recorded_store(recorded_bytes b, const char *name)
{
    const char *path = temp_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(b.data, 1, b.n, file), b.n);
    fclose(file);
    return path;
}

recorded_bytes recorded_join(recorded_bytes a, recorded_bytes b)
{
    recorded_bytes both = {malloc(a.n + b.n), a.n + b.n};
    assert_non_null(both.data);
    memcpy(both.data, a.data, a.n);
    memcpy(both.data + a.n, b.data, b.n);
    return both;
}

recorded_bytes recorded_tail(recorded_bytes a, size_t from)
{
    return recorded_join((recorded_bytes){a.data + from, a.n - from}, (recorded_bytes){a.data, 0});
}
