/* recorder.c - the thread that writes. The table of files is shared under a lock that is never held
 * while writing: the control thread adds files and marks them ended, this thread alone writes to
 * and closes them. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/recorder/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "rtpengine/recorder/pcapng.h"
#include "rtpengine/recorder/pcm.h"

#define PERIOD_MS 20
/* An ended file stays open for what was in the rings then. */
#define LINGER_PERIODS 3
#define FILE_MODE      0640

struct file {        /* or a connection */
	uint32_t id; /* 0 = free */
	int fd;
	unsigned ending; /* periods left; 0 = is written */
	size_t size;
	bool is_full; /* said so once */
	bool is_connection;
	char *path;     /* owned; of a file */
	struct pcm pcm; /* of a connection */
	struct buf out;
};

struct recorder {
	struct recorder_config config;
	struct record_ring **rings; /* owned list */
	char *folder;               /* NULL = no files */
	struct addr forward_to;     /* family 0 = none */
	char *forward_path;         /* NULL = none */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	uint32_t last_id;
	struct file files[RECORDER_OPEN_MAX];
	struct counter packets, bytes, lost;
};

/* Only this thread frees a slot, so what it finds stays while it writes. */
static struct file *find(struct recorder *recorder, uint32_t id)
{
	struct file *found = NULL;

	pthread_mutex_lock(&recorder->lock);
	for (size_t i = 0; i < RECORDER_OPEN_MAX && !found; i++)
		if (recorder->files[i].id == id)
			found = &recorder->files[i];
	pthread_mutex_unlock(&recorder->lock);
	return found;
}

static void flush(struct recorder *recorder, struct file *file)
{
	while (file->out.len) {
		ssize_t n = file->is_connection
				    ? send(file->fd, file->out.data, file->out.len, MSG_NOSIGNAL)
				    : write(file->fd, file->out.data, file->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && file->is_connection && (errno == EAGAIN || errno == ENOTCONN))
			return; /* it takes no more yet, or is not there yet */
		if (n <= 0) {
			if (!file->is_full)
				log_error(recorder->config.log,
					  file->is_connection ? "forwarding.failed"
							      : "recording.failed",
					  "error=\"%s\"", strerror(errno));
			file->is_full = true;
			break;
		}
		buf_consume(&file->out, (size_t)n);
	}
	buf_clear(&file->out);
}

static void forward_record(struct recorder *recorder, struct file *file,
			   const struct record *record)
{
	if (file->is_full || file->out.len > RECORDER_BACKLOG) {
		counter_add(&recorder->lost, 1);
		return;
	}
	pcm_add(&file->pcm, &file->out, record->payload, record->len);
	counter_add(&recorder->packets, 1);
	counter_add(&recorder->bytes, record->len);
}

static void write_record(struct recorder *recorder, const struct record *record)
{
	struct file *file = find(recorder, record->recording);

	if (file && file->is_connection) {
		forward_record(recorder, file, record);
		return;
	}
	size_t max = recorder->config.file_max ? recorder->config.file_max : RECORDER_FILE_MAX;

	if (!file || file->is_full || file->size + record->len > max) {
		if (file && !file->is_full)
			log_warn(recorder->config.log, "recording.full", "bytes=%zu", file->size);
		if (file)
			file->is_full = true;
		counter_add(&recorder->lost, 1);
		return;
	}
	size_t before = file->out.len;
	pcapng_add(&file->out, recorder->config.wall_ns + record->time_ns, &record->from,
		   &record->to, (struct slice){(const char *)record->payload, record->len});
	file->size += file->out.len - before;
	counter_add(&recorder->packets, 1);
	counter_add(&recorder->bytes, record->len);
}

static void write_all(struct recorder *recorder)
{
	for (size_t i = 0; i < recorder->config.ring_count; i++) {
		struct record_ring *ring = recorder->rings[i];

		for (unsigned n = 0; n < RECORD_RING_SIZE; n++) {
			const struct record *record = record_first(ring);
			if (!record)
				break;
			write_record(recorder, record);
			record_pop(ring);
		}
	}
}

static void close_file(struct file *file)
{
	close(file->fd);
	buf_free(&file->out);
	free(file->path);
	file->path = NULL;
	file->id = 0;
}

