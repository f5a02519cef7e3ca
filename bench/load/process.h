/* CPU time and memory of process trees, from /proc. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROCESS_ROOTS_MAX = 16, PROCESS_TREE_MAX = 256 };

struct process_roots {
  int count;
  int pids[PROCESS_ROOTS_MAX];
};

/* Found once, because a walk through /proc takes milliseconds that would show in the latencies. */
struct process_tree {
  int count;
  int pids[PROCESS_TREE_MAX];
};

struct process_usage {
  double cpu_seconds;     /* user + system, of the living and of their waited-for children */
  uint64_t rss_bytes;     /* sum of VmRSS */
  uint64_t peak_bytes;    /* sum of VmHWM, since process_reset_peak or since the start of each process */
};

/* The roots that are alive, and all their descendants. */
struct process_tree process_tree_find(const struct process_roots *roots);

struct process_usage process_tree_usage(const struct process_tree *tree);

/* Makes VmHWM count from now on; false when the kernel refuses for one of the processes. */
bool process_tree_reset_peak(const struct process_tree *tree);

/* User + system seconds of this program. */
double process_own_cpu_seconds(void);

/* User + system seconds of everything on this machine since it started; what interrupts take is not in it. */
double process_machine_cpu_seconds(void);

#endif
