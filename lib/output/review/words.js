"use strict";
// words.js - words and text: how an edit of a segment's text becomes words with times, and which words sound or look alike.
// Knows nothing of the page. A word is {text, start, end, probability, confidence, base, speaker, alternatives, corrected,
// heard}; base is its place among the transcript's words as they came, -1 for one that was typed. Words never change: an
// edit makes new ones.

// Scripts that are written without spaces between words.
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}]/u;

function textOf(words) {
    let text = "";
    for (const word of words) text += word.text;
    return text;
}

// "Share Jet," -> "share jet": what is compared.
function plain(text) {
    return text.normalize("NFC").toLowerCase().replace(/[^\p{L}\p{N}\p{M}'’]+/gu, " ").trim();
}

// A text as pieces, each with the space before it: at spaces, and where a script has none, at each character.
function piecesOf(text) {
    const pieces = [];
    for (const match of text.matchAll(/\s*\S+/gu)) {
        if (!UNSPACED.test(match[0])) {
            pieces.push(match[0]);
            continue;
        }
        let piece = "";
        for (const character of match[0]) {
            const isWord = /[\p{L}\p{N}]/u.test(character);
            if (/[\p{L}\p{N}]/u.test(piece) && isWord && (UNSPACED.test(character) || UNSPACED.test(piece))) {
                pieces.push(piece);
                piece = "";
            }
            piece += character;
        }
        pieces.push(piece);
    }
    return pieces;
}

// Words for pieces said from start to end: each gets a share by its length.
function spread(pieces, start, end, speaker) {
    const lengths = pieces.map(piece => Math.max(1, piece.trim().length)), all = lengths.reduce((a, b) => a + b, 0);
    let done = 0;
    return pieces.map((text, i) => {
        const from = start + (end - start) * done / all;
        done += lengths[i];
        return {text, start: from, end: start + (end - start) * done / all, probability: 1, confidence: 1, base: -1,
                speaker, corrected: true};
    });
}

// Do two texts, one right behind the other, make one word?
function isGlued(before, after) {
    const a = before.slice(-1), b = after.slice(0, 1);
    return /[\p{L}\p{N}\p{M}'’-]/u.test(a) && /[\p{L}\p{N}\p{M}'’-]/u.test(b) && !UNSPACED.test(a) && !UNSPACED.test(b);
}

// Which words characters [from, to) are of, [first, last]; for a place between two words the one before it.
function wordsAt(words, from, to) {
    let first = -1, last = -1, at = 0, base = 0;
    for (let i = 0; i < words.length; i++) {
        const end = at + words[i].text.length;
        if (first < 0 && (end > from || (end === from && (from === to || i + 1 === words.length)))) {
            first = last = i;
            base = at;
        }
        if (first >= 0 && at < to) last = i;
        at = end;
    }
    return [first, last, base];
}

// Pieces of a changed stretch get the times of `old`, its words; `before` and `after` are the times it may not leave.
function timed(pieces, old, before, after, speaker) {
    const kept = [], tail = [];
    while (pieces.length && old.length && pieces[0] === old[0].text) { kept.push(old.shift()); pieces.shift(); }
    while (pieces.length && old.length && pieces.at(-1) === old.at(-1).text) { tail.unshift(old.pop()); pieces.pop(); }
    if (!pieces.length) return [...kept, ...tail];
    const start = old.length ? old[0].start : kept.length ? kept.at(-1).end : before;
    const end = old.length ? old.at(-1).end : tail.length ? tail[0].start : after;
    if (end - start >= 0.06 * pieces.length || !kept.length)
        return [...kept, ...spread(pieces, start, Math.max(start, end), speaker), ...tail];
    const giver = kept.pop(), shared = spread([giver.text, ...pieces], giver.start, Math.max(end, giver.end), speaker);
    return [...kept, {...giver, end: shared[0].end}, ...shared.slice(1), ...tail]; // no room: the word before gives of its own
}

// The words with characters [from, to) of their text replaced. Words that are not touched stay what they are; `within` has
// the segment's times, for one that has no words.
function replaceRange(words, from, to, text, within) {
    let [first, last, base] = wordsAt(words, from, to);
    if (first < 0) return spread(piecesOf(text), within.start, within.end, within.speaker);
    const whole = textOf(words.slice(first, last + 1));
    let changed = whole.slice(0, from - base) + text + whole.slice(to - base);
    if (!changed && first > 0 && last + 1 < words.length && isGlued(words[first - 1].text, words[last + 1].text))
        changed = words[++last].text;
    while (changed && first > 0 && isGlued(words[first - 1].text, changed)) changed = words[--first].text + changed;
    while (changed && last + 1 < words.length && isGlued(changed, words[last + 1].text)) changed += words[++last].text;
    const old = words.slice(first, last + 1), speaker = old[0].speaker;
    const before = first ? words[first - 1].end : within.start, after = last + 1 < words.length ? words[last + 1].start : within.end;
    return [...words.slice(0, first), ...timed(piecesOf(changed), old, before, after, speaker), ...words.slice(last + 1)];
}

// The words with several stretches of characters replaced, [{from, to, text}] in order, none within another: the words around
// each are looked at alone, so that a long segment costs no more than a short one for each.
function replaceRanges(words, edits, within) {
    const starts = new Float64Array(words.length + 1), made = [];
    for (let k = 0; k < words.length; k++) starts[k + 1] = starts[k] + words[k].text.length;
    let done = 0, k = 0;
    for (let e = 0; e < edits.length;) {
        let end = 0, next = e;
        while (k < words.length && starts[k + 1] < edits[e].from) k++;
        const first = startOfStretch(words, Math.max(done, k - 1), done);
        for (k = Math.max(k, first); next < edits.length && (next === e || edits[next].from <= starts[end]); next++) {
            while (k < words.length && starts[k] <= edits[next].to) k++;
            end = endOfStretch(words, Math.min(words.length, k + 1));
        }
        let here = words.slice(first, end);
        const bounds = {...within, start: first ? words[first - 1].end : within.start, end: end < words.length ? words[end].start : within.end};
        for (let back = next - 1; back >= e; back--)
            here = replaceRange(here, edits[back].from - starts[first], edits[back].to - starts[first], edits[back].text, bounds);
        for (; done < first; done++) made.push(words[done]);
        made.push(...here);
        done = end;
        e = next;
    }
    for (; done < words.length; done++) made.push(words[done]);
    return made;
}

// Texts that are glued together stay together.
function startOfStretch(words, k, least) {
    while (k > least && isGlued(words[k - 1].text, words[k].text)) k--;
    return k;
}

function endOfStretch(words, k) {
    while (k > 0 && k < words.length && isGlued(words[k - 1].text, words[k].text)) k++;
    return k;
}

// Where two texts differ: [{from, to, text}] that make `before` into `after`, first to last. By characters, so that it
// serves every script; what is too long for a table is one stretch.
function differences(before, after) {
    let head = 0, tail = 0;
    const shorter = Math.min(before.length, after.length);
    while (head < shorter && before[head] === after[head]) head++;
    while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
    const a = before.slice(head, before.length - tail), b = after.slice(head, after.length - tail);
    if (!a && !b) return [];
    if (!a || !b || a.length * b.length > 1e6) return [{from: head, to: head + a.length, text: b}];
    const pairs = longestCommon(a, b), found = [];
    let x = 0, y = 0;
    for (const [i, j] of [...pairs, [a.length, b.length]]) {
        if (i > x || j > y) found.push({from: head + x, to: head + i, text: b.slice(y, j)});
        x = i + 1;
        y = j + 1;
    }
    return found;
}

// Pairs of places of characters that both have, in order, as many as there can be.
function longestCommon(a, b) {
    const wide = b.length + 1, best = new Uint16Array((a.length + 1) * wide), pairs = [];
    for (let i = a.length - 1; i >= 0; i--)
        for (let j = b.length - 1; j >= 0; j--)
            best[i * wide + j] = a[i] === b[j] ? best[(i + 1) * wide + j + 1] + 1 :
                Math.max(best[(i + 1) * wide + j], best[i * wide + j + 1]);
    for (let i = 0, j = 0; i < a.length && j < b.length;) {
        if (a[i] === b[j]) pairs.push([i++, j++]);
        else if (best[(i + 1) * wide + j] >= best[i * wide + j + 1]) i++;
        else j++;
    }
    return pairs;
}

// The words for a segment's text as it was typed anew.
function retext(words, text, within) {
    const edits = differences(textOf(words), text);
    for (const edit of edits.reverse()) words = replaceRange(words, edit.from, edit.to, edit.text, within);
    return words;
}

// ---- alike ----

// What an English word sounds like, roughly: consonants by how they are made, vowels only where they begin it. null: it has
// letters that are none of English.
function soundOfWord(word) {
    let rest = word.replace(/[^\p{L}\p{N}]/gu, "").normalize("NFD").replace(/\p{M}/gu, "");
    if (!/^[a-z0-9]*$/.test(rest)) return null;
    rest = rest.replace(/^(?:kn|gn|pn)/, "n").replace(/^wr/, "r").replace(/^ps/, "s").replace(/^x/, "s").replace(/mb$/, "m");
    const rules = [[/tch|ch|sh|sch|[ts]i(?=on|a)|dge/g, "J"], [/ph|gh(?=$|t)|v/g, "f"], [/gh/g, "g"], [/th/g, "t"], [/ck|q|x/g, "k"],
                   [/c(?=[eiy])/g, "s"], [/g(?=[eiy])|j/g, "J"], [/[cg]/g, "k"], [/z/g, "s"], [/d/g, "t"], [/b/g, "p"], [/m/g, "n"]];
    for (const [pattern, sound] of rules) rest = rest.replace(pattern, sound);
    const first = /^[aeiouy]/.test(rest) ? "A" : "";
    return first + rest.replace(/[aeiouywh]/g, "").replace(/(.)\1+/g, "$1");
}

// Words that are said one behind the other, as if they were one.
function soundTogether(sounds) {
    let made = "";
    for (let i = 0; i < sounds.length; i++) {
        if (sounds[i] === null) return "";
        const sound = i && sounds[i][0] === "A" ? sounds[i].slice(1) : sounds[i];
        made += sound && sound[0] === made[made.length - 1] ? sound.slice(1) : sound;
    }
    return made;
}

function soundOf(text) {
    return soundTogether(plain(text).split(" ").map(soundOfWord));
}

// How many letters must change, at most `most` + 1. Of the table only what is so near its diagonal that it can matter is
// filled in, a row over the one before it; `left` is what stood above and to the left.
let distances = new Uint16Array(64);
function editDistance(a, b, most) {
    if (Math.abs(a.length - b.length) > most) return most + 1;
    if (distances.length <= b.length) distances = new Uint16Array(2 * b.length + 2);
    const row = distances, over = most + 1;
    for (let j = 0; j <= b.length; j++) row[j] = Math.min(j, over);
    for (let i = 1; i <= a.length; i++) {
        const from = Math.max(1, i - most), to = Math.min(b.length, i + most), letter = a.charCodeAt(i - 1);
        let left = row[from - 1], least = row[from - 1] = from > 1 ? over : Math.min(i, over);
        for (let j = from; j <= to; j++) {
            const above = j === i + most ? over : row[j];
            row[j] = Math.min(above + 1, row[j - 1] + 1, left + (letter === b.charCodeAt(j - 1) ? 0 : 1), over);
            left = above;
            least = Math.min(least, row[j]);
        }
        if (least > most) return over;
    }
    return row[b.length];
}

// A text in the form in which two are compared: its letters without spaces and marks, and its sound.
function likenessOf(text) {
    const letters = plain(text).normalize("NFD").replace(/[^\p{L}\p{N}]/gu, "");
    return {letters, text};
}

// How many letters may be others in texts that are alike, of which the longer one has `longer`.
function mostOthers(longer, isUnspaced) {
    return Math.floor(longer / (isUnspaced ? 3 : 4));
}

const SOUNDS = 3, LENGTHS = 3; // sounds that are the same must be so many; letters by which such texts may differ in length

// 0: the same letters; up to 1: alike; above: not. Short words must agree in more.
function unlikeness(a, b) {
    if (!a.letters || !b.letters) return 2;
    if (a.letters === b.letters) return 0;
    const most = mostOthers(Math.max(a.letters.length, b.letters.length), UNSPACED.test(a.letters));
    const distance = editDistance(a.letters, b.letters, most);
    if (distance <= most) return distance / (most + 1);
    if (Math.abs(a.letters.length - b.letters.length) > LENGTHS) return 2;
    a.sound ??= soundOf(a.text);
    b.sound ??= soundOf(b.text);
    return a.sound.length >= SOUNDS && a.sound === b.sound ? 0.9 : 2;
}
