/* docs/configuration.md from the table. SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"
#include "config/types.h"

static const char introduction[] =
	"<!-- Made by `postern config docs` from config/schema_*.c: change it there. -->\n"
	"# Configuration\n"
	"\n"
	"One YAML file, read by both halves. Three nouns are enough: **interface** (a side, with "
	"its trust),\n"
	"**peer** (a far end: a PBX, a carrier) and **route** (what may go where; the first match "
	"wins).\n"
	"\n"
	"## The shortest file that works\n"
	"```yaml\n"
	"interfaces:\n"
	"  lan: {role: trusted, address: 10.0.0.1}\n"
	"  wan: {address: 203.0.113.10}\n"
	"peers:\n"
	"  pbx: {interface: lan, address: 10.0.0.20}\n"
	"```\n"
	"UDP and TCP 5060 on both sides; media always relayed; phones on `wan` may register "
	"through to `pbx`;\n"
	"registered phones may call through `pbx`, and `pbx` may call registered phones; nobody "
	"else may do\n"
	"anything. State is in memory, the stats sockets are on. More samples are in "
	"`config/samples/`.\n"
	"\n"
	"## How to read and check it\n"
	"- `postern check FILE` names everything that is wrong, with file:line:column, the line "
	"and a cure; nothing\n"
	"  starts until nothing is wrong. Warnings (unused peers, routes never reached, limits "
	"that cannot be\n"
	"  reached) do not keep it from starting.\n"
	"- `postern config show --effective FILE` prints every resulting value with where it comes "
	"from.\n"
	"- `postern config schema` prints a JSON Schema for editors (`# yaml-language-server: "
	"$schema=...`).\n"
	"- Precedence: **peer beats interface beats defaults**. An interface is untrusted unless "
	"the file says\n"
	"  otherwise, and every default follows from that role.\n"
	"- Without `phones` and `routes`, the phones of every untrusted interface register with "
	"the one peer of\n"
	"  the trusted ones, as in the shortest file. As soon as the file has `routes`, it says "
	"everything: phones\n"
	"  register only where `phones` says so. `phones` without `routes` implies the two routes "
	"to and from\n"
	"  their registrar.\n"
	"- `postern reload` has the running halves read the file again; a key marked *restart* is "
	"the only kind it\n"
	"  cannot change; interfaces, peers, domains and routes come and go. `postern check --diff "
	"OLD NEW` says it "
	"before.\n"
	"- YAML is read strictly: one document, at most 1 MiB and 16 levels, UTF-8, no anchors or "
	"aliases, no key\n"
	"  twice. Where a list is taken, a single value will do.\n"
	"- A name that would be read as something else is put in quotes: `\"+33*\"`, `\"112\"`, "
	"URIs with `;`.\n"
	"\n"
	"## How values are written\n"
	"| kind | how |\n"
	"|---|---|\n"
	"| duration | `500ms`, `30s`, `10m`, `2h`; `off` where nothing is allowed |\n"
	"| rate | `40/s`, `100/m`, `10/30s`; `off` = no limit |\n"
	"| range of ports | `20000-29999` |\n"
	"| network | `198.51.100.0/24`, `2001:db8::/32`, or one address |\n"
	"| transport and port | `udp/5060` |\n"
	"| number, header | a `*` at the end stands for any rest |\n"
	"| secret | `!env NAME` (environment) or `!file PATH` (its first line; relative to this "
	"file); never in the "
	"file itself, never printed |\n";

static void kind_add(struct buf *out, const struct schema_key *key)
{
	if (key->choices) {
		const char *separator = "";
		for (const struct schema_choice *c = key->choices; c->name; c++) {
			buf_printf(out, "%s`%s`", separator, c->name);
			separator = ", ";
		}
	} else if (key->type == &type_number || key->type == &type_limit) {
		buf_printf(out, "%s %llu to %llu", key->type->name, (unsigned long long)key->min,
			   (unsigned long long)key->max);
	} else {
		buf_add_text(out, key->type->name);
	}
	if (key->count_offset)
		buf_add_text(out, ", or a list");
}

static void default_add(struct buf *out, const struct schema_key *key, bool has_roles)
{
	if (key->is_required)
		buf_add_text(out, "**required**");
	else if (has_roles && key->trusted && strcmp(key->trusted, key->untrusted) != 0)
		buf_printf(out, "`%s`; trusted: `%s`", key->untrusted, key->trusted);
	else if (key->untrusted)
		buf_printf(out, "`%s`", key->untrusted);
	else if (key->otherwise)
		buf_add_text(out, key->otherwise);
}

static void choices_add(struct buf *out, const struct schema_key *key)
{
	for (const struct schema_choice *c = key->choices; c && c->name; c++)
		if (c->doc)
			buf_printf(out, " `%s`: %s.", c->name, c->doc);
}

static void section_add(struct buf *out, const struct schema_section *section)
{
	static const char *const shapes[] = {"", " (a map: name, then its keys)", " (a list)"};

	if (section->shape == SCHEMA_ROOT)
		buf_add_text(out, "\n## The rest of the file\n");
	else
		buf_printf(out, "\n## `%s`%s\n%s\n\n", section->path, shapes[section->shape],
			   section->doc);
	buf_add_text(out,
		     "| key | takes | without it | example | meaning |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < section->key_count; i++) {
		const struct schema_key *key = &section->keys[i];
		buf_printf(out, "| `%s` | ", key->path);
		kind_add(out, key);
		buf_add_text(out, " | ");
		default_add(out, key, section->shape == SCHEMA_MAP);
		buf_printf(out, " | `%s` | %s", key->example, key->doc);
		choices_add(out, key);
		buf_add_text(out, key->is_live ? " |\n" : " *Restart.* |\n");
	}
}

void schema_docs(struct buf *out)
{
	buf_add_text(out, introduction);
	for (int id = SCHEMA_INTERFACES; id < SCHEMA_SECTIONS; id++)
		section_add(out, schema_section((enum schema_section_id)id));
	section_add(out, schema_section(SCHEMA_FILE));
}
