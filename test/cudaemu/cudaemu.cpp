/* cudaemu.cpp - the inside of cudaemu.h: blocks and their fibers, memory, streams, the runtime's calls, cuBLAS's one.
 */
#include "cudaemu.h"
#include "fiber.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <dlfcn.h>
#include <map>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace cudaemu
{

/* ---- settings ---- */

static long setting(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "cudaemu: ");
    if (current)
        fprintf(stderr, "block %u,%u,%u thread %u: ", current->block.x, current->block.y, current->block.z,
                current->thread.x);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    fflush(nullptr);
    va_end(list);
    _exit(70);
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct Random {
    uint64_t state;
    uint64_t next()
    {
        return mix(state++);
    }
    unsigned below(unsigned n)
    {
        return (unsigned)(next() % n);
    }
    template <class T> void shuffle(T *items, size_t n)
    {
        for (size_t i = n; i > 1; i--)
            std::swap(items[i - 1], items[next() % i]);
    }
};

/* ---- half ---- */

float half_to_float(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    float x = exponent == 31 ? (fraction ? NAN : INFINITY)
              : exponent     ? ldexpf((float)(fraction + 1024), exponent - 25)
                             : ldexpf((float)fraction, -24);
    return h & 0x8000 ? -x : x;
}

uint16_t float_to_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t size = bits & 0x7fffffff;
    if (size > 0x7f800000)
        return sign | 0x7fff;
    if (size >= 0x477ff000) /* rounds to 65536 or more */
        return sign | 0x7c00;
    if (size < 0x38800000) { /* a subnormal half: let the addition round */
        float y;
        memcpy(&y, &size, 4);
        y += 0.5f;
        memcpy(&size, &y, 4);
        return sign | (uint16_t)(size - 0x3f000000);
    }
    size += 0xfff + (size >> 13 & 1);
    return sign | (uint16_t)((size - 0x38000000) >> 13);
}

static const float *make_half_table()
{
    float *table = (float *)malloc(65536 * sizeof *table);
    for (int i = 0; i < 65536; i++)
        table[i] = half_to_float((uint16_t)i);
    return table;
}
const float *half_table = make_half_table();

/* ---- switching ---- */

#if defined(__x86_64__)
asm(".text\n"
    ".globl cudaemu_switch\n"
    ".hidden cudaemu_switch\n"
    ".type cudaemu_switch, @function\n"
    "cudaemu_switch:\n"
    "    pushq %rbp\n"
    "    pushq %rbx\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbx\n"
    "    popq %rbp\n"
    "    ret\n"
    ".size cudaemu_switch, .-cudaemu_switch\n");
#endif

/* ---- a launch and its blocks ---- */

struct Launch {
    const char *name;
    dim3 grid, block;
    size_t shared;
    std::function<void()> body;
    uint64_t seed;
    std::vector<unsigned> order; /* of the blocks */
    std::atomic<size_t> next{0};
};

struct Copy {
    char *to;
    const char *from;
    int bytes, valid;
};

enum State { READY, AT_BARRIER, IN_WARP, DONE };

struct Site {
    char space;
    int write;
    const char *file;
    int line;
};

struct Lane {
    Fiber fiber;
    Self self;
    State state;
    int line;      /* where it waits */
    unsigned mask; /* IN_WARP: with whom */
    WarpAct act;
    void *part;
    unsigned carved;
    std::deque<std::vector<Copy>> groups; /* committed cp.async */
    std::vector<Copy> open;
    std::unordered_map<uint64_t, int> seen; /* profile: how often this thread has been at a site */
};

struct Warp {
    unsigned ready; /* bit i: lane order[i] */
    unsigned char order[WARP], place[WARP];
    unsigned arrived; /* lanes at the collective of all 32 that is gathering */
    unsigned first;   /* the one that came first */
};

struct Piece {
    char *at;
    size_t bytes;
    int line;
};

constexpr size_t RED = 64, ARENA = 512 << 10, MOST_SHARED = 48 << 10;

struct Request {
    Site site;
    uintptr_t at[WARP];
    unsigned mask;
    int bytes;
};
struct BranchTally {
    int yes, no;
};

struct Worker {
    Fiber host;
    std::vector<std::unique_ptr<Lane>> lanes;
    std::vector<Warp> warps;
    Launch *launch = nullptr;
    Random random;
    unsigned n = 0, done = 0, waiting = 0;
    unsigned running = 0;
    char *arena = nullptr;
    size_t used = 0, carved_bytes = 0, static_bytes = 0;
    std::vector<Piece> pieces, statics;
    std::map<std::pair<uint64_t, uint64_t>, Request> requests; /* (warp, site), occurrence */
    std::map<std::pair<uint64_t, uint64_t>, std::pair<Site, BranchTally>> branches;
};

static thread_local Worker *worker;
thread_local Self *current;

/* Let somebody else run; called by a fiber whose state says why it stops. */
static void go_on(bool ends);

static void run_lane(Worker *w, unsigned to, bool ends)
{
    unsigned from = w->running;
    if (to == from)
        return;
    w->running = to;
    current = &w->lanes[to]->self;
    fiber_switch(&w->lanes[from]->fiber, &w->lanes[to]->fiber, ends);
    /* back: whoever switched here has set `running` and `current` */
}

static void set_ready(Worker *w, unsigned lane)
{
    w->lanes[lane]->state = READY;
    Warp &warp = w->warps[lane / WARP];
    warp.ready |= 1u << warp.place[lane % WARP];
}

