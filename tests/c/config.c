/* Configuration text: what is read, what is said about it, and what is written. */
#include "scene.h"

#include <stdlib.h>

static const char good[] =
    "[Interface]\n"
    "PrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
    "Address = 10.1.0.1/16, fd00:1::1/64\n"
    "DNS = 192.0.2.53, 2001:db8::53, corp.example\n"
    "MTU = 1380\n"
    "ListenPort = 51821\n"
    "FwMark = 0x1234\n"
    "Table = off\n"
    "PreUp = first %i\n"
    "PostUp = second\n"
    "PostUp = third\n"
    "PreDown = fourth\n"
    "PostDown = fifth\n"
    "SaveConfig = true\n"
    "\n"
    "[Peer]\n"
    "PublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n"
    "PresharedKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"
    "AllowedIPs = 10.2.0.0/16, fd00:2::/32\n"
    "Endpoint = vpn.example.com:4500\n"
    "PersistentKeepalive = 25\n"
    "[Peer]\n"
    "PublicKey = 3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\n"
    "Endpoint = [2001:db8::2]:51820\n";

static underpass_config *parsed(const char *text)
{
    underpass_config *config;
    char *exact = copy_of(text, strlen(text));
    OK(underpass_config_parse(exact, strlen(text), &config));
    free(exact); /* nothing of the text is kept */
    return config;
}

TEST(every_part_of_a_configuration_is_there)
{
    underpass_config *config = parsed(good);
    underpass_interface interface;
    underpass_ip ip;
    const char *text;
    interface.size = sizeof interface;
    OK(underpass_config_interface(config, &interface));
    CHECK((interface.flags & UNDERPASS_INTERFACE_HAS_PRIVATE_KEY) != 0);
    CHECK((interface.flags & UNDERPASS_INTERFACE_HAS_MTU) != 0);
    CHECK((interface.flags & UNDERPASS_INTERFACE_HAS_LISTEN_PORT) != 0);
    CHECK((interface.flags & UNDERPASS_INTERFACE_HAS_FWMARK) != 0);
    EQ(interface.mtu, 1380);
    EQ(interface.listen_port, 51821);
    EQ(interface.fwmark, 0x1234);
    EQ(interface.table_kind, UNDERPASS_TABLE_OFF);
    EQ(interface.save_config, 1);
    EQ(interface.private_key[1], 1);
    OK(underpass_config_address(config, 0, &ip));
    EQ(ip.family, UNDERPASS_FAMILY_IPV4);
    EQ(ip.prefix, 16);
    EQ(ip.bytes[3], 1);
    OK(underpass_config_address(config, 1, &ip));
    EQ(ip.family, UNDERPASS_FAMILY_IPV6);
    EQ(ip.prefix, 64);
    REFUSED(UNDERPASS_NOTHING, ip, underpass_config_address(config, 2, &ip));
    REFUSED(UNDERPASS_NOTHING, ip, underpass_config_address(config, SIZE_MAX, &ip));
    OK(underpass_config_dns(config, 0, &ip));
    EQ(ip.bytes[3], 53);
    OK(underpass_config_dns(config, 1, &ip));
    EQ(ip.family, UNDERPASS_FAMILY_IPV6);
    REFUSED(UNDERPASS_NOTHING, ip, underpass_config_dns(config, 2, &ip));
    OK(underpass_config_text(config, UNDERPASS_TEXT_SEARCH_DOMAIN, 0, &text));
    TEXT(text, "corp.example");
    OK(underpass_config_text(config, UNDERPASS_TEXT_PRE_UP, 0, &text));
    TEXT(text, "first %i");
    OK(underpass_config_text(config, UNDERPASS_TEXT_POST_UP, 1, &text));
    TEXT(text, "third");
    OK(underpass_config_text(config, UNDERPASS_TEXT_PRE_DOWN, 0, &text));
    TEXT(text, "fourth");
    OK(underpass_config_text(config, UNDERPASS_TEXT_POST_DOWN, 0, &text));
    TEXT(text, "fifth");
    REFUSED(UNDERPASS_NOTHING, text, underpass_config_text(config, UNDERPASS_TEXT_POST_UP, 2, &text));
    REFUSED(UNDERPASS_NOTHING, text, underpass_config_text(config, UNDERPASS_TEXT_INCLUDED_APPLICATION, 0, &text));
    REFUSED(UNDERPASS_NOTHING, text, underpass_config_text(config, UNDERPASS_TEXT_EXCLUDED_APPLICATION, 0, &text));
    REFUSED(UNDERPASS_E_ARGUMENT, text, underpass_config_text(config, 99, 0, &text));
    OK(underpass_config_free(config));
}

