/*
 * seccomp denies what is known to be of no use for mail and of much use for an intruder,
 * and allows the rest: a list of what is allowed would stop the mail on the day when libc
 * begins to use a new call, on a machine that nobody watches. A call that is denied fails
 * with EPERM and kills nobody.
 */

#include "base/sandbox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/proc.h"

/* Of the second version of Landlock; the first cannot move files between directories. */
#define ABI_NEEDED 2
#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                      \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)
#define NEVER_RIGHTS                                                   \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |  \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |  \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

struct sandbox {
	int ruleset;                /* -1: no Landlock */
	struct sock_filter *filter; /* NULL: no seccomp */
	unsigned short filter_count;
};

static const int denied[] = {
/* other programs and processes */
#ifndef KEEP_DUMPABLE /* the leak sanitizer traces its own process */
	SCMP_SYS(ptrace),
#endif
	SCMP_SYS(execveat),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(kcmp),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(perf_event_open),
	/* who and where we are */
	SCMP_SYS(setuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setreuid),
	SCMP_SYS(setregid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),
	SCMP_SYS(setgroups),
	SCMP_SYS(setfsuid),
	SCMP_SYS(setfsgid),
	SCMP_SYS(capset),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(chroot),
	SCMP_SYS(pivot_root),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsmount),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(name_to_handle_at),
	SCMP_SYS(chown),
	SCMP_SYS(lchown),
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(setxattr),
	SCMP_SYS(lsetxattr),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	/* the kernel and the machine */
	SCMP_SYS(bpf),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(syslog),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(personality),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(vhangup),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(mbind),
	SCMP_SYS(move_pages),
	SCMP_SYS(migrate_pages),
	SCMP_SYS(set_mempolicy),
};

/* The only kinds of socket that anything here speaks. */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

static int deny_family(scmp_filter_ctx ctx, enum scmp_compare how, int family) {
	const struct scmp_arg_cmp first = { 0, how, (scmp_datum_t)family, 0 };
	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
				      1, &first);
}

static bool is_allowed(int family, unsigned uses) {
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		if (families[i] == family)
			return family == AF_UNIX || (uses & SANDBOX_CONNECT);
	return false;
}

static int deny_families(scmp_filter_ctx ctx, unsigned uses) {
	int highest = families[0];
	for (size_t i = 1; i < sizeof(families) / sizeof(*families); i++)
		highest = families[i] > highest ? families[i] : highest;
	int r = deny_family(ctx, SCMP_CMP_GT, highest);
	for (int family = 0; family <= highest && r == 0; family++)
		if (!is_allowed(family, uses))
			r = deny_family(ctx, SCMP_CMP_EQ, family);
	return r;
}

static int write_rules(scmp_filter_ctx ctx, unsigned uses, bool becomes) {
	/* Programs of another architecture's calls are none of ours. */
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	/* A tree instead of a list: the kernel runs it for every call's number when a process
	 * enters, which costs more than all the rest. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0 && !becomes)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(execve), 0);
	for (size_t i = 0; i < sizeof(denied) / sizeof(*denied) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	return r == 0 ? deny_families(ctx, uses) : r;
}

/* Takes the finished program out of the library, so that a child needs only load it. */
static int export_filter(scmp_filter_ctx ctx, struct sandbox *s) {
	AUTO_FD int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	if (fd < 0 || seccomp_export_bpf(ctx, fd) != 0 || fstat(fd, &st) != 0)
		return -1;
	size_t bytes = (size_t)st.st_size;
	s->filter = malloc(bytes);
	if (!s->filter || bytes / sizeof(*s->filter) > BPF_MAXINSNS ||
	    pread(fd, s->filter, bytes, 0) != st.st_size)
		return -1;
	s->filter_count = (unsigned short)(bytes / sizeof(*s->filter));
	return 0;
}

static int make_filter(struct sandbox *s, unsigned uses, bool becomes, struct err *err) {
	scmp_filter_ctx ctx;
	/* Asked with no program at all: EFAULT says that the call is there. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == 0 ||
	    errno != EFAULT)
		return 0;
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (!ctx)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = write_rules(ctx, uses, becomes) == 0 ? export_filter(ctx, s) : -1;
	seccomp_release(ctx);
	malloc_trim(0); /* the library needed much more than the program that is left */
	return r == 0 ? 0 : err_set(err, ERR_SYSTEM, "the seccomp filter cannot be made");
}

static int allow_below(int ruleset, const char *dir, uint64_t rights, struct err *err) {
	AUTO_FD int fd = open(dir, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .allowed_access = rights,
						   .parent_fd = fd };
	if (fd < 0)
		return err_sys(err, "%s", dir);
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
		    0) != 0)
		return err_sys(err, "Landlock, %s", dir);
	return 0;
}

