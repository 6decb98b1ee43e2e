/* test_crafted_convert.c - checkpoints that somebody has made to break whisp-convert: pickles that call functions or
 * never end, zip bombs, JSON nested without end, folders that name files outside themselves, claims of gigabytes in a
 * kilobyte, and lists so long that only a near linear reader is done with them in time. Each gets an error with a text,
 * within 100 ms and 64 MB plus four times what is there (support/bounds.h), and nothing is called, waited for or written.
 *
 * A few numbers are drawn by a seed that is new each time and printed; WHISP_SEED=N repeats a run. */
#include "support/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../tools/convert/heads.h"
#include "../tools/convert/plan.h"
#include "../tools/convert/source.h"
#include "../tools/convert/vocab.h"
#include "support/bounds.h"

static char folder[64], home[4096]; /* everything is in the one, which is also the current one; where we came from */
static FILE *quiet;
static uint64_t seed;

/* ---- writing ---- */

static void write_bytes(const char *name, const void *data, size_t n)
{
    unlink(name);
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_true(n == 0 || fwrite(data, 1, n, file) == n);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static void write_buf(const char *name, wh_buf *b)
{
    assert_false(b->failed);
    write_bytes(name, b->data, b->length);
    wh_buf_free(b);
}

static void put(wh_buf *b, uint64_t value, int bytes)
{
    assert_true(bytes <= 8);
    wh_buf_append(b, &value, (size_t)bytes);
}

static void repeat(wh_buf *b, const char *bytes, size_t n, size_t times)
{
    for (size_t i = 0; i < times; i++)
        wh_buf_append(b, bytes, n);
}

/* Removes what is in a folder, and whether anything of a name was there. */
static void empty_folder(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char name[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0) {
            empty_folder(name);
            rmdir(name);
        }
    }
    if (dir)
        closedir(dir);
}

/* ---- reading ---- */

typedef struct attempt {
    const char *path;
    int rc;
    char text[1100];
} attempt;

/* What main.c does, up to the point where it writes. */
static void read_checkpoint(void *user)
{
    attempt *a = user;
    struct source s;
    a->rc = source_open(a->path, &s);
    if (!a->rc) {
        if (s.kind == SOURCE_WHISPER && !(a->rc = vocab_complete(&s, NULL, "in", quiet)) &&
            !(a->rc = heads_complete(&s, NULL, NULL, quiet)))
            a->rc = plan_output(&s, quiet);
        source_close(&s);
    }
    snprintf(a->text, sizeof a->text, "%s", a->rc ? whisp_last_error() : "");
}

/* Refused, with a text that holds `reason`. The input has so many bytes. */
static void refuse(const char *what, const char *path, size_t size, const char *reason)
{
    attempt a = {.path = path};
    within_bounds(what, size, read_checkpoint, &a);
    if (!a.rc || strstr(a.text, "out of memory") || strlen(a.text) < 10 || !strstr(a.text, reason))
        fail_msg("%s: %d, '%s', which has no '%s'", what, a.rc, a.text, reason);
}

/* ---- archives ---- */

typedef struct member {
    const char *name;
    const void *data;
    size_t n;              /* bytes that are there */
    uint64_t claim;        /* the size that the directory claims; 0: n */
    unsigned method;       /* 0: stored */
    const size_t *pointer; /* its header is claimed to be there */
} member;

