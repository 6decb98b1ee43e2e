/* shelf.c - the folder of models: who fetches which one (locks), where it is put together (work folders in .get), what
 * room there is, what is there and what goes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "convert/output.h"
#include "get/get.h"
#include "model/model.h"

static int put_path(char path[4096], const char *folder, const char *middle, const char *name, const char *end)
{
    if (snprintf(path, 4096, "%s/%s%s%s", folder, middle, name, end) < 4096)
        return WHISP_OK;
    return wh_fail(WHISP_ERR_ARGUMENT, "%s: the path is too long", folder);
}

/* A folder with all above it, as mkdir -p has it. */
static int make_folders(const char *folder)
{
    char path[4096];
    size_t n = strlen(folder);
    if (n >= sizeof path)
        return wh_fail(WHISP_ERR_ARGUMENT, "the folder's path is too long");
    memcpy(path, folder, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i])
            continue;
        path[i] = 0;
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be made: %s; --model_dir names another folder", path,
                           strerror(errno));
        path[i] = folder[i];
    }
    return WHISP_OK;
}

int shelf_make(const char *folder)
{
    char path[4096];
    int rc = put_path(path, folder, ".get", "", "");
    if (rc || (rc = make_folders(path)))
        return rc;
    if (access(path, W_OK | X_OK) != 0 || access(folder, W_OK | X_OK) != 0)
        return wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be written: %s; --model_dir names another folder", folder,
                       strerror(errno));
    return WHISP_OK;
}

/* ---- locks ---- */

