/* engine.cpp - the engine by its table (engine.h), as the host calls it: the order of copies and layers, steps as graphs and
 * without, and what it does where CUDA fails. Part of the program of kernels.cpp. */
#include "backend/cuda/engine.h"
#include "testing.h"

#include <thread>

/* ---- the engine: windows encoded together are the same as one by one, whatever the streams' order ---- */

static void load_random(wh_cuda_engine *e, const wh_cuda_sizes &s, uint64_t seed)
{
    const wh_cuda_api *api = wh_cuda_entry();
    state = seed;
    size_t d = (size_t)s.d;
    const struct {
        wh_cuda_tensor which;
        bool matrix;
        size_t n;
    } single[] = {{WH_CUDA_CONV1_W, true, 3 * d * (size_t)s.n_mels},
                  {WH_CUDA_CONV1_B, false, d},
                  {WH_CUDA_CONV2_W, true, 3 * d * d},
                  {WH_CUDA_CONV2_B, false, d},
                  {WH_CUDA_AUDIO_POSITIONS, false, d * (size_t)s.audio_ctx},
                  {WH_CUDA_AUDIO_GAIN, false, d},
                  {WH_CUDA_AUDIO_SHIFT, false, d},
                  {WH_CUDA_EMBEDDING_W, true, d * (size_t)s.n_vocab},
                  {WH_CUDA_TEXT_POSITIONS, false, d * (size_t)s.text_ctx},
                  {WH_CUDA_TEXT_GAIN, false, d},
                  {WH_CUDA_TEXT_SHIFT, false, d}};
    const size_t layer[WH_CUDA_N_LAYER] = {d, d,     3 * d * d, 3 * d,     d * d,     d,     d,
                                           d, d * d, d,         2 * d * d, 2 * d,     d * d, d,
                                           d, d,     4 * d * d, 4 * d,     4 * d * d, d};
    auto load = [&](int l, int which, bool matrix, size_t n) {
        auto h = halfs(n, 0.3);
        auto f = floats(n);
        for (size_t first = 0; first < n;) { /* in two parts */
            size_t some = first ? n - first : (n + 1) / 2;
            const wh_cuda_part part = {matrix ? WH_CUDA_HALFS : WH_CUDA_FLOATS,
                                       matrix ? (const void *)&h[first] : (const void *)&f[first], some, first, n};
            if (api->load(e, l, (wh_cuda_tensor)which, &part))
                exit(1);
            first += some;
        }
    };
    for (auto &t : single)
        load(-1, t.which, t.matrix, t.n);
    for (int l = 0; l < s.audio_layers + s.text_layers; l++)
        for (int t = 0; t < WH_CUDA_N_LAYER; t++)
            load(l, t, layer[t] >= d * d, layer[t]);
}

static wh_cuda_engine *random_engine(const wh_cuda_sizes &s, uint64_t seed)
{
    char message[WH_CUDA_MESSAGE];
    wh_cuda_engine *e;
    if (wh_cuda_entry()->open(&s, 0, &e, message)) {
        fprintf(stderr, "%s\n", message);
        exit(1);
    }
    load_random(e, s, seed);
    return e;
}

void test_engine()
{
    const wh_cuda_api *api = wh_cuda_entry();
    const int32_t heads[] = {0, 1};
    wh_cuda_sizes s = {};
    s.n_vocab = 31, s.n_mels = 5, s.d = 32, s.n_slots = 4, s.audio_ctx = 21, s.audio_heads = s.text_heads = 2;
    s.audio_layers = s.text_layers = 1, s.text_ctx = 9, s.n_alignment = 1, s.alignment = heads;
    uint64_t seed = state;
    wh_cuda_engine *e = random_engine(s, seed);
    std::vector<std::vector<float>> mel;
    for (int i = 0; i < 4; i++)
        mel.push_back(floats((size_t)(2 * s.audio_ctx * s.n_mels)));
    std::vector<float> logits[2];
    for (int together = 0; together < 2; together++) {
        const float *in[4];
        int windows[4];
        for (int i = 0; i < 4; i++)
            in[i] = mel[(size_t)i].data(), windows[i] = i;
        int rc = 0;
        for (int i = 0; i < (together ? 1 : 4) && !rc; i++)
            rc = api->encode(e, together ? 4 : 1, in + i, windows + i, nullptr, nullptr);
        logits[together].assign((size_t)(4 * s.n_vocab), 0);
        wh_row tokens[4];
        for (int i = 0; i < 4; i++)
            tokens[i] = wh_row{i, i, 0, i + 1, &logits[together][(size_t)(i * s.n_vocab)], nullptr, nullptr, 0};
        if (!rc)
            rc = api->decode(e, 4, tokens);
        if (rc) {
            fprintf(stderr, "engine: %s\n", api->error(e));
            failures++;
        }
    }
    for (size_t i = 0; i < logits[0].size(); i++)
        if (!(logits[0][i] == logits[1][i])) { /* also when NaN */
            fprintf(stderr, "engine: windows encoded together differ from single ones: %g, %g\n", logits[0][i],
                    logits[1][i]);
            failures++;
            break;
        }
    api->close(e);
}

