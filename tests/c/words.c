/* Version, error texts, names. */
#include "check.h"

#include <stdio.h>

TEST(the_version_is_the_headers)
{
    char text[64];
    EQ(underpass_version(), UNDERPASS_VERSION);
    EQ(UNDERPASS_VERSION >> 24, UNDERPASS_VERSION_MAJOR);
    EQ((UNDERPASS_VERSION >> 16) & 0xff, UNDERPASS_VERSION_MINOR);
    EQ((UNDERPASS_VERSION >> 8) & 0xff, UNDERPASS_VERSION_PATCH);
    EQ(UNDERPASS_VERSION & 0xff, 0);
    sprintf(text, "%d.%d.%d", UNDERPASS_VERSION_MAJOR, UNDERPASS_VERSION_MINOR, UNDERPASS_VERSION_PATCH);
    TEXT(underpass_version_string(), text);
    CHECK(underpass_version_string() == underpass_version_string());
}

TEST(the_backend_has_a_name)
{
    const char *name = underpass_backend();
    CHECK(strcmp(name, "fast") == 0 || strcmp(name, "portable") == 0);
}

TEST(every_status_has_its_own_text)
{
    int32_t status, other;
    int known = 0;
    const char *unknown = underpass_strerror(INT32_MIN);
    CHECK(unknown != NULL && unknown[0] != '\0');
    for (status = -200; status <= 200; status++) {
        const char *text = underpass_strerror(status);
        CHECK(text != NULL && text[0] != '\0');
        CHECK(text == underpass_strerror(status));
        if (strcmp(text, unknown) == 0) continue;
        known++;
        for (other = -200; other < status; other++) CHECK(strcmp(text, underpass_strerror(other)) != 0);
    }
    /* From UNDERPASS_E_MEMORY up to UNDERPASS_NOTHING without a hole. */
    EQ(known, UNDERPASS_NOTHING - UNDERPASS_E_MEMORY + 1);
    for (status = UNDERPASS_E_MEMORY; status <= UNDERPASS_NOTHING; status++) {
        CHECK(strcmp(underpass_strerror(status), unknown) != 0);
    }
    TEXT(underpass_strerror(INT32_MAX), unknown);
}

/* The numbers are the interface: they never change. */
TEST(every_error_has_its_code)
{
    static const int32_t in_order[] = {
        UNDERPASS_OK,           UNDERPASS_E_NULL,   UNDERPASS_E_SIZE,          UNDERPASS_E_ARGUMENT,
        UNDERPASS_E_BUFFER,     UNDERPASS_E_OVERLAP, UNDERPASS_E_BATCH,        UNDERPASS_E_KEY,
        UNDERPASS_E_CONFIG,     UNDERPASS_E_LOW_ORDER_KEY, UNDERPASS_E_TOO_MANY_PEERS, UNDERPASS_E_PREFIX,
        UNDERPASS_E_MTU,        UNDERPASS_E_LIMIT,  UNDERPASS_E_NO_PEER,       UNDERPASS_E_JOB,
        UNDERPASS_E_RANDOM,     UNDERPASS_E_BUSY,   UNDERPASS_E_PANIC,         UNDERPASS_E_POISONED,
        UNDERPASS_E_MEMORY,
    };
    size_t at;
    for (at = 0; at < COUNT(in_order); at++) EQ(in_order[at], -(int32_t)at);
    EQ(UNDERPASS_NOTHING, 1);
}

TEST(every_drop_reason_has_its_name)
{
    static const struct {
        uint32_t reason;
        const char *name;
    } rows[] = {
        { UNDERPASS_DROP_MALFORMED, "malformed" },
        { UNDERPASS_DROP_BAD_MAC, "bad_mac" },
        { UNDERPASS_DROP_UNKNOWN_INDEX, "unknown_index" },
        { UNDERPASS_DROP_UNKNOWN_PEER, "unknown_peer" },
        { UNDERPASS_DROP_BAD_TAG, "bad_tag" },
        { UNDERPASS_DROP_LOW_ORDER_KEY, "low_order_key" },
        { UNDERPASS_DROP_REPLAY, "replay" },
        { UNDERPASS_DROP_OLD_TIMESTAMP, "old_timestamp" },
        { UNDERPASS_DROP_KEY_EXPIRED, "key_expired" },
        { UNDERPASS_DROP_INITIATION_FLOOD, "initiation_flood" },
        { UNDERPASS_DROP_UNDER_LOAD, "under_load" },
        { UNDERPASS_DROP_UNEXPECTED_COOKIE, "unexpected_cookie" },
        { UNDERPASS_DROP_MALFORMED_PACKET, "malformed_packet" },
        { UNDERPASS_DROP_SOURCE_NOT_ALLOWED, "source_not_allowed" },
        { UNDERPASS_DROP_CONGESTION, "congestion" },
        { UNDERPASS_DROP_NO_ROUTE, "no_route" },
        { UNDERPASS_DROP_NO_ENDPOINT, "no_endpoint" },
        { UNDERPASS_DROP_TOO_BIG, "too_big" },
        { UNDERPASS_DROP_NO_ROOM, "no_room" },
        { UNDERPASS_DROP_STAGED_OVERFLOW, "staged_overflow" },
        { UNDERPASS_DROP_HANDSHAKE_FAILED, "handshake_failed" },
        { UNDERPASS_DROP_NO_PRIVATE_KEY, "no_private_key" },
        { UNDERPASS_DROP_LOOP, "loop" },
        { UNDERPASS_DROP_REFUSED, "refused" },
        { UNDERPASS_DROP_NO_MEMORY, "no_memory" },
    };
    uint32_t reason, other;
    EQ(COUNT(rows), UNDERPASS_DROP_REASONS);
    for (reason = 0; reason < COUNT(rows); reason++) {
        EQ(rows[reason].reason, reason);
        TEXT(underpass_drop_reason_name(reason), rows[reason].name);
    }
    for (reason = 0; reason < UNDERPASS_DROP_REASONS; reason++) {
        const char *name = underpass_drop_reason_name(reason);
        CHECK(name != NULL && name[0] != '\0' && strcmp(name, "unknown") != 0);
        for (other = 0; other < reason; other++) CHECK(strcmp(name, underpass_drop_reason_name(other)) != 0);
    }
    TEXT(underpass_drop_reason_name(UNDERPASS_DROP_REASONS), "unknown");
    TEXT(underpass_drop_reason_name(UINT32_MAX), "unknown");
}

