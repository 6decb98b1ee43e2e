/* own.c - the options of the program itself, one row each: names, values and help. args.c reads them from the command
 * line, help.c prints them, suggest.c looks for what is spelled like one. */
#include "tool.h"

const struct tool_option own_options[N_OWN] = {
    [OPT_MODEL] =
        {'m',
         {"model", "NAME|PATH", "base, or what is there",
          "the model: a path to a .gguf file, or a name such as tiny.en, looked up as NAME.gguf in the model folder"}},
    [OPT_MODEL_DIR] = {0,
                       {"model_dir", "FOLDER", "$WHISP_MODEL_DIR, ./models, ~/.cache/whisp",
                        "where models are looked up by name"}},
    [OPT_OUTPUT_FORMAT] =
        {'f',
         {"output_format", formats_values, "no files; all with --output_dir",
          "write the transcript to a file of this format, named after the recording; several with commas between them; all: "
          "txt,srt,vtt,tsv,json; html, a page to check and correct it, turns --confidence on"}},
    [OPT_OUTPUT_DIR] = {'o',
                        {"output_dir", "FOLDER", "no files; . with --output_format",
                         "where to write files; it is made if it is missing"}},
    [OPT_OUTPUT_NAME] =
        {0,
         {"output_name", "NAME", "the recording's",
          "what the files are called, without folder and ending; for one recording, or for one that comes through a pipe"}},
    [OPT_MMAP] = {0,
                  {"mmap", "True|False", "True",
                   "map the model's file; if False, read it into memory, so that it may be written over meanwhile"}},
    [OPT_SKIP_EXISTING] = {0,
                           {"skip_existing", "True|False", "False",
                            "leave out recordings whose output files are all there already"}},
    [OPT_RESUME] =
        {0,
         {"resume", NULL, NULL,
          "go on where a run with the same recordings and options ended, be it by a power cut: what was heard is "
          "in NAME.journal beside the output files; the result is that of a run that nobody disturbed"}},
    [OPT_VERBOSE] =
        {0,
         {"verbose", "True|False", "True",
          "print each segment as soon as it is final; if False, only the progress bar is shown, and where no files are "
          "written, the plain text is printed at the end"}},
    [OPT_QUIET] =
        {'q',
         {"quiet", NULL, NULL,
          "say nothing but errors: no progress bar, no notices, no warnings; where files are written, no segments"}},
    [OPT_LOG_LEVEL] = {0,
                       {"log_level", "info|debug", "info",
                        "debug: also what each window's decoding found and what was decided by it, with the seconds "
                        "since the beginning"}},
    [OPT_DETECT_LANGUAGE] =
        {0,
         {"detect_language", NULL, NULL,
          "do not transcribe: print how probable each language is in the first 30 seconds in which somebody "
          "speaks, as code, name and probability, the most probable first"}},
    [OPT_SPEAKERS_ONLY] =
        {0,
         {"speakers_only", NULL, NULL,
          "do not transcribe: tell who speaks when, in lines of RTTM, printed or, with --output_format or "
          "--output_dir, in files; no speech model is needed"}},
    [OPT_FROM] = {0,
                  {"from", NULL, NULL,
                   "transcribe nothing: the FILEs are transcripts in JSON that whisp, openai-whisper, whisperX or "
                   "faster-whisper wrote, to be written in other formats or printed"}},
    [OPT_HIGHLIGHT_WORDS] =
        {0,
         {"highlight_words", "True|False", "False",
          "(needs --word_timestamps True, --confidence True, --align or --from) underline each word in srt and vtt files while it is spoken"}},
    [OPT_MAX_LINE_WIDTH] =
        {0,
         {"max_line_width", "INT|None", "None",
          "(needs what --highlight_words needs) the most characters in a line of srt and vtt files"}},
    [OPT_MAX_LINE_COUNT] =
        {0,
         {"max_line_count", "INT|None", "None",
          "(needs what --highlight_words needs; no effect without --max_line_width) the most lines in a subtitle"}},
    [OPT_MAX_WORDS_PER_LINE] =
        {0,
         {"max_words_per_line", "INT|None", "None",
          "(needs what --highlight_words needs; no effect with --max_line_width) the most words in a subtitle"}},
    [OPT_SUBTITLES] =
        {0,
         {"subtitles", "True|False", "False",
          "lay srt, vtt, ass and lrc files out as a person would: by sentence and clause, in lines and at a speed that can be "
          "read; turns --word_timestamps on"}},
    [OPT_SUBTITLE_STYLE] = {0,
                            {"subtitle_style", "netflix|bbc|ebu", "netflix",
                             "the style guide whose limits --subtitles keeps; turns --subtitles on"}},
    [OPT_EMBED_AUDIO] =
        {0,
         {"embed_audio", "True|False", "False",
          "(with -f html) the page holds the recording, too, of 24 MB at most; else it plays the file from where it is"}},
    [OPT_DOUBTFUL] =
        {0,
         {"doubtful", "FILE", NULL,
          "write the least certain tenth of the words to this file, with times and context, for a person who checks; turns "
          "--confidence on"}},
    [OPT_DOUBTFUL_SHARE] = {0, {"doubtful_share", "FLOAT", "0.1", "the share of all words that --doubtful lists"}},
    [OPT_ALIGN] = {0,
                   {"align", "TEXT", NULL,
                    "do not transcribe: find when each word of this text is said, and print a line for each"}},
    [OPT_ALIGN_FILE] = {0, {"align_file", "FILE", NULL, "the same with the text in a file, its lines as segments"}},
    [OPT_STREAM] =
        {0,
         {"stream", NULL, NULL,
          "live: read a recording or raw 16-bit samples from standard input while somebody speaks, and print words as they "
          "settle, a line for each sentence, or with --word_timestamps True for each word"}},
    [OPT_STREAM_RATE] = {0, {"stream_rate", "INT", "16000", "(with --stream) samples a second of raw sound"}},
    [OPT_STREAM_CHANNELS] = {0, {"stream_channels", "INT", "1", "(with --stream) channels of raw sound"}},
    [OPT_STREAM_FINAL] =
        {0,
         {"stream_final", "FILE", NULL,
          "(with --stream) write the final text to this file, a line for each segment, whenever a window of 30 seconds is "
          "complete: what a transcription of the recording says; - is standard output, and the words that settle are then "
          "shown on the terminal only"}},
    [OPT_FP16] = {0,
                  {"fp16", "True|False", "True",
                   "taken for openai-whisper's sake, without effect: --compute_type is what says how to compute"}},
    [OPT_VERSION] = {0, {"version", NULL, NULL, "print the version"}},
    [OPT_HELP] = {'h', {"help", NULL, NULL, "print this text"}},
};