TEST(tables_are_told_apart)
{
    static const struct {
        const char *text;
        uint32_t kind, number;
        const char *name;
    } rows[] = {
        { "[Interface]\n", UNDERPASS_TABLE_AUTO, 0, "" },
        { "[Interface]\nTable = auto\n", UNDERPASS_TABLE_AUTO, 0, "" },
        { "[Interface]\nTable = off\n", UNDERPASS_TABLE_OFF, 0, "" },
        { "[Interface]\nTable = 1234\n", UNDERPASS_TABLE_NUMBER, 1234, "" },
        { "[Interface]\nTable = vpn\n", UNDERPASS_TABLE_NAME, 0, "vpn" },
    };
    size_t row;
    for (row = 0; row < COUNT(rows); row++) {
        underpass_config *config = parsed(rows[row].text);
        underpass_interface interface;
        interface.size = sizeof interface;
        OK(underpass_config_interface(config, &interface));
        EQ(interface.table_kind, rows[row].kind);
        EQ(interface.table_number, rows[row].number);
        TEXT(interface.table_name, rows[row].name);
        EQ(interface.flags, 0);
        EQ(interface.save_config, 0);
        OK(underpass_config_free(config));
    }
}

TEST(peers_of_a_configuration_are_changes)
{
    underpass_config *config = parsed(good);
    underpass_peer_change change;
    uint8_t key[32];
    stain(&change, sizeof change);
    change.size = sizeof change;
    OK(underpass_config_peer(config, 0, &change));
    OK(underpass_key_from_base64("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", 44, key));
    SAME(change.public_key, key, 32);
    CHECK((change.flags & UNDERPASS_PEER_HAS_PRESHARED_KEY) != 0);
    EQ(change.preshared_key[31], 2);
    CHECK((change.flags & UNDERPASS_PEER_HAS_ENDPOINT) != 0);
    TEXT(change.endpoint_host, "vpn.example.com");
    EQ(change.endpoint_port, 4500);
    EQ(change.persistent_keepalive, 25);
    EQ(change.allowed_ips_len, 2);
    EQ(change.allowed_ips[1].network.family, UNDERPASS_FAMILY_IPV6);
    change.size = sizeof change;
    OK(underpass_config_peer(config, 1, &change));
    CHECK(change.endpoint_host == NULL);
    EQ(change.endpoint.family, UNDERPASS_FAMILY_IPV6);
    EQ(change.endpoint.port, 51820);
    EQ(change.allowed_ips_len, 0);
    REFUSED_STRUCT(UNDERPASS_NOTHING, change, underpass_config_peer(config, 2, &change));
    OK(underpass_config_free(config));
}

/* A diagnostic with these words in these places. */
static void says(const underpass_config *config, uint32_t severity, uint32_t line, uint32_t column, const char *section,
                 const char *key)
{
    underpass_diagnostic found;
    size_t at;
    for (at = 0;; at++) {
        found.size = sizeof found;
        OK(underpass_config_diagnostic(config, at, &found));
        if (found.line == line && found.severity == severity) break;
    }
    EQ(found.column, column);
    TEXT(found.section, section);
    TEXT(found.key, key);
    CHECK(found.reason[0] != '\0');
}

