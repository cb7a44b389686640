/* What stands in other files or in the environment: secrets, never in the file itself and never
 * shown; certificates and keys. Read when the configuration is, so that a daemon that has let go of
 * its rights needs them no more. SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include <stdlib.h>

#include "config/certificate.h"

#define TEXT_VALUE (*(const char *const *)value)
#define SECRET_MAX 4096
#define PEM_MAX    (256u << 10)

/* A path beside the configuration. */
static char *path_beside(struct loaded *loaded, struct slice text)
{
	const char *slash = strrchr(loaded->findings.path, '/');
	char *path;

	if (text.len == 0 || text.data[0] == '/' || !slash)
		return type_text(loaded, text);
	path = arena_printf(loaded->arena, "%.*s/%.*s", (int)(slash - loaded->findings.path),
			    loaded->findings.path, SLICE_ARG(text));
	if (!path)
		loaded->findings.failed = true;
	return path;
}

/* The whole of it in the arena, NUL-terminated; false and a finding when there is none. */
static bool file_read(struct loaded *loaded, const struct yaml_node *node, const char *path,
		      size_t max, bool is_secret, struct slice *out)
{
	const struct config_host *host = loaded->host;
	bool is_public = false, done = false;
	char *buffer = malloc(max);
	char why[128] = "";
	size_t length = 0;

	if (!buffer) {
		loaded->findings.failed = true;
		return false;
	}
	if (!host->read_file(host->owner, path, buffer, max, &length, &is_public, why,
			     sizeof(why))) {
		finding_error(&loaded->findings, node->place, "cannot read the file %s: %s", path,
			      why);
	} else {
		char *text = type_text(loaded, (struct slice){buffer, length});
		done = text && (!is_secret || secret_keep(loaded, text, length));
		*out = (struct slice){text, length};
	}
	explicit_bzero(buffer, max);
	free(buffer);
	if (done && is_secret && is_public)
		finding_warn(&loaded->findings, node->place,
			     "%s can be read by everybody (chmod 640)", path);
	return done;
}

/* The first line of a file. */
static bool secret_from_file(struct loaded *loaded, const struct yaml_node *node, const char **out)
{
	char *path = path_beside(loaded, node->text);
	struct slice text;

	if (!path || !file_read(loaded, node, path, SECRET_MAX, true, &text))
		return false;
	struct slice secret = slice_cut(&text, '\n');
	if (secret.len && secret.data[secret.len - 1] == '\r')
		secret.len--;
	if (secret.len == 0 || slice_find(secret, '\0') < secret.len) {
		finding_error(&loaded->findings, node->place,
			      "the first line of %s is no secret: it is empty or binary", path);
		return false;
	}
	((char *)(uintptr_t)secret.data)[secret.len] = '\0';
	*out = secret.data;
	return true;
}

static bool secret_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct findings *findings = &loaded->findings;

	if (slice_equal(node->tag, SLICE("!file")))
		return secret_from_file(loaded, node, out);
	if (slice_equal(node->tag, SLICE("!env"))) {
		char *name = type_text(loaded, node->text);
		const char *value =
			name ? loaded->host->environment(loaded->host->owner, name) : NULL;
		if (!value || !*value) {
			finding_error(findings, node->place, "the environment has no %.*s",
				      SLICE_ARG(node->text));
			return false;
		}
		char *copy = type_text(loaded, slice_from(value));
		*(const char **)out = copy;
		return copy && secret_keep(loaded, copy, strlen(copy));
	}
	findings_hide(findings, node->place);
	finding_error(findings, node->place,
		      "a secret is not written here: use %s: !env NAME or %s: !file PATH",
		      key->path, key->path);
	return false;
}

static void secret_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	buf_add_text(out, TEXT_VALUE ? "(set, not shown)" : "");
}

static bool secret_is_same(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	return x && y ? strcmp(x, y) == 0 : x == y;
}

const struct schema_type type_secret = {
	.name = "secret",
	.write = "!env NAME or !file PATH",
	.size = sizeof(const char *),
	.takes_tag = true,
	.is_same = secret_is_same,
	.read = secret_read,
	.print = secret_print,
};

/* --- PEM files -----------------------------------------------------------------------------------
 */

static bool pem_read(struct loaded *loaded, const struct schema_key *key,
		     const struct yaml_node *node, void *out)
{
	bool is_key = slice_ends(slice_from(key->path), SLICE("key"));
	struct config_pem pem = {path_beside(loaded, node->text), NULL};
	struct slice text;

	if (node->tag.len && !slice_equal(node->tag, SLICE("!file")))
		return type_wrong(loaded, key, node);
	if (!pem.path || !file_read(loaded, node, pem.path, PEM_MAX, is_key, &text))
		return false;
	pem.text = text.data;
	const char *wrong = is_key ? certificate_check_key(text) : certificate_check_chain(text);
	if (wrong) {
		finding_error(&loaded->findings, node->place, "%s %s", pem.path, wrong);
		return false;
	}
	*(struct config_pem *)out = pem;
	return true;
}

static void pem_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		      struct buf *out)
{
	const struct config_pem *pem = value;

	(void)loaded;
	(void)key;
	if (!pem->path)
		return;
	buf_add_text(out, "!file ");
	type_quoted_add(out, pem->path);
}

/* Renewed under the same name. */
static bool pem_is_same(const void *a, const void *b)
{
	return secret_is_same(&((const struct config_pem *)a)->text,
			      &((const struct config_pem *)b)->text);
}

const struct schema_type type_pem = {
	.name = "PEM file",
	.write = "!file wan.pem, relative to this file",
	.size = sizeof(struct config_pem),
	.takes_tag = true,
	.is_same = pem_is_same,
	.read = pem_read,
	.print = pem_print,
};
