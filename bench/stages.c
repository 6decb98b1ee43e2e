/* stages.c - encoder, prompt and decoder by themselves, as shares of what the machine can do: whisp-bench --stages.
 *
 * Calls the backend below the public header. Operations are counted from the shapes (a multiply-add is two): products
 * with weights, and attention's two products. Bytes of a decoding step are its weights once for all sequences and
 * each sequence's cross-attention K/V. A share of arithmetic is of the threads' ceiling for the compute type, a share
 * of reading of what the same number of threads reads from memory; both are measured in the run
 * (test/checkkernels/bench.c). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ending.h"
#include "backend/cuda/host.h"
#include "checkkernels/check.h"
#include "invented.h"
#include "stages.h"
#include "whisp.h"

enum { MAX_BATCH = 16, GPU_BATCH = 64, PROMPT = 64, STEPS = 12, MAX_THREADS = 2, TYPES = 3 };
static const char *const types[TYPES] = {"f32", "bf16", "int8"};

typedef struct choice {
    const char *sizes, *threads, *types, *backend;
    int batch, json;
} choice;

typedef struct bench {
    const whisp_model *model;
    const char *size, *type; /* type: f32, bf16 or int8 */
    int is_invented, threads, json, *n_rows;
    double arithmetic, reading; /* ceilings: Gop/s, GB/s */
    float *mel;                 /* [3000][n_mels] */
    float *logits;              /* [GPU_BATCH][n_vocab] */
    int on_gpu;                 /* the backend is "cuda", whose types are f16 and int8 (of windows' keys and values) */
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(void)
{
    fprintf(stderr, "whisp-bench: %s\n", whisp_last_error());
    return 1;
}

/* A window through the encoder and the decoder's cross-attention K/V. */
static double encoder_ops(const whisp_model *m)
{
    double d = m->n_audio_state, t = m->n_audio_ctx;
    double convolutions = 2 * 2 * t * d * m->n_mels * 3 + 2 * t * d * d * 3;
    return convolutions + m->n_audio_layer * (2 * t * 12 * d * d + 4 * t * t * d) + m->n_text_layer * 2 * 2 * t * d * d;
}

/* A token with `before` tokens before it. */
static double token_ops(const whisp_model *m, double before, int has_logits)
{
    double d = m->n_text_state, layer = 2 * 14 * d * d + 4 * (before + m->n_audio_ctx) * d;
    return m->n_text_layer * layer + (has_logits ? 2 * d * m->n_vocab : 0);
}

static double step_bytes(const bench *b, int batch)
{
    const whisp_model *m = b->model;
    double d = m->n_text_state, size = strcmp(b->type, "int8") == 0 ? 1 : 2;
    double caches = batch * m->n_text_layer * 2.0 * m->n_audio_ctx * d;
    if (b->on_gpu) /* weights are f16; int8 with a scale for each head */
        return 2 * (m->n_text_layer * 14 * d * d + d * m->n_vocab) +
               caches * (size == 1 ? 1 + 4.0 * m->n_text_head / d : 2);
    return size * (m->n_text_layer * 14 * d * d + d * m->n_vocab) +
           size * batch * m->n_text_layer * 2.0 * m->n_audio_ctx * d;
}

static void report(const bench *b, const char *stage, int batch, double seconds, double ops, double bytes)
{
    double gops = 1e-9 * ops / seconds, gbs = 1e-9 * bytes / seconds;
    double share = b->arithmetic > 0 ? gops / b->arithmetic : 0, read_share = b->reading > 0 ? gbs / b->reading : 0;
    if (b->json) {
        printf(
            "%s\n  {\"size\": \"%s\", \"weights\": \"%s\", \"compute_type\": \"%s\", \"threads\": %d, \"stage\": \"%s\", "
            "\"batch\": %d, \"ms\": %.6g, \"gops\": %.6g, \"ceiling_gops\": %.6g, \"share\": %.3f",
            *b->n_rows ? "," : "", b->size, b->is_invented ? "invented" : "file", b->type, b->threads, stage, batch,
            1e3 * seconds, gops, b->arithmetic, share);
        if (bytes > 0)
            printf(", \"gbs\": %.2f, \"ceiling_gbs\": %.2f, \"read_share\": %.3f", gbs, b->reading, read_share);
        printf("}");
    } else {
        printf("%-9s %-5s %7d  %-8s %5d %10.2f %9.1f %4.0f%%", b->size, b->type, b->threads, stage, batch,
               1e3 * seconds, gops, 100 * share);
        if (bytes > 0)
            printf(" %7.1f %4.0f%%", gbs, 100 * read_share);
        printf("\n");
    }
    fflush(stdout);
    ++*b->n_rows;
}

