/* archive.h - the zip archives of torch.save, whose storages are read into memory one at a time, when their tensor is
 * written. pt.c reads what they say, source.c loads from them and closes them. */
#ifndef CONVERT_ARCHIVE_H
#define CONVERT_ARCHIVE_H

#include <zip.h>

#include "source.h"

struct archive {
    zip_t *zip;
    char *path;
    uint64_t size; /* bytes of the whole file */
};

int archive_damaged(const struct archive *archive, const char *what);

/* Read a whole entry of at most `most` bytes; its checksum is verified by reading to the end. torch.save compresses
 * nothing, so no entry can claim more bytes than the file has. */
int archive_read(const struct archive *archive, uint64_t entry, uint64_t most, unsigned char **data, size_t *size);

#endif
