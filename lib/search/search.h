/* search.h - from a window's encoding to its tokens: prompt, filters, greedy choice, sampling or beam search.
 *
 * Stands between lib/backend and lib/window. The rules are those of openai-whisper's decoding.py. */
#ifndef WH_SEARCH_H
#define WH_SEARCH_H

#include "options/options.h"
#include "backend/backend.h"
#include "util/key.h"

typedef struct wh_search wh_search;

/* What decoding a window gave. Belongs to the search; valid until its next call. */
typedef struct wh_decoding {
    const whisp_token *tokens; /* [n], without the end-of-text token */
    size_t n;
    double temperature;
    double avg_logprob;
    double no_speech_prob;
    double compression_ratio;
} wh_decoding;

/* `options`, `model`, `backend` and `timings` must outlive it. The backend has at least wh_search_slots() slots. */
int wh_search_new(const whisp_model *model, const whisp_options *options, wh_backend *backend, whisp_timings *timings,
                  wh_search **search);
void wh_search_free(wh_search *search);

/* Slots that decoding with these options takes: the candidates that live at once. */
int wh_search_slots(const wh_values *values);

/* The tokens of the options' initial prompt, appended to *tokens: those of a space and the stripped text, as in
 * openai-whisper's transcribe(), or the given ones. */
int wh_prompt_initial(const whisp_model *model, const wh_values *values, int32_t **tokens, size_t *n, size_t *capacity);

/* Before decoding a window whose encoding is in slot 0: feed the prompt (its last n_text_ctx / 2 - 1 tokens) and the
 * start sequence; see prompt.c. `language` is an index, ignored by English-only models. */
int wh_search_begin(wh_search *search, const int32_t *prompt, size_t n_prompt, int language);

/* Say before wh_search_begin() whether the window is the recording's first: only there the option `prefix` counts, and
 * hotwords everywhere else. A new search is at the first window. */
void wh_search_first_window(wh_search *search, int first);

/* What is known of a window before it is decoded: what was decoded where it begins, by a pass of live transcription that heard
 * a little less of it. */
typedef struct wh_expected {
    const whisp_token
        *said; /* [n] timestamps and text. It is read ahead: that changes the time it takes, not the words */
    size_t n;
    size_t n_given; /* so many are not looked for any more: the decoding begins with them */
    size_t most;    /* tokens behind them at most; 0: as many as any decoding has */
} wh_expected;

/* Before wh_search_begin(); copied, and until the next call. The tokens given count in the decoding with their
 * log-probabilities; more than half the context are none. NULL: nothing. */
int wh_search_expect(wh_search *search, const wh_expected *expected);
/* None are given after all. How many there were. */
size_t wh_search_give_nothing(wh_search *search);

/* Decode that window at one temperature; may be called again at another. `seek` names the window for the random
 * numbers. WHISP_ERR_CANCELLED when the cancel callback says so. */
int wh_search_decode(wh_search *search, double temperature, int64_t seek, wh_decoding *decoding);

/* With the option confidence: have `fn` see the rows of logits that text is chosen from, at temperature 0 without beams,
 * where the backend does not choose: i tokens are decided, tokens[i] was chosen next, logits [n_vocab] are as the model gave
 * them. Called without tokens when a decoding begins. A code ends the decoding. */
typedef int (*wh_watch_fn)(void *user, const whisp_token *tokens, size_t i, const float *logits);
void wh_search_watch(wh_search *search, wh_watch_fn fn, void *user);
/* Has slot 0, as the search knows, read the last decoding's tokens, all but perhaps the last? */
int wh_search_has_read(const wh_search *search);

/* What else might be written than a decoding that slot 0 reads, or reads again (branches.c): WH_CONFIDENCE_SAMPLES
 * samples, in slots 1 and on. begin: before it is read; `seek` names the window for the random numbers. read: for each
 * token, the row of logits that it follows, where there is one. follow: slot 0 has read all of tokens[n] but the last,
 * which must stay until the samples are looked at. Replaces the last decoding. */
