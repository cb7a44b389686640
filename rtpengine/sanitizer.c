/* sanitizer.c - built only with the address sanitizer: what is known to leak in libraries at exit.
 * DPDK 22.11's AF_XDP driver closes a device without closing the XDP program it loaded by name
 * (libxdp, libbpf) and without freeing its descriptor of the UMEM: once per device, at exit.
 * SPDX-License-Identifier: Apache-2.0 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libxdp.so\nleak:libbpf.so\n";
}

const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
