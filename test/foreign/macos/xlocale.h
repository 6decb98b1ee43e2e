#pragma once
typedef struct foreign_locale *locale_t;
#define LC_COLLATE_MASK 1
#define LC_CTYPE_MASK 2
#define LC_ALL_MASK 63
locale_t newlocale(int, const char *, locale_t);
locale_t uselocale(locale_t);
void freelocale(locale_t);
double strtod_l(const char *, char **, locale_t);