int wh_search_branches_begin(wh_search *search, int64_t seek);
void wh_search_branches_read(wh_search *search, const whisp_token *tokens, size_t i, const float *logits);
int wh_search_branches_follow(wh_search *search, const whisp_token *tokens, size_t n);
/* Tokens of sample i, valid until the search's next call. */
const whisp_token *wh_search_sampled(const wh_search *search, int i, size_t *n);

/* How many samples the option confidence takes, and at which temperature. */
#define WH_CONFIDENCE_SAMPLES 4
#define WH_CONFIDENCE_TEMPERATURE 0.7

/* With the option `vocabulary`: put its terms where the window that was decoded last sounds like them and the model
 * finds them probable. Only the decoding's tokens change; times stay. `seek` is for the log. */
int wh_search_correct(wh_search *search, int64_t seek, wh_decoding *decoding);
/* What the vocabulary has for the corrected decoding's tokens (a copy, as above): each term that sounds like tokens from ..
 * to - 1 and is not there, and what was heard where one is. `fn` gets its tokens; a code ends it. */
typedef int (*wh_term_fn)(void *user, size_t from, size_t to, const int32_t *ids, size_t n);
int wh_search_offer_terms(wh_search *search, const whisp_token *tokens, size_t n, wh_term_fn fn, void *user);
/* Another recording, or another part of one, begins: what was taken for a term before counts no more. */
void wh_search_forget(wh_search *search);
/* What was heard in n of the corrected decoding's tokens (`tokens`, or a copy, from `first` on): those before terms were
 * put in. Neither `first` nor the end is inside a term, where no timestamp is. Returns how many; `to` gets them or is
 * NULL. */
size_t wh_search_heard(const wh_search *search, const whisp_token *tokens, size_t first, size_t n, int32_t *to);

/* Were all of the model's numbers finite since the last wh_search_begin() or wh_search_languages()? */
int wh_search_is_sound(const wh_search *search);
void wh_search_set_sound(wh_search *search, int is_sound); /* of languages that were asked for before */

/* What was decoded before takes the place of a decoding (lib/window/recall.c). save: what the last one left in the search,
 * beside its tokens, appended to *state. restore: the same again, and whether all numbers were finite, for a decoding of
 * n_tokens; WHISP_ERR_MODEL where `state` is not such a thing. add_known: what the next decoding depends on beside its
 * prompt: what it begins with, which terms of the vocabulary were found so far. add_vocabulary: the list of terms. (corrected.c) */
void wh_search_save(const wh_search *search, wh_buf *state);
int wh_search_restore(wh_search *search, int is_sound, size_t n_tokens, const char *state, size_t n);
void wh_search_add_known(const wh_search *search, wh_key *key);
void wh_search_add_vocabulary(const wh_search *search, wh_key *key);

/* Probabilities of the languages for the encoding in slot 0, [n_languages], among those of the option languages; returns
 * the best one's index or a code. *no_speech (may be NULL): the probability that nobody speaks. */
int wh_search_languages(wh_search *search, float *probabilities, double *no_speech);

/* ---- the pieces, for tests and for the teacher-forced comparison ---- */

/* The logits that the last wh_search_begin() found at its last token, before any filter: [n_vocab]. */
const float *wh_search_first_logits(const wh_search *search);

/* The start sequence with its prompt, as wh_search_begin() fed it. */
const int32_t *wh_search_start(const wh_search *search, size_t *n);

/* How many of its last tokens are the prefix, with which every decoding begins. */
size_t wh_search_forced(const wh_search *search);

/* Apply the filters to a row of logits, given the tokens sampled so far: what must not follow becomes -infinity. */
void wh_search_filter(const wh_search *search, float *logits, const whisp_token *sampled, size_t n);

/* zlib's compression ratio of a text, as utils.compression_ratio. */
int wh_compression_ratio(const char *text, size_t n, double *ratio);

#endif
