#pragma once
#include <sys/types.h>
typedef struct foreign_dir DIR;
struct dirent {
    ino_t d_ino;
    char d_name[1024];
};
DIR *opendir(const char *);
struct dirent *readdir(DIR *);
int closedir(DIR *);
