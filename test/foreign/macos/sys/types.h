#pragma once
#include <stddef.h>
#include <stdint.h>
typedef long ssize_t;
typedef int64_t off_t;
typedef int pid_t;
typedef uint16_t mode_t, nlink_t;
typedef uint32_t uid_t, gid_t;
typedef int32_t dev_t;
typedef uint64_t ino_t;
typedef long time_t;
typedef unsigned long clock_t;
typedef uint16_t u_int16_t;
typedef uint32_t u_int32_t;
typedef uint64_t u_int64_t;
