/* Structs that may grow: every function takes those of an older and of a newer caller. */
#include "scene.h"

#include <stddef.h>
#include <stdlib.h>

/* A caller that was compiled with a later header: the same struct with something behind it. */
#define LATER(type, name) \
    struct {              \
        type known;       \
        uint8_t more[16]; \
    } name

/* Bytes of the first version of each struct. What it had is still taken. */
#define FIRST_OPTIONS offsetof(underpass_options, padding)
#define FIRST_CHANGE offsetof(underpass_peer_change, user)
#define FIRST_TRANSMIT offsetof(underpass_transmit, user)
#define FIRST_EVENT offsetof(underpass_event, user)
#define FIRST_INFO offsetof(underpass_peer_info, user)
#define FIRST_STATS offsetof(underpass_stats, send_errors)

static int is_zero(const uint8_t *bytes, size_t len)
{
    size_t at;
    for (at = 0; at < len; at++) {
        if (bytes[at] != 0) return 0;
    }
    return 1;
}

TEST(what_an_init_fills_is_as_large_as_its_caller_says)
{
    LATER(underpass_options, options);
    LATER(underpass_peer_change, change);
    uint32_t size;
    for (size = 0; size < FIRST_OPTIONS; size++) {
        REFUSED(UNDERPASS_E_SIZE, options, underpass_options_init(&options.known, size));
    }
    for (size = 0; size < FIRST_CHANGE; size++) {
        REFUSED(UNDERPASS_E_SIZE, change, underpass_peer_change_init(&change.known, size));
    }
    REFUSED(UNDERPASS_E_SIZE, options, underpass_options_init(&options.known, UINT32_MAX));
    REFUSED(UNDERPASS_E_SIZE, change, underpass_peer_change_init(&change.known, UINT32_MAX));
    stain(&options, sizeof options);
    OK(underpass_options_init(&options.known, sizeof options.known));
    CHECK(!is_zero(options.more, sizeof options.more));
    OK(underpass_options_init(&options.known, sizeof options));
    EQ(options.known.size, sizeof options);
    CHECK(is_zero(options.more, sizeof options.more));
    stain(&change, sizeof change);
    OK(underpass_peer_change_init(&change.known, sizeof change));
    EQ(change.known.size, sizeof change);
    CHECK(is_zero(change.more, sizeof change.more));
    EQ(change.known.action, UNDERPASS_PEER_SET);
    EQ(change.known.flags, 0);
    CHECK(change.known.endpoint_host == NULL && change.known.allowed_ips == NULL);
    EQ(change.known.allowed_ips_len, 0);
}

TEST(options_of_another_size)
{
    LATER(underpass_options, options);
    underpass_tunnel *tunnel;
    /* Among them one that ends within a field. */
    static const uint32_t bad[] = { 0, 1, 4, FIRST_OPTIONS - 1, sizeof(underpass_options) - 1, 1u << 20, UINT32_MAX };
    size_t at;
    OK(underpass_options_init(&options.known, sizeof options));
    OK(underpass_tunnel_new(&options.known, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_free(tunnel));
    for (at = 0; at < sizeof options.more; at++) {
        options.more[at] = 1;
        REFUSED(UNDERPASS_E_SIZE, tunnel, underpass_tunnel_new(&options.known, BEGIN, WALL, &tunnel));
        options.more[at] = 0;
    }
    for (at = 0; at < COUNT(bad); at++) {
        options.known.size = bad[at];
        REFUSED(UNDERPASS_E_SIZE, tunnel, underpass_tunnel_new(&options.known, BEGIN, WALL, &tunnel));
    }
}

TEST(changes_of_another_size)
{
    LATER(underpass_peer_change, changes[2]);
    side second = side_of(2), third = side_of(3);
    scene scene;
    size_t len;
    static const uint32_t bad[] = { 0, FIRST_CHANGE - 1, 1u << 20, UINT32_MAX };
    size_t at;
    scene_open(&scene);
    OK(underpass_tunnel_remove_all_peers(scene.left.tunnel, BEGIN));
    memset(changes, 0, sizeof changes);
    changes[0].known = side_change(&second);
    changes[1].known = side_change(&third);
    /* The stride is the size of the first. */
    changes[0].known.size = changes[1].known.size = sizeof changes[0];
    changes[1].more[15] = 1;
    STATUS(UNDERPASS_E_SIZE, underpass_tunnel_configure_peers(scene.left.tunnel, BEGIN, &changes[0].known, 2, NULL));
    changes[1].more[15] = 0;
    changes[1].known.size = sizeof changes[1].known;
    STATUS(UNDERPASS_E_SIZE, underpass_tunnel_configure_peers(scene.left.tunnel, BEGIN, &changes[0].known, 2, NULL));
    changes[1].known.size = sizeof changes[1];
    OK(underpass_tunnel_peers(scene.left.tunnel, NULL, 0, &len));
    EQ(len, 0);
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, BEGIN, &changes[0].known, 2, NULL));
    OK(underpass_tunnel_peers(scene.left.tunnel, NULL, 0, &len));
    EQ(len, 2);
    for (at = 0; at < COUNT(bad); at++) {
        changes[0].known.size = bad[at];
        STATUS(UNDERPASS_E_SIZE, underpass_tunnel_configure_peers(scene.left.tunnel, BEGIN, &changes[0].known, 1, NULL));
    }
    scene_close(&scene);
}

