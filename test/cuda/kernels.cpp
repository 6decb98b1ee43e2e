/* kernels.cpp - every CUDA kernel, run by the emulator, against its definition in plain C and double precision, with
 * random and odd shapes; engine.cpp has the engine's tests. Built with and without sanitizers, and once for each mutant
 * (test/check-mutants), which must fail; by nvcc for a GPU (make cuda-device-check).
 *
 * usage: kernels [SEED...], or kernels --fill MEBIBYTES_LEFT SECONDS */
#include "cuda/layers.h"
#include "testing.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

static double gelu(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2.0)));
}

/* ---- one test a kernel ---- */

static void test_pad_mel()
{
    int frames = between(1, 300), bands = between(1, 128);
    auto mel = floats((size_t)(frames * bands));
    Array<float> in(mel);
    Array<half> out((size_t)((frames + 2) * bands));
    wh_cuda_pad_mel(in.p, out.p, frames, bands, stream);
    std::vector<double> want(out.n, 0.0);
    for (size_t i = 0; i < mel.size(); i++)
        want[i + (size_t)bands] = mel[i];
    compare("pad_mel", out.read(), want, 5e-4);
}

static void test_conv_gelu()
{
    int rows = between(1, 90), d = 8 * between(1, 40);
    auto y = floats((size_t)(rows * d), 4), bias = floats((size_t)d), positions = floats((size_t)(rows * d));
    Array<float> in(y), b(bias), p(positions), sum((size_t)(rows * d));
    Array<half> out((size_t)(rows * d));
    wh_cuda_conv_gelu(in.p, b.p, out.p, rows, d, stream);
    wh_cuda_conv_gelu_positions(in.p, b.p, p.p, sum.p, rows, d, stream);
    std::vector<double> want(y.size()), with(y.size());
    for (size_t i = 0; i < y.size(); i++) {
        want[i] = gelu((double)y[i] + bias[i % (size_t)d]);
        with[i] = want[i] + positions[i];
    }
    compare("conv_gelu", out.read(), want, 1e-3);
    compare("conv_gelu_positions", sum.read(), with, 1e-5);
}

/* Bit for bit what the host makes of a block. */
static void test_from_q8_0()
{
    size_t blocks = (size_t)between(1, 300);
    std::vector<uint8_t> stored(blocks * WH_CUDA_Q8_0_BYTES);
    std::vector<double> want;
    for (size_t b = 0; b < blocks; b++) {
        half scale = __float2half((float)unit() / 64);
        memcpy(&stored[b * WH_CUDA_Q8_0_BYTES], &scale, 2);
        for (int i = 0; i < WH_CUDA_Q8_0_BLOCK; i++) {
            int8_t q = (int8_t)between(-127, 127);
            stored[b * WH_CUDA_Q8_0_BYTES + 2 + (size_t)i] = (uint8_t)q;
            want.push_back(number(__float2half(__half2float(scale) * (float)q)));
        }
    }
    Array<uint8_t> ds(stored);
    Array<half> out(blocks * WH_CUDA_Q8_0_BLOCK);
    wh_cuda_from_q8_0(ds.p, out.p, blocks, stream);
    compare("from_q8_0", out.read(), want, 0);
}

static void test_bias_gelu()
{
    int rows = between(1, 70), n = 8 * between(1, 60);
    auto x = halfs((size_t)(rows * n), 4);
    auto bias = floats((size_t)n);
    Array<half> io(x);
    Array<float> b(bias);
    wh_cuda_bias_gelu(io.p, b.p, rows, n, stream);
    std::vector<double> want(x.size());
    for (size_t i = 0; i < x.size(); i++)
        want[i] = gelu(number(x[i]) + bias[i % (size_t)n]);
    compare("bias_gelu", io.read(), want, 1e-3);
}