#define SECRET "cHJpdmF0ZS1rZXktdGhhdC1pcy1ub3QtYS1rZXk"

/* Wherever something may be wrong, there is a key. */
static const char wrong[] =
    "[Interface]\n"
    "PrivateKey = " SECRET "\n"
    "  MTU = 12\n"
    SECRET " = 1\n"
    "Jc = 4\n"
    "[Peer]\n"
    "AllowedIPs = 10.0.0.0/8, 10.0.0.0/99\n"
    "[" SECRET "]\n";

TEST(an_error_says_what_is_wrong_and_where)
{
    underpass_config *config = parsed(wrong);
    underpass_diagnostic found;
    underpass_interface interface;
    underpass_peer_change change;
    underpass_tunnel *tunnel;
    underpass_ip ip;
    const char *string;
    char written[64];
    size_t at, len, errors = 0;
    int32_t status;
    says(config, UNDERPASS_SEVERITY_ERROR, 2, 14, "Interface", "PrivateKey");
    says(config, UNDERPASS_SEVERITY_ERROR, 3, 9, "Interface", "MTU");
    says(config, UNDERPASS_SEVERITY_ERROR, 7, 26, "Peer", "AllowedIPs");
    found.size = sizeof found;
    for (at = 0; (status = underpass_config_diagnostic(config, at, &found)) == UNDERPASS_OK; at++) {
        CHECK(found.line >= 1 && found.line <= 9 && found.column >= 1);
        CHECK(found.severity == UNDERPASS_SEVERITY_ERROR || found.severity == UNDERPASS_SEVERITY_WARNING);
        errors += found.severity == UNDERPASS_SEVERITY_ERROR;
        CHECK(found.reason[0] != '\0');
    }
    STATUS(UNDERPASS_NOTHING, status);
    CHECK(errors >= 4);
    REFUSED_STRUCT(UNDERPASS_NOTHING, found, underpass_config_diagnostic(config, at, &found));
    REFUSED_STRUCT(UNDERPASS_NOTHING, found, underpass_config_diagnostic(config, SIZE_MAX, &found));
    REFUSED_STRUCT(UNDERPASS_E_CONFIG, interface, underpass_config_interface(config, &interface));
    REFUSED(UNDERPASS_E_CONFIG, ip, underpass_config_address(config, 0, &ip));
    REFUSED(UNDERPASS_E_CONFIG, ip, underpass_config_dns(config, 0, &ip));
    REFUSED(UNDERPASS_E_CONFIG, string, underpass_config_text(config, UNDERPASS_TEXT_POST_UP, 0, &string));
    REFUSED_STRUCT(UNDERPASS_E_CONFIG, change, underpass_config_peer(config, 0, &change));
    REFUSED(UNDERPASS_E_CONFIG, written, underpass_config_write(config, written, sizeof written, &len));
    REFUSED(UNDERPASS_E_CONFIG, tunnel, underpass_tunnel_new_from_config(config, NULL, BEGIN, WALL, &tunnel));
    OK(underpass_config_free(config));
}

TEST(nothing_secret_is_printed)
{
    underpass_config *config = parsed(wrong);
    underpass_diagnostic found;
    size_t at;
    found.size = sizeof found;
    for (at = 0; underpass_config_diagnostic(config, at, &found) == UNDERPASS_OK; at++) {
        CHECK(strstr(found.reason, SECRET) == NULL);
        CHECK(strstr(found.key, SECRET) == NULL);
        CHECK(strstr(found.section, SECRET) == NULL);
    }
    CHECK(at >= 4);
    OK(underpass_config_free(config));
}