/* Where the structs that go out come from. */
typedef struct sources {
    scene scene;
    underpass_config *config;
    uint8_t buffer[TRANSMIT_BUFFER];
} sources;

typedef int32_t (*ask)(sources *from, void *out);

static int32_t ask_transmit(sources *from, void *out)
{
    return underpass_tunnel_poll_transmit(from->scene.left.tunnel, from->scene.now, from->buffer, sizeof from->buffer,
                                   (underpass_transmit *)out);
}

static int32_t ask_event(sources *from, void *out)
{
    return underpass_tunnel_poll_event(from->scene.left.tunnel, (underpass_event *)out);
}

static int32_t ask_peer(sources *from, void *out)
{
    return underpass_tunnel_peer(from->scene.left.tunnel, from->scene.now, from->scene.left.peer, (underpass_peer_info *)out);
}

static int32_t ask_stats(sources *from, void *out)
{
    return underpass_tunnel_stats(from->scene.left.tunnel, (underpass_stats *)out);
}

static int32_t ask_diagnostic(sources *from, void *out)
{
    return underpass_config_diagnostic(from->config, 0, (underpass_diagnostic *)out);
}

static int32_t ask_interface(sources *from, void *out)
{
    return underpass_config_interface(from->config, (underpass_interface *)out);
}

static int32_t ask_config_peer(sources *from, void *out)
{
    return underpass_config_peer(from->config, 0, (underpass_peer_change *)out);
}

static int32_t ask_uapi(sources *from, void *out)
{
    return underpass_tunnel_uapi_set(from->scene.left.tunnel, from->scene.now, "fwmark=7\n", 9, (underpass_uapi_result *)out);
}

static const struct {
    const char *name;
    ask ask;
    size_t size, first;
} questions[] = {
    { "transmit", ask_transmit, sizeof(underpass_transmit), FIRST_TRANSMIT },
    { "event", ask_event, sizeof(underpass_event), FIRST_EVENT },
    { "peer", ask_peer, sizeof(underpass_peer_info), FIRST_INFO },
    { "stats", ask_stats, sizeof(underpass_stats), FIRST_STATS },
    { "diagnostic", ask_diagnostic, sizeof(underpass_diagnostic), sizeof(underpass_diagnostic) },
    { "interface", ask_interface, sizeof(underpass_interface), sizeof(underpass_interface) },
    { "config peer", ask_config_peer, sizeof(underpass_peer_change), FIRST_CHANGE },
    { "uapi result", ask_uapi, sizeof(underpass_uapi_result), sizeof(underpass_uapi_result) },
};

