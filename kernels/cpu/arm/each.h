/* each.h - loops over a tile's rows and columns written out, with literal numbers. GCC 12 unrolls such loops too late to keep
 * the sums that they number in registers: it then stores each of them every step (test/foreign/loops counts). */

/* Rows of a group, with the lane of a register of four rows. */
/* clang-format off */
#define EACH_ROW(DO) DO(0, "0") DO(1, "1") DO(2, "2") DO(3, "3") DO(4, "0") DO(5, "1") DO(6, "2") DO(7, "3") DO(8, "0") DO(9, "1") \
    DO(10, "2") DO(11, "3")
/* clang-format on */

/* Inside of each other: a macro is not expanded within itself. */
#define EACH_COLUMN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define EACH_PAIR(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define EACH_OF_FOUR(DO) DO(0) DO(1) DO(2) DO(3)
