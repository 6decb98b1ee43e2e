/* loops.h - the text of the loops that find a ceiling: STEP(sum, a, b) is one instruction, repeated with `chains`
 * independent sums in registers. Included once for each instruction, with LOOP (the function's name), VECTOR, ZERO and
 * STEP defined. The empty assembly keeps the compiler from removing or joining anything. */
static void LOOP(int chains, long count)
{
    VECTOR s[16], a = ZERO, b = ZERO;
    for (int i = 0; i < 16; i++)
        s[i] = ZERO;
#define FOUR(i)                                                                                                        \
    STEP(s[i], a, b);                                                                                                  \
    STEP(s[i + 1], a, b);                                                                                              \
    STEP(s[i + 2], a, b);                                                                                              \
    STEP(s[i + 3], a, b);
    if (chains == 8)
        for (long n = 0; n < count; n += 8) {
            FOUR(0) FOUR(4)
        }
    else if (chains == 12)
        for (long n = 0; n < count; n += 12) {
            FOUR(0) FOUR(4) FOUR(8)
        }
    else
        for (long n = 0; n < count; n += MANY) {
            FOUR(0) FOUR(4) FOUR(8) if (MANY == 16)
            {
                FOUR(12)
            }
        }
#undef FOUR
    for (int i = 0; i < 16; i++)
        __asm__ volatile("" ::"x"(s[i]));
}
#undef LOOP
#undef VECTOR
#undef ZERO
#undef STEP
#undef MANY
