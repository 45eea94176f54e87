/* Lets one file operation of a process go wrong, to see what becomes of what it was writing. Linux only; for tests.
 *
 * Loaded with LD_PRELOAD. Every system call that changes or flushes a file is trapped by the kernel (seccomp) and comes back
 * here as a signal, whoever makes it: libc, a Rust crate that calls the kernel by itself, a library of C. Those below
 * FAULTS_ROOT are counted from 1, and number FAULTS_AT meets FAULTS_HOW:
 *
 *   eio    it fails with EIO, once
 *   full   it fails with ENOSPC, and so does everything from then on that would need room
 *   short  a write writes half of its bytes; from then on as `full`
 *   torn   a write writes half of its bytes, and the process is killed
 *   kill   the process is killed before it
 *
 * With FAULTS_LOG, each counted operation is a line of that file: its number, name and path.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

/* The one place whose system calls are let through: the filter knows the address behind its instruction. */
long untrapped(long number, long a, long b, long c, long d, long e, long f);
extern const char untrapped_end[];

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
__asm__(".text\n.globl untrapped\n.type untrapped,@function\nuntrapped:\n"
        "mov %rdi,%rax\nmov %rsi,%rdi\nmov %rdx,%rsi\nmov %rcx,%rdx\nmov %r8,%r10\nmov %r9,%r8\nmov 8(%rsp),%r9\n"
        "syscall\n.globl untrapped_end\nuntrapped_end:\nret\n");
#define ARGUMENT(context, i) ((long)(context)->uc_mcontext.gregs[(int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9}[i]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
__asm__(".text\n.globl untrapped\n.type untrapped,@function\nuntrapped:\n"
        "mov x8,x0\nmov x0,x1\nmov x1,x2\nmov x2,x3\nmov x3,x4\nmov x4,x5\nmov x5,x6\n"
        "svc #0\n.globl untrapped_end\nuntrapped_end:\nret\n");
#define ARGUMENT(context, i) ((long)(context)->uc_mcontext.regs[i])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#else
#error "only x86_64 and aarch64"
#endif

enum what { OPEN, WRITE, FLUSH, NAME, REMOVE, SIZE, MAP };

/* A trapped call: where its path or descriptor stands. `dir` is the argument with the folder's descriptor, -1 for none;
 * `path` that with the path, or -1 where the file is the descriptor in `dir`. */
static const struct call {
    int number;
    enum what what;
    const char *name;
    int dir, path;
} calls[] = {
#ifdef SYS_open
    {SYS_open, OPEN, "open", -1, 0},
    {SYS_creat, OPEN, "creat", -1, 0},
    {SYS_rename, NAME, "rename", -1, 1},
    {SYS_mkdir, NAME, "mkdir", -1, 0},
    {SYS_rmdir, REMOVE, "rmdir", -1, 0},
    {SYS_unlink, REMOVE, "unlink", -1, 0},
    {SYS_link, NAME, "link", -1, 1},
    {SYS_symlink, NAME, "symlink", -1, 1},
#endif
    {SYS_openat, OPEN, "openat", 0, 1},
    {SYS_write, WRITE, "write", 0, -1},
    {SYS_pwrite64, WRITE, "pwrite", 0, -1},
    {SYS_writev, WRITE, "writev", 0, -1},
    {SYS_pwritev, WRITE, "pwritev", 0, -1},
    {SYS_copy_file_range, WRITE, "copy_file_range", 2, -1},
    {SYS_sendfile, WRITE, "sendfile", 0, -1},
    {SYS_fsync, FLUSH, "fsync", 0, -1},
    {SYS_fdatasync, FLUSH, "fdatasync", 0, -1},
    {SYS_sync_file_range, FLUSH, "sync_file_range", 0, -1},
#ifdef SYS_renameat
    {SYS_renameat, NAME, "renameat", 2, 3},
#endif
    {SYS_renameat2, NAME, "renameat2", 2, 3},
    {SYS_mkdirat, NAME, "mkdirat", 0, 1},
    {SYS_unlinkat, REMOVE, "unlinkat", 0, 1},
    {SYS_linkat, NAME, "linkat", 2, 3},
    {SYS_symlinkat, NAME, "symlinkat", 1, 2},
    {SYS_truncate, SIZE, "truncate", -1, 0},
    {SYS_ftruncate, SIZE, "ftruncate", 0, -1},
    {SYS_fallocate, SIZE, "fallocate", 0, -1},
    {SYS_mmap, MAP, "mmap", 4, -1},
};
enum { CALLS = sizeof calls / sizeof *calls };

static char root[PATH_MAX];
static size_t root_length;
static long fault_at;
static char how;
static int log_file = -1;
static atomic_long counted;
static atomic_int disk_is_full;