static void go_on(bool ends)
{
    Worker *w = worker;
    unsigned warp = w->running / WARP, n_warps = (unsigned)w->warps.size();
    /* The same warp goes on, so that it runs far ahead of the others; complete() breaks that now and then. */
    if (!w->warps[warp].ready) {
        unsigned first = w->random.below(n_warps);
        warp = first;
        while (!w->warps[warp].ready) {
            warp = (warp + 1) % n_warps;
            if (warp == first)
                break;
        }
    }
    if (!w->warps[warp].ready) {
        if (w->done == w->n) { /* the last one: back to the host thread */
            unsigned from = w->running;
            current = nullptr;
            fiber_switch(&w->lanes[from]->fiber, &w->host, true);
            abort();
        }
        die("%s: deadlock: %u of %u threads wait at a barrier, %u have ended, line %d", w->launch->name, w->waiting,
            w->n, w->done, w->lanes[w->running]->line);
    }
    unsigned bit = (unsigned)__builtin_ctz(w->warps[warp].ready);
    run_lane(w, warp * WARP + w->warps[warp].order[bit], ends);
}

/* The running lane, still ready, gives way to some warp drawn by lot. */
static void another_warp(Worker *w)
{
    unsigned warp = w->random.below((unsigned)w->warps.size());
    if (w->warps[warp].ready)
        run_lane(w, warp * WARP + w->warps[warp].order[__builtin_ctz(w->warps[warp].ready)], false);
}

/* The running lane stops being ready. */
static Lane *stop(State state, int line)
{
    Worker *w = worker;
    Lane *lane = w->lanes[w->running].get();
    Warp &warp = w->warps[w->running / WARP];
    warp.ready &= ~(1u << warp.place[w->running % WARP]);
    lane->state = state;
    lane->line = line;
    return lane;
}

void barrier(int line)
{
    Worker *w = worker;
    stop(AT_BARRIER, line);
    w->waiting++;
    if (w->done)
        die("%s: a barrier at line %d after %u threads of the block have ended", w->launch->name, line, w->done);
    if (w->waiting == w->n) {
        for (unsigned i = 0; i < w->n; i++) {
            if (w->lanes[i]->line != line)
                die("%s: threads of a block at different barriers, lines %d and %d", w->launch->name, line,
                    w->lanes[i]->line);
            set_ready(w, i);
        }
        w->waiting = 0;
        if (w->warps.size() == 1 || w->random.below(2))
            return; /* the last to come is as good as any to go on first */
    }
    go_on(false);
}

/* All lanes of the mask are there: act, and let them go on. */
static void complete(Worker *w, unsigned base, unsigned mask, WarpAct act, const void *what)
{
    void *parts[WARP];
    for (unsigned i = 0; i < WARP; i++)
        parts[i] = mask >> i & 1 ? w->lanes[base + i]->part : nullptr;
    act(parts, what);
    for (unsigned i = 0; i < WARP; i++)
        if (mask >> i & 1)
            w->lanes[base + i]->state = READY;
    Warp &warp = w->warps[base / WARP];
    if (mask == ~0u)
        warp.ready = ~0u;
    else
        for (unsigned i = 0; i < WARP; i++)
            if (mask >> i & 1)
                warp.ready |= 1u << warp.place[i];
    if (w->warps.size() > 1 && w->random.below(8) == 0)
        another_warp(w);
}

void warp_call(unsigned mask, void *part, WarpAct act, const void *what, int line)
{
    Worker *w = worker;
    unsigned base = w->running / WARP * WARP, me = w->running % WARP;
    if (!(mask >> me & 1))
        die("%s line %d: a warp collective by a lane that is not in its mask", w->launch->name, line);
    Lane *lane = stop(IN_WARP, line);
    lane->mask = mask;
    lane->act = act;
    lane->part = part;
    if (mask == ~0u) { /* the usual case, without looking at every lane each time */
        Warp &warp = w->warps[base / WARP];
        if (!warp.arrived++)
            warp.first = w->running;
        const Lane *first = w->lanes[warp.first].get();
        if (first->mask != mask || first->act != act || first->line != line)
            die("%s: lanes of a warp at different collectives, lines %d and %d", w->launch->name, line, first->line);
        if (warp.arrived < WARP) {
            go_on(false);
            return;
        }
        warp.arrived = 0;
        complete(w, base, mask, act, what);
        return;
    }
    for (unsigned i = 0; i < WARP; i++) {
        if (!(mask >> i & 1))
            continue;
        if (base + i >= w->n || w->lanes[base + i]->state == DONE)
            die("%s line %d: lane %u is in the mask of a collective and does not exist or has ended", w->launch->name,
                line, i);
        const Lane *other = w->lanes[base + i].get();
        if (other->state != IN_WARP) {
            go_on(false);
            return;
        }
        if (other->mask != mask || other->act != act || other->line != line)
            die("%s: lanes of a warp at different collectives, lines %d and %d", w->launch->name, line, other->line);
    }
    complete(w, base, mask, act, what);
}

static void ballot_act(void *const parts[WARP], const void *)
{
    unsigned bits = 0;
    for (int i = 0; i < WARP; i++)
        if (parts[i] && *(unsigned *)parts[i])
            bits |= 1u << i;
    for (int i = 0; i < WARP; i++)
        if (parts[i])
            *(unsigned *)parts[i] = bits;
}

