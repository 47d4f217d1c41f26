/*
 * reaper [--pty COLSxROWS] [--cwd DIR] [--] PROGRAM [ARGS...]
 *
 * Starts one tool in a session of its own and stays until no process that came from it remains. Node, PID 1 of the sandbox, reaps
 * only the children it knows, so this subreaper adopts what the tool leaves behind.
 *
 * fd 0..2  the tool's stdio; with --pty fd 0 and 1 are relayed from and to a new terminal instead.
 * fd 3     status, one JSON line each: {"pid":N}, then {"exit":N} or {"signal":N} at once when the tool ends, and {"drained":true}
 *          before the reaper leaves; {"error":"ENOENT","stage":"exec|chdir|fork|pty"} when the tool could not start.
 * fd 4     control, one line each: term, kill, signal N, resize COLS ROWS. Its end means kill.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STATUS = 3, CONTROL = 4, MAX_PID = 4194304, MAX_PROCESSES = 32768, FREEZE_PASSES = 64, RELAY_PASSES = 64 };
enum { FIRST_ROUND_MS = 5, LAST_ROUND_MS = 1000, FLUSH_MS = 1000 };

struct buffer { char data[16384]; ssize_t start, end; };
struct failure { char stage[8]; int error; };
static struct buffer input, output;
static bool input_ended, output_ended;
static int master = -1;
static pid_t tool;

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sends a signal to each descendant that has not had it in this call; returns to how many. A process with a signal pending cannot
 * fork any more, so after SIGSTOP the set stands still as soon as a pass finds nobody new. */
static unsigned char descendant[MAX_PID / 8], signalled[MAX_PID / 8];
static bool has(const unsigned char *set, pid_t pid) { return set[pid / 8] & 1 << pid % 8; }
static void add(unsigned char *set, pid_t pid) { set[pid / 8] |= 1 << pid % 8; }

static int signal_new_descendants(int number) {
  static struct { pid_t pid, parent; } table[MAX_PROCESSES];
  int count = 0, sent = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && count < MAX_PROCESSES && (entry = readdir(proc));) {
    char path[64], text[512];
    pid_t pid = atoi(entry->d_name);
    if (pid <= 0 || pid >= MAX_PID) continue;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (length <= 0) continue;
    text[length] = 0;
    char *name_end = strrchr(text, ')'); /* The name is free text: only what follows its last bracket can be trusted. */
    pid_t parent;
    if (!name_end || sscanf(name_end + 1, " %*c %d", &parent) != 1 || parent < 0 || parent >= MAX_PID) continue;
    table[count].pid = pid;
    table[count++].parent = parent;
  }
  if (proc) closedir(proc);
  memset(descendant, 0, sizeof descendant);
  add(descendant, getpid());
  for (bool grown = true; grown;) {
    grown = false;
    for (int i = 0; i < count; i++) {
      if (has(descendant, table[i].pid) || !has(descendant, table[i].parent)) continue;
      add(descendant, table[i].pid);
      grown = true;
      if (has(signalled, table[i].pid)) continue;
      add(signalled, table[i].pid);
      if (kill(table[i].pid, number) == 0) sent++;
    }
  }
  return sent;
}

static void signal_descendants(int number, int passes) {
  memset(signalled, 0, sizeof signalled);
  while (passes-- > 0 && signal_new_descendants(number) > 0);
}

static void obey(const char *line, bool *killing) {
  int first;
  struct winsize size = {0};
  if (!strcmp(line, "term")) signal_descendants(SIGTERM, 1);
  if (!strcmp(line, "kill")) *killing = true;
  if (sscanf(line, "signal %d", &first) == 1 && first > 0 && first < NSIG) {
    pid_t group = master < 0 ? tool : tcgetpgrp(master);
    if (group > 1) kill(-group, first);
  }
  if (sscanf(line, "resize %hu %hu", &size.ws_col, &size.ws_row) == 2 && master >= 0) ioctl(master, TIOCSWINSZ, &size);
}

/* Reads the control lines that have come; false when there will be no more. */
static bool read_control(bool *killing) {
  static char line[128];
  static size_t length;
  char byte;
  ssize_t got;
  while ((got = read(CONTROL, &byte, 1)) == 1) {
    if (byte != '\n') {
      if (length < sizeof line - 1) line[length++] = byte;
      continue;
    }
    line[length] = 0;
    length = 0;
    obey(line, killing);
  }
  return got < 0 && errno == EAGAIN;
}

/* Writes what a buffer holds; false while some is left. What nobody can read any more is dropped. */
static bool flush(struct buffer *from, int to, bool *ended) {
  while (!*ended && from->start < from->end) {
    ssize_t put = write(to, from->data + from->start, from->end - from->start);
    if (put > 0) from->start += put;
    else if (put < 0 && errno == EAGAIN) return false;
    else *ended = true;
  }
  from->start = from->end = 0;
  return true;
}

/* Moves what can be moved between fd 0, the terminal and fd 1; true when all that was written to the terminal has left. */
static bool relay(void) {
  bool terminal_gone = false;
  if (master < 0) return true;
  if (flush(&input, master, &terminal_gone) && !input_ended) {
    input.end = read(0, input.data, sizeof input.data);
    if (input.end == 0 || (input.end < 0 && errno != EAGAIN)) input_ended = true;
    if (input.end < 0) input.end = 0;
    flush(&input, master, &terminal_gone);
  }
  for (int pass = 0; pass < RELAY_PASSES; pass++) {
    if (!flush(&output, 1, &output_ended)) return false;
    output.end = read(master, output.data, sizeof output.data);
    if (output.end <= 0) return output.end = 0, true;
  }
  return false;
}