/* Events and errors of sending: the library has a name for each number that the header has, and for no other. */
TEST(every_event_has_its_number)
{
    static const struct {
        uint32_t kind;
        const char *name;
    } rows[] = {
        { UNDERPASS_EVENT_SESSION_ESTABLISHED, "session_established" },
        { UNDERPASS_EVENT_HANDSHAKE_FAILED, "handshake_failed" },
        { UNDERPASS_EVENT_SESSION_EXPIRED, "session_expired" },
        { UNDERPASS_EVENT_ENDPOINT_MOVED, "endpoint_moved" },
        { UNDERPASS_EVENT_RESOLVE_ENDPOINT, "resolve_endpoint" },
        { UNDERPASS_EVENT_HEALTH_CHANGED, "health_changed" },
        { UNDERPASS_EVENT_TIMESTAMP_AHEAD, "timestamp_ahead" },
        { UNDERPASS_EVENT_LOST, "lost" },
        { UNDERPASS_EVENT_CLOCK_LEAPT, "clock_leapt" },
        { UNDERPASS_EVENT_LAYOUT_CHANGED, "layout_changed" },
    };
    size_t at;
    for (at = 0; at < COUNT(rows); at++) {
        EQ(rows[at].kind, at + 1);
        TEXT(underpass_event_name(rows[at].kind), rows[at].name);
    }
    TEXT(underpass_event_name(0), "unknown");
    TEXT(underpass_event_name(COUNT(rows) + 1), "unknown");
    TEXT(underpass_event_name(UINT32_MAX), "unknown");
}

TEST(every_send_error_has_its_name)
{
    static const struct {
        uint32_t kind;
        const char *name;
    } rows[] = {
        { UNDERPASS_SEND_ERROR_UNREACHABLE, "unreachable" },
        { UNDERPASS_SEND_ERROR_FAMILY_GONE, "family_gone" },
        { UNDERPASS_SEND_ERROR_NO_SOURCE, "no_source" },
        { UNDERPASS_SEND_ERROR_TOO_BIG, "too_big" },
        { UNDERPASS_SEND_ERROR_REFUSED, "refused" },
        { UNDERPASS_SEND_ERROR_DENIED, "denied" },
        { UNDERPASS_SEND_ERROR_OTHER, "other" },
    };
    size_t at;
    for (at = 0; at < COUNT(rows); at++) {
        EQ(rows[at].kind, at);
        TEXT(underpass_send_error_name(rows[at].kind), rows[at].name);
    }
    TEXT(underpass_send_error_name(COUNT(rows)), "unknown");
    TEXT(underpass_send_error_name(UINT32_MAX), "unknown");
}

TEST(lengths_are_those_of_the_protocol)
{
    EQ(UNDERPASS_KEY_LEN, 32);
    EQ(UNDERPASS_BASE64_LEN, 44 + 1);
    EQ(UNDERPASS_HEX_LEN, 64 + 1);
    EQ(UNDERPASS_TIMESTAMP_LEN, 12);
    EQ(UNDERPASS_HEADROOM, 16);
    EQ(UNDERPASS_TAILROOM, 32);
    EQ(UNDERPASS_MIN_TRANSMIT_BUFFER, 148);
    EQ(UNDERPASS_MAX_BATCH, 256);
    EQ(UNDERPASS_NEVER, UINT64_MAX);
}

/* The macro must be made of its three parts, each in its place: a mistake shows only when they differ. */
#undef UNDERPASS_VERSION_MAJOR
#undef UNDERPASS_VERSION_MINOR
#undef UNDERPASS_VERSION_PATCH
#define UNDERPASS_VERSION_MAJOR 1
#define UNDERPASS_VERSION_MINOR 2
#define UNDERPASS_VERSION_PATCH 3

TEST(the_version_macro_uses_each_part_once)
{
    EQ(UNDERPASS_VERSION, 0x01020300);
}

const check_test words_tests[] = {
    ENTRY(the_version_is_the_headers),
    ENTRY(the_version_macro_uses_each_part_once),
    ENTRY(the_backend_has_a_name),
    ENTRY(every_status_has_its_own_text),
    ENTRY(every_error_has_its_code),
    ENTRY(every_drop_reason_has_its_name),
    ENTRY(every_event_has_its_number),
    ENTRY(every_send_error_has_its_name),
    ENTRY(lengths_are_those_of_the_protocol),
    LAST_ENTRY,
};
