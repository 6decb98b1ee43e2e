"use strict";
// transcript.js - the transcript that is corrected: its rows (segments), its head (speakers, what was heard, corrections),
// and every change of them with its way back. Knows nothing of the page.
//
// A row is {id, start, end, words, text, speaker, note, base}: speaker is a place in head.speakers or -1, base the place of
// the segment it came from. Rows and heads never change: an edit puts new ones in their place, so that undoing puts the old
// ones back.

class Transcript {
    // `document` is what `whisp -f json` writes.
    constructor(document) {
        this.document = document;
        this.listeners = [];
        this.undone = [];
        this.done = [];
        this.version = 0;
        const names = [...(document.speakers || [])], numbers = new Map();
        names.forEach((name, i) => { if (!numbers.has(name)) numbers.set(name, i); });
        this.numberOf = name => {
            if (name === undefined || name === null) return -1;
            const text = typeof name === "number" ? "SPEAKER_" + String(name - 1).padStart(2, "0") : String(name);
            if (!numbers.has(text)) numbers.set(text, names.push(text) - 1);
            return numbers.get(text);
        };
        this.baseWords = [];
        this.hasWords = document.segments.some(segment => segment.words && segment.words.length);
        this.rows = document.segments.map((segment, i) => this.rowOf(segment, i));
        this.baseRows = this.rows.slice();
        this.head = {speakers: names, heard: {}, corrections: document.corrections || [], note: document.note || "", terms: []};
        this.baseNames = names.slice();
    }

    rowOf(segment, i) {
        const speaker = this.numberOf(segment.speaker), text = segment.text || "";
        let words = (segment.words || []).map(word => {
            const made = {text: word.word, start: word.start, end: word.end, probability: word.probability,
                          confidence: word.confidence, base: this.baseWords.length,
                          speaker: word.speaker === undefined ? speaker : this.numberOf(word.speaker)};
            if (word.alternatives) made.alternatives = word.alternatives;
            if (word.corrected) made.corrected = true;
            if (word.heard) made.heard = true;
            this.baseWords.push(made);
            return made;
        });
        const within = {start: segment.start, end: segment.end, speaker};
        if (textOf(words).trim() !== text.trim()) // words that are none of the text's, or no words at all
            words = retext(words, text, within).map(word => {
                if (word.base >= 0) return word;
                const {corrected, probability, confidence, ...bare} = word;
                return bare;
            });
        return this.row({id: String(i), base: i, start: segment.start, end: segment.end, speaker, note: segment.note || ""}, words);
    }

    row(like, words) {
        return {...like, words, text: textOf(words)};
    }

    // ---- changing ----

    // splices: [{at, remove, add}] in today's numbers, none within another. Changes of one `group` are one to undo.
    change(label, splices, {head, group} = {}) {
        splices = splices.map(s => ({at: s.at, old: this.rows.slice(s.at, s.at + s.remove), now: s.add})).sort((a, b) => a.at - b.at);
        const entry = {label, group, splices, oldHead: this.head, head: head || this.head};
        const last = this.done[this.done.length - 1];
        this.put(splices, entry.head);
        this.undone = [];
        if (group && last && last.group === group && splices.length === last.splices.length &&
            splices.every((s, i) => s.at === last.splices[i].at && s.old.length === last.splices[i].now.length))
            this.done[this.done.length - 1] = {...last, head: entry.head, splices: last.splices.map((s, i) => ({...s, now: splices[i].now}))};
        else
            this.done.push(entry);
    }

    changeHead(label, head, group) {
        this.change(label, [], {head: {...this.head, ...head}, group});
    }

    put(splices, head) {
        const touched = new Set();
        let sameCount = true;
        for (const s of splices.slice().reverse()) {
            for (const row of [...s.old, ...s.now]) touched.add(row.id);
            if (s.old.length === s.now.length) {
                for (let i = 0; i < s.now.length; i++) this.rows[s.at + i] = s.now[i];
                sameCount = sameCount && s.now.every((row, i) => row.id === s.old[i].id);
            } else {
                this.rows.splice(s.at, s.old.length, ...s.now);
                sameCount = false;
            }
        }
        const headChanged = head !== this.head;
        this.head = head;
        this.version++;
        if (!sameCount) this.indexes = null;
        for (const listener of this.listeners) listener({touched, order: !sameCount, head: headChanged});
    }

