/* kind.c - what a file is by its first bytes. Asked by detect.c, and by the readers of formats that consist of several
 * files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

int file_open(const char *path)
{
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody may ever write into a FIFO */
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    return -1;
}

int file_fail(const char *path)
{
    return wh_fail(WHISP_ERR_IO, "%s: cannot be opened: %s", path,
                   errno == EINVAL ? "not a regular file" : strerror(errno));
}

size_t file_head(const char *path, unsigned char *head, size_t size)
{
    int fd = file_open(path);
    size_t n = 0;
    for (ssize_t got = 1; fd >= 0 && n < size && got > 0; n += got > 0 ? (size_t)got : 0)
        got = read(fd, head + n, size - n);
    if (fd >= 0)
        close(fd);
    return n;
}

static int begins(const unsigned char *head, size_t n, const char *text)
{
    return n >= strlen(text) && memcmp(head, text, strlen(text)) == 0;
}

static int is_ct2(const unsigned char *head, size_t n)
{
    return n >= 18 && head[1] == 0 && head[2] == 0 && head[3] == 0 && head[4] == 12 && head[5] == 0 &&
           memcmp(head + 6, "WhisperSpec", 12) == 0;
}

static int is_safetensors(const unsigned char *head, size_t n)
{
    return n >= 9 && head[8] == '{' && head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] == 0;
}

enum file_kind file_kind(const char *path)
{
    unsigned char head[64];
    if (access(path, F_OK) != 0)
        return FILE_NONE;
    size_t n = file_head(path, head, sizeof head);
    if (n == 0)
        return FILE_EMPTY;
    if (begins(head, n, "GGUF"))
        return FILE_GGUF;
    if (begins(head, n, "lmgg"))
        return FILE_GGML;
    if (begins(head, n, "PK\3\4"))
        return FILE_ZIP;
    if (is_ct2(head, n))
        return FILE_CT2;
    if (is_safetensors(head, n))
        return FILE_SAFETENSORS;
    if (begins(head, n, "version https://git-lfs"))
        return FILE_LFS;
    return n >= 2 && head[0] == 0x80 && head[1] <= 5 ? FILE_PICKLE : FILE_OTHER;
}

int fail_lfs(const char *path)
{
    return wh_fail(WHISP_ERR_MODEL, "%s: a pointer of Git LFS, not the file itself; get that with git lfs pull", path);
}
