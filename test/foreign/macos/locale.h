#pragma once
struct lconv {
    char *decimal_point;
};
char *setlocale(int, const char *);
struct lconv *localeconv(void);
