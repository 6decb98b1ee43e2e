"use strict";
// formats.js - the corrected transcript as a file: txt, srt, vtt and json as whisp writes them, and a plain HTML document
// that word processors open. test_review.py compares the first three with what `whisp --from` makes of the fourth.
//
// Each format is a generator of pieces of its text, "" where it has none yet, which a few hundred words make at most: the
// page lives between them (blobOfPieces), however long the transcript is.

const WORDS_A_PIECE = 200, BLOB_STEP = 1 << 18; // characters that become bytes at once

// White space, which is what lib/util/text.c takes for some: a browser's own trim() knows U+FEFF, too.
const WHITE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

function stripped(text) {
    let from = 0, to = text.length;
    while (from < to && WHITE.test(text[from])) from++;
    while (to > from && WHITE.test(text[to - 1])) to--;
    return text.slice(from, to);
}

// A file of pieces.
async function blobOfPieces(pieces, type) {
    const blobs = [], state = {since: performance.now()};
    let text = "";
    for (const piece of pieces) {
        text += piece;
        if (text.length >= BLOB_STEP) {
            blobs.push(new Blob([text]));
            text = "";
        }
        const pause = breathe(state);
        if (pause) await pause;
    }
    return new Blob([...blobs, text], {type});
}

// 1000 * seconds as a whole number, halves to the even one.
function milliseconds(seconds) {
    const x = 1000 * seconds, low = Math.floor(x);
    return x - low === 0.5 ? low + (low & 1) : Math.round(x);
}

function timestamp(ms, mark, hoursAlways) {
    const at = Math.max(0, ms), two = n => String(n).padStart(2, "0"), hours = Math.floor(at / 3600000);
    return (hoursAlways || hours ? two(hours) + ":" : "") + two(Math.floor(at / 60000) % 60) + ":" + two(Math.floor(at / 1000) % 60) +
        mark + String(at % 1000).padStart(3, "0");
}

function plainName(name) {
    return name.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]/g, " ");
}

function bracketed(name) {
    return "[" + plainName(name).replace(/[[<]/g, "(").replace(/[\]>]/g, ")") + "]: ";
}

function voiced(name) {
    return "<v " + plainName(name).replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]) + ">";
}

function nameOf(t, speaker) {
    return speaker < 0 ? "" : t.head.speakers[speaker];
}

function* asText(t) {
    for (const row of t.rows) yield (row.speaker >= 0 ? bracketed(nameOf(t, row.speaker)) : "") + stripped(row.text) + "\n";
}

// Cues as lib/output/subtitles.c gathers them without a layout: a segment each or, where words have speakers, part of one.
function* cuesOf(t) {
    const cues = [];
    for (const row of t.rows) {
        if (t.hasWords) yield* cuesOfWords(t, row.words, cues);
        else cues.push({start: milliseconds(row.start), end: milliseconds(row.end), speaker: row.speaker, text: stripped(row.text).replaceAll("-->", "->")});
        yield "";
    }
    return widened(cues.filter(cue => cue.text || cue.end > cue.start).map(cue => ({...cue, start: Math.max(0, cue.start)})));
}

// As lib/output/lines.c, and openai-whisper: a cue has a thousand words at most, a line a thousand characters.
function* cuesOfWords(t, words, cues) {
    const MOST = 1000;
    let cue = null, line = 0;
    for (let k = 0; k < words.length; k++) {
        const word = words[k], text = stripped(word.text), size = charactersIn(word.text);
        if (k % MOST === 0 || nameOf(t, word.speaker) !== nameOf(t, cue.speaker)) {
            cue = {start: milliseconds(word.start), speaker: word.speaker, text};
            cues.push(cue);
            line = charactersIn(text);
        } else if (line > 0 && line + size <= MOST) {
            cue.text += word.text;
            line += size;
        } else {
            cue.text += (line > 0 ? "\n" : "") + text;
            line = charactersIn(text);
        }
        cue.end = milliseconds(word.end);
        if (k % WORDS_A_PIECE === WORDS_A_PIECE - 1) yield "";
    }
}

