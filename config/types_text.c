/* SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE(type) (*(const type *)value)
#define TEXT_VALUE  (*(const char *const *)value)
#define SECRET_MAX  4096
/* sizeof(sun_path) - 1: what a Unix socket's address holds */
#define SOCKET_PATH_MAX 107

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool type_is_word(struct slice text)
{
	if (text.len == 0 || text.len > 64)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_alnum(text.data[i]) && text.data[i] != '-' && text.data[i] != '_' &&
		    text.data[i] != '.')
			return false;
	return true;
}

bool type_is_host(struct slice text)
{
	struct slice rest = text;
	bool letter = false;

	if (text.len == 0 || text.len > 253)
		return false;
	while (rest.data && rest.len) {
		struct slice label = slice_cut(&rest, '.');
		if (label.len == 0 || label.len > 63 || label.data[0] == '-' ||
		    label.data[label.len - 1] == '-')
			return false;
		letter = false;
		for (size_t i = 0; i < label.len; i++) {
			if (!is_alnum(label.data[i]) && label.data[i] != '-')
				return false;
			letter = letter || (label.data[i] > '9');
		}
	}
	return letter; /* of the last label: otherwise it is a wrong address */
}

static bool text_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, bool good, void *out)
{
	if (!good)
		return type_wrong(loaded, key, node);
	*(const char **)out = type_text(loaded, node->text);
	return true;
}

static void text_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	(void)loaded;
	(void)key;
	if (TEXT_VALUE)
		buf_add_text(out, TEXT_VALUE);
}

static bool word_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	return text_read(loaded, key, node, type_is_word(node->text), out);
}

const struct schema_type type_word = {
	.name = "name",
	.write = "letters, digits, '-', '_' and '.', at most 64",
	.pattern = "^[A-Za-z0-9_.-]{1,64}$",
	.size = sizeof(const char *),
	.read = word_read,
	.print = text_print,
};

static bool domain_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct addr addr;
	bool good = type_is_host(node->text) || !addr_parse_ip(node->text, &addr);

	return text_read(loaded, key, node, good, out);
}

const struct schema_type type_domain = {
	.name = "domain",
	.write = "a host name such as example.com",
	.size = sizeof(const char *),
	.read = domain_read,
	.print = text_print,
};

static bool path_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	if (node->text.len > SOCKET_PATH_MAX) {
		finding_error(&loaded->findings, node->place,
			      "the path of a socket holds at most %d bytes, this has %zu",
			      SOCKET_PATH_MAX, node->text.len);
		return false;
	}
	return text_read(loaded, key, node, node->text.len > 1 && node->text.data[0] == '/', out);
}

const struct schema_type type_path = {
	.name = "path",
	.write = "one that begins with /",
	.pattern = "^/.+$",
	.size = sizeof(const char *),
	.read = path_read,
	.print = text_print,
};

static bool user_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	if (!text_read(loaded, key, node, type_is_word(node->text), out))
		return false;
	const char *user = *(const char **)out;
	if (user && !loaded->host->has_user(loaded->host->owner, user)) {
		finding_error(&loaded->findings, node->place,
			      "this machine has no user \"%s\" (useradd --system %s creates it)",
			      user, user);
		return false;
	}
	return true;
}

const struct schema_type type_user = {
	.name = "user",
	.write = "the name of a user of this machine",
	.pattern = "^[A-Za-z0-9_.-]{1,64}$",
	.size = sizeof(const char *),
	.read = user_read,
	.print = text_print,
};

/* --- secrets: never in the file itself, never shown ----------------------------------------------
 */

