/*
 * reaper [--pty COLSxROWS] [--cwd DIR] [--] PROGRAM [ARGS...]
 *
 * Starts one tool in a session of its own and stays until no process that came from it remains. Node, PID 1 of the sandbox, reaps
 * only the children it knows, so this subreaper adopts what the tool leaves behind.
 *
 * fd 0..2  the tool's stdio; with --pty fd 0 and 1 are relayed from and to a new terminal instead.
 * fd 3     status, one JSON line each: {"pid":N}, then {"exit":N} or {"signal":N} at once when the tool ends, and {"drained":true}
 *          before the reaper leaves; {"error":"ENOENT","stage":"exec|chdir|fork|pty"} when the tool could not start; {"done":N} when
 *          the order N is carried out.
 * fd 4     control, one line each: term, kill, signal N, resize COLS ROWS, mark N, sweep N. Its end means kill.
 *          mark remembers who lives, and ends a sweep; sweep ends all others but the tool, and is done when they are gone; signal
 *          goes to the tool's process group, but not to those who are marked.
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
static bool killing;
static int sweep; /* The order that is being carried out, 0 for none. */
static long round_at, round_ms;

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static unsigned char descendant[MAX_PID / 8], signalled[MAX_PID / 8], marked[MAX_PID / 8];
static pid_t highest; /* No set has a higher one, so what lies above needs no clearing and takes no memory. */
static bool has(const unsigned char *set, pid_t pid) { return set[pid / 8] & 1 << pid % 8; }
static void add(unsigned char *set, pid_t pid) { set[pid / 8] |= 1 << pid % 8, highest = pid > highest ? pid : highest; }
static void clear(unsigned char *set) { memset(set, 0, highest / 8 + 1); }

static struct process { pid_t pid, parent, group; unsigned long long start; } table[MAX_PROCESSES];
static unsigned long long marked_at; /* The youngest marked one started then: a process that started later only has the id of one. */
static bool is_marked(const struct process *one) { return has(marked, one->pid) && one->start <= marked_at; }

/* Puts the descendants at the beginning of the table and returns how many they are: all, or only those that a sweep ends. It spares
 * what comes of a marked process as well, because a server of before goes on only with the workers that it has now. */
static int find_descendants(bool to_sweep) {
  int count = 0, found = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && count < MAX_PROCESSES && (entry = readdir(proc));) {
    char path[64], text[512];
    struct process one = {.pid = atoi(entry->d_name)};
    if (one.pid <= 0 || one.pid >= MAX_PID) continue;
    snprintf(path, sizeof path, "/proc/%d/stat", one.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (length <= 0) continue;
    text[length] = 0;
    char *name_end = strrchr(text, ')'); /* The name is free text: only what follows its last bracket can be trusted. */
    const char *fields = " %*c %d %d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %llu";
    if (!name_end || sscanf(name_end + 1, fields, &one.parent, &one.group, &one.start) != 3 || one.parent < 0 || one.parent >= MAX_PID) continue;
    table[count++] = one;
  }
  if (proc) closedir(proc);
  clear(descendant);
  add(descendant, getpid());
  for (bool grown = true; grown;) {
    grown = false;
    for (int i = 0; i < count; i++) {
      if (has(descendant, table[i].pid) || !has(descendant, table[i].parent)) continue;
      if (to_sweep && table[i].pid != tool && is_marked(&table[i])) continue;
      add(descendant, table[i].pid);
      grown = true;
    }
  }
  for (int i = 0; i < count; i++)
    if (has(descendant, table[i].pid) && table[i].pid != getpid() && !(to_sweep && table[i].pid == tool)) table[found++] = table[i];
  return found;
}

/* Sends a signal once to each of them. A process with a signal pending cannot fork any more, so after SIGSTOP the set stands still as
 * soon as a pass finds nobody new. The youngest come first: what forks and leaves, again and again, is met before it is gone. */
