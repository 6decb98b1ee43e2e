/* archive.h - the zip archives of torch.save, mapped: their directory is read once, and an entry's bytes are used where
 * they stand (torch.save compresses nothing; what somebody else compressed is unpacked). pt.c reads what they say, source.c loads from them and closes them. */
#ifndef CONVERT_ARCHIVE_H
#define CONVERT_ARCHIVE_H

#include "source.h"

/* A file in an archive. */
struct entry {
    const unsigned char *name; /* in the mapping, not NUL-terminated */
    uint16_t name_length;
    uint16_t method;      /* 0: stored */
    uint32_t checksum;    /* CRC-32 */
    uint64_t header;      /* where its own header begins */
    uint64_t packed_size; /* bytes that follow that header */
    uint64_t size;
    const unsigned char *data; /* packed_size bytes; NULL until the header was looked at */
    unsigned char *unpacked;   /* [size], where it is compressed: `data`, then */
    int is_sound;              /* its bytes have the checksum */
};

struct archive {
    char *path;
    const unsigned char *bytes; /* the whole file: one of the source's mappings */
    uint64_t size;
    struct entry *entries; /* [n], ascending by name */
    size_t n;
    uint64_t unpacked; /* bytes of entries */
};

/* Add an archive, which is mapped, to the source's. */
int archive_open(struct source *source, const char *path, const unsigned char *bytes, size_t size);
int archive_damaged(const struct archive *archive, const char *what);

/* The number of the entry of a name; n if there is none. */
size_t archive_find(const struct archive *archive, const char *name);

/* An entry's bytes, its checksum verified. Those that are stored lie in the file; the others may not be out of proportion
 * to it. */
int archive_read(struct archive *archive, size_t entry, const unsigned char **data, size_t *size);

#endif