static void test_norm(bool some)
{
    int rows = between(1, 40), d = 8 * between(1, 160), n = some ? between(1, rows) : rows;
    auto x = floats((size_t)(rows * d), 3), bias = floats((size_t)d), gain = floats((size_t)d),
         shift = floats((size_t)d);
    std::vector<int32_t> which((size_t)n);
    for (int32_t &w : which)
        w = between(0, rows - 1);
    Array<float> io(x), b(bias), g(gain), s(shift);
    Array<int32_t> list(which);
    Array<half> out((size_t)(n * d));
    bool biased = !some && between(0, 1);
    wh_cuda_residual_norm(io.p, biased ? b.p : nullptr, g.p, s.p, some ? list.p : nullptr, out.p, n, d, stream);
    std::vector<double> stream_(x.size()), want(out.n);
    for (size_t i = 0; i < x.size(); i++)
        stream_[i] = (double)x[i] + (biased ? bias[i % (size_t)d] : 0);
    for (int r = 0; r < n; r++) {
        const double *row = &stream_[(size_t)((some ? which[(size_t)r] : r) * d)];
        double mean = 0, square = 0;
        for (int i = 0; i < d; i++)
            mean += row[i] / d;
        for (int i = 0; i < d; i++)
            square += (row[i] - mean) * (row[i] - mean) / d;
        for (int i = 0; i < d; i++)
            want[(size_t)(r * d + i)] = (row[i] - mean) / sqrt(square + 1e-5) * gain[(size_t)i] + shift[(size_t)i];
    }
    compare("residual_norm: stream", io.read(), stream_, 1e-6);
    compare("residual_norm", out.read(), want, 1e-3);
}

static void test_heads()
{
    int heads = between(1, 5), d_head = 8 * between(1, 8), d = heads * d_head, rows = between(1, 50);
    int parts = between(1, 3), dp = wh_cuda_padded_head(d_head);
    auto x = halfs((size_t)(rows * parts * d));
    auto bias = floats((size_t)(parts * d));
    Array<half> in(x), out((size_t)(parts * heads * rows * dp));
    Array<float> b(bias);
    wh_cuda_split_heads(in.p, b.p, out.p, rows, parts, d, heads, stream);
    std::vector<double> want(out.n, 0.0);
    for (int p = 0; p < parts; p++)
        for (int h = 0; h < heads; h++)
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < d_head; c++) {
                    size_t at = (size_t)(p * d + h * d_head + c);
                    want[(size_t)(((p * heads + h) * rows + r) * dp + c)] = number(x[(size_t)(r * parts * d) + at]) +
                                                                            bias[at];
                }
    compare("split_heads", out.read(), want, 1e-3);
}

/* Rows of a pass: each of a slot of its own, at any position. */
struct Pass {
    int n, layers, heads, d_head, dp, positions, ctx;
    std::vector<Array<half> *> self, cross;
    std::vector<wh_cuda_row> rows;
    size_t layer_size(int p) const
    {
        return (size_t)2 * heads * p * dp;
    }
    Pass() : n(between(1, 9)), layers(between(1, 3)), heads(between(1, 4)), d_head(8 * between(1, 8))
    {
        dp = wh_cuda_padded_head(d_head), positions = between(1, 300), ctx = between(1, 400);
        for (int i = 0; i < n; i++) {
            self.push_back(new Array<half>(halfs((size_t)layers * layer_size(positions))));
            cross.push_back(new Array<half>(halfs((size_t)layers * layer_size(ctx))));
            rows.push_back(wh_cuda_row{between(0, 20), between(0, positions - 1), self.back()->p, cross.back()->p,
                                       between(0, 1) ? i : -1, 0});
        }
    }
    ~Pass()
    {
        for (int i = 0; i < n; i++) {
            delete self[(size_t)i];
            delete cross[(size_t)i];
        }
    }
};

static void test_append()
{
    Pass pass;
    int d = pass.heads * pass.d_head, layer = between(0, pass.layers - 1);
    auto x = halfs((size_t)(pass.n * 3 * d));
    auto bias = floats((size_t)(3 * d));
    Array<half> in(x), q((size_t)(pass.heads * pass.n * pass.dp));
    Array<float> b(bias);
    Array<wh_cuda_row> rows(pass.rows);
    std::vector<std::vector<half>> before;
    for (auto *cache : pass.self)
        before.push_back(cache->read());
    wh_cuda_append_heads(in.p, b.p, rows.p, q.p, pass.n, d, pass.heads, layer, pass.positions, stream);
    std::vector<double> want_q(q.n, 0.0);
    for (int r = 0; r < pass.n; r++) {
        std::vector<double> want;
        for (half h : before[(size_t)r])
            want.push_back(number(h));
        for (int part = 0; part < 3; part++)
            for (int h = 0; h < pass.heads; h++)
                for (int c = 0; c < pass.dp; c++) {
                    size_t at = (size_t)(part * d + h * pass.d_head + c);
                    double v = c < pass.d_head ? number(x[(size_t)(r * 3 * d) + at]) + bias[at] : 0;
                    size_t place = ((size_t)(layer * 2 + part - 1) * (size_t)pass.heads + (size_t)h);
                    if (part)
                        want[(place * (size_t)pass.positions + (size_t)pass.rows[(size_t)r].position) *
                                 (size_t)pass.dp +
                             (size_t)c] = v;
                    else
                        want_q[(size_t)((h * pass.n + r) * pass.dp + c)] = v;
                }
        compare("append_heads: cache", pass.self[(size_t)r]->read(), want, 1e-3);
    }
    compare("append_heads: q", q.read(), want_q, 1e-3);
}

