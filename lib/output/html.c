/* html.c - the review page: lib/output/review/page.html, which the Makefile has put into the library, with a transcript
 * inside.
 *
 * The data stand where the page says `<!--data-->`, each in a script element that no browser runs: the head (what the
 * recording is, and the doubtful places), the json document as json.c writes it, and, where it is asked for, the
 * recording. No `<` is left in them, so that no text ends the element. docs/review.md describes the page. */
#include <inttypes.h>
#include <string.h>

#include "output/places.h"
#include "output/recording.h"
#include "output/writers.h"

/* Made by lib/output/review/embed. */
extern const unsigned char wh_review_page[];
extern const unsigned long wh_review_page_size;

static void put_element(wh_buf *out, const char *id, const wh_buf *json)
{
    wh_buf_printf(out, "<script type=\"application/json\" id=\"%s\">", id);
    wh_put_replaced(out, json->data ? json->data : "", json->length, "<", "\\u003c");
    wh_buf_puts(out, "</script>\n");
    out->failed |= json->failed;
}

/* The doubtful places, those first where most errors are found in the shortest time: the order of the walk. */
static int put_places(const whisp_result *result, const whisp_writer_options *layout, wh_buf *head)
{
    wh_spots spots = {0};
    int rc = wh_spots_walk(result, layout->doubtful_share, &spots);
    wh_buf_puts(head, ", \"places\": [");
    for (size_t i = 0; i < spots.n && !rc; i++) {
        const wh_spot *spot = &spots.list[i];
        wh_buf_printf(head, "%s{\"first\": %zu, \"last\": %zu, \"start\": ", i ? ", " : "", spot->first, spot->last);
        wh_put_double(head, spot->start);
        wh_buf_puts(head, ", \"end\": ");
        wh_put_double(head, spot->end);
        wh_buf_puts(head, ", \"chance\": ");
        wh_put_double(head, spot->chance);
        wh_buf_puts(head, "}");
    }
    wh_buf_puts(head, "]");
    wh_spots_free(&spots);
    return rc;
}

static int put_head(const whisp_result *result, const whisp_writer_options *layout, const wh_buf *json, wh_buf *head)
{
    wh_recording_file file;
    char sum[WH_SHA256_HEX];
    wh_sha256 transcript;
    wh_sha256_begin(&transcript);
    wh_sha256_add(&transcript, json->data ? json->data : "", json->length);
    wh_sha256_end(&transcript, sum);
    wh_buf_puts(head, "{\"name\": ");
    wh_put_json_string(head, layout->recording ? layout->recording : "recording");
    wh_buf_printf(head, ", \"transcript\": \"%s\", \"duration\": ", sum);
    wh_put_double(head, result->duration);
    if (layout->recording_path) {
        int rc = wh_recording_look(layout->recording_path, &file);
        if (rc)
            return rc;
        wh_buf_puts(head, ", \"link\": ");
        wh_put_json_string(head, layout->recording_link ? layout->recording_link : layout->recording_path);
        wh_buf_printf(head, ", \"size\": %" PRIu64 ", \"hash\": \"%s\"", file.size, file.hash);
    }
    int rc = put_places(result, layout, head);
    if (rc)
        return rc;
    wh_buf_puts(head, "}");
    return head->failed ? wh_fail_memory() : WHISP_OK;
}

static int put_data(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    wh_buf json = {0}, head = {0};
    wh_write_json(result, layout, &json);
    int rc = json.failed ? wh_fail_memory() : put_head(result, layout, &json, &head);
    if (!rc) {
        put_element(out, "head", &head);
        put_element(out, "transcript", &json);
    }
    wh_buf_free(&json);
    wh_buf_free(&head);
    if (rc || !layout->embed_audio)
        return rc;
    if (!layout->recording_path)
        return wh_fail(WHISP_ERR_ARGUMENT, "embed_audio: there is no recording's file that the page could hold");
    wh_buf_puts(out, "<script type=\"text/plain\" id=\"sound\">");
    rc = wh_recording_embed(layout->recording_path, out);
    wh_buf_puts(out, "</script>\n");
    return rc;
}

void wh_write_html(const whisp_result *result, const whisp_writer_options *layout, wh_buf *out)
{
    static const char mark[] = "<!--data-->"; /* the page has one: lib/output/review/embed sees to it */
    const char *page = (const char *)wh_review_page, *at = strstr(page, mark), *rest = at + sizeof mark - 1;
    wh_buf_append(out, page, (size_t)(at - page));
    int rc = put_data(result, layout, out);
    wh_buf_append(out, rest, wh_review_page_size - (size_t)(rest - page));
    if (rc)
        out->failed = rc;
}
