/* service.h - models by name, a queue each, and tasks: a recording that is to be transcribed, with who wants to know.
 *
 * HTTP, /asr, Wyoming and background jobs stand on it and on nothing else. A model is loaded when it is first asked
 * for, or at the start; what waits for a file, for ffmpeg or for a model waits in a thread of its task. One thread a
 * queue takes its events and hands them to their tasks. All functions may be called by any thread. */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "upload.h"
#include "whisp.h"

struct service;
struct told;

/* What it is made of. All is copied. */
struct service_settings {
    const whisp_options *options; /* the defaults of every transcription, and what belongs to the queues */
    const char *model_dir;        /* NULL: where whisp_model_find() looks */
    const char *const *models;    /* [n_models] loaded at the start and kept; the first one is the default */
    size_t n_models;
    const char *const *aliases; /* [n_aliases] "whisper-1=base"; "*=base" stands for all other names */
    size_t n_aliases;
    int most_models;   /* so many are loaded at a time; those that nobody uses make room */
    int most_a_client; /* tasks of one client; 0: no bound */
    int most_tasks;    /* so many tasks at a time, waiting or not, at most WHISP_QUEUE_MOST */
    int most_children; /* ffmpegs at a time */
    int no_mmap;
    whisp_log_fn log; /* what is to be told to who runs it; may be NULL */
    void *log_user;
};

/* Why something cannot be done, beside the library's codes. */
enum {
    SERVICE_FULL = -100,     /* too many tasks, or models in use: try again later */
    SERVICE_NO_MODEL = -101, /* there is no model of that name */
    SERVICE_CLOSING = -102,  /* the program is about to end */
    SERVICE_GREEDY = -104,   /* this client has too many tasks already */
    SERVICE_BESIDE = -105,   /* a file beside the recording (task_request.files) is not what it should be */
    SERVICE_LACKS = -106,    /* what is asked for needs a model beside, which is not here */
    SERVICE_FOREIGN = -103   /* not a recording that is decoded here */
};

#define SERVICE_CLIENT 64

/* A code and a line of text. */
struct problem {
    int code;
    char text[512];
};

/* Its first models must be there, and are loaded by service_load(). 0, or the problem's code. */
int service_new(const struct service_settings *settings, struct service **service, struct problem *problem);
/* Load the first models. Tasks that come meanwhile wait. */
int service_load(struct service *service, struct problem *problem);
/* Are they loaded? */
int service_is_ready(struct service *service);
/* Release what nobody uses any more; now and then. */
void service_tidy(struct service *service);
/* Cancel everything, wait for it, release. What was lent must have been returned. */
void service_free(struct service *service);

/* No new tasks from now on; those that run go on. */
void service_close(struct service *service);
/* How many tasks are not over. */
int service_busy(struct service *service);
/* Would a task be turned away now? 0, SERVICE_FULL or SERVICE_CLOSING, so that nobody uploads in vain. */
int service_check(struct service *service, struct problem *problem);
/* Cancel all tasks. */
void service_cancel_all(struct service *service);
/* See whether the files of loaded models are others now: those are loaded anew, tasks that run keep theirs. */
void service_reload(struct service *service);

/* New options with the service's defaults, to be freed; NULL: no memory. */
whisp_options *service_options(struct service *service);
/* Does a request for this model make sense? `name` NULL or "": the default. 0 or SERVICE_NO_MODEL. *known (may be NULL)
 * is the model's own name, to be freed. */
int service_find(struct service *service, const char *name, char **known, struct problem *problem);
/* Call `each` for every model that can be asked for, aliases too. */
void service_list(struct service *service, void (*each)(void *user, const char *name, int64_t created), void *user);

/* ---- tasks ---- */

/* How a task ended. Lives until the call returns. */
struct task_end {
    struct problem problem;     /* code WHISP_OK: all is well */
    const whisp_result *result; /* also what was final before it failed; NULL: nothing */
    const whisp_model *model;   /* the model that was asked; NULL: it did not come to that */
    double duration;            /* of the recording, seconds; 0 where not known */
    const char *incomplete;     /* why not all of the recording was heard; NULL */
    const struct told *told;    /* what else was warned of; NULL: it did not come to that */
    const float *probabilities; /* of languages, with TASK_LANGUAGE: [n_languages] by whisp_language_list() */
    int n_languages, language;  /* language: the most probable one */
};

/* Who wants to know. Functions may be NULL; they are to be quick. `end` comes once, last, after task_cancel(), too. */
struct task_sink {
    void *user;
    void (*begin)(void *user, const whisp_model *model); /* before all others: it is the queue's turn */
    void (*segment)(void *user, const whisp_segment *segment);
    void (*progress)(void *user, double done, double total); /* perhaps at the same time as `segment` */
    void (*end)(void *user, const struct task_end *end);
};

enum task_kind {
    TASK_TRANSCRIBE,
    TASK_LANGUAGE /* only: which language is spoken? */
};

/* Most files beside the recording: references of speakers, a vocabulary. */
#define TASK_MOST_FILES 20

struct task_request {
    enum task_kind kind;
    const char *model;                     /* the name; NULL or "": the default */
    struct upload *recording;              /* the task's from task_start() on, whatever that says */
    struct upload *files[TASK_MOST_FILES]; /* likewise: what options name by upload_path() must live as long */
    size_t n_files, n_sounds;              /* the first n_sounds are recordings, too: as such they may need ffmpeg */
    whisp_options *options;                /* likewise. Its callbacks are the task's */
    char client[SERVICE_CLIENT];           /* who asks, for most_a_client; "": nobody in particular */
    struct task_sink sink;
};

struct task;

/* Begin. 0 and *task, to be released; or the problem's code, and the sink is not called. */
int task_start(struct service *service, struct task_request *request, struct task **task, struct problem *problem);
/* It ends soon, with WHISP_ERR_CANCELLED unless it is over. */
void task_cancel(struct task *task);
/* Nobody asks for it any more; it goes on. */
void task_release(struct task *task);

/* ---- models for others (live transcription) ---- */

struct loan;

/* A model, loaded if need be (which takes as long as it takes), until it is returned. 0 or the problem's code. */
int service_borrow(struct service *service, const char *name, const whisp_model **model, struct loan **loan,
                   struct problem *problem);
void service_return(struct loan *loan);

/* ---- counters ---- */

struct service_counts {
    int tasks, models; /* now: not over; loaded */
    uint64_t done, failed, cancelled, refused;
    double audio_seconds; /* of recordings that were done */
    double busy_seconds;  /* during which any task was there */
};
void service_count(struct service *service, struct service_counts *counts);

#endif
