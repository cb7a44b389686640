/* eal.c - DPDK's environment: how it is started so that it disturbs nobody. In memory only (no
 * files, no hugetlbfs mount, several side by side), no telemetry socket, no PCI bus unless a device
 * is given, its log kept for our error lines; the calling thread keeps its CPUs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <dirent.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16
#define TICK_NS       2000000

struct eal {
	FILE *stream;
	char last[160];
	char lcores[LCORES_MAX * 16 + 1024];
	char memory[16];
};

/* EAL and its drivers write their log here: the last complete line explains a failure. */
static ssize_t keep_line(void *cookie, const char *text, size_t len)
{
	struct eal *eal = cookie;
	size_t n = len < sizeof(eal->last) ? len : sizeof(eal->last) - 1;
	while (n && (text[n - 1] == '\n' || text[n - 1] == '.'))
		n--;
	if (n == 0)
		return (ssize_t)len;
	memcpy(eal->last, text, n);
	eal->last[n] = '\0';
	return (ssize_t)len;
}

const char *eal_last_error(const struct eal *eal)
{
	return eal->last;
}

/* Megabytes in free hugepages of any size. */
static uint64_t free_hugepages_mb(void)
{
	DIR *dir = opendir("/sys/kernel/mm/hugepages");
	if (!dir)
		return 0;
	uint64_t mb = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		unsigned long kb;
		char path[320];
		if (sscanf(entry->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages",
			 entry->d_name);
		FILE *file = fopen(path, "re");
		unsigned long pages = 0;
		if (file && fscanf(file, "%lu", &pages) == 1)
			mb += pages * kb / 1024;
		if (file)
			fclose(file);
	}
	closedir(dir);
	return mb;
}

/* EAL pins the thread that starts it to the main lcore: that one is mapped to all the CPUs we may
 * use, so that the control thread stays where the scheduler likes it. */
static int lcores_text(const struct eal_config *config, char *out, size_t size, char *why)
{
	cpu_set_t allowed;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return why_set(why, -ERR_SYSTEM, "cannot read the CPU affinity");
	size_t used = (size_t)snprintf(out, size, "0@(");
	bool first = true;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || used + 16 > size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%zu", first ? "" : ",", cpu);
		first = false;
	}
	used += (size_t)snprintf(out + used, size - used, ")");
	for (size_t i = 0; i < config->core_count; i++) {
		unsigned cpu = config->cores[i];
		if (cpu >= CPU_SETSIZE || !CPU_ISSET((size_t)cpu, &allowed))
			return why_set(
				why, -ERR_INVALID,
				"dataplane.cores names CPU %u, which this process may not use "
				"or which does not exist; see 'nproc' and 'taskset -p $$'",
				cpu);
		if (used + 16 > size)
			return why_set(why, -ERR_TOO_MANY, "too many CPUs for one line");
		used += (size_t)snprintf(out + used, size - used, ",%u@%u", eal_lcore(i), cpu);
	}
	return 0;
}

unsigned eal_lcore(size_t index)
{
	return (unsigned)index + 1; /* 0 is the control thread */
}

static int choose_memory(const struct eal_config *config, bool *huge, char *why)
{
	uint64_t mb = config->hugepages == DATAPATH_HUGE_NEVER ? 0 : free_hugepages_mb();
	*huge = mb >= config->megabytes;
	if (config->hugepages == DATAPATH_HUGE_REQUIRE && !*huge)
		return why_set(why, -ERR_NO_MEMORY,
			       "hugepages are required, %llu MB are free and %u needed; "
			       "'sysctl vm.nr_hugepages=%u', or set dataplane.hugepages to auto",
			       (unsigned long long)mb, config->megabytes,
			       config->megabytes / 2 + 1);
	return 0;
}

static void on_tick(int signal)
{
	(void)signal;
}

/* To learn the rate of the TSC, which only drivers of bound NICs need well, EAL sleeps 100 ms where
 * the CPU does not tell: a fifth of our start, and calls are silent meanwhile when they come back
 * from their records. It goes by the time that has really passed, so a signal may end its sleep.
 * The timer runs on until EAL is up, for nobody knows when it sleeps. */
