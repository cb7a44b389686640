/* exits.h - exit statuses by which a half tells its supervisor what to do next.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

enum {
	EXIT_DRAINED =
		10, /* it was asked to end when it is empty, and is: the other one ends too */
	EXIT_HANDED_OVER = 11 /* to the next process of its kind: to be started at once */
};
