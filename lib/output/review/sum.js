"use strict";
// sum.js - SHA-256 (FIPS 180-4), with which a chosen file is known again; browsers have one of their own, but not on every
// page.

const ROUND_CONSTANTS = (() => {
    const constants = [], primes = [];
    for (let n = 2; primes.length < 64; n++) if (primes.every(p => n % p)) primes.push(n);
    for (const p of primes) { // the fraction of the cube root, 32 bits of it, exactly
        const wanted = BigInt(p) << 96n;
        let low = 0n, high = 1n << 36n;
        while (high - low > 1n) {
            const middle = (low + high) >> 1n;
            if (middle * middle * middle <= wanted) low = middle;
            else high = middle;
        }
        constants.push(Number(low & 0xffffffffn));
    }
    return Uint32Array.from(constants);
})();

function sha256(bytes) {
    const state = Uint32Array.of(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
    const padded = new Uint8Array((bytes.length + 72) & ~63), view = new DataView(padded.buffer), w = new Uint32Array(64);
    const turn = (x, n) => x >>> n | x << (32 - n);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000));
    view.setUint32(padded.length - 4, bytes.length << 3);
    for (let block = 0; block < padded.length; block += 64) {
        for (let i = 0; i < 16; i++) w[i] = view.getUint32(block + 4 * i);
        for (let i = 16; i < 64; i++) {
            const x = w[i - 15], y = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ x >>> 3) + (turn(y, 17) ^ turn(y, 19) ^ y >>> 10);
        }
        let [a, b, c, d, e, f, g, h] = state;
        for (let i = 0; i < 64; i++) {
            const one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) + ROUND_CONSTANTS[i] + w[i] | 0;
            const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
            [h, g, f, e, d, c, b, a] = [g, f, e, d + one | 0, c, b, a, one + two | 0];
        }
        [a, b, c, d, e, f, g, h].forEach((x, i) => { state[i] += x; });
    }
    return [...state].map(x => x.toString(16).padStart(8, "0")).join("");
}

// As lib/output/recording.c sums a recording: its first MiB, the last one behind that, and its size in decimal.
async function sumOfFile(file) {
    const first = Math.min(file.size, 1 << 20), last = Math.min(file.size - first, 1 << 20);
    const parts = [file.slice(0, first), file.slice(file.size - last), String(file.size)];
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    if (globalThis.crypto && crypto.subtle) {
        const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        return [...sum].map(x => x.toString(16).padStart(2, "0")).join("");
    }
    return sha256(bytes);
}