/* A zip archive without compression, whatever it claims. */
static void put_zip(wh_buf *b, const member *members, size_t n)
{
    size_t *places = calloc(n + 1, sizeof *places), start;
    assert_non_null(places);
    for (size_t i = 0; i < n; i++) {
        const member *m = &members[i];
        places[i] = b->length;
        put(b, 0x04034b50, 4);
        put(b, 20, 4);
        put(b, m->method, 2);
        put(b, 0, 4);
        put(b, crc32(0, m->data ? m->data : (const void *)"", (uInt)m->n), 4);
        put(b, m->n, 4);
        put(b, m->claim ? m->claim : m->n, 4);
        put(b, strlen(m->name), 4);
        wh_buf_puts(b, m->name);
        wh_buf_append(b, m->data, m->n);
    }
    start = b->length;
    for (size_t i = 0; i < n; i++) {
        const member *m = &members[i];
        put(b, 0x02014b50, 4);
        put(b, 20, 2);
        put(b, 20, 4);
        put(b, m->method, 2);
        put(b, 0, 4);
        put(b, crc32(0, m->data ? m->data : (const void *)"", (uInt)m->n), 4);
        put(b, m->method ? m->n : m->claim ? m->claim : m->n, 4);
        put(b, m->claim ? m->claim : m->n, 4);
        put(b, strlen(m->name), 4);
        put(b, 0, 8);
        put(b, 0, 2);
        wh_buf_append(b, &(uint32_t){(uint32_t)(m->pointer ? *m->pointer : places[i])}, 4);
        wh_buf_puts(b, m->name);
    }
    size_t end = b->length;
    put(b, 0x06054b50, 4);
    put(b, 0, 4);
    put(b, WH_MIN(n, (size_t)65535), 2);
    put(b, WH_MIN(n, (size_t)65535), 2);
    put(b, end - start, 4);
    put(b, start, 4);
    put(b, 0, 2);
    free(places);
}

static void refuse_archive(const char *what, const member *members, size_t n, const char *reason)
{
    wh_buf zip = {0};
    put_zip(&zip, members, n);
    size_t size = zip.length;
    write_buf("in/model.pt", &zip);
    refuse(what, "in/model.pt", size, reason);
}

static void archives(void **state)
{
    (void)state;
    static const char pickle[] = "\x80\x02}q\x00.", zeros[100000];
    static const size_t nowhere = 0x7fffffff, first = 0;
    const member plain = {.name = "a/data.pkl", .data = pickle, .n = sizeof pickle - 1};
    const member bombs[] = {
        {.name = "a/data.pkl", .data = zeros, .n = 1000, .claim = 0x7fffffff, .method = 8}, /* 2 GB of zeros */
        {.name = "a/data.pkl", .data = zeros, .n = 1000, .claim = 0x7fffffff},
        {.name = "a/data.pkl", .data = zeros, .n = 1000, .claim = 0xffffffff},
        {.name = "a/data.pkl", .data = pickle, .n = sizeof pickle - 1, .claim = 1000},
        {.name = "a/data.pkl", .data = pickle, .n = sizeof pickle - 1, .method = 8},
        {.name = "a/data.pkl", .data = pickle, .n = sizeof pickle - 1, .pointer = &nowhere},
    };
    for (size_t i = 0; i < WH_COUNT(bombs); i++)
        refuse_archive("a zip bomb, or a size that is none", &bombs[i], 1, "in/model.pt: truncated or damaged");
    const member overlap[] = {plain, {.name = "a/data/0", .data = zeros, .n = 1000, .pointer = &first}};
    refuse_archive("files that overlap", overlap, 2, "overlap");
    const member twice[] = {plain, plain};
    refuse_archive("a file twice", twice, 2, "one name");
    const member escapes[] = {{.name = "../../../../tmp/data.pkl", .data = pickle, .n = sizeof pickle - 1},
                              {.name = "/etc/passwd", .data = zeros, .n = 10}};
    refuse_archive("names outside", escapes, 2, "no tensors");
    refuse_archive("nothing", NULL, 0, "");
    /* 100,000 files, and as many as the format counts */
    size_t n = 100000;
    char(*names)[16] = calloc(n, sizeof *names);
    member *many = calloc(n, sizeof *many);
    assert_true(names && many);
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "a/data/%zu", i);
        many[i].name = names[i];
    }
    refuse_archive("100,000 files", many, n, "damaged");
    many[65000] = plain;
    refuse_archive("65,001 files", many, 65001, "no tensors");
    free(names);
    free(many);
    /* directories that are not where they should be, after the end mark of an empty archive */
    for (int i = 0; i < 60; i++) {
        wh_buf zip = {0};
        put_zip(&zip, &plain, 1);
        size_t at = zip.length - 22 + 4 + (size_t)(random_unit(&seed) * 16);
        uint32_t value = random_unit(&seed) < 0.5 ? UINT32_MAX : (uint32_t)(random_unit(&seed) * 4e9);
        memcpy(zip.data + WH_MIN(at, zip.length - 4), &value, 4);
        size_t size = zip.length;
        write_buf("in/model.pt", &zip);
        refuse("an end of random numbers", "in/model.pt", size, "in/model.pt");
    }
}

