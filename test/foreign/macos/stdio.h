#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>
typedef struct foreign_file FILE;
extern FILE *__stdinp, *__stdoutp, *__stderrp;
#define stdin __stdinp
#define stdout __stdoutp
#define stderr __stderrp
#define EOF (-1)
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
int snprintf(char *, size_t, const char *, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *, size_t, const char *, va_list) __attribute__((format(printf, 3, 0)));
int fprintf(FILE *, const char *, ...) __attribute__((format(printf, 2, 3)));
int sscanf(const char *, const char *, ...) __attribute__((format(scanf, 2, 3)));
FILE *fopen(const char *, const char *);
FILE *fdopen(int, const char *);
FILE *tmpfile(void);
FILE *open_memstream(char **, size_t *);
int fclose(FILE *);
int fflush(FILE *);
int ferror(FILE *);
int feof(FILE *);
int fileno(FILE *);
int fseek(FILE *, long, int);
int fseeko(FILE *, off_t, int);
off_t ftello(FILE *);
long ftell(FILE *);
void rewind(FILE *);
int setvbuf(FILE *, char *, int, size_t);
size_t fread(void *, size_t, size_t, FILE *);
size_t fwrite(const void *, size_t, size_t, FILE *);
char *fgets(char *, int, FILE *);
int fputs(const char *, FILE *);
int fputc(int, FILE *);
int rename(const char *, const char *);
int remove(const char *);