static void signal_descendants(int number, bool to_sweep, int passes) {
  clear(signalled);
  for (bool grown = true; grown && passes-- > 0;) {
    grown = false;
    for (int i = find_descendants(to_sweep) - 1; i >= 0; i--) {
      if (has(signalled, table[i].pid)) continue;
      add(signalled, table[i].pid);
      kill(table[i].pid, number);
      grown = true;
    }
  }
}

static void done(int order) { dprintf(STATUS, "{\"done\":%d}\n", order); }

static void mark(int order) {
  sweep = 0;
  clear(marked);
  marked_at = 0;
  for (int i = find_descendants(false) - 1; i >= 0; i--) {
    add(marked, table[i].pid);
    if (table[i].start > marked_at) marked_at = table[i].start;
  }
  done(order);
}

/* Ends all descendants, or those that a sweep is for; called again until they are gone. */
static void end_round(void) {
  if (!killing && find_descendants(true) == 0) {
    done(sweep);
    sweep = 0;
    return;
  }
  signal_descendants(SIGSTOP, !killing, FREEZE_PASSES);
  signal_descendants(SIGKILL, !killing, 1);
  round_at = now_ms() + round_ms;
  round_ms = round_ms * 2 < LAST_ROUND_MS ? round_ms * 2 : LAST_ROUND_MS;
}

static void begin_rounds(void) { round_at = 0, round_ms = FIRST_ROUND_MS; }

/* As from a keyboard. What is marked is spared; all stand still until each of the others has its signal, because a shell goes on when
 * the program that it waits for ended just before. */
static void signal_group(int number) {
  pid_t group = master < 0 ? tool : tcgetpgrp(master);
  if (group <= 1) return;
  if (master >= 0 || !marked_at) {
    kill(-group, number);
    return;
  }
  kill(-group, SIGSTOP);
  for (int i = find_descendants(true) - 1; i >= 0; i--)
    if (table[i].group == group) kill(table[i].pid, number);
  kill(tool, number);
  kill(-group, SIGCONT);
}

static void start_killing(void) {
  killing = true;
  begin_rounds();
}

static void obey(const char *line) {
  int first;
  struct winsize size = {0};
  if (!strcmp(line, "term")) signal_descendants(SIGTERM, false, 1);
  if (!strcmp(line, "kill")) start_killing();
  if (sscanf(line, "mark %d", &first) == 1) mark(first);
  if (sscanf(line, "sweep %d", &sweep) == 1) begin_rounds();
  if (sscanf(line, "signal %d", &first) == 1 && first > 0 && first < NSIG) signal_group(first);
  if (sscanf(line, "resize %hu %hu", &size.ws_col, &size.ws_row) == 2 && master >= 0) ioctl(master, TIOCSWINSZ, &size);
}

/* Reads the control lines that have come; false when there will be no more. */
static bool read_control(void) {
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
    obey(line);
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
  bool ended = false, reported = false, control_open = true;
  long flushed_by = 0;
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
    if ((killing || sweep) && now_ms() >= round_at) end_round();
    struct pollfd wait_for[] = {
      {signals, POLLIN, 0},
      {control_open ? CONTROL : -1, POLLIN, 0},
      {master >= 0 && !input_ended && input.end == 0 ? 0 : -1, POLLIN, 0},
      {input.end > 0 || (master >= 0 && output.end == 0) ? master : -1,
       (short)((input.end > 0 ? POLLOUT : 0) | (output.end == 0 ? POLLIN : 0)), 0},
      {output.end > 0 ? 1 : -1, POLLOUT, 0},
    };
    bool ending = killing || sweep;
    long until = flushed_by && ending ? (flushed_by < round_at ? flushed_by : round_at) : flushed_by ? flushed_by : round_at;
    long timeout = until - now_ms();
    poll(wait_for, 5, !flushed_by && !ending ? -1 : timeout < 0 ? 0 : (int)timeout);
    struct signalfd_siginfo seen[16];
    while (read(signals, seen, sizeof seen) > 0);
    if (control_open && wait_for[1].revents && !read_control()) {
      control_open = false;
      start_killing();
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
