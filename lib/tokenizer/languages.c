/* languages.c - the languages that Whisper knows, in the order of their tokens, and finding one by code or name.
 *
 * The order is fixed by the published models: language i is token <|startoftranscript|> + 1 + i. Models before large-v3
 * lack the last one. The aliases are those that openai-whisper accepts. */
#include "tokenizer/languages.h"

#include <pthread.h>
#include <stddef.h>

#include "whisp.h"

static const whisp_language languages[] = {
    {"en", "English"},        {"zh", "Chinese"},       {"de", "German"},    {"es", "Spanish"},    {"ru", "Russian"},
    {"ko", "Korean"},         {"fr", "French"},        {"ja", "Japanese"},  {"pt", "Portuguese"}, {"tr", "Turkish"},
    {"pl", "Polish"},         {"ca", "Catalan"},       {"nl", "Dutch"},     {"ar", "Arabic"},     {"sv", "Swedish"},
    {"it", "Italian"},        {"id", "Indonesian"},    {"hi", "Hindi"},     {"fi", "Finnish"},    {"vi", "Vietnamese"},
    {"he", "Hebrew"},         {"uk", "Ukrainian"},     {"el", "Greek"},     {"ms", "Malay"},      {"cs", "Czech"},
    {"ro", "Romanian"},       {"da", "Danish"},        {"hu", "Hungarian"}, {"ta", "Tamil"},      {"no", "Norwegian"},
    {"th", "Thai"},           {"ur", "Urdu"},          {"hr", "Croatian"},  {"bg", "Bulgarian"},  {"lt", "Lithuanian"},
    {"la", "Latin"},          {"mi", "Maori"},         {"ml", "Malayalam"}, {"cy", "Welsh"},      {"sk", "Slovak"},
    {"te", "Telugu"},         {"fa", "Persian"},       {"lv", "Latvian"},   {"bn", "Bengali"},    {"sr", "Serbian"},
    {"az", "Azerbaijani"},    {"sl", "Slovenian"},     {"kn", "Kannada"},   {"et", "Estonian"},   {"mk", "Macedonian"},
    {"br", "Breton"},         {"eu", "Basque"},        {"is", "Icelandic"}, {"hy", "Armenian"},   {"ne", "Nepali"},
    {"mn", "Mongolian"},      {"bs", "Bosnian"},       {"kk", "Kazakh"},    {"sq", "Albanian"},   {"sw", "Swahili"},
    {"gl", "Galician"},       {"mr", "Marathi"},       {"pa", "Punjabi"},   {"si", "Sinhala"},    {"km", "Khmer"},
    {"sn", "Shona"},          {"yo", "Yoruba"},        {"so", "Somali"},    {"af", "Afrikaans"},  {"oc", "Occitan"},
    {"ka", "Georgian"},       {"be", "Belarusian"},    {"tg", "Tajik"},     {"sd", "Sindhi"},     {"gu", "Gujarati"},
    {"am", "Amharic"},        {"yi", "Yiddish"},       {"lo", "Lao"},       {"uz", "Uzbek"},      {"fo", "Faroese"},
    {"ht", "Haitian Creole"}, {"ps", "Pashto"},        {"tk", "Turkmen"},   {"nn", "Nynorsk"},    {"mt", "Maltese"},
    {"sa", "Sanskrit"},       {"lb", "Luxembourgish"}, {"my", "Myanmar"},   {"bo", "Tibetan"},    {"tl", "Tagalog"},
    {"mg", "Malagasy"},       {"as", "Assamese"},      {"tt", "Tatar"},     {"haw", "Hawaiian"},  {"ln", "Lingala"},
    {"ha", "Hausa"},          {"ba", "Bashkir"},       {"jw", "Javanese"},  {"su", "Sundanese"},  {"yue", "Cantonese"},
};

static const whisp_language aliases[] = {
    {"my", "Burmese"},       {"ca", "Valencian"}, {"nl", "Flemish"},   {"ht", "Haitian"},
    {"lb", "Letzeburgesch"}, {"ps", "Pushto"},    {"pa", "Panjabi"},   {"ro", "Moldavian"},
    {"ro", "Moldovan"},      {"si", "Sinhalese"}, {"es", "Castilian"}, {"zh", "Mandarin"},
};

#define N_LANGUAGES ((int)(sizeof languages / sizeof languages[0]))
#define N_ALIASES ((int)(sizeof aliases / sizeof aliases[0]))

static const whisp_language *list[N_LANGUAGES];

static void fill_list(void)
{
    for (int i = 0; i < N_LANGUAGES; i++)
        list[i] = &languages[i];
}

const whisp_language *const *whisp_language_list(size_t *n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_list);
    if (n)
        *n = N_LANGUAGES;
    return list;
}

const char *wh_language_code(int i)
{
    return i >= 0 && i < N_LANGUAGES ? languages[i].code : NULL;
}

const char *wh_language_name(int i)
{
    return i >= 0 && i < N_LANGUAGES ? languages[i].name : NULL;
}

/* ASCII only: the same in every locale. */
static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static int same(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

int wh_language_find(const char *code_or_name)
{
    if (!code_or_name)
        return -1;
    for (int i = 0; i < N_LANGUAGES; i++)
        if (same(code_or_name, languages[i].code) || same(code_or_name, languages[i].name))
            return i;
    for (int i = 0; i < N_ALIASES; i++)
        if (same(code_or_name, aliases[i].name))
            return wh_language_find(aliases[i].code);
    return -1;
}
