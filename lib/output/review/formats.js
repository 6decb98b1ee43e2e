"use strict";
// formats.js - the corrected transcript as a file: txt, srt, vtt and json as whisp writes them, and a plain HTML document
// that word processors open. test_review.py compares the first three with what `whisp --from` makes of the fourth.

// Without white space around it, which is what lib/util/text.c takes for some: a browser's own trim() knows U+FEFF, too.
function stripped(text) {
    const spaces = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
    return text.replace(new RegExp("^" + spaces), "").replace(new RegExp(spaces + "$"), "");
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

function asText(t) {
    return t.rows.map(row => (row.speaker >= 0 ? bracketed(nameOf(t, row.speaker)) : "") + stripped(row.text) + "\n").join("");
}

// Cues as lib/output/subtitles.c gathers them without a layout: a segment each or, where words have speakers, part of one.
function cuesOf(t) {
    const cues = [];
    for (const row of t.rows) {
        if (!t.hasWords) {
            const text = stripped(row.text).replaceAll("-->", "->"), start = milliseconds(row.start), end = milliseconds(row.end);
            if (text || end > start) cues.push({start, end, speaker: row.speaker, text});
            continue;
        }
        let cue = null;
        row.words.forEach((word, k) => {
            if (!k || nameOf(t, word.speaker) !== nameOf(t, cue.speaker)) {
                cue = {start: milliseconds(word.start), speaker: word.speaker, text: stripped(word.text)};
                cues.push(cue);
            } else {
                cue.text += word.text;
            }
            cue.end = milliseconds(word.end);
        });
    }
    return widened(cues.filter(cue => cue.text || cue.end > cue.start).map(cue => ({...cue, start: Math.max(0, cue.start)})));
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

function asSrt(t) {
    return cuesOf(t).map((cue, i) => (i + 1) + "\n" + timestamp(cue.start, ",", true) + " --> " + timestamp(cue.end, ",", true) + "\n" +
        (cue.speaker >= 0 ? bracketed(nameOf(t, cue.speaker)) : "") + cue.text + "\n\n").join("");
}

function asVtt(t) {
    return "WEBVTT\n\n" + cuesOf(t).map(cue => timestamp(cue.start, ".") + " --> " + timestamp(cue.end, ".") + "\n" +
        (cue.speaker >= 0 ? voiced(nameOf(t, cue.speaker)) : "") + cue.text + "\n\n").join("");
}

// ---- json ----

// Who speaks when, with the segments that were given to somebody else taken out of the old one's turns.
function turnsOf(t) {
    let turns = t.document.turns.map(turn => ({start: turn.start, end: turn.end, speaker: t.numberOf(turn.speaker)}));
    for (const row of t.rows) {
        const old = t.baseRows[row.base].speaker;
        if (row.speaker === old) continue;
        turns = turns.flatMap(turn => turn.speaker !== old || turn.end <= row.start || turn.start >= row.end ? [turn] :
            [{...turn, end: row.start}, {...turn, start: row.end}].filter(part => part.end > part.start));
        if (row.speaker >= 0) turns.push({start: row.start, end: row.end, speaker: row.speaker});
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

function segmentAsJson(t, row, id) {
    const base = t.document.segments[row.base], made = {...base, id, start: row.start, end: row.end};
    if (!t.isBase(row)) {
        const text = row.text === t.baseRows[row.base].text ? base.text : row.text;
        if (text !== base.text) Object.assign(made, {text, tokens: [], corrected: true});
    }
    delete made.speaker;
    delete made.note;
    if (row.speaker >= 0) made.speaker = nameOf(t, row.speaker);
    if (row.note) made.note = row.note;
    if (t.hasWords && (base.words || row.words.length)) {
        made.words = row.words.map(word => wordAsJson(t, word));
        const judged = made.words.filter(word => word.confidence > 0);
        if (base.confidence !== undefined && judged.length)
            made.confidence = judged.reduce((sum, word) => sum + word.confidence, 0) / judged.length;
    }
    return made;
}

// What `whisp -f json` writes, with what was corrected; `whisp --from` reads it.
function asJson(t) {
    const {segments, text, speakers, turns, corrections, note, ...rest} = t.document;
    const rows = t.rows.map((row, i) => segmentAsJson(t, row, i));
    const made = {text: rows.map(row => row.text).join(""), segments: rows, ...rest};
    if (turns) {
        const said = new Set(t.rows.map(row => row.speaker));
        made.speakers = [...new Set(t.head.speakers.filter((_, i) => i < (speakers || []).length || said.has(i)))];
        made.turns = turnsOf(t);
    }
    if (t.head.corrections.length) made.corrections = t.head.corrections;
    if (t.head.note) made.note = t.head.note;
    return JSON.stringify(made, (name, value) => value === null && name !== "language" ? undefined : value); // a number that was none
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
function asDocument(t, name, language, direction) {
    const paragraphs = [];
    for (let i = 0; i < t.rows.length; i++) {
        const row = t.rows[i], who = nameOf(t, row.speaker), last = paragraphs[paragraphs.length - 1];
        if (who && last && last.who === who) last.text += row.text;
        else paragraphs.push({who, start: row.start, text: row.text, notes: []});
        if (row.note) paragraphs[paragraphs.length - 1].notes.push(row.note);
    }
    const body = paragraphs.filter(p => p.text.trim() || p.notes.length).map(p => "<p>" + (p.who ? "<b>" + escaped(p.who) + "</b> " : "") +
        "<i>" + clock(p.start) + "</i> " + escaped(p.text.trim()) + "</p>" + p.notes.map(note => "<p><i>[" + escaped(note) + "]</i></p>").join(""));
    return "<!doctype html>\n<html lang=\"" + escaped(language || "") + "\" dir=\"" + direction + "\">\n<head><meta charset=\"utf-8\"><title>" +
        escaped(name) + "</title></head>\n<body>\n<h1>" + escaped(name) + "</h1>\n" + (t.head.note ? "<p><i>" + escaped(t.head.note) + "</i></p>\n" : "") +
        body.join("\n") + "\n</body>\n</html>\n";
}
