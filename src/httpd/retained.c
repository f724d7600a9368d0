#include "retained.h"
#include <httpd.h>
#include <http_config.h>
#include <sys/mman.h>

/* What stays behind when the module is unloaded: the address does, its meaning may not. */
typedef struct retained_t {
    void *memory;
    apr_size_t size;
} retained_t;

void *mod_wxpay_retained(const char *name, apr_size_t size)
{
    retained_t *retained = ap_retained_data_get(name);
    void *memory;

    if (!retained) {
        retained = ap_retained_data_create(name, sizeof(*retained));
    }
    if (retained->memory && retained->size == size) {
        return retained->memory;
    }
    /* Children of another version may still use the old memory: it stays mapped there. */
    if (retained->memory) {
        munmap(retained->memory, retained->size);
        retained->memory = NULL;
    }
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    retained->memory = memory;
    retained->size = size;
    return memory;
}