TEST(oddities_are_warnings)
{
    underpass_config *config = parsed("\xef\xbb\xbf[Interface]\r\nMTU = 1400 # comment\r\nJc = 4\r\nBlockDNS = 1\r\n");
    underpass_diagnostic found;
    underpass_interface interface;
    size_t at, count = 0;
    interface.size = sizeof interface;
    OK(underpass_config_interface(config, &interface));
    EQ(interface.mtu, 1400);
    EQ(interface.flags & UNDERPASS_INTERFACE_HAS_PRIVATE_KEY, 0);
    found.size = sizeof found;
    for (at = 0; underpass_config_diagnostic(config, at, &found) == UNDERPASS_OK; at++) {
        EQ(found.severity, UNDERPASS_SEVERITY_WARNING);
        count++;
    }
    CHECK(count >= 3);
    OK(underpass_config_free(config));
}

/* The same as the running one, but for a letter: nothing of it may be applied, or packets would leave unprotected. */
TEST(a_key_that_nobody_knows_is_an_error)
{
    static const char typo[] = "[Interface]\nPrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n[Peer]\n"
                               "PublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n AllowedIP = 0.0.0.0/0, ::/0\n";
    underpass_config *config = parsed(good), *mistyped = parsed(typo);
    underpass_diagnostic found;
    underpass_peer_change change;
    underpass_tunnel *tunnel;
    underpass_ip ips[4];
    uint64_t peer;
    uint8_t key[32];
    size_t len;
    found.size = sizeof found;
    OK(underpass_config_diagnostic(mistyped, 0, &found));
    EQ(found.severity, UNDERPASS_SEVERITY_ERROR);
    EQ(found.line, 5);
    EQ(found.column, 2);
    TEXT(found.section, "Peer");
    TEXT(found.reason, "unknown key; did you mean AllowedIPs?");
    STATUS(UNDERPASS_NOTHING, underpass_config_diagnostic(mistyped, 1, &found));
    change.size = sizeof change;
    STATUS(UNDERPASS_E_CONFIG, underpass_config_peer(mistyped, 0, &change));
    REFUSED(UNDERPASS_E_CONFIG, tunnel, underpass_tunnel_new_from_config(mistyped, NULL, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_new_from_config(config, NULL, BEGIN, WALL, &tunnel));
    STATUS(UNDERPASS_E_CONFIG, underpass_tunnel_apply_config(tunnel, BEGIN, mistyped));
    OK(underpass_key_from_base64("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", 44, key));
    OK(underpass_tunnel_peer_by_key(tunnel, key, &peer));
    OK(underpass_tunnel_peer_allowed_ips(tunnel, peer, ips, 4, &len));
    EQ(len, 2);
    OK(underpass_tunnel_peers(tunnel, NULL, 0, &len));
    EQ(len, 2);
    OK(underpass_tunnel_free(tunnel));
    OK(underpass_config_free(mistyped));
    OK(underpass_config_free(config));
}

/* A peer whom nobody can be: it is there and stays silent. */
TEST(a_peer_of_zeros_is_taken_with_a_warning)
{
    underpass_config *config = parsed("[Interface]\nPrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n[Peer]\n"
                                      "PublicKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nEndpoint = 192.0.2.1:5\n");
    underpass_diagnostic found;
    underpass_transmit transmit;
    underpass_tunnel *tunnel;
    uint8_t key[32], buf[2048];
    uint64_t peer;
    found.size = sizeof found;
    OK(underpass_config_diagnostic(config, 0, &found));
    EQ(found.severity, UNDERPASS_SEVERITY_WARNING);
    TEXT(found.key, "PublicKey");
    OK(underpass_tunnel_new_from_config(config, NULL, BEGIN, WALL, &tunnel));
    memset(key, 0, sizeof key);
    OK(underpass_tunnel_peer_by_key(tunnel, key, &peer));
    OK(underpass_tunnel_connect(tunnel, BEGIN, peer));
    transmit.size = sizeof transmit;
    STATUS(UNDERPASS_NOTHING, underpass_tunnel_poll_transmit(tunnel, BEGIN, buf, sizeof buf, &transmit));
    OK(underpass_tunnel_free(tunnel));
    OK(underpass_config_free(config));
}

TEST(what_is_written_is_read_as_the_same)
{
    underpass_config *config = parsed(good), *again;
    char *first, *second;
    size_t len, cap, second_len;
    OK(underpass_config_write(config, NULL, 0, &len));
    CHECK(len > 300);
    first = exactly(len + 1);
    for (cap = len; cap > 0; cap -= cap < 61 ? cap : 61) { /* at first, room for all but the NUL */
        size_t needed = 0;
        STATUS(UNDERPASS_E_BUFFER, underpass_config_write(config, first, cap, &needed));
        CHECK(is_stained(first, len + 1));
        EQ(needed, len);
    }
    OK(underpass_config_write(config, first, len + 1, &second_len));
    EQ(second_len, len);
    OK(underpass_config_parse(first, len, &again));
    second = exactly(len + 1);
    OK(underpass_config_write(again, second, len + 1, &second_len));
    EQ(second_len, len);
    SAME(first, second, len);
    free(first);
    free(second);
    OK(underpass_config_free(config));
    OK(underpass_config_free(again));
}

TEST(text_that_is_no_text_is_refused)
{
    underpass_config *config;
    REFUSED(UNDERPASS_E_ARGUMENT, config, underpass_config_parse("[Interface]\nMTU = \xff\n", 19, &config));
    OK(underpass_config_parse("", 0, &config));
    OK(underpass_config_free(config));
    OK(underpass_config_free(NULL));
}

TEST(a_tunnel_is_made_from_a_configuration)
{
    underpass_config *config = parsed(good), *fewer;
    underpass_tunnel *tunnel;
    underpass_options options;
    underpass_peer_info info;
    underpass_ip ips[4];
    uint64_t peer, same;
    uint8_t key[32], expected[32], private_key[32];
    uint32_t mtu;
    size_t len;
    OK(underpass_tunnel_new_from_config(config, NULL, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_mtu(tunnel, &mtu));
    EQ(mtu, 1380);
    memset(private_key, 1, 32);
    OK(underpass_public_key(private_key, expected));
    OK(underpass_tunnel_public_key(tunnel, key));
    SAME(key, expected, 32);
    OK(underpass_tunnel_peers(tunnel, NULL, 0, &len));
    EQ(len, 2);
    /* What is not in the next configuration goes, the rest stays what it was. */
    OK(underpass_key_from_base64("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", 44, key));
    OK(underpass_tunnel_peer_by_key(tunnel, key, &peer));
    fewer = parsed("[Interface]\nPrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n[Peer]\n"
                   "PublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\nAllowedIPs = 10.9.0.0/16\n");
    OK(underpass_tunnel_apply_config(tunnel, BEGIN, fewer));
    OK(underpass_tunnel_peers(tunnel, NULL, 0, &len));
    EQ(len, 1);
    OK(underpass_tunnel_peer_by_key(tunnel, key, &same));
    EQ(same, peer);
    OK(underpass_tunnel_peer_allowed_ips(tunnel, peer, ips, 4, &len));
    EQ(len, 1);
    EQ(ips[0].bytes[1], 9);
    info.size = sizeof info;
    OK(underpass_tunnel_peer(tunnel, BEGIN, peer, &info));
    EQ(info.persistent_keepalive, 0);
    EQ(info.flags & UNDERPASS_INFO_PRESHARED_KEY, 0);
    OK(underpass_tunnel_mtu(tunnel, &mtu));
    EQ(mtu, 1420);
    OK(underpass_tunnel_free(tunnel));
    OK(underpass_options_init(&options, sizeof options));
    options.max_peers = 1;
    REFUSED(UNDERPASS_E_TOO_MANY_PEERS, tunnel,
            underpass_tunnel_new_from_config(config, &options, BEGIN, WALL, &tunnel));
    options.mtu = 7; /* not looked at */
    OK(underpass_tunnel_new_from_config(fewer, &options, BEGIN, WALL, &tunnel));
    STATUS(UNDERPASS_E_TOO_MANY_PEERS, underpass_tunnel_apply_config(tunnel, BEGIN, config));
    OK(underpass_tunnel_peers(tunnel, NULL, 0, &len));
    EQ(len, 1);
    OK(underpass_tunnel_free(tunnel));
    OK(underpass_config_free(config));
    OK(underpass_config_free(fewer));
}

TEST(a_wrong_configuration_is_not_applied)
{
    underpass_config *config = parsed("[Peer]\nPublicKey = x\n");
    scene scene;
    size_t len;
    scene_open(&scene);
    STATUS(UNDERPASS_E_CONFIG, underpass_tunnel_apply_config(scene.left.tunnel, scene.now, config));
    OK(underpass_tunnel_peers(scene.left.tunnel, NULL, 0, &len));
    EQ(len, 1);
    scene_close(&scene);
    OK(underpass_config_free(config));
}

/* Lines by the thousand are read, and what is said of them stays small. */
TEST(diagnostics_are_bounded_and_the_rest_is_counted)
{
    static char text[8192];
    underpass_config *config;
    underpass_diagnostic found;
    underpass_interface interface;
    size_t at, more = 0;
    for (at = 0; at < sizeof text; at++) text[at] = at % 2 == 0 ? 'a' : '\n';
    found.size = sizeof found;
    interface.size = sizeof interface;
    OK(underpass_config_parse(text, sizeof text, &config));
    for (at = 0; underpass_config_diagnostic(config, at, &found) == UNDERPASS_OK; at++) EQ(found.severity, UNDERPASS_SEVERITY_ERROR);
    EQ(at, UNDERPASS_MAX_DIAGNOSTICS);
    OK(underpass_config_more(config, &more));
    EQ(at + more, sizeof text / 2 + 1);
    OK(underpass_config_free(config));
    OK(underpass_config_parse_with(text, sizeof text, 0, &config));
    STATUS(UNDERPASS_NOTHING, underpass_config_diagnostic(config, 0, &found));
    STATUS(UNDERPASS_E_CONFIG, underpass_config_interface(config, &interface));
    OK(underpass_config_more(config, &more));
    EQ(more, sizeof text / 2 + 1);
    OK(underpass_config_free(config));
    OK(underpass_config_parse_with(text, sizeof text, SIZE_MAX, &config));
    OK(underpass_config_more(config, &more));
    EQ(more, 0);
    OK(underpass_config_free(config));
}

/* So many that their sum is beyond any memory; the library asks for that before it reads the second. */
TEST(changes_beyond_memory_are_refused)
{
    underpass_peer_change change;
    scene scene;
    size_t len;
    scene_open(&scene);
    OK(underpass_peer_change_init(&change, sizeof change));
    STATUS(UNDERPASS_E_MEMORY,
           underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, (size_t)PTRDIFF_MAX / sizeof change,
                                            NULL));
    OK(underpass_tunnel_peers(scene.left.tunnel, NULL, 0, &len));
    EQ(len, 1);
    scene_close(&scene);
}

const check_test config_tests[] = {
    ENTRY(every_part_of_a_configuration_is_there),
    ENTRY(tables_are_told_apart),
    ENTRY(peers_of_a_configuration_are_changes),
    ENTRY(an_error_says_what_is_wrong_and_where),
    ENTRY(nothing_secret_is_printed),
    ENTRY(oddities_are_warnings),
    ENTRY(diagnostics_are_bounded_and_the_rest_is_counted),
    ENTRY(a_key_that_nobody_knows_is_an_error),
    ENTRY(a_peer_of_zeros_is_taken_with_a_warning),
    ENTRY(what_is_written_is_read_as_the_same),
    ENTRY(text_that_is_no_text_is_refused),
    ENTRY(a_tunnel_is_made_from_a_configuration),
    ENTRY(a_wrong_configuration_is_not_applied),
    ENTRY(changes_beyond_memory_are_refused),
    LAST_ENTRY,
};
