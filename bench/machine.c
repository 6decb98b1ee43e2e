/* machine.c - see machine.h. From /proc and /sys, as Linux has them; elsewhere from uname() and sysconf() alone. */
#include "machine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/pool.h"
#include "whisp.h"

/* The first line of a file, or "". */
static const char *first_line(const char *path, char *line, size_t size)
{
    FILE *f = fopen(path, "r");
    *line = 0;
    if (f) {
        if (!fgets(line, (int)size, f))
            *line = 0;
        fclose(f);
    }
    line[strcspn(line, "\n")] = 0;
    return line;
}

/* What stands behind `key` and `sign` in the first line of a file that begins with it, or "". */
static const char *value_of(const char *path, const char *key, char sign, char *value, size_t size)
{
    char line[4096];
    FILE *f = fopen(path, "r");
    *value = 0;
    while (f && !*value && fgets(line, sizeof line, f)) {
        char *at = strchr(line, sign);
        if (!at || strncmp(line, key, strlen(key)) != 0)
            continue;
        for (at++; isspace((unsigned char)*at) || *at == '"';)
            at++;
        at[strcspn(at, "\n\"")] = 0;
        snprintf(value, size, "%s", at);
    }
    if (f)
        fclose(f);
    return value;
}

static int number_of(const char *pattern, int i)
{
    char path[128], line[64];
    snprintf(path, sizeof path, pattern, i);
    return (int)strtol(first_line(path, line, sizeof line), NULL, 10);
}

int machine_clock(void)
{
    return number_of("/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", 0) / 1000;
}

/* ARM's cores by the number of their maker (41: Arm, 61: Apple, c0: Ampere) and their own, as their manuals give them
 * (MIDR_EL1). */
static const struct {
    unsigned maker, part;
    const char *name;
} arm_cores[] = {
    {0x41, 0xd03, "Cortex-A53"},  {0x41, 0xd04, "Cortex-A35"},  {0x41, 0xd05, "Cortex-A55"},
    {0x41, 0xd07, "Cortex-A57"},  {0x41, 0xd08, "Cortex-A72"},  {0x41, 0xd09, "Cortex-A73"},
    {0x41, 0xd0a, "Cortex-A75"},  {0x41, 0xd0b, "Cortex-A76"},  {0x41, 0xd0c, "Neoverse N1"},
    {0x41, 0xd0d, "Cortex-A77"},  {0x41, 0xd40, "Neoverse V1"}, {0x41, 0xd41, "Cortex-A78"},
    {0x41, 0xd44, "Cortex-X1"},   {0x41, 0xd46, "Cortex-A510"}, {0x41, 0xd47, "Cortex-A710"},
    {0x41, 0xd49, "Neoverse N2"}, {0x41, 0xd4f, "Neoverse V2"}, {0xc0, 0xac3, "Ampere-1"},
};

/* "CPU implementer" and "CPU part" of each core in /proc/cpuinfo: how many there are of each kind. */
static void print_arm_cores(void)
{
    struct {
        unsigned maker, part;
        int n;
    } kinds[8];
    char line[4096];
    unsigned maker = 0, part;
    int n_kinds = 0;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *value = strchr(line, ':');
        if (value && strncmp(line, "CPU implementer", 15) == 0)
            maker = (unsigned)strtoul(value + 1, NULL, 16);
        if (!value || strncmp(line, "CPU part", 8) != 0)
            continue;
        part = (unsigned)strtoul(value + 1, NULL, 16);
        int i = 0;
        while (i < n_kinds && (kinds[i].maker != maker || kinds[i].part != part))
            i++;
        if (i == n_kinds && n_kinds < 8) {
            kinds[n_kinds].maker = maker, kinds[n_kinds].part = part;
            kinds[n_kinds++].n = 0;
        }
        if (i < n_kinds)
            kinds[i].n++;
    }
    if (f)
        fclose(f);
    for (int i = 0; i < n_kinds; i++) {
        const char *name = "unknown";
        for (size_t k = 0; k < sizeof arm_cores / sizeof arm_cores[0]; k++)
            if (arm_cores[k].maker == kinds[i].maker && arm_cores[k].part == kinds[i].part)
                name = arm_cores[k].name;
        printf("%s%d of %s (maker 0x%02x, part 0x%03x)%s", i ? ", " : "CPU:        ", kinds[i].n, name, kinds[i].maker,
               kinds[i].part, i + 1 == n_kinds ? "\n" : "");
    }
}

/* Of x86's many flags those that kernels are chosen by; of ARM's all. */
static void print_features(void)
{
    static const char *const ours[] = {"avx2",        "fma",         "f16c",     "avx_vnni", "avx512f",
                                       "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"};
    char flags[4096], features[4096];
    value_of("/proc/cpuinfo", "flags", ':', flags, sizeof flags);
    if (*value_of("/proc/cpuinfo", "Features", ':', features, sizeof features))
        printf("features:   %s\n", features);
    if (!*flags)
        return;
    printf("features:  ");
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        const char *at = strstr(flags, ours[i]);
        size_t n = strlen(ours[i]);
        while (at && ((at[n] && at[n] != ' ') || (at > flags && at[-1] != ' ')))
            at = strstr(at + n, ours[i]);
        if (at)
            printf(" %s", ours[i]);
    }
    printf("\n");
}

/* Cores by what they can do, where they differ: Linux gives the best 1024. */
static void print_cores(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    printf("cores:      %d to be used, %ld in all", wh_usable_cores(), online);
    int fastest = 0, slowest = 0, least = 0;
    for (int i = 0; i < online; i++) {
        int clock = number_of("/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq", i) / 1000;
        int capacity = number_of("/sys/devices/system/cpu/cpu%d/cpu_capacity", i);
        fastest = clock > fastest ? clock : fastest;
        slowest = clock && (!slowest || clock < slowest) ? clock : slowest;
        least = capacity && (!least || capacity < least) ? capacity : least;
    }
    if (fastest)
        printf(slowest < fastest ? "; %d to %d MHz" : "; %.0d%d MHz", slowest < fastest ? slowest : 0, fastest);
    if (least && least < 1024)
        printf("; the slowest has %d/1024 of the best one's capacity", least);
    printf("\n");
}

void machine_print(void)
{
    char line[4096];
    struct utsname system;
    printf("libwhisp:   %s, by "
#if defined(__clang__)
           "clang " __clang_version__
#elif defined(__GNUC__)
           "GCC " __VERSION__
#else
           "another compiler"
#endif
           "\n",
           whisp_version());
    if (*first_line("/proc/device-tree/model", line, sizeof line) ||
        *first_line("/sys/class/dmi/id/product_name", line, sizeof line))
        printf("machine:    %s\n", line);
    if (*value_of("/proc/cpuinfo", "model name", ':', line, sizeof line))
        printf("CPU:        %s\n", line);
    print_arm_cores();
    print_features();
    print_cores();
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0)
        printf("memory:     %.0f MiB, pages of %ld kB\n", (double)pages * (double)page / (1 << 20), page >> 10);
    value_of("/etc/os-release", "PRETTY_NAME", '=', line, sizeof line);
    if (uname(&system) == 0)
        printf("system:     %s%s%s %s, %s\n", line, *line ? ", " : "", system.sysname, system.release, system.machine);
}
