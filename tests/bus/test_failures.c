/* SPDX-License-Identifier: Apache-2.0 */
/* Against a real broker that goes away, refuses and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker.h"
#include "watch.h"

static const char *self; /* this program, run again as a client to be killed */

static int init(void **state)
{
    static struct broker b;
    *state = &b;
    return broker_init(&b) ? 0 : -1;
}

static int finish(void **state)
{
    broker_finish(*state);
    return 0;
}

static void need_broker(struct broker *b, const char *extra)
{
    if (!broker_installed()) {
        print_message("# mosquitto is not installed\n");
        skip();
    }
    assert_true(broker_start(b, extra));
}

static void publish(struct watch *w, const char *topic, int number)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", number);
    assert_int_equal(bus_client_publish(w->client, topic, text, strlen(text), 1, false), 0);
}

static void assert_said(const struct watch *w, const struct broker *b, const char *what)
{
    if (strncmp(w->why, b->url, strlen(b->url)) != 0 || strstr(w->why, what) == NULL)
        fail_msg("expected \"%s: … %s …\", got \"%s\"", b->url, what, w->why);
}

static void write_file(const struct broker *b, const char *name, const char *text)
{
    char path[128];
    struct atl_error err;
    snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    if (atl_file_write(path, text, strlen(text), 0600, &err) < 0)
        fail_msg("%s", err.text);
}

static void assert_accounted(struct watch *w)
{
    struct bus_stats s = watch_stats(w);
    assert_int_equal(s.published, s.delivered + s.dropped + s.rejected + s.queued + s.in_flight);
}

static void nothing_listens(void **state)
{
    struct broker *b = *state;
    struct watch w;
    struct bus_config cfg = watch_config(b->url, "lonely");
    cfg.queue_messages = 10;
    cfg.queue_bytes = 1024;
    watch_open(&w, &cfg);
    assert_true(watch_until(&w, &w.disconnected, 1, 3000));
    assert_said(&w, b, "connection refused");

    for (int i = 0; i < 10; i++)
        publish(&w, "q", i);
    assert_int_equal(bus_client_publish(w.client, "q", "x", 1, 1, false), -ENOBUFS);
    assert_int_equal(bus_client_publish(w.client, "q", "x", 1, 0, false), 0); /* dropped */
    struct bus_stats s = watch_stats(&w);
    assert_int_equal(s.refused_full, 1);
    assert_int_equal(s.queued, 10);
    assert_int_equal(s.dropped, 1);
    assert_false(s.connected);
    assert_accounted(&w);

    /* more attempts, the same line: said once */
    uint32_t before = w.disconnected;
    watch_until(&w, &w.disconnected, before + 1, 500);
    assert_int_equal(w.disconnected, before);
    atl_ns begin = atl_clock_mono_ns();
    watch_close(&w, 0);
    assert_true(atl_clock_mono_ns() - begin < 3 * ATL_NS_PER_S);
}

static void byte_bound(void **state)
{
    struct broker *b = *state;
    struct watch w;
    struct bus_config cfg = watch_config(b->url, "bytes");
    cfg.queue_bytes = 1024;
    char payload[600] = {0};
    watch_open(&w, &cfg);
    assert_int_equal(bus_client_publish(w.client, "q", payload, 600, 1, false), 0);
    assert_int_equal(bus_client_publish(w.client, "q", payload, 425, 1, false), -ENOBUFS);
    assert_int_equal(bus_client_publish(w.client, "q", payload, 424, 1, false), 0);
    watch_close(&w, 0);
}

static void unknown_host(void **state)
{
    (void)state;
    struct watch w;
    struct bus_config cfg = watch_config("mqtt://no-such-host.invalid:1883", "nowhere");
    watch_open(&w, &cfg);
    assert_true(watch_until(&w, &w.disconnected, 1, 10000));
    assert_non_null(strstr(w.why, "cannot resolve host no-such-host.invalid"));
    watch_close(&w, 0);
}

static void broker_restarts(void **state)
{
    struct broker *b = *state;
    struct watch w;
    need_broker(b, "allow_anonymous true");
    struct bus_config cfg = watch_config(b->url, "steady");
    watch_open(&w, &cfg);
    watch_subscribe(&w, "r/#");
    watch_settle(&w);

    broker_stop(b, SIGKILL);
    assert_true(watch_until(&w, &w.disconnected, 1, 3000));
    assert_said(&w, b, "connection lost");
    for (int i = 0; i < 50; i++)
        publish(&w, "r/x", i);
    assert_int_equal(bus_client_publish(w.client, "r/x", "gone", 4, 0, false), 0);
    /* the last one is thrown away by the thread that sends, on a busy machine not at once */
    for (int i = 0; i < 300 && watch_stats(&w).queued != 50; i++)
        usleep(10000);
    assert_int_equal(watch_stats(&w).queued, 50);

    assert_true(broker_restart(b));
    assert_true(watch_until(&w, &w.messages, 50, 5000));
    assert_int_equal(w.in_order, 50);
    struct bus_stats s = watch_stats(&w);
    assert_int_equal(s.connects, 2);
    assert_int_equal(s.dropped, 1);
    assert_accounted(&w);
    watch_close(&w, 0);
}

