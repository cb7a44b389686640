/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/cdr/cdr_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/base/ring.h"
#include "sbc/cdr/told.h"

enum { RING = 8192, BATCH_BYTES = 256 * 1024, MODE = 0640 };

struct line {
	size_t len;
	char text[]; /* with its \n */
};

struct cdr_file {
	char *path;
	const struct log *log;
	int fd;
	int event;
	struct ring *ring;
	pthread_t thread;
	bool is_running;
	_Atomic bool is_ending;
	_Atomic uint64_t written;
	_Atomic uint64_t lost;
	_Atomic uint64_t given; /* written and lost are less: so many are on their way */
	struct told *told;      /* owned */
	/* of the thread alone */
	struct buf batch;
	uint64_t batch_lines;
	bool is_failing; /* and it was said */
};

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, MODE);
}

int cdr_file_create(const struct cdr_file_config *config, struct buf *why, struct cdr_file **out)
{
	struct cdr_file *file = calloc(1, sizeof(*file));
	if (!file)
		return -ERR_NO_MEMORY;

	*file = (struct cdr_file){.log = config->log, .fd = -1};
	buf_init(&file->batch);
	file->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	file->path = slice_dup(slice_from(config->path));
	int err = file->event < 0 ? -ERR_SYSTEM : !file->path ? -ERR_NO_MEMORY : 0;
	if (!err)
		err = told_read(config->path, &file->told);
	if (!err)
		err = ring_create(RING, &file->ring);
	if (!err) {
		file->fd = open_file(file->path);
		if (file->fd < 0 ||
		    (config->user && fchown(file->fd, config->user, config->group) != 0)) {
			err = err_from_errno(errno);
			buf_printf(why, "cdr.path: cannot append to %s: %s", file->path,
				   strerror(errno));
		}
	}
	if (err) {
		cdr_file_destroy(file);
		return err;
	}
	*out = file;
	return 0;
}

static void wake(struct cdr_file *file)
{
	uint64_t one = 1;

	if (write(file->event, &one, sizeof(one)) < 0)
		return; /* a counter that is full has woken it already */
}

uint64_t cdr_file_write(struct cdr_file *file, struct slice text)
{
	struct line *line = malloc(sizeof(*line) + text.len + 1);

	atomic_fetch_add(&file->given, 1);
	if (line) {
		line->len = text.len + 1;
		memcpy(line->text, text.data, text.len);
		line->text[text.len] = '\n';
	}
	if (!line || !ring_push(file->ring, line)) {
		free(line);
		atomic_fetch_add(&file->lost, 1);
		return 0;
	}
	wake(file);
	/* Whoever is in front of it in the ring was given before. */
	return atomic_load(&file->given);
}

bool cdr_file_is_done(const struct cdr_file *file, uint64_t ticket)
{
	return atomic_load(&file->written) + atomic_load(&file->lost) >= ticket;
}

bool cdr_file_told(const struct cdr_file *file, struct slice id)
{
	return told_has(file->told, id);
}

void cdr_file_counts(const struct cdr_file *file, struct cdr_file_counts *out)
{
	*out = (struct cdr_file_counts){.written = atomic_load(&file->written),
					.lost = atomic_load(&file->lost)};
}

/* --- the thread --- */

static void say(struct cdr_file *file, int errnum)
{
	bool failing = errnum != 0;

	if (failing == file->is_failing)
		return;
	file->is_failing = failing;
	if (failing)
		log_error(file->log, "cdr.not_written",
			  "file=%s reason=\"%s\" effect=\"lines are "
			  "lost and counted; calls go on\"",
			  file->path, strerror(errnum));
	else
		log_info(file->log, "cdr.written_again", "file=%s lost=%llu", file->path,
			 (unsigned long long)atomic_load(&file->lost));
}

/* Somebody moved it away, or removed it. What cannot be opened anew goes on where it was. */
static void follow_path(struct cdr_file *file)
{
	struct stat here, there;

	if (fstat(file->fd, &here) == 0 && stat(file->path, &there) == 0 &&
	    here.st_ino == there.st_ino && here.st_dev == there.st_dev)
		return;
	int fd = open_file(file->path);
	if (fd < 0) {
		say(file, errno);
		return;
	}
	close(file->fd);
	file->fd = fd;
	log_info(file->log, "cdr.reopened", "file=%s", file->path);
}

static size_t write_some(const struct cdr_file *file, int *errnum)
{
	size_t done = 0;

	*errnum = 0;
	while (done < file->batch.len) {
		ssize_t n = write(file->fd, file->batch.data + done, file->batch.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			*errnum = errno;
			break;
		}
		done += (size_t)n;
	}
	return done;
}

/* Half a line is taken back, so that each line is whole. */
static uint64_t keep_whole(const struct cdr_file *file, size_t done)
{
	uint64_t lines = 0;
	size_t whole = 0;
	struct stat status;

	for (size_t i = 0; i < done; i++)
		if (file->batch.data[i] == '\n') {
			whole = i + 1;
			lines++;
		}
	if (whole < done && fstat(file->fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    ftruncate(file->fd, status.st_size - (off_t)(done - whole)) != 0)
		log_warn(file->log, "cdr.half_line", "file=%s", file->path);
	return lines;
}

static void write_batch(struct cdr_file *file)
{
	uint64_t whole = file->batch_lines;
	int errnum;

	if (!file->batch_lines)
		return;
	follow_path(file);
	size_t done = write_some(file, &errnum);
	if (errnum)
		whole = keep_whole(file, done);
	atomic_fetch_add(&file->written, whole);
	atomic_fetch_add(&file->lost, file->batch_lines - whole);
	if (errnum || whole)
		say(file, errnum);
	buf_clear(&file->batch);
	file->batch_lines = 0;
}

static void take_all(struct cdr_file *file)
{
	struct line *line;

	while ((line = ring_pop(file->ring))) {
		size_t before = file->batch.len;
		buf_add(&file->batch, (struct slice){line->text, line->len});
		free(line);
		if (buf_failed(&file->batch)) {
			file->batch.failed = false;
			file->batch.len = before;
			atomic_fetch_add(&file->lost, 1);
			continue;
		}
		file->batch_lines++;
		if (file->batch.len > BATCH_BYTES)
			write_batch(file);
	}
	write_batch(file);
}

static void *thread_main(void *owner)
{
	struct cdr_file *file = owner;
	struct pollfd poll_fd = {.fd = file->event, .events = POLLIN};
	uint64_t count;

	while (true) {
		bool is_ending = atomic_load(&file->is_ending); /* looked at first */
		take_all(file);
		if (is_ending)
			return NULL;
		if (poll(&poll_fd, 1, -1) > 0 && read(file->event, &count, sizeof(count)) < 0)
			continue;
	}
}

int cdr_file_run(struct cdr_file *file)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&file->thread, NULL, thread_main, file);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	file->is_running = !failed;
	return failed ? err_from_errno(failed) : 0;
}

void cdr_file_stop(struct cdr_file *file)
{
	if (!file || !file->is_running)
		return;
	atomic_store(&file->is_ending, true);
	wake(file);
	pthread_join(file->thread, NULL);
	file->is_running = false;
}

void cdr_file_destroy(struct cdr_file *file)
{
	struct line *line;

	if (!file)
		return;
	cdr_file_stop(file);
	while (file->ring && (line = ring_pop(file->ring)))
		free(line);
	ring_destroy(file->ring);
	buf_free(&file->batch);
	told_free(file->told);
	if (file->event >= 0)
		close(file->event);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file);
}
