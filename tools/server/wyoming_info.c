/* wyoming_info.c - the answer to `describe`: one program that hears, its models, and the languages they know. Models are
 * not loaded for it, so those beside the default are believed to know what their names say: .en means English. */
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "service.h"
#include "wyoming_info.h"

struct list {
    json_t *models; /* NULL: no memory */
    const char *first;
    int first_is_english;
};

static json_t *attribution(const char *name, const char *url)
{
    return json_pack("{s:s, s:s}", "name", name, "url", url);
}

static json_t *languages(int is_english)
{
    size_t n;
    const whisp_language *const *known = whisp_language_list(&n);
    json_t *list = json_array();
    for (size_t i = 0; i < (is_english ? 1 : n); i++)
        dump_add(&list, json_string(known[i]->code));
    return list;
}

static json_t *one_model(const char *name, int is_english)
{
    return json_pack("{s:s, s:s, s:o, s:b, s:s, s:o}", "name", name, "description", name, "attribution",
                     attribution("OpenAI", "https://github.com/openai/whisper"), "installed", 1, "version",
                     whisp_version(), "languages", languages(is_english));
}

static int ends_english(const char *name)
{
    size_t n = strlen(name);
    return n > 3 && strcmp(name + n - 3, ".en") == 0;
}

static void add(struct list *list, const char *name, int is_english)
{
    if (list->models && json_array_append_new(list->models, one_model(name, is_english)) != 0) {
        json_decref(list->models);
        list->models = NULL;
    }
}

/* Home Assistant puts the languages of all models together and names none of them when it asks: a model that knows more
 * than the default would promise too much. */
static void add_other(void *user, const char *name, int64_t created)
{
    (void)created;
    struct list *list = user;
    if (strcmp(name, list->first) != 0 && (!list->first_is_english || ends_english(name)))
        add(list, name, ends_english(name));
}

/* Does the default model, which is loaded, know English only? -1 where nobody can say. */
static int is_english(struct service *service)
{
    const whisp_model *model;
    struct loan *loan;
    struct problem problem;
    whisp_model_info info = {.size = sizeof info};
    if (service_borrow(service, NULL, &model, &loan, &problem) != 0)
        return -1;
    int rc = whisp_model_describe(model, &info);
    service_return(loan);
    return rc == WHISP_OK ? !info.is_multilingual : -1;
}

json_t *wyoming_info(struct service *service)
{
    struct problem problem;
    char *first = NULL;
    struct list list = {.first_is_english = is_english(service)};
    if (list.first_is_english < 0 || service_find(service, NULL, &first, &problem) != 0)
        return NULL;
    list.models = json_array();
    list.first = first;
    add(&list, first, list.first_is_english);
    service_list(service, add_other, &list);
    free(first);
    json_t *program = json_pack("{s:s, s:s, s:o, s:b, s:s, s:o, s:b, s:b}", "name", "whisp", "description", "libwhisp",
                                "attribution", attribution("libwhisp", ""), "installed", 1, "version", whisp_version(),
                                "models", list.models, "supports_transcript_streaming", 1, "requires_external_vad", 1);
    return json_pack("{s:[o], s:[], s:[], s:[], s:[], s:[], s:[]}", "asr", program, "tts", "handle", "intent", "wake",
                     "mic", "snd");
}