unsigned ballot(unsigned mask, int value, int line)
{
    unsigned part = value != 0;
    warp_call(mask, &part, ballot_act, nullptr, line);
    return part;
}

int lane()
{
    return (int)(worker->running % WARP);
}

/* ---- shared memory ---- */

static void poison(char *p, size_t n)
{
#if CUDAEMU_ASAN
    __asan_poison_memory_region(p, n);
#else
    (void)p, (void)n;
#endif
}

static void unpoison(char *p, size_t n)
{
#if CUDAEMU_ASAN
    __asan_unpoison_memory_region(p, n);
#else
    (void)p, (void)n;
#endif
}

static char *new_piece(Worker *w, size_t bytes, size_t align)
{
    size_t at = (w->used + RED + align - 1) / align * align;
    if (at + bytes + RED > ARENA)
        die("%s: %zu bytes of shared memory", w->launch->name, bytes);
    w->used = at + bytes;
    unpoison(w->arena + at, bytes);
    return w->arena + at;
}

void *carve(size_t bytes, size_t align, int line)
{
    Worker *w = worker;
    Lane *lane = w->lanes[w->running].get();
    if (lane->carved == w->pieces.size()) {
        w->carved_bytes = (w->carved_bytes + align - 1) / align * align + bytes;
        if (w->carved_bytes > w->launch->shared)
            die("%s line %d: takes %zu bytes of dynamic shared memory, was launched with %zu", w->launch->name, line,
                w->carved_bytes, w->launch->shared);
        w->pieces.push_back(Piece{new_piece(w, bytes, std::max<size_t>(align, 16)), bytes, line});
    }
    const Piece &piece = w->pieces[lane->carved++];
    if (piece.bytes != bytes || piece.line != line)
        die("%s line %d: threads carve shared memory differently", w->launch->name, line);
    return piece.at;
}

void *static_shared(size_t bytes, size_t align, int line)
{
    Worker *w = worker;
    for (const Piece &piece : w->statics)
        if (piece.line == line)
            return piece.at;
    w->static_bytes += bytes;
    if (w->static_bytes + w->launch->shared > MOST_SHARED)
        die("%s: more than 48 KiB of shared memory", w->launch->name);
    w->statics.push_back(Piece{new_piece(w, bytes, align), bytes, line});
    return w->statics.back().at;
}

