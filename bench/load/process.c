#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PROCESSES_MAX = 4096 };

struct process {
  int pid;
  int parent;
  bool inside;
  unsigned long long ticks;
};

static bool read_stat(int pid, struct process *process) {
  char path[64], text[2048];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  /* The command name may hold spaces and parentheses: the fields start after the last one. */
  char *fields = strrchr(text, ')');
  unsigned long long user, system;
  long long children_user, children_system;
  if (!fields || sscanf(fields + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld", &process->parent,
                        &user, &system, &children_user, &children_system) != 5)
    return false;
  process->pid = pid;
  process->inside = false;
  process->ticks = user + system + (unsigned long long)(children_user + children_system);
  return true;
}

static int read_all(struct process *all) {
  int count = 0;
  DIR *proc = opendir("/proc");
  if (!proc) return 0;
  for (struct dirent *entry; count < PROCESSES_MAX && (entry = readdir(proc));)
    if (isdigit((unsigned char)entry->d_name[0]) && read_stat(atoi(entry->d_name), &all[count])) count++;
  closedir(proc);
  return count;
}

static bool is_root(const struct process_roots *roots, int pid) {
  for (int i = 0; i < roots->count; i++)
    if (roots->pids[i] == pid) return true;
  return false;
}

struct process_tree process_tree_find(const struct process_roots *roots) {
  static struct process all[PROCESSES_MAX];
  struct process_tree tree = {0};
  int count = roots->count > 0 ? read_all(all) : 0;
  for (int i = 0; i < count; i++) all[i].inside = is_root(roots, all[i].pid);
  /* Children of what is inside come inside, until nothing new appears. */
  for (bool grown = true; grown;) {
    grown = false;
    for (int i = 0; i < count; i++)
      for (int j = 0; j < count && !all[i].inside; j++)
        if (all[j].inside && all[j].pid == all[i].parent) grown = all[i].inside = true;
  }
  for (int i = 0; i < count && tree.count < PROCESS_TREE_MAX; i++)
    if (all[i].inside) tree.pids[tree.count++] = all[i].pid;
  return tree;
}

static void add_memory(int pid, struct process_usage *usage) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  if (!file) return;
  unsigned long long kib;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "VmHWM: %llu", &kib) == 1) usage->peak_bytes += kib * 1024;
    if (sscanf(line, "VmRSS: %llu", &kib) == 1) usage->rss_bytes += kib * 1024;
  }
  fclose(file);
}

struct process_usage process_tree_usage(const struct process_tree *tree) {
  struct process_usage usage = {0};
  for (int i = 0; i < tree->count; i++) {
    struct process process;
    if (!read_stat(tree->pids[i], &process)) continue;
    usage.cpu_seconds += (double)process.ticks / (double)sysconf(_SC_CLK_TCK);
    add_memory(tree->pids[i], &usage);
  }
  return usage;
}

bool process_tree_reset_peak(const struct process_tree *tree) {
  bool all_reset = true;
  for (int i = 0; i < tree->count; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", tree->pids[i]);
    FILE *file = fopen(path, "w");
    bool reset = file && fputs("5", file) >= 0; /* 5 = reset the peak resident set size */
    if (file && fclose(file) != 0) reset = false;
    all_reset = all_reset && reset;
  }
  return all_reset;
}

double process_own_cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
         ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) / 1e6;
}

double process_machine_cpu_seconds(void) {
  FILE *file = fopen("/proc/stat", "r");
  unsigned long long user = 0, nice = 0, system = 0;
  if (file && fscanf(file, "cpu %llu %llu %llu", &user, &nice, &system) != 3) user = nice = system = 0;
  if (file) fclose(file);
  return (double)(user + nice + system) / (double)sysconf(_SC_CLK_TCK);
}
