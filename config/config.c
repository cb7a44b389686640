/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/raw.h"

struct config_holders {
	atomic_uint count;
};

#define ARENA_CHUNK (64u << 10)
#define ARENA_LIMIT (48u << 20) /* a hostile file is refused, it does not fill the machine */

/* One byte more than may be there, so that a larger file is known as such. */
static int read_whole(int fd, char *out, size_t *length)
{
	*length = 0;
	while (*length <= YAML_MAX_BYTES) {
		ssize_t got = read(fd, out + *length, YAML_MAX_BYTES + 1 - *length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		if (got == 0)
			break;
		*length += (size_t)got;
	}
	return 0;
}

int loaded_read(const char *path, char **source, size_t *length, struct buf *findings)
{
	struct stat status;
	char *text;
	int err, fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		buf_printf(findings, "%s: cannot be opened: %s\n", path, strerror(errno));
		return err_from_errno(errno);
	}
	if (!fstat(fd, &status) && S_ISDIR(status.st_mode)) {
		buf_printf(findings, "%s: is a directory, not a file\n", path);
		close(fd);
		return -ERR_INVALID;
	}
	if (!fstat(fd, &status) && status.st_size > (off_t)YAML_MAX_BYTES) {
		buf_printf(findings, "%s: is larger than 1 MiB\n", path);
		close(fd);
		return -ERR_TOO_LARGE;
	}
	text = malloc(YAML_MAX_BYTES + 2);
	if (!text) {
		close(fd);
		return -ERR_NO_MEMORY;
	}
	err = read_whole(fd, text, length);
	close(fd);
	if (err) {
		buf_printf(findings, "%s: cannot be read: %s\n", path, err_text(err));
		free(text);
		return err;
	}
	text[*length] = '\0';
	*source = text;
	return 0;
}

bool secret_keep(struct loaded *loaded, char *text, size_t length)
{
	struct secret *secret = arena_zalloc(loaded->arena, sizeof(*secret));

	if (!secret) {
		explicit_bzero(text, length);
		loaded->findings.failed = true;
		return false;
	}
	*secret = (struct secret){loaded->secrets, text, length};
	loaded->secrets = secret;
	return true;
}

void loaded_destroy(struct loaded *loaded)
{
	if (!loaded)
		return;
	/* The arena's memory goes back to malloc as it is: what must not stay is wiped here. */
	for (struct secret *secret = loaded->secrets; secret; secret = secret->next)
		explicit_bzero(secret->text, secret->length);
	for (size_t i = 0; i < loaded->interface_count; i++)
		config_release(loaded->interfaces[i].origin);
	free(loaded->file.public.holders);
	findings_free(&loaded->findings);
	arena_destroy(loaded->arena);
	free(loaded->source);
	free(loaded);
}

static int read_text(struct loaded *loaded, const struct follow *follow)
{
	struct yaml_node *root = NULL;
	int err = yaml_parse(&loaded->findings, &root);

	if (err)
		return err;
	loaded->follow = follow;
	if (follow)
		follow_order(loaded, root);
	load_sections(loaded, root);
	finish_sections(loaded);
	check_sections(loaded);
	loaded->follow = NULL;
	return 0;
}

static int create(const char *path, char *source, size_t length, const struct config_host *host,
		  const struct follow *follow, struct loaded **out, struct buf *findings)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	int err;

	if (!loaded) {
		free(source);
		return -ERR_NO_MEMORY;
	}
	loaded->source = source;
	loaded->host = host;
	err = arena_create(ARENA_CHUNK, ARENA_LIMIT, &loaded->arena);
	if (err)
		goto fail;
	findings_init(&loaded->findings, loaded->arena, path, (struct slice){source, length});
	loaded->file.public.path = arena_text(loaded->arena, slice_from(path));
	loaded->file.public.holders = calloc(1, sizeof(struct config_holders));
	if (!loaded->file.public.path || !loaded->file.public.holders) {
		err = -ERR_NO_MEMORY;
		goto fail;
	}
	atomic_init(&loaded->file.public.holders->count, 1);
	err = read_text(loaded, follow);
	findings_show(&loaded->findings, findings);
	if (loaded->findings.failed) {
		buf_printf(findings, "%s: out of memory\n", path);
		err = -ERR_NO_MEMORY;
	} else if (loaded->findings.errors) {
		err = -ERR_MALFORMED;
	}
	if (err)
		goto fail;
	*out = loaded;
	return 0;
fail:
	loaded_destroy(loaded);
	return err;
}

int loaded_create(const char *path, char *source, size_t length, const struct config_host *host,
		  struct loaded **out, struct buf *findings)
{
	return create(path, source, length, host, NULL, out, findings);
}

int loaded_follow(const struct follow *follow, char *source, size_t length, struct loaded **out,
		  struct buf *findings)
{
	const struct loaded *before = follow->before;

	return create(before->file.public.path, source, length, before->host, follow, out,
		      findings);
}

int config_load(const char *path, struct config **out, struct buf *findings)
{
	struct loaded *loaded;
	char *source = NULL;
	size_t length = 0;
	int err = loaded_read(path, &source, &length, findings);

	if (!err)
		err = loaded_create(path, source, length, &config_this_host, &loaded, findings);
	if (err)
		return err;
	*out = &loaded->file.public;
	return 0;
}

const struct config *config_hold(const struct config *config)
{
	if (config->holders)
		atomic_fetch_add(&config->holders->count, 1);
	return config;
}

void config_release(const struct config *config)
{
	if (!config || !config->holders || atomic_fetch_sub(&config->holders->count, 1) != 1)
		return;
	/* The public part is the first member of the first member. */
	loaded_destroy((struct loaded *)(uintptr_t)config);
}

void config_free(struct config *config)
{
	config_release(config);
}

int config_find_interface(const struct config *config, struct slice name)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (!config->interfaces[i].retired &&
		    slice_equal(name, slice_from(config->interfaces[i].name)))
			return (int)i;
	return -1;
}

int config_find_peer(const struct config *config, struct slice name)
{
	for (size_t i = 0; i < config->peer_count; i++)
		if (!config->peers[i].retired &&
		    slice_equal(name, slice_from(config->peers[i].name)))
			return (int)i;
	return -1;
}

bool config_number_matches(const struct config_number *number, struct slice user)
{
	struct slice text = slice_from(number->text);

	return number->is_prefix ? slice_starts(user, text) : slice_equal(user, text);
}