/* softmax(q k^T scale) v of one query, in double; scores [n] out. */
static void attend(const half *q, const half *k, const half *v, int n, int dp, int d_head, double *scores, double *out)
{
    std::vector<double> s((size_t)n);
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) {
        for (int c = 0; c < d_head; c++)
            s[(size_t)i] += number(q[c]) * number(k[i * dp + c]);
        s[(size_t)i] /= sqrt((double)d_head);
        most = fmax(most, s[(size_t)i]);
        if (scores)
            scores[i] = s[(size_t)i];
    }
    for (double &x : s)
        sum += x = exp(x - most);
    for (int c = 0; c < d_head; c++) {
        out[c] = 0;
        for (int i = 0; i < n; i++)
            out[c] += s[(size_t)i] / sum * number(v[i * dp + c]);
    }
}

/* Channels behind d_head are zeros, as split_heads leaves them. */
static std::vector<half> padded(size_t rows, int d_head, int dp, double spread)
{
    auto v = halfs(rows * (size_t)dp, spread);
    for (size_t i = 0; i < v.size(); i++)
        if ((int)(i % (size_t)dp) >= d_head)
            v[i] = half{0};
    return v;
}

static void test_attention(int sm)
{
    int heads = between(1, 2), d_head = 8 * between(1, 8), dp = wh_cuda_padded_head(d_head), d = heads * d_head;
    int keys = between(0, 1) ? between(1, 64) : between(65, 260), n = between(0, 1) ? keys : between(1, 200);
    auto q = padded((size_t)(heads * n), d_head, dp, 3);
    auto k = padded((size_t)(heads * keys), d_head, dp, 3), v = padded((size_t)(heads * keys), d_head, dp, 1);
    Array<half> dq(q), dk(k), dv(v), out((size_t)(n * d));
    wh_cuda_attention(dq.p, dk.p, dv.p, out.p, n, keys, d, heads, sm, stream);
    std::vector<double> want(out.n);
    for (int h = 0; h < heads; h++)
        for (int r = 0; r < n; r++)
            attend(&q[(size_t)((h * n + r) * dp)], &k[(size_t)(h * keys * dp)], &v[(size_t)(h * keys * dp)], keys, dp,
                   d_head, nullptr, &want[(size_t)(r * d + h * d_head)]);
    compare(sm >= 80 ? "attention, sm_80" : "attention, sm_75", out.read(), want, 2e-3);
}

