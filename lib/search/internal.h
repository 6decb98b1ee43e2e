/* internal.h - the search's own state, shared by the files of lib/search only.
 *
 *   search.c     making, the decoding of a window, ranking, languages
 *   prompt.c     what the decoder is started with
 *   rules.c      what may follow: a row for each rule
 *   penalties.c  rules about repetitions; tokens that a regular expression names
 *   suppressed.c the tokens that never follow
 *   choose.c     the rules applied to a row of logits, and the choice
 *   logits.c     sums over a row of logits
 *   candidates.c sequences in the making, and a step of the decoder for all of them
 *   sampling.c   one token at a time: the most probable one, or a sample, for each candidate
 *   draft.c      a text to read ahead of it
 *   branches.c   samples beside a decoding, for its confidence
 *   beam.c       beam search */
#ifndef WH_SEARCH_INTERNAL_H
#define WH_SEARCH_INTERNAL_H

#include "cpu/kernels.h"
#include "search/search.h"

/* One sequence in the making. */
typedef struct wh_candidate {
    whisp_token *tokens; /* [max_tokens], the prefix first */
    size_t n;
    float sum_logprob; /* single precision, as the reference adds it up */
    int ended;         /* its end-of-text token was chosen */
    int slot;          /* where its keys and values are */
} wh_candidate;

/* Beam search's own part; see beam.c. */
typedef struct wh_beams {
    int size;               /* beams; 0: no beam search at temperature 0 */
    int max_finished;       /* sequences to wait for: size times patience */
    wh_candidate *next;     /* [size] the beams after the current step, before they take their parents' places */
    wh_candidate *finished; /* [max(size, max_finished)] */
    int n_finished;
    struct wh_extension *extensions; /* [size * (size + 1)] */
} wh_beams;

typedef struct wh_draft wh_draft; /* draft.c */

struct wh_search {
    const whisp_model *model;
    const whisp_options *options;
    const wh_specials *specials;
    wh_backend *backend;
    whisp_timings *timings;
    const wh_kernels *kernels;

    const struct wh_rule *rules; /* [n_rules]: rules.c's table; a test may give others */
    size_t n_rules;
    int32_t *suppressed; /* sorted ids */
    size_t n_suppressed;
    int forbidden;  /* their number in the backend */
    int32_t *blank; /* the tokens of " " */
    size_t n_blank;
    int max_initial; /* latest first timestamp, in tokens; -1: no limit */

    int n_candidates;  /* room in `candidates` and in the backend's slots */
    size_t sample_len; /* tokens sampled in a window at most */
    size_t max_tokens; /* room in a candidate, prefix included */
    wh_candidate *candidates;
    wh_beams *beams;                /* or NULL: no beam search */
    struct wh_branches *branches;   /* or NULL: none was asked for yet */
    struct wh_corrector *corrector; /* or NULL: no vocabulary */
    wh_draft *draft;                /* or NULL: there never was one */
    float *logits;                  /* [n_candidates][n_vocab] */
    wh_choice *choices;             /* [n_candidates]: of the current step */
    int32_t *lists;                 /* [n_candidates][list_size]: tokens that their rules name */
    size_t list_size;
    int unsound;         /* a logit was NaN or infinite */
    int has_read;        /* slot 0 has the last decoding's tokens, all but perhaps the last */
    wh_watch_fn watch;   /* or NULL */
    void *watcher;       /* its first argument */
    int is_chosen;       /* the backend has chosen: `choices`, not `logits`, say what follows */
    float *start_logits; /* [2][n_vocab]: at the start-of-transcript token and at the last token of the start */

    int32_t *prefix; /* with its opening timestamp, if any */
    size_t n_prefix;
    int32_t *hotwords;
    size_t n_hotwords;
    int first_window; /* the prefix is used */
    int32_t *start;   /* [n_start] prompt, start sequence and prefix */
    size_t n_start, sot_index;
    size_t n_forced;   /* its tokens of the prefix, or those given: every candidate begins with them */
    whisp_token *said; /* [n_said] what is expected (draft.c) */
    size_t n_said, said_capacity;
    size_t n_given; /* the first of them: what every candidate begins with, in place of the prefix */
    size_t most;    /* tokens sampled behind it, where that is less than sample_len */
};

/* prompt.c: the tokens of prefix and hotwords; and that what is asked for fits into the context. */
int wh_prompt_init(wh_search *search);

int wh_filters_init(wh_search *search);

/* penalties.c: append the tokens whose text matches suppress_regex to search->suppressed. */
int wh_regex_suppress(wh_search *search, size_t *capacity);

