/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config_file_priv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 160

/* A file may hold anything; a terminal would obey it. */
static void print_safe(const char *text, int n, FILE *out)
{
    for (int i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        fputc((c < ' ' && c != '\t') || c == 0x7f ? '?' : c, out);
    }
}

void config_problem(struct config_report *r, struct config_place at, const char *fmt, ...)
{
    if (r->n == CONFIG_PROBLEMS_MAX) {
        r->more++;
        return;
    }
    struct config_problem *p = &r->problems[r->n++];
    p->line = at.line;
    p->column = at.column;
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->text, sizeof(p->text), fmt, args);
    va_end(args);
}

static void print_line(const struct config_report *r, const struct config_problem *p, FILE *out)
{
    const char *at = r->source, *end = r->source + r->source_bytes;
    for (uint32_t line = 1; line < p->line && at < end; line++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        at = next != NULL ? next + 1 : end;
    }
    if (at == end)
        return;
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    int length = (int)((stop != NULL ? stop : end) - at);
    fputs("  ", out);
    print_safe(at, length < SHOWN_BYTES ? length : SHOWN_BYTES, out);
    fputs("\n  ", out);
    for (uint32_t i = 1; i < p->column && i < SHOWN_BYTES; i++)
        fputc(i - 1 < (uint32_t)length && at[i - 1] == '\t' ? '\t' : ' ', out);
    fprintf(out, "^\n");
}

void config_report_print(const struct config_report *r, const char *path, FILE *out)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const struct config_problem *p = &r->problems[i];
        if (p->line != 0)
            fprintf(out, "%s:%u:%u: ", path, p->line, p->column);
        else if (r->source != NULL) /* else the text names the file that cannot be read */
            fprintf(out, "%s: ", path);
        print_safe(p->text, (int)strlen(p->text), out);
        fputc('\n', out);
        if (p->line != 0 && r->source != NULL)
            print_line(r, p, out);
    }
    if (r->more > 0)
        fprintf(out, "%s: and %u more\n", path, r->more);
}

void config_report_finish(struct config_report *r)
{
    free(r->source);
    r->source = NULL;
}
