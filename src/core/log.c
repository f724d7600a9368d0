/* log.c - the core's way to say something. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#include "text.h"

void wxpay_log(const wxpay_log_t *log, wxpay_log_level_e level, const char *fmt, ...)
{
    char line[1024];
    va_list args;

    if (!log || !log->write || (log->wants && !log->wants(log->baton, level))) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    wxpay_text_tidy(line);
    log->write(log->baton, level, line);
}