/* ---- pickles ---- */

static void refuse_pickle(const char *what, wh_buf *pickle, const char *reason)
{
    const member m = {.name = "archive/data.pkl", .data = pickle->data, .n = pickle->length};
    assert_false(pickle->failed);
    refuse_archive(what, &m, 1, reason);
    wh_buf_free(pickle);
}

/* Functions that Python would call while it loads. */
static void pickles_that_call(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } pickles[] = {
#define PICKLE(text) {text, sizeof text - 1}
        PICKLE("\x80\x02"
               "cos\nsystem\nX\x0b\0\0\0touch owned\x85R."),
        PICKLE("cos\nsystem\n(S'touch owned'\ntR."),
        PICKLE("c__builtin__\neval\n(V__import__('os').system('touch owned')\ntR."),
        PICKLE("(S'touch owned'\nios\nsystem\n."),  /* INST */
        PICKLE("(cos\nsystem\nS'touch owned'\no."), /* OBJ */
        PICKLE("\x80\x02"
               "csubprocess\nPopen\nX\x0b\0\0\0touch owned\x85\x81."), /* NEWOBJ */
        PICKLE("\x80\x02"
               "cposix\nsystem\nX\x0b\0\0\0touch owned\x85R}b."),                  /* and BUILD */
        PICKLE("\x80\x02}X\x01\0\0\0acos\nsystem\nX\x0b\0\0\0touch owned\x85Rs."), /* in a state dict */
#undef PICKLE
    };
    for (size_t i = 0; i < WH_COUNT(pickles); i++) {
        wh_buf b = {0};
        wh_buf_append(&b, pickles[i].bytes, pickles[i].n);
        refuse_pickle("a pickle that calls", &b, "in/model.pt");
        assert_int_not_equal(access("owned", F_OK), 0);
    }
}