    undo() {
        const entry = this.done.pop();
        if (!entry) return null;
        let moved = 0;
        const back = entry.splices.map(s => {
            const made = {at: s.at + moved, old: s.now, now: s.old};
            moved += s.now.length - s.old.length;
            return made;
        });
        this.put(back, entry.oldHead);
        this.undone.push(entry);
        return entry;
    }

    redo() {
        const entry = this.undone.pop();
        if (!entry) return null;
        this.put(entry.splices, entry.head);
        this.done.push(entry);
        return entry;
    }

    // ---- finding ----

    indexOf(id) {
        if (!this.indexes) this.indexes = new Map(this.rows.map((row, i) => [row.id, i]));
        const i = this.indexes.get(id);
        return i === undefined ? -1 : i;
    }

    // The row that is being said at a time, or the last one before it.
    rowAt(seconds) {
        let low = 0, high = this.rows.length;
        while (low < high) {
            const middle = low + high >> 1;
            if (this.rows[middle].start <= seconds) low = middle + 1;
            else high = middle;
        }
        return Math.max(0, low - 1);
    }

    // Where a word of the transcript as it came stands now: [row, word], or null where it was corrected.
    whereIs(base) {
        if (this.placedAt !== this.version) {
            this.places = new Int32Array(2 * this.baseWords.length).fill(-1);
            this.rows.forEach((row, i) => row.words.forEach((word, k) => {
                if (word.base >= 0) { this.places[2 * word.base] = i; this.places[2 * word.base + 1] = k; }
            }));
            this.placedAt = this.version;
        }
        return this.places[2 * base] < 0 ? null : [this.places[2 * base], this.places[2 * base + 1]];
    }

    // ---- the edits a person makes ----

    setText(i, text, group) {
        const row = this.rows[i], words = retext(row.words, text, row);
        this.change("typing", [{at: i, remove: 1, add: [this.row(row, words)]}], {group});
    }

    // Before its word k; -1 where there is nothing to split.
    split(i, k) {
        const row = this.rows[i];
        if (k <= 0 || k >= row.words.length) return false;
        const middle = row.words[k].start, first = this.row({...row, end: Math.min(row.end, row.words[k - 1].end)}, row.words.slice(0, k));
        const second = this.row({...row, id: this.freeId(row.id), start: middle, note: "", speaker: row.words[k].speaker}, row.words.slice(k));
        this.change("splitting a segment", [{at: i, remove: 1, add: [first, second]}]);
        return true;
    }

    freeId(id) {
        let n = 1;
        const stem = id.split(".")[0];
        const isTaken = name => this.indexOf(name) >= 0 || this.done.concat(this.undone).some(entry =>
            entry.splices.some(s => s.old.concat(s.now).some(row => row.id === name)));
        while (isTaken(stem + "." + n)) n++;
        return stem + "." + n;
    }

    join(i) { // with the one behind it
        const row = this.rows[i], next = this.rows[i + 1];
        if (!next) return false;
        let words = next.words;
        if (words.length && row.words.length && !/^\s/.test(words[0].text) && !UNSPACED.test(words[0].text))
            words = [{...words[0], text: " " + words[0].text}, ...words.slice(1)];
        const note = [row.note, next.note].filter(Boolean).join("\n");
        const joined = this.row({...row, end: Math.max(row.end, next.end), note}, [...row.words, ...words]);
        this.change("joining two segments", [{at: i, remove: 2, add: [joined]}]);
        return true;
    }

    setNote(i, note, group) {
        this.change("a note", [{at: i, remove: 1, add: [{...this.rows[i], note}]}], {group});
    }

    renameSpeaker(number, name, group) {
        const speakers = this.head.speakers.slice();
        speakers[number] = name;
        this.changeHead("renaming a speaker", {speakers}, group);
    }