/* Asks with a struct of `memory` bytes that says it has `size`. What lies behind its end, and its size, stay. */
static void asked(sources *from, size_t which, uint32_t size, int32_t status)
{
    size_t room = questions[which].size + 64, written;
    uint8_t *memory = exactly(room);
    memcpy(memory, &size, sizeof size);
    STATUS(status, questions[which].ask(from, memory));
    SAME(memory, &size, sizeof size);
    written = status != UNDERPASS_OK ? sizeof size : questions[which].size;
    {
        uint8_t *untouched = exactly(room);
        SAME(memory + written, untouched + written, room - written);
        free(untouched);
    }
    free(memory);
}

TEST(answers_fit_the_struct_of_the_caller)
{
    static const char text[] = "[Interface]\nBlockDNS = 1\n[Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n";
    sources from;
    size_t at;
    scene_open(&from.scene);
    scene_shake(&from.scene);
    OK(underpass_config_parse(text, sizeof text - 1, &from.config));
    for (at = 0; at < COUNT(questions); at++) {
        uint32_t own = (uint32_t)questions[at].size, size;
        underpass_event drained;
        for (size = 0; size < questions[at].first; size++) asked(&from, at, size, UNDERPASS_E_SIZE);
        asked(&from, at, UINT32_MAX, UNDERPASS_E_SIZE);
        /* Something to transmit and to tell, twice. */
        while (next_event(&from.scene.left, UNDERPASS_EVENT_LOST, &drained)) {}
        OK(underpass_tunnel_free(from.scene.left.tunnel));
        OK(underpass_tunnel_free(from.scene.right.tunnel));
        scene_open(&from.scene);
        scene_shake(&from.scene);
        from.scene.now += 600 * SECOND;
        OK(underpass_tunnel_handle_timeout(from.scene.left.tunnel, from.scene.now));
        OK(underpass_tunnel_connect(from.scene.left.tunnel, from.scene.now, from.scene.left.peer));
        asked(&from, at, own, UNDERPASS_OK);
        from.scene.now += 10 * SECOND;
        OK(underpass_tunnel_handle_timeout(from.scene.left.tunnel, from.scene.now));
        OK(underpass_tunnel_connect(from.scene.left.tunnel, from.scene.now, from.scene.left.peer));
        asked(&from, at, own + 24, UNDERPASS_OK);
    }
    OK(underpass_config_free(from.config));
    scene_close(&from.scene);
}

TEST(a_refused_poll_loses_nothing)
{
    scene scene;
    underpass_transmit transmit;
    underpass_event event;
    uint8_t buffer[TRANSMIT_BUFFER];
    size_t cap;
    scene_open(&scene);
    scene_shake(&scene);
    scene.now += 600 * SECOND;
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    for (cap = 0; cap < sizeof buffer; cap += 11) {
        stain(buffer, sizeof buffer);
        REFUSED_STRUCT(UNDERPASS_E_BUFFER, transmit,
                       underpass_tunnel_poll_transmit(scene.left.tunnel, scene.now, buffer, cap, &transmit));
        CHECK(is_stained(buffer, sizeof buffer));
    }
    transmit.size = 3;
    STATUS(UNDERPASS_E_SIZE,
           underpass_tunnel_poll_transmit(scene.left.tunnel, scene.now, buffer, sizeof buffer, &transmit));
    CHECK(is_stained(buffer, sizeof buffer));
    transmit.size = sizeof transmit;
    OK(underpass_tunnel_poll_transmit(scene.left.tunnel, scene.now, buffer, sizeof buffer, &transmit));
    EQ(transmit.len, 148);
    event.size = 0;
    STATUS(UNDERPASS_E_SIZE, underpass_tunnel_poll_event(scene.left.tunnel, &event));
    event.size = sizeof event;
    OK(underpass_tunnel_poll_event(scene.left.tunnel, &event));
    EQ(event.kind, UNDERPASS_EVENT_SESSION_ESTABLISHED);
    scene_close(&scene);
}

const check_test sizes_tests[] = {
    ENTRY(what_an_init_fills_is_as_large_as_its_caller_says),
    ENTRY(options_of_another_size),
    ENTRY(changes_of_another_size),
    ENTRY(answers_fit_the_struct_of_the_caller),
    ENTRY(a_refused_poll_loses_nothing),
    LAST_ENTRY,
};
