#ifndef NIGHTMAIL_BASE_PROC_H
#define NIGHTMAIL_BASE_PROC_H

/* Processes: start-up hygiene, children, framed messages over socketpairs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* First call of every main(): opens /dev/null on closed descriptors 0-2, sets SIGPIPE and
 * SIGXFSZ to be ignored and SIGCHLD to default, umask 077. */
void proc_start(void);
/* Closes every descriptor >= from (close_range). */
void proc_close_from(int from);
/* Makes the process non-dumpable, sets no_new_privs and a core limit of 0. */
void proc_harden(void);
/* Ends this process when its parent dies; `parent` is the parent's pid as the parent saw it
 * before fork (exits at once when it is already gone). */
void proc_die_with(pid_t parent, int signo);

/* Finds a helper program: in the directory of the running program when it stands there,
 * else in the compiled-in libexec directory. Writes the path; -1 when neither exists. */
int proc_helper(const char *name, struct buf *ret_path, struct err *err);

/* The same for a program that people call themselves: it may also be where those are installed. */
int proc_program(const char *name, struct buf *ret_path, struct err *err);

/*
 * Forks and executes argv[0] (a path, never searched), with stdin from /dev/null, stdout
 * and stderr inherited, and descriptor `channel` (>= 0) as descriptor 3. All signals
 * reset, all other descriptors closed. The child gets SIGTERM when we die, and not the
 * variables LISTEN_* and NOTIFY_SOCKET. Returns the pid, or -1 also when the program
 * cannot be executed.
 */
pid_t proc_spawn(const char *const argv[], int channel, struct err *err);
/* The same without a channel, its stdout being `output`. */
pid_t proc_spawn_to(const char *const argv[], int output, struct err *err);

/* Runs argv[0] (searched in PATH when it has no slash) with a time limit and gives its
 * stdout (at most out->max bytes, more is an error): 0 when it exits with 0. The environment
 * is reduced to PATH, HOME, LANG, USER. Room for out->max bytes is made at the start, so
 * growing leaves no copy of a secret behind. The time limit and an error end the command
 * and its process group with SIGKILL. */
int proc_capture(const char *const argv[], int64_t timeout_ms, struct buf *out,
		 struct err *err);

/* A pair of connected SOCK_SEQPACKET sockets, close-on-exec, non-blocking: one send is one
 * frame of at most PROC_FRAME_MAX bytes. */
#define PROC_FRAME_MAX 65536
int proc_channel(int ret_fds[2], struct err *err);
/* Sends one frame, with descriptor pass_fd when >= 0. -1 with errno (EAGAIN: peer is slow;
 * EPIPE: it is gone). */
int proc_send(int fd, struct span frame, int pass_fd);
/* Receives one frame into out (replaced). Returns 1, 0 at the end (peer closed), or -1 with
 * errno (EAGAIN: nothing there). *ret_fd (may be NULL) is a passed descriptor or -1. */
int proc_recv(int fd, struct buf *out, int *ret_fd);

/* "killed by signal 11 (SEGV)", "exit status 1": the words for a wait status. */
int proc_status_words(int status, struct buf *out);

#endif
