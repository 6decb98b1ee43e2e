"use strict";
// store.js - edits kept in the browser as they are typed: rows that are not as they came, the head, and once, in pieces, the
// transcript itself, under the recording's sum and the transcript's. IndexedDB where there is one, else localStorage, else nothing,
// which is said. Another recording's edits are never touched, and neither are those of another window.

const STORE_NAME = "whisp-review", ROWS_AT_ONCE = 200, BASE_PIECE = 1 << 19, KINDS = ["heads", "bases", "rows", "writers"];

// Who wrote last is kept beside what was written, so that a window which does not show that writes nothing over it.
const WRITTEN_ELSEWHERE = "another window has kept edits of this transcript that this one does not show";

function request(made) {
    return new Promise((done, failed) => {
        made.onsuccess = () => done(made.result);
        made.onerror = () => failed(made.error);
    });
}

class DatabaseStore {
    static async open() {
        const made = indexedDB.open(STORE_NAME, 2);
        made.onupgradeneeded = () => KINDS.filter(name => !made.result.objectStoreNames.contains(name)).forEach(name => made.result.createObjectStore(name));
        const late = new Promise((_, failed) => setTimeout(() => failed(new Error("the browser's database does not open")), 5000));
        return new DatabaseStore(await Promise.race([request(made), late]));
    }

    constructor(database) {
        this.database = database;
        database.onversionchange = () => database.close();
    }

    async heads() {
        return request(this.database.transaction("heads").objectStore("heads").getAll());
    }

    async load(key) {
        const t = this.database.transaction(KINDS);
        const range = IDBKeyRange.bound([key], [key, []]);
        const [head, first, bases, rows, writer] = await Promise.all([
            request(t.objectStore("heads").get(key)), request(t.objectStore("bases").get([key, 0])),
            request(t.objectStore("bases").count(range)), request(t.objectStore("rows").getAll(range)),
            request(t.objectStore("writers").get(key))]);
        return {head, hasBase: Boolean(first) && first.pieces === bases, rows, writer};
    }

    // The transcript that edits are of; "" where not all of it was kept.
    async base(key) {
        const pieces = this.database.transaction("bases").objectStore("bases");
        const [whole, first, all] = await Promise.all([request(pieces.get(key)), request(pieces.count([key, 0])), request(pieces.getAll(IDBKeyRange.bound([key], [key, []])))]);
        if (!first) return whole || ""; // whole, and pieces that are not counted: as pages of before kept it
        if (typeof all[0] === "string") return all.join("");
        return all[0].pieces === all.length ? all[0].text + all.slice(1).join("") : "";
    }

    // One of so many pieces. The first, which comes last, says how many, so that one that is missing is seen. That a
    // disk is full may show only when the transaction ends.
    saveBase(key, number, piece, pieces) {
        return new Promise((done, failed) => {
            const t = this.database.transaction("bases", "readwrite");
            t.oncomplete = done;
            t.onabort = () => failed(t.error || new Error("it was broken off"));
            t.onerror = () => failed(t.error);
            t.objectStore("bases").put(number ? piece : {pieces, text: piece}, [key, number]);
        });
    }

    // All of it, or nothing. rows: [[id, packed or null]]. `seen` wrote what this window shows.
    save(key, {head, rows, writer, seen}) {
        return new Promise((done, failed) => {
            const t = this.database.transaction(KINDS, "readwrite", {durability: "strict"}), last = t.objectStore("writers").get(key);
            last.onsuccess = () => {
                if (last.result === writer || last.result === seen) return t.objectStore("writers").put(writer, key);
                failed(new Error(WRITTEN_ELSEWHERE));
                t.abort();
            };
            t.oncomplete = done;
            t.onabort = () => failed(t.error || new Error("it was broken off"));
            t.onerror = () => failed(t.error);
            if (head) t.objectStore("heads").put(head, key);
            for (const [id, row] of rows)
                if (row) t.objectStore("rows").put(row, [key, id]);
                else t.objectStore("rows").delete([key, id]);
        });
    }
}

class LocalStore {
    static open() {
        localStorage.setItem(STORE_NAME, "1");
        return new LocalStore();
    }

    names(kind, key) {
        const begin = STORE_NAME + "/" + kind + "/" + (key === undefined ? "" : key + "/");
        return Object.keys(localStorage).filter(name => name.startsWith(begin));
    }

    async heads() {
        return this.names("head").map(name => JSON.parse(localStorage.getItem(name)));
    }

