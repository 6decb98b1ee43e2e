/* names.c - the tensors of a state dict, whoever saved it: their names in openai/whisper's words, and what their shapes
 * say of the model's dimensions. */
#include <stdio.h>
#include <string.h>

#include "source.h"

#define CHANNELS_A_HEAD 64 /* in every published Whisper */

/* Hugging Face's names inside a layer, and openai/whisper's. */
static const char *const parts[][2] = {
    {"self_attn.q_proj.", "attn.query."},
    {"self_attn.k_proj.", "attn.key."},
    {"self_attn.v_proj.", "attn.value."},
    {"self_attn.out_proj.", "attn.out."},
    {"self_attn_layer_norm.", "attn_ln."},
    {"encoder_attn.q_proj.", "cross_attn.query."},
    {"encoder_attn.k_proj.", "cross_attn.key."},
    {"encoder_attn.v_proj.", "cross_attn.value."},
    {"encoder_attn.out_proj.", "cross_attn.out."},
    {"encoder_attn_layer_norm.", "cross_attn_ln."},
    {"fc1.", "mlp.0."},
    {"fc2.", "mlp.2."},
    {"final_layer_norm.", "mlp_ln."},
};

static const char *const wholes[][2] = {
    {"encoder.conv1.weight", "encoder.conv1.weight"},
    {"encoder.conv1.bias", "encoder.conv1.bias"},
    {"encoder.conv2.weight", "encoder.conv2.weight"},
    {"encoder.conv2.bias", "encoder.conv2.bias"},
    {"encoder.embed_positions.weight", "encoder.positional_embedding"},
    {"encoder.positional_embedding", "encoder.positional_embedding"},
    {"encoder.layer_norm.weight", "encoder.ln_post.weight"},
    {"encoder.layer_norm.bias", "encoder.ln_post.bias"},
    {"encoder.ln_post.weight", "encoder.ln_post.weight"},
    {"encoder.ln_post.bias", "encoder.ln_post.bias"},
    {"decoder.embed_tokens.weight", "decoder.token_embedding.weight"},
    {"decoder.token_embedding.weight", "decoder.token_embedding.weight"},
    {"decoder.embed_positions.weight", "decoder.positional_embedding"},
    {"decoder.positional_embedding", "decoder.positional_embedding"},
    {"decoder.layer_norm.weight", "decoder.ln.weight"},
    {"decoder.layer_norm.bias", "decoder.ln.bias"},
    {"decoder.ln.weight", "decoder.ln.weight"},
    {"decoder.ln.bias", "decoder.ln.bias"},
    {"proj_out.weight", "decoder.output.weight"},
};

/* Silero VAD's (silero.c) stay as they are. */
static const char *const silero[] = {"stft_conv.", "conv1.", "conv2.", "conv3.", "conv4.", "lstm_cell.", "final_conv."};

/* What wraps a model in somebody's class, in data-parallel training, torch.compile() or peft puts before each name. */
static const char *const wrappers[] = {"model.", "module.", "_orig_mod.", "base_model.", "whisper.", "net."};

static const char *unwrap(const char *name)
{
    for (size_t i = 0; i < WH_COUNT(wrappers);) {
        size_t n = strlen(wrappers[i]);
        if (strncmp(name, wrappers[i], n) == 0) {
            name += n;
            i = 0;
        } else {
            i++;
        }
    }
    return name;
}

/* "weight" or "bias" of a part of a layer, in either's words. */
static int translate_part(const char *part, const char **ours, const char **last)
{
    for (size_t i = 0; i < WH_COUNT(parts); i++)
        for (int side = 0; side < 2; side++) {
            size_t n = strlen(parts[i][side]);
            *last = part + n;
            *ours = parts[i][1];
            if (strncmp(part, parts[i][side], n) == 0 && (strcmp(*last, "weight") == 0 || strcmp(*last, "bias") == 0))
                return 1;
        }
    return 0;
}

