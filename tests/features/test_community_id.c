/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_maker.h"

/* Values of the specification's own baseline (github.com/corelight/community-id-spec, seed 0). */
static void published_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *src, *dst;
        uint16_t src_port, dst_port;
        uint8_t proto, type, code;
        const char *id;
    } rows[] = {
        {"1.2.3.4", "5.6.7.8", 1122, 3344, IPPROTO_TCP, 0, 0, "1:wCb3OG7yAFWelaUydu0D+125CLM="},
        {"5.6.7.8", "1.2.3.4", 3344, 1122, IPPROTO_TCP, 0, 0, "1:wCb3OG7yAFWelaUydu0D+125CLM="},
        {"128.232.110.120", "66.35.250.204", 34855, 80, IPPROTO_TCP, 0, 0,
         "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
        {"192.168.1.52", "8.8.8.8", 54585, 53, IPPROTO_UDP, 0, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
        {"192.168.0.89", "192.168.0.1", 0, 0, IPPROTO_ICMP, 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
        {"192.168.0.1", "192.168.0.89", 0, 0, IPPROTO_ICMP, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
    };
    for (size_t i = 0; i < ATL_ARRAY_LEN(rows); i++) {
        struct dp_flow f =
            make_flow(rows[i].src, rows[i].src_port, rows[i].dst, rows[i].dst_port, rows[i].proto);
        f.icmp_type = rows[i].type;
        f.icmp_code = rows[i].code;
        char id[FEAT_COMMUNITY_ID_BYTES];
        feat_community_id(&f, id);
        assert_string_equal(id, rows[i].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