/* Whether the descriptor is still the file of that name: who had the lock before may have taken it away. */
static int is_same(const char *path, int fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* wait: how long it takes; else *fd is -1 where somebody has it. */
static int take_lock(const char *folder, const char *name, int wait, int is_quiet, int *fd)
{
    char path[4096];
    int rc = put_path(path, folder, ".get/", name, ".lock");
    for (*fd = -1; !rc;) {
        *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (*fd < 0)
            return wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be opened: %s", path, strerror(errno));
        int held = flock(*fd, LOCK_EX | LOCK_NB);
        if (held != 0 && errno == EWOULDBLOCK && wait) {
            if (!is_quiet)
                fprintf(stderr, "whisp-get: %s is being fetched by another whisp-get: waiting for it\n", name);
            while ((held = flock(*fd, LOCK_EX)) != 0 && errno == EINTR)
                ;
        }
        if (held == 0 && is_same(path, *fd))
            return WHISP_OK;
        int error = errno;
        close(*fd);
        *fd = -1;
        if (held != 0)
            return error == EWOULDBLOCK && !wait
                       ? WHISP_OK
                       : wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be locked: %s", path, strerror(error));
    }
    return rc;
}

int shelf_lock(const char *folder, const char *name, int is_quiet, int *fd)
{
    return take_lock(folder, name, 1, is_quiet, fd);
}

void shelf_unlock(const char *folder, const char *name, int fd)
{
    char path[4096];
    if (fd < 0)
        return;
    if (put_path(path, folder, ".get/", name, ".lock") == WHISP_OK)
        unlink(path);
    close(fd);
}

/* ---- work folders ---- */

/* A work folder with what is in it: there are no folders in it. */
void shelf_clear(const char *folder, const char *key)
{
    char path[4096];
    if (put_path(path, folder, ".get/", key, "") != WHISP_OK)
        return;
    struct stat st;
    DIR *dir = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL; /* nothing behind a link */
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* Those of `name`, but `key`. Returns how many. */
static int clear_others(const char *folder, const char *name, const char *key)
{
    char path[4096];
    int count = 0;
    size_t n = strlen(name);
    DIR *dir = put_path(path, folder, ".get", "", "") == WHISP_OK ? opendir(path) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        if (strncmp(entry->d_name, name, n) == 0 && entry->d_name[n] == '@' && strcmp(entry->d_name, key) != 0) {
            shelf_clear(folder, entry->d_name);
            count++;
        }
    if (dir)
        closedir(dir);
    return count;
}

int shelf_work(const struct settings *settings, const struct order *order, char path[4096])
{
    int rc = put_path(path, settings->folder, ".get/", order->key, "");
    struct stat st;
    clear_others(settings->folder, order->name, order->key);
    if (!rc && mkdir(path, 0777) != 0 && errno != EEXIST)
        rc = wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be made: %s", path, strerror(errno));
    if (!rc && (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        rc = wh_fail(WHISP_ERR_OUTPUT, "%s: is no folder; take it away", path);
    return rc;
}

int shelf_space(const char *folder, int64_t need, const char *what)
{
    struct statvfs fs;
    char wanted[32], there[32];
    if (need <= 0 || statvfs(folder, &fs) != 0) /* then writing will say it */
        return WHISP_OK;
    int64_t unit = fs.f_frsize ? (int64_t)fs.f_frsize : 1,
            free_bytes = (int64_t)fs.f_bavail > INT64_MAX / unit ? INT64_MAX : (int64_t)fs.f_bavail * unit;
    if (free_bytes >= need)
        return WHISP_OK;
    return wh_fail(
        WHISP_ERR_OUTPUT,
        "%s: %s are needed for it and for the model made of it, %s are free in %s; make room, or --model_dir names "
        "another folder",
        what, bytes_text(need, wanted), bytes_text(free_bytes, there), folder);
}

/* ---- models ---- */

/* A text of a model's, or "". */
static void read_text(const wh_gguf *gguf, const char *key, char *text, size_t capacity)
{
    const char *found;
    size_t n;
    *text = 0;
    if (wh_gguf_string(gguf, key, &found, &n) && n < capacity) {
        memcpy(text, found, n);
        text[n] = 0;
        wh_tame(text);
    }
}

int shelf_look(const char *folder, const char *name, char path[4096], struct origin *origin)
{
    wh_gguf *gguf = NULL;
    memset(origin, 0, sizeof *origin);
    origin->type = -1;
    if (put_path(path, folder, "", name, ".gguf") != WHISP_OK || access(path, F_OK) != 0)
        return 0;
    if (wh_gguf_open(path, &gguf) != WHISP_OK)
        return -1;
    wh_gguf_int(gguf, "general.file_type", &origin->type);
    read_text(gguf, "whisper.source.url", origin->url, sizeof origin->url);
    read_text(gguf, "whisper.source.revision", origin->revision, sizeof origin->revision);
    wh_gguf_close(gguf);
    return 1;
}

static int print_model(void *user, const whisp_model_file *file)
{
    char size[32];
    (void)user;
    return printf("%-22s %10s  %s\n", file->name, bytes_text((int64_t)file->bytes, size), file->path) < 0;
}

/* One that can be fetched. */
static void print_known(const char *folder, const char *name, int64_t bytes, const char *from)
{
    char size[32], path[4096];
    int is_there = put_path(path, folder, "", name, ".gguf") == WHISP_OK && access(path, F_OK) == 0;
    printf("%-22s %10s  %s%s\n", name, bytes_text(bytes, size), from, is_there ? "  (there)" : "");
}

int shelf_list(const char *folder)
{
    const struct known *known;
    const struct parcel *parcel;
    printf("published:             as float16\n");
    for (size_t i = 0; (known = known_at(i)) != NULL; i++)
        print_known(folder, known->name, (int64_t)known->parameters * 2000000, known->repository);
    printf("\nfor --vad_filter and --diarize, in Python packages:\n");
    for (size_t i = 0; (parcel = parcel_at(i)) != NULL; i++)
        print_known(folder, parcel->name, parcel->made, parcel->title);
    printf("\nin %s:\n", folder);
    int n = whisp_model_list(folder, print_model, NULL);
    if (n == 0)
        printf("none\n");
    return n < 0 ? n : WHISP_OK;
}

int shelf_remove(const char *folder, const char *name)
{
    char path[4096];
    int fd = -1, rc = put_path(path, folder, "", name, ".gguf"), count;
    struct stat st;
    if (rc)
        return rc;
    if (access(folder, F_OK) == 0 && ((rc = shelf_make(folder)) || (rc = take_lock(folder, name, 0, 1, &fd))))
        return rc;
    if (fd < 0 && access(folder, F_OK) == 0)
        return wh_fail(WHISP_ERR_OUTPUT, "%s: is being fetched by another whisp-get; end that first", name);
    count = clear_others(folder, name, "");
    if (lstat(path, &st) == 0) {
        if (unlink(path) != 0)
            rc = wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be removed: %s", path, strerror(errno));
        else if (printf("%s: removed\n", path) < 0)
            rc = wh_fail(WHISP_ERR_OUTPUT, "standard output: cannot be written");
    } else if (count) {
        printf("%s: what was fetched in part is removed\n", name);
    } else {
        rc = wh_fail(WHISP_ERR_IO, "%s: is not there; whisp-get --list says what is", path);
    }
    shelf_unlock(folder, name, fd);
    return rc;
}
