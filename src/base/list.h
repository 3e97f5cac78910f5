#ifndef NIGHTMAIL_BASE_LIST_H
#define NIGHTMAIL_BASE_LIST_H

/*
 * An intrusive doubly linked list. The head is a node of its own; an empty list points to
 * itself. The list owns nothing.
 */

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(head) \
	{ &(head), &(head) }
/* The struct of type `type` whose member `member` is *node. */
#define list_entry(node, type, member) \
	((type *)(void *)((char *)(node)-offsetof(type, member)))
/* Visits every node; the current one may be removed. */
#define list_each(it, tmp, head)                                      \
	for ((it) = (head)->next, (tmp) = (it)->next; (it) != (head); \
	     (it) = (tmp), (tmp) = (it)->next)

static inline void list_init(struct list *head) {
	head->next = head->prev = head;
}
static inline bool list_empty(const struct list *head) {
	return head->next == head;
}
static inline void list_add_tail(struct list *head, struct list *node) {
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}
/* Removes the node and leaves it as an empty list, so that removing it again is harmless. */
static inline void list_remove(struct list *node) {
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