static void begin_shared(Worker *w)
{
    if (!w->arena) {
        w->arena = (char *)mmap(nullptr, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (w->arena == MAP_FAILED)
            abort();
        w->used = ARENA - RED;
    }
    unpoison(w->arena, ARENA);
    memset(w->arena, 0xff, w->used + RED);
    poison(w->arena, ARENA);
    w->used = w->carved_bytes = w->static_bytes = 0;
    w->pieces.clear();
    w->statics.clear();
}

/* What AddressSanitizer sees at once, other builds see here: writes between the pieces. */
static void check_shared(Worker *w)
{
    unpoison(w->arena, ARENA);
    std::vector<Piece> all = w->pieces;
    all.insert(all.end(), w->statics.begin(), w->statics.end());
    std::sort(all.begin(), all.end(), [](const Piece &a, const Piece &b) { return a.at < b.at; });
    const char *p = w->arena;
    for (size_t i = 0; i <= all.size(); i++) {
        const char *end = i < all.size() ? all[i].at : p + RED;
        for (; p < end; p++)
            if ((unsigned char)*p != 0xff)
                die("%s: a write beside a piece of shared memory", w->launch->name);
        if (i < all.size())
            p = all[i].at + all[i].bytes;
    }
}

/* ---- cp.async ---- */

void cp_async(void *shared, const void *global, int bytes, int valid)
{
    if ((uintptr_t)shared % (size_t)bytes || (uintptr_t)global % (size_t)bytes)
        die("%s: cp.async of %d bytes is not aligned to them", worker->launch->name, bytes);
    memset(shared, 0xff, (size_t)bytes);
    worker->lanes[worker->running]->open.push_back(Copy{(char *)shared, (const char *)global, bytes, valid});
}

void cp_async_commit()
{
    Lane *lane = worker->lanes[worker->running].get();
    lane->groups.push_back(std::move(lane->open));
    lane->open.clear();
}

void cp_async_wait(int keep)
{
    Lane *lane = worker->lanes[worker->running].get();
    while (lane->groups.size() > (size_t)keep) {
        for (const Copy &copy : lane->groups.front()) {
            memcpy(copy.to, copy.from, (size_t)copy.valid);
            memset(copy.to + copy.valid, 0, (size_t)(copy.bytes - copy.valid));
        }
        lane->groups.pop_front();
    }
}

/* ---- profile ---- */

bool profiling = setting("CUDAEMU_PROFILE", 0) != 0;

struct Totals {
    uint64_t requests, lanes, bytes, sectors, ideal, phases, conflicts, branches, divergent;
};
static std::mutex profile_lock;
static std::map<std::string, std::map<std::pair<int, std::string>, Totals>> profile; /* kernel, (line, what) */
static std::map<std::string, uint64_t> launches;

static uint64_t site_key(char space, int write, const char *file, int line)
{
    return mix((uint64_t)(uintptr_t)file * 31 + (uint64_t)line * 4 + (uint64_t)write * 2 + (space == 's'));
}

void note(char space, int write, const void *p, int bytes, const char *file, int line)
{
    Worker *w = worker;
    unsigned me = w->running;
    uint64_t key = site_key(space, write, file, line);
    uint64_t time = (uint64_t)w->lanes[me]->seen[key]++;
    Request &r = w->requests[{key + me / WARP, time}];
    r.site = Site{space, write, file, line};
    r.mask |= 1u << me % WARP;
    r.at[me % WARP] = (uintptr_t)p;
    r.bytes = bytes;
}

void note_branch(bool taken, const char *file, int line)
{
    Worker *w = worker;
    unsigned me = w->running;
    uint64_t key = site_key('b', 0, file, line);
    uint64_t time = (uint64_t)w->lanes[me]->seen[key]++;
    auto &b = w->branches[{key + me / WARP, time}];
    b.first = Site{'b', 0, file, line};
    (taken ? b.second.yes : b.second.no)++;
}

static std::string where(const Site &site)
{
    const char *slash = strrchr(site.file, '/');
    const char *what = site.space == 'b'   ? "branch"
                       : site.space == 'g' ? (site.write ? "global write" : "global read")
                                           : (site.write ? "shared write" : "shared read");
    return std::string(slash ? slash + 1 : site.file) + " " + what;
}

static void add_global(Totals &t, const Request &r)
{
    std::vector<uintptr_t> sectors, bytes;
    for (int i = 0; i < WARP; i++) {
        if (!(r.mask >> i & 1))
            continue;
        for (uintptr_t s = r.at[i] / 32; s <= (r.at[i] + (uintptr_t)r.bytes - 1) / 32; s++)
            sectors.push_back(s);
        bytes.push_back(r.at[i]);
    }
    std::sort(sectors.begin(), sectors.end());
    std::sort(bytes.begin(), bytes.end());
    t.sectors += (uint64_t)(std::unique(sectors.begin(), sectors.end()) - sectors.begin());
    uint64_t distinct = (uint64_t)(std::unique(bytes.begin(), bytes.end()) - bytes.begin());
    t.bytes += distinct * (uint64_t)r.bytes;
    t.ideal += (distinct * (uint64_t)r.bytes + 31) / 32;
}

static void add_shared(Totals &t, const Request &r)
{
    int together = std::min(WARP, 128 / r.bytes);
    for (int first = 0; first < WARP; first += together) {
        std::vector<uintptr_t> words;
        for (int i = first; i < first + together; i++)
            if (r.mask >> i & 1)
                for (uintptr_t a = r.at[i] / 4; a <= (r.at[i] + (uintptr_t)r.bytes - 1) / 4; a++)
                    words.push_back(a);
        if (words.empty())
            continue;
        std::sort(words.begin(), words.end());
        words.erase(std::unique(words.begin(), words.end()), words.end());
        int banks[32] = {0}, most = 0;
        for (uintptr_t a : words)
            most = std::max(most, ++banks[a % 32]);
        t.phases++;
        t.conflicts += (uint64_t)(most - 1);
        t.bytes += words.size() * 4;
    }
}

static void end_profile(Worker *w)
{
    std::lock_guard<std::mutex> hold(profile_lock);
    auto &table = profile[w->launch->name];
    for (auto &item : w->requests) {
        const Request &r = item.second;
        Totals &t = table[{r.site.line, where(r.site)}];
        t.requests++;
        t.lanes += (uint64_t)__builtin_popcount(r.mask);
        r.site.space == 'g' ? add_global(t, r) : add_shared(t, r);
    }
    for (auto &item : w->branches) {
        Totals &t = table[{item.second.first.line, where(item.second.first)}];
        t.branches++;
        t.divergent += item.second.second.yes && item.second.second.no;
    }
    w->requests.clear();
    w->branches.clear();
}

static void print_profile()
{
    FILE *out = fopen(getenv("CUDAEMU_PROFILE_OUT") ? getenv("CUDAEMU_PROFILE_OUT") : "/dev/stdout", "w");
    if (!out)
        return;
    for (auto &kernel : profile)
        for (auto &site : kernel.second) {
            const Totals &t = site.second;
            fprintf(out, "%s\t%d\t%s\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\n",
                    kernel.first.c_str(), site.first.first, site.first.second.c_str(),
                    (unsigned long long)launches[kernel.first], (unsigned long long)t.requests,
                    (unsigned long long)t.lanes, (unsigned long long)t.bytes, (unsigned long long)t.sectors,
                    (unsigned long long)t.ideal, (unsigned long long)t.phases, (unsigned long long)t.conflicts,
                    (unsigned long long)t.branches, (unsigned long long)t.divergent);
        }
    fclose(out);
}

/* ---- running a block, a grid ---- */

static void lane_main()
{
    fiber_entered(nullptr);
    Worker *w = worker;
    w->launch->body();
    w = worker;
    if (!w->lanes[w->running]->open.empty() || !w->lanes[w->running]->groups.empty())
        for (auto &group : w->lanes[w->running]->groups)
            if (!group.empty())
                die("%s: a thread ends with cp.async not waited for", w->launch->name);
    stop(DONE, 0);
    w->done++;
    if (w->waiting)
        die("%s: a thread ends while others wait at the barrier in line %d", w->launch->name, [&] {
            for (unsigned i = 0; i < w->n; i++)
                if (w->lanes[i]->state == AT_BARRIER)
                    return w->lanes[i]->line;
            return 0;
        }());
    go_on(true);
    abort();
}

static void run_block(Launch *launch, unsigned number)
{
    if (!worker) {
        static thread_local std::unique_ptr<Worker> owned(new Worker);
        worker = owned.get();
        pthread_attr_t attributes;
        void *bottom = nullptr;
        size_t size = 0;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &bottom, &size);
        pthread_attr_destroy(&attributes);
        worker->host.bottom = bottom;
        worker->host.size = size;
    }
    Worker *w = worker;
    w->launch = launch;
    w->random.state = mix(launch->seed ^ mix(number));
    w->n = launch->block.x * launch->block.y * launch->block.z;
    w->done = w->waiting = 0;
    while (w->lanes.size() < w->n)
        w->lanes.emplace_back(new Lane);
    w->warps.resize((w->n + WARP - 1) / WARP);
    begin_shared(w);
    dim3 block(number % launch->grid.x, number / launch->grid.x % launch->grid.y,
               number / launch->grid.x / launch->grid.y);
    for (Warp &warp : w->warps) {
        warp.ready = warp.arrived = 0;
        for (int i = 0; i < WARP; i++)
            warp.order[i] = (unsigned char)i;
        w->random.shuffle(warp.order, WARP);
        for (int i = 0; i < WARP; i++)
            warp.place[warp.order[i]] = (unsigned char)i;
    }
    for (unsigned i = 0; i < w->n; i++) {
        Lane *lane = w->lanes[i].get();
        lane->self.thread = dim3(i % launch->block.x, i / launch->block.x % launch->block.y,
                                 i / launch->block.x / launch->block.y);
        lane->self.block = block;
        lane->self.block_dim = launch->block;
        lane->self.grid_dim = launch->grid;
        lane->carved = 0;
        lane->groups.clear();
        lane->open.clear();
        lane->seen.clear();
        fiber_prepare(&lane->fiber, lane_main);
        set_ready(w, i);
    }
    unsigned warp = w->random.below((unsigned)w->warps.size());
    w->running = warp * WARP + w->warps[warp].order[__builtin_ctz(w->warps[warp].ready)];
    current = &w->lanes[w->running]->self;
    fiber_switch(&w->host, &w->lanes[w->running]->fiber, false);
    current = nullptr;
    check_shared(w);
    if (profiling)
        end_profile(w);
}

