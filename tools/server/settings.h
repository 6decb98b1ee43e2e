/* settings.h - the command line of whisp-server. */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "whisp.h"

/* Exit codes, as --help and the manual page list them. */
enum {
    CODE_FINE = 0,
    CODE_OTHER = 1,  /* out of memory, or an error inside */
    CODE_USAGE = 2,  /* the command line */
    CODE_MODEL = 4,  /* no model, or not one that works */
    CODE_OUTPUT = 5, /* --help or --version cannot be written */
    CODE_LISTEN = 8, /* the address cannot be listened on */
    CODE_DONE = -1   /* not an exit code: go on */
};

struct settings {
    const char **models, **aliases; /* [n_models], [n_aliases], pointers into argv */
    size_t n_models, n_aliases;
    const char *model_dir; /* NULL: not given, as all strings */
    int most_models, no_mmap;
    const char *host, *api_key, *api_keys, *cors;
    int port, wyoming_port; /* wyoming_port 0: none */
    int queue, client_queue, connections, live, ffmpegs;
    int64_t max_body, max_disk;
    int timeout, grace, job_keep;
    int debug, log_names;
    whisp_options *options; /* the defaults of every transcription */
};

/* Read the command line. CODE_DONE, or the exit code after --help, --version or a usage error, which was told. Always
 * settings_free(). */
int settings_read(struct settings *settings, int argc, char **argv);
void settings_free(struct settings *settings);

/* An option of the program itself, for --help and the documentation. `info.values` is NULL for one that takes none. */
struct server_option {
    int (*set)(struct settings *settings, const whisp_option_info *info, const char *value);
    whisp_option_info info;
};
extern const struct server_option server_options[]; /* the last one has no name */

/* Print all about the program. An exit code. */
int help_print(void);

#endif
