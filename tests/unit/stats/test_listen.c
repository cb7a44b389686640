/* Where the stats socket stands in the file system. SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct bench {
	char folder[64];
	char path[96];
	struct loop *loop;
	struct log log;
	FILE *log_file;
	struct stats_server_config config;
	struct stats_server *server;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	strcpy(b->folder, "/tmp/postern-stats-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof(b->path), "%s/stats.sock", b->folder);
	b->log_file = tmpfile();
	b->log = (struct log){.level = LOG_INFO, .fd = fileno(b->log_file), .program = "test"};
	assert_int_equal(loop_create(&b->loop), 0);
	b->config = (struct stats_server_config){.loop = b->loop, .log = &b->log, .path = b->path};
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	stats_server_destroy(b->server);
	loop_destroy(b->loop);
	fclose(b->log_file);
	assert_int_equal(rmdir(b->folder), 0); /* the socket is gone */
	free(b);
	return 0;
}

static void serve(struct bench *b)
{
	assert_int_equal(stats_server_create(&b->config, &b->server), 0);
}

static int try_connect(const struct bench *b)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, b->path, strlen(b->path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = connect(fd, (void *)&address, sizeof(address));
	close(fd);
	return err;
}

static unsigned logged(struct bench *b, const char *text)
{
	char line[1024];
	unsigned count = 0;
	rewind(b->log_file);
	while (fgets(line, sizeof(line), b->log_file))
		count += strstr(line, text) != NULL;
	return count;
}

static void the_socket_has_its_mode(void **state)
{
	struct bench *b = *state;
	struct stat status;
	serve(b);
	assert_int_equal(stat(b->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	stats_server_destroy(b->server);
	b->config.mode = 0600;
	serve(b);
	assert_int_equal(stat(b->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct bench *b = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, b->path, strlen(b->path) + 1);
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(dead, (void *)&address, sizeof(address)), 0);
	assert_int_equal(listen(dead, 1), 0);
	close(dead);
	assert_int_equal(access(b->path, F_OK), 0);
	serve(b);
	assert_int_equal(logged(b, "stats.stale_socket_replaced"), 1);
	assert_int_equal(try_connect(b), 0);
}

static void a_living_server_is_left_alone(void **state)
{
	struct bench *b = *state;
	struct stats_server *second = NULL;
	serve(b);
	assert_int_equal(stats_server_create(&b->config, &second), -ERR_EXISTS);
	assert_null(second);
	assert_int_equal(logged(b, "another process serves it"), 1);
	assert_int_equal(try_connect(b), 0);
}

static void a_place_that_cannot_be_is_named(void **state)
{
	struct bench *b = *state;
	char path[300];
	b->config.path = path;
	memset(path, 'p', sizeof(path));
	path[150] = '\0';
	assert_int_equal(stats_server_create(&b->config, &b->server), -ERR_TOO_LARGE);
	assert_int_equal(logged(b, "at most 107 bytes"), 1);

	snprintf(path, sizeof(path), "%s/no/such.sock", b->folder);
	assert_int_equal(stats_server_create(&b->config, &b->server), -ERR_NOT_FOUND);
	assert_int_equal(logged(b, "make the folder"), 1);

	snprintf(path, sizeof(path), "%s/file", b->folder);
	fclose(fopen(path, "w"));
	assert_int_equal(stats_server_create(&b->config, &b->server), -ERR_EXISTS);
	assert_int_equal(access(path, F_OK), 0); /* not removed: it is no socket */
	unlink(path);
	b->config.path = b->path;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_socket_has_its_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_living_server_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_place_that_cannot_be_is_named, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