static void test_decode_attention(bool cross)
{
    Pass pass;
    int d = pass.heads * pass.d_head, layer = between(0, pass.layers - 1), keys = cross ? pass.ctx : pass.positions;
    auto q = padded((size_t)(pass.heads * pass.n), pass.d_head, pass.dp, 3);
    std::vector<int32_t> alignment((size_t)pass.heads, -1);
    int n_alignment = between(1, pass.heads);
    for (int i = 0; i < n_alignment; i++)
        alignment[(size_t)(pass.heads - 1 - i)] = i;
    Array<half> dq(q), out((size_t)(pass.n * d));
    Array<wh_cuda_row> rows(pass.rows);
    Array<float> partial(wh_cuda_partial_floats(pass.n, pass.heads, pass.d_head, keys));
    Array<float> scores((size_t)(pass.n * n_alignment * keys));
    Array<int32_t> numbers(alignment);
    wh_cuda_decode_attention_call call = {};
    call.rows = rows.p, call.q = dq.p, call.out = out.p, call.partial = partial.p, call.n = pass.n, call.d = d;
    call.heads = pass.heads, call.layer = layer, call.positions = keys, call.cross = cross;
    call.scores = cross ? scores.p : nullptr, call.alignment = cross ? numbers.p : nullptr;
    call.n_alignment = n_alignment;
    for (auto &row : pass.rows)
        call.most = cross ? keys : row.position + 1 > call.most ? row.position + 1 : call.most;
    wh_cuda_decode_attention(&call, stream);
    auto got_scores = scores.read();
    std::vector<double> want(out.n);
    for (int r = 0; r < pass.n; r++) {
        auto cache = (cross ? pass.cross : pass.self)[(size_t)r]->read();
        int n = cross ? keys : pass.rows[(size_t)r].position + 1;
        for (int h = 0; h < pass.heads; h++) {
            const half *k = cache.data() +
                            ((size_t)(layer * 2) * (size_t)pass.heads + (size_t)h) * (size_t)(keys * pass.dp);
            const half *v = k + (size_t)(pass.heads * keys * pass.dp);
            std::vector<double> s((size_t)n);
            attend(&q[(size_t)((h * pass.n + r) * pass.dp)], k, v, n, pass.dp, pass.d_head, s.data(),
                   &want[(size_t)(r * d + h * pass.d_head)]);
            int a = alignment[(size_t)h], row = pass.rows[(size_t)r].score;
            if (cross && a >= 0 && row >= 0) {
                auto first = got_scores.begin() + (row * n_alignment + a) * keys;
                compare("decode_attention: scores", std::vector<float>(first, first + keys), s, 1e-5);
            }
        }
    }
    compare(cross ? "decode_attention, cross" : "decode_attention, self", out.read(), want, 1e-3);
}

/* A window's keys and values in int8: rounding, back to halfs, and a step's attention to them. */
static void test_int8_windows()
{
    int heads = between(1, 4), d_head = 8 * between(1, 8), dp = wh_cuda_padded_head(d_head), d = heads * d_head;
    int ctx = between(1, 300), n = between(1, 5), layers = between(1, 2), lines = 2 * heads * ctx;
    size_t size = wh_cuda_int8_layer(ctx, d, heads);
    Array<int8_t> window((size_t)layers * size);
    std::vector<double> values((size_t)(layers * lines * dp)); /* what the integers mean */
    for (int l = 0; l < layers; l++) {
        auto x = halfs((size_t)(ctx * 2 * d), 3);
        auto bias = floats((size_t)(2 * d));
        Array<half> dx(x), back((size_t)(lines * dp));
        Array<float> b(bias);
        wh_cuda_quantize_heads(dx.p, b.p, window.p + (size_t)l * size, ctx, d, heads, stream);
        wh_cuda_dequantize_heads(window.p + (size_t)l * size, back.p, ctx, d, heads, stream);
        auto bytes = window.read();
        std::vector<float> scales((size_t)lines);
        memcpy(scales.data(), bytes.data() + (size_t)l * size + (size_t)(lines * dp), scales.size() * sizeof(float));
        std::vector<double> want((size_t)(lines * dp));
        bool rounded = true;
        for (int i = 0; i < lines; i++)
            for (int c = 0; c < dp; c++) {
                int row = i % ctx, head = i / ctx % heads, part = i / ctx / heads, at = part * d + head * d_head + c;
                double exact = c < d_head ? number(x[(size_t)(row * 2 * d + at)]) + bias[(size_t)at] : 0;
                double v = bytes[(size_t)l * size + (size_t)(i * dp + c)] * (double)scales[(size_t)i];
                rounded = rounded && fabs(v - exact) <= scales[(size_t)i] * 0.501 + 2e-3; /* halfs first */
                want[(size_t)(i * dp + c)] = values[(size_t)((l * lines + i) * dp + c)] = v;
            }
        if (!rounded) {
            fprintf(stderr, "quantize_heads: not the nearest integers\n");
            failures++;
        }
        compare("dequantize_heads", back.read(), want, 1e-3);
    }
    auto q = padded((size_t)(heads * n), d_head, dp, 2);
    std::vector<wh_cuda_row> rows;
    for (int i = 0; i < n; i++)
        rows.push_back(wh_cuda_row{0, 0, nullptr, window.p, -1, 0});
    Array<half> dq(q), out((size_t)(n * d));
    Array<wh_cuda_row> dr(rows);
    Array<float> partial(wh_cuda_partial_floats(n, heads, d_head, ctx));
    wh_cuda_decode_attention_call call = {};
    call.rows = dr.p, call.q = dq.p, call.out = out.p, call.partial = partial.p, call.n = n, call.d = d;
    call.heads = heads, call.layer = layers - 1, call.positions = call.most = ctx, call.cross = call.int8 = 1;
    wh_cuda_decode_attention(&call, stream);
    std::vector<double> want(out.n);
    const double *k = values.data() + (size_t)((layers - 1) * lines * dp), *v = k + heads * ctx * dp;
    for (int r = 0; r < n; r++)
        for (int h = 0; h < heads; h++) {
            std::vector<double> p((size_t)ctx);
            double most = -INFINITY, total = 0;
            for (int i = 0; i < ctx; i++) {
                for (int c = 0; c < dp; c++)
                    p[(size_t)i] += number(q[(size_t)((h * n + r) * dp + c)]) * k[(h * ctx + i) * dp + c];
                p[(size_t)i] /= sqrt((double)d_head);
                most = fmax(most, p[(size_t)i]);
            }
            for (double &x : p)
                total += x = exp(x - most);
            for (int c = 0; c < d_head; c++)
                for (int i = 0; i < ctx; i++)
                    want[(size_t)(r * d + h * d_head + c)] += p[(size_t)i] / total * v[(h * ctx + i) * dp + c];
        }
    compare("decode_attention, int8", out.read(), want, 2e-3);
}

