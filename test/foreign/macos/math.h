#pragma once
#define HUGE_VAL __builtin_huge_val()
#define INFINITY __builtin_huge_valf()
#define NAN __builtin_nanf("")
#define M_PI 3.14159265358979323846
#define M_SQRT2 1.41421356237309504880
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define signbit(x) __builtin_signbit(x)
#define FOREIGN_ONE(name)                                                                                              \
    double name(double);                                                                                               \
    float name##f(float);
#define FOREIGN_TWO(name)                                                                                              \
    double name(double, double);                                                                                       \
    float name##f(float, float);
FOREIGN_ONE(sin)
FOREIGN_ONE(cos)
FOREIGN_ONE(tan)
FOREIGN_ONE(acos)
FOREIGN_ONE(asin)
FOREIGN_ONE(atan)
FOREIGN_ONE(exp)
FOREIGN_ONE(exp2)
FOREIGN_ONE(expm1)
FOREIGN_ONE(log)
FOREIGN_ONE(log2)
FOREIGN_ONE(log10)
FOREIGN_ONE(log1p)
FOREIGN_ONE(sqrt)
FOREIGN_ONE(cbrt)
FOREIGN_ONE(fabs)
FOREIGN_ONE(floor)
FOREIGN_ONE(ceil)
FOREIGN_ONE(round)
FOREIGN_ONE(rint)
FOREIGN_ONE(nearbyint)
FOREIGN_ONE(trunc)
FOREIGN_ONE(tanh)
FOREIGN_ONE(erf)
FOREIGN_ONE(lgamma)
FOREIGN_ONE(tgamma)
FOREIGN_TWO(pow)
FOREIGN_TWO(fmod)
FOREIGN_TWO(fmin)
FOREIGN_TWO(fmax)
FOREIGN_TWO(atan2)
FOREIGN_TWO(hypot)
FOREIGN_TWO(copysign)
FOREIGN_TWO(remainder)
FOREIGN_TWO(nextafter)
double fma(double, double, double);
float fmaf(float, float, float);
double frexp(double, int *);
double ldexp(double, int);
float ldexpf(float, int);
double modf(double, double *);
long lrint(double);
long lrintf(float);
long lround(double);
long lroundf(float);
long long llround(double);
long long llrint(double);