// A pair of surrogates is one.
function charactersIn(text) {
    let n = text.length;
    for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) n--;
    return n;
}

// Cues that last no time get some, as there.
function widened(cues) {
    const LEAST = 100;
    for (let i = 0, next; i < cues.length; i = Math.max(next, i + 1)) {
        for (next = i; next < cues.length && cues[next].end <= cues[next].start; next++)
            if (next > i && cues[next].start >= cues[i].start + (next - i) * LEAST) break;
        if (next > i) widen(cues, i, next, LEAST);
    }
    return cues;
}

function widen(cues, first, next, least) {
    let at = cues[first].start, each = least;
    const n = next - first, after = cues[next];
    if (after && after.start < at + n * each)
        each = Math.max(1, Math.min(each, Math.trunc((Math.max(after.end, after.start) - at) / (n + 1))));
    for (let i = first; i < next; i++) {
        cues[i].start = Math.max(cues[i].start, at);
        cues[i].end = at = cues[i].start + each;
    }
    for (; next < cues.length && cues[next].start < at; next++) {
        cues[next].start = at;
        cues[next].end = Math.max(cues[next].end, at + 1);
    }
}

function* asSrt(t) {
    let n = 0;
    for (const cue of yield* cuesOf(t))
        yield ++n + "\n" + timestamp(cue.start, ",", true) + " --> " + timestamp(cue.end, ",", true) + "\n" +
            (cue.speaker >= 0 ? bracketed(nameOf(t, cue.speaker)) : "") + cue.text + "\n\n";
}

function* asVtt(t) {
    yield "WEBVTT\n\n";
    for (const cue of yield* cuesOf(t))
        yield timestamp(cue.start, ".") + " --> " + timestamp(cue.end, ".") + "\n" +
            (cue.speaker >= 0 ? voiced(nameOf(t, cue.speaker)) : "") + cue.text + "\n\n";
}

// ---- json ----

// Who speaks when, with the segments that were given to somebody else taken out of the old one's turns.
function turnsOf(t) {
    const turns = [], holes = new Map(); // by speaker: [[start, end]], in order and apart
    for (const row of [...t.rows].sort((a, b) => a.start - b.start)) {
        const old = t.baseRows[row.base].speaker;
        if (row.speaker === old || row.end <= row.start) continue;
        if (!holes.has(old)) holes.set(old, []);
        const list = holes.get(old), last = list[list.length - 1];
        if (last && row.start <= last[1]) last[1] = Math.max(last[1], row.end);
        else list.push([row.start, row.end]);
        if (row.speaker >= 0) turns.push({start: row.start, end: row.end, speaker: row.speaker});
    }
    for (const turn of t.document.turns) {
        const speaker = t.numberOf(turn.speaker), list = holes.get(speaker) || [];
        let {start} = turn, low = 0, high = list.length; // the first hole that ends behind its beginning
        while (low < high) {
            const middle = low + high >> 1;
            if (list[middle][1] <= start) low = middle + 1;
            else high = middle;
        }
        for (; low < list.length && list[low][0] < turn.end; low++) {
            if (list[low][0] > start) turns.push({start, end: list[low][0], speaker});
            start = list[low][1];
        }
        if (start < turn.end || start === turn.start) turns.push({start, end: turn.end, speaker});
    }
    return turns.sort((a, b) => a.start - b.start || a.end - b.end).map(turn => ({...turn, speaker: nameOf(t, turn.speaker)}));
}

function wordAsJson(t, word) {
    const made = {word: word.text, start: word.start, end: word.end, probability: word.probability};
    if (word.heard) made.confidence = 1;
    else if (word.confidence !== undefined) made.confidence = word.confidence;
    if (word.alternatives) made.alternatives = word.alternatives;
    if (word.speaker >= 0) made.speaker = nameOf(t, word.speaker);
    if (word.corrected) made.corrected = true;
    if (word.heard) made.heard = true;
    return made;
}

