"use strict";
// alike.js - finding: every place of a text, and what sounds or looks like it. Long searches go in steps of a few
// milliseconds, so that the page lives meanwhile.

const STEP_MS = 8;

// A promise where it is time to let the page live, else nothing.
function breathe(state) {
    if (performance.now() - state.since < STEP_MS) return null;
    return new Promise(done => setTimeout(done)).then(() => { state.since = performance.now(); });
}

// A word's core, without the punctuation around it and an 's behind it: [from, to) in its text.
function coreOf(text) {
    const from = text.search(/[\p{L}\p{N}]/u);
    if (from < 0) return [0, 0];
    return [from, text.replace(/(?:['’]s)?[^\p{L}\p{N}\p{M}]*$/u, "").length];
}

function trimmed(text) {
    const [from, to] = coreOf(text);
    return text.slice(from, to);
}

// What is to be found as a pattern; null: nothing.
function patternOf(text, {isExact, isWhole}) {
    const term = text.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
    if (!term) return null;
    return new RegExp(isWhole ? "(?<![\\p{L}\\p{N}\\p{M}])" + term + "(?![\\p{L}\\p{N}\\p{M}])" : term, isExact ? "gu" : "giu");
}

// [{row, from, to}] in order.
function findText(t, pattern) {
    const found = [];
    if (pattern)
        t.rows.forEach((row, i) => {
            for (const match of row.text.matchAll(pattern)) found.push({row: i, from: match.index, to: match.index + match[0].length});
        });
    return found;
}

// Which letters a text has, in 32 bits: one that is changed makes two of them others at most, one that is added or left
// out one.
function lettersIn(text) {
    let bits = 0;
    for (let i = 0; i < text.length; i++) bits |= 1 << (text.charCodeAt(i) & 31);
    return bits;
}

function bitsOf(x) {
    x -= x >>> 1 & 0x55555555;
    x = (x & 0x33333333) + (x >>> 2 & 0x33333333);
    return Math.imul(x + (x >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

// What is known of letters, remembered with them: most words are there many times.
const partsKnown = new Map();
function partOf(letters) {
    let part = partsKnown.get(letters);
    if (!part) {
        part = {letters, bits: lettersIn(letters), sound: soundOfWord(letters), isUnspaced: UNSPACED.test(letters)};
        partsKnown.set(letters, part);
    }
    return part;
}

// A word's core and the parts that its letters are in runs of words, as the last word and before others; remembered with it:
// words never change.
const wordsKnown = new WeakMap();
function knownOf(word) {
    let known = wordsKnown.get(word);
    if (known === undefined) {
        const core = trimmed(word.text);
        known = {core, last: partOf(likenessOf(core).letters), inner: partOf(likenessOf(word.text).letters)};
        wordsKnown.set(word, known);
    }
    return known;
}

// What tells whether a text is a place to change where `from` became `to`: 0 the same as `from`, below 1 alike, else not.
// `mayBe` tells most of those that are not by numbers alone, `quick` knows by the letters, most often, that it is none.
function judgeOf(from, to) {
    const a = likenessOf(trimmed(from)), b = likenessOf(trimmed(to)), wrong = plain(trimmed(from)), right = plain(trimmed(to)), known = new Map();
    const isShort = letters => letters.length < 4 && !UNSPACED.test(letters), models = isShort(b.letters) ? [a] : [a, b];
    const numbers = models.map(model => ({length: model.letters.length, bits: lettersIn(model.letters), sounds: soundOf(model.text).length}));
    return {
        // Of a run of `count` words that together have so many letters, these, and so many sounds.
        mayBe(length, bits, sounds, count, isUnspaced) {
            for (const model of numbers) {
                const away = Math.abs(length - model.length), most = mostOthers(Math.max(length, model.length), isUnspaced);
                if (away <= most && bitsOf(bits ^ model.bits) <= 2 * most) return true;
                if (away <= LENGTHS && model.sounds >= SOUNDS && sounds >= model.sounds && sounds <= model.sounds + 2 * (count - 1)) return true;
            }
            return false;
        },
        quick(letters, run) {
            let unlike = known.get(letters);
            if (unlike === undefined) {
                const here = {letters, text: letters, sound: soundTogether(run())};
                unlike = letters === a.letters ? 0 : isShort(letters) ? 2 : Math.min(...models.map(model => unlikeness(here, model)));
                known.set(letters, unlike);
            }
            return unlike;
        },
        judge(core, unlike) {
            const text = plain(core);
            if (right && (" " + text + " ").includes(" " + right + " ")) return 2;
            return text === wrong ? 0 : isShort(likenessOf(core).letters) ? 2 : Math.max(0.01, unlike);
        },
    };
}

const AT_ONCE = 200; // words of a row between two looks at the clock

// Places among words [first, end) of a row: every run of `least` to `most` words that begins there is looked at. `at`: the
// first one's character.
function alikeAmong({row, i, first, end, at, least, most, judge: {mayBe, quick, judge}}, here) {
    const {words} = row, run = [];
    for (let k = first; k < end; at += words[k].text.length, k++) {
        let length = 0, bits = 0, sounds = 0, isUnspaced = false;
        run.length = 0;
        for (let n = 1; n <= most && k + n <= words.length; n++) {
            const {last, inner} = knownOf(words[k + n - 1]), soundOfLast = last.sound === null ? 0 : last.sound.length;
            if (n >= least && last.letters && mayBe(length + last.letters.length, bits | last.bits, sounds + soundOfLast, n, isUnspaced || last.isUnspaced)) {
                const unlike = quick(run.map(part => part.letters).join("") + last.letters, () => [...run, last].map(part => part.sound));
                if (unlike < 1) {
                    const text = textOf(words.slice(k, k + n)), [start, stop] = coreOf(text), exact = judge(text.slice(start, stop), unlike);
                    if (exact < 1) here.push({row: i, from: at + start, to: at + stop, text: text.slice(start, stop), unlike: exact});
                }
            }
            length += inner.letters.length;
            bits |= inner.bits;
            sounds += inner.sound === null ? 0 : inner.sound.length;
            isUnspaced = isUnspaced || inner.isUnspaced;
            run.push(inner);
        }
    }
    return at;
}

// Of places that are within another the best.
function apart(here, length) {
    if (here.length < 2) return here;
    const isTaken = new Uint8Array(length);
    here.sort((x, y) => x.unlike - y.unlike || x.to - x.from - (y.to - y.from));
    return here.filter(({from, to}) => {
        const is = isTaken.subarray(from, to).includes(1);
        if (!is) isTaken.fill(1, from, to);
        return !is;
    });
}

// Other places of `from`, which became `to`, and what sounds or looks like either: [{row, from, to, text, unlike}], the most
// alike first. Needs the transcript to stay what it is meanwhile: null where it did not.
async function findAlike(t, from, to) {
    const {version} = t, count = Math.max(1, plain(from).split(" ").length), state = {since: performance.now()}, judge = judgeOf(from, to);
    let found = [];
    for (let i = 0; i < t.rows.length; i++) {
        const row = t.rows[i], here = [];
        for (let first = 0, at = 0; first < row.words.length; first += AT_ONCE) {
            const end = Math.min(row.words.length, first + AT_ONCE);
            at = alikeAmong({row, i, first, end, at, least: Math.max(1, count - 1), most: count + 1, judge}, here);
            const pause = breathe(state);
            if (pause) await pause;
            if (t.version !== version) return null;
        }
        found = here.length ? found.concat(apart(here, row.text.length)) : found;
    }
    return found.sort((x, y) => x.unlike - y.unlike || x.row - y.row || x.from - y.from);
}

// The new text where the old one stood: with a capital where that had one and the model of it had none.
function fitted(to, from, here) {
    const core = trimmed(to), isUpper = text => text && text[0] !== text[0].toLowerCase();
    return isUpper(here) && !isUpper(trimmed(from)) && !isUpper(core) ? core[0].toUpperCase() + core.slice(1) : core;
}

// The words that are there three times or more, for offers: [{text, like}], found in steps.
const likeKnown = new Map(); // by text
async function lexiconOf(t) {
    const counts = new Map(), state = {since: performance.now()}, found = [];
    for (const row of t.rows.slice())
        for (let k = 0; k < row.words.length; k++) {
            const {core} = knownOf(row.words[k]);
            if (core.length > 3) counts.set(core, (counts.get(core) || 0) + 1);
            const pause = k % 50 ? null : breathe(state);
            if (pause) await pause;
        }
    for (const [text, count] of counts) {
        if (count < 3) continue;
        let like = likeKnown.get(text);
        if (!like) {
            likeKnown.set(text, like = likenessOf(text));
            like.sound = soundOf(text);
        }
        found.push({text, like});
        const pause = breathe(state);
        if (pause) await pause;
    }
    return found;
}

// What a text may have been instead: [text], the best first.
function offersFor(t, words, lexicon) {
    const text = textOf(words).trim(), core = trimmed(text), offers = new Map(), like = likenessOf(core);
    const offer = (other, weight) => {
        const key = other.trim();
        if (key && plain(key) !== plain(text) && (offers.get(key) || -1) < weight) offers.set(key, weight);
    };
    const put = (other, weight) => {
        const [from, to] = coreOf(text);
        offer(text.slice(0, from) + other + text.slice(to), weight);
    };
    words.forEach((word, k) => (word.alternatives || []).forEach((one, rank) =>
        offer(textOf(words.slice(0, k)) + (/^\s/.test(word.text) && !/^\s/.test(one.text) ? " " : "") + one.text + textOf(words.slice(k + 1)), 3 - rank / 10)));
    for (const {from, to} of t.head.corrections) if (unlikeness(like, likenessOf(from)) < 1) put(trimmed(to), 4);
    for (const term of t.head.terms) if (unlikeness(like, likenessOf(term)) < 1) put(term, 2.5);
    for (const entry of lexicon) {
        const unlike = unlikeness(like, entry.like);
        if (unlike > 0 && unlike < 0.6) put(entry.text, 1 - unlike);
    }
    return [...offers].sort((x, y) => y[1] - x[1]).slice(0, 6).map(([other]) => other);
}
