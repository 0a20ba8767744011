/* The text protocol of wg: a request is applied whole or not at all, and what is asked for says all there is. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>

static underpass_tunnel *bare_tunnel(void)
{
    side own = side_of(1);
    underpass_options options = side_options(&own);
    underpass_tunnel *tunnel;
    OK(underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
    return tunnel;
}

/* What get=1 answers, on the heap. */
static char *answer(const underpass_tunnel *tunnel)
{
    size_t len, written;
    char *text;
    OK(underpass_tunnel_uapi_get(tunnel, 51820, 0x1234, NULL, 0, &len));
    text = exactly(len + 1);
    OK(underpass_tunnel_uapi_get(tunnel, 51820, 0x1234, text, len + 1, &written));
    EQ(written, len);
    text[len] = '\0';
    return text;
}

static underpass_uapi_result set(underpass_tunnel *tunnel, const char *text)
{
    underpass_uapi_result result;
    char *exact = copy_of(text, strlen(text));
    result.size = sizeof result;
    OK(underpass_tunnel_uapi_set(tunnel, BEGIN, exact, strlen(text), &result));
    free(exact);
    return result;
}

TEST(a_request_is_applied_and_told_again)
{
    underpass_tunnel *tunnel = bare_tunnel();
    side other = side_of(2);
    underpass_uapi_result result;
    char request[512], hex[UNDERPASS_HEX_LEN], *text;
    OK(underpass_key_to_hex(other.public_key, hex, sizeof hex));
    sprintf(request,
            "listen_port=4711\nfwmark=99\npublic_key=%s\nendpoint=192.0.2.7:1234\n"
            "persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.7.0.0/16\nallowed_ip=fd07::/64\n",
            hex);
    result = set(tunnel, request);
    EQ(result.error_number, 0);
    EQ(result.listen_port, 4711);
    EQ(result.fwmark, 99);
    CHECK((result.flags & UNDERPASS_UAPI_HAS_LISTEN_PORT) != 0);
    CHECK((result.flags & UNDERPASS_UAPI_HAS_FWMARK) != 0);
    text = answer(tunnel);
    CHECK(strstr(text, "listen_port=51820\n") != NULL);
    CHECK(strstr(text, "fwmark=4660\n") != NULL);
    CHECK(strstr(text, hex) != NULL);
    CHECK(strstr(text, "endpoint=192.0.2.7:1234\n") != NULL);
    CHECK(strstr(text, "persistent_keepalive_interval=25\n") != NULL);
    CHECK(strstr(text, "allowed_ip=10.7.0.0/16\n") != NULL);
    CHECK(strstr(text, "allowed_ip=fd07::/64\n") != NULL);
    CHECK(strstr(text, "errno=") == NULL);
    free(text);
    OK(underpass_tunnel_free(tunnel));
}

TEST(an_empty_request_changes_nothing)
{
    underpass_tunnel *tunnel = bare_tunnel();
    underpass_uapi_result result = set(tunnel, "");
    EQ(result.error_number, 0);
    EQ(result.flags & (UNDERPASS_UAPI_HAS_LISTEN_PORT | UNDERPASS_UAPI_HAS_FWMARK), 0);
    OK(underpass_tunnel_free(tunnel));
}

TEST(a_wrong_request_is_refused_whole)
{
    enum { INVALID = 22 };
    static const char *const wrong[] = {
        "replace_peers=true\nno_such_key=1\n",
        "replace_peers=true\npublic_key=00\n",
        "replace_peers=true\nlisten_port=70000\n",
        "replace_peers=true\npublic_key=0100000000000000000000000000000000000000000000000000000000000000\n",
        "replace_peers=true\nfwmark\n",
    };
    underpass_tunnel *tunnel = bare_tunnel();
    side other = side_of(2);
    underpass_peer_change change = side_change(&other);
    char *before, *after;
    size_t at;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    before = answer(tunnel);
    for (at = 0; at < COUNT(wrong); at++) {
        underpass_uapi_result result = set(tunnel, wrong[at]);
        CHECK(result.error_number != 0);
        if (at == 0) {
            EQ(result.error_number, INVALID);
            EQ(result.line, 2);
        }
        after = answer(tunnel);
        TEXT(after, before);
        free(after);
    }
    free(before);
    OK(underpass_tunnel_free(tunnel));
}

TEST(a_short_buffer_gets_nothing_of_an_answer)
{
    underpass_tunnel *tunnel = bare_tunnel();
    size_t len, cap, written;
    char *text;
    OK(underpass_tunnel_uapi_get(tunnel, 1, 0, NULL, 0, &len));
    CHECK(len > 64);
    for (cap = len; cap > 0; cap -= cap < 7 ? cap : 7) { /* at first, room for all but the NUL */
        text = exactly(cap);
        written = 0;
        STATUS(UNDERPASS_E_BUFFER, underpass_tunnel_uapi_get(tunnel, 1, 0, text, cap, &written));
        CHECK(is_stained(text, cap));
        EQ(written, len);
        free(text);
    }
    OK(underpass_tunnel_free(tunnel));
}

TEST(a_request_that_is_no_text_is_refused)
{
    underpass_tunnel *tunnel = bare_tunnel();
    enum { PROTOCOL_ERROR = 71 };
    underpass_uapi_result result = set(tunnel, "\xff\xfe\n");
    EQ(result.error_number, PROTOCOL_ERROR);
    OK(underpass_tunnel_free(tunnel));
}

const check_test uapi_tests[] = {
    ENTRY(a_request_is_applied_and_told_again),
    ENTRY(an_empty_request_changes_nothing),
    ENTRY(a_wrong_request_is_refused_whole),
    ENTRY(a_short_buffer_gets_nothing_of_an_answer),
    ENTRY(a_request_that_is_no_text_is_refused),
    LAST_ENTRY,
};