static void settle(struct recorder *recorder)
{
	for (size_t i = 0; i < RECORDER_OPEN_MAX; i++) {
		struct file *file = &recorder->files[i];

		pthread_mutex_lock(&recorder->lock);
		uint32_t id = file->id;
		bool ends = id && file->ending && --file->ending == 0;
		pthread_mutex_unlock(&recorder->lock);
		if (!id)
			continue;
		flush(recorder, file);
		if (!ends)
			continue;
		pthread_mutex_lock(&recorder->lock);
		close_file(file);
		pthread_mutex_unlock(&recorder->lock);
	}
}

static bool has_files(const struct recorder *recorder)
{
	for (size_t i = 0; i < RECORDER_OPEN_MAX; i++)
		if (recorder->files[i].id)
			return true;
	return false;
}

/* Sleep: a period while something is recorded, else until something is. False: stop. */
static bool rest(struct recorder *recorder)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PERIOD_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&recorder->lock);
	while (!recorder->stop && !has_files(recorder))
		pthread_cond_wait(&recorder->wake, &recorder->lock);
	if (!recorder->stop)
		(void)pthread_cond_timedwait(&recorder->wake, &recorder->lock, &until);
	bool goes_on = !recorder->stop;
	pthread_mutex_unlock(&recorder->lock);
	return goes_on;
}

static void *recorder_main(void *owner)
{
	struct recorder *recorder = owner;

	while (rest(recorder)) {
		write_all(recorder);
		settle(recorder);
	}
	write_all(recorder);
	return NULL;
}

static int start_thread(struct recorder *recorder)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&recorder->thread, NULL, recorder_main, recorder);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	recorder->has_thread = err == 0;
	return err ? -ERR_SYSTEM : 0;
}

int recorder_create(const struct recorder_config *config, struct recorder **out)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	pthread_condattr_t monotonic;

	if (!recorder)
		return -ERR_NO_MEMORY;
	recorder->config = *config;
	if (config->folder)
		recorder->folder = slice_dup(slice_from(config->folder));
	if (config->forward_path)
		recorder->forward_path = slice_dup(slice_from(config->forward_path));
	if (config->forward_to)
		recorder->forward_to = *config->forward_to;
	recorder->rings = calloc(config->ring_count, sizeof(*recorder->rings));
	if (recorder->rings)
		memcpy(recorder->rings, config->rings,
		       config->ring_count * sizeof(*recorder->rings));
	pthread_mutex_init(&recorder->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&recorder->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	bool is_whole = recorder->rings && !recorder->folder == !config->folder &&
			!recorder->forward_path == !config->forward_path;
	int err = is_whole ? start_thread(recorder) : -ERR_NO_MEMORY;
	if (err) {
		recorder_destroy(recorder);
		return err;
	}
	*out = recorder;
	return 0;
}

void recorder_destroy(struct recorder *recorder)
{
	if (!recorder)
		return;
	if (recorder->has_thread) {
		pthread_mutex_lock(&recorder->lock);
		recorder->stop = true;
		pthread_cond_signal(&recorder->wake);
		pthread_mutex_unlock(&recorder->lock);
		pthread_join(recorder->thread, NULL);
	}
	for (size_t i = 0; i < RECORDER_OPEN_MAX; i++) {
		if (!recorder->files[i].id)
			continue;
		flush(recorder, &recorder->files[i]);
		close_file(&recorder->files[i]);
	}
	pthread_cond_destroy(&recorder->wake);
	pthread_mutex_destroy(&recorder->lock);
	free(recorder->rings);
	free(recorder->folder);
	free(recorder->forward_path);
	free(recorder);
}

static bool name_is_good(struct slice name)
{
	if (!name.len || name.len > RECORDER_NAME_MAX || name.data[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] == '/' || (unsigned char)name.data[i] < 0x21 ||
		    (unsigned char)name.data[i] > 0x7e)
			return false;
	return true;
}

static int create_file(const struct recorder *recorder, struct slice name, char **out, int *fd)
{
	struct buf path;

	buf_init(&path);
	buf_printf(&path, "%s/%.*s", recorder->folder, SLICE_ARG(name));
	*fd = buf_failed(&path)
		      ? -1
		      : open(path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			     FILE_MODE);
	int err = buf_failed(&path) ? -ERR_NO_MEMORY : *fd < 0 ? err_from_errno(errno) : 0;
	*out = err ? NULL : slice_dup(buf_slice(&path)); /* without it, it is not discarded */
	buf_free(&path);
	return err;
}

