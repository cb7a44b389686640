/* notify.c - which subscription a NOTIFY belongs to. It may come before the 2xx to its SUBSCRIBE,
 * and from more than one of those to whom a proxy forked that (RFC 6665 4.1.2.4, 4.4.1).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/subscription/internal.h"
#include "sbc/topology/owned.h"

static bool is_from(const struct subscription *subscription, const struct message *notify)
{
	return slice_equal_nocase(subscription->sides[NOTIFIER].dialog.remote_tag,
				  message_from_tag(notify));
}

/* The NOTIFY makes the notifier's dialog. */
static int establish(struct subscription *subscription, const struct message *notify,
		     const struct transport_path *path)
{
	struct side *side = &subscription->sides[NOTIFIER];

	int err = owned_set(&side->dialog.remote_tag, message_from_tag(notify));
	if (!err)
		err = dialog_set_routes(&side->dialog, notify, false);
	if (!err)
		err = dialog_set_target(&side->dialog, notify);
	if (!err && !slice_is_empty(side->dialog.remote_target))
		subscription->is_up = true;
	side->path = *path;
	return err;
}

/* The same subscriber, another notifier: towards the subscriber another tag of ours. */
static struct subscription *fork_off(struct subscription *first, const struct message *notify,
				     const struct transport_path *path)
{
	struct subscriptions *all = first->all;
	struct subscription *fork;
	char tag[TOKEN_LENGTH];

	if (first->fork_count == FORKS_MAX || subscription_create(all, 0, &fork) != 0)
		return NULL;
	fork->root = first->number;
	fork->asked_s = first->asked_s;
	for (int i = 0; i < 2; i++) {
		fork->sides[i] = first->sides[i];
		fork->sides[i].dialog = (struct dialog){0};
	}
	subscription_token(fork, SUBSCRIBER, tag);
	struct dialog *subscriber = &fork->sides[SUBSCRIBER].dialog;
	struct dialog *notifier = &fork->sides[NOTIFIER].dialog;
	int err = dialog_copy(subscriber, &first->sides[SUBSCRIBER].dialog);
	if (!err)
		err = dialog_copy(notifier, &first->sides[NOTIFIER].dialog);
	if (!err)
		err = owned_set(&subscriber->local_tag, (struct slice){tag, TOKEN_LENGTH});
	if (!err)
		err = owned_set(&fork->event, first->event);
	if (!err)
		err = owned_set(&fork->target, first->target);
	if (!err)
		err = establish(fork, notify, path);
	notifier->has_remote_cseq = false;
	if (err) {
		subscription_end(fork);
		return NULL;
	}
	first->forks[first->fork_count++] = fork->number;
	counter_add(&all->counters.forked, 1);
	subscription_arm(fork, fork->asked_s);
	subscription_keep(fork);
	subscription_keep(first);
	return fork;
}

uint64_t notify_missing(const struct subscription *first, const struct message *notify)
{
	uint64_t missing = 0;

	if (slice_is_empty(first->sides[NOTIFIER].dialog.remote_tag) || is_from(first, notify))
		return 0;
	for (uint32_t i = 0; i < first->fork_count; i++) {
		const struct subscription *fork = subscription_find(first->all, first->forks[i]);
		if (fork && is_from(fork, notify))
			return 0;
		if (!fork)
			missing = first->forks[i];
	}
	return missing;
}

void notify_forget(struct subscription *first, uint64_t fork)
{
	for (uint32_t i = 0; i < first->fork_count; i++)
		if (first->forks[i] == fork)
			first->forks[i] = first->forks[--first->fork_count];
}

struct subscription *notify_match(struct subscription *first, const struct message *notify,
				  const struct transport_path *path)
{
	const struct dialog *dialog = &first->sides[NOTIFIER].dialog;

	if (!slice_equal(dialog->call_id, message_call_id(notify)) ||
	    !slice_equal_nocase(dialog->local_tag, message_to_tag(notify)) ||
	    !side_is_source(first, NOTIFIER, path))
		return NULL;
	if (slice_is_empty(dialog->remote_tag))
		return establish(first, notify, path) == 0 ? first : NULL;
	if (is_from(first, notify))
		return first;
	for (uint32_t i = 0; i < first->fork_count; i++) {
		struct subscription *fork = subscription_find(first->all, first->forks[i]);
		if (fork && is_from(fork, notify))
			return fork;
	}
	if (message_method(notify) != METHOD_NOTIFY)
		return NULL;
	return fork_off(first, notify, path);
}