static void test_few_rows(int sm)
{
    int n = between(1, WH_CUDA_FEW_ROWS), m = between(1, 150), k = 8 * between(1, 90);
    auto x = halfs((size_t)(n * k)), w = halfs((size_t)(m * k));
    auto bias = floats((size_t)m), y = floats((size_t)(n * m));
    Array<half> dx(x), dw(w), h((size_t)(n * m)), g((size_t)(n * m)), one((size_t)m);
    Array<float> b(bias), sum(y), f((size_t)(n * wh_cuda_stride(m)));
    wh_cuda_few_rows(dx.p, dw.p, nullptr, h.p, n, m, k, WH_CUDA_HALF, sm, stream);
    wh_cuda_few_rows(dx.p, dw.p, b.p, g.p, n, m, k, WH_CUDA_GELU, sm, stream);
    wh_cuda_few_rows(dx.p, dw.p, b.p, sum.p, n, m, k, WH_CUDA_ADD, sm, stream);
    wh_cuda_few_rows(dx.p, dw.p, nullptr, f.p, n, m, k, WH_CUDA_FLOAT, sm, stream);
    std::vector<double> plain(h.n), gelus(h.n), added(h.n);
    for (int r = 0; r < n; r++)
        for (int j = 0; j < m; j++) {
            double s = 0;
            for (int i = 0; i < k; i++)
                s += number(x[(size_t)(r * k + i)]) * number(w[(size_t)(j * k + i)]);
            size_t at = (size_t)(r * m + j);
            plain[at] = s, gelus[at] = gelu(s + bias[(size_t)j]), added[at] = s + bias[(size_t)j] + y[at];
        }
    compare("few_rows", h.read(), plain, 1e-3);
    compare("few_rows, gelu", g.read(), gelus, 1e-3);
    compare("few_rows, add", sum.read(), added, 1e-5);
    auto padded = f.read();
    std::vector<float> all;
    for (int i = 0; i < n; i++)
        all.insert(all.end(), padded.begin() + i * wh_cuda_stride(m), padded.begin() + i * wh_cuda_stride(m) + m);
    compare("few_rows, float", all, plain, 1e-5);
    /* alone: the same bits */
    int r = between(0, n - 1);
    Array<float> alone((size_t)m);
    wh_cuda_few_rows(dx.p + (size_t)(r * k), dw.p, nullptr, alone.p, 1, m, k, WH_CUDA_FLOAT, sm, stream);
    auto bits = alone.read();
    if (memcmp(bits.data(), &all[(size_t)(r * m)], (size_t)m * sizeof(float))) {
        fprintf(stderr, "few_rows: a row alone has other bits than among %d\n", n);
        failures++;
    }
}