    // The rows around i that the same one says, one after the other: [first, behind the last].
    turnOf(i) {
        const name = number => number < 0 ? "" : this.head.speakers[number], speaker = name(this.rows[i].speaker);
        let first = i, end = i + 1;
        while (first > 0 && name(this.rows[first - 1].speaker) === speaker) first--;
        while (end < this.rows.length && name(this.rows[end].speaker) === speaker) end++;
        return [first, end];
    }

    // Rows [from, to) are somebody's: a name that is there, or a new one; "" is nobody.
    setSpeaker(from, to, name) {
        let speakers = this.head.speakers.slice(), number = name ? speakers.indexOf(name) : -1;
        if (name && number < 0) {
            speakers = [...speakers, name];
            number = speakers.length - 1;
        }
        const add = this.rows.slice(from, to).map(row => this.row({...row, speaker: number}, row.words.map(word => ({...word, speaker: number}))));
        this.change("who speaks", [{at: from, remove: to - from, add}], {head: {...this.head, speakers}});
    }

    // Replace stretches of characters: [{row, from, to, text}], those of one row in order, none within another. In steps, so
    // that the page lives meanwhile; false: the transcript was changed by then, and nothing was replaced.
    async replaceAll(label, edits, head) {
        const byRow = new Map(), splices = [], {version} = this, state = {since: performance.now()};
        for (const edit of edits) {
            if (byRow.has(edit.row)) byRow.get(edit.row).push(edit);
            else byRow.set(edit.row, [edit]);
        }
        for (const [i, list] of byRow) {
            const row = this.rows[i];
            splices.push({at: i, remove: 1, add: [this.row(row, replaceRanges(row.words, list, row))]});
            const pause = breathe(state);
            if (pause) await pause;
            if (this.version !== version) return false;
        }
        this.change(label, splices, {head: head ? {...this.head, ...head} : undefined});
        return true;
    }

    // A correction that teaches: counted, for --vocabulary and for the next place.
    corrected(from, to, count, before = this.head.corrections) {
        const a = from.trim(), b = to.trim(), list = before.slice();
        if (!a || !b || a === b) return list;
        const i = list.findIndex(c => c.from === a && c.to === b);
        if (i >= 0) list[i] = {...list[i], count: list[i].count + count};
        else list.push({from: a, to: b, count});
        return list;
    }

    // As it is now, whatever is changed meanwhile.
    snapshot() {
        return Object.create(this, {rows: {value: this.rows.slice()}, head: {value: this.head}});
    }

    // ---- kept in the browser ----

    // Is a row as it came?
    isBase(row) {
        return this.baseRows[row.base] === row;
    }

    // A row with its words; words that came so as their numbers, and runs of them as [first, how many].
    pack(row) {
        const {words, text, ...rest} = row, packed = [];
        for (let k = 0; k < words.length;) {
            let n = 0;
            while (k + n < words.length && words[k].base >= 0 && words[k + n] === this.baseWords[words[k].base + n]) n++;
            packed.push(n > 1 ? [words[k].base, n] : n ? words[k].base : words[k]);
            k += n || 1;
        }
        return {...rest, words: packed};
    }

    unpack(packed) {
        const words = [];
        for (const word of packed.words) {
            if (Array.isArray(word)) for (let n = 0; n < word[1]; n++) words.push(this.baseWords[word[0] + n]);
            else words.push(typeof word === "number" ? this.baseWords[word] : word);
        }
        return this.row(packed, words);
    }

    order() {
        return this.rows.map(row => row.id);
    }

    // What was kept, over the transcript as it came. order: null where no segment was split or joined.
    restore(head, rows, order) {
        const byId = new Map(this.baseRows.map(row => [row.id, row]));
        for (const packed of rows) byId.set(packed.id, this.unpack(packed));
        this.rows = (order || this.baseRows.map(row => row.id)).map(id => byId.get(id)).filter(Boolean);
        this.head = {...this.head, ...head};
        this.indexes = null;
        this.version++;
    }
}