/* The first line of a file beside the configuration. */
static bool secret_from_file(struct loaded *loaded, const struct yaml_node *node, const char **out)
{
	struct findings *findings = &loaded->findings;
	char text[SECRET_MAX + 1];
	const char *slash = strrchr(findings->path, '/');
	struct stat status;
	char *path;

	if (node->text.len && node->text.data[0] != '/' && slash)
		path = arena_printf(loaded->arena, "%.*s/%.*s", (int)(slash - findings->path),
				    findings->path, SLICE_ARG(node->text));
	else
		path = type_text(loaded, node->text);
	if (!path)
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		finding_error(findings, node->place, "cannot read the file %s: %s", path,
			      fd < 0 ? strerror(errno) : "not a plain file");
		if (fd >= 0)
			close(fd);
		return false;
	}
	ssize_t got = read(fd, text, SECRET_MAX);
	close(fd);
	struct slice secret = {text, got > 0 ? (size_t)got : 0};
	secret = slice_cut(&secret, '\n');
	if (secret.len && secret.data[secret.len - 1] == '\r')
		secret.len--;
	if (secret.len == 0 || slice_find(secret, '\0') < secret.len) {
		finding_error(findings, node->place,
			      "the first line of %s is no secret: it is empty "
			      "or binary",
			      path);
		return false;
	}
	if (status.st_mode & S_IROTH)
		finding_warn(findings, node->place, "%s can be read by everybody (chmod 640)",
			     path);
	*out = type_text(loaded, secret);
	explicit_bzero(text, sizeof(text));
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
		*(const char **)out = type_text(loaded, slice_from(value));
		return true;
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

const struct schema_type type_secret = {
	.name = "secret",
	.write = "!env NAME or !file PATH",
	.size = sizeof(const char *),
	.takes_tag = true,
	.read = secret_read,
	.print = secret_print,
};

/* --- called numbers ------------------------------------------------------------------------------
 */

static bool called_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct config_number number = {NULL, false};
	struct slice text = node->text;

	if (text.len == 0 || text.len > 64)
		return type_wrong(loaded, key, node);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] == '@' || text.data[i] == ':')
			return type_wrong(loaded, key, node);
	if (text.data[text.len - 1] == '*') {
		number.is_prefix = true;
		text.len--;
	}
	number.text = type_text(loaded, text);
	*(struct config_number *)out = number;
	return true;
}

static void called_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	buf_printf(out, "\"%s%s\"", VALUE(struct config_number).text,
		   VALUE(struct config_number).is_prefix ? "*" : "");
}

const struct schema_type type_called = {
	.name = "number",
	.write = "\"112\", or \"+33*\" for all that begin so",
	.size = sizeof(struct config_number),
	.read = called_read,
	.print = called_print,
};

/* --- packet drivers ------------------------------------------------------------------------------
 */

static bool is_pci_address(struct slice text)
{
	static const char shape[] = "xxxx:xx:xx.o";

	if (text.len != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
		if (shape[i] == 'x' ? !hex : shape[i] == 'o' ? c < '0' || c > '7' : c != shape[i])
			return false;
	}
	return true;
}

static bool driver_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct raw_driver driver = {CONFIG_DRIVER_AUTO, NULL};

	if (slice_equal(node->text, SLICE("af_xdp")))
		driver.driver = CONFIG_DRIVER_AF_XDP;
	else if (slice_equal(node->text, SLICE("af_packet")))
		driver.driver = CONFIG_DRIVER_AF_PACKET;
	else if (is_pci_address(node->text))
		driver = (struct raw_driver){CONFIG_DRIVER_PCI, type_text(loaded, node->text)};
	else if (!slice_equal(node->text, SLICE("auto")))
		return type_wrong(loaded, key, node);
	*(struct raw_driver *)out = driver;
	return true;
}

static void driver_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	static const char *const names[] = {"auto", "af_xdp", "af_packet"};
	struct raw_driver driver = VALUE(struct raw_driver);

	(void)loaded;
	(void)key;
	buf_add_text(out, driver.pci_address ? driver.pci_address : names[driver.driver]);
}

const struct schema_type type_driver = {
	.name = "driver",
	.write = "auto, af_xdp, af_packet or a PCI address such as 0000:03:00.0",
	.size = sizeof(struct raw_driver),
	.read = driver_read,
	.print = driver_print,
};