static void test_embed()
{
    int n = between(1, 20), d = 8 * between(1, 60), vocabulary = between(1, 50), positions = between(1, 30);
    auto e = halfs((size_t)(vocabulary * d));
    auto p = floats((size_t)(positions * d));
    std::vector<wh_cuda_row> list;
    for (int i = 0; i < n; i++)
        list.push_back(wh_cuda_row{between(0, vocabulary - 1), between(0, positions - 1), nullptr, nullptr, -1, 0});
    Array<half> de(e);
    Array<float> dp(p), x((size_t)(n * d));
    Array<wh_cuda_row> rows(list);
    wh_cuda_embed(rows.p, de.p, dp.p, x.p, n, d, stream);
    std::vector<double> want(x.n);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < d; c++)
            want[(size_t)(i * d + c)] = number(e[(size_t)(list[(size_t)i].token * d + c)]) +
                                        p[(size_t)(list[(size_t)i].position * d + c)];
    compare("embed", x.read(), want, 1e-6);
}

/* ---- choosing ---- */

struct Rules {
    wh_choice c;
    std::vector<int32_t> penalized, also;
    std::vector<bool> mask;
};

static Rules random_rules(int n_vocab, int n_times)
{
    Rules r = {};
    wh_choice &c = r.c;
    c.time_begin = n_vocab - n_times;
    c.time_from = between(0, 2) ? c.time_begin : between(c.time_begin, n_vocab);
    c.time_to = between(0, 2) ? n_vocab : between(c.time_begin, n_vocab);
    c.text_from = between(0, 2) ? 0 : between(0, c.time_begin);
    c.compare_times = between(0, 1);
    c.most = between(0, 1) ? 1 : between(2, WH_MOST_CHOICES);
    c.penalty = (float)(0.5 + unit());
    if (!between(0, 2))
        c.temperature = 1 / (0.5 + 4 * unit()), c.u = unit(), c.most = 1;
    for (int i = between(0, 1) ? 0 : between(1, 300); i-- > 0;) {
        int32_t id = between(0, n_vocab - 1), seen = 0;
        for (int32_t other : r.penalized)
            seen |= other == id;
        if (!seen)
            r.penalized.push_back(id);
    }
    for (int i = between(0, 1) ? 0 : between(1, 200); i-- > 0;) /* half of them penalized ones */
        r.also.push_back(!r.penalized.empty() && between(0, 1)
                             ? r.penalized[(size_t)between(0, (int)r.penalized.size() - 1)]
                             : between(0, n_vocab - 1));
    c.n_penalized = (int32_t)r.penalized.size(), c.n_also = (int32_t)r.also.size();
    r.mask.resize((size_t)n_vocab);
    for (size_t i = 0; i < r.mask.size(); i++)
        r.mask[i] = !between(0, 9);
    return r;
}

static double log_sum(const std::vector<double> &x, size_t from, size_t to, double scale)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = from; i < to; i++)
        most = fmax(most, x[i]);
    for (size_t i = from; i < to && most > -INFINITY; i++)
        sum += exp((x[i] - most) * scale);
    return most > -INFINITY ? most * scale + log(sum) : -INFINITY;
}

/* What may follow: the others are -infinity. */
static std::vector<double> apply(const Rules &r, const float *logits, size_t n_vocab)
{
    const wh_choice &c = r.c;
    std::vector<double> x(logits, logits + n_vocab);
    for (int32_t id : r.penalized)
        x[(size_t)id] = x[(size_t)id] < 0 ? (float)x[(size_t)id] * c.penalty : (float)x[(size_t)id] / c.penalty;
    for (int32_t id : r.also)
        x[(size_t)id] = -INFINITY;
    for (size_t i = 0; i < n_vocab; i++) {
        int id = (int)i, time = id >= c.time_begin;
        if (r.mask[i] || (time ? id < c.time_from || id >= c.time_to : id < c.text_from))
            x[i] = -INFINITY;
    }
    double text = -INFINITY, times = log_sum(x, (size_t)c.time_begin, n_vocab, 1);
    for (size_t i = 0; i < (size_t)c.time_begin; i++)
        text = fmax(text, x[i]);
    for (size_t i = 0; i < (size_t)c.time_begin && c.compare_times && times > text; i++)
        x[i] = -INFINITY;
    return x;
}

static bool is_drawn(const std::vector<double> &x, const wh_choice &c, int id)
{
    double total = log_sum(x, 0, x.size(), 1 / c.temperature), before = 0;
    for (int i = 0; i < id; i++)
        before += exp(x[(size_t)i] / c.temperature - total);
    double own = exp(x[(size_t)id] / c.temperature - total);
    return own > 0 && c.u > before - 1e-4 && c.u < before + own + 1e-4;
}