static void run_tool(char **argv, const char *cwd, int slave, int report) {
  struct failure failure = {"pty", 0};
  sigset_t none;
  sigemptyset(&none);
  for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
  setsid();
  /* A tool whose reaper was killed could be stopped by nobody, so it goes with it. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int adjust = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (adjust >= 0 && write(adjust, "1000", 4) == 4) close(adjust);
  if (slave >= 0 && (ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0)) goto failed;
  strcpy(failure.stage, "chdir");
  if (cwd && chdir(cwd) < 0) goto failed;
  strcpy(failure.stage, "exec");
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvp(argv[0], argv);
failed:
  failure.error = errno;
  if (write(report, &failure, sizeof failure) < 0) _exit(126);
  _exit(127);
}

static int start(char **argv, const char *cwd, const struct winsize *size) {
  struct failure failure = {"pty", 0};
  int report[2], slave = -1;
  if (size) {
    master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master < 0 || unlockpt(master) < 0 || ioctl(master, TIOCSWINSZ, size) < 0) goto failed;
    /* It stays open here, so that the terminal never hangs up while a descendant may still open it. */
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) goto failed;
  }
  strcpy(failure.stage, "fork");
  if (pipe2(report, O_CLOEXEC) < 0 || (tool = fork()) < 0) goto failed;
  if (tool == 0) run_tool(argv, cwd, slave, report[1]);
  close(report[1]);
  if (read(report[0], &failure, sizeof failure) == sizeof failure) {
    waitpid(tool, NULL, 0);
    errno = failure.error;
    goto failed;
  }
  close(report[0]);
  dprintf(STATUS, "{\"pid\":%d}\n", tool);
  return 0;
failed:
  dprintf(STATUS, "{\"error\":\"%s\",\"stage\":\"%s\"}\n{\"drained\":true}\n", strerrorname_np(errno), failure.stage);
  return -1;
}

/* Reaps all that ended; false when no child remains. */
static bool reap(int *status, bool *ended) {
  pid_t pid;
  int how;
  while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
    if (pid != tool) continue;
    *status = how;
    *ended = true;
  }
  return pid == 0;
}

static void run(int signals) {
  bool ended = false, reported = false, killing = false, control_open = true;
  long round_at = 0, round_ms = FIRST_ROUND_MS, flushed_by = 0;
  int status = 0;
  for (;;) {
    /* What is read first was there before what is read next: a relay that finds nothing after the tool was reaped had it all. */
    bool children = reap(&status, &ended);
    bool flushed = relay();
    bool due = !children || (ended && !reported);
    if (due && !flushed_by) flushed_by = now_ms() + FLUSH_MS;
    if (due && (flushed || now_ms() >= flushed_by)) {
      if (!reported && WIFEXITED(status)) dprintf(STATUS, "{\"exit\":%d}\n", WEXITSTATUS(status));
      else if (!reported) dprintf(STATUS, "{\"signal\":%d}\n", WTERMSIG(status));
      reported = true;
      flushed_by = 0;
      if (!children) break;
    }
    if (killing && now_ms() >= round_at) {
      signal_descendants(SIGSTOP, FREEZE_PASSES);
      signal_descendants(SIGKILL, 1);
      round_at = now_ms() + round_ms;
      round_ms = round_ms * 2 < LAST_ROUND_MS ? round_ms * 2 : LAST_ROUND_MS;
    }
    struct pollfd wait_for[] = {
      {signals, POLLIN, 0},
      {control_open ? CONTROL : -1, POLLIN, 0},
      {master >= 0 && !input_ended && input.end == 0 ? 0 : -1, POLLIN, 0},
      {input.end > 0 || (master >= 0 && output.end == 0) ? master : -1,
       (short)((input.end > 0 ? POLLOUT : 0) | (output.end == 0 ? POLLIN : 0)), 0},
      {output.end > 0 ? 1 : -1, POLLOUT, 0},
    };
    long until = flushed_by && killing ? (flushed_by < round_at ? flushed_by : round_at) : flushed_by ? flushed_by : round_at;
    long timeout = until - now_ms();
    poll(wait_for, 5, !flushed_by && !killing ? -1 : timeout < 0 ? 0 : (int)timeout);
    struct signalfd_siginfo seen[16];
    while (read(signals, seen, sizeof seen) > 0);
    if (control_open && wait_for[1].revents && !read_control(&killing)) {
      control_open = false;
      killing = true;
    }
  }
  dprintf(STATUS, "{\"drained\":true}\n");
}

int main(int argc, char **argv) {
  const char *cwd = NULL;
  struct winsize size = {0};
  bool terminal = false;
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; i++) {
    if (!strcmp(argv[i], "--") && ++i) break;
    if (!strcmp(argv[i], "--cwd") && i + 1 < argc) cwd = argv[++i];
    else if (!strcmp(argv[i], "--pty") && i + 1 < argc && sscanf(argv[++i], "%hux%hu", &size.ws_col, &size.ws_row) == 2) terminal = true;
    else i = argc;
  }
  if (i >= argc) return dprintf(2, "usage: reaper [--pty COLSxROWS] [--cwd DIR] [--] PROGRAM [ARGS...]\n"), 2;
  /* Blocked instead of ignored, so that no handler is needed; only SIGKILL and SIGSTOP come through. */
  sigset_t all, child;
  sigfillset(&all);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &all, NULL);
  int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  fcntl(STATUS, F_SETFD, FD_CLOEXEC);
  fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
  fcntl(CONTROL, F_SETFL, O_NONBLOCK);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (start(argv + i, cwd, terminal ? &size : NULL) < 0) return 0;
  /* Whoever reads the tool's output waits for its end, so no copy of it may stay open here. */
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; !terminal && fd < 3; fd++) dup2(nothing, fd);
  for (int fd = 0; terminal && fd < 2; fd++) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  run(signals);
  return 0;
}
