/* foreign.c - options that other Whisper programs have: what to write here instead, so that a habit from whisper.cpp or
 * whisperX gives one line of advice. Without it, -osrt would be "-o srt", a folder. Called by args.c. */
#include <string.h>

#include "tool.h"

/* An option of another program, without its dashes and with underscores, and what to write here. */
struct foreign {
    const char *name, *here;
};

/* A short option of several letters, or one letter that means something else here. */
static const struct foreign short_options[] = {
    /* whisper.cpp */
    {"otxt", "-f txt"},
    {"ovtt", "-f vtt"},
    {"osrt", "-f srt"},
    {"oj", "-f json"},
    {"ojf", "-f json --word_timestamps True"},
    {"ocsv", "-f tsv (times in milliseconds and text; there is no csv)"},
    {"olrc", "-f srt (there is no lrc)"},
    {"owts", "-f srt --word_timestamps True --highlight_words True"},
    {"of", "-o FOLDER for where, -f FORMAT for what; files have the recording's name"},
    {"l", "--language CODE"},
    {"dl", "--detect_language"},
    {"tr", "--task translate"},
    {"t", "--threads N"},
    {"p", "--threads N (one process uses all cores)"},
    {"nt", "-f txt, or --verbose False, for text without times (--without_timestamps True decodes without them)"},
    {"ml", "--word_timestamps True --max_line_width N"},
    {"sow", "--word_timestamps True --max_line_width N, which breaks lines at words"},
    {"bs", "--beam_size N"},
    {"bo", "--best_of N"},
    {"tp", "--temperature T"},
    {"tpi", "--temperature_increment_on_fallback T"},
    {"nf", "--temperature_increment_on_fallback None"},
    {"et", "--compression_ratio_threshold X (whisper.cpp's entropy stands for it)"},
    {"lpt", "--logprob_threshold X"},
    {"nth", "--no_speech_threshold X"},
    {"mc", "--condition_on_previous_text False for no context; its length cannot be set"},
    {"ot", "--clip_timestamps START (in seconds)"},
    {"d", "--clip_timestamps START,END (in seconds)"},
    {"on", "--clip_timestamps START (in seconds)"},
    {"ac", "nothing: a window is always 30 seconds"},
    {"wt", "nothing: words' times have no threshold"},
    {"di", "--split_stereo True"},
    {"tdrz", "--diarize True, by the voices"},
    {"np", "-q"},
    {"pp", "nothing: a terminal shows the progress"},
    {"pc", "--confidence True"},
    {"ps", "nothing: special tokens are not printed"},
    {"ls", "--confidence True"},
    {"ng", "--device cpu (the default)"},
    {"dev", "--device cuda:N"},
    {"fa", "nothing: attention is always computed in blocks"},
    {"nfa", "nothing: it changes no words here"},
    {"dtw", "--word_timestamps True"},
    {"sns", "--suppress_tokens -1 (the default)"},
    {"oved", "--device cpu"},
    {"vm", "--vad_model NAME"},
    {"vt", "--vad_threshold X"},
    {"vp", "--vad_speech_pad_ms N"},
    {"vspd", "--vad_min_speech_duration_ms N"},
    {"vsd", "--vad_min_silence_duration_ms N"},
    {"vmsd", "--vad_max_speech_duration_s X"},
    {"vo", "nothing: speech is not overlapped"},
    {"debug", "nothing: messages go to standard error as they are"},
    {"fp", "nothing: no font is needed"},
    /* other habits */
    {"v", "--version, or --verbose True"},
    {"i", "the FILE alone"},
    {"y", "nothing: files are overwritten"},
};

