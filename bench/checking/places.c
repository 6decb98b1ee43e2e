/* places.c - the places of a transcript in the order of a walk, as a table for bench/checking/measure.py.
 *
 * usage: checking-places TRANSCRIPT.json
 *
 * Writes a line a place to standard output: start, end, first word, last word, chance, errors; tabs between them. It knows
 * lib/output from inside, so it is linked with the library's objects and not installed. */
#include <stdio.h>
#include <stdlib.h>

#include "output/places.h"

static char *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *bytes = NULL;
    *n = 0;
    if (f && fseek(f, 0, SEEK_END) == 0) {
        long size = ftell(f);
        bytes = size >= 0 ? malloc((size_t)size + 1) : NULL;
        rewind(f);
        *n = bytes ? fread(bytes, 1, (size_t)size, f) : 0;
    }
    if (f)
        fclose(f);
    return bytes;
}

int main(int argc, char **argv)
{
    size_t n;
    whisp_result *result = NULL;
    wh_spots spots = {0};
    char *json = argc > 1 ? read_all(argv[1], &n) : NULL;
    if (!json) {
        fprintf(stderr, "usage: checking-places TRANSCRIPT.json\n");
        return 2;
    }
    int rc = whisp_result_read(json, n, &result);
    if (!rc)
        rc = wh_spots_walk(result, 0, &spots);
    for (size_t i = 0; i < spots.n; i++) {
        const wh_spot *spot = &spots.list[i];
        printf("%.2f\t%.2f\t%zu\t%zu\t%.4f\t%.4f\n", spot->start, spot->end, spot->first, spot->last, spot->chance,
               spot->errors);
    }
    if (rc)
        fprintf(stderr, "%s: %s\n", argv[1], whisp_last_error());
    wh_spots_free(&spots);
    whisp_result_free(result);
    free(json);
    return rc != 0;
}
