/* languages.h - the languages that Whisper knows, by their number, code and name. */
#ifndef WH_LANGUAGES_H
#define WH_LANGUAGES_H

/* Language i of whisp_language_list(), or NULL past the end. Static storage. */
const char *wh_language_code(int i);
const char *wh_language_name(int i);
/* The number of a language given by code ("de") or name ("German", "castilian"), any case; -1 for an unknown one. */
int wh_language_find(const char *code_or_name);

#endif