    async load(key) {
        const get = name => JSON.parse(localStorage.getItem(name));
        const head = get(STORE_NAME + "/head/" + key + "/") || undefined;
        // It never has a base; but without a head the first edit has to bring one, or the rows are not found again.
        return {head, hasBase: Boolean(head), rows: this.names("row", key).map(get), writer: this.writer(key)};
    }

    writer(key) {
        return localStorage.getItem(STORE_NAME + "/writer/" + key + "/") || undefined;
    }

    // The transcript itself has no room here.
    async base() { return ""; }

    async saveBase() {}

    async save(key, {head, rows, writer, seen}) {
        if (this.writer(key) !== writer && this.writer(key) !== seen) throw new Error(WRITTEN_ELSEWHERE);
        localStorage.setItem(STORE_NAME + "/writer/" + key + "/", writer);
        for (const [id, row] of rows)
            if (row) localStorage.setItem(STORE_NAME + "/row/" + key + "/" + id, JSON.stringify(row));
            else localStorage.removeItem(STORE_NAME + "/row/" + key + "/" + id);
        if (head) localStorage.setItem(STORE_NAME + "/head/" + key + "/", JSON.stringify(head));
    }
}

async function openStore() {
    let isLocked = false; // it is there, and what it holds cannot be seen
    try { return await DatabaseStore.open(); } catch { isLocked = Boolean(globalThis.indexedDB); }
    try { return Object.assign(LocalStore.open(), {isLocked}); } catch { return null; }
}

// What waits to be kept, and whether it was. `tell(state, why)`: "kept", "keeping" or "failed".
class Keeper {
    constructor(store, key, transcript, about, tell) {
        Object.assign(this, {store, key, transcript, about, tell});
        this.waiting = new Set();
        this.headWaits = this.isBusy = false;
        this.failed = !store;
        this.structure = false; // a segment was split or joined once
        this.baseLeft = Infinity; // pieces of the transcript that are not kept yet
        this.writer = new Date().toISOString() + " " + Math.random(); // this window, and none before or beside it
        transcript.listeners.push(change => this.changed(change));
        if (store) setInterval(() => { if (this.failed && !this.isDone()) this.flush(); }, 5000);
    }

    isDone() {
        return !this.waiting.size && !this.headWaits && !this.isBusy;
    }

    changed({touched, order, head}) {
        for (const id of touched) this.waiting.add(id);
        this.structure = this.structure || order;
        this.headWaits = this.headWaits || head || order || this.baseLeft === Infinity; // the first edit brings one
        this.flush();
    }

    // One step after the other until all is kept: edits first, then the transcript that they are of.
    async flush() {
        if (this.isBusy) return;
        if (!this.store) return this.tell("failed", "this browser keeps nothing for this page");
        this.isBusy = true;
        if (!this.waiting.size && !this.headWaits) await this.keepBase();
        else if (await this.keepEdits() && !this.waiting.size && !this.headWaits) this.tell("kept");
        this.isBusy = false;
        if (!this.failed && (!this.isDone() || this.baseLeft)) this.flush();
    }

    async keepEdits() {
        if (!this.failed) this.tell("keeping");
        const ids = [...this.waiting].slice(0, ROWS_AT_ONCE), headWaited = this.headWaits, t = this.transcript;
        const rows = ids.map(id => {
            const row = t.rows[t.indexOf(id)];
            return [id, row && !t.isBase(row) ? t.pack(row) : null];
        });
        for (const id of ids) this.waiting.delete(id);
        this.headWaits = false;
        const {text, ...about} = this.about, head = {...about, key: this.key, when: new Date().toISOString(), order: this.structure ? t.order() : null, head: t.head};
        try {
            await this.store.save(this.key, {head: headWaited ? head : null, rows, writer: this.writer, seen: this.seen});
            this.failed = false;
        } catch (error) {
            for (const id of ids) this.waiting.add(id);
            this.headWaits = this.headWaits || headWaited;
            this.failed = true;
            this.tell("failed", error && error.name === "QuotaExceededError" ? "the browser's store is full" : error ? error.message : "");
        }
        return !this.failed;
    }

    // A piece of the transcript. That there is no room for it is no loss of what was typed: it is only left.
    async keepBase() {
        try {
            if (this.baseLeft === Infinity) {
                this.baseText = this.about.text();
                this.baseLeft = this.basePieces = Math.ceil(this.baseText.length / BASE_PIECE);
            }
            const number = this.baseLeft - 1, from = number * BASE_PIECE;
            const piece = this.baseText.slice(from, from + BASE_PIECE);
            await this.store.saveBase(this.key, number, piece, this.basePieces);
            this.baseLeft = number;
        } catch {
            this.baseLeft = 0;
        }
        if (!this.baseLeft) this.baseText = "";
    }
}
