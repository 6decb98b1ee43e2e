/* store_neon.h - the end of an integer tile's sums, for the gemm_....c here. */

/* Four columns of a row: (float)sum * (x_scale * w_scale). */
WH_INLINE void store_four(int32x4_t sum, float x_scale, const float *w_scale, float *out)
{
    vst1q_f32(out, vmulq_f32(vcvtq_f32_s32(sum), vmulq_n_f32(vld1q_f32(w_scale), x_scale)));
}
