/* known.c - the published models. OpenAI's addresses carry the SHA-256 (openai/whisper, __init__.py). */
#include <string.h>

#include "get/get.h"
#include "model/model.h"

static const struct known list[] = {
    {"tiny.en", "openai/whisper-tiny.en", "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03/tiny.en.pt",
     39},
    {"tiny", "openai/whisper-tiny", "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9/tiny.pt", 39},
    {"base.en", "openai/whisper-base.en", "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead/base.en.pt",
     74},
    {"base", "openai/whisper-base", "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e/base.pt", 74},
    {"small.en", "openai/whisper-small.en",
     "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872/small.en.pt", 244},
    {"small", "openai/whisper-small", "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794/small.pt", 244},
    {"medium.en", "openai/whisper-medium.en",
     "d7440d1dc186f76616474e0ff0b3b6b879abc9d1a4926b7adfa41db2d497ab4f/medium.en.pt", 769},
    {"medium", "openai/whisper-medium", "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1/medium.pt",
     769},
    {"large-v1", "openai/whisper-large", "e4b87e7e0bf463eb8e6956e646f1e277e901512310def2c24bf0e11bd3c28e9a/large-v1.pt",
     1550},
    {"large-v2", "openai/whisper-large-v2",
     "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524/large-v2.pt", 1550},
    {"large-v3", "openai/whisper-large-v3",
     "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb/large-v3.pt", 1550},
    {"turbo", "openai/whisper-large-v3-turbo",
     "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a/large-v3-turbo.pt", 809},
    {"distil-small.en", "distil-whisper/distil-small.en", NULL, 166},
    {"distil-medium.en", "distil-whisper/distil-medium.en", NULL, 394},
    {"distil-large-v2", "distil-whisper/distil-large-v2", NULL, 756},
    {"distil-large-v3", "distil-whisper/distil-large-v3", NULL, 756},
    {"distil-large-v3.5", "distil-whisper/distil-large-v3.5", NULL, 756},
};

const struct known *known_find(const char *name)
{
    const char *alias = wh_model_alias(name);
    for (size_t i = 0; i < WH_COUNT(list); i++)
        if (strcmp(list[i].name, alias ? alias : name) == 0)
            return &list[i];
    return NULL;
}

const struct known *known_at(size_t i)
{
    return i < WH_COUNT(list) ? &list[i] : NULL;
}