static void pickles_without_end(void **state)
{
    (void)state;
    const struct {
        const char *what, *begin;
        size_t n_begin;
        const char *bytes;
        size_t n, times;
        const char *end;
    } list[] = {
        {"one object again and again", "}", 1, "2", 1, 7000000, "."},
        {"marks", "", 0, "(", 1, 7000000, "."},
        {"empty lists", "(", 1, "]", 1, 7000000, "l."},
        {"tuples in tuples", ")", 1, "\x85", 1, 7000000, "."},
        {"tuples of the same", "N", 1, "222\x87", 4, 1500000, "."},
        {"a list that holds itself", "]q\0", 3, "h\0a", 3, 2000000, "."},
        {"lists that double", "]", 1, "q\0(h\0h\0e", 8, 800000, "."},
        {"a memo without end", "N", 1, "\x94", 1, 7000000, "."},
        {"names in a dictionary", "}", 1, "K\1K\2s", 5, 1500000, "."},
        {"calls of calls", "cos\nsystem\n", 11, ")R", 2, 3500000, "."},
        {"protocols", "", 0, "\x80\2", 2, 3500000, "."},
        {"popped again", "", 0, "N0", 2, 3500000, "N."},
        {"marks popped again", "N", 1, "(NN1", 4, 1500000, "."},
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        wh_buf b = {0};
        wh_buf_append(&b, list[i].begin, list[i].n_begin);
        repeat(&b, list[i].bytes, list[i].n, list[i].times);
        wh_buf_puts(&b, list[i].end);
        refuse_pickle(list[i].what, &b, "in/model.pt");
    }
    static const struct {
        const char *bytes;
        size_t n;
    } claims[] = {{"\x8b\xff\xff\xff\x7f", 5}, /* LONG4 */
                  {"\x8b\xff\xff\xff\xff", 5},
                  {"\x8a\xff", 2},
                  {"X\xff\xff\xff\x7f", 5},
                  {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", 9},
                  {"\x8e\0\0\0\0\0\0\0\x80", 9},
                  {"B\xff\xff\xff\xff", 5},
                  {"r\xff\xff\xff\xff", 5},
                  {"Nr\xff\xff\xff\x7f", 6},
                  {"j\xff\xff\xff\xff", 5},
                  {"\x84\xff\xff\xff\xff", 5},
                  {"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
                  {"cos", 3}};
    for (size_t i = 0; i < WH_COUNT(claims); i++) {
        wh_buf b = {0};
        wh_buf_append(&b, claims[i].bytes, claims[i].n);
        wh_buf_puts(&b, ".");
        refuse_pickle("a claim in a pickle", &b, "in/model.pt");
    }
}

/* ---- JSON ---- */

static const char config_good[] =
    "{\"model_type\":\"whisper\",\"num_mel_bins\":2,\"vocab_size\":1766,\"max_source_positions\":3,\"d_model\":4,"
    "\"encoder_attention_heads\":1,\"encoder_layers\":1,\"max_target_positions\":4,\"decoder_attention_heads\":1,"
    "\"decoder_layers\":1}";

/* A folder with a configuration and an empty list of tensors. */
static void make_folder(void)
{
    empty_folder("in");
    write_text("in/config.json", config_good);
    write_bytes("in/model.safetensors", "\2\0\0\0\0\0\0\0{}", 10);
}

/* Documents that are bad wherever they stand. */
static void put_document(wh_buf *b, int which)
{
    switch (which) {
    case 0: repeat(b, "[", 1, 100000); break;
    case 1: repeat(b, "{\"a\":", 5, 100000); break;
    case 2: /* a list of lists */
        wh_buf_puts(b, "[");
        repeat(b, "[],", 3, 1000000);
        wh_buf_puts(b, "[]]");
        break;
    case 3:
        wh_buf_puts(b, "{\"a\":[");
        repeat(b, "{},", 3, 1000000);
        wh_buf_puts(b, "{}]}");
        break;
    case 4: wh_buf_puts(b, "{\"a\": \"\xff\xfe\"}"); break;
    case 5: /* a number of many digits */
        wh_buf_puts(b, "{\"vocab_size\": ");
        repeat(b, "9", 1, 100000);
        wh_buf_puts(b, "}");
        break;
    case 6: wh_buf_puts(b, "{\"vocab_size\": 1e99999}"); break;
    case 7: wh_buf_puts(b, "{\"a\": 1"); break;
    case 8: /* a string without an end */
        wh_buf_puts(b, "{\"");
        repeat(b, "\\", 1, 300001);
        break;
    case 9: wh_buf_append(b, "\0\0\0\0", 4); break;
    case 10: wh_buf_puts(b, "{\"a\":1,\"a\":2}"); break;
    case 11: wh_buf_puts(b, "[1,2,3]"); break;
    case 12: /* 16 MB of a name */
        wh_buf_puts(b, "{\"");
        repeat(b, "0123456789abcdef", 16, 1 << 20);
        wh_buf_puts(b, "\":1}");
        break;
    case 13: /* a million numbers */
        wh_buf_puts(b, "{\"a\":[");
        repeat(b, "1,", 2, 1000000);
        wh_buf_puts(b, "1]}");
        break;
    default: wh_buf_puts(b, "null"); break;
    }
}

#define DOCUMENTS 15

static void documents(void **state)
{
    (void)state;
    static const char *const files[] = {"config.json", "generation_config.json",       "tokenizer.json",
                                        "vocab.json",  "model.safetensors.index.json", "model.safetensors"};
    for (size_t f = 0; f < WH_COUNT(files); f++)
        for (int which = 0; which < DOCUMENTS; which++) {
            char path[64], what[128];
            wh_buf b = {0};
            make_folder();
            snprintf(path, sizeof path, "in/%s", files[f]);
            if (f == 4)
                unlink("in/model.safetensors");
            if (f == 5) { /* the length of the head before it */
                wh_buf text = {0};
                put_document(&text, which);
                put(&b, text.length, 8);
                wh_buf_append(&b, text.data, text.length);
                wh_buf_free(&text);
            } else
                put_document(&b, which);
            size_t size = b.length;
            write_buf(path, &b);
            snprintf(what, sizeof what, "document %d as %s", which, files[f]);
            refuse(what, "in", size + 1000, "in");
        }
}

/* Each of the configuration's numbers at its extremes, and of other types. */
static void configurations(void **state)
{
    (void)state;
    static const char *const values[] = {"0",     "-1",     "2147483647", "2147483648", "9223372036854775807",
                                         "1e300", "true",   "null",       "\"4\"",      "[4]",
                                         "{}",    "1048576"};
    for (const char *at = strstr(config_good, "num_mel"); at; at = strchr(at, ',') ? strchr(at, ',') + 2 : NULL)
        for (size_t i = 0; i < WH_COUNT(values); i++) {
            wh_buf b = {0};
            const char *colon = strchr(at, ':');
            wh_buf_append(&b, config_good, (size_t)(colon + 1 - config_good));
            wh_buf_puts(&b, values[i]);
            wh_buf_puts(&b, colon + 1 + strcspn(colon + 1, ",}"));
            make_folder();
            write_buf("in/config.json", &b);
            refuse(at, "in", 1000, "in");
        }
}

/* Offsets and shapes that are not in the file. */
static void safetensors(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "{\"dtype\":\"F32\",\"shape\":[1766,4],\"data_offsets\":[0,2147483648]}",
        "{\"dtype\":\"F32\",\"shape\":[1766,4],\"data_offsets\":[-28256,0]}",
        "{\"dtype\":\"F32\",\"shape\":[1766,4],\"data_offsets\":[9223372036854775807,9223372036854775807]}",
        "{\"dtype\":\"F32\",\"shape\":[1766,4],\"data_offsets\":[28256,0]}",
        "{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}",
        "{\"dtype\":\"F32\",\"shape\":[2147483648,2147483648],\"data_offsets\":[0,0]}",
        "{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[0,0]}",
        "{\"dtype\":\"F32\",\"shape\":[-1766,-4],\"data_offsets\":[0,0]}",
        "{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}",
        "{\"dtype\":\"F32\",\"shape\":\"4\",\"data_offsets\":{}}",
        "{\"dtype\":7,\"shape\":[],\"data_offsets\":[]}",
        "{\"dtype\":\"I8\",\"shape\":[1766,4],\"data_offsets\":[0,7064]}",
        "[]",
    };
    for (size_t i = 0; i < WH_COUNT(entries); i++) {
        wh_buf b = {0};
        static const char key[] = "{\"model.decoder.embed_tokens.weight\":";
        make_folder();
        put(&b, strlen(key) + strlen(entries[i]) + 1, 8);
        wh_buf_puts(&b, key);
        wh_buf_puts(&b, entries[i]);
        wh_buf_puts(&b, "}");
        write_buf("in/model.safetensors", &b);
        refuse(entries[i], "in", 1000, "in/model.safetensors");
    }
    static const uint64_t lengths[] = {0, 1, 3, 0x7fffffff, 0xffffffff, UINT64_MAX, INT64_MAX};
    for (size_t i = 0; i < WH_COUNT(lengths); i++) {
        wh_buf b = {0};
        make_folder();
        put(&b, lengths[i], 8);
        wh_buf_puts(&b, "{}");
        write_buf("in/model.safetensors", &b);
        refuse("the length of a head", "in", 1000, "in/model.safetensors");
    }
}

/* ---- folders ---- */

static void folders(void **state)
{
    (void)state;
    static const char *const indexes[] = {
        "{\"weight_map\": {\"a\": \"../../../../etc/passwd\"}}",
        "{\"weight_map\": {\"a\": \"/etc/passwd\"}}",
        "{\"weight_map\": {\"a\": \"..\"}}",
        "{\"weight_map\": {\"a\": \".\"}}",
        "{\"weight_map\": {\"a\": \"\"}}",
        "{\"weight_map\": {\"a\": \"missing.safetensors\"}}",
        "{\"weight_map\": {\"a\": \"model.safetensors.index.json\"}}",
        "{\"weight_map\": {\"a\": 7}}",
        "{\"weight_map\": {}}",
        "{\"weight_map\": [\"a\"]}",
        "{}",
    };
    for (size_t i = 0; i < WH_COUNT(indexes); i++) {
        make_folder();
        unlink("in/model.safetensors");
        write_text("in/model.safetensors.index.json", indexes[i]);
        refuse(indexes[i], "in", 1000, "in/");
    }
    /* what is no file, in the place of each file: the others are there so that it is looked at */
    static const char *const files[] = {"config.json",    "generation_config.json", "model.safetensors",
                                        "tokenizer.json", "pytorch_model.bin",      "model.safetensors.index.json",
                                        "model.bin"};
    for (size_t f = 0; f < WH_COUNT(files); f++)
        for (int kind = 0; kind < 5; kind++) {
            char path[64], what[128];
            make_folder();
            if (f > 3)
                unlink("in/model.safetensors");
            snprintf(path, sizeof path, "in/%s", files[f]);
            unlink(path);
            int rc = kind == 0   ? mkfifo(path, 0600)
                     : kind == 1 ? mkdir(path, 0700)
                     : kind == 2 ? symlink(files[f], path) /* to itself */
                     : kind == 3 ? symlink("/dev/zero", path)
                                 : symlink(".", path);
            assert_int_equal(rc, 0);
            snprintf(what, sizeof what, "%s as %s", files[f],
                     (const char *const[]){"a FIFO", "a folder", "a loop", "/dev/zero", "its own folder"}[kind]);
            refuse(what, "in", 1000, "in");
        }
    empty_folder("in");
    mkfifo("in/fifo", 0600);
    refuse("a FIFO", "in/fifo", 0, "save it to a file");
    refuse("/dev/zero", "/dev/zero", 0, "neither a file nor a folder");
    refuse("an empty folder", "in", 0, "no model in this folder");
}

/* ---- long lists ---- */

/* An index of so many tensors in so many files. */
static void refuse_index(const char *what, int tensors, int files, const char *reason)
{
    wh_buf b = {0};
    make_folder();
    unlink("in/model.safetensors");
    wh_buf_puts(&b, "{\"weight_map\": {");
    for (int i = 0; i < tensors; i++)
        wh_buf_printf(&b, "%s\"t%d\": \"s%d\"", i ? "," : "", i, i % files);
    wh_buf_puts(&b, "}}");
    size_t size = b.length;
    write_buf("in/model.safetensors.index.json", &b);
    refuse(what, "in", size, reason);
}

static void ct2_string(wh_buf *b, const char *text)
{
    put(b, strlen(text) + 1, 2);
    wh_buf_append(b, text, strlen(text) + 1);
}

/* CTranslate2's model.bin with so many variables and aliases, of which count_layers() finds 65,535 layers. */
static void refuse_ct2(const char *what, uint32_t variables, uint32_t aliases, int claims)
{
    wh_buf b = {0};
    char name[64];
    make_folder();
    unlink("in/model.safetensors");
    put(&b, 6, 4);
    ct2_string(&b, "WhisperSpec");
    put(&b, 3, 4);
    put(&b, claims ? 0x7fffffff : variables, 4);
    for (uint32_t i = 0; i < variables; i++) {
        snprintf(name, sizeof name, "v%u", i);
        ct2_string(&b, name);
        put(&b, 1, 1);
        put(&b, claims ? 0xffffffff : 1, 4);
        put(&b, 1, 1);
        put(&b, claims ? 0xffffffff : 1, 4);
        put(&b, 0, 1);
    }
    put(&b, aliases, 4);
    for (uint32_t i = 0; i < aliases; i++) {
        snprintf(name, sizeof name, "%s/layer_%u/ffn/linear_0/weight", i & 1 ? "encoder" : "decoder", i / 2);
        ct2_string(&b, name);
        ct2_string(&b, "v0");
    }
    size_t size = b.length;
    write_buf("in/model.bin", &b);
    refuse(what, "in", size, "in");
}

/* whisper.cpp's file with so many tensors of one number. */
static void refuse_ggml(const char *what, int tensors, int claims)
{
    static const uint32_t dims[] = {1766, 3, 4, 1, 1, 4, 4, 1, 1, 2, 0, 1, 1, 0};
    wh_buf b = {0};
    wh_buf_puts(&b, "lmgg");
    wh_buf_append(&b, dims, sizeof dims);
    put(&b, claims ? 0x7fffffff : 256, 4);
    for (int i = 0; i < 256; i++) {
        put(&b, claims ? 0x7fffffff : 1, 4);
        put(&b, (uint64_t)i, 1);
    }
    for (int i = 0; i < tensors; i++) {
        char name[32];
        snprintf(name, sizeof name, "tensor.%d", i);
        put(&b, 1, 4);
        put(&b, strlen(name), 4);
        put(&b, 0, 4);
        put(&b, 1, 4);
        wh_buf_puts(&b, name);
        put(&b, 0, 4);
    }
    size_t size = b.length;
    write_buf("in/ggml.bin", &b);
    refuse(what, "in/ggml.bin", size, "in/ggml.bin");
}

static void long_lists(void **state)
{
    (void)state;
    refuse_index("50,000 tensors in 1,000 shards", 50000, 1000, "in/s0");
    refuse_index("50,000 tensors in 50,000 shards", 50000, 50000, "in/s0");
    refuse_ct2("65,536 aliases", 1, 65536, 0);
    refuse_ct2("65,536 variables", 65536, 1, 0);
    refuse_ct2("2 GB claims", 20, 0, 1);
    refuse_ggml("16,384 tensors", 16384, 0);
    refuse_ggml("20,000 tensors", 20000, 0);
    refuse_ggml("2 GB claims", 20, 1);
    empty_folder("in");
    wh_buf b = {0}; /* safetensors of 16,384 tensors that are Whisper's */
    make_folder();
    put(&b, 0, 8);
    wh_buf_puts(&b, "{");
    for (int i = 0; i < 16384; i++)
        wh_buf_printf(&b, "%s\"encoder.layers.%d.%s.bias\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}",
                      i ? "," : "", i % 4096,
                      (const char *const[]){"fc1", "fc2", "final_layer_norm", "self_attn_layer_norm"}[i / 4096]);
    wh_buf_puts(&b, "}");
    uint64_t length = b.length - 8;
    memcpy(b.data, &length, 8);
    put(&b, 0, 2);
    size_t size = b.length;
    write_buf("in/model.safetensors", &b);
    refuse("16,384 tensors of safetensors, in one place", "in", size, "overlap");
}

/* 50,000 tokens added to a vocabulary, by names that nothing has given a number. */
static void added_tokens(void **state)
{
    (void)state;
    enum { VOCAB = 51865, D = 2 };
    wh_buf b = {0};
    make_folder();
    wh_buf_puts(&b,
                "{\"model_type\":\"whisper\",\"num_mel_bins\":80,\"vocab_size\":51865,\"max_source_positions\":1500,"
                "\"d_model\":2,\"encoder_attention_heads\":1,\"encoder_layers\":1,\"max_target_positions\":448,"
                "\"decoder_attention_heads\":1,\"decoder_layers\":1}");
    write_buf("in/config.json", &b);
    wh_buf_puts(&b, "{");
    for (int i = 0; i < 1000; i++)
        wh_buf_printf(&b, "%s\"t%d\":%d", i ? "," : "", i, i);
    wh_buf_puts(&b, "}");
    write_buf("in/vocab.json", &b);
    wh_buf_puts(&b, "{\"additional_special_tokens\":[");
    for (int i = 0; i < 50000; i++)
        wh_buf_printf(&b, "%s\"added%d\"", i ? "," : "", i);
    wh_buf_puts(&b, "]}");
    size_t size = b.length;
    write_buf("in/special_tokens_map.json", &b);
    static const char head[] =
        "{\"decoder.embed_tokens.weight\":{\"dtype\":\"F16\",\"shape\":[51865,2],\"data_offsets\":"
        "[0,207460]}}";
    static const char zeros[VOCAB * D * 2];
    put(&b, strlen(head), 8);
    wh_buf_puts(&b, head);
    wh_buf_append(&b, zeros, sizeof zeros);
    size += b.length;
    write_buf("in/model.safetensors", &b);
    refuse("50,000 added tokens", "in", size, "in");
}

/* ---- Silero VAD's ONNX ---- */

static void onnx(void **state)
{
    (void)state;
    static const char begin[] = "\x08\x08\x12\x04test";
    static const struct {
        const char *bytes;
        size_t n, times;
    } list[] = {
        {"\x3a\xff\xff\xff\xff\x07", 6, 1},                              /* a graph of 2 GB */
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, 1},             /* and of 2^63 bytes */
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13, 1}, /* a number without end */
        {"\x3a\x02\x2a\x7f", 4, 1},                                      /* a tensor longer than the graph */
        {"\x3a\x02\x2a\x00", 4, 1000000},                                /* empty tensors */
        {"\x3a\x04\x2a\x02\x0a\x7f", 6, 1},                              /* dimensions longer than the tensor */
        {"\x3a\x06\x2a\x04\x4a\xff\xff\x7f", 8, 1},
        {"\x3b\x3c", 2, 100000}, /* groups */
        {"\x00\x00", 2, 100000}, /* field 0 */
    };
    for (size_t i = 0; i < WH_COUNT(list); i++) {
        wh_buf b = {0};
        wh_buf_append(&b, begin, sizeof begin - 1);
        repeat(&b, list[i].bytes, list[i].n, list[i].times);
        size_t size = b.length;
        write_buf("in/silero.onnx", &b);
        refuse("a damaged ONNX file", "in/silero.onnx", size, "in/silero.onnx");
    }
}

