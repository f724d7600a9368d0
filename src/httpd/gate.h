/* gate.h - what every process must know of the deliveries that came, in retained memory
 * (retained.h).
 */
#ifndef MOD_WXPAY_GATE_H
#define MOD_WXPAY_GATE_H

#include "log_limit.h"
#include "replay.h"

typedef struct mod_wxpay_gate_t {
    mod_wxpay_log_limit_t refused; /* lines about what was not let in */
    wxpay_replay_t entered;
} mod_wxpay_gate_t;

#endif
