/* bar.c - how far a file is: on a terminal a bar with speed and time left, redrawn in place at most ten times a second;
 * elsewhere a line at every tenth. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "convert/ending.h"
#include "get/get.h"

const char *bytes_text(int64_t bytes, char text[32])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 999.5 && unit + 1 < WH_COUNT(units)) {
        n /= 1000.0;
        unit++;
    }
    snprintf(text, 32, unit && n < 99.95 ? "%.1f %s" : "%.0f %s", n, units[unit]);
    return text;
}

/* "1.2 of 3.1 GB, 45 MB/s, 0:42 left"; what is not known is left out. */
static void describe(const struct bar *bar, double now, char text[128])
{
    char done[32], total[32], speed[32];
    double seconds = now - bar->started, rate = (double)(bar->done - bar->began_at) / WH_MAX(seconds, 0.05);
    size_t n = (size_t)snprintf(text, 128, "%s", bytes_text(bar->done, done));
    if (bar->total > 0)
        n += (size_t)snprintf(text + n, 128 - n, " of %s", bytes_text(bar->total, total));
    if (seconds > 0.2 && rate > 0.0)
        n += (size_t)snprintf(text + n, 128 - n, ", %s/s", bytes_text((int64_t)rate, speed));
    if (seconds > 0.2 && rate > 0.0 && bar->total > 0) {
        double left = WH_MIN((double)(bar->total - bar->done) / rate, 359999.0);
        long s = left > 0.0 ? (long)left : 0;
        if (s >= 3600)
            snprintf(text + n, 128 - n, ", %ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
        else
            snprintf(text + n, 128 - n, ", %ld:%02ld left", s / 60, s % 60);
    }
}

static double part_done(const struct bar *bar)
{
    return bar->total <= 0 ? 0.0 : bar->done >= bar->total ? 1.0 : (double)bar->done / (double)bar->total;
}

static void draw(struct bar *bar, double now)
{
    enum { CELLS = 24 };
    char tail[128], line[512], cells[CELLS + 1];
    struct winsize size;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    describe(bar, now, tail);
    for (int i = 0; i < CELLS; i++)
        cells[i] = i < (int)(part_done(bar) * CELLS) ? '=' : ' ';
    cells[CELLS] = 0;
    if (bar->total > 0 && width >= 72)
        snprintf(line, sizeof line, "%.*s %3d%% [%s] %s", width > 100 ? 40 : 20, bar->name,
                 (int)(100.0 * part_done(bar)), cells, tail);
    else
        snprintf(line, sizeof line, "%s", tail);
    ending_bar(1);
    fprintf(stderr, "\r\033[K%.*s", width, line);
    fflush(stderr);
    bar->is_drawn = 1;
    bar->drawn = now;
}

void bar_begin(struct bar *bar, const char *name, int64_t done, int64_t total)
{
    bar->name = name;
    bar->done = bar->began_at = done;
    bar->total = total;
    bar->started = wh_now();
    bar->drawn = 0.0;
    bar->tenth = total > 0 ? (int)(part_done(bar) * 10.0) : 0;
    if (bar->is_quiet)
        return;
    if (bar->is_terminal) {
        draw(bar, bar->started);
    } else {
        char all[32], there[32];
        fprintf(stderr, "%s: %s", name, total > 0 ? bytes_text(total, all) : "of unknown size");
        if (done > 0)
            fprintf(stderr, ", %s of it are there", bytes_text(done, there));
        fputs("\n", stderr);
    }
}

void bar_move(struct bar *bar, int64_t done)
{
    double now = wh_now();
    bar->done = done;
    if (bar->is_quiet)
        return;
    if (bar->is_terminal) {
        if (now - bar->drawn >= 0.1 || done == bar->total)
            draw(bar, now);
        return;
    }
    int tenth = (int)(part_done(bar) * 10.0);
    if (tenth > bar->tenth && bar->total >= 10000000) { /* less is there at once */
        char text[128];
        bar->tenth = tenth;
        describe(bar, now, text);
        fprintf(stderr, "%s: %d%%, %s\n", bar->name, 10 * tenth, text);
    }
}

void bar_end(struct bar *bar)
{
    if (bar->is_drawn)
        fputs("\r\033[K", stderr);
    bar->is_drawn = 0;
    ending_bar(0);
}