/* A long option; those that differ from ours only in hyphens never come here. */
static const struct foreign long_options[] = {
    {"output_txt", "--output_format txt"},
    {"output_vtt", "--output_format vtt"},
    {"output_srt", "--output_format srt"},
    {"output_csv", "--output_format tsv (there is no csv)"},
    {"output_lrc", "--output_format srt (there is no lrc)"},
    {"output_json", "--output_format json"},
    {"output_json_full", "--output_format json --word_timestamps True"},
    {"output_words", "--output_format srt --word_timestamps True --highlight_words True"},
    {"output_file", "--output_dir FOLDER for where, --output_format FORMAT for what"},
    {"output", "--output_dir FOLDER for where, --output_format FORMAT for what"},
    {"translate", "--task translate"},
    {"processors", "--threads N"},
    {"file", "the FILE alone"},
    {"file_name", "the FILE alone"},
    {"audio", "the FILE alone"},
    {"input", "the FILE alone"},
    {"no_timestamps", "-f txt, or --verbose False, for text without times (--without_timestamps True decodes without "
                      "them)"},
    {"max_len", "--word_timestamps True --max_line_width N"},
    {"max_context", "--condition_on_previous_text False"},
    {"split_on_word", "--word_timestamps True --max_line_width N, which breaks lines at words"},
    {"offset_t", "--clip_timestamps START (in seconds)"},
    {"duration", "--clip_timestamps START,END (in seconds)"},
    {"offset_n", "--clip_timestamps START (in seconds)"},
    {"entropy_thold", "--compression_ratio_threshold X"},
    {"logprob_thold", "--logprob_threshold X"},
    {"no_speech_thold", "--no_speech_threshold X"},
    {"word_thold", "nothing: words' times have no threshold"},
    {"temperature_inc", "--temperature_increment_on_fallback T"},
    {"no_fallback", "--temperature_increment_on_fallback None"},
    {"tinydiarize", "--diarize True, by the voices"},
    {"prompt", "--initial_prompt TEXT"},
    {"no_prints", "-q"},
    {"print_progress", "nothing: a terminal shows it"},
    {"print_colors", "--confidence True"},
    {"print_confidence", "--confidence True"},
    {"no_gpu", "--device cpu"},
    {"flash_attn", "nothing: attention is always computed in blocks"},
    {"vad", "--vad_filter True"},
    {"suppress_nst", "--suppress_tokens -1 (the default)"},
    {"log_score", "--confidence True"},
    {"audio_ctx", "nothing: a window is always 30 seconds"},
    {"dtw", "--word_timestamps True"},
    /* whisperX, whisper-ctranslate2, insanely-fast-whisper, faster-whisper */
    {"device_index", "--device cuda:N"},
    {"model_directory", "--model PATH"},
    {"model_name", "--model NAME"},
    {"model_size", "--model NAME"},
    {"cpu_threads", "--threads N"},
    {"num_workers", "--batch_size N"},
    {"batched", "--batch_size N (parts are batched by default)"},
    {"chunk_length", "--cut SECONDS"},
    {"chunk_size", "--cut SECONDS"},
    {"live_transcribe", "--stream"},
    {"pretty_json", "nothing: json has one line"},
    {"hf_token", "nothing: models are files; whisp-convert makes them"},
    {"align_model", "nothing: words are timed by the model itself, with --word_timestamps True"},
    {"no_align", "--word_timestamps False (the default)"},
    {"vad_onset", "--vad_threshold X"},
    {"vad_offset", "--vad_neg_threshold X"},
    {"vad_method", "--vad_filter True"},
    {"min_silence_duration_ms", "--vad_min_silence_duration_ms N"},
    {"timestamp", "--word_timestamps True"},
    {"log_prob_threshold", "--logprob_threshold X"},
    {"format", "--output_format FORMAT"},
    {"transcript_path", "--output_dir FOLDER"},
};

static const char *look_up(const struct foreign *list, size_t n, const char *name, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i].name) == length && strncmp(list[i].name, name, length) == 0)
            return list[i].here;
    return NULL;
}

const char *foreign_long(const char *name)
{
    return look_up(long_options, sizeof long_options / sizeof *long_options, name, strlen(name));
}

const char *foreign_short(const char *letters)
{
    const size_t n = sizeof short_options / sizeof *short_options;
    size_t length = strcspn(letters, "=");
    const char *here = look_up(short_options, n, letters, length);
    while (length > 1 && strchr("0123456789.", letters[length - 1]))
        length--; /* -t4, -bs5 */
    return here ? here : look_up(short_options, n, letters, length);
}
