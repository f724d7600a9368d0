#include "deliver.h"

int mod_wxpay_deliver_keys(const mod_wxpay_server_t *cfg, const wxpay_secret_t **key,
                           const wxpay_secret_t **previous)
{
    const wxpay_target_t *target = cfg->account ? cfg->account->target : NULL;

    *key = target ? target->key : cfg->deliver_key.current;
    *previous = target ? target->previous_key : cfg->deliver_key.previous;
    return *key != NULL;
}