/* rules.c. A rule about what follows n tokens. */
typedef struct wh_rule {
    int (*is_on)(const wh_values *values);
    /* Say it in *choice: wh_forbid() a token, narrow its ranges. May be NULL. */
    void (*say)(const wh_search *search, const whisp_token *sampled, size_t n, wh_choice *choice);
    /* Or change the logits [n_vocab], where a wh_choice cannot say it: no backend then chooses by itself. May be NULL. */
    void (*change)(const wh_search *search, const whisp_token *sampled, size_t n, float *logits);
} wh_rule;

void wh_rules_init(wh_search *search);
/* The rules for what follows n tokens; most = 1, temperature = 0. The choice's lists lie in `list` [search->list_size]. */
void wh_search_rules(const wh_search *search, const whisp_token *sampled, size_t n, int32_t *list, wh_choice *choice);
/* Is there one that changes logits? And have them do so. */
int wh_rules_need_logits(const wh_search *search);
void wh_rules_change(const wh_search *search, const whisp_token *sampled, size_t n, float *logits);
/* For rules: this token may not follow. In all, list_size has room for the window's tokens twice and a blank. */
void wh_forbid(wh_choice *choice, int32_t id);
/* Rows of penalties.c: tokens that were sampled already; those that would complete an n-gram a second time. */
int wh_is_penalizing(const wh_values *values);
void wh_penalize_seen(const wh_search *search, const whisp_token *sampled, size_t n, wh_choice *choice);
int wh_is_without_ngrams(const wh_values *values);
void wh_forbid_ngrams(const wh_search *search, const whisp_token *sampled, size_t n, wh_choice *choice);

/* choose.c: forbid in a row of logits what the rules say, and choose. */
void wh_choose(const wh_search *search, wh_choice *choice, float *logits);

/* correct.c: read the option `vocabulary`. */
int wh_corrector_init(wh_search *search);
void wh_corrector_free(struct wh_corrector *corrector);

/* log(sum(exp(x))) over n values, in double. NaN where a value is NaN or +infinity. */
double wh_log_sum_exp(const wh_search *search, const float *x, int n);

/* Index of the greatest of n values, the first of several. */
int wh_most_probable(const float *x, int n);

/* Say in search->choices[i] what may follow a candidate; the caller then sets `most` or temperature and u there. */
wh_choice *wh_search_prepare(wh_search *search, int i, const wh_candidate *candidate);

/* Feed the last token of every candidate that has not ended in one batched step. What search->choices say is done by
 * the backend, or candidate i's logits become row i of search->logits. */
int wh_search_step(wh_search *search, const wh_candidate *candidates, int n);

/* What follows candidate i, after prepare and step. */
const wh_choice *wh_search_chosen(wh_search *search, int i);

/* Whether another token may be sampled after `step` + 1 of them. */
int wh_search_may_go_on(const wh_search *search, size_t step);

/* Make room for n candidates in *candidates. */
int wh_candidates_new(const wh_search *search, int n, wh_candidate **candidates);
void wh_candidates_free(wh_candidate *candidates, int n);
/* Let it begin with the prefix, if there is one. */
void wh_candidate_begin(const wh_search *search, wh_candidate *candidate, int slot);

/* sampling.c: a random number in [0, 1) that depends on its place alone. */
double wh_random_at(int64_t seed, int64_t seek, double temperature, int candidate, size_t step);
/* Append what was chosen to candidate i. */
void wh_search_go_on(wh_search *search, int i);

/* branches.c */
void wh_branches_free(struct wh_branches *branches);

/* sampling.c: fill candidates 0 .. n-1. */
int wh_sample(wh_search *search, int n, double temperature, int64_t seek);

/* draft.c. begin: 1 where there is a draft for the first candidate to follow at temperature 0. step: as wh_search_step() for
 * it alone. end: the slot has what the candidate has. */
#define WH_DRAFT_ROWS 16 /* read at a time: as many as share a pass of single tokens, so that numbers are theirs */
int wh_draft_begin(wh_search *search);
int wh_draft_step(wh_search *search);
int wh_draft_end(wh_search *search);
void wh_draft_free(wh_draft *draft);

/* beam.c: fill search->beams.finished. */
int wh_beams_init(wh_search *search, wh_beams **beams);
void wh_beams_free(wh_beams *beams);
int wh_beam_search(wh_search *search, wh_beams *beams);

/* Look at n logits as the model computed them: any that is not finite makes the search unsound. */
void wh_search_check(wh_search *search, const float *logits, size_t n);

#endif
