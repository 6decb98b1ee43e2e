"""What the functions take and return, as types. Made by tools/python/make-types from the library's table of options:
do not edit. Nothing of this is needed to run."""

from __future__ import annotations

import os
from typing import Any, Callable, Collection, Dict, List, Literal, Mapping, Optional, Sequence, TypedDict, Union


class _Word(TypedDict):
    word: str
    start: float
    end: float
    probability: float


class AlternativeDict(TypedDict):
    """What a word may have been instead."""

    text: str
    logprob: float


class WordDict(_Word, total=False):
    """A word; `confidence` and `alternatives` with these options, `speaker` where he is known."""

    confidence: float
    speaker: str
    alternatives: List[AlternativeDict]


class _Segment(TypedDict):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: List[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class SegmentDict(_Segment, total=False):
    """A segment; `words` with word_timestamps or confidence, `confidence` with that option, `speaker` where known."""

    words: List[WordDict]
    confidence: float
    speaker: str


class TurnDict(TypedDict):
    """Somebody speaks."""

    start: float
    end: float
    speaker: str


class Layout(TypedDict, total=False):
    """How documents are laid out."""

    highlight_words: bool
    max_line_width: Optional[int]
    max_line_count: Optional[int]
    max_words_per_line: Optional[int]
    doubtful_share: float
    subtitles: bool
    subtitle_style: Optional[Literal["netflix", "bbc", "ebu"]]
    recording: Union[str, "os.PathLike[str]", None]
    embed_audio: bool


class ModelOptions(TypedDict, total=False):
    """The options of a transcription, without the device, which a model is loaded for."""

    language: Union[str, None]
    """language spoken in the recording, by code or English name; auto or None detects it"""
    languages: Union[Sequence[str], str, None]
    """the languages that may be spoken: what is detected, also with multilingual, is one of them"""
    language_detection: Literal["speech", "start"]
    """which 30 seconds tell the language: the first ones in which somebody speaks, or the recording's first
    (default: speech)"""
    task: Literal["transcribe", "translate"]
    """write what is said, or its translation into English (default: transcribe)"""
    initial_prompt: Union[Sequence[int], str, None]
    """text that stands before the first window as if it had been said: names and spellings to expect"""
    initial_prompt_tokens: Union[int, str, None]
    """the same as the model's token ids"""
    carry_initial_prompt: bool
    """put initial_prompt before every window, not only the first (default: False)"""
    prefix: Union[str, None]
    """text with which the transcript of the first window begins, as if it had been heard"""
    hotwords: Union[str, None]
    """words to expect: they stand before the previous text in the prompt of every window that prefix does not
    begin"""
    vocabulary: Union[Collection[str], str, os.PathLike[str], None]
    """text file of terms, one a line, or a corrected json: each is written where the audio is in doubt and sounds
    like it"""
    condition_on_previous_text: bool
    """give each window the text before it; False makes loops of repeated text less likely (default: True)"""
    temperature: Union[str, Sequence[float], float]
    """0 takes the most probable token, above 0 samples; further values are tried when a decoding fails its
    thresholds (default: 0.0,0.2,0.4,0.6,0.8,1.0)"""
    temperature_increment_on_fallback: Union[float, None]
    """with a single temperature: how much to add, up to 1.0, when a decoding fails; None never falls back
    (default: 0.2)"""
    best_of: Union[int, None]
    """candidates at temperatures above 0; the most probable one is kept (default: 5)"""
    beam_size: Union[int, None]
    """beams of the beam search at temperature 0; None or 1 takes the most probable token each time"""
    patience: Union[float, None]
    """beam search goes on until beam_size times patience sequences have ended; None means 1; needs beam_size"""
    length_penalty: Union[float, None]
    """exponent between 0 and 1 of the length penalty that ranks candidates; None ranks by mean log-probability"""
    repetition_penalty: float
    """above 1 makes tokens that the window has already less likely (default: 1.0)"""
    no_repeat_ngram_size: int
    """sequences of so many tokens do not come twice in a window; 0 lets them (default: 0)"""
    sample_len: Union[int, None]
    """tokens in a window at most; None means half the decoder's context"""
    max_new_tokens: Union[int, None]
    """tokens in a window at most, which with the prompt must fit into the decoder's context"""
    compression_ratio_threshold: Union[float, None]
    """a decoding whose text compresses better than this has failed: it repeats itself (default: 2.4)"""
    logprob_threshold: Union[float, None]
    """a decoding whose mean log-probability is lower has failed (default: -1.0)"""
    no_speech_threshold: Union[float, None]
    """a window is silence if its no-speech probability is higher and its decoding fails logprob_threshold
    (default: 0.6)"""
    suppress_tokens: Union[str, Sequence[int], int, None]
    """tokens that are never written; -1 stands for symbols that nobody says; None suppresses nothing (default: -1)"""
    suppress_regex: Union[str, None]
    """POSIX extended regular expression; tokens whose whole text matches are never written"""
    suppress_blank: bool
    """forbid an empty beginning (default: True)"""
    without_timestamps: bool
    """write text only, windows of 30 seconds one after the other (default: False)"""
    max_initial_timestamp: Union[float, None]
    """latest first timestamp in a window, in seconds (default: 1.0)"""
    multilingual: bool
    """detect the language again for each window (default: False)"""
    word_timestamps: bool
    """find when each word is said, and refine the segments' times by it (default: False)"""
    confidence: bool
    """find when each word is said and how likely it is right; the transcript stays as it is (default: False)"""
    prepend_punctuations: str
    """word_timestamps: punctuation that belongs to the word after it (default: "'“¿([{-)"""
    append_punctuations: str
    """word_timestamps: punctuation that belongs to the word before it (default: "'.。,，!！?？:：”)]}、)"""
    alignment_heads: Literal["auto", "model", "upper_half"]
    """word_timestamps: the attention heads that tell the time; upper_half: all of the upper half of the decoder's
    layers; model: those that the model file names, if it does; auto: upper_half for tiny and base, else model
    (default: auto)"""
    word_times: Literal["tokens", "characters"]
    """word_timestamps: what is aligned with the sound; tokens: openai-whisper's times; characters: truer ones
    (default: tokens)"""
    clip_timestamps: Union[Sequence[float], str, None]
    """transcribe only these parts of the recording, in seconds; the last END may be missing: up to the end
    (default: 0)"""
    hallucination_silence_threshold: Union[float, None]
    """word_timestamps: skip silence longer than this, in seconds, around words that may be imagined"""
    hallucination_guard: bool
    """leave out text of windows and segments in which surely nobody speaks; False writes what the model imagines
    (default: True)"""
    seed: int
    """of the random numbers at temperatures above 0; same seed, same words (default: 0)"""
    threads: int
    """threads for the computation; 0: one for each core this process may use (default: 0)"""
    backend: Literal["auto", "cpu", "blas", "cuda"]
    """what computes: auto and cpu take the library's own matrix products, blas OpenBLAS's, cuda a GPU (default:
    auto)"""
    compute_type: str
    """arithmetic of the products with weights: f32 (float32) gives openai-whisper's words, bf16 (bfloat16) is
    close to it, int8 (8-bit integers) is the fastest; auto is int8 where the CPU has AVX2 or more, or is a
    64-bit ARM; CTranslate2's names are taken, too: float16 is float32 on a CPU, int8_float32 is int8, default
    is auto (default: auto)"""
    encoder_padding: Literal["full", "few", "auto"]
    """what the encoder computes of the silence that fills a window of less than 30 seconds up; few: a row in two,
    four, then eight, which counts for all of them, and all after all where the words are doubtful: short
    recordings in half the time or less; auto: few with int8 (default: auto)"""
    split_stereo: bool
    """a speaker a channel: transcribe the two channels of a recording apart and merge their segments by time,
    labelled (default: False)"""
    stream_step: float
    """live transcription: seconds of sound from one pass to the next (default: 0.4)"""
    cut: Union[Literal["auto", "off"], float]
    """cut long recordings at pauses into parts of about so many seconds that are transcribed side by side; auto
    cuts those of more than five minutes; off is openai-whisper's way, each window knows the text before it
    (default: auto)"""
    batch_size: Union[Literal["auto"], int]
    """parts that are transcribed at a time; changes the speed, not the words (default: auto)"""
    vad_filter: bool
    """take out what is not speech before transcribing, by voice activity detection; times stay the recording's own
    (default: False)"""
    vad_threshold: float
    """probability from which a part is speech (default: 0.5)"""
    vad_neg_threshold: Union[float, None]
    """probability below which speech pauses; None: 0.15 below vad_threshold, at least 0.01"""
    vad_min_speech_duration_ms: int
    """speech that is not longer than this is dropped (default: 0)"""
    vad_max_speech_duration_s: Union[float, None]
    """longer speech is cut, after its last pause of 98 ms if it has one; None: never"""
    vad_min_silence_duration_ms: int
    """pause that ends speech (default: 2000)"""
    vad_speech_pad_ms: int
    """how much is kept before and after speech (default: 400)"""
    vad_model: Union[str, os.PathLike[str], None]
    """the voice activity model, by path or name; None: silero-vad beside the model or in the model folders"""
    diarize: bool
    """tell who speaks: by their voices, on each segment and word, which are parted where the speaker changes
    (default: False)"""
    num_speakers: Union[int, None]
    """how many people speak; None: that is found out"""
    min_speakers: Union[int, None]
    """so many people speak at least"""
    max_speakers: Union[int, None]
    """so many people speak at most"""
    speakers_model: Union[str, os.PathLike[str], None]
    """the model that tells voices apart, by path or name; None: speakers beside the model or in the model folders"""
    speaker: Union[Mapping[str, Union[str, os.PathLike[str]]], Sequence[str], str, None]
    """somebody's name, and a recording of a few seconds in which nobody else speaks; may be given several times
    (in one value: a line each)"""
    speakers_in: Union[str, os.PathLike[str], None]
    """the voices that speakers_out wrote: who is among them keeps his name"""
    speakers_out: Union[str, os.PathLike[str], None]
    """write the voices of all who spoke, with their names, to this file, for the next recording"""
    fp16: bool
    """openai-whisper's; without effect: compute_type says what the arithmetic is"""
    prompt: None
    """openai-whisper's; transcribe() does not use it there either"""


class Options(ModelOptions, total=False):
    """The options of a transcription."""

    device: Union[str, int]
    """where to compute: cpu, cuda, cuda:1, auto (default: load_model()'s)"""


class Watched(Options, total=False):
    """Options, and who is told."""

    progress: Optional[Callable[[float, float], Any]]
    segment: Optional[Callable[[Dict[str, Any]], Any]]
    cancel: Optional[Callable[[], Any]]
    log: Optional[Callable[[int, str], Any]]


class Shown(Watched, total=False):
    """The same, and transcribe()'s verbose."""

    verbose: Optional[bool]


class WatchedLayout(Watched, Layout, total=False):
    """Options of a document."""
