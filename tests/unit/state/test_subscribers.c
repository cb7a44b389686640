/* Subscribers in a file and in Redis: the same verbs, the same backup.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/subscribers.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/state/kept.h"
#include "tests/unit/state/redis_server.h"

struct made {
	struct digest_hex ha1[DIGEST_ALGORITHMS];
	struct subscriber subscriber;
};

static void make(struct made *made, const char *domain, const char *user, const char *password)
{
	made->subscriber.domain = slice_from(domain);
	made->subscriber.user = slice_from(user);
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		assert_int_equal(digest_ha1((enum digest_algorithm)i, slice_from(user),
					    slice_from(domain), slice_from(password),
					    &made->ha1[i]),
				 0);
		made->subscriber.ha1[i] = slice_from(made->ha1[i].text);
	}
}

static int count(void *owner, const struct subscriber *subscriber)
{
	unsigned *n = owner;
	assert_true(subscriber_is_valid(subscriber));
	(*n)++;
	return 0;
}

static unsigned held(struct subscribers *store)
{
	unsigned n = 0;
	assert_int_equal(subscribers_each(store, count, &n), 0);
	return n;
}

static void changed(struct subscribers *store, uint64_t *version, bool want)
{
	uint64_t now = 0;
	assert_int_equal(subscribers_version(store, &now), 0);
	assert_int_equal(now != *version, want);
	*version = now;
}

static void verbs(struct subscribers *store)
{
	struct made alice, bob, bad;
	struct buf backup;
	uint64_t version = UINT64_MAX;
	unsigned line = 0;

	make(&alice, "falco.bz", "alice", "secret");
	make(&bob, "falco.bz", "bob", "hidden");
	make(&bad, "falco.bz", "a b", "hidden");
	changed(store, &version, true);
	assert_int_equal(subscribers_add(store, &alice.subscriber), 0);
	changed(store, &version, true);
	changed(store, &version, false);
	assert_int_equal(subscribers_add(store, &alice.subscriber), -ERR_EXISTS);
	assert_int_equal(subscribers_add(store, &bad.subscriber), -ERR_MALFORMED);
	assert_int_equal(subscribers_change(store, &bob.subscriber), -ERR_NOT_FOUND);
	assert_int_equal(subscribers_add(store, &bob.subscriber), 0);
	buf_init(&backup);
	assert_int_equal(subscribers_backup(store, &backup), 0);
	assert_null(strstr(backup.data, "secret"));
	assert_int_equal(subscribers_remove(store, SLICE("falco.bz"), SLICE("bob")), 0);
	assert_int_equal(subscribers_remove(store, SLICE("falco.bz"), SLICE("bob")),
			 -ERR_NOT_FOUND);
	changed(store, &version, true);
	assert_int_equal(held(store), 1);
	assert_int_equal(subscribers_restore(store, SLICE("postern-subscribers 1\nx y\n"), &line),
			 -ERR_MALFORMED);
	assert_int_equal(line, 2);
	assert_int_equal(held(store), 1); /* nothing changed */
	assert_int_equal(subscribers_restore(store, buf_slice(&backup), &line), 0);
	assert_int_equal(held(store), 2);
	changed(store, &version, true);
	assert_int_equal(subscribers_restore(store, SLICE("postern-subscribers 1\n"), &line), 0);
	assert_int_equal(held(store), 0);
	buf_free(&backup);
}

static void a_file_holds_subscribers(void **state)
{
	char folder[] = "/tmp/postern-subscribers-XXXXXX", path[64];
	struct subscribers *store, *other;
	struct made carol;
	uint64_t version = 0;
	(void)state;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/new/s.db", folder);
	struct subscribers_config config = {.path = path};
	assert_int_equal(subscribers_open(&config, NULL, &store), 0);
	verbs(store);
	/* what another process writes is seen */
	assert_int_equal(subscribers_open(&config, NULL, &other), 0);
	changed(store, &version, true);
	make(&carol, "falco.bz", "carol", "x");
	assert_int_equal(subscribers_add(other, &carol.subscriber), 0);
	changed(store, &version, true);
	assert_int_equal(held(store), 1);
	subscribers_close(other);
	subscribers_close(store);
	unlink(path);
	snprintf(path, sizeof(path), "%s/new", folder);
	rmdir(path);
	rmdir(folder);
}

static void redis_holds_subscribers(void **state)
{
	struct redis_server server;
	struct subscribers *store;
	(void)state;

	if (redis_server_create(&server) != 0 || redis_server_start(&server, NULL, NULL) != 0)
		fail_msg("redis-server does not start: apt-get install redis-server");
	struct subscribers_config config = {.redis_unix = server.socket};
	assert_int_equal(subscribers_open(&config, NULL, &store), 0);
	verbs(store);
	/* a server that was started anew is connected to again */
	redis_server_kill(&server);
	uint64_t version;
	assert_int_not_equal(subscribers_version(store, &version), 0);
	assert_int_equal(redis_server_start(&server, NULL, NULL), 0);
	assert_int_equal(held(store), 0);
	subscribers_close(store);
	redis_server_destroy(&server);
}

static int find(void *owner, struct slice name, struct slice value)
{
	unsigned *n = owner;
	assert_true(slice_equal(name, SLICE("b")) && slice_equal(value, SLICE("2")));
	(*n)++;
	return 0;
}

static void locations(const struct kept_config *config)
{
	struct kept *kept;
	unsigned n = 0;

	assert_int_equal(kept_create(config, NULL, &kept), 0);
	assert_int_equal(kept_begin(kept), 0);
	assert_int_equal(kept_put(kept, SLICE("a"), SLICE("1")), 0);
	assert_int_equal(kept_put(kept, SLICE("b"), SLICE("1")), 0);
	assert_int_equal(kept_put(kept, SLICE("b"), SLICE("2")), 0);
	assert_int_equal(kept_remove(kept, SLICE("a")), 0);
	assert_int_equal(kept_commit(kept), 0);
	assert_int_equal(kept_begin(kept), 0);
	assert_int_equal(kept_remove(kept, SLICE("b")), 0);
	kept_abort(kept);
	kept_destroy(kept);
	assert_int_equal(kept_create(config, NULL, &kept), 0);
	assert_int_equal(kept_each(kept, find, &n), 0);
	assert_int_equal(n, 1);
	kept_destroy(kept);
}

static void what_is_committed_is_kept(void **state)
{
	char path[] = "/tmp/postern-kept-XXXXXX";
	struct redis_server server;
	(void)state;

	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	struct kept_config file = {.path = path};
	locations(&file);
	unlink(path);
	if (redis_server_create(&server) != 0 || redis_server_start(&server, NULL, NULL) != 0)
		fail_msg("redis-server does not start: apt-get install redis-server");
	struct kept_config redis = {.redis = {.unix_path = server.socket}, .node = "n1"};
	locations(&redis);
	redis_server_destroy(&server);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_holds_subscribers),
		cmocka_unit_test(redis_holds_subscribers),
		cmocka_unit_test(what_is_committed_is_kept),
	};
	signal(SIGPIPE, SIG_IGN); /* as the daemons do */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
