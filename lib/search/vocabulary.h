/* vocabulary.h - words that matter: a list of terms, found again where the search wrote something that sounds alike.
 *
 *   vocabulary.c  the list's file, its terms, the prefix tree of their sounds
 *   corrections.c what was corrected in another transcript, as terms
 *   sounds.c      how spellings sound, roughly, and how far sounds are apart
 *   near.c        places in a window where a term may have been said
 *   correct.c     what the model thinks of the term there; replacing (corrector.h)
 *   corrected.c   what that left
 *
 * Shared by the files of lib/search only; docs/vocabulary.md tells the method and its sources. */
#ifndef WH_VOCABULARY_H
#define WH_VOCABULARY_H

#include "search/internal.h"

/* ---- sounds ---- */

#define WH_SOUND_UNIT 10 /* a whole sound's difference; alike ones differ by less */

/* Append the sounds of the letters and digits in n bytes of UTF-8 to *sounds. Nothing else makes a sound. */
int wh_sounds(const char *text, size_t n, int32_t **sounds, size_t *n_sounds, size_t *capacity);
/* What it costs to hear b for a, and to hear a sound that is not there or miss one that is. */
int wh_sound_change(int32_t a, int32_t b);
int wh_sound_extra(int32_t a);

/* ---- the list ---- */

typedef struct wh_term {
    char *text;      /* as the list has it, stripped */
    char *heard;     /* what it sounds like: what was written in its place once; NULL: as it is written */
    int32_t *spaced; /* [n_spaced] its tokens after a space */
    size_t n_spaced;
    int32_t *joined; /* [n_joined] its tokens without one, after a hyphen for instance */
    size_t n_joined;
    size_t n_sounds;
} wh_term;

/* A node of the prefix tree: a sound after those of its ancestors. Node 0 is the root. */
typedef struct wh_node {
    int32_t sound;
    int child, sibling; /* the first child, the next sibling; 0: none */
    int term;           /* the first term whose sounds end here; -1: none */
    size_t longest;     /* sounds of the longest term from the root through this node */
} wh_node;

typedef struct wh_vocabulary {
    wh_term *terms; /* [n_terms] */
    int *next_term; /* [n_terms] another term with the same sounds, or -1 */
    size_t n_terms, terms_capacity;
    wh_node *nodes; /* [n_nodes] */
    size_t n_nodes, nodes_capacity;
    size_t longest_sounds, longest_tokens;
    size_t n_corrections, n_learned; /* of a file of corrections; those that were names */
    unsigned char change[128][128];  /* wh_sound_change() of sounds below 128 */
} wh_vocabulary;

/* Read a list: UTF-8, a term a line, empty lines and those that begin with # left out; or, where the file begins with {, a
 * transcript in JSON with its corrections. `model` gives the tokens. */
int wh_vocabulary_load(const char *path, const whisp_model *model, wh_vocabulary **vocabulary);
void wh_vocabulary_free(wh_vocabulary *vocabulary);

/* ---- corrections ---- */

typedef struct wh_correction {
    size_t from_at, to_at;
    const char *from, *to; /* what was written and what a person made of it, trimmed; no NUL behind them */
    size_t n_from, n_to;   /* their bytes */
} wh_correction;

typedef struct wh_corrections {
    wh_correction *list; /* [n] */
    size_t n, capacity;
    wh_buf text;        /* their texts */
    wh_buf transcript;  /* the whole one, corrected */
    const char **words; /* [n_words] where its words begin, by what they say */
    size_t n_words;
} wh_corrections;

/* Those of the n bytes of a document; `path` is for messages. Free *corrections whatever it returns. */
int wh_corrections_read(const char *path, const char *json, size_t n, wh_corrections *corrections);
void wh_corrections_free(wh_corrections *corrections);
/* Is correction i a name, a term to learn? 1, 0 or a code. */
int wh_corrections_teach(const wh_corrections *corrections, const whisp_model *model, size_t i);
/* Is what was written for it a sign of the term elsewhere, too? Not where the transcript says it rightly. */
int wh_corrections_is_sign(const wh_corrections *corrections, size_t i);

/* ---- places ---- */

/* A piece of a window's text that a term may take the place of. Neighbouring units' tokens and bytes follow one
 * another, save for timestamps. */
typedef struct wh_unit {
    size_t first_token, n_tokens; /* in the window's tokens */
    size_t text, length;          /* in the window's text, the space before it included */
    size_t first_sound, n_sounds;
    int begins; /* a term may begin here: after a space, a hyphen, a quote or a timestamp */
    int ends;   /* a term may end here: no letter follows */
    int stops;  /* no term goes on after this unit: a sentence or a segment ends */
} wh_unit;

/* A term that may have been said. */
typedef struct wh_place {
    size_t first_unit, n_units;
    size_t from, to; /* the window's tokens from .. to - 1 */
    int term;
    double distance; /* of the sounds, 0: alike, 1: nothing in common */
    int state;
    double margin;   /* how much less probable than what was written it may be (correct.c) */
    double gain;     /* log-probability over that of what was written, once weighed (correct.c) */
    double score;    /* above 0: the term may be taken */
    size_t logprobs; /* of its tokens, in a pool */
} wh_place;

enum { WH_PLACE_OPEN, WH_PLACE_TAKEN, WH_PLACE_LEFT };

typedef struct wh_places {
    wh_unit *units;
    size_t n_units, units_capacity;
    wh_buf text;
    int32_t *sounds;
    size_t n_sounds, sounds_capacity;
    int *rows; /* [longest_sounds + 1][WH_WIDEST + 1] scratch */
    wh_place *list;
    size_t n, capacity;
} wh_places;

/* Find the places in a window's tokens: no two with the same term and the same tokens, ordered by where they begin. */
int wh_places_find(const wh_vocabulary *vocabulary, const whisp_model *model, const whisp_token *tokens, size_t n,
                   wh_places *places);
void wh_places_free(wh_places *places);

#endif
