/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child that is in the sandbox does; its exit code. */
typedef int deed_fn(void);

static int status_of(deed_fn *deed)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		char why[128];
		if (sandbox_enter(why, sizeof(why)) != 0)
			_exit(99);
		_exit(deed());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int run_a_program(void)
{
	char name[] = "/bin/true";
	char *argv[] = {name, NULL};
	char *none[] = {NULL};

	execve(name, argv, none);
	return 0;
}

static int enter_a_namespace(void)
{
	return (int)syscall(SYS_unshare, 0);
}

static int open_sockets(void)
{
	if (socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0 || errno != ENOSYS)
		return 1;
	if (socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0)
		return 2;
	if (socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0)
		return 3;
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? 4 : 0;
}

static void *say_yes(void *owner)
{
	return owner;
}

static int start_a_thread(void)
{
	pthread_t thread;
	void *said = NULL;
	int yes = 1;

	if (pthread_create(&thread, NULL, say_yes, &yes) != 0 || pthread_join(thread, &said) != 0)
		return 1;
	return said == &yes ? 0 : 2;
}

static int swap_on(void)
{
	return syscall(SYS_swapon, "/nowhere", 0) == -1 && errno == ENOSYS ? 0 : 1;
}

static void another_program_ends_us(void **state)
{
	(void)state;
	int status = status_of(run_a_program);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void another_namespace_ends_us(void **state)
{
	(void)state;
	int status = status_of(enter_a_namespace);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void only_our_sockets_open(void **state)
{
	(void)state;
	int status = status_of(open_sockets);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void threads_start(void **state)
{
	(void)state;
	int status = status_of(start_a_thread);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void an_unlisted_call_is_not_there(void **state)
{
	(void)state;
	int status = status_of(swap_on);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_program_ends_us),
		cmocka_unit_test(another_namespace_ends_us),
		cmocka_unit_test(only_our_sockets_open),
		cmocka_unit_test(threads_start),
		cmocka_unit_test(an_unlisted_call_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