static void run_blocks(Launch *launch)
{
    for (;;) {
        size_t i = launch->next++;
        if (i >= launch->order.size())
            return;
        run_block(launch, launch->order[i]);
    }
}

/* Host threads that help with large grids; they sleep between launches. */
struct Helpers {
    std::mutex lock;
    std::condition_variable wake, finished;
    Launch *launch = nullptr;
    unsigned round = 0, busy = 0;
    std::vector<std::thread> threads;

    explicit Helpers(int n)
    {
        for (int i = 0; i < n; i++) {
            threads.emplace_back([this] {
                unsigned seen = 0;
                for (;;) {
                    Launch *work;
                    {
                        std::unique_lock<std::mutex> hold(lock);
                        wake.wait(hold, [&] { return round != seen; });
                        seen = round;
                        work = launch;
                    }
                    run_blocks(work);
                    std::lock_guard<std::mutex> hold(lock);
                    if (--busy == 0)
                        finished.notify_all();
                }
            });
            threads.back().detach();
        }
    }
    void run(Launch *work)
    {
        {
            std::lock_guard<std::mutex> hold(lock);
            launch = work;
            busy = (unsigned)threads.size();
            round++;
        }
        wake.notify_all();
        run_blocks(work);
        std::unique_lock<std::mutex> hold(lock);
        finished.wait(hold, [&] { return busy == 0; });
    }
};

static void run_grid(Launch *launch)
{
    static Helpers *helpers = new Helpers((int)setting("CUDAEMU_THREADS", 2) - 1);
    size_t blocks = (size_t)launch->grid.x * launch->grid.y * launch->grid.z;
    unsigned threads = launch->block.x * launch->block.y * launch->block.z;
    if (!blocks || !threads || threads > 1024 || launch->shared > MOST_SHARED)
        die("%s: cannot be launched: %zu blocks of %u threads, %zu bytes of shared memory", launch->name, blocks,
            threads, launch->shared);
    if (launch->grid.y > 65535 || launch->grid.z > 65535)
        die("%s: a grid of %u x %u x %u", launch->name, launch->grid.x, launch->grid.y, launch->grid.z);
    launch->order.resize(blocks);
    for (size_t i = 0; i < blocks; i++)
        launch->order[i] = (unsigned)i;
    Random random{launch->seed};
    random.shuffle(launch->order.data(), blocks);
    if (profiling) {
        std::lock_guard<std::mutex> hold(profile_lock);
        if (launches.empty())
            atexit(print_profile);
        launches[launch->name]++;
    }
    if (helpers->threads.empty() || blocks < 4)
        run_blocks(launch);
    else
        helpers->run(launch);
}

/* ---- streams ---- */

struct Event {
    uint64_t recorded = 0, reached = 0;
};

struct Operation {
    std::function<void()> work; /* or: */
    Event *record = nullptr, *wait = nullptr;
    uint64_t version = 0;
};

struct Graph {
    std::vector<Operation> operations;
    bool broken = false; /* something failed while it was captured */
};

struct Stream {
    std::deque<Operation> queue;
    Graph *captured = nullptr; /* while it is captured */
    int device = 0;
};

