#pragma once
#include <sys/types.h>
#include <time.h>
struct stat {
    dev_t st_dev;
    mode_t st_mode;
    nlink_t st_nlink;
    ino_t st_ino;
    uid_t st_uid;
    gid_t st_gid;
    struct timespec st_atimespec, st_mtimespec, st_ctimespec;
    off_t st_size;
};
#define S_ISDIR(m) (((m)&0170000) == 0040000)
#define S_ISREG(m) (((m)&0170000) == 0100000)
#define S_ISFIFO(m) (((m)&0170000) == 0010000)
#define S_ISLNK(m) (((m)&0170000) == 0120000)
int stat(const char *, struct stat *);
int lstat(const char *, struct stat *);
int fstat(int, struct stat *);
int fchmod(int, mode_t);
int mkdir(const char *, mode_t);