static bool is_right(const Rules &r, const float *logits, size_t n_vocab, const wh_choice &chosen)
{
    auto x = apply(r, logits, n_vocab);
    double total = log_sum(x, 0, n_vocab, 1);
    std::vector<int> order;
    for (size_t i = 0; i < n_vocab; i++)
        if (x[i] > -INFINITY)
            order.push_back((int)i);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return x[(size_t)a] > x[(size_t)b]; });
    int n = std::min((int)order.size(), r.c.most);
    if (chosen.n != n)
        return false;
    for (int i = 0; i < n; i++) {
        int id = chosen.ids[i];
        if (id < 0 || id >= (int)n_vocab || !(fabs(chosen.logprobs[i] - (x[(size_t)id] - total)) < 1e-4))
            return false;
        if (r.c.temperature > 0 ? !is_drawn(x, r.c, id) : id != order[(size_t)i])
            return false;
    }
    return true;
}

static void test_choose()
{
    int n = between(1, 5), n_vocab = between(0, 1) ? between(2, 400) : between(1900, 6200);
    int n_times = between(0, std::min(n_vocab - 1, 1500)), stride = wh_cuda_stride(n_vocab),
        words = (n_vocab + 31) / 32;
    std::vector<Rules> rules;
    std::vector<wh_choice> choices;
    std::vector<uint32_t> masks((size_t)(n * words));
    std::vector<int32_t> listed;
    std::vector<size_t> firsts;
    auto logits = floats((size_t)(n * stride), 8);
    for (int r = 0; r < n; r++) {
        for (int i = 0; i < n_vocab && r % 2; i++) /* equals */
            logits[(size_t)(r * stride + i)] = (float)between(-3, 3);
        for (int i = n_vocab; i < stride; i++)
            logits[(size_t)(r * stride + i)] = NAN;
        rules.push_back(random_rules(n_vocab, n_times));
        Rules &rule = rules.back();
        rule.c.forbidden = n - 1 - r;
        firsts.push_back(listed.size());
        choices.push_back(rule.c);
        listed.insert(listed.end(), rule.penalized.begin(), rule.penalized.end());
        listed.insert(listed.end(), rule.also.begin(), rule.also.end());
        for (int i = 0; i < n_vocab; i++)
            masks[(size_t)(rule.c.forbidden * words + i / 32)] |= (uint32_t)rule.mask[(size_t)i] << i % 32;
    }
    wh_cuda_choose_call call = {};
    bool has_lists = !listed.empty();
    listed.push_back(0);
    Array<float> dl(logits), stats(wh_cuda_choose_stats(n));
    Array<uint32_t> dm(masks);
    Array<int32_t> di(listed), ids(wh_cuda_choose_ids(n));
    for (size_t r = 0; r < choices.size(); r++) {
        choices[r].penalized = di.p + firsts[r];
        choices[r].also = choices[r].penalized + choices[r].n_penalized;
    }
    Array<wh_choice> dc(choices);
    call.logits = dl.p, call.n = n, call.n_vocab = n_vocab, call.stride = stride, call.words = words;
    call.has_lists = has_lists, call.choices = dc.p, call.masks = dm.p;
    call.stats = stats.p, call.ids = ids.p;
    wh_cuda_choose(&call, stream);
    auto chosen = dc.read();
    for (int r = 0; r < n; r++)
        if (!is_right(rules[(size_t)r], &logits[(size_t)(r * stride)], (size_t)n_vocab, chosen[(size_t)r])) {
            fprintf(stderr, "choose: row %d of %d, %d tokens, %d times: not what the rules say\n", r, n, n_vocab,
                    n_times);
            failures++;
            return;
        }
}

/* What the model could not compute shows. */
static void test_choose_nan()
{
    int n_vocab = 2500, stride = wh_cuda_stride(n_vocab), words = (n_vocab + 31) / 32;
    auto logits = floats((size_t)stride);
    logits[(size_t)between(0, n_vocab - 1)] = NAN;
    wh_choice c = {};
    c.time_begin = c.time_from = 2000, c.time_to = n_vocab, c.most = 3;
    Array<float> dl(logits), stats(wh_cuda_choose_stats(1));
    Array<wh_choice> dc(std::vector<wh_choice>{c});
    Array<uint32_t> dm(std::vector<uint32_t>((size_t)words));
    Array<int32_t> ids(wh_cuda_choose_ids(1));
    wh_cuda_choose_call call = {};
    call.logits = dl.p, call.n = 1, call.n_vocab = n_vocab, call.stride = stride, call.words = words;
    call.choices = dc.p, call.masks = dm.p, call.stats = stats.p, call.ids = ids.p;
    wh_cuda_choose(&call, stream);
    auto chosen = dc.read();
    for (int i = 0; i < 3; i++)
        if (chosen[0].n != 3 || chosen[0].logprobs[i] == chosen[0].logprobs[i]) {
            fprintf(stderr, "choose: a NaN among the logits does not show\n");
            failures++;
            return;
        }
}

