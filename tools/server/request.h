/* request.h - the fields of a form become a task and a wish. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "answer.h"
#include "form.h"

/* What a client asks for. */
struct ask {
    struct task_request task; /* without sink; its own until it is started */
    struct answer_wish wish;
    int streams, background;
};

/* Why it cannot be: an answer's. */
struct refusal {
    int status;
    const char *param, *code; /* static, or NULL */
    char text[512];
};

/* 0, or -1 and *refusal. ask_free() in any case. */
int ask_read(struct ask *ask, struct service *service, struct form *form, int translates, struct refusal *refusal);
/* task_start() was called: what its task stands on is the task's. */
void ask_given(struct ask *ask);
void ask_free(struct ask *ask);

#endif
