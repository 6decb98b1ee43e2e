/* library.c - finds and opens the CUDA library: a file of its own, libwhisp-cuda.so (make CUDA=1), opened when a
 * backend is made. So one build of whisp runs with and without it, and with and without a driver. */
#include "backend/cuda/host.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libwhisp-cuda.so"

/* The folder of the file that this code is in (libwhisp.so, or the program), with its last slash. */
static void own_folder(char *folder, size_t size)
{
    Dl_info info;
    static const int here = 0;
    folder[0] = '\0';
    if (!dladdr(&here, &info) || !info.dli_fname)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    if (slash && (size_t)(slash - info.dli_fname) + 2 <= size)
        snprintf(folder, size, "%.*s", (int)(slash - info.dli_fname) + 1, info.dli_fname);
}

/* WHISP_CUDA_LIBRARY, else beside us, in ../lib/ from there, or where the loader looks. */
static void *open_library(char *problem, size_t size)
{
    char folder[3072], path[4096];
    const char *named = getenv("WHISP_CUDA_LIBRARY");
    void *library = NULL;
    if (named && *named) {
        library = dlopen(named, RTLD_NOW | RTLD_LOCAL);
    } else {
        static const char *const places[] = {"", "../lib/"};
        own_folder(folder, sizeof folder);
        for (size_t i = 0; i < WH_COUNT(places) && !library && folder[0]; i++) {
            snprintf(path, sizeof path, "%s%s%s", folder, places[i], LIBRARY);
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
        if (!library)
            library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    }
    if (!library) {
        const char *reason = dlerror();
        snprintf(problem, size, "its library cannot be opened (%s); `make CUDA=1` builds it",
                 reason ? reason : LIBRARY);
    }
    return library;
}

static const wh_cuda_api *find_api(void *library, char *problem, size_t size)
{
    const wh_cuda_api *(*entry)(void) = NULL;
    void *symbol = dlsym(library, "wh_cuda_entry");
    memcpy(&entry, &symbol, sizeof entry);
    const wh_cuda_api *api = entry ? entry() : NULL;
    if (api && api->abi == WH_CUDA_ABI && api->row_bytes == sizeof(wh_row) && api->choice_bytes == sizeof(wh_choice))
        return api;
    snprintf(problem, size, "its library is of another version");
    return NULL;
}

const wh_cuda_api *wh_cuda_library(char *problem, size_t size)
{
    void *library = open_library(problem, size);
    return library ? find_api(library, problem, size) : NULL;
}
