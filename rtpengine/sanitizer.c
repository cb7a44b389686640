/* sanitizer.c - built only with the address sanitizer. The leaks of libraries that the datapath
 * names (af_xdp.c) are not worth a report each time: a report file that says nothing is wrong looks
 * like one that does, and after privileges are dropped it could not be written.
 * SPDX-License-Identifier: Apache-2.0 */
const char *__lsan_default_options(void);

const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
