/* progress.c - the progress bar:  42% [=======>          ] 1:23 of 3:20, 5.2x, 0:22 left
 *
 * Redrawn in place at most ten times a second. The terminal's width is asked for each time, so a resized one needs no
 * signal. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

double tool_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int terminal_width(int fd, int otherwise)
{
    struct winsize size;
    if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return otherwise;
    return size.ws_col;
}

/* Seconds as 3:20 or 1:02:07. */
static void write_clock(char text[24], double seconds)
{
    long s = seconds > 0.0 && seconds < 1e9 ? (long)seconds : 0;
    if (s >= 3600)
        snprintf(text, 24, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, 24, "%ld:%02ld", s / 60, s % 60);
}

static void draw(struct progress *bar, double time)
{
    char done[24], total[24], left[24], tail[128];
    double elapsed = time - bar->started;
    double speed = elapsed > 0.0 ? bar->done / elapsed : 0.0;
    int width = terminal_width(STDERR_FILENO, 80) - 1; /* the last column would wrap on some terminals */
    int used;
    write_clock(done, bar->done);
    if (bar->total < 0.0 || (bar->total == 0.0 && bar->done > 0.0)) {
        used = snprintf(tail, sizeof tail, "%s done, %.1fx", done, speed);
        fprintf(stderr, "\r\033[K%.*s", used < width ? used : width, tail);
    } else {
        double part = bar->done <= 0.0 ? 0.0 : bar->done < bar->total ? bar->done / bar->total : 1.0;
        write_clock(total, bar->total);
        write_clock(left, speed > 0.0 ? (bar->total - bar->done) / speed : 0.0);
        if (bar->total == 0.0)
            used = snprintf(tail, sizeof tail, "%s", done);
        else if (speed > 0.0)
            used = snprintf(tail, sizeof tail, "%s of %s, %.1fx, %s left", done, total, speed, left);
        else
            used = snprintf(tail, sizeof tail, "%s of %s", done, total);
        fprintf(stderr, "\r\033[K%3d%% ", (int)(100.0 * part));
        int cells = width - 5 - 3 - used;
        if (cells > 40)
            cells = 40;
        if (cells >= 5) {
            fputc('[', stderr);
            for (int i = 0; i < cells; i++)
                fputc(i < (int)(part * cells) ? '=' : ' ', stderr);
            fputs("] ", stderr);
        }
        if (width > 5)
            fprintf(stderr, "%.*s", used < width - 5 ? used : width - 5, tail);
    }
    fflush(stderr);
    bar->visible = 1;
    signals_bar(1);
    bar->drawn = time;
}

void progress_wait(struct progress *bar, double total)
{
    bar->started = tool_now();
    bar->done = 0.0;
    bar->total = total > 0.0 ? total : 0.0;
    if (bar->wanted)
        draw(bar, bar->started);
}

/* The bar that stands there already stays: the work begins with reading, which has nothing to say yet. */
void progress_begin(struct progress *bar)
{
    if (bar->visible) {
        bar->started = tool_now();
        return;
    }
    progress_wait(bar, bar->total);
}

void progress_update(struct progress *bar, double done, double total)
{
    if (done < bar->done)
        bar->started = tool_now(); /* another recording */
    bar->done = done;
    bar->total = total;
    if (!bar->wanted)
        return;
    double time = tool_now();
    if (!bar->visible || time - bar->drawn >= 0.1)
        draw(bar, time);
}

void progress_hide(struct progress *bar)
{
    if (bar->visible)
        fputs("\r\033[K", stderr);
}

void progress_show(struct progress *bar)
{
    if (bar->visible)
        draw(bar, tool_now());
}

void progress_end(struct progress *bar)
{
    progress_hide(bar);
    bar->visible = 0;
    signals_bar(0);
}
