/* recurrent_body.h - a step of an LSTM, part of vec_body.h's text.
 *
 * Sixteen units at a time: their four gates' sums stay in registers over all of h and become cell and state at once. A
 * sum begins with the input's part and runs over h in order, so its bits depend neither on how many sequences run side
 * by side nor on the vectors' width. One sequence alone waits for its weights to come from the second-level cache; those
 * beside it have them for nothing. */

/* 1 + exp(-x), at most 1 + exp(29): the divisor of a logistic function, which is then wrong by 3e-13 below -29, and three
 * of which can be multiplied. */
INLINE vec sigmoid_divisor(vec x)
{
    return exp2_vec(min_vec(spread(41.8f), x * -0x1.715476p0f)) + 1.0f;
}

/* y with tanh(x) = (2 - y) / y: 1 + exp(-2x). */
INLINE vec tanh_divisor(vec x)
{
    return sigmoid_divisor(x + x);
}

/* c = sigmoid(forget) c + sigmoid(in) tanh(cell); h = sigmoid(out) tanh(c): each is one division. */
INLINE void lstm_cells(const vec *gate, float *c, float *h)
{
    vec forget = sigmoid_divisor(gate[1]), cell = tanh_divisor(gate[2]), in = sigmoid_divisor(gate[0]) * cell;
    vec state = fma_vec(load(c), in, (2.0f - cell) * forget) / (forget * in);
    vec out = tanh_divisor(state);
    store(c, state);
    store(h, (2.0f - out) / (sigmoid_divisor(gate[3]) * out));
}

/* R sequences, sixteen units. */
INLINE void lstm_block(const int R, const float *w, size_t units, const float *gates, size_t ld_gates, const float *h,
                       size_t ldh, float *c, float *next, size_t ld_next)
{
    for (int p = 0; p < PARTS; p++, w += LANES, gates += LANES, c += LANES, next += LANES) {
        vec sum[LSTM_ROWS][4];
        for (int r = 0; r < R; r++)
            for (int g = 0; g < 4; g++)
                sum[r][g] = load(gates + (size_t)r * ld_gates + 16 * g);
        for (size_t k = 0; k < units; k++) {
            vec column[4];
            for (int g = 0; g < 4; g++)
                column[g] = load(w + 64 * k + 16 * g);
            for (int r = 0; r < R; r++) {
                vec x = spread(h[(size_t)r * ldh + k]);
                for (int g = 0; g < 4; g++)
                    sum[r][g] = fma_vec(x, column[g], sum[r][g]);
            }
        }
        for (int r = 0; r < R; r++)
            lstm_cells(sum[r], c + (size_t)r * units, next + (size_t)r * ld_next);
    }
}

static void lstm(const float *w, size_t units, int rows, const float *gates, size_t ld_gates, const float *h,
                 size_t ldh, float *c, float *next, size_t ld_next)
{
    for (size_t u = 0; u < units; u += 16, w += 64 * units, gates += 64, c += 16, next += 16) {
        int r = 0;
        for (; r + LSTM_ROWS <= rows; r += LSTM_ROWS)
            lstm_block(LSTM_ROWS, w, units, gates + (size_t)r * ld_gates, ld_gates, h + (size_t)r * ldh, ldh,
                       c + (size_t)r * units, next + (size_t)r * ld_next, ld_next);
        for (; r < rows; r++)
            lstm_block(1, w, units, gates + (size_t)r * ld_gates, ld_gates, h + (size_t)r * ldh, ldh,
                       c + (size_t)r * units, next + (size_t)r * ld_next, ld_next);
    }
}