/* The file that is written where none is named: in the current folder, by a name that does nothing to a terminal. */
static void names_of_outputs(void **state)
{
    (void)state;
    static const char *const hints[][2] = {{"a/../../b", "b"},       {"..", "whisper"},   {".", "whisper"},
                                           {"/", "whisper"},         {"a/..", "whisper"}, {"x\x1b[2J\n.pt", "x?[2J?"},
                                           {"a\\..\\b", "a\\..\\b"}, {"", "whisper"}};
    for (size_t i = 0; i < WH_COUNT(hints); i++) {
        char hint[64], name[256];
        snprintf(hint, sizeof hint, "%s", hints[i][0]);
        const struct source s = {.path = "in", .hint = hint};
        heads_name(&s, NULL, name, sizeof name);
        assert_string_equal(name, hints[i][1]);
    }
}

/* ---- set-up ---- */

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/whisp-crafted-XXXXXX");
    quiet = fopen("/dev/null", "w");
    if (!getcwd(home, sizeof home) || !mkdtemp(folder) || chdir(folder) || mkdir("in", 0700) || !quiet)
        return -1;
    seed = test_seed();
    return setenv("HOME", folder, 1) || unsetenv("WHISP_MODEL_DIR");
}

static int clear(void **state)
{
    (void)state;
    empty_folder("in");
    return 0;
}

/* Nothing was written beside what was made to be read. */
static int end(void **state)
{
    clear(state);
    fclose(quiet);
    return rmdir("in") || chdir(home) || rmdir(folder);
}

int main(void)
{
    alarm(600); /* a hang ends the test */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(archives, clear),
        cmocka_unit_test_teardown(pickles_that_call, clear),
        cmocka_unit_test_teardown(pickles_without_end, clear),
        cmocka_unit_test_teardown(documents, clear),
        cmocka_unit_test_teardown(configurations, clear),
        cmocka_unit_test_teardown(safetensors, clear),
        cmocka_unit_test_teardown(folders, clear),
        cmocka_unit_test_teardown(long_lists, clear),
        cmocka_unit_test_teardown(added_tokens, clear),
        cmocka_unit_test_teardown(onnx, clear),
        cmocka_unit_test(names_of_outputs),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