static std::recursive_mutex api;
static std::vector<Stream *> streams;
static Random stream_random{(uint64_t)setting("CUDAEMU_SEED", 1)};
static std::map<char *, size_t> device_memory;
static size_t cublas_memory;
static long api_calls;

static thread_local cudaError_t last_error; /* what cudaGetLastError() says of this thread */
static thread_local int this_device = -1;   /* whose context is this thread's; -1: none yet */

/* Every error goes to the caller through here. */
static cudaError_t failed(cudaError_t error)
{
    if (error)
        last_error = error;
    return error;
}

/* Every call of the runtime begins here. */
static cudaError_t enter()
{
    static const long fails = setting("CUDAEMU_FAIL", 0);
    api_calls++;
    return failed(fails && api_calls >= fails ? cudaErrorLaunchFailure : cudaSuccess);
}

static const char *text_setting(const char *name)
{
    const char *text = getenv(name);
    return text ? text : "";
}

/* Whether captures fail at this point. */
static bool capture_fails(const char *point)
{
    return !strcmp(text_setting("CUDAEMU_FAIL_CAPTURE"), point);
}

/* CUDA's runtime takes device 0 where a thread has none. */
static int current_device()
{
    return this_device < 0 ? this_device = 0 : this_device;
}

/* Whether anything can be queued in a stream: an error, or cudaSuccess. */
static cudaError_t queueable(cudaStream_t stream)
{
    if (!stream)
        die("the default stream is not used here");
    if (stream->device != current_device())
        return failed(cudaErrorInvalidResourceHandle);
    if (stream->captured && stream->captured->broken)
        return failed(cudaErrorStreamCaptureInvalidated);
    return cudaSuccess;
}

/* The same for what may be captured; a capture may fail there. */
static cudaError_t capturable(cudaStream_t stream, const char *point)
{
    cudaError_t error = queueable(stream);
    if (error || !stream->captured || !capture_fails(point))
        return error;
    stream->captured->broken = true;
    return failed(cudaErrorStreamCaptureUnsupported);
}

#define ENTER()                                                                                                        \
    std::lock_guard<std::recursive_mutex> hold(api);                                                                   \
    if (cudaError_t entered = enter())                                                                                 \
    return entered

static bool runnable(const Stream *stream)
{
    if (stream->queue.empty())
        return false;
    const Operation &first = stream->queue.front();
    return !first.wait || first.wait->reached >= first.version;
}

/* What may not be done while a stream of this program is captured. */
static void check_not_captured(const char *what)
{
    for (Stream *stream : streams)
        if (stream->captured)
            die("%s while a stream is captured", what);
}

/* Run operations of any streams, in drawn order, until `enough`. */
template <class Enough> static void drain(Enough enough)
{
    while (!enough()) {
        std::vector<Stream *> able;
        for (Stream *stream : streams)
            if (runnable(stream))
                able.push_back(stream);
        if (able.empty())
            die("streams wait for each other, or for an event that nobody records");
        Stream *stream = able[stream_random.below((unsigned)able.size())];
        Operation operation = std::move(stream->queue.front());
        stream->queue.pop_front();
        if (operation.record)
            operation.record->reached = std::max(operation.record->reached, operation.version);
        else if (!operation.wait)
            operation.work();
    }
}

static void drain_all()
{
    drain([] {
        for (Stream *stream : streams)
            if (!stream->queue.empty())
                return false;
        return true;
    });
}

static void check_device(const void *p, size_t bytes, const char *what)
{
    auto after = device_memory.upper_bound((char *)p);
    if (after != device_memory.begin()) {
        --after;
        if ((char *)p + bytes <= after->first + after->second)
            return;
    }
    die("%s: %zu bytes at %p are not device memory", what, bytes, p);
}

void enqueue(cudaStream_t stream, std::function<void()> work)
{
    std::lock_guard<std::recursive_mutex> hold(api);
    Operation operation;
    operation.work = std::move(work);
    if (stream->captured)
        stream->captured->operations.push_back(std::move(operation));
    else
        stream->queue.push_back(std::move(operation));
}

void enqueue_launch(const char *name, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                    std::function<void()> body)
{
    std::lock_guard<std::recursive_mutex> hold(api);
    const char *fails = text_setting("CUDAEMU_FAIL_LAUNCH");
    if (enter() || capturable(stream, "launch"))
        return;
    if (*fails && strstr(name, fails)) {
        failed(cudaErrorInvalidValue);
        return;
    }
    uint64_t seed = stream_random.next();
    enqueue(stream, [=]() {
        Launch launch;
        launch.name = name;
        launch.grid = grid;
        launch.block = block;
        launch.shared = shared;
        launch.body = body;
        launch.seed = seed;
        run_grid(&launch);
    });
}

} // namespace cudaemu

using namespace cudaemu;

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
    default: return "invalid argument";
    }
}

