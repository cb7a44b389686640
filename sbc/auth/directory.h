/* directory.h - the subscribers as the workers see them: a copy of the store, whole and immutable,
 * taken anew by a thread of its own whenever the store has changed. A worker never waits for the
 * store; a change is seen within a second.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/state/subscribers.h"

struct directory;
struct directory_view;

struct directory_status {
	uint32_t count;  /* subscribers */
	bool is_current; /* the store answers */
};

/* In the main thread: opens the store (taken over) and reads it once. */
MUST_CHECK int directory_create(struct subscribers *store, const struct log *log,
				struct directory **out);
MUST_CHECK int directory_run(struct directory *directory); /* starts the thread */
void directory_destroy(struct directory *directory);       /* after all readers; NULL is fine */
void directory_status(struct directory *directory, struct directory_status *out);

/* One per worker. */
struct directory_reader {
	struct directory *directory;
	struct directory_view *view;
	uint64_t version;
};
void directory_reader_init(struct directory_reader *reader, struct directory *directory);
void directory_reader_free(struct directory_reader *reader);
/* The digest that stands for a password; it lives until the next call. False: there is no such
 * subscriber, or no directory. */
bool directory_find(struct directory_reader *reader, struct slice domain, struct slice user,
		    enum digest_algorithm algorithm, struct slice *ha1);
