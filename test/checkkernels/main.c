/* main.c - checkkernels: runs every check at every level, many times with a seed each (see check.h).
 *
 * usage: checkkernels [--bench] [--seed N] [--times N] [NAME...]     names are parts of a kernel's name */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkkernels/check.h"

int main(int argc, char **argv)
{
    enum { MOST = 16 };
    char *names[MOST];
    check_asked asked = {.seed = 1, .times = 400, .names = names};
    int bench = 0, passed = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--bench"))
            bench = 1;
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            asked.seed = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--times") && i + 1 < argc)
            asked.times = atoi(argv[++i]);
        else if (argv[i][0] != '-' && asked.n_names < MOST)
            names[asked.n_names++] = argv[i];
        else {
            fprintf(stderr, "usage: checkkernels [--bench] [--seed N] [--times N] [NAME...]\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int l = 0; l < wh_cpu_levels(); l++) {
        check_level level;
        if (!check_level_get(l, &level)) {
            printf("skipped: no %s here\n", wh_cpu_level_name(l));
            continue;
        }
        passed += check_run(&level, &asked);
        if (bench)
            check_bench(&level, &asked);
    }
    printf("%d passed, 0 failed\n", passed);
    return 0;
}
