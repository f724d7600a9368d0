#include "places.h"
#include <apr_atomic.h>
#include <errno.h>
#include <signal.h>
#include <sys/types.h>

static apr_uint32_t quarter(int workers)
{
    return workers < 8 ? 1 : (apr_uint32_t)workers / 4;
}

apr_status_t mod_wxpay_shared_create(apr_pool_t *p, int slots, int server_workers,
                                     int process_workers, int servers, mod_wxpay_shared_t **shared)
{
    apr_size_t size = sizeof(**shared) + (apr_size_t)slots * sizeof(mod_wxpay_slot_t) +
                      (apr_size_t)servers * sizeof(atomic_int);
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, size, NULL, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *shared = apr_shm_baseaddr_get(shm);
    memset(*shared, 0, size);
    (*shared)->max_process = quarter(process_workers);
    (*shared)->max_server = quarter(server_workers);
    (*shared)->nslots = (apr_uint32_t)slots;
    return APR_SUCCESS;
}

atomic_int *mod_wxpay_shared_down(mod_wxpay_shared_t *shared)
{
    return (atomic_int *)(void *)&shared->slots[shared->nslots];
}

static int alive(apr_uint32_t pid)
{
    return pid != 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

mod_wxpay_slot_t *mod_wxpay_slot_take(mod_wxpay_shared_t *shared, apr_uint32_t pid)
{
    apr_uint32_t i;

    for (i = 0; i < shared->nslots; i++) {
        mod_wxpay_slot_t *slot = &shared->slots[i];
        apr_uint32_t owner = apr_atomic_read32(&slot->pid);

        if (!alive(owner) && apr_atomic_cas32(&slot->pid, pid, owner) == owner) {
            apr_atomic_set32(&slot->waiting, 0);
            apr_atomic_set32(&slot->calls, 0);
            return slot;
        }
    }
    return NULL;
}

void mod_wxpay_slot_give_back(mod_wxpay_slot_t *slot)
{
    apr_atomic_set32(&slot->pid, 0);
}

static apr_uint32_t waiting_everywhere(mod_wxpay_shared_t *shared)
{
    apr_uint32_t i, sum = 0;

    for (i = 0; i < shared->nslots; i++) {
        sum += apr_atomic_read32(&shared->slots[i].waiting);
    }
    return sum;
}

int mod_wxpay_place_enter(mod_wxpay_shared_t *shared, mod_wxpay_slot_t *slot)
{
    if (!slot) {
        return 0;
    }
    /* Counted first and looked at afterwards: two that come at once may both be refused, but never
     * both be one too many. */
    if (apr_atomic_inc32(&slot->waiting) < shared->max_process &&
        waiting_everywhere(shared) <= shared->max_server) {
        return 1;
    }
    apr_atomic_dec32(&slot->waiting);
    return 0;
}

void mod_wxpay_place_leave(mod_wxpay_slot_t *slot)
{
    apr_atomic_dec32(&slot->waiting);
}

void mod_wxpay_load(mod_wxpay_shared_t *shared, apr_uint32_t max_calls, mod_wxpay_load_t *load)
{
    apr_uint32_t i;

    memset(load, 0, sizeof(*load));
    for (i = 0; i < shared->nslots; i++) {
        mod_wxpay_slot_t *slot = &shared->slots[i];
        apr_uint32_t calls = apr_atomic_read32(&slot->calls);

        if (alive(apr_atomic_read32(&slot->pid))) {
            load->waiting += apr_atomic_read32(&slot->waiting);
            load->calls += calls < max_calls ? calls : max_calls;
            load->queued += calls < max_calls ? 0 : calls - max_calls;
        }
    }
}

int mod_wxpay_place_taken(mod_wxpay_slot_t *slot)
{
    return slot && apr_atomic_read32(&slot->waiting) > 0;
}
