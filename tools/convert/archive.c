/* archive.c - see archive.h. */
#include "archive.h"

#include <stdlib.h>

void archives_close(struct source *s)
{
    for (size_t i = 0; i < s->n_archives; i++) {
        zip_discard(s->archives[i].zip);
        free(s->archives[i].path);
    }
    free(s->archives);
    free(s->storage);
}

int archive_damaged(const struct archive *a, const char *what)
{
    return wh_fail(WHISP_ERR_MODEL, "%s: truncated or damaged: %s; get the file again", a->path, what);
}

int archive_read(const struct archive *a, uint64_t entry, uint64_t most, unsigned char **data, size_t *size)
{
    zip_stat_t st;
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(a->zip, entry, 0, &st) != 0 || (st.valid & need) != need || st.size > most ||
        st.comp_method != ZIP_CM_STORE || st.comp_size != st.size || st.size > a->size)
        return archive_damaged(a, "the archive's directory");
    unsigned char *bytes = malloc((size_t)st.size + 1);
    if (!bytes)
        return wh_fail_memory();
    zip_file_t *file = zip_fopen_index(a->zip, entry, 0);
    zip_int64_t n = 0;
    uint64_t got = 0;
    while (file && (n = zip_fread(file, bytes + got, st.size + 1 - got)) > 0 && (got += (uint64_t)n) <= st.size)
        continue;
    if (file)
        zip_fclose(file);
    if (!file || n < 0 || got != st.size) {
        free(bytes);
        return archive_damaged(a, "a file in the archive is cut off or its checksum is wrong");
    }
    *data = bytes;
    *size = (size_t)st.size;
    return WHISP_OK;
}

int archive_load(struct source *s, struct tensor *t)
{
    size_t size = 0;
    if (t->type == ST_COMPUTED)
        return WHISP_OK;
    if (!s->storage || s->loaded_archive != t->archive || s->loaded_entry != t->entry) {
        free(s->storage);
        s->storage = NULL;
        int rc = archive_read(&s->archives[t->archive], t->entry, UINT64_MAX, &s->storage, &size);
        if (rc)
            return rc;
        s->loaded_archive = t->archive;
        s->loaded_entry = t->entry;
    }
    t->data = s->storage + (uint64_t)t->entry_offset * stored_bytes(t->type, 1);
    return WHISP_OK;
}
