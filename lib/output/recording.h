/* recording.h - what a review page (html.c) is told of the recording's file. Private to lib/output. */
#ifndef WH_OUTPUT_RECORDING_H
#define WH_OUTPUT_RECORDING_H

#include "util/sha256.h"
#include "util/util.h"

#define WH_EMBED_MOST ((size_t)24 << 20) /* bytes of a recording that a page holds: more and browsers take seconds */

typedef struct wh_recording_file {
    uint64_t size;
    char hash[WH_SHA256_HEX]; /* SHA-256 of its first MiB, of the last one behind that, and of its size in decimal */
} wh_recording_file;

/* Look at it. WHISP_OK, or WHISP_ERR_IO with words. */
int wh_recording_look(const char *path, wh_recording_file *file);
/* Append the whole of it in base64; WHISP_ERR_ARGUMENT where that is too much. */
int wh_recording_embed(const char *path, wh_buf *out);

#endif
