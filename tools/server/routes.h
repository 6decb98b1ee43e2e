/* routes.h - who answers what: the tables that routes.c puts together, each from the file that has the handlers. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "http.h"

extern const struct route transcription_routes[]; /* transcriptions.c: OpenAI's API */
extern const struct route info_routes[];          /* info.c: models, health, metrics */
extern const struct route job_routes[];           /* jobs.c: background */
extern const struct route asr_routes[];           /* asr.c: whisper-asr-webservice's */
extern const struct route live_routes[];          /* live.c: the WebSocket */
extern const struct route format_routes[];        /* format.c: transcripts in other formats */
extern const struct route page_routes[];          /* page.c: the page at / */

extern const struct route *const all_routes[]; /* NULL behind the last */

#endif
