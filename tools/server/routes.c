/* routes.c - all there is to ask for. */
#include "routes.h"

const struct route *const all_routes[] = {transcription_routes, job_routes,    info_routes, asr_routes,
                                          live_routes,          format_routes, page_routes, NULL};
