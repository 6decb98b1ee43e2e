/* plugin.c - counts the instructions that a program under qemu-user executes, by function and by phase; a plugin of qemu's
 * (version 1 of its interface, docs/devel/tcg-plugins.rst there). Debian ships neither a ready one nor the interface's
 * header, so what is used of it is declared here.
 *
 * A phase begins where the program makes the system call 7777 (no system has it) with the phase's number. Counts are exact
 * for one thread: threads add without locks. Written for 64-bit ARM; nothing in it depends on that.
 *
 * usage: qemu-aarch64 -plugin libcount.so[,top=N] -d plugin PROGRAM     counts go to stderr */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- qemu's interface, as much as is used ---- */

typedef uint64_t qemu_plugin_id_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*called)(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                       uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
typedef void (*ended)(qemu_plugin_id_t id, void *user);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated call);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, called call);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, ended call, void *user);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *at,
                                              uint64_t add);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *insn);

#define SHOWN __attribute__((visibility("default")))
SHOWN int qemu_plugin_version = 1;
SHOWN int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

/* ---- counting ---- */

enum { MOST = 1 << 14, PHASES = 8, MARK = 7777 };

static struct counted {
    char name[96];
    uint64_t now, phases[PHASES]; /* now: of the phase that is under way */
} functions[MOST];
static size_t n_functions;
static int phase, top = 25;

static struct counted *function_of(const char *name)
{
    size_t hash = 5381;
    for (const char *p = name; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    for (size_t i = hash % MOST;; i = (i + 1) % MOST) {
        if (!*functions[i].name && n_functions + 1 < MOST) {
            snprintf(functions[i].name, sizeof functions[i].name, "%s", name);
            n_functions++;
            return &functions[i];
        }
        if (!*functions[i].name || strncmp(functions[i].name, name, sizeof functions[i].name - 1) == 0)
            return &functions[i];
    }
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const char *name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0));
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
                                             &function_of(name ? name : "(unnamed)")->now, qemu_plugin_tb_n_insns(tb));
}

static void end_phase(void)
{
    for (size_t i = 0; i < MOST; i++) {
        functions[i].phases[phase] += functions[i].now;
        functions[i].now = 0;
    }
}

static void call(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                 uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)vcpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == MARK && a1 < PHASES) {
        end_phase();
        phase = (int)a1;
    }
}

static int sorted_phase;
static int more(const void *a, const void *b)
{
    uint64_t x = (*(struct counted *const *)a)->phases[sorted_phase],
             y = (*(struct counted *const *)b)->phases[sorted_phase];
    return (x < y) - (x > y);
}

static void end(qemu_plugin_id_t id, void *user)
{
    static struct counted *list[MOST];
    (void)id, (void)user;
    end_phase();
    for (size_t i = 0; i < MOST; i++)
        list[i] = &functions[i];
    for (sorted_phase = 0; sorted_phase < PHASES; sorted_phase++) {
        uint64_t all = 0;
        for (size_t i = 0; i < MOST; i++)
            all += functions[i].phases[sorted_phase];
        if (!all)
            continue;
        fprintf(stderr, "count: phase %d: %" PRIu64 " instructions\n", sorted_phase, all);
        qsort(list, MOST, sizeof list[0], more);
        for (int i = 0; i < top && list[i]->phases[sorted_phase] * 200 > all; i++)
            fprintf(stderr, "count: %6.1f%% %15" PRIu64 " %s\n",
                    100.0 * (double)list[i]->phases[sorted_phase] / (double)all, list[i]->phases[sorted_phase],
                    list[i]->name);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "top=", 4) == 0)
            top = atoi(argv[i] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_vcpu_syscall_cb(id, call);
    qemu_plugin_register_atexit_cb(id, end, NULL);
    return 0;
}
