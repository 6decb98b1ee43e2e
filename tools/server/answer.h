/* answer.h - transcripts as OpenAI's API writes them. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "service.h"

struct exchange;

enum answer_format { ANSWER_JSON, ANSWER_TEXT, ANSWER_SRT, ANSWER_VTT, ANSWER_VERBOSE, ANSWER_DIARIZED, N_ANSWERS };

/* The names of the formats, by enum answer_format. */
extern const char *const answer_formats[N_ANSWERS];

/* What is asked for. */
struct answer_wish {
    enum answer_format format;
    int translates;
    int words, segments; /* in ANSWER_VERBOSE */
    int logprobs;
};

/* A document: bytes from malloc(), NULL where there was no memory. */
struct document {
    int status;
    const char *type; /* static */
    char *bytes;
    size_t n;
    const char *warning; /* of task_end: what was not heard; NULL */
};

/* The whole answer about a task that ended, well or not. */
void answer_make(const struct answer_wish *wish, const struct task_end *end, struct document *document);
/* The same in parts, for events and others: the status, OpenAI's `param` and `code` for a problem, NULL where none. */
int answer_status(const struct problem *problem, const char **param, const char **code);
/* The problem as an exchange's answer. */
void answer_problem(struct exchange *exchange, const struct problem *problem);

/* The parts of JSON: new references, NULL: no memory. */
#include <jansson.h>
json_t *answer_usage(double duration);
/* A language's English name in small letters: "de" is "german". */
json_t *answer_language(const char *code);
/* Tokens with their log-probabilities, those that are text. */
json_t *answer_logprobs(const whisp_model *model, const whisp_segment *segment);
json_t *answer_all_logprobs(const struct task_end *end);
/* A segment of diarized_json, which is an event, too. */
json_t *answer_speaker_segment(const whisp_segment *segment);
/* The text without the space it begins with. */
const char *answer_trim(const char *text);

#endif