// A segment but for its words.
function segmentAsJson(t, row, id) {
    const {words, ...base} = t.document.segments[row.base], made = {...base, id, start: row.start, end: row.end};
    if (!t.isBase(row)) {
        const text = row.text === t.baseRows[row.base].text ? base.text : row.text;
        if (text !== base.text) Object.assign(made, {text, tokens: [], corrected: true});
    }
    delete made.speaker;
    delete made.note;
    if (row.speaker >= 0) made.speaker = nameOf(t, row.speaker);
    if (row.note) made.note = row.note;
    if (base.confidence !== undefined && t.hasWords) {
        let sum = 0, judged = 0;
        for (const word of row.words) {
            const confidence = word.heard ? 1 : word.confidence;
            if (confidence > 0) { sum += confidence; judged++; }
        }
        if (judged) made.confidence = sum / judged;
    }
    return made;
}

// Without numbers that were none.
function jsonOf(value) {
    return JSON.stringify(value, (name, one) => one === null && name !== "language" ? undefined : one);
}

function* segmentPieces(t, row, id) {
    const bare = jsonOf(segmentAsJson(t, row, id));
    if (!t.hasWords || !(t.document.segments[row.base].words || row.words.length)) return yield bare;
    yield bare.slice(0, -1) + ",\"words\":[";
    for (let k = 0; k < row.words.length; k += WORDS_A_PIECE)
        yield (k ? "," : "") + row.words.slice(k, k + WORDS_A_PIECE).map(word => jsonOf(wordAsJson(t, word))).join(",");
    yield "]}";
}

// What `whisp -f json` writes, with what was corrected; `whisp --from` reads it.
function* asJson(t) {
    const {segments, text, speakers, turns, corrections, note, ...made} = t.document;
    yield "{\"text\":" + jsonOf(t.rows.map(row => row.text).join("")) + ",\"segments\":[";
    for (let i = 0; i < t.rows.length; i++) {
        if (i) yield ",";
        yield* segmentPieces(t, t.rows[i], i);
    }
    yield "]";
    if (turns) {
        const said = new Set(t.rows.map(row => row.speaker));
        made.speakers = [...new Set(t.head.speakers.filter((_, i) => i < (speakers || []).length || said.has(i)))];
        made.turns = turnsOf(t);
    }
    if (t.head.corrections.length) made.corrections = t.head.corrections;
    if (t.head.note) made.note = t.head.note;
    for (const key of Object.keys(made)) {
        const member = jsonOf({[key]: made[key]}).slice(1, -1);
        if (member) yield "," + member;
    }
    yield "}";
}

// ---- a document ----

function escaped(text) {
    return text.replace(/[&<>"]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[c]);
}

function clock(seconds) {
    const s = Math.max(0, Math.floor(seconds)), two = n => String(n).padStart(2, "0");
    return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
}

// A heading, and a paragraph for each turn, or where nobody is told apart for each segment.
function* asDocument(t, name, language, direction) {
    yield "<!doctype html>\n<html lang=\"" + escaped(language || "") + "\" dir=\"" + direction + "\">\n<head><meta charset=\"utf-8\"><title>" +
        escaped(name) + "</title></head>\n<body>\n<h1>" + escaped(name) + "</h1>\n" + (t.head.note ? "<p><i>" + escaped(t.head.note) + "</i></p>\n" : "");
    for (let i = 0, end = 0; i < t.rows.length; i = end) {
        const who = nameOf(t, t.rows[i].speaker);
        for (end = i + 1; who && end < t.rows.length && nameOf(t, t.rows[end].speaker) === who;) end++;
        const rows = t.rows.slice(i, end), text = rows.map(row => row.text).join("").trim(), notes = rows.map(row => row.note).filter(Boolean);
        if (text || notes.length)
            yield "<p>" + (who ? "<b>" + escaped(who) + "</b> " : "") + "<i>" + clock(rows[0].start) + "</i> " + escaped(text) + "</p>" +
                notes.map(note => "<p><i>[" + escaped(note) + "]</i></p>").join("") + "\n";
    }
    yield "</body>\n</html>\n";
}
