/* blas_library.cu - where cuBLAS is: what wh_cuda_blas_open() opens.
 *
 * It comes with the toolkit, or with pip (nvidia-cublas, and whatever brings it, as PyTorch does) in a folder of
 * site-packages that no loader knows. What is named comes first: the folders of WHISP_CUDA_PATH; the toolkit of CUDA_HOME or
 * CUDA_PATH; the Python environment that is active; the site-packages that this library is in; then what the loader
 * knows, and /usr/local/cuda. */
#include "blas.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const versions[] = {".13", ".12", ".11", ""};
enum { N_VERSIONS = sizeof versions / sizeof versions[0], PATH_SIZE = 4096 };

/* libcublas of the folders that match folder/pattern; libcublasLt first, which it needs and which lies beside it. */
static void *open_in(const char *folder, size_t length, const char *pattern)
{
    char path[PATH_SIZE];
    glob_t found;
    void *library = NULL;
    int n = snprintf(path, sizeof path, "%.*s%s%s", (int)length, folder, *pattern ? "/" : "", pattern);
    if (!length || n < 0 || n >= PATH_SIZE || glob(path, GLOB_ONLYDIR, NULL, &found))
        return NULL;
    for (int version = 0; version < N_VERSIONS && !library; version++)
        for (size_t i = 0; i < found.gl_pathc && !library; i++) {
            snprintf(path, sizeof path, "%s/libcublasLt.so%s", found.gl_pathv[i], versions[version]);
            if (!dlopen(path, RTLD_NOW | RTLD_LOCAL))
                continue;
            snprintf(path, sizeof path, "%s/libcublas.so%s", found.gl_pathv[i], versions[version]);
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
    globfree(&found);
    return library;
}

/* A folder that holds the libraries, a toolkit, or a site-packages. */
static void *open_under(const char *folder, size_t length)
{
    static const char *const patterns[] = {"", "lib64", "lib", "nvidia/cu*/lib", "nvidia/cublas/lib"};
    void *library = NULL;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0] && !library; i++)
        library = open_in(folder, length, patterns[i]);
    return library;
}

static void *open_named(const char *variable)
{
    const char *folder = getenv(variable);
    void *library = NULL;
    while (folder && *folder && !library) {
        size_t length = strcspn(folder, ":");
        library = open_under(folder, length);
        folder += length + (folder[length] == ':');
    }
    return library;
}

static void *open_of_python(const char *variable)
{
    static const char *const patterns[] = {"lib/python3*/site-packages/nvidia/cu*/lib",
                                           "lib/python3*/site-packages/nvidia/cublas/lib"};
    const char *folder = getenv(variable);
    void *library = NULL;
    for (size_t i = 0; folder && i < sizeof patterns / sizeof patterns[0] && !library; i++)
        library = open_in(folder, strlen(folder), patterns[i]);
    return library;
}

/* This library in site-packages/whisp/: nvidia/ lies beside that. */
static void *open_beside()
{
    static const int here = 0;
    Dl_info info;
    if (!dladdr(&here, &info) || !info.dli_fname)
        return NULL;
    const char *slash = strrchr(info.dli_fname, '/');
    void *library = NULL;
    size_t length = slash ? (size_t)(slash - info.dli_fname) : 0;
    if (length && !(library = open_in(info.dli_fname, length, "../nvidia/cu*/lib")))
        library = open_in(info.dli_fname, length, "../nvidia/cublas/lib");
    return library;
}

void *wh_cuda_blas_library()
{
    char name[64];
    void *library;
    if ((library = open_named("WHISP_CUDA_PATH")) || (library = open_named("CUDA_HOME")) ||
        (library = open_named("CUDA_PATH")) || (library = open_of_python("VIRTUAL_ENV")) ||
        (library = open_of_python("CONDA_PREFIX")) || (library = open_beside()))
        return library;
    for (int version = 0; version < N_VERSIONS && !library; version++) {
        snprintf(name, sizeof name, "libcublas.so%s", versions[version]);
        library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    return library ? library : open_in("/usr/local", strlen("/usr/local"), "cuda*/lib64");
}
