/* xml.h - change single values of an XML document and leave every other byte as it is. Read by
 * libexpat: UTF-8, no document type (so there are no entities to expand), bounded depth; comments
 * and processing instructions are taken out, as nobody needs them and anything may stand there.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

enum { XML_DEPTH_MAX = 32, XML_ATTRIBUTES_MAX = 32 };

struct xml_attribute {
	struct slice name;  /* without its namespace's prefix */
	struct slice value; /* decoded */
	bool is_changed;
	struct buf changed; /* the new value, not yet escaped; valid when is_changed */
};

struct xml_visitor {
	void *owner;
	/* An element begins; attributes may be changed. */
	void (*element)(void *owner, struct slice name, struct xml_attribute *attributes,
			size_t count);
	/* The text of an element without children, trimmed: true = `changed` holds another one. */
	bool (*text)(void *owner, struct slice element, struct slice text, struct buf *changed);
};

/* -ERR_MALFORMED (nothing usable is appended), -ERR_TOO_MANY, -ERR_NO_MEMORY. */
MUST_CHECK int xml_rewrite(struct slice document, const struct xml_visitor *visitor,
			   struct buf *out);