/* ---- steps as graphs ---- */

static const int STEP_SLOTS = 5;

/* Tokens of some slots, one at a time; a slot joins now and then, so that classes take turns. What was chosen last is in
 * choices, by these rules: not the listed token, every other time. */
static int run_steps(wh_cuda_engine *e, const wh_cuda_sizes &s, int n_tokens, const int32_t *listed, wh_choice *choices)
{
    const wh_cuda_api *api = wh_cuda_entry();
    auto mel = floats((size_t)(2 * s.audio_ctx * s.n_mels));
    const float *in = mel.data();
    int window = 0, rc = api->encode(e, 1, &in, &window, nullptr, nullptr);
    const uint32_t none[1] = {0};
    if (!rc)
        rc = api->forbid(e, 0, none);
    wh_choice c = {};
    c.time_begin = c.time_from = c.time_to = s.n_vocab, c.most = 2;
    wh_row tokens[STEP_SLOTS];
    for (int t = 0; t < n_tokens && !rc; t++) {
        int n = 1 + t % STEP_SLOTS;
        for (int i = 0; i < n; i++) {
            choices[i] = c;
            choices[i].n_also = (t + i) % 2, choices[i].also = listed;
            tokens[i] = wh_row{i,       0, i ? (t - i) / STEP_SLOTS : t, (t * 7 + i) % s.n_vocab, nullptr, &choices[i],
                               nullptr, 0};
        }
        rc = api->decode(e, n, tokens);
    }
    return rc;
}

static wh_cuda_sizes step_sizes(int n_tokens)
{
    static const int32_t heads[] = {0, 1};
    wh_cuda_sizes s = {};
    s.n_vocab = 31, s.n_mels = 5, s.d = 32, s.n_slots = STEP_SLOTS + 1, s.audio_ctx = 21;
    s.audio_heads = s.text_heads = 2, s.audio_layers = s.text_layers = 1, s.text_ctx = n_tokens + 1;
    s.n_alignment = 1, s.alignment = heads;
    return s;
}

/* The best token of a row but the one that is listed, and its log-probability. */
static int best_of(const float *logits, int n, int32_t but, double *logprob)
{
    int best = but ? 0 : 1;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        best = i != but && logits[i] > logits[best] ? i : best;
        sum += i != but ? exp(logits[i]) : 0;
    }
    *logprob = logits[best] - log(sum);
    return best;
}

/* What follows is what the logits of a pass say, after any number of other steps. */
void test_steps()
{
    const wh_cuda_api *api = wh_cuda_entry();
    const int TOKENS = 135; /* more than one split of decode attention */
    wh_cuda_sizes s = step_sizes(TOKENS);
    wh_cuda_engine *e = random_engine(s, state);
    wh_choice choices[STEP_SLOTS];
    const int32_t listed[1] = {between(0, s.n_vocab - 1)};
    int rc = run_steps(e, s, TOKENS, listed, choices);
    /* slot 0's tokens again, as passes of one slot with all logits */
    std::vector<float> logits((size_t)(TOKENS * s.n_vocab));
    std::vector<wh_row> again;
    for (int t = 0; t < TOKENS; t++)
        again.push_back(
            wh_row{STEP_SLOTS, 0, t, t * 7 % s.n_vocab, &logits[(size_t)(t * s.n_vocab)], nullptr, nullptr, 0});
    if (!rc)
        rc = api->decode(e, TOKENS, again.data());
    const wh_choice &chosen = choices[0];
    const float *row = &logits[(size_t)((TOKENS - 1) * s.n_vocab)];
    int id = chosen.ids[0], but = chosen.n_also ? listed[0] : -1;
    double best = 0;
    if (!rc)
        best_of(row, s.n_vocab, but, &best);
    if (rc) {
        fprintf(stderr, "steps: %s\n", api->error(e));
        failures++;
    } else if (chosen.n != 2 || id < 0 || id >= s.n_vocab || id == but || !(fabs(chosen.logprobs[0] - best) < 0.05)) {
        fprintf(stderr, "steps: after %d of them token %d of %g, not the best, %g\n", TOKENS, id,
                (double)chosen.logprobs[0], best);
        failures++;
    }
    api->close(e);
}

