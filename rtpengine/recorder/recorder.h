/* recorder.h - writes calls to capture files, and their sound to connections, in a thread of its
 * own that sleeps while nothing is recorded. Opened and closed by the control thread. A file is
 * bounded; what would go beyond is counted as lost. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "rtpengine/record.h"

struct recorder;

#define RECORDER_FILE_MAX (256u << 20) /* bytes of one file */
#define RECORDER_OPEN_MAX 256          /* files and connections at once */
#define RECORDER_BACKLOG  (64u << 10)  /* bytes that wait for a connection: 4 s */
#define RECORDER_NAME_MAX 200

struct recorder_config {
	const char *folder;               /* must be there and ours to write; NULL = no files */
	const struct addr *forward_to;    /* TCP, where sound goes; copied; NULL = ... */
	const char *forward_path;         /* ... to this Unix socket; NULL = nowhere */
	struct record_ring *const *rings; /* the list is copied */
	size_t ring_count;
	uint64_t wall_ns; /* Unix time minus CLOCK_MONOTONIC */
	size_t file_max;  /* 0 = RECORDER_FILE_MAX */
	const struct log *log;
};

MUST_CHECK int recorder_create(const struct recorder_config *config, struct recorder **out);
void recorder_destroy(struct recorder *recorder); /* files are closed; NULL is fine */
/* Open FOLDER/NAME; `name` has no slash and does not begin with a dot. -ERR_INVALID (the name),
 * -ERR_EXISTS, -ERR_TOO_MANY, or why the file cannot be made. */
MUST_CHECK int recorder_open(struct recorder *recorder, struct slice name, uint32_t *recording);
/* Connect for one stream of G.711 under these payload types: `metadata`, a zero byte, then 16-bit
 * PCM. What a far end that is slow or absent does not take is lost and counted. -ERR_UNSUPPORTED
 * (there is nowhere to connect to), -ERR_TOO_MANY, or why it cannot connect. */
MUST_CHECK int recorder_forward(struct recorder *recorder, struct slice metadata, uint8_t pcma_type,
				uint8_t pcmu_type, uint32_t *recording);
/* Packets of it that are still on their way are written first. */
void recorder_close(struct recorder *recorder, uint32_t recording);
/* The same, and the file goes. */
void recorder_discard(struct recorder *recorder, uint32_t recording);
struct recorder_counters {
	uint64_t packets, bytes, lost; /* lost: ring or file was full, or the disk said no */
	uint32_t open;
};
struct recorder_counters recorder_counters(struct recorder *recorder);