struct alarm {
	timer_t timer;
	bool is_on;
	struct sigaction before;
};

static void start_alarm(struct alarm *alarm)
{
	struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
	const struct itimerspec tick = {.it_value.tv_nsec = TICK_NS,
					.it_interval.tv_nsec = TICK_NS};

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (sigaction(SIGALRM, &action, &alarm->before) != 0)
		return;
	if (timer_create(CLOCK_MONOTONIC, &event, &alarm->timer) != 0) {
		sigaction(SIGALRM, &alarm->before, NULL);
		return;
	}
	alarm->is_on = true;
	(void)timer_settime(alarm->timer, 0, &tick, NULL);
}

static void stop_alarm(struct alarm *alarm)
{
	if (!alarm->is_on)
		return;
	timer_delete(alarm->timer); /* what it sent this thread arrives before this returns */
	sigaction(SIGALRM, &alarm->before, NULL);
}

static int run_init(struct eal *eal, const struct eal_config *config, bool huge, char *why)
{
	char *argv[ARGUMENTS_MAX];
	int argc = 0;
	argv[argc++] = (char *)(uintptr_t) "postern-rtpengine";
	/* no files: hugepages from a memfd, or none at all (the two options exclude each other) */
	argv[argc++] = (char *)(uintptr_t)(huge ? "--in-memory" : "--no-shconf");
	argv[argc++] = (char *)(uintptr_t) "--no-telemetry";
	argv[argc++] = (char *)(uintptr_t) "--log-level=*:warning";
	argv[argc++] = (char *)(uintptr_t) "--lcores";
	argv[argc++] = eal->lcores;
	if (config->pci_address) {
		argv[argc++] = (char *)(uintptr_t) "-a";
		argv[argc++] = (char *)(uintptr_t)config->pci_address;
	} else {
		argv[argc++] = (char *)(uintptr_t) "--no-pci";
	}
	if (!huge) {
		argv[argc++] = (char *)(uintptr_t) "--no-huge";
		argv[argc++] = (char *)(uintptr_t) "-m";
		argv[argc++] = eal->memory;
	}
	argv[argc] = NULL;
	struct alarm alarm = {0};
	if (!config->pci_address)
		start_alarm(&alarm);
	int count = rte_eal_init(argc, argv);
	stop_alarm(&alarm);
	if (count < 0)
		return why_set(why, -ERR_SYSTEM, "DPDK does not start: %s (%s)",
			       eal->last[0] ? eal->last : "no reason given",
			       rte_strerror(rte_errno));
	return 0;
}

int eal_start(const struct eal_config *config, char *why, struct eal **out)
{
	bool huge = false;
	int err = choose_memory(config, &huge, why);
	if (err)
		return err;
	struct eal *eal = calloc(1, sizeof(*eal));
	if (!eal)
		return why_set(why, -ERR_NO_MEMORY, "out of memory");
	err = lcores_text(config, eal->lcores, sizeof(eal->lcores), why);
	if (err)
		goto fail;
	snprintf(eal->memory, sizeof(eal->memory), "%u", config->megabytes);
	cookie_io_functions_t io = {.write = keep_line};
	eal->stream = fopencookie(eal, "w", io);
	err = -ERR_NO_MEMORY;
	if (!eal->stream) {
		why_set(why, err, "out of memory");
		goto fail;
	}
	setvbuf(eal->stream, NULL, _IOLBF, 256);
	rte_openlog_stream(eal->stream);
	err = run_init(eal, config, huge, why);
	if (err)
		goto fail;
	*out = eal;
	return 0;
fail:
	rte_openlog_stream(NULL);
	if (eal->stream)
		fclose(eal->stream);
	free(eal);
	return err;
}

void eal_stop(struct eal *eal)
{
	if (!eal)
		return;
	rte_eal_cleanup();
	rte_openlog_stream(NULL);
	fclose(eal->stream);
	free(eal);
}