static struct file *free_slot(struct recorder *recorder)
{
	for (size_t i = 0; i < RECORDER_OPEN_MAX; i++)
		if (!recorder->files[i].id)
			return &recorder->files[i];
	return NULL;
}

/* Into a slot that stays free until then. */
static void fill(struct recorder *recorder, struct file *slot, struct file file,
		 uint32_t *recording)
{
	if (++recorder->last_id == 0)
		recorder->last_id = 1;
	*recording = file.id = recorder->last_id;
	pthread_mutex_lock(&recorder->lock);
	*slot = file;
	pthread_cond_signal(&recorder->wake);
	pthread_mutex_unlock(&recorder->lock);
}

int recorder_open(struct recorder *recorder, struct slice name, uint32_t *recording)
{
	struct buf start;
	char *path = NULL;
	int fd = -1;

	if (!recorder->folder)
		return -ERR_UNSUPPORTED;
	if (!name_is_good(name))
		return -ERR_INVALID;
	pthread_mutex_lock(&recorder->lock);
	struct file *file = free_slot(recorder); /* we alone fill slots: it stays free */
	pthread_mutex_unlock(&recorder->lock);
	if (!file)
		return -ERR_TOO_MANY;
	buf_init(&start);
	pcapng_start(&start);
	int err = buf_failed(&start) ? -ERR_NO_MEMORY : create_file(recorder, name, &path, &fd);
	if (err) {
		buf_free(&start);
		return err;
	}
	fill(recorder, file, (struct file){.fd = fd, .path = path, .size = start.len, .out = start},
	     recording);
	return 0;
}

int recorder_forward(struct recorder *recorder, struct slice metadata, uint8_t pcma_type,
		     uint8_t pcmu_type, uint32_t *recording)
{
	struct file connection = {.is_connection = true,
				  .pcm = {.pcma_type = pcma_type, .pcmu_type = pcmu_type}};

	if (!recorder->forward_path && !recorder->forward_to.family)
		return -ERR_UNSUPPORTED;
	pthread_mutex_lock(&recorder->lock);
	struct file *file = free_slot(recorder);
	pthread_mutex_unlock(&recorder->lock);
	if (!file)
		return -ERR_TOO_MANY;
	buf_init(&connection.out);
	buf_add(&connection.out, metadata);
	buf_add(&connection.out, (struct slice){"", 1});
	int err = buf_failed(&connection.out) ? -ERR_NO_MEMORY
					      : pcm_connect(&recorder->forward_to,
							    recorder->forward_path, &connection.fd);
	if (err)
		buf_free(&connection.out);
	else
		fill(recorder, file, connection, recording);
	return err;
}

void recorder_close(struct recorder *recorder, uint32_t recording)
{
	pthread_mutex_lock(&recorder->lock);
	for (size_t i = 0; i < RECORDER_OPEN_MAX; i++)
		if (recorder->files[i].id == recording && !recorder->files[i].ending)
			recorder->files[i].ending = LINGER_PERIODS;
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_discard(struct recorder *recorder, uint32_t recording)
{
	pthread_mutex_lock(&recorder->lock);
	for (size_t i = 0; i < RECORDER_OPEN_MAX; i++)
		if (recorder->files[i].id == recording && recorder->files[i].path)
			(void)unlink(recorder->files[i].path); /* gone already is as well */
	pthread_mutex_unlock(&recorder->lock);
	recorder_close(recorder, recording);
}

struct recorder_counters recorder_counters(struct recorder *recorder)
{
	struct recorder_counters out = {
		.packets = counter_get(&recorder->packets),
		.bytes = counter_get(&recorder->bytes),
		.lost = counter_get(&recorder->lost),
	};

	for (size_t i = 0; i < recorder->config.ring_count; i++)
		out.lost += counter_get(&recorder->rings[i]->lost);
	pthread_mutex_lock(&recorder->lock);
	for (size_t i = 0; i < RECORDER_OPEN_MAX; i++)
		out.open += recorder->files[i].id != 0;
	pthread_mutex_unlock(&recorder->lock);
	return out;
}
