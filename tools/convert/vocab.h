/* vocab.h - the vocabulary of a model: taken from its source, from a file, or from a model of the same kind; and where
 * its special tokens are. */
#ifndef CONVERT_VOCAB_H
#define CONVERT_VOCAB_H

#include "source.h"

/* Read the vocabulary file FOLDER/NAME of any kind (JSON list, tokenizer.json, vocab.json, one token a line, tiktoken,
 * GGUF; told by content) into source->pieces and source->added; nothing happens if it is not there. source->dims must
 * be known. */
int vocab_read_in(struct source *source, const char *folder, const char *name);

/* All files of a tokenizer of Hugging Face's that are in a folder; nothing happens if none is there. */
int vocab_read_folder(struct source *source, const char *folder);

/* From the GGUF file that is the source. */
int vocab_from_gguf(struct source *source, const wh_gguf *gguf);

/* Raw bytes, as whisper.cpp stores tokens, into source->pieces[id]; source->pieces must have room. */
int vocab_set_bytes(struct source *source, int id, const unsigned char *bytes, size_t n);

/* Room for n_vocab pieces and added tokens, all NULL, replacing any earlier ones. */
int vocab_begin(struct source *source);

/* spell.c: n bytes in GPT-2's printable notation, which the caller frees; NULL if memory is short. */
char *vocab_spell(const unsigned char *bytes, size_t n);

/* Complete the vocabulary: from `file` if not NULL, else the source's own, else that of a GGUF of the same published
 * model in `model_dir` if not NULL, else in $WHISP_MODEL_DIR, ./models and ~/.cache/whisp. Says on `log` what was
 * taken. Then finds the special tokens, and checks all of it. */
int vocab_complete(struct source *source, const char *file, const char *model_dir, FILE *log);

/* layout.c: the published models. How many ordinary tokens one has that has so many tokens and bands; 0 for others. */
int layout_published(const struct dims *dims);

/* Find source->specials by what the configuration says, by the tokens' names, or, for a published number of tokens that
 * nothing contradicts, in their order there; anything else is an error. source->pieces are then the ordinary tokens,
 * empty where the vocabulary has none. Says on `log` which tokens will never be written. */
int layout_resolve(struct source *source, FILE *log);

/* Whether the layout is one of openai/whisper's: nothing is missing and nothing is extra. */
int layout_is_plain(const struct source *source);

/* Names of all n_vocab tokens, special ones included: tokens[i], NUL-terminated. One allocation besides the pieces;
 * *names is its owner. */
int layout_names(const struct source *source, const char **tokens, size_t *lengths, char **names);

#endif