/* The path of an operation, whole; empty when it has none. */
static void path_of(const struct call *call, ucontext_t *context, char *path, size_t size) {
    const char *name = call->path < 0 ? NULL : (const char *)ARGUMENT(context, call->path);
    path[0] = 0;
    if (name && name[0] == '/') {
        snprintf(path, size, "%s", name);
        return;
    }
    int descriptor = call->dir < 0 ? AT_FDCWD : (int)ARGUMENT(context, call->dir);
    char link[64];
    if (descriptor == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    long length = untrapped(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, (long)size - 1, 0, 0);
    path[length < 0 ? 0 : length] = 0;
    if (length > 0 && name)
        snprintf(path + length, size - (size_t)length, "/%s", name);
}

/* Whether the operation changes something at all. */
static int changes(const struct call *call, ucontext_t *context) {
    switch (call->what) {
    case OPEN:
        return call->number != SYS_openat || (ARGUMENT(context, 2) & (O_CREAT | O_TRUNC));
    case MAP:
        return (ARGUMENT(context, 2) & PROT_WRITE) && (ARGUMENT(context, 3) & MAP_SHARED);
    default:
        return 1;
    }
}

static long through(const struct call *call, ucontext_t *context) {
    return untrapped(call->number, ARGUMENT(context, 0), ARGUMENT(context, 1), ARGUMENT(context, 2), ARGUMENT(context, 3),
                     ARGUMENT(context, 4), ARGUMENT(context, 5));
}

/* Half of what a write would write, at least one byte less than all. */
static long half(const struct call *call, ucontext_t *context) {
    long size = ARGUMENT(context, 2);
    switch (call->number) {
    case SYS_write:
        return untrapped(SYS_write, ARGUMENT(context, 0), ARGUMENT(context, 1), size / 2, 0, 0, 0);
    case SYS_pwrite64:
        return untrapped(SYS_pwrite64, ARGUMENT(context, 0), ARGUMENT(context, 1), size / 2, ARGUMENT(context, 3), 0, 0);
    case SYS_writev: {
        const struct iovec *part = (const struct iovec *)ARGUMENT(context, 1);
        return untrapped(SYS_write, ARGUMENT(context, 0), (long)part->iov_base, (long)part->iov_len / 2, 0, 0, 0);
    }
    default:
        return -ENOSPC;
    }
}

static long answer(const struct call *call, ucontext_t *context) {
    char path[PATH_MAX + NAME_MAX];
    if (!changes(call, context))
        return through(call, context);
    path_of(call, context, path, sizeof path);
    if (strncmp(path, root, root_length) != 0 || (path[root_length] && path[root_length] != '/'))
        return through(call, context);
    long number = atomic_fetch_add(&counted, 1) + 1;
    if (log_file >= 0) {
        char line[PATH_MAX + NAME_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call->name, path + root_length);
        untrapped(SYS_write, log_file, (long)line, length, 0, 0, 0);
    }
    int needs_room = call->what != REMOVE;
    if (atomic_load(&disk_is_full))
        return needs_room ? -ENOSPC : through(call, context);
    if (number != fault_at)
        return through(call, context);
    long result;
    switch (how) {
    case 'e':
        return -EIO;
    case 'f':
        atomic_store(&disk_is_full, 1);
        return needs_room ? -ENOSPC : through(call, context);
    case 's':
        atomic_store(&disk_is_full, 1);
        result = call->what == WRITE ? half(call, context) : -ENOSPC;
        return result == 0 ? -ENOSPC : result;
    case 't':
        if (call->what == WRITE)
            half(call, context);
        break;
    default:
        break;
    }
    untrapped(SYS_kill, untrapped(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
    for (;;) {
    }
}

static void on_trap(int signal, siginfo_t *info, void *raw) {
    (void)signal;
    ucontext_t *context = raw;
    int before = errno;
    for (int i = 0; i < CALLS; i++)
        if (calls[i].number == info->si_syscall) {
            RESULT(context) = answer(&calls[i], context);
            errno = before;
            return;
        }
    RESULT(context) = -ENOSYS;
}

static void fail(const char *what) {
    fprintf(stderr, "faults: cannot %s: %s\n", what, strerror(errno));
    _exit(70);
}

static void trap_calls(void) {
    struct sock_filter filter[CALLS + 11];
    int n = 0;
    uint64_t end = (uint64_t)(uintptr_t)untrapped_end;
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (field))
#define POINTER offsetof(struct seccomp_data, instruction_pointer)
    filter[n++] = (struct sock_filter)LOAD(offsetof(struct seccomp_data, arch));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)LOAD(POINTER);
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)end, 0, 3);
    filter[n++] = (struct sock_filter)LOAD(POINTER + 4);
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(end >> 32), 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr));
    for (int i = 0; i < CALLS; i++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, (uint8_t)(CALLS - i), 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {(unsigned short)n, filter};
    struct sigaction action = {0};
    action.sa_sigaction = on_trap;
    /* Not deferred: a signal handler of somebody else's may write, too. */
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    if (sigaction(SIGSYS, &action, NULL) != 0)
        fail("handle SIGSYS");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        fail("install the filter");
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULTS_ROOT"), *at = getenv("FAULTS_AT"), *fault = getenv("FAULTS_HOW");
    const char *log_path = getenv("FAULTS_LOG");
    if (!folder)
        return;
    snprintf(root, sizeof root, "%s", folder);
    root_length = strlen(root);
    fault_at = at ? atol(at) : 0;
    how = fault ? fault[0] : 'k';
    if (log_path && (log_file = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        fail("open the log");
    trap_calls();
}
