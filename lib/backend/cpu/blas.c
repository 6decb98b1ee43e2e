/* blas.c - opens OpenBLAS at run time, so that libwhisp runs without it and so that it can be told which CPU this is.
 *
 * OpenBLAS picks its kernels when it is loaded, by a list of CPUs that ends at its release: Debian 12's 0.3.21 takes
 * newer ones for its oldest and is then five to eight times slower. The environment variable OPENBLAS_CORETYPE
 * overrides its choice, so unless somebody has set it, it is set by CPUID while the library loads. (Setting a variable
 * is not safe while another thread of the host reads the environment: a host that does so at that very moment can load
 * OpenBLAS itself beforehand or set the variable; nothing is set then.) */
#include "backend/cpu/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/registry.h"
#include "util/util.h"

#define LIBRARY "libopenblas.so.0"

/* The one mutable global of the library: written once, under pthread_once(). A library cannot be opened twice with
 * different kernels, so this belongs to the process and not to a backend. */
static wh_blas blas;
static pthread_once_t opened = PTHREAD_ONCE_INIT;

/* Set a variable where the user has not; 1 if it must be unset again. */
static int set_if_unset(const char *name, const char *value)
{
    return value && !getenv(name) && setenv(name, value, 1) == 0;
}

static void *open_library(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (library) /* the host has it: its kernels are chosen already */
        return library;
    int core = set_if_unset("OPENBLAS_CORETYPE", wh_cpu_best().blas_core);
    int threads = set_if_unset("OPENBLAS_NUM_THREADS", "1"); /* else it starts threads that nobody needs */
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (core)
        unsetenv("OPENBLAS_CORETYPE");
    if (threads)
        unsetenv("OPENBLAS_NUM_THREADS");
    return library;
}

/* dlsym() gives void *, which ISO C does not convert to a function pointer. */
static void find(void *library, const char *name, void *fn, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(fn, &symbol, size);
}

static void open_blas(void)
{
    void *library = open_library();
    if (!library) {
        const char *why = dlerror();
        snprintf(blas.problem, sizeof blas.problem, "%s; install OpenBLAS (Debian: apt-get install libopenblas0)",
                 why ? why : LIBRARY " cannot be opened");
        return;
    }
    char *(*config)(void), *(*corename)(void);
    void (*set_threads)(int);
    find(library, "cblas_sgemm", &blas.sgemm, sizeof blas.sgemm);
    find(library, "openblas_get_config", &config, sizeof config);
    find(library, "openblas_get_corename", &corename, sizeof corename);
    find(library, "openblas_set_num_threads", &set_threads, sizeof set_threads);
    if (!blas.sgemm || !set_threads) {
        blas.sgemm = NULL;
        snprintf(blas.problem, sizeof blas.problem, LIBRARY " lacks cblas_sgemm; install Debian's libopenblas0");
        dlclose(library);
        return;
    }
    set_threads(1);        /* the backend's own threads call it, each for a tile of its own */
    char release[32] = ""; /* the configuration begins "OpenBLAS 0.3.21 ..." */
    if (config && sscanf(config(), "OpenBLAS %31s", release) != 1)
        release[0] = 0;
    snprintf(blas.name, sizeof blas.name, "OpenBLAS %s %.32s", release, corename ? corename() : "(unknown core)");
}

const wh_blas *wh_blas_get(void)
{
    pthread_once(&opened, open_blas);
    return &blas;
}