/* Every slot gets a window of its own: 1, 1, 2, 4, 8 at a time. */
static int encode(const bench *b, wh_backend *backend, int batch)
{
    const float *mel[GPU_BATCH];
    int slots[GPU_BATCH];
    double first = 0;
    for (int at = 0, n = 1; at < batch; at += n) {
        n = at ? WH_MIN(at, batch - at) : 1;
        for (int i = 0; i < n; i++) {
            mel[i] = b->mel;
            slots[i] = at + i;
        }
        double start = now();
        if (wh_backend_encode(backend, n, mel, slots))
            return fail();
        double seconds = now() - start;
        if (at == 0)
            first = seconds;
        if (at == 1 || batch == 1)
            report(b, "encoder", 1, fmin(first, seconds), encoder_ops(b->model), 0);
        else if (at > 1)
            report(b, "encoder", n, seconds, n * encoder_ops(b->model), 0);
    }
    return 0;
}

/* `n_tokens` tokens a slot in one call; the best of `times`. */
static int decode(const bench *b, wh_backend *backend, int batch, int n_tokens, int times, double *best)
{
    int32_t tokens[PROMPT];
    const int last = n_tokens - 1;
    wh_step steps[GPU_BATCH];
    wh_choice choices[GPU_BATCH];
    int chooses = b->on_gpu && n_tokens == 1, vocab = b->model->n_vocab, forbidden = 0;
    if (chooses && wh_backend_forbid(backend, NULL, 0, &forbidden))
        return fail();
    for (int i = 0; i < n_tokens; i++)
        tokens[i] = 300 + i;
    *best = 1e9;
    for (int i = 0; i < batch; i++)
        steps[i] = (wh_step){.slot = i,
                             .n_tokens = n_tokens,
                             .tokens = tokens,
                             .n_rows = 1,
                             .rows = &last,
                             .logits = chooses ? NULL : b->logits + (size_t)i * (size_t)vocab,
                             .choice = chooses ? &choices[i] : NULL};
    for (int i = 0; chooses && i < batch; i++)
        choices[i] = (wh_choice){
            .forbidden = forbidden, .time_begin = vocab, .time_from = vocab, .time_to = vocab, .most = 1};
    for (int i = 0; i < times; i++) {
        double start = now();
        if (wh_backend_decode(backend, batch, steps))
            return fail();
        *best = fmin(*best, now() - start);
    }
    return 0;
}

static int run_backend(bench *b, int max_batch)
{
    wh_backend_config config = {.n_slots = max_batch, .threads = b->threads, .compute = wh_compute_named(b->type)};
    wh_backend *backend;
    double operations = 0, bytes = 0, start = now();
    if (wh_backend_new(b->on_gpu ? "cuda" : "auto", b->model, &config, &backend))
        return fail();
    if (b->on_gpu) {
        if (!b->json)
            printf("%s; opened in %.3f s\n", wh_backend_describe(backend), now() - start);
        max_batch = WH_MIN(max_batch, wh_backend_slots(backend));
        if (wh_cuda_ceilings(backend, &operations, &bytes)) {
            wh_backend_free(backend);
            return fail();
        }
        b->arithmetic = operations / 1e9, b->reading = bytes / 1e9;
        if (!b->json)
            printf("ceilings: products %.0f Gop/s, memory %.0f GB/s\n", b->arithmetic, b->reading);
    }
    int rc = encode(b, backend, max_batch);
    for (int batch = 1; !rc && batch <= max_batch; batch *= 2) {
        double seconds;
        for (int i = 0; i < batch; i++)
            wh_backend_truncate(backend, i, 0);
        if ((rc = decode(b, backend, batch, PROMPT, 1, &seconds)))
            break;
        double ops = PROMPT * token_ops(b->model, PROMPT / 2.0, 0) + token_ops(b->model, 0, 1) -
                     token_ops(b->model, 0, 0);
        report(b, "prompt", batch, seconds, batch * ops, 0);
        if ((rc = decode(b, backend, batch, 1, STEPS, &seconds)))
            break;
        report(b, "token", batch, seconds, batch * token_ops(b->model, PROMPT + STEPS / 2.0, 1), step_bytes(b, batch));
    }
    wh_backend_free(backend);
    return rc;
}

