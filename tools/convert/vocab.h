/* vocab.h - the vocabulary of a model: taken from its source, from a file, or from a model of the same kind. */
#ifndef CONVERT_VOCAB_H
#define CONVERT_VOCAB_H

#include "source.h"

/* Read a vocabulary file of any kind (JSON list, tokenizer.json, vocab.json, one token a line, tiktoken, GGUF; told by
 * content) into source->pieces. source->dims must be known. */
int vocab_read(struct source *source, const char *path);

/* The same for FOLDER/NAME; nothing happens if it is not there. */
int vocab_read_in(struct source *source, const char *folder, const char *name);

/* From the GGUF file that is the source. */
int vocab_from_gguf(struct source *source, const wh_gguf *gguf);

/* Raw bytes, as whisper.cpp stores tokens, into source->pieces[id]; source->pieces must have room. */
int vocab_set_bytes(struct source *source, int id, const unsigned char *bytes, size_t n);

/* Room for n pieces, all NULL, replacing any earlier ones; after setting them, cut to the ordinary ones and check. */
int vocab_resize(struct source *source, int n);
int vocab_finish(struct source *source);

/* How many ordinary tokens a published vocabulary of this size has; 0 for other sizes. */
int vocab_ordinary(int n_vocab);

/* Find a vocabulary where the source has none: `file` if not NULL, else a GGUF of the same size in `model_dir` if not
 * NULL, else in $WHISP_MODEL_DIR, ./models and ~/.cache/whisp. Says on `log` what was taken. Then checks it. */
int vocab_complete(struct source *source, const char *file, const char *model_dir, FILE *log);

/* Names of all n_vocab tokens, special ones included: tokens[i], NUL-terminated. One allocation besides the pieces;
 * *names is its owner. */
int vocab_all(const struct source *source, const char **tokens, size_t *lengths, char **names);

#endif
