/* files.c - the files that a source is made of: mapped until its end, and remembered for their checksum. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

int source_damaged(const struct source *s, const char *what)
{
    return wh_fail(WHISP_ERR_MODEL, "%s: truncated or damaged: %s; get the file again", s->path, what);
}

int source_add_file(struct source *s, const char *path)
{
    if (wh_grow(&s->files, &s->file_capacity, s->n_files + 1, sizeof *s->files))
        return WHISP_ERR_MEMORY;
    if (!(s->files[s->n_files] = strdup(path)))
        return wh_fail_memory();
    s->n_files++;
    return WHISP_OK;
}

int source_map(struct source *s, const char *path, const unsigned char **data, size_t *size)
{
    if (wh_grow(&s->mappings, &s->mapping_capacity, s->n_mappings + 1, sizeof *s->mappings))
        return WHISP_ERR_MEMORY;
    struct stat st;
    int fd = file_open(path);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = file_fail(path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    int rc = WHISP_OK;
    if (st.st_size == 0)
        rc = wh_fail(WHISP_ERR_MODEL, "%s: the file is empty; get it again", path);
    else if ((uintmax_t)st.st_size > SIZE_MAX / 2)
        rc = wh_fail(WHISP_ERR_IO, "%s: too large for this machine's addresses", path);
    if (!rc) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) {
            rc = wh_fail(WHISP_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        } else {
            s->mappings[s->n_mappings++] = (struct mapping){map, (size_t)st.st_size};
            *data = map;
            *size = (size_t)st.st_size;
        }
    }
    close(fd);
    return rc;
}

int source_join(char *path, size_t capacity, const char *folder, const char *name)
{
    if ((size_t)snprintf(path, capacity, "%s/%s", folder, name) >= capacity)
        return wh_fail(WHISP_ERR_IO, "%s: the path is too long", folder);
    return WHISP_OK;
}