static void in_flight_is_sent_again(void **state)
{
    struct broker *b = *state;
    struct watch w;
    need_broker(b, "allow_anonymous true");
    struct bus_config cfg = watch_config(b->url, "flight");
    watch_open(&w, &cfg);
    watch_subscribe(&w, "f/#");
    watch_settle(&w);

    kill(b->pid, SIGSTOP); /* takes bytes and answers nothing */
    for (int i = 0; i < 100; i++)
        publish(&w, "f/x", i);
    for (int i = 0; i < 300 && watch_stats(&w).in_flight < 16; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(watch_stats(&w).in_flight, 16);
    assert_int_equal(watch_stats(&w).queued, 84);
    broker_stop(b, SIGKILL);
    assert_true(broker_restart(b));
    assert_true(watch_until(&w, &w.messages, 100, 5000));
    assert_int_equal(w.in_order, 100);
    assert_int_equal(w.messages, 100);
    assert_accounted(&w);
    watch_close(&w, 0);
}

/* At the broker's limit Paho's send thread would sleep for a second each time. */
static void small_receive_maximum(void **state)
{
    struct broker *b = *state;
    struct watch w;
    need_broker(b, "allow_anonymous true\nmax_inflight_messages 3");
    struct bus_config cfg = watch_config(b->url, "narrow");
    watch_open(&w, &cfg);
    assert_true(watch_until(&w, &w.connected, 1, 3000));
    for (int i = 0; i < 500; i++)
        publish(&w, "n/x", i);
    assert_true(watch_stats(&w).in_flight <= 2);
    atl_ns begin = atl_clock_mono_ns();
    bus_client_destroy(w.client, 5 * ATL_NS_PER_S);
    double s = (double)(atl_clock_mono_ns() - begin) / 1e9;
    print_message("# 500 messages with a receive maximum of 3 in %.3f s\n", s);
    assert_true(s < 2);
}

static pid_t run_child(const char *role, const struct broker *b)
{
    pid_t child = fork();
    if (child == 0) {
        execl(self, self, role, b->url, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* The child: connect with a client id, say so on a topic, wait to be killed. */
static int child_main(const char *client_id, const char *url)
{
    struct watch w;
    struct bus_config cfg = watch_config(url, client_id);
    cfg.will_topic = "child/state";
    cfg.will_payload = "lost";
    watch_open(&w, &cfg);
    bus_client_publish(w.client, "child/state", "online", 6, 1, true);
    watch_until(&w, &w.disconnected, 1, 10000);
    watch_close(&w, 0);
    return 0;
}

/* mosquitto 2.0 closes without a word, so this broker is three packets by hand: it waits for
 * CONNECT, sends CONNACK and DISCONNECT with reason 139. */
static void *dying_broker(void *listening)
{
    static const uint8_t connack[] = {0x20, 3, 0, 0, 0}, disconnect[] = {0xe0, 2, 139, 0};
    uint8_t heard[256];
    int fd = accept(*(int *)listening, NULL, NULL);
    if (recv(fd, heard, sizeof(heard), 0) > 0 &&
        send(fd, connack, sizeof(connack), MSG_NOSIGNAL) > 0 &&
        send(fd, disconnect, sizeof(disconnect), MSG_NOSIGNAL) > 0)
        shutdown(fd, SHUT_WR);
    while (recv(fd, heard, sizeof(heard), 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void broker_says_why_it_goes(void **state)
{
    struct broker *b = *state;
    struct watch w;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(b->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    pthread_t thread;
    pthread_create(&thread, NULL, dying_broker, &fd);
    struct bus_config cfg = watch_config(b->url, "told");
    cfg.reconnect_min_ns = cfg.reconnect_max_ns = 10 * ATL_NS_PER_S;
    watch_open(&w, &cfg);
    assert_true(watch_until(&w, &w.disconnected, 1, 3000));
    assert_said(&w, b, "the broker ended the connection: server shutting down");
    assert_int_equal(w.connected, 1);
    watch_close(&w, 0);
    pthread_join(thread, NULL);
    close(fd);
}

static void subscription_refused(void **state)
{
    struct broker *b = *state;
    struct watch w;
    static const char plugin[] = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so";
    if (access(plugin, R_OK) < 0) {
        print_message("# mosquitto's dynamic security plugin is not installed\n");
        skip();
    }
    char text[512];
    write_file(b, "security",
               "{\"defaultACLAccess\":{\"publishClientSend\":true,\"publishClientReceive\":true,"
               "\"subscribe\":false,\"unsubscribe\":true}}");
    snprintf(text, sizeof(text),
             "allow_anonymous true\nplugin %s\nplugin_opt_config_file %s/security", plugin, b->dir);
    need_broker(b, text);
    struct bus_config cfg = watch_config(b->url, "deaf");
    watch_open(&w, &cfg);
    watch_subscribe(&w, "secret/#");
    assert_true(watch_until(&w, &w.refused, 1, 3000));
    assert_said(&w, b, "subscribing to secret/# refused: not authorised");
    watch_close(&w, 0);
}

static void too_large_for_the_broker(void **state)
{
    struct broker *b = *state;
    struct watch w;
    need_broker(b, "allow_anonymous true\nmax_packet_size 2000");
    struct bus_config cfg = watch_config(b->url, "big");
    watch_open(&w, &cfg);
    watch_subscribe(&w, "big/#");
    watch_settle(&w);
    char payload[3000] = {0};
    assert_int_equal(bus_client_publish(w.client, "big/x", payload, 3000, 1, false), 0);
    publish(&w, "big/x", 0); /* the one behind it is not held up */
    assert_true(watch_until(&w, &w.messages, 1, 3000));
    assert_true(watch_until(&w, &w.refused, 1, 3000));
    assert_said(&w, b, "publishing to big/x refused: 3000 bytes, the broker takes 2000");
    struct bus_stats s = watch_stats(&w);
    assert_int_equal(s.rejected, 1);
    assert_int_equal(s.connects, 1);
    assert_accounted(&w);
    watch_close(&w, 0);
}

static void passwords_and_access(void **state)
{
    struct broker *b = *state;
    struct watch w;
    char text[512];
    if (!broker_installed())
        skip();
    snprintf(text, sizeof(text), "touch %s/passwords && mosquitto_passwd -b %s/passwords ana right",
             b->dir, b->dir);
    assert_int_equal(system(text), 0);
    write_file(b, "acl", "user ana\ntopic readwrite mine/#\n");
    snprintf(text, sizeof(text), "password_file %s/passwords\nacl_file %s/acl", b->dir, b->dir);
    need_broker(b, text);

    struct bus_config cfg = watch_config(b->url, "ana");
    cfg.username = "ana";
    cfg.password = "wrong";
    watch_open(&w, &cfg);
    assert_true(watch_until(&w, &w.refused, 1, 3000));
    assert_said(&w, b, "connection refused by the broker");
    assert_true(strstr(w.why, "password") != NULL);
    assert_int_equal(w.connected, 0);
    watch_close(&w, 0);

    cfg.password = "right";
    watch_open(&w, &cfg);
    assert_true(watch_until(&w, &w.connected, 1, 3000));
    publish(&w, "theirs/x", 1);
    assert_true(watch_until(&w, &w.refused, 1, 3000));
    assert_said(&w, b, "publishing to theirs/x refused: not authorised");
    assert_int_equal(watch_stats(&w).rejected, 1);
    assert_accounted(&w);
    watch_close(&w, 0);
}

static void session_keeps_our_queue(void **state)
{
    struct broker *b = *state;
    struct watch w;
    need_broker(b, "allow_anonymous true");
    struct bus_config cfg = watch_config(b->url, "sleeper");
    cfg.session_expiry_s = 60;
    watch_open(&w, &cfg);
    watch_subscribe(&w, "s/#");
    watch_settle(&w);
    watch_close(&w, 0);

    struct bus_config other = watch_config(b->url, "talker");
    watch_open(&w, &other);
    for (int i = 0; i < 30; i++)
        publish(&w, "s/x", i);
    watch_close(&w, 3 * ATL_NS_PER_S);

    watch_open(&w, &cfg);
    watch_subscribe(&w, "s/#");
    assert_true(watch_until(&w, &w.messages, 30, 3000));
    assert_int_equal(w.in_order, 30);
    assert_said(&w, b, "connected, earlier session");
    watch_close(&w, 0);
}

static void will_is_sent(void **state)
{
    struct broker *b = *state;
    struct watch w;
    need_broker(b, "allow_anonymous true");
    struct bus_config cfg = watch_config(b->url, "heir");
    watch_open(&w, &cfg);
    watch_subscribe(&w, "child/state");
    watch_settle(&w);
    pid_t child = run_child("doomed", b);
    assert_true(watch_until(&w, &w.messages, 1, 5000));
    assert_string_equal(w.payload, "online");
    end_child(child);
    assert_true(watch_until(&w, &w.messages, 2, 3000));
    assert_string_equal(w.payload, "lost");
    watch_close(&w, 0);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return child_main(argv[1], argv[2]);
    self = argv[0];
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, init, finish)
        CASE(nothing_listens),
        CASE(byte_bound),
        CASE(unknown_host),
        CASE(broker_restarts),
        CASE(in_flight_is_sent_again),
        CASE(small_receive_maximum),
        CASE(broker_says_why_it_goes),
        CASE(subscription_refused),
        CASE(too_large_for_the_broker),
        CASE(passwords_and_access),
        CASE(session_keeps_our_queue),
        CASE(will_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
