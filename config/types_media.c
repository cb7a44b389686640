/* What media and packets take. SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#define VALUE(type) (*(const type *)value)

/* --- ports --------------------------------------------------------------------------------------
 */

static bool ports_read(struct loaded *loaded, const struct schema_key *key,
		       const struct yaml_node *node, void *out)
{
	struct slice last_text = node->text;
	struct slice first_text = slice_cut(&last_text, '-');
	uint32_t first, last;

	if (slice_to_u32(slice_trim(first_text), 65535, &first) ||
	    slice_to_u32(slice_trim(last_text), 65535, &last))
		return type_wrong(loaded, key, node);
	if (first > last) {
		finding_error(&loaded->findings, node->place,
			      "the range is upside down: write %u-%u", last, first);
		return false;
	}
	if (first < 1024) {
		finding_error(&loaded->findings, node->place,
			      "media ports below 1024 belong to services: begin at 1024 or above");
		return false;
	}
	/* RTP takes the even port of a pair, RTCP the odd one above (RFC 3550 section 11). */
	first += first % 2;
	last -= (last + 1) % 2;
	if (last < first + 3) {
		finding_error(&loaded->findings, node->place,
			      "a call takes two ports on each side: give at least four, from an "
			      "even one");
		return false;
	}
	*(struct config_ports *)out = (struct config_ports){(uint16_t)first, (uint16_t)last};
	return true;
}

static void ports_print(const struct loaded *loaded, const struct schema_key *key,
			const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	buf_printf(out, "%u-%u", VALUE(struct config_ports).first, VALUE(struct config_ports).last);
}

const struct schema_type type_ports = {
	.name = "range of ports",
	.write = "20000-29999",
	.pattern = "^[0-9]+ *- *[0-9]+$",
	.size = sizeof(struct config_ports),
	.read = ports_read,
	.print = ports_print,
};

/* --- DSCP (RFC 2474, 2597, 3246) ----------------------------------------------------------------
 */

static bool dscp_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	const char *t = node->text.data;
	size_t length = node->text.len;
	uint32_t code;

	if (!slice_to_u32(node->text, 63, &code))
		;
	else if (slice_equal(node->text, SLICE("ef")))
		code = 46;
	else if (length == 3 && t[0] == 'c' && t[1] == 's' && t[2] >= '0' && t[2] <= '7')
		code = 8u * (unsigned)(t[2] - '0');
	else if (length == 4 && t[0] == 'a' && t[1] == 'f' && t[2] >= '1' && t[2] <= '4' &&
		 t[3] >= '1' && t[3] <= '3')
		code = 8u * (unsigned)(t[2] - '0') + 2u * (unsigned)(t[3] - '0');
	else
		return type_wrong(loaded, key, node);
	*(uint8_t *)out = (uint8_t)code;
	return true;
}

static void dscp_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	unsigned code = VALUE(uint8_t);

	(void)loaded;
	(void)key;
	if (code == 46)
		buf_add_text(out, "ef");
	else if (code % 8 == 0)
		buf_printf(out, "cs%u", code / 8);
	else if (code % 2 == 0 && code >= 10 && code <= 38)
		buf_printf(out, "af%u%u", code / 8, code % 8 / 2);
	else
		buf_printf(out, "%u", code);
}

const struct schema_type type_dscp = {
	.name = "DSCP",
	.write = "ef, cs0 to cs7, af11 to af43, or 0 to 63",
	.pattern = "^(ef|cs[0-7]|af[1-4][1-3]|[0-9]|[1-5][0-9]|6[0-3])$",
	.size = sizeof(uint8_t),
	.read = dscp_read,
	.print = dscp_print,
};

/* --- codecs: an encoding name, with its clock rate where several have one name (RFC 4566) --------
 */

static bool codec_read(struct loaded *loaded, const struct schema_key *key,
		       const struct yaml_node *node, void *out)
{
	struct slice rate = node->text;
	struct slice name = slice_cut(&rate, '/');
	uint32_t hz = 1;

	if (!type_is_token(name) || name.len > 32 ||
	    (name.len < node->text.len && (slice_to_u32(rate, 1000000, &hz) || hz == 0)))
		return type_wrong(loaded, key, node);
	*(const char **)out = type_text(loaded, node->text);
	return true;
}

const struct schema_type type_codec = {
	.name = "codec",
	.write = "PCMA, opus or speex/16000",
	.pattern = "^[A-Za-z0-9.+_-]+(/[0-9]+)?$",
	.size = sizeof(const char *),
	.read = codec_read,
	.print = type_text_print,
};

/* --- bandwidth and load --------------------------------------------------------------------------
 */

static bool bandwidth_read(struct loaded *loaded, const struct schema_key *key,
			   const struct yaml_node *node, void *out)
{
	static const struct {
		const char *name;
		uint64_t kbps;
	} rates[] = {{"kbit/s", 1}, {"Mbit/s", 1000}, {"Gbit/s", 1000000}};
	size_t digits = 0;
	uint64_t number, kbps = 0;

	if (slice_equal(node->text, SLICE("off"))) {
		*(uint32_t *)out = 0;
		return true;
	}
	while (digits < node->text.len && node->text.data[digits] >= '0' &&
	       node->text.data[digits] <= '9')
		digits++;
	if (slice_to_u64(slice_sub(node->text, 0, digits), 4000000000, &number))
		return type_wrong(loaded, key, node);
	struct slice unit = slice_trim(slice_sub(node->text, digits, SIZE_MAX));
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (slice_equal(unit, slice_from(rates[i].name)))
			kbps = number * rates[i].kbps;
	if (kbps == 0 || kbps > 4000000000)
		return type_wrong(loaded, key, node);
	*(uint32_t *)out = (uint32_t)kbps;
	return true;
}

static void bandwidth_print(const struct loaded *loaded, const struct schema_key *key,
			    const void *value, struct buf *out)
{
	uint32_t kbps = VALUE(uint32_t);

	(void)loaded;
	(void)key;
	if (kbps == 0)
		buf_add_text(out, "off");
	else if (kbps % 1000000 == 0)
		buf_printf(out, "%uGbit/s", kbps / 1000000);
	else if (kbps % 1000 == 0)
		buf_printf(out, "%uMbit/s", kbps / 1000);
	else
		buf_printf(out, "%ukbit/s", kbps);
}

const struct schema_type type_bandwidth = {
	.name = "bandwidth",
	.write = "800Mbit/s, 2Gbit/s, 512kbit/s or off",
	.pattern = "^([0-9]+ *[kMG]bit/s|off)$",
	.size = sizeof(uint32_t),
	.read = bandwidth_read,
	.print = bandwidth_print,
};

static bool percent_read(struct loaded *loaded, const struct schema_key *key,
			 const struct yaml_node *node, void *out)
{
	struct slice text = node->text;
	uint32_t percent = 0;

	if (!slice_equal(text, SLICE("off"))) {
		if (text.len == 0 || text.data[text.len - 1] != '%' ||
		    slice_to_u32(slice_sub(text, 0, text.len - 1), 100, &percent) || percent == 0)
			return type_wrong(loaded, key, node);
	}
	*(uint32_t *)out = percent;
	return true;
}

static void percent_print(const struct loaded *loaded, const struct schema_key *key,
			  const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	if (VALUE(uint32_t))
		buf_printf(out, "%u%%", VALUE(uint32_t));
	else
		buf_add_text(out, "off");
}

const struct schema_type type_percent = {
	.name = "percentage",
	.write = "85%, or off",
	.pattern = "^([0-9]{1,3}%|off)$",
	.size = sizeof(uint32_t),
	.read = percent_read,
	.print = percent_print,
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
