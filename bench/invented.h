/* invented.h - models of random weights in the shapes of the published ones, for measuring speed where no file is there. */
#ifndef BENCH_INVENTED_H
#define BENCH_INVENTED_H

typedef struct invented_size {
    const char *name;
    int state, heads, layers, text_layers, mels;
} invented_size;

/* tiny, base, small, medium, large-v3, turbo; ends with a NULL name */
extern const invented_size invented_sizes[];
const invented_size *invented_find(const char *name);

/* Write the model as GGUF with F16 matrices. 0, or -1 with a message on standard error. */
int invented_write(const invented_size *size, const char *path);

#endif
