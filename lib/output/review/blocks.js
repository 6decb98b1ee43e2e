"use strict";
// blocks.js - what is drawn as one: a row, or, of one that has more words than a screen holds, blocks of them one below the
// other, so that of the longest segment, too, only what is seen is in the document. Knows nothing of the page.
//
// A block is {key, id, row, from, to, at, token}: words [from, to) of a row, the first of its text's characters, and a token
// that stays the same as long as what is drawn does. Blocks of a row that changed keep their words: only those that were
// touched get a new token, and one that is `held`, since somebody types in it, is not cut.

const BLOCK = 60;  // words; up to twice as many are left together

class Blocks {
    constructor(t) {
        this.t = t;
        this.made = new WeakMap(); // row -> its blocks
        this.last = new Map();     // id -> the row that was cut last
        this.serial = 0;
        this.held = null;          // a key
    }

    // All, in order.
    all() {
        const {t} = this;
        if (this.version === t.version) return this.list;
        this.list = [];
        this.firsts = new Int32Array(t.rows.length + 1);
        t.rows.forEach((row, i) => {
            const blocks = this.of(row);
            if (blocks.length === 1) this.list.push(blocks[0]);
            else for (const block of blocks) this.list.push(block);
            this.firsts[i + 1] = this.list.length;
        });
        this.version = t.version;
        return this.list;
    }

    of(row) {
        let blocks = this.made.get(row);
        if (blocks) {
            this.last.set(row.id, row);
            return blocks;
        }
        const old = this.last.get(row.id), isCut = old && this.made.get(old).length > 1;
        if (isCut || row.words.length > 2 * BLOCK) blocks = this.cut(row, old);
        else blocks = [{key: row.id, id: row.id, row, from: 0, to: row.words.length, at: 0, token: row}];
        this.made.set(row, blocks);
        this.last.set(row.id, row);
        return blocks;
    }

    // Nobody types any more: what grew is cut.
    release(row) {
        this.held = null;
        if (!row || (row.words.length <= 2 * BLOCK && this.of(row).length < 2)) return;
        const blocks = this.cut(row, row);
        this.made.set(row, blocks);
        this.version = -1;
    }

    cut(row, old) {
        const blocks = old ? this.carried(row, old) : [{key: row.id, from: 0, to: row.words.length, token: {}}], found = [];
        let at = 0, word = 0;
        for (const block of blocks)
            for (const part of this.parted(row, block)) {
                while (word < part.from) at += row.words[word++].text.length;
                found.push({...part, id: row.id, row, at});
            }
        return found.length ? found : [{key: row.id, id: row.id, row, from: 0, to: 0, at: 0, token: row}];
    }

    // The blocks of what a row was over what it is.
    carried(row, old) {
        const before = this.made.get(old), a = old.words, b = row.words, shorter = Math.min(a.length, b.length);
        let head = 0, tail = 0;
        while (head < shorter && a[head] === b[head]) head++;
        while (tail < shorter - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
        const changedTo = a.length - tail, moved = b.length - a.length, isSame = old.speaker === row.speaker && old.note === row.note && old.start === row.start;
        const edge = k => { // where block k begins now; words that are added between two blocks are the held one's, else the latter's
            const x = k < before.length ? before[k].from : a.length;
            if (x < head || (x === head && k < before.length && before[k - 1]?.key !== this.held)) return x;
            return x >= changedTo ? x + moved : Math.min(x, b.length - tail);
        };
        const isTouched = block => block.to - block.from === 0 ||
            (head === changedTo ? block.from <= head && block.to >= head && moved > 0 : block.from < changedTo && block.to > head);
        return before.map((block, k) => ({key: block.key, from: edge(k), to: edge(k + 1), token: isSame && !isTouched(block) ? block.token : {}}))
            .filter((block, k, all) => block.to > block.from || block.key === this.held || all.length === 1);
    }

    // A block that is too long as several, at ends of sentences where there are some.
    *parted(row, block) {
        let {key, from, token} = block;
        const {to} = block;
        while (to - from > 2 * BLOCK && key !== this.held) {
            let end = from + BLOCK;
            for (let k = 0; k < BLOCK / 2 && end === from + BLOCK; k++)
                for (const near of [from + BLOCK - k, from + BLOCK + k])
                    if (/[.?!…。？！؟۔।]["'”’»」』)]*\s*$/u.test(row.words[near - 1].text)) end = near;
            yield {key, from, to: end, token: {}};
            from = end;
            key = row.id + "/" + ++this.serial;
            token = {};
        }
        yield {key, from, to, token};
    }

    // The block that has a row's word, as a number among all.
    numberOf(i, word) {
        this.all();
        let n = this.firsts[i];
        while (n + 1 < this.firsts[i + 1] && this.list[n].to <= word) n++;
        return n;
    }

    // The word that a row's character is in.
    static wordAt(row, character) {
        let k = 0;
        for (let end = 0; k < row.words.length - 1; k++) {
            end += row.words[k].text.length;
            if (end > character) break;
        }
        return Math.max(0, k);
    }
}
