/* main.c - whisp-get: a model by its name, from where it is published to the GGUF file that libwhisp loads. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/ending.h"
#include "convert/output.h"
#include "get/transfer.h"
#include "model/model.h"

enum { EXIT_NETWORK = 3 }; /* where whisp has what a recording gives */

static const char usage_text[] =
    "usage: whisp-get NAME... [options]\n"
    "       whisp-get --list | --remove NAME...\n"
    "\n"
    "Fetch a Whisper model, check it and make the GGUF file of it that `whisp --model NAME` finds. NAME is a published\n"
    "model (tiny, small.en, large-v3, turbo, distil-large-v3.5, ...; --list names all), OWNER/NAME on Hugging Face, an\n"
    "address that ends in SHA256/NAME.pt, or silero-vad or speakers, which --vad_filter and --diarize use.\n"
    "\n"
    "  --type TYPE       f32, f16, bf16, q8_0 or int8 for the big matrices (default: f16; of OWNER/NAME, as it is there)\n"
    "  --name NAME       another name for the model, of letters, digits and ._- (default: its own, OWNER--NAME)\n"
    "  --source HOST     hub (Hugging Face) or openai (OpenAI's .pt files, whose hashes are known here) (default: hub)\n"
    "  --revision REV    a branch, tag or commit on Hugging Face (default: main)\n"
    "  --mirror URL      ask this address instead of the host's own (default: $HF_ENDPOINT, for Hugging Face)\n"
    "  --model_dir DIR   where the model goes (default: ~/.cache/whisp, with $XDG_CACHE_HOME its whisp)\n"
    "  --again           fetch and make it also if it is there\n"
    "  --tries INT       so often is asked when nothing comes (default: 5)\n"
    "  --timeout SECONDS a connection that brings next to nothing (under 1 kB/s) for so long is broken (default: 60)\n"
    "  -q, --quiet       say nothing but errors and, at the end, the file\n"
    "  --list            print the published models and those that are there\n"
    "  --remove          remove the models, and what was fetched of them in part\n"
    "  -h, --help        print this\n"
    "  --version         print the version\n"
    "\n"
    "$HF_TOKEN is for private and gated models; it goes to Hugging Face (or what stands for it) and to no other host.\n"
    "Proxies are those of $https_proxy and its kin, certificates those of $SSL_CERT_FILE or the system. The same command\n"
    "goes on where an earlier one ended.\n"
    "\n"
    "Exit status: 0 done, 2 wrong usage, 3 the host cannot be reached or does not give it, 4 it is not what it should be,\n"
    "or no model, 5 the folder cannot be written, 130 interrupted from the keyboard, 143 ended by SIGTERM, 129 by SIGHUP,\n"
    "1 anything else.\n";

struct options {
    struct settings settings;
    int is_list, is_remove, timeout;
};

/* A whole number from 1 to `most`; 0: it is none. */
static int parse_count(const char *text, int most)
{
    char *end;
    long n = strtol(text, &end, 10);
    return *text && !*end && n >= 1 && n <= most ? (int)n : 0;
}

/* What a model's file may be called. */
static int is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(text);
    return n > 0 && n < MOST_NAME - 8 && text[0] != '.' && text[0] != '-' && strspn(text, letters) == n;
}