/* ---- where CUDA fails; the emulator is told where ---- */

#ifndef __CUDACC__
static void complain(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    failures++;
}

/* Wherever making a graph fails, the same numbers come out without, and it is said. */
void test_without_graphs()
{
    static const char *const points[] = {"", "begin", "within", "launch", "end", "instantiate"};
    const wh_cuda_api *api = wh_cuda_entry();
    wh_cuda_sizes s = step_sizes(12);
    uint64_t seed = state;
    wh_choice with[STEP_SLOTS];
    for (const char *point : points) {
        size_t left, each;
        wh_cuda_engine *e = random_engine(s, seed);
        const int32_t listed[1] = {between(0, s.n_vocab - 1)};
        wh_choice choices[STEP_SLOTS];
        setenv("CUDAEMU_FAIL_CAPTURE", point, 1);
        int rc = api->room(e, &left, &each), early = strstr(api->describe(e), "without CUDA graphs") != NULL;
        if (!rc)
            rc = run_steps(e, s, 12, listed, choices);
        unsetenv("CUDAEMU_FAIL_CAPTURE");
        if (rc)
            complain("without graphs", api->error(e));
        else if (early != (*point != 0))
            complain("without graphs", "what is said of them is not so");
        for (int i = 0; i < 2 && !rc; i++) /* 12 tokens end with a step of two */
            if (!*point)
                with[i] = choices[i];
            else if (with[i].ids[0] != choices[i].ids[0] || with[i].logprobs[0] != choices[i].logprobs[0])
                complain(point, "other numbers than with graphs");
        api->close(e);
    }
}

/* Frames that could not be computed are not those of the call before. */
void test_unlaunched_log_mel()
{
    const wh_cuda_api *api = wh_cuda_entry();
    wh_cuda_sizes s = step_sizes(2);
    wh_cuda_engine *e = random_engine(s, state);
    auto filters = floats((size_t)s.n_mels * 201), samples = floats(560);
    std::vector<float> first((size_t)(2 * s.n_mels)), again(first);
    int rc = api->load_filters(e, filters.data());
    if (!rc)
        rc = api->log_mel(e, samples.data(), 2, first.data());
    setenv("CUDAEMU_FAIL_LAUNCH", "log_mel", 1);
    int failed = api->log_mel(e, samples.data(), 2, again.data());
    unsetenv("CUDAEMU_FAIL_LAUNCH");
    int after = api->log_mel(e, samples.data(), 2, again.data());
    if (rc || !failed || after || first != again)
        complain("log-Mel", "a launch that failed passes, or what follows it does not");
    api->close(e);
}

static CUcontext context()
{
    void *get = nullptr;
    cudaDriverEntryPointQueryResult result;
    CUcontext now = nullptr;
    must(cudaGetDriverEntryPointByVersion("cuCtxGetCurrent", &get, 12000, cudaEnableDefault, &result));
    ((CUresult(*)(CUcontext *))get)(&now);
    return now;
}

/* The caller's thread has the device that it had, or none, and the engine works on its own all the same. */
static void call_everything(int device, const char *who)
{
    const wh_cuda_api *api = wh_cuda_entry();
    wh_cuda_sizes s = step_sizes(5);
    char message[WH_CUDA_MESSAGE];
    wh_cuda_engine *e = nullptr;
    CUcontext before = context();
    if (api->open(&s, device, &e, message)) {
        complain(who, message);
        return;
    }
    bool same = context() == before;
    load_random(e, s, state);
    size_t left, each;
    const int32_t listed[1] = {3};
    wh_choice choices[STEP_SLOTS];
    int taken = 0, rc = api->room(e, &left, &each);
    same = same && context() == before;
    if (!rc)
        rc = api->take(e, 2, &taken);
    if (!rc)
        rc = run_steps(e, s, 5, listed, choices);
    same = same && context() == before;
    if (!rc)
        rc = api->copy(e, 1, 0, 0, 2);
    if (rc || taken != 2)
        complain(who, api->error(e));
    api->close(e);
    if (!same || context() != before)
        complain(who, "its thread has another device than before");
}

void test_device_is_given_back()
{
    const char *had = getenv("CUDAEMU_DEVICES");
    setenv("CUDAEMU_DEVICES", had ? had : "2", 1);
    must(cudaSetDevice(0));
    call_everything(1, "a thread with a device of its own");
    std::thread other([] { call_everything(1, "a thread without a device"); });
    other.join();
    must(cudaSetDevice(0));
    if (!had)
        unsetenv("CUDAEMU_DEVICES");
}
#endif