int translate_name(const char *name, char *out, size_t capacity)
{
    const char *ours, *last;
    char side[8], kind[8];
    int layer, rest = 0;
    for (size_t i = 0; i < WH_COUNT(silero); i++)
        if (strncmp(name, silero[i], strlen(silero[i])) == 0)
            return (size_t)snprintf(out, capacity, "%s", name) < capacity;
    name = unwrap(name);
    for (size_t i = 0; i < WH_COUNT(wholes); i++)
        if (strcmp(name, wholes[i][0]) == 0)
            return snprintf(out, capacity, "%s", wholes[i][1]) > 0;
    /* four digits are an int: NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(name, "%7[a-z].%7[a-z].%4d.%n", side, kind, &layer, &rest) != 3 || rest == 0 || layer < 0 ||
        (strcmp(side, "encoder") != 0 && strcmp(side, "decoder") != 0) ||
        (strcmp(kind, "layers") != 0 && strcmp(kind, "blocks") != 0) || !translate_part(name + rest, &ours, &last))
        return 0;
    return (size_t)snprintf(out, capacity, "%s.blocks.%d.%s%s", side, layer, ours, last) < capacity;
}

int is_adapter_name(const char *name)
{
    return strstr(name, ".lora_") || strstr(name, ".base_layer.") || strncmp(name, "lora_", 5) == 0;
}

int fail_adapter(const char *path)
{
    return wh_fail(WHISP_ERR_MODEL,
                   "%s: a LoRA adapter that is not merged into its model; merge it (with peft: "
                   "model.merge_and_unload()), save_pretrained() the result and convert that",
                   path);
}

static int count_blocks(const struct source *s, const char *side)
{
    char name[64];
    int n = 0;
    do
        snprintf(name, sizeof name, "%s.blocks.%d.mlp.0.weight", side, n);
    while (source_find(s, name) && ++n < 4096);
    return n;
}

/* Dimension i of a tensor, 0 where there is none. */
static int extent(const struct source *s, const char *name, int i)
{
    const struct tensor *t = source_find(s, name);
    return t && i < t->n_dims && t->shape[i] > 0 && t->shape[i] < 1 << 24 ? (int)t->shape[i] : 0;
}

int derive_dims(struct source *s)
{
    struct dims *d = &s->dims;
    d->n_mels = extent(s, "encoder.conv1.weight", 1);
    d->n_audio_state = extent(s, "encoder.conv1.weight", 0);
    d->n_audio_ctx = extent(s, "encoder.positional_embedding", 0);
    if (d->n_audio_ctx == 0) /* sinusoids that were left out: all published models have 1500 */
        d->n_audio_ctx = 1500;
    d->n_audio_layer = count_blocks(s, "encoder");
    d->n_vocab = extent(s, "decoder.token_embedding.weight", 0);
    d->n_text_state = extent(s, "decoder.token_embedding.weight", 1);
    d->n_text_ctx = extent(s, "decoder.positional_embedding", 0);
    d->n_text_layer = count_blocks(s, "decoder");
    if (!d->n_mels || !d->n_vocab || !d->n_audio_layer || !d->n_text_layer)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: not a Whisper checkpoint: it has no tensors by the names of "
                       "openai/whisper or Hugging Face for the whole of a model",
                       s->path);
    if (d->n_text_state % CHANNELS_A_HEAD)
        return wh_fail(WHISP_ERR_MODEL,
                       "%s: %d channels are not a multiple of %d, so the number of attention heads "
                       "cannot be told; save the model with its configuration (save_pretrained(), or openai/whisper's "
                       "dims)",
                       s->path, d->n_text_state, CHANNELS_A_HEAD);
    d->n_audio_head = d->n_audio_state / CHANNELS_A_HEAD;
    d->n_text_head = d->n_text_state / CHANNELS_A_HEAD;
    return source_check_dims(s);
}