static int is_address(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

enum {
    OPT_TYPE = 256,
    OPT_NAME,
    OPT_SOURCE,
    OPT_REVISION,
    OPT_MIRROR,
    OPT_DIR,
    OPT_AGAIN,
    OPT_TRIES,
    OPT_TIMEOUT,
    OPT_LIST,
    OPT_REMOVE,
    OPT_VERSION
};

/* 0, or the exit status of a usage error. */
static int parse_value(int option, char *value, struct options *o)
{
    struct settings *s = &o->settings;
    switch (option) {
    case OPT_TYPE:
        s->has_type = output_parse_type(value, &s->type);
        return s->has_type ? 0 : ending_complain("--type is f32, f16, bf16, q8_0 or int8, not ", value);
    case OPT_NAME:
        s->name = value;
        return is_name(value) ? 0 : ending_complain("--name is of letters, digits and ._-, not ", value);
    case OPT_SOURCE:
        s->from_openai = strcmp(value, "openai") == 0;
        return s->from_openai || strcmp(value, "hub") == 0 ? 0
                                                           : ending_complain("--source is hub or openai, not ", value);
    case OPT_REVISION:
        s->revision = value;
        return *value && strlen(value) < MOST_NAME ? 0 : ending_complain("--revision is empty or too long", "");
    case OPT_MIRROR:
        s->mirror = value;
        return is_address(value) ? 0 : ending_complain("--mirror begins with http:// or https://, not as ", value);
    case OPT_DIR: s->folder = value; return *value ? 0 : ending_complain("--model_dir is empty", "");
    case OPT_TRIES:
        return (s->most_tries = parse_count(value, 1000)) ? 0
                                                          : ending_complain("--tries is from 1 to 1000, not ", value);
    case OPT_TIMEOUT:
        return (o->timeout = parse_count(value, 86400)) ? 0
                                                        : ending_complain("--timeout is from 1 to 86400, not ", value);
    default: return ending_complain("wrong usage", "");
    }
}

/* -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option list[] = {
        {"type", required_argument, NULL, OPT_TYPE},
        {"name", required_argument, NULL, OPT_NAME},
        {"source", required_argument, NULL, OPT_SOURCE},
        {"revision", required_argument, NULL, OPT_REVISION},
        {"mirror", required_argument, NULL, OPT_MIRROR},
        {"model_dir", required_argument, NULL, OPT_DIR},
        {"again", no_argument, NULL, OPT_AGAIN},
        {"tries", required_argument, NULL, OPT_TRIES},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"quiet", no_argument, NULL, 'q'},
        {"list", no_argument, NULL, OPT_LIST},
        {"remove", no_argument, NULL, OPT_REMOVE},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    int c, status;
    while ((c = getopt_long(argc, argv, "qh", list, NULL)) != -1) {
        switch (c) {
        case 'q': o->settings.is_quiet = 1; break;
        case OPT_AGAIN: o->settings.is_again = 1; break;
        case OPT_LIST: o->is_list = 1; break;
        case OPT_REMOVE: o->is_remove = 1; break;
        case 'h': fputs(usage_text, stdout); return ending_print();
        case OPT_VERSION: printf("whisp-get %s\n", whisp_version()); return ending_print();
        default:
            if ((status = parse_value(c, optarg, o)) != 0)
                return status;
        }
    }
    if (o->is_list && (optind < argc || o->is_remove))
        return ending_complain("--list takes nothing beside it", "");
    if (!o->is_list && optind == argc)
        return ending_complain("no NAME given", "");
    if (o->settings.name && optind + 1 < argc)
        return ending_complain("--name is for one model", "");
    if (o->settings.revision && o->settings.from_openai)
        return ending_complain("--revision is for Hugging Face, not for --source openai", "");
    return -1;
}

/* ---- one model ---- */

/* The name of the file of what is asked for. */
static int choose_name(const struct settings *s, const char *asked, char name[MOST_NAME])
{
    const struct known *known = known_find(asked);
    const char *slash = strrchr(asked, '/');
    if (s->name) {
        snprintf(name, MOST_NAME, "%s", s->name);
    } else if (known || parcel_find(asked)) {
        snprintf(name, MOST_NAME, "%s", known ? known->name : asked);
    } else if (is_address(asked)) {
        size_t n = strcspn(slash + 1, "?#");
        snprintf(name, MOST_NAME, "%.*s", (int)WH_MIN(n > 3 ? n - 3 : 0, (size_t)MOST_NAME - 1), slash + 1);
        if (!is_name(name))
            return wh_fail(WHISP_ERR_ARGUMENT,
                           "an address that does not end in SHA256/NAME.pt: --name says what it is");
    } else if (!wh_model_repository_file(asked, name, MOST_NAME)) {
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "%s: no published model is called so, and it is no OWNER/NAME of Hugging Face; whisp-get --list "
                       "names the published ones",
                       asked);
    }
    return WHISP_OK;
}

/* What is to be fetched. */
static int make_order(struct transferrer *t, const struct settings *s, const char *asked, struct bar *bar,
                      struct order *order)
{
    const struct known *known = known_find(asked);
    const struct parcel *parcel = parcel_find(asked);
    char url[MOST_ADDRESS];
    int rc = transfer_trust(t, "", NULL); /* a repository before this one */
    order->is_published = known != NULL;
    if (rc)
        return rc;
    if (parcel) {
        snprintf(order->title, sizeof order->title, "%s", parcel->title);
        return parcel_order(s, parcel, order);
    }
    if (is_address(asked)) {
        snprintf(order->title, sizeof order->title, "%s", order->name);
        return order_address(asked, 0, order);
    }
    snprintf(order->title, sizeof order->title, "%s", known ? known->name : asked);
    if (!s->from_openai)
        return hub_order(t, s, known ? known->repository : asked, bar, order);
    if (!known || !known->file)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: OpenAI does not have it; leave out --source openai", asked);
    if (!join_address(url, sizeof url, s->mirror ? s->mirror : OPENAI_HOST, OPENAI_PATH) ||
        strlen(url) + strlen(known->file) + 2 > sizeof url)
        return wh_fail(WHISP_ERR_ARGUMENT, "--mirror: the address is too long");
    strcat(strcat(url, "/"), known->file);
    return order_address(url, most_checkpoint(known), order);
}

