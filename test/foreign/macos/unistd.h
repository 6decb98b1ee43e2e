#pragma once
#include <sys/types.h>
#define R_OK 4
#define W_OK 2
#define F_OK 0
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define _SC_PAGESIZE 29
#define _SC_NPROCESSORS_ONLN 58
#define STDIN_FILENO 0
#define STDOUT_FILENO 1
ssize_t read(int, void *, size_t);
ssize_t write(int, const void *, size_t);
ssize_t pread(int, void *, size_t, off_t);
ssize_t pwrite(int, const void *, size_t, off_t);
ssize_t readlink(const char *, char *, size_t);
off_t lseek(int, off_t, int);
int close(int);
int dup(int);
int fsync(int);
int ftruncate(int, off_t);
int truncate(const char *, off_t);
int access(const char *, int);
int unlink(const char *);
int link(const char *, const char *);
long sysconf(int);
pid_t getpid(void);