cudaError_t cudaGetLastError()
{
    ENTER();
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    ENTER();
    *version = (int)setting("CUDAEMU_DRIVER", CUDART_VERSION);
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    ENTER();
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    ENTER();
    *count = 0;
    if (setting("CUDAEMU_DRIVER", CUDART_VERSION) < CUDART_VERSION)
        return failed(cudaErrorInsufficientDriver);
    *count = (int)setting("CUDAEMU_DEVICES", 1);
    return *count ? cudaSuccess : failed(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device)
{
    ENTER();
    if (device < 0 || device >= setting("CUDAEMU_DEVICES", 1))
        return failed(cudaErrorInvalidDevice);
    this_device = device;
    return cudaSuccess;
}

static CUresult get_context(CUcontext *context)
{
    *context = (CUcontext)(intptr_t)(this_device + 1);
    return 0;
}

static CUresult set_context(CUcontext context)
{
    this_device = (int)(intptr_t)context - 1;
    return 0;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult *result)
{
    ENTER();
    bool sets = !strcmp(name, "cuCtxSetCurrent");
    if (!sets && strcmp(name, "cuCtxGetCurrent"))
        die("%s is not emulated", name);
    *function = sets ? (void *)set_context : (void *)get_context;
    *result = cudaDriverEntryPointSuccess;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device)
{
    ENTER();
    if (device < 0 || device >= setting("CUDAEMU_DEVICES", 1))
        return failed(cudaErrorInvalidDevice);
    long sm = setting("CUDAEMU_SM", 80);
    memset(prop, 0, sizeof *prop);
    snprintf(prop->name, sizeof prop->name, "emulated GPU %d", device);
    prop->major = (int)(sm / 10);
    prop->minor = (int)(sm % 10);
    prop->multiProcessorCount = 4;
    prop->totalGlobalMem = (size_t)setting("CUDAEMU_MEMORY", 1L << 34);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    ENTER();
    size_t used = 0;
    for (auto &item : device_memory)
        used += item.second;
    *total = (size_t)setting("CUDAEMU_MEMORY", 1L << 34);
    used += cublas_memory;
    *left = (*total > used ? *total - used : 0) + (size_t)setting("CUDAEMU_PROMISE", 0);
    return cudaSuccess;
}

/* Device memory has red zones of its own where AddressSanitizer does not add them. */
cudaError_t cudaMalloc(void **p, size_t bytes)
{
    ENTER();
    check_not_captured("cudaMalloc");
    current_device();
    size_t total = bytes + cublas_memory;
    for (auto &item : device_memory)
        total += item.second;
    *p = nullptr;
    if (total > (size_t)setting("CUDAEMU_MEMORY", 1L << 34))
        return failed(cudaErrorMemoryAllocation);
    /* The end is exact, so that one byte too many shows. */
    char *block = (char *)aligned_alloc(256, (bytes + 256 + RED + 255) / 256 * 256);
    if (!block)
        return failed(cudaErrorMemoryAllocation);
    memset(block, 0xff, (bytes + 256 + RED + 255) / 256 * 256);
    poison(block, 256);
    poison(block + 256 + bytes, RED);
    device_memory[block + 256] = bytes;
    *p = block + 256;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    ENTER();
    if (!p)
        return cudaSuccess;
    drain_all();
    auto found = device_memory.find((char *)p);
    if (found == device_memory.end())
        die("cudaFree of what is not device memory");
    char *block = found->first - 256, *end = found->first + found->second;
    unpoison(block, 256);
    unpoison(end, RED);
    for (size_t i = 0; i < 256; i++)
        if ((unsigned char)block[i] != 0xff || (i < RED && (unsigned char)end[i] != 0xff))
            die("a write beside a piece of device memory of %zu bytes", found->second);
    device_memory.erase(found);
    free(block);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    ENTER();
    *p = malloc(bytes ? bytes : 1);
    if (*p)
        memset(*p, 0xff, bytes);
    return *p ? cudaSuccess : failed(cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void *p)
{
    ENTER();
    drain_all();
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    ENTER();
    if (cudaError_t error = capturable(stream, "within"))
        return error;
    if (!width || !height)
        return cudaSuccess;
    if (width > to_pitch || width > from_pitch)
        return failed(cudaErrorInvalidValue);
    if (kind != cudaMemcpyDeviceToHost)
        check_device(to, to_pitch * (height - 1) + width, "copy to");
    if (kind != cudaMemcpyHostToDevice)
        check_device(from, from_pitch * (height - 1) + width, "copy from");
    if (kind == cudaMemcpyDeviceToHost)
        for (size_t i = 0; i < height; i++)
            memset((char *)to + i * to_pitch, 0xff, width);
    enqueue(stream, [=]() {
        for (size_t i = 0; i < height; i++)
            memmove((char *)to + i * to_pitch, (const char *)from + i * from_pitch, width);
    });
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
    ENTER();
    if (cudaError_t error = capturable(stream, "within"))
        return error;
    check_device(p, bytes, "set");
    enqueue(stream, [=]() { memset(p, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    ENTER();
    *stream = new Stream;
    (*stream)->device = current_device();
    streams.push_back(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    ENTER();
    drain_all();
    streams.erase(std::find(streams.begin(), streams.end(), stream));
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    ENTER();
    if (stream->captured)
        die("cudaStreamSynchronize of a stream that is captured");
    drain([&] { return stream->queue.empty(); });
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    ENTER();
    if (cudaError_t error = queueable(stream))
        return error;
    if (stream->captured)
        die("cudaStreamWaitEvent in a stream that is captured: not emulated");
    Operation operation;
    operation.wait = event;
    operation.version = event->recorded; /* none yet: nothing to wait for, as in CUDA */
    stream->queue.push_back(operation);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    ENTER();
    *event = new Event;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    ENTER();
    drain_all();
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    ENTER();
    if (cudaError_t error = queueable(stream))
        return error;
    if (stream->captured)
        die("cudaEventRecord in a stream that is captured: not emulated");
    Operation operation;
    operation.record = event;
    operation.version = ++event->recorded;
    stream->queue.push_back(operation);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    ENTER();
    drain([&] { return event->reached >= event->recorded; });
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    ENTER();
    if (stream->captured)
        die("cudaStreamBeginCapture twice");
    if (cudaError_t error = queueable(stream))
        return error;
    if (capture_fails("begin"))
        return failed(cudaErrorStreamCaptureUnsupported);
    stream->captured = new Graph;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    ENTER();
    if (!stream->captured)
        die("cudaStreamEndCapture without a beginning");
    Graph *captured = stream->captured;
    stream->captured = nullptr;
    *graph = nullptr;
    if (captured->broken || capture_fails("end")) {
        delete captured;
        return failed(cudaErrorStreamCaptureInvalidated);
    }
    *graph = captured;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    ENTER();
    if (capture_fails("instantiate"))
        return failed(cudaErrorMemoryAllocation);
    *exec = new Graph(*graph);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    ENTER();
    if (cudaError_t error = queueable(stream))
        return error;
    for (const Operation &operation : exec->operations)
        enqueue(stream, operation.work);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    ENTER();
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    ENTER();
    drain_all();
    delete exec;
    return cudaSuccess;
}

/* ---- cuBLAS ---- */

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    *handle = new cublasContext{nullptr, CUBLAS_DEFAULT_MATH};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    handle->mode = mode;
    return CUBLAS_STATUS_SUCCESS;
}

/* cuBLAS takes its workspace when it first computes. */
static bool take_workspace()
{
    std::lock_guard<std::recursive_mutex> hold(api);
    size_t needs = (size_t)setting("CUDAEMU_CUBLAS_MEMORY", 0), total = needs;
    for (auto &item : device_memory)
        total += item.second;
    if (!cublas_memory && total <= (size_t)setting("CUDAEMU_MEMORY", 1L << 34))
        cublas_memory = needs;
    return cublas_memory == needs;
}

typedef void (*Sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);

static void plain_sgemm(int, int, int, int n, int m, int k, float, const float *b, int, const float *a, int, float,
                        float *c, int)
{
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            float sum = 0;
            for (int l = 0; l < k; l++)
                sum += b[(size_t)j * (size_t)k + (size_t)l] * a[(size_t)i * (size_t)k + (size_t)l];
            c[(size_t)j * (size_t)m + (size_t)i] = sum;
        }
}

static Sgemm find_sgemm()
{
    void *library = CUDAEMU_ASAN ? nullptr : dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    void *found = library ? dlsym(library, "cblas_sgemm") : nullptr;
    void *threads = library ? dlsym(library, "openblas_set_num_threads") : nullptr;
    if (!found || !threads)
        return plain_sgemm;
    ((void (*)(int))threads)(1);
    return (Sgemm)found;
}

/* A matrix, rows of k after the operation, as floats. */
static std::vector<float> gather(const void *x, cudaDataType_t type, bool rows_apart, int rows, int k, int ld)
{
    std::vector<float> out((size_t)rows * (size_t)k);
    for (int i = 0; i < rows; i++)
        for (int l = 0; l < k; l++) {
            size_t at = rows_apart ? (size_t)i * (size_t)ld + (size_t)l : (size_t)l * (size_t)ld + (size_t)i;
            out[(size_t)i * (size_t)k + (size_t)l] = type == CUDA_R_16F ? __half2float(((const __half *)x)[at])
                                                                        : ((const float *)x)[at];
        }
    return out;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                            const void *alpha, const void *a, cudaDataType_t a_type, int lda, const void *b,
                            cudaDataType_t b_type, int ldb, const void *beta, void *c, cudaDataType_t c_type, int ldc,
                            cublasComputeType_t, cublasGemmAlgo_t)
{
    bool at = ta == CUBLAS_OP_T, bt = tb == CUBLAS_OP_T;
    if (m < 1 || n < 1 || k < 1 || lda < (at ? k : m) || ldb < (bt ? n : k) || ldc < m || a_type != b_type)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!(handle->mode & CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION))
        die("cublasGemmEx may round sums to halfs");
    if (!take_workspace())
        return CUBLAS_STATUS_ALLOC_FAILED;
    if (queueable(handle->stream))
        return CUBLAS_STATUS_INVALID_VALUE;
    float al = *(const float *)alpha, be = *(const float *)beta;
    enqueue(handle->stream, [=]() {
        static const Sgemm sgemm = find_sgemm();
        std::vector<float> x = gather(a, a_type, at, m, k, lda), y = gather(b, b_type, !bt, n, k, ldb);
        std::vector<float> z((size_t)m * (size_t)n);
        /* row-major z[n][m] = y[n][k] x[m][k]^T */
        sgemm(101, 111, 112, n, m, k, 1.0f, y.data(), k, x.data(), k, 0.0f, z.data(), m);
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++) {
                size_t to = (size_t)j * (size_t)ldc + (size_t)i;
                float value = al * z[(size_t)j * (size_t)m + (size_t)i];
                if (c_type == CUDA_R_16F) {
                    __half *p = (__half *)c + to;
                    *p = __float2half(be != 0 ? value + be * __half2float(*p) : value);
                } else {
                    float *p = (float *)c + to;
                    *p = be != 0 ? value + be * *p : value;
                }
            }
    });
    return CUBLAS_STATUS_SUCCESS;
}