/* ---- log-Mel ---- */

static void test_log_mel()
{
    int frames = between(1, 70), bands = between(1, 128), bins = 201;
    size_t n = 400 + 160 * (size_t)(frames - 1);
    auto samples = floats(n, 1);
    for (int i = between(0, 3) ? 0 : (int)n / 2; i > 0; i--) /* silence */
        samples[(size_t)i - 1] = 0;
    std::vector<float> filters((size_t)(bands * bins)), tables(wh_cuda_log_mel_tables(nullptr));
    std::vector<int32_t> ranges;
    wh_cuda_log_mel_tables(tables.data());
    for (int b = 0; b < bands; b++) {
        int first = between(0, bins), end = between(first, std::min(bins, first + 40));
        ranges.push_back(first);
        ranges.push_back(end);
        for (int k = first; k < end; k++)
            filters[(size_t)(b * bins + k)] = (float)(0.01 + unit());
    }
    Array<float> ds(samples), dt(tables), df(filters), out((size_t)(frames * bands));
    Array<int32_t> dr(ranges);
    wh_cuda_log_mel_call call = {ds.p, dt.p, df.p, dr.p, frames, bands, out.p};
    wh_cuda_log_mel(&call, stream);
    std::vector<double> want, power((size_t)bins);
    const double turn = 2 * 3.14159265358979323846 / 400;
    for (int f = 0; f < frames; f++) {
        for (int k = 0; k < bins; k++) {
            double re = 0, im = 0;
            for (int i = 0; i < 400; i++) {
                double x = samples[(size_t)(160 * f + i)] * (0.5 - 0.5 * cos(turn * i));
                re += x * cos(turn * (i * k % 400)), im -= x * sin(turn * (i * k % 400));
            }
            power[(size_t)k] = re * re + im * im;
        }
        for (int b = 0; b < bands; b++) {
            double sum = 0;
            for (int k = ranges[(size_t)(2 * b)]; k < ranges[(size_t)(2 * b + 1)]; k++)
                sum += filters[(size_t)(b * bins + k)] * power[(size_t)k];
            want.push_back(log10(fmax(sum, 1e-10)));
        }
    }
    compare("log_mel", out.read(), want, 2e-3); /* a quiet bin has the rounding of the loud ones */
}

#ifdef __CUDACC__
enum { TESTS = 22 };
#else
enum { TESTS = 25 };
#endif

/* Takes the device's memory but for so many MiB, and holds it for some seconds. */
static int fill(size_t left, unsigned seconds)
{
    size_t now, total;
    void *p;
    must(cudaMemGetInfo(&now, &total));
    if (now > left << 20)
        must(cudaMalloc(&p, now - (left << 20)));
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "--fill"))
        return fill((size_t)atol(argv[2]), (unsigned)atoi(argv[3]));
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    for (int i = 1; i < argc || i == 1; i++) {
        state = (uint64_t)(argc > 1 ? atoi(argv[i]) : 1) * 0x9e3779b97f4a7c15u;
        test_pad_mel();
        test_conv_gelu();
        test_from_q8_0();
        test_bias_gelu();
        test_norm(false);
        test_norm(true);
        test_heads();
        test_append();
        test_attention(80);
        test_attention(75);
        test_decode_attention(false);
        test_decode_attention(true);
        test_int8_windows();
        test_few_rows(80);
        test_few_rows(75);
        test_embed();
        test_choose();
        test_choose();
        test_choose_nan();
        test_log_mel();
        test_engine();
        test_steps();
#ifndef __CUDACC__
        test_without_graphs();
        test_unlaunched_log_mel();
        test_device_is_given_back();
#endif
    }
    must(cudaStreamDestroy(stream));
    printf("%d passed, %d failed\n", TESTS * (argc > 1 ? argc - 1 : 1) - failures, failures);
    return failures != 0;
}