/* A file of that name, else one of invented weights, which is gone from its folder as soon as it is mapped. */
static int load(const char *size, whisp_model **model, int *is_invented)
{
    char path[4096];
    *is_invented = whisp_model_find(size, NULL, path, sizeof path) != WHISP_OK;
    if (!*is_invented)
        return whisp_model_load(path, NULL, model) ? fail() : 0;
    const invented_size *shape = invented_find(size);
    const char *folder = getenv("TMPDIR");
    if (!shape) {
        fprintf(
            stderr,
            "whisp-bench: %s is neither a model that is there nor a size: tiny, base, small, medium, large-v3, turbo\n",
            size);
        return 1;
    }
    snprintf(path, sizeof path, "%s/whisp-invented-XXXXXX", folder ? folder : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    close(fd);
    ending_forget(path);
    int rc = invented_write(shape, path) ? 1 : whisp_model_load(path, NULL, model) ? fail() : 0;
    unlink(path);
    ending_forget(NULL);
    return rc;
}

static int has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ',') && (p[n] == ',' || !p[n]))
            return 1;
    return 0;
}

static int run_gpu(bench *b, const choice *c)
{
    static const char *const gpu_types[] = {"f16", "int8"};
    int rc = 0;
    for (int t = 0; !rc && t < 2; t++)
        if (has_word(c->types, gpu_types[t])) {
            b->type = gpu_types[t];
            rc = run_backend(b, c->batch);
        }
    return rc;
}

static int run_size(const char *size, const choice *c, const double ceilings[TYPES][MAX_THREADS],
                    const double reading[MAX_THREADS], int *n_rows)
{
    bench b = {.size = size, .json = c->json, .n_rows = n_rows};
    whisp_model *model;
    int rc = load(size, &model, &b.is_invented);
    if (rc)
        return rc;
    b.model = model;
    b.mel = calloc((size_t)WH_WINDOW_FRAMES * (size_t)model->n_mels, sizeof *b.mel);
    b.on_gpu = strcmp(c->backend, "cuda") == 0;
    b.logits = calloc((size_t)GPU_BATCH * (size_t)model->n_vocab, sizeof *b.logits);
    rc = !b.mel || !b.logits;
    for (int i = 0; !rc && i < WH_WINDOW_FRAMES * model->n_mels; i++)
        b.mel[i] = (float)((unsigned)i * 2654435761u >> 8) * 0x1p-23f - 1;
    if (!c->json && !rc)
        printf("%s: weights %s\n", size, b.is_invented ? "invented" : "from a file");
    if (!rc && b.on_gpu)
        rc = run_gpu(&b, c);
    for (int t = 0; !rc && !b.on_gpu && t < TYPES; t++) {
        for (int n = 1; !rc && n <= MAX_THREADS && has_word(c->types, types[t]); n++) {
            char text[4];
            snprintf(text, sizeof text, "%d", n);
            if (!has_word(c->threads, text))
                continue;
            b.type = types[t];
            b.threads = n;
            b.arithmetic = ceilings[t][n - 1];
            b.reading = reading[n - 1];
            rc = run_backend(&b, c->batch);
        }
    }
    free(b.mel);
    free(b.logits);
    whisp_model_free(model);
    return rc;
}

/* One table a size, below the ceilings of the device. */
static int run_on_gpu(const choice *c)
{
    static const double none[TYPES][MAX_THREADS] = {{0}};
    char sizes[256];
    int rc = 0, n_rows = 0;
    if (c->json)
        printf("{\"version\": \"%s\", \"level\": \"cuda\", \"rows\": [", whisp_version());
    else
        printf("libwhisp %s\n%-9s %-5s %7s  %-8s %5s %10s %9s %5s %7s %5s\n", whisp_version(), "size", "type",
               "threads", "stage", "batch", "ms", "Gop/s", "share", "GB/s", "share");
    snprintf(sizes, sizeof sizes, "%s", c->sizes);
    for (char *size = strtok(sizes, ","); !rc && size; size = strtok(NULL, ","))
        rc = run_size(size, c, none, none[0], &n_rows);
    if (c->json)
        printf("\n]}\n");
    return rc ? rc : fflush(stdout) || ferror(stdout) ? 1 : 0;
}

