/* table.c - the options, one row each. What is added here is known to the command, --help, Python and
 * whisp_options_set(); docs/whisp.1 has a line for it (test/check-docs); the code that heeds it reads wh_values. */
#include "options/row.h"
#include "util/pool.h"

/* Its name, the member of wh_values that it sets, and who reads it; what --help says: values, default, meaning; and any
 * of what stands below. */
#define OPTION(name, member, reads, values, initial, help, ...)                                                        \
    {                                                                                                                  \
        .info = {#name, values, initial, help}, .at = offsetof(wh_values, member), .parse = reads, __VA_ARGS__         \
    }
#define RANGE(least, most) .lo = (least), .hi = (most)
/* It has no effect without another one, or with it, which is True or False. */
#define NEEDS(other) .needs = {#other, offsetof(wh_values, other)}
#define NOT_WITH(other) .not_with = {#other, offsetof(wh_values, other)}

const wh_option wh_options[] = {
    OPTION(language, language, wh_parse_language, "CODE|NAME|auto|None", "None",
           "language spoken in the recording, by code or English name; auto or None detects it"),
    OPTION(languages, languages, wh_parse_languages, "CODE|NAME[,...]|None", "None",
           "the languages that may be spoken: what is detected, also with multilingual, is one of them"),
    OPTION(language_detection, detects_at_start, wh_parse_choice, "speech|start", "speech",
           "which 30 seconds tell the language: the first ones in which somebody speaks, or the recording's first"),
    OPTION(task, translate, wh_parse_choice, "transcribe|translate", "transcribe",
           "write what is said, or its translation into English"),
    OPTION(initial_prompt, initial_prompt, wh_parse_text, "TEXT|None", "None",
           "text that stands before the first window as if it had been said: names and spellings to expect"),
    OPTION(initial_prompt_tokens, initial_prompt_tokens, wh_parse_token_ids, "ID[,ID...]|None", "None",
           "the same as the model's token ids"),
    OPTION(carry_initial_prompt, carry_initial_prompt, wh_parse_flag, "True|False", "False",
           "put initial_prompt before every window, not only the first"),
    OPTION(prefix, prefix, wh_parse_text, "TEXT|None", "None",
           "text with which the transcript of the first window begins, as if it had been heard"),
    OPTION(
        hotwords, hotwords, wh_parse_text, "TEXT|None", "None",
        "words to expect: they stand before the previous text in the prompt of every window that prefix does not begin"),
    OPTION(
        vocabulary, vocabulary, wh_parse_text, "FILE|None", "None",
        "text file of terms, one a line, or a corrected json: each is written where the audio is in doubt and sounds like it"),
    OPTION(condition_on_previous_text, condition_on_previous_text, wh_parse_flag, "True|False", "True",
           "give each window the text before it; False makes loops of repeated text less likely"),
    OPTION(
        temperature, temperatures, wh_parse_temperatures, "FLOAT[,FLOAT...]", "0.0,0.2,0.4,0.6,0.8,1.0",
        "0 takes the most probable token, above 0 samples; further values are tried when a decoding fails its thresholds",
        RANGE(0, 10)),
    OPTION(temperature_increment_on_fallback, temperature_increment, wh_parse_increment, "FLOAT|None", "0.2",
           "with a single temperature: how much to add, up to 1.0, when a decoding fails; None never falls back",
           RANGE(0.01, 10)),
    OPTION(best_of, best_of, wh_parse_integer, "INT|None", "5",
           "candidates at temperatures above 0; the most probable one is kept", RANGE(1, WH_MAX_CANDIDATES), .none = 1),
    OPTION(beam_size, beam_size, wh_parse_integer, "INT|None", "None",
           "beams of the beam search at temperature 0; None or 1 takes the most probable token each time",
           RANGE(1, WH_MAX_CANDIDATES)),
    OPTION(patience, patience, wh_parse_real, "FLOAT|None", "None",
           "beam search goes on until beam_size times patience sequences have ended; None means 1; needs beam_size",
           RANGE(0, 100)),
    OPTION(length_penalty, length_penalty, wh_parse_real, "FLOAT|None", "None",
           "exponent between 0 and 1 of the length penalty that ranks candidates; None ranks by mean log-probability",
           RANGE(0, 1)),
    OPTION(repetition_penalty, repetition_penalty, wh_parse_real, "FLOAT", "1.0",
           "above 1 makes tokens that the window has already less likely", RANGE(0.01, 100)),
    OPTION(no_repeat_ngram_size, no_repeat_ngram_size, wh_parse_integer, "INT", "0",
           "sequences of so many tokens do not come twice in a window; 0 lets them", RANGE(0, 8192)),
    OPTION(sample_len, sample_len, wh_parse_integer, "INT|None", "None",
           "tokens in a window at most; None means half the decoder's context", RANGE(1, 8192)),
    OPTION(max_new_tokens, max_new_tokens, wh_parse_integer, "INT|None", "None",
           "tokens in a window at most, which with the prompt must fit into the decoder's context", RANGE(1, 8192)),
    OPTION(compression_ratio_threshold, compression_ratio_threshold, wh_parse_real, "FLOAT|None", "2.4",
           "a decoding whose text compresses better than this has failed: it repeats itself", RANGE(-1e9, 1e9)),
    OPTION(logprob_threshold, logprob_threshold, wh_parse_real, "FLOAT|None", "-1.0",
           "a decoding whose mean log-probability is lower has failed", RANGE(-1e9, 1e9)),
    OPTION(no_speech_threshold, no_speech_threshold, wh_parse_real, "FLOAT|None", "0.6",
           "a window is silence if its no-speech probability is higher and its decoding fails logprob_threshold",
           RANGE(-1e9, 1e9)),
    OPTION(suppress_tokens, suppress_tokens, wh_parse_token_ids, "ID[,ID...]|None", "-1",
           "tokens that are never written; -1 stands for symbols that nobody says; None suppresses nothing"),
    OPTION(suppress_regex, suppress_regex, wh_parse_text, "REGEX|None", "None",
           "POSIX extended regular expression; tokens whose whole text matches are never written"),
    OPTION(suppress_blank, suppress_blank, wh_parse_flag, "True|False", "True", "forbid an empty beginning"),
    OPTION(without_timestamps, without_timestamps, wh_parse_flag, "True|False", "False",
           "write text only, windows of 30 seconds one after the other"),
    OPTION(max_initial_timestamp, max_initial_timestamp, wh_parse_real, "FLOAT|None", "1.0",
           "latest first timestamp in a window, in seconds", RANGE(0, 30), NOT_WITH(without_timestamps)),
    OPTION(multilingual, multilingual, wh_parse_flag, "True|False", "False",
           "detect the language again for each window"),
    OPTION(word_timestamps, word_timestamps, wh_parse_flag, "True|False", "False",
           "find when each word is said, and refine the segments' times by it"),
    OPTION(confidence, confidence, wh_parse_flag, "True|False", "False",
           "find when each word is said and how likely it is right; the transcript stays as it is"),
    OPTION(prepend_punctuations, prepend_punctuations, wh_parse_text, "TEXT", "\"'“¿([{-",
           "word_timestamps: punctuation that belongs to the word after it"),
    OPTION(append_punctuations, append_punctuations, wh_parse_text, "TEXT", "\"'.。,，!！?？:：”)]}、",
           "word_timestamps: punctuation that belongs to the word before it"),
    OPTION(
        alignment_heads, heads, wh_parse_choice, "auto|model|upper_half", "auto",
        "word_timestamps: the attention heads that tell the time; upper_half: all of the upper half of the decoder's "
        "layers; model: those that the model file names, if it does; auto: upper_half for tiny and base, else model"),
    OPTION(word_times, by_characters, wh_parse_choice, "tokens|characters", "tokens",
           "word_timestamps: what is aligned with the sound; tokens: openai-whisper's times; characters: truer ones"),
    OPTION(clip_timestamps, clip_timestamps, wh_parse_clip_list, "START,END[,START,END...]|None", "0",
           "transcribe only these parts of the recording, in seconds; the last END may be missing: up to the end"),
    OPTION(hallucination_silence_threshold, hallucination_silence_threshold, wh_parse_real, "FLOAT|None", "None",
           "word_timestamps: skip silence longer than this, in seconds, around words that may be imagined",
           RANGE(0, 1e9), NEEDS(word_timestamps)),
    OPTION(
        hallucination_guard, hallucination_guard, wh_parse_flag, "True|False", "True",
        "leave out text of windows and segments in which surely nobody speaks; False writes what the model imagines"),
    OPTION(seed, seed, wh_parse_seed, "INT", "0",
           "of the random numbers at temperatures above 0; same seed, same words", RANGE(-9.2e18, 9.2e18)),
    OPTION(threads, threads, wh_parse_integer, "INT", "0",
           "threads for the computation; 0: one for each core this process may use", RANGE(0, WH_POOL_MAX_THREADS),
           .same_words = 1),
    OPTION(backend, backend_given, wh_parse_name, "auto|cpu|blas|cuda", "auto",
           "what computes: auto and cpu take the library's own matrix products, blas OpenBLAS's, cuda a GPU"),
    OPTION(
        device, device, wh_parse_device, "cpu|cuda|cuda:INT|auto|INT", "auto",
        "where to compute, as openai-whisper has it: cuda and cuda:1 are the backend cuda and which GPU, cpu the CPU; "
        "auto is the CPU for now; a number says which GPU the backend cuda takes",
        RANGE(0, WH_MOST_DEVICES)),
    OPTION(
        compute_type, compute_type, wh_parse_compute, "auto|f32|bf16|int8", "auto",
        "arithmetic of the products with weights: f32 (float32) gives openai-whisper's words, bf16 (bfloat16) is close to it, "
        "int8 (8-bit integers) is the fastest; auto is int8 where the CPU has AVX2 or more, or is a 64-bit ARM; CTranslate2's "
        "names are taken, too: float16 is float32 on a CPU, int8_float32 is int8, default is auto"),
    OPTION(
        encoder_padding, padding, wh_parse_choice, "full|few|auto", "auto",
        "what the encoder computes of the silence that fills a window of less than 30 seconds up; few: a row in two, four, "
        "then eight, which counts for all of them, and all after all where the words are doubtful: short recordings in half "
        "the time or less; auto: few with int8"),
    OPTION(
        split_stereo, split_stereo, wh_parse_flag, "True|False", "False",
        "a speaker a channel: transcribe the two channels of a recording apart and merge their segments by time, labelled"),
    OPTION(stream_step, stream_step, wh_parse_real, "FLOAT", "0.4",
           "live transcription: seconds of sound from one pass to the next", RANGE(0.1, 10), .same_words = 1),
    OPTION(
        cut, cut_seconds, wh_parse_cut, "auto|off|SECONDS", "auto",
        "cut long recordings at pauses into parts of about so many seconds that are transcribed side by side; auto cuts "
        "those of more than five minutes; off is openai-whisper's way, each window knows the text before it",
        RANGE(5, 86400)),
    OPTION(batch_size, batch_size, wh_parse_batch, "auto|INT", "auto",
           "parts that are transcribed at a time; changes the speed, not the words", RANGE(1, 64), .same_words = 1),
    OPTION(
        vad_filter, vad_filter, wh_parse_flag, "True|False", "False",
        "take out what is not speech before transcribing, by voice activity detection; times stay the recording's own"),
    OPTION(vad_threshold, vad_threshold, wh_parse_real, "FLOAT", "0.5", "probability from which a part is speech",
           RANGE(0, 1), NEEDS(vad_filter)),
    OPTION(vad_neg_threshold, vad_neg_threshold, wh_parse_real, "FLOAT|None", "None",
           "probability below which speech pauses; None: 0.15 below vad_threshold, at least 0.01", RANGE(0, 1),
           NEEDS(vad_filter)),
    OPTION(vad_min_speech_duration_ms, vad_min_speech_duration_ms, wh_parse_integer, "INT", "0",
           "speech that is not longer than this is dropped", RANGE(0, 3600000), NEEDS(vad_filter)),
    OPTION(vad_max_speech_duration_s, vad_max_speech_duration_s, wh_parse_real, "FLOAT|None", "None",
           "longer speech is cut, after its last pause of 98 ms if it has one; None: never", RANGE(0.1, 1e6),
           NEEDS(vad_filter)),
    OPTION(vad_min_silence_duration_ms, vad_min_silence_duration_ms, wh_parse_integer, "INT", "2000",
           "pause that ends speech", RANGE(0, 3600000), NEEDS(vad_filter)),
    OPTION(vad_speech_pad_ms, vad_speech_pad_ms, wh_parse_integer, "INT", "400",
           "how much is kept before and after speech", RANGE(0, 600000), NEEDS(vad_filter)),
    OPTION(vad_model, vad_model, wh_parse_text, "NAME|PATH|None", "None",
           "the voice activity model, by path or name; None: silero-vad beside the model or in the model folders"),
    OPTION(diarize, diarize, wh_parse_flag, "True|False", "False",
           "tell who speaks: by their voices, on each segment and word, which are parted where the speaker changes"),
    OPTION(num_speakers, num_speakers, wh_parse_integer, "INT|None", "None",
           "how many people speak; None: that is found out", RANGE(1, 100), .same_words = 1, NEEDS(diarize)),
    OPTION(min_speakers, min_speakers, wh_parse_integer, "INT|None", "None", "so many people speak at least",
           RANGE(1, 100), .same_words = 1, NEEDS(diarize)),
    OPTION(max_speakers, max_speakers, wh_parse_integer, "INT|None", "None", "so many people speak at most",
           RANGE(1, 100), .same_words = 1, NEEDS(diarize)),
    OPTION(
        speakers_model, speakers_model, wh_parse_text, "NAME|PATH|None", "None",
        "the model that tells voices apart, by path or name; None: speakers beside the model or in the model folders",
        .same_words = 1, NEEDS(diarize)),
    OPTION(
        speaker, speaker, wh_parse_voices, "NAME=FILE|None", "None",
        "somebody's name, and a recording of a few seconds in which nobody else speaks; may be given several times (in "
        "one value: a line each)",
        .same_words = 1, NEEDS(diarize)),
    OPTION(speakers_in, speakers_in, wh_parse_text, "FILE|None", "None",
           "the voices that speakers_out wrote: who is among them keeps his name", .same_words = 1, NEEDS(diarize)),
    OPTION(speakers_out, speakers_out, wh_parse_text, "FILE|None", "None",
           "write the voices of all who spoke, with their names, to this file, for the next recording", .same_words = 1,
           NEEDS(diarize)),
};

const size_t wh_n_options = WH_COUNT(wh_options);
_Static_assert(WH_COUNT(wh_options) <= WH_MAX_OPTIONS, "room for each option's text");
