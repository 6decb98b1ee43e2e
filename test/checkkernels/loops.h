/* loops.h - the text of the loops that find a ceiling: STEP(sum, a, b) is one instruction, repeated with `chains`
 * independent sums in registers. Included once for each instruction, with LOOP (the function's name), VECTOR, ZERO,
 * STEP and MANY (12 or 16: as many sums as there are registers for) defined. Sums have names of their own: those of an
 * array GCC 12 stores after each instruction. The empty assembly keeps the compiler from removing or joining anything. */
static void LOOP(int chains, long count)
{
    VECTOR a = ZERO, b = ZERO, s0 = ZERO, s1 = ZERO, s2 = ZERO, s3 = ZERO, s4 = ZERO, s5 = ZERO, s6 = ZERO, s7 = ZERO;
    VECTOR s8 = ZERO, s9 = ZERO, s10 = ZERO, s11 = ZERO;
#if MANY == 16
    VECTOR s12 = ZERO, s13 = ZERO, s14 = ZERO, s15 = ZERO;
#endif
#define FOUR(s, t, u, v)                                                                                               \
    STEP(s, a, b);                                                                                                     \
    STEP(t, a, b);                                                                                                     \
    STEP(u, a, b);                                                                                                     \
    STEP(v, a, b);
    if (chains == 8)
        for (long n = 0; n < count; n += 8) {
            FOUR(s0, s1, s2, s3) FOUR(s4, s5, s6, s7)
        }
#if MANY == 16
    else if (chains == 16)
        for (long n = 0; n < count; n += 16) {
            FOUR(s0, s1, s2, s3) FOUR(s4, s5, s6, s7) FOUR(s8, s9, s10, s11) FOUR(s12, s13, s14, s15)
        }
#endif
    else
        for (long n = 0; n < count; n += 12) {
            FOUR(s0, s1, s2, s3) FOUR(s4, s5, s6, s7) FOUR(s8, s9, s10, s11)
        }
#undef FOUR
}
#undef LOOP
#undef VECTOR
#undef ZERO
#undef STEP
#undef MANY