/* All files, and the model of them. */
static int fetch(struct transferrer *t, const struct settings *s, const struct order *order, const char *path,
                 struct bar *bar)
{
    char folder[4096];
    int64_t need = 0, all = 0;
    int rc = shelf_work(s, order, folder), knows = 1;
    for (size_t i = 0; i < order->n; i++) {
        knows &= order->files[i].size >= 0;
        all += WH_MAX(order->files[i].size, 0);
        need += WH_MAX(order->files[i].size - fetch_have(&order->files[i], folder), 0);
    }
    if (!rc && knows)
        rc = shelf_space(folder, need + (s->has_type && s->type == WH_F32 ? 2 * all : all), order->title);
    for (size_t i = 0; !rc && i < order->n; i++)
        rc = fetch_file(t, &order->files[i], folder, bar);
    if (!rc)
        rc = make_model(t, s, order, folder, path, bar);
    if (!rc || rc == WHISP_ERR_MODEL) /* fetched again it would be no other */
        shelf_clear(s->folder, order->key);
    return rc;
}

/* Under the lock. */
static int get_locked(struct transferrer *t, const struct settings *s, const char *asked, struct bar *bar,
                      struct order *order)
{
    struct settings plain = *s;
    char path[4096], own[MOST_NAME];
    struct origin there;
    int is_done = 0, has = shelf_look(s->folder, order->name, path, &there), rc;
    plain.name = NULL;
    if (choose_name(&plain, asked, own) != WHISP_OK)
        *own = 0;
    order->is_published = known_find(asked) != NULL;
    if (s->revision && has == 1 && strcmp(s->revision, there.revision) != 0 &&
        (rc = make_order(t, s, asked, bar, order))) /* which commit that is */
        return rc;
    if ((rc = there_try(s, asked, own, order, &is_done)) || is_done)
        return rc;
    if (order->n == 0 && (rc = make_order(t, s, asked, bar, order)))
        return rc;
    return fetch(t, s, order, path, bar);
}

static int get_model(struct transferrer *t, const struct settings *s, const char *asked)
{
    struct bar bar = {.is_quiet = s->is_quiet, .is_terminal = isatty(STDERR_FILENO)};
    struct order order = {.n = 0};
    int lock = -1, rc = choose_name(s, asked, order.name);
    if (!rc && s->revision && is_address(asked))
        rc = wh_fail(WHISP_ERR_ARGUMENT, "--revision is for Hugging Face, not for an address");
    if (!rc && parcel_find(asked) && s->has_type && s->type != WH_F32)
        rc = wh_fail(WHISP_ERR_ARGUMENT, "%s: is kept in f32; leave out --type", asked);
    if (rc || (rc = shelf_make(s->folder)) || (rc = shelf_lock(s->folder, order.name, s->is_quiet, &lock)))
        return rc;
    rc = get_locked(t, s, asked, &bar, &order);
    bar_end(&bar);
    order_free(&order);
    shelf_unlock(s->folder, order.name, lock);
    return rc;
}

static int exit_status(int rc)
{
    switch (rc) {
    case WHISP_OK: return EXIT_SUCCESS;
    case WHISP_ERR_ARGUMENT: return EXIT_USAGE;
    case GET_NETWORK: return EXIT_NETWORK;
    case GET_CONTENT:
    case WHISP_ERR_MODEL:
    case WHISP_ERR_IO: return EXIT_MODEL;
    case WHISP_ERR_OUTPUT: return EXIT_OUTPUT;
    default: return EXIT_FAILURE;
    }
}

/* Each of the names; the status is that of the first that fails. */
static int all_models(const struct options *o, char **names)
{
    struct transferrer *t = NULL;
    char agent[64], name[MOST_NAME];
    int status = EXIT_SUCCESS;
    snprintf(agent, sizeof agent, "whisp-get/%s", whisp_version());
    int opened = o->is_remove ? WHISP_OK : transfer_open(agent, o->settings.most_tries, o->timeout, &t);
    for (; *names; names++) {
        int rc = opened;
        if (!rc && !o->is_remove)
            rc = get_model(t, &o->settings, *names);
        else if (!rc && !(rc = is_name(*names) && !known_find(*names) ? snprintf(name, sizeof name, "%s", *names) < 0
                                                                      : choose_name(&o->settings, *names, name)))
            rc = shelf_remove(o->settings.folder, name);
        if (rc)
            fprintf(stderr, "whisp-get: %s\n", whisp_last_error());
        if (rc && status == EXIT_SUCCESS)
            status = exit_status(rc);
    }
    transfer_close(t);
    return status == EXIT_SUCCESS ? ending_print() : status;
}

int main(int argc, char **argv)
{
    struct options o = {.settings = {.most_tries = 5}, .timeout = 60};
    char folder[4096];
    ending_catch("whisp-get");
    int status = parse_options(argc, argv, &o), rc;
    if (status >= 0)
        return status;
    if (!o.settings.folder && !wh_model_cache(folder, sizeof folder))
        return ending_complain("neither $HOME nor $XDG_CACHE_HOME says where models are kept; give --model_dir", "");
    if (!o.settings.folder)
        o.settings.folder = folder;
    if (!o.is_list)
        return all_models(&o, argv + optind);
    if ((rc = shelf_list(o.settings.folder)) == WHISP_OK)
        return ending_print();
    fprintf(stderr, "whisp-get: %s\n", whisp_last_error());
    return exit_status(rc);
}
