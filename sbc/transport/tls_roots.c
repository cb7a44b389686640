/* The system's certificate authorities, read once for all interfaces and beside what else starts:
 * to parse 140 takes 30 to 50 ms, which calls would wait after a restart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/tls_private.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct tls_roots {
	X509_STORE *store;
	BIO *bundle; /* what the file says; NULL = there is none */
	pthread_t thread;
	pthread_mutex_t lock;  /* who joins */
	_Atomic bool are_read; /* or can never be */
};

static void *read_roots(void *owner)
{
	struct tls_roots *roots = owner;
	X509 *certificate;

	/* A machine without any trusts nobody: each handshake then says so. */
	while (roots->bundle &&
	       (certificate = PEM_read_bio_X509_AUX(roots->bundle, NULL, NULL, NULL))) {
		(void)X509_STORE_add_cert(roots->store, certificate);
		X509_free(certificate);
	}
	ERR_clear_error();
	return NULL;
}

/* The whole file at once, as X509_STORE_set_default_paths() would find it; parsing it takes long.
 */
static BIO *read_bundle(void)
{
	const char *path = getenv(X509_get_default_cert_file_env());
	BIO *file = BIO_new_file(path ? path : X509_get_default_cert_file(), "r"),
	    *bundle = file ? BIO_new(BIO_s_mem()) : NULL;
	char part[16384];
	int len;

	while (bundle && (len = BIO_read(file, part, sizeof(part))) > 0) {
		if (BIO_write(bundle, part, len) != len) {
			BIO_free(bundle);
			bundle = NULL;
		}
	}
	BIO_free(file);
	ERR_clear_error();
	return bundle;
}

/* Of the folder, each certificate is read when it is asked for. */
static bool has_folder(X509_STORE *store)
{
	X509_LOOKUP *folder = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());

	return folder && X509_LOOKUP_add_dir(folder, NULL, X509_FILETYPE_DEFAULT) == 1;
}

int tls_roots_create(struct tls_roots **out)
{
	struct tls_roots *roots = calloc(1, sizeof(*roots));
	sigset_t all, before;

	if (!roots)
		return -ERR_NO_MEMORY;
	roots->store = X509_STORE_new();
	if (!roots->store || !has_folder(roots->store)) {
		X509_STORE_free(roots->store);
		free(roots);
		return -ERR_NO_MEMORY;
	}
	roots->bundle = read_bundle();
	pthread_mutex_init(&roots->lock, NULL);
	atomic_init(&roots->are_read, false);
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&roots->thread, NULL, read_roots, roots);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		read_roots(roots);
		atomic_store(&roots->are_read, true);
	}
	*out = roots;
	return 0;
}

/* Only who connects within moments of the start waits for the rest. */
void tls_roots_wait(struct tls_roots *roots)
{
	if (atomic_load_explicit(&roots->are_read, memory_order_acquire))
		return;
	pthread_mutex_lock(&roots->lock);
	if (!atomic_load(&roots->are_read)) {
		pthread_join(roots->thread, NULL);
		atomic_store(&roots->are_read, true);
	}
	pthread_mutex_unlock(&roots->lock);
}

void tls_roots_use(struct tls_roots *roots, SSL_CTX *context)
{
	SSL_CTX_set1_cert_store(context, roots->store);
}

void tls_roots_free(struct tls_roots *roots)
{
	if (!roots)
		return;
	tls_roots_wait(roots);
	pthread_mutex_destroy(&roots->lock);
	BIO_free(roots->bundle);
	X509_STORE_free(roots->store);
	free(roots);
}
