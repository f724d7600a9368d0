/* places.h - memory shared by all processes of one server generation, and the places to wait for
 * the gateway that are counted in it.
 *
 * Every process has a slot of its own and writes no other: a process that is killed while its
 * threads wait takes no place with it for longer than until another process takes over its slot.
 * Threads: any, any process.
 */
#ifndef MOD_WXPAY_PLACES_H
#define MOD_WXPAY_PLACES_H

#include <stdatomic.h>
#include <apr_pools.h>
#include <apr_shm.h>
#include "log_limit.h"

typedef struct mod_wxpay_slot_t {
    volatile apr_uint32_t pid; /* 0: free */
    volatile apr_uint32_t waiting;
    volatile apr_uint32_t calls; /* gateway calls under way or queued */
} mod_wxpay_slot_t;

typedef struct mod_wxpay_load_t {
    apr_uint32_t waiting; /* requests that wait for the gateway now */
    apr_uint32_t calls;   /* gateway calls under way */
    apr_uint32_t queued;  /* and for want of a place not begun yet */
} mod_wxpay_load_t;

typedef struct mod_wxpay_shared_t {
    volatile apr_uint32_t store_seen; /* wxpay_sqlite_options_t.seen */
    mod_wxpay_log_limit_t refused;
    apr_uint32_t max_process; /* waiting at once in one process */
    apr_uint32_t max_server;  /* waiting at once in all of them */
    apr_uint32_t nslots;
    mod_wxpay_slot_t slots[]; /* and behind them what mod_wxpay_shared_down() finds */
} mod_wxpay_shared_t;

/* Anonymous shared memory for `slots` processes and `servers` delivery targets, all zero but the
 * limits, which are a quarter of the workers of a process and of the server, one at least. Before
 * forking. */
apr_status_t mod_wxpay_shared_create(apr_pool_t *p, int slots, int server_workers,
                                     int process_workers, int servers, mod_wxpay_shared_t **shared);
/* wxpay_outbox_options_t.down, one for each server. */
atomic_int *mod_wxpay_shared_down(mod_wxpay_shared_t *shared);

/* Take a slot for this process: a free one, or one whose process is gone. NULL: none left; then
 * nobody may wait in this process. */
mod_wxpay_slot_t *mod_wxpay_slot_take(mod_wxpay_shared_t *shared, apr_uint32_t pid);
/* When no request of this process waits any more. */
void mod_wxpay_slot_give_back(mod_wxpay_slot_t *slot);

/* 1: granted, mod_wxpay_place_leave() must follow. */
int mod_wxpay_place_enter(mod_wxpay_shared_t *shared, mod_wxpay_slot_t *slot);
void mod_wxpay_place_leave(mod_wxpay_slot_t *slot);
/* What all living processes are busy with; max_calls is the limit of each. */
void mod_wxpay_load(mod_wxpay_shared_t *shared, apr_uint32_t max_calls, mod_wxpay_load_t *load);
/* 1 while somebody waits. slot may be NULL. */
int mod_wxpay_place_taken(mod_wxpay_slot_t *slot);

#endif