/* The loader that the program names, which the kernel executes with it; "": it needs none. */
static int find_loader(const char *program, char *ret, size_t size, struct err *err) {
	AUTO_FD int fd = open(program, O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) head;
	ElfW(Phdr) part;
	*ret = '\0';
	if (fd < 0)
		return err_sys(err, "%s", program);
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + (size_t)i * head.e_phentsize);
		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			break;
		if (part.p_type != PT_INTERP || part.p_filesz >= size)
			continue;
		ssize_t n = pread(fd, ret, part.p_filesz, (off_t)part.p_offset);
		ret[n > 0 ? n : 0] = '\0';
		break;
	}
	return 0;
}

/* A rule for a file would hold for this inode, and end with the next update. */
static int allow_beside(int ruleset, const char *file, struct err *err) {
	char path[PATH_MAX];
	if (!realpath(file, path))
		return err_sys(err, "%s", file);
	return allow_below(ruleset, dirname(path), LANDLOCK_ACCESS_FS_EXECUTE, err);
}

static int allow_program(int ruleset, const char *program, struct err *err) {
	char loader[PATH_MAX];
	if (find_loader(program, loader, sizeof(loader), err) != 0 ||
	    allow_beside(ruleset, program, err) != 0)
		return -1;
	return *loader ? allow_beside(ruleset, loader, err) : 0;
}

static int make_ruleset(struct sandbox *s, const char *const writable[], size_t count,
			const char *program, struct err *err) {
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { .handled_access_fs = READ_RIGHTS |
								   WRITE_RIGHTS |
								   NEVER_RIGHTS };
#ifdef KEEP_DUMPABLE /* the sanitizers write their findings where they are told to */
	abi = 0;
#endif
	if (abi < ABI_NEEDED)
		return 0;
	s->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (s->ruleset < 0)
		return err_sys(err, "Landlock");
	for (size_t i = 0; i < count; i++)
		if (allow_below(s->ruleset, writable[i], READ_RIGHTS | WRITE_RIGHTS,
				err) != 0)
			return -1;
	if (allow_below(s->ruleset, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE, err) != 0)
		return -1;
	if (program && allow_program(s->ruleset, program, err) != 0)
		return -1;
	return allow_below(s->ruleset, "/", READ_RIGHTS, err);
}

struct sandbox *sandbox_new(const char *const writable[], size_t count, unsigned uses,
			    const char *program, struct err *err) {
	struct sandbox *s = calloc(1, sizeof(*s));
	if (!s) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	s->ruleset = -1;
	if (make_ruleset(s, writable, count, program, err) == 0 &&
	    make_filter(s, uses, program != NULL, err) == 0)
		return s;
	sandbox_free(s);
	return NULL;
}

void sandbox_free(struct sandbox *s) {
	if (!s)
		return;
	if (s->ruleset >= 0)
		close(s->ruleset);
	free(s->filter);
	free(s);
}

int sandbox_enter(const struct sandbox *s, struct err *err) {
	struct sock_fprog program = { .len = s->filter_count, .filter = s->filter };
	proc_harden();
	if (s->ruleset >= 0 && syscall(SYS_landlock_restrict_self, s->ruleset, 0) != 0)
		return err_sys(err, "Landlock");
	if (s->filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		return err_sys(err, "seccomp");
	return 0;
}

const char *sandbox_words(const struct sandbox *s) {
	if (s->ruleset >= 0)
		return s->filter ? "Landlock and seccomp" : "Landlock";
	return s->filter ? "seccomp" : "nothing: this kernel has neither";
}
