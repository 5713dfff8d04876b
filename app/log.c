/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic int lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&lowest, (int)level);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load(&lowest);
}

/* Text from the network may end in a terminal. */
static void tame(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

void log_line(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"ERROR", "WARNING", "INFO", "DEBUG"};
    if (!log_enabled(level))
        return;

    char text[1024], time[ATL_TIME_TEXT_BYTES], line[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    tame(text);
    atl_clock_format(atl_clock_wall_ns(), time);
    memcpy(time + 19, "Z", 2); /* seconds are enough for people */
    int n = snprintf(line, sizeof(line), "%s %-7s %s\n", time, names[level], text);
    /* one write keeps lines of several threads apart; nobody is left to hear that stderr is gone */
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return;
}