static int run(const choice *c)
{
    check_level level;
    int best = wh_cpu_levels();
    while (!check_level_get(--best, &level) || strcmp(level.name, wh_cpu_best().name) != 0)
        ;
    double ceilings[TYPES][MAX_THREADS], reading[MAX_THREADS];
    for (int n = 1; n <= MAX_THREADS; n++) {
        ceilings[0][n - 1] = check_ceiling_speed(&level, CHECK_F32, n);
        ceilings[1][n - 1] = check_ceiling_speed(&level, CHECK_BF16, n);
        ceilings[2][n - 1] = check_ceiling_speed(&level, CHECK_INT8, n);
        reading[n - 1] = check_ceiling_speed(&level, CHECK_READ, n);
    }
    if (c->json)
        printf("{\"version\": \"%s\", \"level\": \"%s\", \"rows\": [", whisp_version(), level.name);
    else
        printf(
            "libwhisp %s, %s; ceilings of 1 and 2 threads: float32 %.0f, %.0f Gop/s; bf16 %.0f, %.0f; int8 %.0f, %.0f; "
            "reading %.1f, %.1f "
            "GB/s\n\n%-9s %-5s %7s  %-8s %5s %10s %9s %5s %7s %5s\n",
            whisp_version(), level.name, ceilings[0][0], ceilings[0][1], ceilings[1][0], ceilings[1][1], ceilings[2][0],
            ceilings[2][1], reading[0], reading[1], "size", "type", "threads", "stage", "batch", "ms", "Gop/s", "share",
            "GB/s", "share");
    char sizes[256];
    int rc = 0, n_rows = 0;
    snprintf(sizes, sizeof sizes, "%s", c->sizes);
    for (char *size = strtok(sizes, ","); !rc && size; size = strtok(NULL, ","))
        rc = run_size(size, c, ceilings, reading, &n_rows);
    if (c->json)
        printf("\n]}\n");
    return rc ? rc : fflush(stdout) || ferror(stdout) ? 1 : 0;
}

static int usage_error(const char *text)
{
    fprintf(stderr, "whisp-bench: %s; see whisp-bench --help\n", text);
    return 2;
}

int stages_main(int argc, char **argv)
{
    choice c = {"tiny,base,small,medium,large-v3", "1,2", "f32,bf16,f16,int8", "auto", 0, 0};
    if (strcmp(argv[1], "--invent") == 0) {
        if (argc != 4 || !invented_find(argv[2]))
            return usage_error("--invent takes a size (tiny, base, small, medium, large-v3, turbo) and a file");
        return invented_write(invented_find(argv[2]), argv[3]) ? 1 : 0;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            c.json = 1;
            continue;
        }
        const char **text = strcmp(argv[i], "--sizes") == 0          ? &c.sizes
                            : strcmp(argv[i], "--threads") == 0      ? &c.threads
                            : strcmp(argv[i], "--compute_type") == 0 ? &c.types
                            : strcmp(argv[i], "--backend") == 0      ? &c.backend
                                                                     : NULL;
        if (i + 1 == argc || (!text && strcmp(argv[i], "--batch") != 0))
            return usage_error("--stages takes --sizes, --batch, --threads, --backend, --compute_type and --json");
        if (text)
            *text = argv[++i];
        else if ((c.batch = (int)strtol(argv[++i], NULL, 10)) < 1 || c.batch > GPU_BATCH)
            return usage_error("--batch takes 1 to 64");
    }
    int on_gpu = strcmp(c.backend, "cuda") == 0;
    if (!on_gpu && strcmp(c.backend, "auto") != 0)
        return usage_error("--stages: --backend takes auto (the CPU) or cuda");
    if (!on_gpu && c.batch > MAX_BATCH)
        return usage_error("--batch takes 1 to 16 on a CPU");
    c.batch = c.batch ? c.batch : on_gpu ? GPU_BATCH : MAX_BATCH;
    return on_gpu ? run_on_gpu(&c) : run(&c);
}
